"""When a feed is asked next, and why."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.schedule import (
    CEILING,
    FAST_FLOOR,
    FIRST_BACKOFF,
    FLOOR,
    LONGEST,
    conditions,
    is_due,
    missed_since,
    next_poll,
    overran,
    place_to_ask,
    span,
    usual_gap,
    without_validators,
)
from storage.model import FeedState, Timing
from tests.builders import ENTRY, NOON  # a Monday

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPANS = st.timedeltas(timedelta(0), timedelta(days=400))
MOMENTS = st.datetimes(
    datetime(2020, 1, 1),
    datetime(2027, 1, 1),
    timezones=st.just(NOON.tzinfo),
)
TIMINGS = st.builds(
    Timing,
    ttl=st.none() | SPANS,
    update_every=st.none() | SPANS,
    fresh=st.none() | SPANS,
    skip_hours=st.frozensets(st.integers(0, 23)),
    skip_days=st.frozensets(st.integers(0, 6)),
)
STATES = st.builds(
    FeedState,
    url=st.text(max_size=20),
    timing=TIMINGS,
    usual_gap=st.none() | SPANS,
    newest=st.none() | MOMENTS,
    span=st.none() | SPANS,
    overrun_at=st.none() | MOMENTS,
    failures=st.integers(0, 10_000),
)


def after(state: FeedState, retry_after: timedelta | None = None) -> tuple[timedelta, str]:
    """Return the wait without its jitter, and the reason."""
    url = next(str(n) for n in range(10_000) if _unjittered(str(n)))
    time, reason = next_poll(NOON, replace(state, url=url), retry_after)
    return time - NOON, reason


def _unjittered(url: str) -> bool:
    return next_poll(NOON, FeedState(url=url))[0] == NOON + FLOOR


def feed(*, gap: timedelta | None = None, failures: int = 0, **timing: object) -> FeedState:
    said = Timing(**timing)  # type: ignore[arg-type]
    return FeedState(url="f", timing=said, usual_gap=gap, newest=NOON, failures=failures)


@given(STATES, st.none() | SPANS, MOMENTS)
def test_whatever_a_feed_says_it_is_asked_again_between_floor_and_ceiling(
    state: FeedState, retry_after: timedelta | None, now: datetime
) -> None:
    time, reason = next_poll(now, state, retry_after)
    skips = state.timing.skip_hours or state.timing.skip_days

    assert now + (FIRST_BACKOFF if state.failures else FAST_FLOOR) <= time
    assert time <= now + (LONGEST if skips else CEILING)
    assert reason.partition(":")[0] in {
        "usual_gap", "ttl", "update_every", "fresh", "span", "backoff", "retry_after",
        "floor", "ceiling", "skipped",
    }  # fmt: skip


@given(STATES, MOMENTS)
def test_hours_and_days_that_a_feed_skips_are_skipped_unless_that_leaves_none_in_time(
    state: FeedState, now: datetime
) -> None:
    time, reason = next_poll(now, state)

    skipped = time.hour in state.timing.skip_hours or time.weekday() in state.timing.skip_days
    assert not skipped or (reason.startswith("ceiling") and time == now + CEILING)


@given(STATES, SPANS, MOMENTS)
def test_only_a_feed_that_moves_fast_and_says_so_is_asked_within_the_hour(
    state: FeedState, gap: timedelta, now: datetime
) -> None:
    state = replace(state, failures=0, usual_gap=gap, span=None)
    time, _ = next_poll(now, state)

    said = state.timing
    asked = max(filter(None, (said.ttl, said.update_every, said.fresh)), default=timedelta(0))
    assert time >= now + FLOOR or (gap < FLOOR and timedelta(0) < asked < FLOOR)


@given(STATES, SPANS, MOMENTS)
def test_what_a_feed_asks_for_is_waited_for(
    state: FeedState, wish: timedelta, now: datetime
) -> None:
    calm = replace(state, failures=0, timing=Timing(ttl=wish), span=None)

    assert next_poll(now, calm)[0] >= now + min(wish, CEILING)


@given(STATES, st.none() | SPANS, MOMENTS)
def test_the_same_feed_in_the_same_state_is_asked_at_the_same_time(
    state: FeedState, retry_after: timedelta | None, now: datetime
) -> None:
    assert next_poll(now, state, retry_after) == next_poll(now, replace(state), retry_after)


@pytest.mark.parametrize(
    ("state", "wait", "reason"),
    [
        (feed(), FLOOR, "floor: no usual gap known"),
        (feed(gap=8 * HOUR), 4 * HOUR, "usual_gap: new entries every 8.0 h"),
        (feed(gap=HOUR), HOUR, "floor: 60 min, for usual_gap: new entries every 60 min"),
        (feed(gap=14 * DAY), DAY, "ceiling: a day, for usual_gap: new entries every 14.0 days"),
        (feed(gap=HOUR, ttl=3 * HOUR), 3 * HOUR, "ttl: asks for 3.0 h"),
        (feed(gap=HOUR, update_every=6 * HOUR), 6 * HOUR, "update_every: asks for 6.0 h"),
        (feed(gap=HOUR, fresh=2 * HOUR), 2 * HOUR, "fresh: asks for 2.0 h"),
        (feed(gap=8 * HOUR, fresh=2 * HOUR), 4 * HOUR, "usual_gap: new entries every 8.0 h"),
        (feed(fresh=365 * DAY), DAY, "ceiling: a day, for fresh: asks for 365.0 days"),
        (feed(gap=HOUR / 2, ttl=HOUR / 3), HOUR / 3, "ttl: asks for 20 min"),
        (feed(gap=HOUR / 60, ttl=HOUR / 60), FAST_FLOOR,
         "floor: 10 min, for ttl: asks for 1 min"),
        (feed(gap=5 * HOUR, skip_hours=frozenset({14, 15})), 4 * HOUR,
         "skipped: until Mon 16:00 GMT; usual_gap: new entries every 5.0 h"),
        (feed(skip_hours=frozenset(range(24))), DAY,
         "ceiling: a day, for it skips more; floor: no usual gap known"),
        (feed(skip_days=frozenset({0, 1})), 36 * HOUR,
         "skipped: until Wed 00:00 GMT; floor: no usual gap known"),
        (feed(failures=1), HOUR / 2, "backoff: 1 failure"),
        (feed(failures=3), 2 * HOUR, "backoff: 3 failures"),
        (feed(failures=9999), DAY, "backoff: 9999 failures"),
    ],
    ids=lambda value: value.partition(",")[0] if isinstance(value, str) else "",
)  # fmt: skip
def test_the_reason_is_told_with_figures(state: FeedState, wait: timedelta, reason: str) -> None:
    assert after(state) == (wait, reason)


@given(STATES, MOMENTS, SPANS)
def test_a_feed_is_asked_within_half_the_time_that_its_entries_span_whatever_it_says(
    state: FeedState, now: datetime, length: timedelta
) -> None:
    timing = replace(state.timing, skip_hours=frozenset(), skip_days=frozenset())
    busy = replace(state, failures=0, span=length, newest=now - length, timing=timing)

    time, _ = next_poll(now, busy)

    assert time <= now + max(length / 2, FAST_FLOOR)


def test_the_span_is_told_and_halved_after_an_overrun() -> None:
    busy = replace(feed(gap=HOUR / 2, fresh=30 * DAY), span=5 * HOUR)
    hurried = replace(busy, overrun_at=NOON - DAY)
    calm_again = replace(busy, overrun_at=NOON - 8 * DAY)

    assert after(busy)[0] == after(calm_again)[0] == 2.5 * HOUR
    assert after(busy)[1].startswith("span: its entries reach back 5.0 h; else fresh")
    assert after(hurried)[0] == 1.25 * HOUR
    assert "some were missed lately" in after(hurried)[1]


def test_a_feed_that_comes_in_bursts_is_left_alone_between_them() -> None:
    burst = replace(feed(gap=7 * DAY, fresh=30 * DAY), span=HOUR / 12)
    waits = [after(replace(burst, newest=NOON - age))[0] for age in (HOUR / 60, HOUR, DAY, 3 * DAY)]

    assert waits[0] == FAST_FLOOR
    assert waits == sorted(waits)
    assert waits[-1] > 12 * HOUR


@pytest.mark.parametrize(
    ("ages", "reach"),
    [
        ([], None),
        ([HOUR, 2 * HOUR], None),
        ([HOUR, 2 * HOUR, 3 * HOUR], 2 * HOUR),
        ([n * HOUR for n in range(9)] + [999 * DAY], 8 * HOUR),  # the last one is pinned
        ([n * HOUR for n in range(30)], 26 * HOUR),
    ],
)
def test_the_span_is_that_of_several_entries_less_the_oldest_tenth(
    ages: list[timedelta], reach: timedelta | None
) -> None:
    assert span(NOON - age for age in ages) == reach


SEEN = replace(feed(), whole=NOON - DAY, newest=NOON - DAY, polled=NOON - DAY)


@pytest.mark.parametrize(
    ("state", "ages", "shared", "since"),
    [
        (SEEN, [HOUR, 2 * HOUR, 3 * HOUR], 0, NOON - DAY),
        (SEEN, [None, None, None], 0, NOON - DAY),
        (SEEN, [HOUR, 2 * HOUR, 3 * HOUR], 1, None),
        (SEEN, [HOUR, 2 * HOUR], 0, None),  # both may be all that there was
        (SEEN, [HOUR, 2 * HOUR, 30 * HOUR], 0, None),  # other links to what was seen
        (replace(SEEN, whole=None), [HOUR, 2 * HOUR, 3 * HOUR], 0, None),  # the first look
    ],
)
def test_an_overrun_is_several_entries_none_of_which_was_seen(
    state: FeedState, ages: list[timedelta | None], shared: int, since: datetime | None
) -> None:
    entries = [replace(ENTRY, url=str(n), published=a and NOON - a) for n, a in enumerate(ages)]

    assert missed_since(state, entries, shared, NOON) == since


def test_an_overrun_without_dates_tells_what_the_feed_holds() -> None:
    assert overran(SEEN, NOON - DAY, NOON).span == DAY
    assert overran(replace(SEEN, span=HOUR), NOON - DAY, NOON).span == HOUR


MOVED = replace(feed(), address="https://new.example/", etag="e", digest="d")


def test_a_feed_whose_new_place_fails_is_asked_where_it_was_every_other_time() -> None:
    places = [place_to_ask(replace(MOVED, failures=n)).address for n in range(7)]

    assert places == [MOVED.address] * 3 + [None, MOVED.address, None, MOVED.address]
    back = place_to_ask(replace(MOVED, failures=3))
    assert (back.etag, back.digest) == (None, None)


def test_a_server_that_cannot_bear_validators_is_sent_none() -> None:
    asked = replace(feed(failures=1), etag="e", last_modified="then")

    refused = without_validators(replace(asked, outcome="http_error"), 412)
    assert (refused.etag, refused.last_modified, refused.distrusted) == (None, None, True)
    once = without_validators(replace(asked, outcome="server_error"), 500)
    assert (once.etag, once.distrusted) == (None, False)
    past = [("", "new", 1), ("", "server_error", 0), ("", "new", 1)]
    twice = without_validators(replace(asked, outcome="server_error", past=past), 500)
    assert twice.distrusted
    assert without_validators(asked, 503) == asked
    assert without_validators(asked, None) == asked


def test_a_feed_long_silent_is_asked_less_but_a_weekend_changes_nothing() -> None:
    busy = feed(gap=4 * HOUR)
    waits = [after(replace(busy, newest=NOON - n * DAY))[0] for n in (1, 2, 7, 14, 28, 99)]

    assert waits == [2 * HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, DAY]


@pytest.mark.parametrize(
    ("asked", "wait", "reason"),
    [
        (timedelta(0), HOUR / 2, "backoff: 1 failure"),
        (3 * HOUR, 3 * HOUR, "retry_after: asks for 3.0 h"),
        (88 * HOUR, DAY, "ceiling: a day, for retry_after: asks for 3.7 days"),
    ],
)
def test_retry_after_is_obeyed_up_to_a_day(asked: timedelta, wait: timedelta, reason: str) -> None:
    assert after(feed(failures=1), asked) == (wait, reason)


@given(st.lists(MOMENTS), st.randoms())
def test_the_usual_gap_needs_no_order_and_no_repetitions(
    dates: list[datetime], chance: Random
) -> None:
    shuffled = [*dates, *dates]
    chance.shuffle(shuffled)

    assert usual_gap(shuffled) == usual_gap(dates)


@pytest.mark.parametrize(
    ("ages", "gap"),
    [
        ([], None),
        ([3 * DAY], None),
        ([DAY, DAY], None),
        ([n * HOUR for n in range(20)], HOUR),  # holds less than a week
        ([n * 7 * DAY for n in range(9)], 7 * DAY),
        ([n * DAY for n in range(30)], DAY),
        ([timedelta(0), HOUR / 60, 60 * DAY], 3.5 * DAY),  # two of a burst
        ([timedelta(0), 30 * DAY, 3000 * DAY], 30 * DAY),  # the last one is pinned
    ],
)
def test_the_usual_gap_is_that_of_the_last_week(
    ages: list[timedelta], gap: timedelta | None
) -> None:
    assert usual_gap(NOON - age for age in ages) == gap


@pytest.mark.parametrize(
    ("due", "is_it"),
    [
        (None, True),
        (NOON, True),
        (NOON + HOUR, False),
        (NOON + LONGEST, False),
        (NOON + 365 * DAY, True),  # set by a clock that was wrong
    ],
)
def test_a_feed_is_due_when_its_time_has_come(due: datetime | None, is_it: bool) -> None:
    state = FeedState(url="f", next_poll=due)

    assert is_due(state, NOON) is is_it
    assert is_due(state, NOON, ask_all=True)
    assert not is_due(replace(state, outcome="gone"), NOON, ask_all=True)


@pytest.mark.parametrize(
    ("gap", "since_whole", "conditional"),
    [
        (HOUR, 23 * HOUR, True),
        (HOUR, DAY, False),
        (DAY, 2 * DAY, True),
        (DAY, 3 * DAY, False),
        (30 * DAY, 6 * DAY, True),
        (30 * DAY, 7 * DAY, False),
        (None, 6 * DAY, True),
        (None, 7 * DAY, False),
    ],
)
def test_validators_rest_after_three_usual_gaps_without_a_whole_answer(
    gap: timedelta | None, since_whole: timedelta, conditional: bool
) -> None:
    state = FeedState(
        url="f", etag="e", last_modified="m", digest="d", made_by="v1", usual_gap=gap,
        whole=NOON - since_whole,
    )  # fmt: skip

    asked = conditions(state, "v1", NOON)

    assert (asked.etag, asked.last_modified) == (("e", "m") if conditional else (None, None))
    assert asked.digest == "d"


def test_another_parser_or_topic_reads_the_body_anew() -> None:
    state = FeedState(url="f", etag="e", last_modified="m", digest="d", made_by="v1", whole=NOON)

    asked = conditions(state, "v2", NOON)

    assert (asked.etag, asked.last_modified, asked.digest) == (None, None, None)
