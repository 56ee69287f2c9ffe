"""The Internet Archive's Wayback Machine, by its index: wayback-cdx-server's README."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import ClassVar
from urllib.parse import quote, urljoin

from ingest.dates import day_in_path
from ingest.errors import FeedError, FetchError
from ingest.feeds import parse_feed
from ingest.sources.api import ask, located
from ingest.sources.feed import ACCEPT
from ingest.sources.past import MARGIN, Step, Way, Window, unless_refused
from ingest.urls import host_of
from storage.model import Entry

REST = timedelta(minutes=10)  # after its 429 or 503; research on date ranges: "stop minutes"
FEEDS, PAGES = 50, 1_000  # captures an answer of the index: to be read one by one, and not
_CAPTURE = re.compile(r"[0-9]{14}")
_NO_STORY = re.compile(  # a site's lists and feeds, which are captured more often than its stories
    r"/(?:feed|rss|tags?|category|author|page/\d+|search|embed|amp|comments?|wp-[a-z]+)(?:/|$)"
    r"|[?&](?:replytocom|share|s|page|paged)=|\.(?:xml|rss|atom|json)$"
)


class Wayback(Way):
    """What the archive captured of a feed, what is gone since included; and then of its site.

    An entry's URL is the story's own; its link is the capture, in which stands when it was taken.
    Captures of the window's month and of the next are read, however the month is cut: few feeds
    hold an entry for longer.
    """

    opt_in = True
    per_step = 10
    archive: ClassVar[str] = "https://web.archive.org"

    def offered(self) -> str | None:
        """Ask whether the feed, or else a page of its site, was ever captured."""
        with unless_refused():
            if any(self._index(what, 1)[0] for what in (self._feed(), self._site())):
                return self.archive
        return None

    def step(self, window: Window, cursor: str) -> Step:
        """Read a capture of the feed; or ask the index for more of them, or for the site's pages.

        Raises FetchError with a long rest when the archive has had enough of us.
        """
        what, key, left = json.loads(cursor) if cursor else ("feed", "", [])
        entries: list[Entry] = []
        detail = ""
        try:
            if left:
                entries, detail = self._read(window, *left.pop(0))
            elif what == "feed":
                left, key = self._index(self._feed() + _between(window), FEEDS, key)
            else:
                found, key = self._index(self._site() + _between(window), PAGES, key)
                entries = [one for place in found if (one := self._page(window, *place))]
        except FetchError as error:
            if error.status not in (429, 503):
                raise
            rest = max(REST, error.retry_after or REST)
            raise FetchError(error.url, error.fault, error.detail, error.status, rest) from error
        if not left and not key:
            what = "site" if what == "feed" else ""
        cursor = json.dumps([what, key, left]) if what else ""
        return Step(entries=tuple(entries), cursor=cursor, detail=detail)

    def _feed(self) -> str:
        return f"url={quote(self.feed.url, safe='')}&collapse=digest"

    def _site(self) -> str:
        """Ask for what lies beside the feed, or within what the feeds file says of a site."""
        url = urljoin(self.feed.url.rstrip("/"), ".")
        if self.feed.via != "feed":
            url = urljoin(self.feed.url, self.feed.within.partition("*")[0] or "/")
        pages = "matchType=prefix&collapse=urlkey&filter=mimetype:text/html"
        return f"url={quote(url, safe='')}&{pages}"

    def _index(self, query: str, most: int, key: str = "") -> tuple[list[list[str]], str]:
        """Return captures, each its moment and its URL; and the key to ask for more by, if any."""
        form = f"output=json&fl=timestamp,original&filter=statuscode:200&limit={most}"
        more = f"&resumeKey={quote(key, safe='%+!')}" if key else ""  # keys come escaped
        url = f"{self.archive}/cdx/search/cdx?{query}&{form}&showResumeKey=true{more}"
        rows, _ = ask(self, url, list[list[str]])
        key = rows.pop()[0] if rows[-2:-1] == [[]] and rows[-1] else ""
        return [row for row in rows if len(row) == 2 and _CAPTURE.fullmatch(row[0])], key

    def _read(self, window: Window, moment: str, url: str) -> tuple[list[Entry], str]:
        """Return what a captured feed announced; one that cannot be read costs itself only."""
        try:
            page = self.web.get(self._at(moment, url), accept=ACCEPT, may_ask=self.may_ask)
            content_type = page.header("content-type") or ""
            parsed = parse_feed(
                page.content, content_type, url, self.feed.url, self.tracking,
                languages=self.languages,
            )  # fmt: skip
        except FeedError as error:
            return [], f"{moment}: {error}"
        except FetchError as error:
            if error.fault.passing and error.status != 500:
                raise
            return [], f"{moment}: {error.fault}"
        return [
            replace(one, url=own, link=self._at(moment, one.link), date_source="wayback")
            for one in parsed.entries
            if window.near(one.published) and (own := self._own(one.url))
        ], ""

    def _page(self, window: Window, moment: str, url: str) -> Entry | None:
        own, day = self._own(url), day_in_path(url)
        if not own or _NO_STORY.search(own):
            return None
        if day and not window.near(datetime.combine(day, time.min, UTC)):
            return None
        link = self._at(moment, url)
        return Entry(url=own, link=link, title="", source=self.feed.url, date_source="wayback")

    def _at(self, moment: str, url: str) -> str:
        return f"{self.archive}/web/{moment}id_/{url}"

    def _own(self, url: str) -> str | None:
        """Return a story's URL as the site has it today: most were http once."""
        own = located(self, url)
        if own and host_of(own) == host_of(self.feed.url):
            scheme = self.feed.url.partition(":")[0]
            return f"{scheme}:{own.partition(':')[2]}"
        return own


def _between(window: Window) -> str:
    """Bound the captures, both days included: from the window's month to the end of the next."""
    since = window.since.replace(day=1) - MARGIN
    last = (window.until - timedelta(days=1)).replace(day=1)
    until = (last + timedelta(days=62)).replace(day=1) + MARGIN
    return f"&from={since:%Y%m%d}&to={until:%Y%m%d}"
