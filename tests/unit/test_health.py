"""How feeds do, and what of a run people hear of."""

import inspect
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.health import ORDER, TO_DO, Alert, changes, health, of_feeds, of_pages
from storage.model import Feed, FeedState, Seen
from tests.builders import NOON

FEED = Feed(url="http://a.example/feed", title="A")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
POLLED = FeedState(
    url=FEED.url, polled=NOON, outcome="new", newest=NOON, usual_gap=DAY,
    past=((NOON.isoformat(), "new", 3),),
)  # fmt: skip


def emptied(*outcomes: str) -> FeedState:
    return replace(POLLED, past=[(NOON.isoformat(), outcome, 0) for outcome in outcomes])


@pytest.mark.parametrize(
    ("feed", "state", "reasons", "said"),
    [
        (replace(FEED, enabled=False), POLLED, (), "disabled"),
        (FEED, None, (), "new"),
        (FEED, FeedState(url=FEED.url), (), "new"),
        (FEED, POLLED, (), "well"),
        (FEED, replace(POLLED, outcome="gone", failures=1), (), "gone"),
        (FEED, replace(POLLED, outcome="server_error", failures=2), (), "well"),
        (FEED, replace(POLLED, outcome="server_error", failures=3), (), "unreachable"),
        (FEED, replace(POLLED, outcome="not_a_feed", failures=3), (), "unparseable"),
        (FEED, emptied("new", "empty_valid"), (), "empty"),
        (FEED, emptied("empty_valid", "not_modified", "unchanged_body"), (), "empty"),
        (FEED, emptied("empty_valid", "nothing_new"), (), "well"),
        (FEED, POLLED, ("duplicate_url", "duplicate_near") * 5, "all_duplicates"),
        (FEED, POLLED, ("duplicate_url",) * 9, "well"),
        (FEED, POLLED, ("off_topic",) * 20 + ("kept",), "all_off_topic"),
        (FEED, POLLED, ("off_topic",) * 19 + ("kept",), "well"),
    ],
)
def test_each_way_to_be_ill_has_a_name(
    feed: Feed, state: FeedState | None, reasons: Sequence[str], said: str
) -> None:
    assert health(feed, state, reasons, NOON)[0] == said


@pytest.mark.parametrize(
    ("gap", "silent", "stale"),
    [
        (DAY, 9 * DAY, False),  # Christmas to New Year
        (DAY, 11 * DAY, True),
        (7 * DAY, 34 * DAY, False),
        (7 * DAY, 36 * DAY, True),
        (None, 89 * DAY, False),
        (None, 91 * DAY, True),
    ],
)
def test_a_feed_is_stale_by_its_own_pace(
    gap: timedelta | None, silent: timedelta, stale: bool
) -> None:
    state = replace(POLLED, usual_gap=gap)

    assert (health(FEED, state, (), NOON + silent)[0] == "stale") is stale


def test_a_feed_without_dates_is_not_stale_while_new_entries_come() -> None:
    state = replace(POLLED, newest=NOON - 400 * DAY, usual_gap=None)

    assert health(FEED, state, (), NOON + DAY)[0] == "well"


@given(
    outcome=st.text(),
    failures=st.integers(0, 10**6),
    gap=st.none() | st.timedeltas(timedelta(0), 10_000 * DAY),
    silent=st.timedeltas(timedelta(0), 10_000 * DAY),
    reasons=st.lists(st.text()),
)
def test_every_state_has_a_health(
    outcome: str, failures: int, gap: timedelta | None, silent: timedelta, reasons: list[str]
) -> None:
    state = replace(POLLED, outcome=outcome, failures=failures, usual_gap=gap)

    assert health(FEED, state, reasons, NOON + silent)[0] in ORDER


def feeds_alerts(failing: int, asked: int, outcome: str = "dns", ill: int = 0) -> list[Alert]:
    """Return the alerts of a run that asks feeds that worked, and some that were ill before."""
    feeds = [replace(FEED, url=f"http://{n}.example/") for n in range(asked + ill)]
    before = {feed.url: replace(POLLED, url=feed.url, polled=NOON - DAY) for feed in feeds}
    for feed in feeds[asked:]:
        before[feed.url] = replace(before[feed.url], outcome=outcome, failures=9)
    after = {url: replace(state, polled=NOON) for url, state in before.items()}
    for feed in [*feeds[:failing], *feeds[asked:]]:
        failures = before[feed.url].failures + 1
        after[feed.url] = replace(after[feed.url], outcome=outcome, failures=failures)
    return of_feeds(feeds, before, after, NOON, NOON)


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        (feeds_alerts(0, 20), []),
        (feeds_alerts(1, 2), []),
        (feeds_alerts(4, 20), []),
        (feeds_alerts(5, 20), [("feeds_failing", False)]),
        (feeds_alerts(10, 20), [("feeds_failing", False)]),
        (feeds_alerts(11, 20), [("feeds_failing", True)]),
        (feeds_alerts(9, 9), [("feeds_failing", False)]),  # discover itself fails then
        (feeds_alerts(0, 3, ill=20), []),  # nothing that happened now
        (feeds_alerts(4, 20, "unparseable"), [("feeds_unreadable", True)]),
        (feeds_alerts(3, 20, "unparseable"), []),
    ],
)
def test_a_share_of_failing_feeds_warns_and_a_large_one_fails(
    alerts: list[Alert], said: list[tuple[str, bool]]
) -> None:
    assert [(one.name, one.grave) for one in alerts] == said


def test_a_feed_that_turns_ill_is_named_once() -> None:
    url = FEED.url
    twice = replace(POLLED, polled=NOON - DAY, outcome="dns", failures=2, detail="no such name")
    thrice, more = (replace(twice, polled=NOON, failures=n) for n in (3, 4))

    (alert,) = of_feeds([FEED], {url: twice}, {url: thrice}, NOON, NOON)

    assert alert == Alert("feeds_ill", "A: unreachable (dns 3 times in a row: no such name)")
    assert of_feeds([FEED], {url: thrice}, {url: more}, NOON, NOON) == []


def seen(*reasons: str, words: Sequence[int | None] = ()) -> list[Seen]:
    lengths = [*words, *[None] * (len(reasons) - len(words))]
    return [
        Seen(url=f"http://a.example/{n}", reason=reason, at=NOON - n * DAY, words=length)
        for n, (reason, length) in enumerate(zip(reasons, lengths, strict=True))
    ]


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        (seen(*["forbidden"] * 5), ["host_failing"]),
        (seen(*["forbidden"] * 4), []),
        (seen(*["forbidden"] * 4, "kept"), []),
        (seen(*["bot_wall"] * 10, "kept"), ["host_failing"]),  # since a while, not for ever
        (seen(*["off_topic"] * 10), []),  # that is the feed's health, not a host's
        (seen(*["kept"] * 10), []),
        (seen(*["kept"] * 10, words=[200] * 5 + [400] * 5), ["texts_shrunk"]),
        (seen(*["kept"] * 10, words=[201] * 5 + [400] * 5), []),
        (seen(*["kept"] * 9, words=[10] * 5 + [400] * 4), []),
        (seen(*["kept"] * 10, words=[900, 900, 20, 20, 20, *[400] * 5]), ["texts_shrunk"]),
    ],
)
def test_a_host_whose_pages_all_fail_or_shrink_is_told(pages: list[Seen], said: list[str]) -> None:
    alerts = of_pages(pages, 0, len(pages), NOON)

    assert [alert.name for alert in alerts] == said
    assert not any(alert.grave for alert in alerts)


def test_a_host_that_was_not_asked_in_this_run_is_not_told_again() -> None:
    assert of_pages(seen(*["forbidden"] * 9), 0, 0, NOON + DAY) == []


@pytest.mark.parametrize(
    ("broken", "pages", "grave"), [(1, 10, False), (2, 10, True), (9, 9, False), (20, 100, True)]
)
def test_a_fifth_of_pages_that_cannot_be_read_fails_the_run(
    broken: int, pages: int, grave: bool
) -> None:
    alerts = of_pages([], broken, pages, NOON)

    assert [(one.name, one.grave) for one in alerts] == [("pages_unreadable", True)] * grave


def test_an_alert_is_news_when_it_begins_and_once_for_each_thing_it_speaks_of() -> None:
    shrunk = {"texts_shrunk": "a.example: median 400 -> 190 words"}
    more = {"texts_shrunk": "a.example: median 410 -> 188.5 words; b.example: median 90 -> 9 words"}

    first, _, told = changes({}, shrunk, NOON)
    again, over, told = changes(told, shrunk, NOON + HOUR)
    grown, _, told = changes(told, more, NOON + 2 * HOUR)

    assert first == shrunk
    assert (again, over) == ({}, [])
    assert grown == {"texts_shrunk": "b.example: median 90 -> 9 words"}


def test_an_alert_is_over_once_when_it_was_not_seen_for_a_day() -> None:
    alerts = {"host_failing": "a.example: not_found, 10 of 10 pages"}
    _, _, told = changes({}, alerts, NOON)

    _, soon, told = changes(told, {}, NOON + DAY)
    _, over, told = changes(told, {}, NOON + DAY + HOUR)
    _, after, told = changes(told, {}, NOON + DAY + 2 * HOUR)
    fresh, _, _ = changes(told, alerts, NOON + 2 * DAY)

    assert (soon, over, after) == ([], ["host_failing"], [])
    assert fresh == alerts


def test_every_alert_says_what_to_do() -> None:
    source = Path(inspect.getsourcefile(changes) or "").read_text()

    assert set(re.findall(r'(?:Alert|_unread)\("(\w+)"', source)) == set(TO_DO)
