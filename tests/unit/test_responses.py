"""Which answers are none, which are asked for again, how often, and when that ends."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import Fault
from ingest.responses import (
    FRESH,
    LONGEST_WAIT,
    NO_STORY,
    RECHECKS,
    Expected,
    Problem,
    after_fault,
    after_verdict,
    problem_of,
)
from storage.model import Page

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
STORY = b"<html><head><title>Board meets</title></head><body>%s</body></html>" % (
    b"<p>The board and the council met on Monday to agree how they share their money.</p>" * 9
)
FEED = b"<?xml version='1.0'?><rss><channel><title>Site maintenance</title></channel></rss>"


def answer(content: bytes = STORY, status: int = 200, **headers: str) -> Page:
    return Page(
        url="https://a.example/1",
        final_url="https://a.example/1",
        status=status,
        headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()),
        payload=content,
        content=content,
        fetched=NOON,
    )


def problem(
    page: Page, expected: Expected = Expected.CONTENT, conditional: bool = False
) -> Problem | None:
    return problem_of(page, conditional=conditional, expected=expected)


def fault(page: Page, expected: Expected = Expected.CONTENT) -> Fault | None:
    found = problem(page, expected)
    return found.fault if found else None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, None), (203, None), (202, Fault.NO_CONTENT), (204, Fault.NO_CONTENT),
        (205, Fault.NO_CONTENT), (304, Fault.HTTP_ERROR), (300, Fault.HTTP_ERROR),
        (400, Fault.HTTP_ERROR), (401, Fault.FORBIDDEN), (403, Fault.FORBIDDEN),
        (404, Fault.NOT_FOUND), (408, Fault.SERVER_ERROR), (410, Fault.GONE),
        (421, Fault.SERVER_ERROR), (423, Fault.SERVER_ERROR), (425, Fault.SERVER_ERROR),
        (429, Fault.RATE_LIMITED), (451, Fault.FORBIDDEN), (500, Fault.SERVER_ERROR),
        (503, Fault.SERVER_ERROR), (599, Fault.SERVER_ERROR), (999, Fault.SERVER_ERROR),
    ],
)  # fmt: skip
def test_a_status_says_what_an_answer_is(status: int, expected: Fault | None) -> None:
    assert fault(answer(status=status)) is expected


def test_a_304_answers_a_conditional_request_and_no_other() -> None:
    assert problem(answer(b"", 304), conditional=True) is None
    assert fault(answer(b"", 304)) is Fault.HTTP_ERROR


@pytest.mark.parametrize("content", [b"", b" \r\n\t", b"\xef\xbb\xbf\n", b"\0\0\0\0"])
def test_an_answer_with_nothing_in_it_is_none(content: bytes) -> None:
    assert fault(answer(content)) is Fault.NO_CONTENT
    assert fault(answer(content), Expected.NO_WALL) is Fault.NO_CONTENT


@pytest.mark.parametrize(
    "content",
    [
        b"<html><head><title>The Ferry News</title></head><body></body></html>",
        b"<!doctype html><html><body><div id=content></div><!-- cached --></body></html>",
    ],
)
def test_a_page_without_a_word_is_no_page(content: bytes) -> None:
    assert fault(answer(content), Expected.PAGE) is Fault.NO_CONTENT
    assert problem(answer(content)) is None  # its head may link to feeds


@pytest.mark.parametrize(
    "content",
    [
        b'<html><body><div id="app"></div><script src="/main.js"></script></body></html>',
        b'<html><head><meta http-equiv="refresh" content="0; url=/other"></head></html>',
        b'<html><body><iframe src="/story"></iframe></body></html>',
        b"[]",
        b"{}",
        FEED,
    ],
)
def test_what_leads_elsewhere_or_is_no_page_is_left_to_its_reader(content: bytes) -> None:
    assert problem(answer(content), Expected.PAGE) is None


def test_robots_and_ranges_may_hold_anything() -> None:
    for page in (answer(b""), answer(b"", 206), answer(b"x", 202)):
        assert problem(page, Expected.ANYTHING) is None


NOTICES = (
    "We'll be back soon! Our site is having a little rest.",
    "We’ll be right back.",
    "This website is currently undergoing scheduled maintenance.",
    "The site is down for maintenance. Please check back again soon.",
    "Site temporarily unavailable",
    "Service unavailable",
    "Sorry: 502 Bad Gateway",
    "Error establishing a database connection",
    "The website encountered an unexpected error. Please try again later.",
    "Our systems are being upgraded this evening.",
)


@pytest.mark.parametrize("text", NOTICES)
def test_a_notice_to_come_back_later_is_no_page_until_the_last_try(text: str) -> None:
    page = answer(f"<html><head><title>Ferry</title></head><body><h1>{text}</h1></body>".encode())

    assert fault(page) is Fault.MAINTENANCE
    assert fault(page, Expected.NO_WALL) is None


@pytest.mark.parametrize(
    "text",
    [
        "Hospital lifts closed while they are repaired, the trust said on Monday.",
        "Council keeps the library open. Its roof will be mended next year.",
        "The bridge was shut and drivers had to go round by the old road for a week.",
    ],
)
def test_a_story_of_a_few_words_is_no_notice(text: str) -> None:
    assert problem(answer(f"<html><body><h1>News</h1><p>{text}</p></body></html>".encode())) is None


def test_a_story_on_maintenance_is_no_notice() -> None:
    story = STORY.replace(b"Monday", b"maintenance, when the website was down for maintenance")

    assert problem(answer(story)) is None


HOURS = st.integers(0, 60 * 24).map(lambda hours: timedelta(hours=hours))
FAULTS = st.sampled_from([one for one in Fault if one is not Fault.DEFERRED_HOST])


@given(FAULTS, st.booleans(), HOURS, st.none() | HOURS)
def test_asking_again_comes_later_each_time_and_ends(
    kind: Fault, live: bool, age: timedelta, wish: timedelta | None
) -> None:
    waits = []
    while (retry := after_fault(kind, len(waits), live=live, age=age, retry_after=wish)).wait:
        waits.append(retry.wait)

    assert waits == sorted(waits)
    assert all(wait <= LONGEST_WAIT for wait in waits)
    assert retry.is_verdict
    assert len(waits) <= 6
    assert sum(waits, timedelta(0)) <= timedelta(days=12)


def count(kind: Fault, live: bool = True, age: timedelta = timedelta(0)) -> int:
    return after_fault(kind, 0, live=live, age=age).tries


def test_a_page_just_announced_is_given_time_to_appear_and_an_old_one_one_more_try() -> None:
    assert count(Fault.NOT_FOUND, age=FRESH) == 5
    assert count(Fault.NOT_FOUND, age=FRESH * 2) == 2
    assert count(Fault.NOT_FOUND, live=False) == 1
    assert count(Fault.GONE) == 1


@pytest.mark.parametrize("kind", [Fault.BOT_WALL, Fault.FORBIDDEN])
def test_a_wall_is_told_at_once_and_asked_again_in_case_it_does_not_stay(kind: Fault) -> None:
    first = after_fault(kind, 0, live=True, age=timedelta(0))

    assert first.wait == timedelta(hours=3)
    assert first.is_verdict
    assert count(kind, live=False) == 1


@pytest.mark.parametrize(
    "kind", [Fault.NO_CONTENT, Fault.MAINTENANCE, Fault.RATE_LIMITED, Fault.INTERNAL_ERROR]
)
def test_what_passes_is_no_verdict_until_the_tries_are_used_up(kind: Fault) -> None:
    assert not after_fault(kind, 0, live=True, age=timedelta(0)).is_verdict
    assert count(kind) == count(kind, live=False) == 7


def test_a_page_that_showed_no_story_is_looked_at_twice_more() -> None:
    for reason in NO_STORY:
        waits = [
            after_verdict(reason, attempts, live=True, contradicted=False) for attempts in range(5)
        ]
        assert waits == [None, *RECHECKS, None, None]
        assert after_verdict(reason, 1, live=False, contradicted=False) is None


def test_a_page_without_the_words_that_announced_it_is_looked_at_again() -> None:
    for reason in ("off_topic", "too_short"):
        assert after_verdict(reason, 1, live=True, contradicted=True) == RECHECKS[0]
        assert after_verdict(reason, 1, live=True, contradicted=False) is None
    assert after_verdict("duplicate_near", 1, live=True, contradicted=True) is None
