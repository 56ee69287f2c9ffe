from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.dates import LONDON, clamped, day_in_path, parse_date

SUMMER = datetime(2025, 8, 5, 9, 0, tzinfo=UTC)  # ten o'clock in London
WINTER = datetime(2025, 1, 5, 10, 0, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1990, 1, 2), datetime(2100, 12, 30), timezones=st.just(UTC))


@pytest.mark.parametrize(
    "text",
    [
        "Tue, 05 Aug 2025 10:00:00 BST",
        "Tue, 05 Aug 2025 10:00:00 +0100",
        "Tue, 05 Aug 2025 10:00:00 +0100 (BST)",
        "Tue, 05 Aug 2025 09:00:00 GMT",
        "Tue, 05 Aug 2025 09:00:00 Z",
        "Tue, 5 Aug 2025 10:00:00 GMT+1",
        "Tue, 5 Aug 2025 04:00:00 -0500",
        "Tue, 5 Aug 25 05:00 EDT",
        "Tues, 5 August 2025 10:00",
        "Tuesday 5th August 2025 at 10.00am",
        "Tuesday, August 5, 2025 10:00 a.m.",
        "10am, 5 August 2025",
        "5 Awst 2025 10:00",
        "Dydd Mawrth 5 Awst 2025, 10:00",
        "05/08/2025 10:00",
        "5.8.2025 10:00:00",
        "05-Aug-2025 10:00",
        "2025-08-05T10:00:00+01:00",
        "2025-08-05T10:00",
        "2025-08-05 10:00:00",
        "2025-08-05 10:00:00 BST",
        "20250805T090000Z",
        "2025-08-05t09:00:00.000000000z",
        "2025/08/05 10:00",
        "Tue Aug  5 10:00:00 2025",
        "Tue Aug  5 10:00:00 BST 2025",
        "Tue Aug 05 2025 10:00:00 GMT+0100 (British Summer Time)",
        "  Tue,\n 05 Aug 2025\t10:00:00 BST ",
    ],
)
def test_one_summer_moment_is_read_in_every_spelling(text: str) -> None:
    assert parse_date(text) == SUMMER


@pytest.mark.parametrize(
    "text", ["Sun, 05 Jan 2025 10:00:00", "2025-01-05T10:00", "5/1/2025 10:00"]
)
def test_a_winter_time_without_zone_is_gmt(text: str) -> None:
    assert parse_date(text) == WINTER


def test_a_time_without_zone_is_local_to_the_zone_given() -> None:
    assert parse_date("2025-08-05T10:00", UTC) == SUMMER + timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025", date(2025, 1, 1)),
        ("2025-08", date(2025, 8, 1)),
        ("August 2025", date(2025, 8, 1)),
        ("2025-08-05", date(2025, 8, 5)),
        ("20250805", date(2025, 8, 5)),
        ("2025-W32-2", date(2025, 8, 5)),
        ("5 August 2025", date(2025, 8, 5)),
        ("08/25/2025", date(2025, 8, 25)),
        ("5th of September 99", date(1999, 9, 5)),
        ("3 Tachwedd 2025", date(2025, 11, 3)),
    ],
)
def test_a_day_without_time_is_that_day_in_utc_and_in_london(text: str, day: date) -> None:
    moment = parse_date(text)

    assert moment is not None
    assert moment.date() == day
    assert moment.astimezone(LONDON).date() == day


def test_a_day_may_end_at_24_hours_and_have_a_leap_second() -> None:
    assert parse_date("2025-08-05T24:00:00Z") == datetime(2025, 8, 6, tzinfo=UTC)
    assert parse_date("31 Dec 2016 23:59:60 GMT") == datetime(2017, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "5 August",
        "31 Sep 2025 10:00",
        "2025-13-40",
        "2025-26",
        "99/99/9999",
        "5 Aug 2025 25:61",
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31",
        "31 Dec 9999 24:00",  # the year 10000 is no datetime
        "１２/08/2025",
    ],
)
def test_what_names_no_moment_is_none(text: str) -> None:
    assert parse_date(text) is None


@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    moment = parse_date(text)

    assert moment is None or moment.utcoffset() == timedelta(0)


@given(
    st.from_regex(
        r"(Mon|Tue|)[, ]{0,2}[0-9]{1,4}[-/. ](Aug|[0-9]{1,2})[-/. ][0-9]{1,4}[T ]"
        r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?( ?(BST|Z|GMT|EST|[+-][0-9]{2}:?[0-9]{2}))?",
        fullmatch=True,
    )
)
def test_no_date_like_text_makes_it_raise(text: str) -> None:
    parse_date(text)


@given(MOMENTS)
def test_what_we_write_we_read(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)

    assert parse_date(moment.isoformat()) == moment
    assert parse_date(whole.strftime("%a, %d %b %Y %H:%M:%S +0000")) == whole
    assert parse_date(whole.astimezone(LONDON).strftime("%a, %d %b %Y %H:%M:%S %Z")) == whole


def test_a_clock_a_little_fast_is_set_to_now_and_the_far_future_is_not_believed() -> None:
    now = SUMMER

    assert clamped(now + timedelta(hours=1), now) == now
    assert clamped(now + timedelta(hours=24), now) == now
    assert clamped(now + timedelta(hours=25), now) is None
    assert clamped(None, now) is None
    assert clamped(now - timedelta(days=3), now) == now - timedelta(days=3)
    assert clamped(now.astimezone(timezone(timedelta(hours=5))), now) == now


@pytest.mark.parametrize(
    "path",
    [
        "/2025/08/05/care-boards",
        "/society/2025/aug/05/care-boards",
        "/news/2025-08-05-care-boards",
        "/news/20250805/care",
        "/care_2025_08_05.html",
    ],
)
def test_a_path_may_name_the_day(path: str) -> None:
    assert day_in_path(f"https://example.org{path}?d=2001-01-01") == date(2025, 8, 5)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/2025/08/care",
        "https://example.org/ukpga/2014/6/1",
        "https://example.org/2025/13/40/",
        "https://example.org/story/202508051",
        "https://2025-08-05.example.org/",
        "https://example.org/a?day=2025-08-05",
        "",
    ],
)
def test_other_numbers_in_a_url_name_no_day(url: str) -> None:
    assert day_in_path(url) is None
