"""Settings -> Desk: opens every collaborator of a run when it is first asked for, closes all."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Self, TypeVar

from ingest import feedlist, topics
from ingest.errors import Fault, FetchError
from ingest.settings import Settings
from ingest.topics import Topic
from ingest.urls import host_of
from ingest.web import pace
from ingest.web.client import Web, redacted
from ingest.web.robots import Robots
from storage.archive import Archive
from storage.catalog import Catalog
from storage.corpus import Corpus, open_corpus
from storage.model import Feed

Step = TypeVar("Step")


def utc_now() -> datetime:
    """Return the moment, aware, in UTC."""
    return datetime.now(UTC)


class Desk:
    """The collaborators of one run."""

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        watch: Callable[[str, int, int], None] = lambda verb, done, total: None,
    ) -> None:
        """Take the clock, the way to wait, and who is told `verb, steps done, steps in all`."""
        self.settings, self.now, self._sleep, self._watch = settings, now, sleep, watch
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @cached_property
    def catalog(self) -> Catalog:
        """The shelf of decisions."""
        return self._open.enter_context(Catalog(self.settings.catalog_url))

    @cached_property
    def archive(self) -> Archive:
        """The shelf of pages."""
        return self._open.enter_context(Archive(self.settings.archive))

    @cached_property
    def corpus(self) -> Corpus:
        """The shelf of stories."""
        return open_corpus(self.settings.corpus)

    @cached_property
    def topic(self) -> Topic:
        """What is collected."""
        return topics.load(self.settings.topic)

    @cached_property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds file's feeds, disabled ones too."""
        return feedlist.load(self.settings.feeds)

    @cached_property
    def web(self) -> Web:
        """The way to the network; raises SettingsError without a User-Agent."""
        return self._open.enter_context(
            Web(
                user_agent=self.settings.identity(),
                allow=self.settings.allow_networks,
                max_bytes=self.settings.max_page_bytes,
                deadline=timedelta(seconds=self.settings.fetch_deadline),
                now=self.now,
            )
        )

    @cached_property
    def robots(self) -> Robots:
        """What sites ask of robots."""
        return Robots(
            self.web,
            user_agent=self.settings.identity(),
            load=self.catalog.load_robots,
            save=self.catalog.save_robots,
            now=self.now,
            may_ask=self.wait_turn,
        )

    def wait_turn(self, url: str, crawl_delay: timedelta | None = None) -> None:
        """Sleep until the URL's host may be asked; the turn is then ours."""
        gap, now = pace.required_gap(self.settings.gap, crawl_delay), self.now()
        turn = self.catalog.reserve(host_of(url), lambda last: pace.next_slot(last, gap, now))
        self._sleep(max(0.0, (turn - now).total_seconds()))

    def may_ask(self, url: str) -> None:
        """Let robots.txt have its say, then wait for the host's turn; for pages.

        Raises FetchError when the site does not want the URL asked for, or not this often.
        """
        self.robots.check(url)
        delay = self.robots.crawl_delay(url)
        if evidence := pace.too_slow(delay):
            raise FetchError(redacted(url), Fault.ROBOTS_DENIED, f"robots.txt: {evidence}")
        self.wait_turn(url, delay)

    def watched(self, verb: str, steps: Iterable[Step], total: int) -> Iterator[Step]:
        """Yield the steps and tell whoever watches how far they are."""
        for done, step in enumerate(steps, start=1):
            yield step
            self._watch(verb, done, total)
