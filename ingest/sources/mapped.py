"""The way through a site's sitemaps: dates and names tell what need not be looked at, no more."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from posixpath import commonpath, dirname
from typing import ClassVar, NamedTuple
from urllib.parse import urljoin, urlsplit

from ingest.errors import FeedError, FetchError
from ingest.sitemaps import MAX_BYTES, Located, Sitemap, read_sitemap
from ingest.sources.past import Step, Way, Window, digest, unless_refused
from ingest.sources.sitemap import ACCEPT, MAX_DEPTH, day_of, entry_at
from ingest.urls import canonical, same_site
from storage.model import Entry

AHEAD = 50  # ours: parts of an index in a cursor; for those after them it is asked again
ENOUGH = 5  # ours: stories of a feed that show in which folder its stories lie
LONGEST = timedelta(days=31)  # of months
_NAMED = re.compile(r"(?im)^\s*sitemap\s*:\s*(\S+)")  # sitemaps.org/protocol.html#submit_robots
_MONTH = re.compile(r"(?<!\d)((?:19|20)\d\d)(?:[-_/]|&mm=)(\d\d)(?!\d)")


class _At(NamedTuple):
    """Where a walk is."""

    queue: Sequence[tuple[str, int, str]]  # URL, depth; of an index, after which part to go on
    met: Sequence[str] = ()  # digests of the indexes read
    used: int = 0  # files that held URLs


class Sitemaps(Way):
    """The feed's own sitemap, or those that robots.txt of its site names, or /sitemap.xml.

    A file that did not change since before a window holds nothing of it, nor does a URL: nothing
    appears after its lastmod, which tells nothing else. A day in a path or of a news sitemap is
    believed to within MARGIN; what has neither may belong to any window, and its page decides.

    `address` is the first file's; after "#" the folder in which a feed's stories lie. Each step
    reads one file; of an index the parts ahead stand in the cursor, in the order of their URLs,
    so that it may change meanwhile.
    """

    longest = None  # every file is read once, however long the window
    per_step = 1_000
    name: ClassVar[str] = "sitemap"

    def offered(self) -> str | None:
        """Look for what lists a URL: robots.txt, /sitemap.xml; at a feed also for its folder."""
        if self.feed.via == "sitemap":
            return self.feed.url
        for path in ("/robots.txt", "/sitemap.xml"):
            with unless_refused():
                url = urljoin(self.feed.url, path)
                if next(iter(self._read(url).places), None):
                    return f"{url}#{self._folder() if self.feed.via == 'feed' else ''}".rstrip("#")
        return None

    def step(self, window: Window, cursor: str) -> Step:
        """Read one file; one that cannot be had or used is told, but for the last hope of all."""
        root, _, within = self.address.partition("#")
        at = _At(*json.loads(cursor)) if cursor else _At([(canonical(root), 0, "")])
        (url, depth, after), *queue = at.queue
        places: list[Located] = []
        missed, is_index = "", False
        try:
            is_index, found = self._read(url)
            for place in found:
                places.append(place)
        except (FetchError, FeedError) as error:
            passing = isinstance(error, FetchError) and error.fault.passing
            if passing or not (places or queue or at.used):
                raise
            missed = str(error)
        met, used, entries = at.met, at.used, tuple[Entry, ...]()
        if is_index:
            met = met if after else [*met, digest(url)]
            parts = [part for part in self._parts(places, window) if part > after]
            more = [(url, depth, parts[AHEAD - 1])] if parts[AHEAD:] else []
            ahead = [(part, depth + 1, "") for part in parts[:AHEAD] if depth < MAX_DEPTH]
            queue = [one for one in (*ahead, *more, *queue) if one[2] or digest(one[0]) not in met]
        else:
            used, entries = used + bool(places), self._entries(places, window, within)
        return Step(
            entries=entries,
            cursor=json.dumps(_At(queue, met, used)) if queue else "",
            detail=f"{url}: {len(places)} URLs, {len(entries)} taken",
            missed=missed,
        )

    def _read(self, url: str) -> Sitemap:
        page = self.web.get(url, accept=ACCEPT, max_bytes=MAX_BYTES, may_ask=self.may_ask)
        if urlsplit(url).path == "/robots.txt":
            named = _NAMED.findall(page.content.decode("utf-8-sig", "replace"))
            return Sitemap(True, (Located(url) for url in named))
        return read_sitemap(page.content, page.header("content-type") or "", page.final_url)

    def _parts(self, places: Sequence[Located], window: Window) -> list[str]:
        """Return the parts of an index that may hold something of a window, in order."""
        months, parts = _months(place.url for place in places), set[str]()
        for place in places:
            begins = months.get(place.url, window.start)
            old = place.changed and place.changed < window.start
            with suppress(ValueError):
                if not old and window.start - LONGEST <= begins < window.end:
                    parts.add(canonical(place.url))
        return sorted(part for part in parts if same_site(part, self.feed.url))

    def _entries(self, places: Sequence[Located], window: Window, within: str) -> tuple[Entry, ...]:
        feed = replace(self.feed, within=within or self.feed.within)
        listed = (
            entry_at(place, feed, self.tracking)
            for place in places
            if place.published or not place.changed or place.changed >= window.start
        )
        near = (one for one in listed if one and window.near(one.published or day_of(one.url)))
        return window.of(near, self.name)

    def _folder(self) -> str:
        """Return where a feed's stories lie on its site, such as "/news/"; "" where anywhere."""
        with unless_refused():
            urls = [entry.url for entry in self.read_feed(self.feed.url)[0].entries]
            paths = [
                urlsplit(url).path.rstrip("/") for url in urls if same_site(url, self.feed.url)
            ]
            if len(paths) >= ENOUGH:
                folder = re.split(r"/[^/]*\d", commonpath(map(dirname, paths)))[0].rstrip("/")
                return f"{folder}/" if folder else ""
        return ""


def _months(urls: Iterable[str]) -> Mapping[str, datetime]:
    """Return when the months begin that parts' names speak of.

    Only where they name several, and nothing else in that form, such as 2019-13: else it may be
    a number, or when the files were made.
    """
    found = {url: named for url in urls if (named := _MONTH.search(url))}
    try:
        months = {u: datetime(int(m[1]), int(m[2]), 1, tzinfo=UTC) for u, m in found.items()}
    except ValueError:
        return {}
    return months if len(set(months.values())) > 1 else {}
