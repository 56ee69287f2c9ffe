"""Entries -> pages in the archive: hosts side by side, one host in turn."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import structlog

from ingest import fulltext
from ingest.abreast import abreast
from ingest.desk import Desk
from ingest.errors import BROKEN_WORLD, Fault, FetchError, RunFailed, internal_error
from ingest.furniture import MAX_LEARNT, marks
from ingest.logs import traceback_of
from ingest.plain import decoded, is_html
from ingest.reading import is_wordless
from ingest.responses import RETRIES, Expected, after_fault
from ingest.urls import host_of
from ingest.web.client import MayAsk, redacted
from storage.leases import LEASE
from storage.model import Page, Waiting

log = structlog.get_logger(__name__)

BUDGET = timedelta(minutes=20)  # what is left over then waits for the next run, which is no fault
BATCH = 5000  # entries a run, so that memory does not grow with the backlog


class _Held(Exception):
    """Another worker took the page on while we waited for our turn."""


def fetch(
    desk: Desk,
    limit: int = BATCH,
    budget: timedelta | None = BUDGET,
    live: bool = True,
    hosts: list[str] | None = None,
) -> dict[str, int]:
    """Fetch the page of every entry that is due; return how the tries ended.

    They are those that polls saw, or, not `live`, those of the past, for which polls go first;
    of these hosts alone, such as www.example.org, if any are named.
    The counts hold `pages` (asked for), `fetched`, one count per fault, `from_feed` for those
    whose feed holds the whole text, `left_over` for those that the budget did not reach and
    `held` for those that another worker is at, or was.
    Raises RunFailed when every page asked for failed, unless hosts are named: they may be one site.
    """
    waiting = desk.catalog.to_fetch(desk.now(), limit, live)
    if only := frozenset(hosts or ()):
        waiting = [one for one in waiting if host_of(one.entry.url) in only]
    until = desk.now() + budget if budget else None
    counts: Counter[str] = Counter(pages=0, fetched=0)
    if waiting:
        desk.robots  # noqa: B018  # a missing User-Agent stops the run here, not in every thread
    outcomes = abreast(
        waiting,
        lambda one: host_of(one.entry.url),
        lambda one: _fetch(desk, one, live) if until is None or desk.now() < until else "left_over",
    )
    with desk.catalog.at_work():
        counts.update(desk.watched("fetch", outcomes, len(waiting)))
    unasked = ("left_over", "held", "from_feed", Fault.DEFERRED_HOST)
    asked = len(waiting) - sum(counts[outcome] for outcome in unasked)
    counts["pages"] = asked
    if asked and not counts["fetched"] and not only:
        raise RunFailed(
            f"every page failed ({asked} of {asked}): {dict(counts)}; is the network there? "
            "`newsdesk status` shows the faults"
        )
    return dict(counts)


def _fetch(desk: Desk, waiting: Waiting, live: bool) -> str:
    """Fetch one page, or make it of the whole text that came in its feed; return how it ended."""
    entry, held = waiting.entry, desk.now()
    if not desk.catalog.hold("fetch", [waiting.id], held):
        return "held"
    in_feed = desk.catalog.in_feed(waiting.id) if waiting.in_feed else None
    if in_feed and fulltext.suffices(in_feed, waiting.id):
        page = fulltext.page_of(entry, in_feed.content, desk.now())
        _keep(desk, waiting, page)
        return "from_feed"

    @contextmanager
    def may_ask(url: str) -> Iterator[Callable[[Page], None]]:
        with desk.may_ask(url, live) as heard:
            now = desk.now()
            if now > held + LEASE / 2 and not desk.catalog.hold("fetch", [waiting.id], now):
                raise _Held
            yield heard

    try:
        page = _asked(desk, waiting, may_ask)
        kind = page.header("content-type") or ""
        if not is_html(kind, page.content):
            detail = f"content type {kind or 'none'}"
            raise FetchError(entry.url, Fault.NOT_HTML, detail, page.status)
        _keep(desk, waiting, page)
    except _Held:
        return "held"
    except FetchError as error:
        if error.fault is Fault.DEFERRED_HOST:
            desk.catalog.postpone(waiting.id, desk.now() + (error.retry_after or timedelta(0)))
        else:
            _faulted(desk, waiting, error)
        return str(error.fault)
    except BROKEN_WORLD:
        raise
    except Exception as error:  # noqa: BLE001  # a mistake of ours costs one page
        log.error("internal_error", url=redacted(entry.url), traceback=traceback_of(error))
        _faulted(desk, waiting, internal_error(entry.url, error))
        return str(Fault.INTERNAL_ERROR)
    return "fetched"


def _asked(desk: Desk, waiting: Waiting, may_ask: MayAsk) -> Page:
    """Ask for an entry's page; where it is gone, for the capture by which it was found, if so.

    That stands for the page at the story's own URL; its first hop tells where and when it was
    captured. What looks like a notice is taken for the page at the last try: then sift judges it.
    """
    entry = waiting.entry
    is_last = waiting.attempts >= len(RETRIES)
    expected = Expected.NO_WALL if is_last else Expected.PAGE
    try:
        return desk.web.get(entry.url, may_ask=may_ask, expected=expected)
    except FetchError as error:
        gone = error.fault in (Fault.NOT_FOUND, Fault.GONE)
        if not gone or entry.date_source != "wayback":
            raise
    return replace(desk.web.get(entry.link, may_ask=may_ask), final_url=entry.url)


def _keep(desk: Desk, waiting: Waiting, page: Page) -> None:
    place = desk.archive.append(page)
    digest = hashlib.sha256(page.content).hexdigest()
    learnt = b""
    if not is_wordless(desk.topic, page.content):  # as those are from which lines are taken
        learnt = marks(decoded(page.content[:MAX_LEARNT], page.header("content-type") or ""))
    desk.catalog.fetched(waiting.id, page, place, digest, learnt)
    log.info("page_fetched", url=redacted(page.final_url), status=page.status, file=place.file)


def _faulted(desk: Desk, waiting: Waiting, error: FetchError) -> None:
    now, appeared = desk.now(), waiting.entry.published or waiting.first_seen
    retry = after_fault(
        error.fault,
        waiting.attempts,
        live=waiting.live,
        age=now - (appeared or now),
        retry_after=error.retry_after,
    )
    next_try = now + retry.wait if retry.wait else None
    tries = f"try {waiting.attempts + 1} of {retry.tries}: " if retry.tries > 1 else ""
    detail = f"{tries}{error.detail}"
    fault = str(error.fault)
    desk.catalog.faulted(waiting.id, now, fault, detail, next_try, retry.is_verdict)
    log.info(
        "page_not_fetched",
        url=redacted(waiting.entry.url),
        fault=fault,
        detail=detail,
        next_try=next_try,
    )
