"""A sitemap, its index or a news sitemap: the stories it has had since the last look."""

from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from ingest.dates import day_in_path
from ingest.errors import FeedError, FetchError
from ingest.sitemaps import MAX_BYTES, Located, read_sitemap
from ingest.sources.past import MARGIN
from ingest.sources.source import Listing, Source, ask
from ingest.urls import canonical, lies_within, same_site
from storage.model import Entry, Feed, FeedState, Page

ACCEPT = "application/xml,text/xml;q=0.9,text/plain;q=0.8,application/gzip;q=0.8,*/*;q=0.5"
FIRST_LOOK = timedelta(days=7)  # ours: a new sitemap's past is for a backfill
MAX_ASKED = 20  # ours: files a look
MAX_DEPTH = 11  # of indexes in indexes, as ultimate-sitemap-parser has it
MAX_ENTRIES = 2_000  # of a look, the newest: as of a feed


class SitemapSource(Source):
    """One sitemap of the feeds file."""

    def entries(self, state: FeedState) -> Listing:
        """Ask the sitemap and the parts of it that changed; each file asks for an hour's rest.

        What changed or appeared before the last look, less MARGIN, is left out, and so is what
        has no date, not even in its path: nothing tells whether it is new. An index keeps no
        validators: it may stay the same while its parts change.

        Raises FetchError for the first file, FeedError when nothing in it can be used.
        """
        page, known = ask(self.web, state, ACCEPT, self.may_ask, MAX_BYTES)
        if not known.read:
            return known
        since = (state.whole or page.fetched - FIRST_LOOK) - MARGIN
        walk, recent, inside, undated = Walk(self._again, since), dict[str, Entry](), 0, 0
        for place in walk.places(page):
            if entry := entry_at(place, self.feed, self.tracking):
                moment = entry.updated or day_of(entry.url)
                inside, undated = inside + 1, undated + (moment is None)
                if moment and moment >= since:
                    recent[entry.url] = entry
        if walk.errors and not walk.urls:
            raise walk.errors[0]
        if walk.urls and not inside and not walk.old:
            what = f"within = {self.feed.within!r}" if self.feed.within else "its own site"
            raise FeedError("nothing_selected", f"none of its {walk.urls} URLs is in {what}")
        if inside and undated == inside:
            raise FeedError("nothing_selected", f"none of its {inside} URLs has a date")
        entries = sorted(recent.values(), key=lambda e: e.updated or since, reverse=True)
        told = [f"files={walk.asked} urls={walk.urls} since {since:%Y-%m-%d}={len(recent)}"]
        told += [f"without a date={undated}"] if undated else []
        told += [f"files left out={walk.left}"] if walk.left else []
        told += [f"only the newest {MAX_ENTRIES} were taken"] if entries[MAX_ENTRIES:] else []
        told += [str(error) for error in walk.errors[:3]]
        if walk.asked > 1 or walk.is_index:
            known = replace(known, etag=None, last_modified=None, digest=None)
        return replace(
            known,
            outcome="listed" if entries else "empty_valid",
            detail="; ".join(told),
            entries=tuple(entries[:MAX_ENTRIES]),
            timing=replace(known.timing, ttl=timedelta(hours=walk.asked)),
        )

    def _again(self, url: str) -> Page:
        return self.web.get(url, accept=ACCEPT, max_bytes=MAX_BYTES, may_ask=self.may_ask)


class Walk:
    """A way through a sitemap and its parts: for polling, or for a range of dates."""

    def __init__(self, get: Callable[[str], Page], since: datetime, most: int = MAX_ASKED) -> None:
        """Take the way to ask, and when a part must have changed last to be worth it."""
        self._get, self._since, self._most = get, since, most
        self._met: set[str] = set()
        self.asked, self.urls = 1, 0  # files, the first among them; URLs in them
        self.old, self.left = 0, 0  # parts that did not change since; parts beyond our limits
        self.is_index = False
        self.errors: list[FetchError | FeedError] = []  # of files, which stop nothing

    def places(self, page: Page, depth: int = 0) -> Iterator[Located]:
        """Yield the URLs of a file and its parts: the ones that changed last first, each once.

        Parts lie on the index's own registered domain, or are not asked.
        """
        parts: list[Located] = []
        self._met.add(canonical(page.final_url))
        try:
            is_index, places = read_sitemap(
                page.content, page.header("content-type") or "", page.final_url
            )
            self.is_index |= is_index
            for place in places:
                if is_index:
                    parts.append(place)
                else:
                    self.urls += 1
                    yield place
        except FeedError as error:
            self.errors.append(error)
        for url in self._chosen(parts, page.final_url):
            if self.asked == self._most or depth == MAX_DEPTH:
                self.left += 1
                continue
            self.asked += 1
            try:
                part = self._get(url)
            except FetchError as error:
                self.errors.append(error)
            else:
                yield from self.places(part, depth + 1)

    def _chosen(self, parts: list[Located], index: str) -> Iterator[str]:
        oldest = datetime.min.replace(tzinfo=UTC)
        for part in sorted(parts, key=lambda one: one.changed or oldest, reverse=True):
            if part.changed and part.changed < self._since:
                self.old += 1
                continue
            with suppress(ValueError):
                url = canonical(part.url)
                if url not in self._met and same_site(url, index):
                    self._met.add(url)
                    yield url


def entry_at(place: Located, feed: Feed, tracking: Set[str]) -> Entry | None:
    """Return the entry for a URL that belongs to a feed's site and lies within, else None."""
    try:
        url = canonical(place.url, tracking)
        if not same_site(url, feed.url) or not lies_within(url, feed.within):
            return None
    except ValueError:
        return None
    return Entry(
        url=url,
        link=place.url,
        title=place.title,
        source=feed.url,
        published=place.published,
        updated=max(filter(None, (place.published, place.changed)), default=None),
        summary=place.keywords,
    )


def day_of(url: str) -> datetime | None:
    """Return the beginning of the day that a URL's path names, or None."""
    day = day_in_path(url)
    return datetime.combine(day, time.min, UTC) if day else None
