"""Ways into a source's past: how each asks a site for what appeared in a window of days."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar

from ingest.errors import FeedError, FetchError
from ingest.feeds import ParsedFeed, parse_feed
from ingest.sources.feed import ACCEPT
from ingest.web.client import MayAsk, Web
from storage.errors import NewsError
from storage.model import Entry, Feed

MARGIN = timedelta(days=3)  # a source's dates are right to within it (research on date ranges)


class Capped(NewsError):
    """A source shows only a part of a window's entries: the window must be split."""


@dataclass(frozen=True, slots=True)
class Window:
    """Whole days in UTC, half open; the story's own date decides what lies in it."""

    since: date
    until: date

    @property
    def start(self) -> datetime:
        """The first moment that a source is asked for: MARGIN before the window."""
        return datetime.combine(self.since, time.min, UTC) - MARGIN

    @property
    def end(self) -> datetime:
        """The moment before which a source is asked: MARGIN after the window."""
        return datetime.combine(self.until, time.min, UTC) + MARGIN

    def near(self, moment: datetime | None) -> bool:
        """Tell whether what a source dates so may belong here; what it does not date may."""
        return moment is None or self.start <= moment < self.end

    def of(self, entries: Iterable[Entry], way: str) -> tuple[Entry, ...]:
        """Return the entries that may belong here, each naming the way by which it was found."""
        return tuple(replace(e, date_source=way) for e in entries if self.near(e.published))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one request of a walk through a window gave."""

    entries: tuple[Entry, ...] = ()  # of the window and its margin
    cursor: str = ""  # where the walk goes on, as the way itself writes it; "" at its end
    total: int | None = None  # entries the source says it has for this walk, margin and all
    detail: str = ""  # what a person should know of this step
    missed: str = ""  # what cannot be had for good: the slice stays partial


@dataclass(frozen=True, slots=True)
class Way(ABC):
    """A way into the past of one source; it keeps nothing between two steps."""

    feed: Feed
    web: Web
    may_ask: MayAsk  # lets robots.txt have its say and live polling go first
    tracking: frozenset[str]  # the topic's own parameters, for canonical
    address: str = ""  # what `offered` returned
    key: str = ""  # for an API; a mark, see ingest.secrets
    languages: tuple[str, ...] = ()  # of the topic, for a choice among an entry's pages

    longest: ClassVar[timedelta | None] = timedelta(days=31)  # a window; None: any, in one walk
    per_step: ClassVar[int] = 100  # entries a step gives, for estimates
    shifts: ClassVar[bool] = False  # entries may change pages while we read: read again until
    # a pass brings nothing new, or until as many were found as the source says there are
    needs_key: ClassVar[bool] = False
    opt_in: ClassVar[bool] = False  # only where a person asks for it by name

    @abstractmethod
    def offered(self) -> str | None:
        """Return the address at which the source offers this way, None where it does not.

        Asks as few URLs as can be. Raises FetchError for what may pass (a timeout, a 503).
        """

    @abstractmethod
    def step(self, window: Window, cursor: str) -> Step:
        """Ask once, from the start ("") or where a step's cursor says.

        Raises FetchError, FeedError when the answer is of no use, Capped when the source does
        not show all of the window.
        """

    def read_feed(self, url: str) -> tuple[ParsedFeed, str]:
        """Ask for one of the feed's documents, read as it is polled; and the URL that answered.

        Raises FetchError and FeedError.
        """
        page = self.web.get(url, accept=ACCEPT, may_ask=self.may_ask)
        content_type, at = page.header("content-type") or "", page.final_url
        parsed = parse_feed(
            page.content, content_type, at, self.feed.url, self.tracking,
            languages=self.languages, now=page.fetched,
        )  # fmt: skip
        return parsed, at


def digest(text: str) -> str:
    """Return a few characters that stand for a text in a cursor."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def unless_refused() -> Iterator[None]:
    """Leave off where a site shows that it does not offer a way; raise FetchError for what passes.

    For `Way.offered`, which then returns None.
    """
    try:
        yield
    except FeedError:
        return
    except FetchError as error:
        if error.fault.passing:
            raise
