"""When a feed is asked next, where, and why: pure arithmetic on what it said and answered."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from storage.model import Entry, FeedState, Timing

FLOOR = timedelta(minutes=60)  # polite for conditional requests (feed-reader score's rule)
FAST_FLOOR = timedelta(minutes=10)  # for a feed that itself says it moves faster (Lion Reader's)
CEILING = timedelta(hours=24)  # nothing is left unseen for longer than a day ...
LONGEST = timedelta(hours=72)  # ... or, where weekends are skipped, than a day and a weekend
FIRST_BACKOFF = timedelta(minutes=30)  # doubled with each failure (Lion Reader's ladder)
JITTER = 0.1  # share of the interval; keeps feeds of one host from coming due together
WEEK = timedelta(days=7)
SILENCE = 28  # asked after a 28th of its silence: CommaFeed's ladder of 7, 14 and 28 days
HOUR = timedelta(hours=1)
OBSERVED = timedelta(days=7)  # a move is seen this long before it counts (Lion Reader's window)
NONE = timedelta(0)
SEVERAL = 3  # entries; of fewer, all may be new without one having been missed
FAILURES_AFTER_MOVE = 3  # in a row, before a feed is asked where it moved from, too
HURRIED = timedelta(days=7)  # after an overrun a feed is asked twice as often for so long
UNCONDITIONAL = (400, 403, 406, 412, 428, 500, 501, 505)  # what some servers say to validators


def next_poll(
    now: datetime, state: FeedState, retry_after: timedelta | None = None
) -> tuple[datetime, str]:
    """Return when to ask a feed again, and why: a code, and figures for people.

    The state is the one after the poll: its failures, gap, newest entry and timing count this
    answer in. `retry_after` is what the answer asked for (RFC 9110 section 10.2.3; 0 is legal);
    it is obeyed up to the ceiling.

    The codes: usual_gap, ttl, update_every, fresh, span, backoff, retry_after, floor, ceiling,
    skipped. Never sooner than FAST_FLOOR, nor than FLOOR unless the feed's gap and its own word
    are both shorter, or its entries do not reach back far enough; never later than half the time
    that they reach back, whatever the feed or its server ask for (see `latest`), nor than CEILING,
    but for hours and days that the feed skips (RSS 2.0), and then never later than LONGEST.
    """
    most, reach = latest(now, state)
    if state.failures:
        wait, reason = _after_failure(state, retry_after)
    else:
        wait, reason = _after_success(now, state)
        wait, reason = (most, f"{reach}; else {reason}") if wait > most else (wait, reason)
    if wait > CEILING:
        wait, reason = CEILING, f"ceiling: a day, for {reason}"
    share = _share(state.url)
    longest = CEILING if state.failures else min(most, CEILING)
    return _unskipped(now, now + min(wait * (1 + JITTER * share), longest), state, reason)


def is_due(state: FeedState, now: datetime, ask_all: bool = False) -> bool:
    """Tell whether a feed is to be asked; one that is gone never is.

    A time further ahead than any wait was set by a clock that has been set back since.
    """
    due = state.next_poll
    waits = due is not None and now < due <= now + LONGEST and not ask_all
    return state.outcome != "gone" and not waits


def conditions(state: FeedState, made_by: str, now: datetime) -> FeedState:
    """Return the state with the validators and digest that the next request may rest upon.

    None when another parser or topic made the entries. No validators for a feed that was caught
    lying; nor now and then for one that only ever says "not modified": after three usual gaps,
    by when something should have come, but not within a day of the last whole answer
    (feed-reader score's limit for unconditional requests), and at the latest after a week.
    """
    patience = min(max(3 * (state.usual_gap or WEEK), CEILING), WEEK)
    if state.distrusted or now - (state.whole or now) >= patience:
        state = replace(state, etag=None, last_modified=None)
    return (
        state
        if state.made_by == made_by
        else replace(state, etag=None, last_modified=None, digest=None)
    )


def latest(now: datetime, state: FeedState) -> tuple[timedelta, str]:
    """Return how long a feed that answered may be left alone at most, and why.

    Half the time from its oldest entry to its newest: what is new by then cannot have pushed out
    all that we saw. A feed that has been silent for longer than its entries span comes in bursts:
    then half the time since its oldest entry. A quarter for HURRIED after an overrun. Never less
    than FAST_FLOOR; a feed whose entries have no dates has no span, and no such bound.
    """
    if state.span is None:
        return timedelta.max, ""
    silence = now - state.newest if state.newest else NONE
    reach = state.span if silence <= state.span else state.span + silence
    why = f"span: its entries reach back {shown(reach)}"
    if state.overrun_at and now - state.overrun_at <= HURRIED:
        reach, why = reach / 2, f"{why}, and some were missed lately"
    return max(reach / 2, FAST_FLOOR), why


def span(dates: Iterable[datetime]) -> timedelta | None:
    """Return how far a feed's entries reach back from the newest; None for fewer than SEVERAL.

    The oldest tenth of them is left out: some feeds keep an old entry at the end, or pin one.
    """
    moments = sorted(dates, reverse=True)
    if len(moments) < SEVERAL:
        return None
    return moments[0] - moments[-1 - len(moments) // 10]


def missed_since(
    state: FeedState, entries: Sequence[Entry], shared: int, now: datetime
) -> datetime | None:
    """Return since when a feed's entries were missed before this poll, or None: an overrun.

    That is when none of several entries was seen in this feed before (`shared`), though it was
    read before (`state`), and all of them are newer than what was seen: where they are not, the
    feed has changed its links, and `intake` judges that.
    """
    if len(entries) < SEVERAL or shared or state.whole is None or state.newest is None:
        return None
    dates = [entry.published for entry in entries if entry.published]
    if not dates:
        return state.polled
    return state.newest if min(dates) > state.newest else None


def overran(state: FeedState, since: datetime, now: datetime) -> FeedState:
    """Return the state after a poll that found an overrun; the next one is to be scheduled anew.

    What no date tells, the overrun does: entries of that many hours are more than the feed holds.
    """
    return replace(
        state, overrun_at=now, missed_since=since, span=state.span or max(now - since, HOUR)
    )


def usual_gap(dates: Iterable[datetime]) -> timedelta | None:
    """Return the mean gap between a feed's entries; None when fewer than two have a date.

    The mean over the week up to the newest entry (miniflux's weekly count); over less where
    the feed holds less than a week; between the two newest, where that week has but one. Entries
    of one moment count once: what comes in bursts comes at the pace of its bursts.
    """
    moments = sorted(set(dates), reverse=True)
    if len(moments) < 2:
        return None
    recent = sum(moment > moments[0] - WEEK for moment in moments)
    if recent == len(moments):
        return (moments[0] - moments[-1]) / (recent - 1)
    return WEEK / recent if recent > 1 else moments[0] - moments[1]


def _after_success(now: datetime, state: FeedState) -> tuple[timedelta, str]:
    """Return the longest of half the usual gap, the silence's share, and what the feed asks for.

    Half the gap, as CommaFeed has it: then few entries wait longer than that.
    """
    timing, gap = state.timing, state.usual_gap
    wait, reason = FLOOR, "floor: no usual gap known"
    if gap is not None:
        wait, reason = gap / 2, f"usual_gap: new entries every {shown(gap)}"
    if state.newest and (now - state.newest) / SILENCE > wait:
        silence = now - state.newest
        wait, reason = silence / SILENCE, f"usual_gap: nothing new for {shown(silence)}"
    asked = _asked(timing)
    if asked[0] > wait:
        wait, reason = asked
    fast = gap is not None and gap < FLOOR and NONE < asked[0] < FLOOR
    floor = FAST_FLOOR if fast else FLOOR
    return (wait, reason) if wait >= floor else (floor, f"floor: {shown(floor)}, for {reason}")


def _asked(timing: Timing) -> tuple[timedelta, str]:
    named = {
        "ttl": timing.ttl or NONE,
        "update_every": timing.update_every or NONE,
        "fresh": timing.fresh or NONE,
    }
    code = max(named, key=lambda name: named[name])
    return named[code], f"{code}: asks for {shown(named[code])}"


def _after_failure(state: FeedState, retry_after: timedelta | None) -> tuple[timedelta, str]:
    failures = state.failures
    wait = min(FIRST_BACKOFF * (1 << min(failures - 1, 16)), CEILING)
    if retry_after is not None and retry_after > wait:
        return retry_after, f"retry_after: asks for {shown(retry_after)}"
    return wait, f"backoff: {failures} failure{'s'[: failures > 1]}"


def _unskipped(
    now: datetime, time: datetime, state: FeedState, reason: str
) -> tuple[datetime, str]:
    """Return the time, or one in the first hour after it that the feed does not skip (in GMT)."""
    hours, days = state.timing.skip_hours, state.timing.skip_days
    hour = time.astimezone(UTC)
    if hour.hour not in hours and hour.weekday() not in days:
        return time, reason
    hour = hour.replace(minute=0, second=0, microsecond=0)
    while hour.hour in hours or hour.weekday() in days:
        hour += HOUR
        if hour + HOUR / 2 > now + LONGEST:
            return now + CEILING, f"ceiling: a day, for it skips more; {reason}"
    return hour + HOUR / 2 * _share(state.url), f"skipped: until {hour:%a %H:%M} GMT; {reason}"


def shown(span: timedelta) -> str:
    """Return a span as people say it, to two figures or so."""
    minutes = span.total_seconds() / 60
    if minutes < 100:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def _share(url: str) -> float:
    """Return a number from 0.0 to 1.0 that is the same for the same URL, always."""
    return hashlib.sha256(url.encode()).digest()[0] / 255


def followed(state: FeedState, moved: str | None, read: bool, now: datetime) -> FeedState:
    """Return the state of a feed that answered from `moved`, or where it was asked (None).

    The move counts after OBSERVED, or at once when only http became https; and only when this
    very answer was `read` as a feed: a redirect to a home page is not a move. An answer without
    the redirect ends it. What the feed is known by stays its URL in the feeds file.
    """
    if moved is None:
        return replace(state, moved_to=None, moved_since=None)
    since = (state.moved_since if state.moved_to == moved else None) or now
    asked = state.address or state.url
    secured = asked.startswith("http://") and moved == f"https{asked[4:]}"
    if read and (secured or now - since >= OBSERVED):
        return replace(state, address=moved, moved_to=None, moved_since=now)
    return replace(state, moved_to=moved, moved_since=since)


def place_to_ask(state: FeedState) -> FeedState:
    """Return the state as a feed is asked by: every other time after failures, where it was.

    A feed that moved for good, to a place that then failed FAILURES_AFTER_MOVE times in a row,
    may be back at the URL of the feeds file. If that answers with the feed, it is asked there
    from then on; if not, nothing has changed.
    """
    turn_back = state.failures >= FAILURES_AFTER_MOVE and state.failures % 2 == 1
    if state.address is None or not turn_back:
        return state
    return replace(state, address=None, moved_to=None, moved_since=None, etag=None,
                   last_modified=None, digest=None)  # fmt: skip


def without_validators(state: FeedState, status: int | None) -> FeedState:
    """Return the state after a failure with that status: how its next request is sent.

    Some servers answer a conditional request with an error (412 first of all). So the request
    after one of UNCONDITIONAL is sent without validators; a server that said 412, or that failed
    so between two answers to unconditional ones, is not sent any again.
    """
    if status not in UNCONDITIONAL or not (state.etag or state.last_modified):
        return state
    outcomes = [outcome for _, outcome, _ in state.past][-3:]
    failed = [outcome == state.outcome for outcome in outcomes]
    distrusted = status == 412 or failed == [False, True, False]
    return replace(state, etag=None, last_modified=None, distrusted=state.distrusted or distrusted)


def lost(state: FeedState) -> FeedState:
    """Return the state of a feed that is not (404), or no longer (410), where it was asked.

    For one that was on the move, the move then counts at once (Lion Reader does so); one that
    had moved is asked at its old URL again, which may know better.
    """
    if state.address is None and state.moved_to is None:
        return state
    return replace(state, address=state.moved_to, moved_to=None, moved_since=None, etag=None,
                   last_modified=None, digest=None)  # fmt: skip
