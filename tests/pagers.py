"""A loopback site whose past lies on numbered pages, in chained feeds or in sitemaps.

    with Pager() as site:
        site.stories = daily(site, 200)              # newest first
        site.before = {3: lambda: site.stories.pop()}  # before the third page is shown
        Paged(Feed(url=site.url("/feed/"), title="P"), ...)

What a page beyond the last shows is `beyond`: "404", "empty", "first", "last" (repeated) or
"endless" (ever new entries).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from urllib.parse import parse_qs, urlsplit

from ingest.sources.past import Way, Window
from storage.model import Entry
from tests.builders import NOON
from tests.newssite import NewsSite, Reply


@dataclass(frozen=True)
class Told:
    """A story as a site lists it."""

    url: str
    day: datetime | None = None


class Pager(NewsSite):
    """/feed/?paged=N, RSS of ten; /news?page=N, HTML of ten, page 0 or 1 the first."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.stories: list[Told] = []
        self.size, self.base, self.beyond = 10, 0, "404"
        self.pinned: list[Told] = []  # to every page
        self.before: Mapping[int, Callable[[], object]] = {}  # the page shown n-th, from 1
        self.dated, self.counts = True, True  # the listing shows dates; parameters count
        self.shown_so_far = 0
        super().__init__(host)

    def shown(self, path: str) -> object:  # type: ignore[override]
        parts = urlsplit(path)
        if parts.path not in ("/feed/", "/news"):
            return super().shown(path)
        self.shown_so_far += 1
        self.before.get(self.shown_so_far, lambda: None)()
        asked = parse_qs(parts.query) if self.counts else {}
        if parts.path == "/feed/":
            told = self._page(int(asked.get("paged", ["1"])[0]))
            return Reply(status=404) if told is None else Reply(body=rss(told))
        told = self._page(int(asked.get("page", [self.base])[0]) + 1 - self.base)
        return Reply(status=404) if told is None else Reply(body=self._listed(told))

    def _page(self, number: int) -> Sequence[Told] | None:
        number = max(number, 1)
        last = max(1, -(-len(self.stories) // self.size))
        if number > last and self.beyond == "endless":
            return [Told(self.url(f"/{number}/{n}"), NOON) for n in range(self.size)]
        if number > last and self.beyond in ("404", "empty"):
            return None if self.beyond == "404" else ()
        number = number if number <= last else {"first": 1, "last": last}[self.beyond]
        return [*self.pinned, *self.stories[(number - 1) * self.size : number * self.size]]

    def _listed(self, told: Sequence[Told]) -> str:
        return "<title>News</title>" + "".join(
            f"<li><a href='{escape(one.url)}'>Story</a>"
            + (f" <time>{one.day:%d %B %Y}</time>" if one.day and self.dated else "")
            for one in told
        )


def daily(site: NewsSite, days: int, last: datetime = NOON) -> list[Told]:
    """Return a story a day, the newest first."""
    when = [last - timedelta(days=n) for n in range(days)]
    return [Told(site.url(f"/{day:%Y%m%d}-{n}"), day) for n, day in enumerate(when)]


def rss(told: Iterable[Told], links: str = "") -> str:
    """Return a feed of stories; `links` go in its channel."""
    shown = "".join(
        f"<item><title>Story</title><link>{escape(one.url)}</link><guid>{escape(one.url)}</guid>"
        + (f"<pubDate>{format_datetime(one.day)}</pubDate>" if one.day else "")
        + "</item>"
        for one in told
    )
    return (
        '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" '
        f'xmlns:fh="http://purl.org/syndication/history/1.0"><channel><title>Feed</title>{links}'
        f"{shown}</channel></rss>"
    )


def window(since: str, until: str) -> Window:
    first, last = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (since, until))
    return Window(first.date(), last.date())


def near(told: Iterable[Told], asked: Window) -> list[str]:
    """Return the URLs of what a walk through a window must find, sorted."""
    return sorted(one.url for one in told if asked.near(one.day))


def walked(way: Way, asked: Window, most: int = 2_000, passes: int = 4) -> list[Entry]:
    """Walk to the end, again and again where entries may move; return each entry once, by URL."""
    found: dict[str, Entry] = {}
    for _ in range(passes):
        before, cursor = len(found), ""
        for _ in range(most):
            step = way.step(asked, cursor)
            assert all(asked.near(entry.published) for entry in step.entries)
            assert len(step.cursor) < 20_000
            found |= {entry.url: entry for entry in step.entries}
            if not (cursor := step.cursor):
                break
        else:
            raise AssertionError(f"no end after {most} steps")
        if not way.shifts or len(found) == before:
            break
    return [found[url] for url in sorted(found)]
