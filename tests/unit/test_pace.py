"""Pace: when a host may next be asked."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.web.pace import (
    MAX_CRAWL_DELAY,
    MAX_RETRY_AFTER,
    QUEUE,
    next_slot,
    required_gap,
    retry_after,
    too_slow,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GAP = timedelta(seconds=5)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
GAPS = st.timedeltas(timedelta(0), timedelta(hours=1))


def test_a_host_never_asked_may_be_asked_at_once() -> None:
    assert next_slot(None, GAP, NOON) == NOON


def test_a_host_just_asked_is_left_alone_for_the_gap() -> None:
    assert next_slot(NOON - timedelta(seconds=2), GAP, NOON) == NOON + timedelta(seconds=3)


def test_a_host_asked_long_ago_may_be_asked_at_once() -> None:
    assert next_slot(NOON - timedelta(days=1), GAP, NOON) == NOON


def test_a_clock_set_back_by_a_day_costs_one_gap() -> None:
    assert next_slot(NOON + timedelta(days=1), GAP, NOON) == NOON + GAP


@given(TIMES, GAPS, TIMES)
def test_a_turn_is_never_in_the_past_nor_beyond_the_longest_queue(
    latest: datetime, gap: timedelta, now: datetime
) -> None:
    assert now <= next_slot(latest, gap, now) <= now + (QUEUE + 1) * gap


def test_those_who_come_at_once_get_turns_one_gap_apart() -> None:
    turns = [NOON]

    for _ in range(20):
        turns.append(next_slot(turns[-1], GAP, NOON))

    assert turns == [NOON + n * GAP for n in range(21)]


@given(TIMES, GAPS, st.lists(st.timedeltas(timedelta(0), timedelta(minutes=5)), max_size=20))
def test_a_host_is_never_asked_sooner_than_its_gap(
    now: datetime, gap: timedelta, pauses: list[timedelta]
) -> None:
    asked: list[datetime] = []

    for pause in pauses:
        now = next_slot(asked[-1] if asked else None, gap, now + pause)
        asked.append(now)

    assert all(later - earlier >= gap for earlier, later in pairwise(asked))


def test_the_longer_of_setting_and_crawl_delay_is_the_gap() -> None:
    assert required_gap(GAP, None) == GAP
    assert required_gap(GAP, timedelta(seconds=1)) == GAP
    assert required_gap(GAP, timedelta(seconds=30)) == timedelta(seconds=30)


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
        ("1.5", None),
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


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_wait_within_bounds_or_none(value: str, date: str) -> None:
    wait = retry_after(value, date, NOON)

    assert wait is None or timedelta(0) <= wait <= MAX_RETRY_AFTER
