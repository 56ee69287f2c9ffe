"""Sources -> entries in the catalog."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from ingest import schedule
from ingest.abreast import abreast
from ingest.dates import clamped
from ingest.desk import Desk
from ingest.errors import (
    BROKEN_WORLD,
    Fault,
    FeedError,
    FetchError,
    RunFailed,
    internal_error,
)
from ingest.feeds import VERSION
from ingest.health import PATIENCE
from ingest.logs import traceback_of
from ingest.sources import SOURCES, Listing
from ingest.urls import host_of
from ingest.web.client import redacted
from storage.intake import Taken
from storage.model import Feed, FeedState

log = structlog.get_logger(__name__)


def discover(desk: Desk, ask_all: bool = False) -> dict[str, int]:
    """Ask every feed that is due and add its entries; return how the polls ended.

    The counts hold `feeds` (asked), `entries_new`, `entries_known` (`relinked` and `edited` among
    them) and one count per outcome.
    ask_all asks feeds that are not due, too, but none that is gone. Raises RunFailed when every
    feed asked failed, but for a few, or feeds long ill, that were asked alone while others work.
    """
    began = desk.now()
    desk.catalog.list_feeds(desk.feeds)
    states = desk.catalog.feed_states()
    due = [
        feed
        for feed in desk.feeds
        if feed.enabled and schedule.is_due(states[feed.url], began, ask_all)
    ]
    counts: Counter[str] = Counter(feeds=len(due), entries_new=0, entries_known=0)
    failed = 0
    if due:
        desk.web  # noqa: B018  # a missing User-Agent stops the run here, not in every thread
    for state, listed, taken in desk.watched(
        "discover",
        abreast(due, lambda feed: host_of(feed.url), lambda f: _poll(desk, f, states[f.url])),
        len(due),
    ):
        counts[state.outcome] += 1
        counts["entries_new"] += taken.new
        counts["entries_known"] += listed - taken.new
        counts["relinked"] += taken.relinked
        counts["edited"] += taken.edited
        failed += state.failures > 0 and state.outcome != Fault.DEFERRED_HOST
    asked = {feed.url: states[feed.url] for feed in due}
    others = [states[feed.url] for feed in desk.feeds if feed.enabled and feed.url not in asked]
    works = any(state.polled and not state.failures for state in others)
    known = len(due) <= PATIENCE or all(state.failures >= PATIENCE for state in asked.values())
    if due and failed == len(due) and not (works and known):
        raise RunFailed(
            f"every feed failed ({failed} of {failed}): {dict(counts)}; is the network there? "
            "`newsdesk feeds list` shows the fault of each"
        )
    return dict(counts)


def look(desk: Desk, feed: Feed) -> Listing:
    """Ask a feed as if for the first time; raises FetchError or FeedError."""
    return _look(desk, feed, FeedState(url=feed.url))


def _look(desk: Desk, feed: Feed, state: FeedState) -> Listing:
    may_ask = desk.wait_turn if feed.via == "feed" else desk.may_ask  # docs/decisions/015
    topic = desk.topic
    source = SOURCES[feed.via](feed, desk.web, may_ask, topic.tracking, topic.languages)
    now = desk.now()
    listing = source.entries(schedule.conditions(state, _made_by(desk, feed), now))
    dated = tuple(
        replace(entry, published=clamped(entry.published, now), updated=clamped(entry.updated, now))
        for entry in listing.entries
    )
    return replace(listing, entries=dated)


def check(desk: Desk, feeds: Sequence[Feed]) -> list[dict[str, Any]]:
    """Ask the feeds and keep nothing; return how each answered, in their order.

    An answer holds `url`, `works`, `outcome`, `detail`, `entries`, and `newest`, the date of the
    newest entry: a feed may parse well and hold one entry of years ago.
    """
    if feeds:
        desk.web  # noqa: B018  # a missing User-Agent stops here, not in every thread
    asked = abreast(feeds, lambda feed: host_of(feed.url), lambda feed: _check(desk, feed))
    answers = {answer["url"]: answer for answer in desk.watched("check", asked, len(feeds))}
    return [answers[feed.url] for feed in feeds]


def _check(desk: Desk, feed: Feed) -> dict[str, Any]:
    answer: dict[str, Any] = {"url": feed.url, "works": False, "entries": 0, "newest": None}
    try:
        listing = look(desk, feed)
    except FetchError as error:
        return {**answer, "outcome": str(error.fault), "detail": error.detail}
    except FeedError as error:
        return {**answer, "outcome": error.outcome, "detail": error.detail}
    dates = [entry.published for entry in listing.entries if entry.published]
    return {
        **answer,
        "works": True,
        "outcome": listing.outcome,
        "detail": listing.detail,
        "entries": len(listing.entries),
        "newest": max(dates, default=None),
    }


def _poll(desk: Desk, feed: Feed, state: FeedState) -> tuple[FeedState, int, Taken]:
    """Ask one feed and record what came; return its new state, and what became of its entries.

    Whatever its bytes set off in our own code is an outcome of this feed, and stops no other.
    """
    listing, taken, asked = Listing(outcome="failed"), Taken(), schedule.place_to_ask(state)
    try:
        listing = _look(desk, feed, asked)
        after = answered(desk, feed, asked, listing)
        if listing.entries or listing.refused:
            taken = desk.catalog.polled(after, listing.entries, desk.now(), listing.refused)
            after = _with_overrun(desk, feed, state, after, listing, taken)
        else:
            desk.catalog.unchanged(after, desk.now())
    except FetchError as error:
        if error.fault is Fault.DEFERRED_HOST:  # not asked, so nothing else has changed
            due = desk.now() + (error.retry_after or timedelta(0))
            after = replace(state, next_poll=due, reason=f"{error.fault}: {error.detail}")
            desk.catalog.unchanged(after, desk.now())
            return replace(after, outcome=str(error.fault)), 0, Taken()
        after = _failed(desk, state, asked, error)
    except FeedError as error:
        after = _failed(desk, state, asked, error)
    except BROKEN_WORLD:
        raise
    except Exception as error:  # noqa: BLE001  # a mistake of ours costs one source
        log.error("internal_error", source=redacted(feed.url), traceback=traceback_of(error))
        after = _failed(desk, state, asked, internal_error(feed.url, error))
    outcome = after.outcome
    if outcome == "listed":
        outcome = "new" if taken.new else "nothing_new"
    log.info(
        "feed_polled",
        source=redacted(feed.url),
        outcome=outcome,
        detail=after.detail,
        entries=len(listing.entries),
        refused=len(listing.refused),
        **taken._asdict(),
        next_poll=after.next_poll,
        reason=after.reason,
    )
    return replace(after, outcome=outcome), len(listing.entries), taken


def _with_overrun(
    desk: Desk, feed: Feed, before: FeedState, after: FeedState, listing: Listing, taken: Taken
) -> FeedState:
    """Note an overrun, if this poll was one: entries came and went that nobody saw."""
    if feed.via == "sitemap":  # it gives what is new since the last look alone
        return after
    now = desk.now()
    since = schedule.missed_since(before, listing.entries, taken.shared, now)
    if since is None:
        return after
    after = _scheduled(schedule.overran(after, since, now), now)
    desk.catalog.reschedule(after)
    log.warning("feed_overrun", source=redacted(feed.url), since=since, entries=taken.new)
    return after


def answered(desk: Desk, feed: Feed, state: FeedState, listing: Listing) -> FeedState:
    """Return what to remember of a feed that answered."""
    now, whole = desk.now(), listing.outcome != "not_modified"
    dates = [entry.published for entry in listing.entries if entry.published]
    newest = max(dates, default=None)
    validators = (listing.etag, listing.last_modified)
    lied = (
        bool(newest and state.newest and newest > state.newest)
        and validators == (state.etag, state.last_modified)
        and any(validators)
    )
    after = replace(
        schedule.followed(state, listing.moved, whole, now),
        etag=listing.etag,
        last_modified=listing.last_modified,
        answered_at=listing.answered_at,
        digest=listing.digest,
        whole=now if whole else state.whole,
        distrusted=state.distrusted or lied,
        made_by=_made_by(desk, feed),
        timing=replace(
            listing.timing if listing.read else state.timing, fresh=listing.timing.fresh
        ),
        usual_gap=schedule.usual_gap(dates) or state.usual_gap,
        span=(schedule.span(dates) or state.span) if listing.read else state.span,
        newest=newest or (now if listing.entries else state.newest),
        polled=now,
        outcome=listing.outcome,
        detail=listing.detail,
        failures=0,
    )
    if after.address != state.address:
        log.info("feed_moved", source=redacted(state.url), to=redacted(after.address or ""))
    return _scheduled(after, now)


def _failed(
    desk: Desk, state: FeedState, asked: FeedState, error: FetchError | FeedError
) -> FeedState:
    """Record that a feed gave nothing where it was `asked`; return what to remember of it."""
    now, status, retry_after = desk.now(), None, None
    if isinstance(error, FetchError):
        outcome, status, retry_after = str(error.fault), error.status, error.retry_after
    else:
        outcome = error.outcome
    if asked != state and outcome == "gone":
        outcome = "not_found"  # where it was before it moved: that is not where it is
    after = replace(
        state, polled=now, outcome=outcome, detail=error.detail, failures=state.failures + 1
    )
    if asked == state and outcome in ("not_found", "gone") and (state.address or state.moved_to):
        after = replace(schedule.lost(after), outcome="not_found")
    if after.outcome == "gone":
        log.warning("feed_gone", source=redacted(state.url), detail=error.detail)
        why = "gone: not asked until `newsdesk feeds enable` says so"
        after = replace(after, next_poll=None, reason=why)
    else:
        after = schedule.without_validators(after, status)
        after = _scheduled(after, now, retry_after)
    desk.catalog.unchanged(after, now)
    return after


def _scheduled(state: FeedState, now: datetime, retry_after: timedelta | None = None) -> FeedState:
    time, reason = schedule.next_poll(now, state, retry_after)
    return replace(state, next_poll=time, reason=reason)


def _made_by(desk: Desk, feed: Feed) -> str:
    how = (f"feeds {VERSION} topic {desk.topic.digest}", feed.item, feed.date, feed.within)
    return " ".join(filter(None, how))
