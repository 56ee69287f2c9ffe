"""Pace: when a host may next be asked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.web.pace import (
    AGAIN,
    FIRST_REST,
    MAX_CRAWL_DELAY,
    MAX_REST,
    MAX_RETRY_AFTER,
    SLACK,
    rest,
    retry_after,
    too_slow,
    turn,
)
from storage.model import HostState
from tests.builders import PAGE

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GAP = timedelta(seconds=5)
LEASE = timedelta(seconds=45)
SECOND = timedelta(seconds=1)
FREE = timedelta(0)
NEVER_ASKED = HostState()


def ask(
    host: HostState, now: datetime = NOON, gap: timedelta = GAP, live: bool = True
) -> tuple[HostState, timedelta]:
    return turn(host, "me", now, gap, LEASE, live)


def test_a_host_never_asked_may_be_asked_at_once_and_is_then_held() -> None:
    held, wait = ask(NEVER_ASKED)

    assert wait == FREE
    assert (held.holder, held.until) == ("me", NOON + LEASE)


def test_a_host_just_asked_is_left_alone_for_the_gap_from_the_end_of_its_answer() -> None:
    assert ask(HostState(until=NOON - 2 * SECOND))[1] == 3 * SECOND
    assert ask(HostState(until=NOON - GAP))[1] == FREE


def test_a_host_that_is_held_is_looked_at_again_after_a_gap() -> None:
    held = HostState(holder="other", until=NOON + 30 * SECOND)

    state, wait = ask(held)

    assert wait == GAP
    assert (state.holder, state.until) == ("other", held.until)
    assert ask(held, gap=FREE)[1] == AGAIN


def test_a_turn_not_given_back_is_over_a_gap_after_its_lease() -> None:
    held = HostState(holder="killed", until=NOON)

    assert ask(held)[1] == GAP
    assert ask(held, NOON + GAP)[0].holder == "me"


def test_the_longer_of_setting_and_crawl_delay_is_the_gap() -> None:
    assert ask(HostState(until=NOON, delay=30))[1] == 30 * SECOND
    assert ask(HostState(until=NOON, delay=1))[1] == GAP


def test_a_host_that_said_429_rests_and_is_then_asked() -> None:
    resting = HostState(until=NOON, rest_until=NOON + 600 * SECOND)

    assert ask(resting)[1] == 600 * SECOND
    state, wait = ask(resting, NOON + 600 * SECOND)
    assert (state.rest_until, wait) == (None, FREE)


def test_while_a_live_worker_waits_backfill_makes_way() -> None:
    busy, _ = ask(HostState(until=NOON), live=True)  # who now sleeps for a gap

    at_the_gap = NOON + GAP
    assert ask(busy, at_the_gap, live=False)[1] > FREE
    assert ask(busy, at_the_gap, live=True)[1] == FREE
    assert ask(busy, at_the_gap + SLACK, live=False)[1] == FREE  # it never came


def test_waiting_backfill_is_in_nobodys_way() -> None:
    busy, wait = ask(HostState(until=NOON), live=False)

    assert wait == GAP
    assert busy == HostState(until=NOON)


@pytest.mark.parametrize("by", [SECOND, timedelta(days=1), timedelta(days=9999)])
def test_a_clock_set_back_costs_one_gap(by: timedelta) -> None:
    state, wait = ask(HostState(until=NOON + by, live_until=NOON + by))

    assert wait == GAP
    assert ask(state, NOON + GAP)[1] == FREE


def test_a_clock_set_back_makes_no_rest_longer_and_no_lease() -> None:
    day = timedelta(days=1)
    resting = HostState(until=NOON + day, rest_until=NOON + day + 60 * SECOND)
    held = HostState(holder="killed", until=NOON + day)

    assert ask(resting)[1] == 60 * SECOND
    state, _ = ask(held)
    assert state.until == NOON + LEASE


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["live", "backfill", "killed"]),
            st.integers(0, 40),  # seconds until it comes
            st.integers(0, 30),  # seconds that it takes
        ),
        max_size=30,
    ),
    st.integers(0, 60),
)
def test_a_host_is_never_asked_within_its_gap_nor_twice_at_once(
    workers: list[tuple[str, int, int]], seconds: int
) -> None:
    gap, now, host = timedelta(seconds=seconds), NOON, NEVER_ASKED
    asked: list[tuple[datetime, datetime]] = []

    for kind, pause, takes in workers:
        now += timedelta(seconds=pause)
        host, wait = turn(host, "me", now, gap, LEASE, kind == "live")
        while wait:
            now += wait
            host, wait = turn(host, "me", now, gap, LEASE, kind == "live")
        asked.append((now, now + timedelta(seconds=takes)))
        if kind != "killed":
            now = asked[-1][1]
            host = replace(host, holder=None, until=now)

    assert all(later - end >= gap for (_, end), (later, _) in pairwise(asked))


def test_a_crawl_delay_above_the_cap_is_a_reason_to_leave_the_host_alone() -> None:
    assert too_slow(MAX_CRAWL_DELAY) is None
    assert too_slow(None) is None
    assert too_slow(timedelta(seconds=300)) == "crawl_delay=300s most=120s"


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        (None, None),
        ("", None),
        ("0", timedelta(0)),
        ("120", timedelta(seconds=120)),
        ("-1", None),
        ("1.5", timedelta(seconds=1)),
        ("60 seconds", timedelta(seconds=60)),
        ("90s", timedelta(seconds=90)),
        ("soon enough", None),
        ("soon", None),
        ("\u00b2", None),
        ("9" * 5000, MAX_RETRY_AFTER),
        ("Mon, 02 Mar 2026 12:01:00 GMT", timedelta(seconds=60)),
        ("Monday, 02-Mar-26 12:01:00 GMT", timedelta(seconds=60)),
        ("Mon Mar  2 12:01:00 2026", timedelta(seconds=60)),
        ("Mon, 02 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Mon, 02 Mar 2999 11:00:00 GMT", MAX_RETRY_AFTER),
        ("Mon, 99 Mar 2026 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, wait: timedelta | None) -> None:
    assert retry_after(value, None, NOON) == wait


def test_retry_after_is_measured_by_the_answers_own_clock() -> None:
    its_clock = NOON - timedelta(days=3)
    until = format_datetime(its_clock + timedelta(seconds=90), usegmt=True)

    wait = retry_after(until, format_datetime(its_clock, usegmt=True), NOON)

    assert wait == timedelta(seconds=90)


@pytest.mark.parametrize(
    ("status", "value", "wait"),
    [
        (429, "60", timedelta(seconds=60)),
        (429, "9999", MAX_REST),
        (429, "0", FIRST_REST),
        (429, "soon", FIRST_REST),
        (503, "60", None),
        (200, "60", None),
    ],
)
def test_only_a_429_speaks_for_the_whole_host_and_for_an_hour_at_most(
    status: int, value: str, wait: timedelta | None
) -> None:
    assert rest(replace(PAGE, status=status, headers=(("Retry-After", value),)), 1) == wait


def test_a_host_that_does_not_say_how_long_is_left_alone_for_longer_each_time() -> None:
    limited = replace(PAGE, status=429, headers=())

    assert [rest(limited, n) for n in (1, 2, 3)] == [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST]
    assert rest(limited, 99) == MAX_REST


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_wait_within_bounds_or_none(value: str, date: str) -> None:
    wait = retry_after(value, date, NOON)

    assert wait is None or timedelta(0) <= wait <= MAX_RETRY_AFTER
