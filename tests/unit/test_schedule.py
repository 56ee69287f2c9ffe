"""When a feed is asked next."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingest.schedule import CEILING, FIRST_BACKOFF, FLOOR, after_failure, after_success
from tests.builders import NOON

WAITS = st.timedeltas(timedelta(0), timedelta(days=400))
URLS = st.text(max_size=20)


@given(URLS, WAITS)
def test_a_feed_that_answers_is_asked_hourly_at_most_and_daily_at_least(
    url: str, wait: timedelta
) -> None:
    assert NOON + FLOOR <= after_success(url, NOON, wait) <= NOON + CEILING


def test_what_a_feed_asks_for_is_a_floor() -> None:
    wait = timedelta(hours=5)

    assert after_success("a", NOON, wait) >= NOON + wait


@given(URLS, st.integers(1, 10_000), st.none() | WAITS)
def test_a_feed_that_fails_is_asked_again_within_a_day_whatever_happened(
    url: str, failures: int, retry_after: timedelta | None
) -> None:
    again = after_failure(url, NOON, failures, retry_after)

    assert NOON + FIRST_BACKOFF <= again <= NOON + CEILING


def test_retry_after_is_obeyed() -> None:
    again = after_failure("a", NOON, 1, timedelta(hours=3))

    assert again >= NOON + timedelta(hours=3)


@given(URLS)
def test_the_jitter_of_a_feed_is_always_the_same(url: str) -> None:
    wait = timedelta(0)

    assert after_success(url, NOON, wait) == after_success(url, NOON, wait)
