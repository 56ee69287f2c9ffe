"""Settings -> Desk: opens every collaborator of a run when it is first asked for, closes all."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import quote
from uuid import uuid4

from ingest import feedlist, topics
from ingest.errors import Fault, FetchError
from ingest.secrets import Secrets
from ingest.settings import Settings
from ingest.topics import Topic
from ingest.urls import host_of
from ingest.web import pace
from ingest.web.client import Web, redacted
from ingest.web.robots import Robots
from ingest.workers import Workers
from storage.archive import Archive, open_archive
from storage.catalog import Catalog
from storage.corpus import Corpus, open_corpus
from storage.model import Feed, HostState, Page

if TYPE_CHECKING:
    from ingest.reading import Reading

Step = TypeVar("Step")
GUARDIAN = "https://content.guardianapis.com/search"  # the only place its key is sent to
LEASE_SLACK = timedelta(seconds=15)  # a turn is held for the deadline and what we do around it


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
        readers: "Workers[Reading] | None" = None,
    ) -> None:
        """Take the clock, the way to wait, and who is told `verb, steps done, steps in all`.

        `readers` are another's to close; without them the desk has its own.
        """
        self.settings, self.now, self.sleep, self.watch = settings, now, sleep, watch
        self._readers = readers
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
        return self._open.enter_context(open_archive(self.settings.archive))

    @cached_property
    def corpus(self) -> Corpus:
        """The shelf of stories."""
        return open_corpus(self.settings.corpus)

    @cached_property
    def topic(self) -> Topic:
        """What is collected."""
        return topics.load(self.settings.topic)

    @cached_property
    def readers(self) -> "Workers[Reading]":
        """The child processes that read pages; for one thread at a time."""
        from ingest.reading import nothing_read, prepare, read  # numpy and more: only sift needs it

        if self._readers:
            return self._readers
        ready = partial(prepare, self.settings.topic)
        return self._open.enter_context(Workers(read, nothing_read, ready=ready))

    @cached_property
    def secrets(self) -> Secrets:
        """The keys in the URLs of the feeds file, and the Guardian's."""
        return Secrets([*(feed.url for feed in self._listed), self._guardian])

    @cached_property
    def guardian_key(self) -> str:
        """The mark that stands for the Guardian's key; empty without one."""
        return self.secrets.masked(self._guardian).rpartition("=")[2]

    @property
    def _guardian(self) -> str:
        key = quote(self.settings.guardian_key, safe="")
        return f"{GUARDIAN}?api-key={key}" if key else ""

    @cached_property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds file's feeds as they are now, disabled ones too, marks in place of keys.

        The file says which are enabled; a person may have disabled others without touching it.
        """
        hide, disabled = self.secrets.masked, self.catalog.disabled()
        feeds = [
            replace(f, url=hide(f.url), title=hide(f.title), note=hide(f.note))
            for f in self._listed
        ]
        for place, feed in enumerate(feeds):
            if feed.enabled and feed.url in disabled:
                by, at = disabled[feed.url]
                note = f"disabled by {by} on {at:%d %b %Y}: `newsdesk feeds enable` undoes it"
                feeds[place] = replace(feed, enabled=False, note=note)
        return tuple(feeds)

    @cached_property
    def _listed(self) -> tuple[Feed, ...]:
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
                secrets=self.secrets,
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

    @contextmanager
    def wait_turn(
        self, url: str, delay: float | None = None, live: bool = True
    ) -> Iterator[Callable[[Page], None]]:
        """Sleep until the URL's host may be asked; it is ours until the block ends.

        All workers of one catalog ask one host one request at a time, and keep the gap. `delay`
        are the seconds that its robots.txt asks for, None when that was not looked at: then what
        it said last counts. Told of a 429, the host is left alone for as long as that says.

        Raises FetchError(DEFERRED_HOST), with the wait, when that would take too long.
        """
        host, holder, refusals = host_of(url), uuid4().hex, 0
        lease = timedelta(seconds=self.settings.fetch_deadline) + LEASE_SLACK
        answers: list[Page] = []

        def decide(known: HostState) -> tuple[HostState, timedelta]:
            nonlocal refusals
            refusals = known.refusals
            known = known if delay is None else replace(known, delay=delay)
            return pace.turn(known, holder, self.now(), self.settings.gap, lease, live)

        while wait := self.catalog.claim(host, decide):
            if wait > max(self.settings.gap, pace.MAX_CRAWL_DELAY):
                detail = f"{host} is left alone for {wait.total_seconds():.0f} s"
                raise FetchError(redacted(url), Fault.DEFERRED_HOST, detail, retry_after=wait)
            self.sleep(wait.total_seconds())
        try:
            yield answers.append
        finally:
            now, rest = self.now(), None
            if answers:
                refusals = refusals + 1 if answers[0].status == 429 else max(refusals - 1, 0)
                rest = pace.rest(answers[0], refusals)
            self.catalog.release(host, holder, now, now + rest if rest else None, refusals)

    @contextmanager
    def may_ask(self, url: str, live: bool = True) -> Iterator[Callable[[Page], None]]:
        """Let robots.txt have its say, then wait for the host's turn; for pages.

        Raises FetchError when the site does not want the URL asked for, or not this often.
        """
        self.robots.check(url)
        delay = self.robots.crawl_delay(url) or timedelta(0)
        if evidence := pace.too_slow(delay):
            raise FetchError(redacted(url), Fault.ROBOTS_DENIED, f"robots.txt: {evidence}")
        with self.wait_turn(url, delay.total_seconds(), live) as heard:
            yield heard

    def watched(self, verb: str, steps: Iterable[Step], total: int) -> Iterator[Step]:
        """Yield the steps, tell whoever watches how far they are, and have all written down."""
        for done, step in enumerate(steps, start=1):
            yield step
            self.watch(verb, done, total)
        self.catalog.flush()
