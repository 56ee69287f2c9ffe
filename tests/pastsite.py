"""A site with a past, a way into it, and workers that walk it: `python -m tests.pastsite ...`."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from ingest import runs
from ingest.dates import LONDON
from ingest.sources import WAYS
from ingest.sources.past import Capped, Step, Way, Window
from ingest.urls import canonical
from storage.model import Entry
from tests.chaos import prose
from tests.newssite import NewsSite, Reply

PER_PAGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One story of the site, and when its archive says that it appeared."""

    number: int
    announced: datetime | None
    published: date | None  # what its page says

    @property
    def path(self) -> str:
        return f"/story/{self.number}"


def told(moments: Iterable[datetime], off: timedelta = timedelta(0)) -> list[Told]:
    """Return a story a moment; the archive's dates are `off` from those of the pages."""
    return [
        Told(
            number=number, announced=moment + off, published=moment.astimezone(LONDON).date()
        )
        for number, moment in enumerate(moments)
    ]  # fmt: skip


class PastSite(NewsSite):
    """Shows its stories, newest first, at /archive?since=&until=&page=; each has a page."""

    def __init__(self, stories: Iterable[Told] = (), most: int | None = None) -> None:
        self.stories = list(stories)
        self.most = most  # a window with more than that many is capped
        self.on_page: Callable[[PastSite, int], None] = lambda site, page: None
        self.total = True  # it says how many there are
        self.more: bool | None = None  # says so whatever there is
        self.fails: list[int] = []  # statuses of the next answers
        self.busy = 0  # how many answers ask for ten minutes' rest first
        super().__init__()

    def shown(self, path: str) -> Any:
        parts = urlsplit(path)
        if parts.path == "/archive" and parts.query:
            if self.busy:
                self.busy -= 1
                return Reply(status=503, headers={"Retry-After": "600"})
            if self.fails:
                return Reply(status=self.fails.pop(0))
            return self._page({name: one for name, (one,) in parse_qs(parts.query).items()})
        for one in self.stories if parts.path.startswith("/story/") else ():
            if one.path == parts.path:
                return Reply(body=_html(one))
        return super().shown(path)

    def _page(self, asked: dict[str, str]) -> Reply:
        since, until = (datetime.fromisoformat(asked[name]) for name in ("since", "until"))
        page = int(asked["page"])
        self.on_page(self, page)
        never = datetime.max.replace(tzinfo=UTC)
        there = [s for s in self.stories if s.announced is None or since <= s.announced < until]
        there.sort(key=lambda one: (one.announced or never, one.number), reverse=True)
        start = page * PER_PAGE
        answer = {
            "total": len(there) if self.total else None,
            "capped": self.most is not None and len(there) > self.most,
            "more": start + PER_PAGE < len(there) if self.more is None else self.more,
            "stories": [
                {"url": one.path, "date": one.announced and one.announced.isoformat()}
                for one in there[start : start + PER_PAGE]
            ],
        }
        return Reply(body=json.dumps(answer), content_type="application/json")


def _html(one: Told) -> str:
    title, paragraphs = prose.story(str(one.number))
    day = f'<meta property="article:published_time" content="{one.published}">'
    text = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    head = f"<html lang=en><title>{title}</title>{day if one.published else ''}"
    return f"{head}<article><h1>{title}</h1>{text}</article></html>"


@dataclass(frozen=True, slots=True)
class Scripted(Way):
    """Walks what PastSite shows."""

    per_step = PER_PAGE
    shifts = True

    def offered(self) -> str | None:
        return urljoin(self.feed.url, "/archive")

    def step(self, window: Window, cursor: str) -> Step:
        page = int(cursor or 0)
        days = {"since": window.start.isoformat(), "until": window.end.isoformat()}
        url = f"{self.address}?{urlencode({**days, 'page': page})}"
        said = json.loads(self.web.get(url, may_ask=self.may_ask).content)
        if said["capped"]:
            raise Capped(f"total={said['total']}")
        return Step(
            entries=tuple(self._entry(one) for one in said["stories"]),
            cursor=str(page + 1) if said["more"] else "",
            total=said["total"],
        )

    def _entry(self, one: dict[str, str | None]) -> Entry:
        link = urljoin(self.address, one["url"])
        published = datetime.fromisoformat(one["date"]) if one["date"] else None
        url = canonical(link)
        source = self.feed.url
        return Entry(
            url=url, link=link, title=url, source=source, published=published,
            date_source="scripted",
        )  # fmt: skip


class Unlike(Scripted):
    """The same by another name, for when the first one is refused."""


class OnlyWeeks(Scripted):
    """The same, a week at a time."""

    longest = timedelta(days=7)


@contextmanager
def ways(**kinds: type[Way]) -> Iterator[None]:
    """Have these ways and no others."""
    all_of_them = cast(dict[str, type[Way]], WAYS)
    before = dict(all_of_them)
    all_of_them.clear()
    all_of_them.update(kinds)
    try:
        yield
    finally:
        all_of_them.clear()
        all_of_them.update(before)


if __name__ == "__main__":
    with ways(scripted=Scripted):
        if sys.argv[1] == "cli":
            from ingest import cli

            sys.argv[1:2] = []
            cli.main()
        else:
            runs.walk(sys.argv[1], sys.argv[2])
            runs.fetch(live=False)
