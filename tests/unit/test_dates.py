from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.dates import (
    LONDON,
    Order,
    clamped,
    day_in_path,
    infer_order,
    likely_locale,
    parse_date,
)

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
        "2025-08-05 10:00 Europe/London",
        "2025-08-05T10:00+01:00[Europe/London]",
        "5 Aug 2025 11:00 Europe/Paris",
        "5 Aug 2025 11:00 CEST",
        "5 août 2025 à 11:00 (CEST)",
        "Di, 5. August 2025 11:00 MESZ",
        "Tue, 5 Aug 2025 10:00 GMT Daylight Time",
        "5 Aug 2025 10:00 British Summer Time",
        "August 5, 2025 5:00 a.m. ET",
        "Tue, 5 Aug 2025 10:00 UTC+01:00",
        "Tue, 5 Aug 2025 19:00 AEST",
        "5ed o Awst 2025, 10:00",
        "5mh den Lùnastal 2025 10:00",
        "5 Lúnasa 2025 10:00",
        "5 de agosto de 2025, 10:00",
        "martedì 5 agosto 2025 10:00",
        "5 sierpnia 2025 10:00",
        "Tue, 08/05/2025 - 10:00",
        "Tuesday 5/8/2025 10:00",
        "mar. 08/05/2025 10:00",
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
        ("mardi 4 août 2026", date(2026, 8, 4)),
        ("mar. 4 août 2026", date(2026, 8, 4)),
        ("mercredi 5 août 2026", date(2026, 8, 5)),
        ("1er févr. 2026", date(2026, 2, 1)),
        ("4. März 2026", date(2026, 3, 4)),
        ("4 mei 2026", date(2026, 5, 4)),
        ("vrijdag 7 augustus 2026", date(2026, 8, 7)),
        ("4 de setembro de 2026", date(2026, 9, 4)),
        ("4 maja 2026", date(2026, 5, 4)),
        ("lunes, 3 ago 2026", date(2026, 8, 3)),
        ("4 Meán Fómhair 2026", date(2026, 9, 4)),
        ("4 Deireadh Fómhair 2026", date(2026, 10, 4)),
        ("An t-Samhain 2026", date(2026, 11, 1)),
        ("Dydd Mawrth 4 Awst 2026", date(2026, 8, 4)),
        ("1 o Fai 2026", date(2026, 5, 1)),
        ("2 min read, 20 August 2026", date(2026, 8, 20)),
        ("4 Sept. 2026", date(2026, 9, 4)),
        ("Fri, 08/07/2026 - 14:30", date(2026, 8, 7)),
        ("Fri, 07/08/2026", date(2026, 8, 7)),
        ("Friday 08-07-2026", date(2026, 8, 7)),
        ("Dydd Gwener 08/07/2026", date(2026, 8, 7)),
        ("Mon, 07/08/2026", date(2026, 8, 7)),  # fits neither
        ("07.08.2026", date(2026, 8, 7)),
    ],
)
def test_a_day_without_time_is_that_day_in_utc_and_in_london(text: str, day: date) -> None:
    moment = parse_date(text)

    assert moment is not None
    if ":" not in text:
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
        "mar 4 xyzt 2026",
        "mardi 4 brumaire 2026",
        "marble 4 2026",
        "4 marching 2026",
        "Decoration 4, 2026",
        "4 Juneau 2026",
        "maybe 4 2026",
        "31/02/2026",
        "13/13/2026",
    ],
)
def test_what_names_no_moment_is_none(text: str) -> None:
    assert parse_date(text) is None


D, M = Order.DAY_FIRST, Order.MONTH_FIRST
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        ([], D),
        (["Tue, 05 Aug 2025 10:00:00 BST", "2025-08-05"], D),
        (["08/07/2026"], D),
        # 1. what can be read in one way only
        (["08/07/2026", "08/25/2026"], M),
        (["08/07/2026", "25/08/2026"], D),
        (["08/07/2026", "08/25/2026", "25/08/2026", "26/08/2026"], D),
        (["08/07/2026", "Fri, 08/07/2026"], M),
        (["08/07/2026", "Friday 07/08/2026"], D),
        (["8-7-26", "8-25-26"], M),
        # 2. what is announced has appeared
        (["08/09/2026", "08/07/2026"], M),
        (["09/08/2026", "07/08/2026"], D),
        (["09/01/2026", "01/09/2026"], D),  # one of them in either reading
        (["08/09/2026", "12/10/2026"], D),
        # 3. lists are sorted
        (["08/01/2026", "07/08/2026", "07/05/2026", "07/02/2026"], M),
        (["07/02/2026", "07/05/2026", "07/08/2026", "08/01/2026"], M),
        (["01/08/2026", "08/07/2026", "05/07/2026", "02/07/2026"], D),
        (["08/01/2026", "07/08/2026", "07/02/2026"], M),
        (["08/01/2026", "07/08/2026"], D),  # too few
        (["03/05/2026", "03/04/2026", "03/03/2026", "03/02/2026"], D),  # sorted both ways
        (["08/01/2026", "15 July 2026", "07/08/2026", "07/05/2026", "07/02/2026"], M),
        # 4. the form of .NET's en-US
        (["8/7/2026 9:00:00 AM"], M),
        (["8/7/2026 9:00 AM", "8/8/2026 12:30 PM"], M),
        (["08/07/2026 09:00:00 AM"], D),
        (["8/07/2026 9:00:00 AM"], D),  # Australian
        (["8/7/2026 09:00:00"], D),
        (["8/7/2026 9:00 am"], D),
        (["8/7/2026 9:00 AM", "8/7/2026"], D),
    ],
)
def test_a_sources_dates_tell_in_which_order_they_are(texts: list[str], order: Order) -> None:
    assert infer_order(texts, NOW) is order


@pytest.mark.parametrize(
    ("texts", "locale", "order"),
    [
        (["08/07/2026"], "en-US", M),
        (["08/07/2026"], "en_us", M),
        (["08/07/2026"], "en-GB", D),
        (["08/07/2026"], "en", D),
        (["08/07/2026"], "", D),
        (["25/07/2026", "08/07/2026"], "en-US", D),
        (["8/7/2026 9:00:00 AM"], "en-GB", M),
    ],
)
def test_a_locale_tells_it_where_nothing_else_does(
    texts: list[str], locale: str, order: Order
) -> None:
    assert infer_order(texts, NOW, locale) is order


def test_a_british_host_knows_better_than_its_template() -> None:
    assert likely_locale("en-US", "news.board.example") == "en-US"
    assert likely_locale("en-US", "www.board.org.uk") == ""
    assert likely_locale("en-US", "bwrdd.cymru") == ""


def test_an_order_is_of_numbers_alone_and_dots_are_never_american() -> None:
    for text in ("7 Aug 2026", "2026-08-07", "07.08.2026", "25/8/2026", "Fri, 07/08/2026"):
        assert parse_date(text, order=M) == parse_date(text, order=D)
    assert parse_date("8/7/2026", order=M) == datetime(2026, 8, 7, tzinfo=UTC)
    assert parse_date("7/8/2026", order=D) == datetime(2026, 8, 7, tzinfo=UTC)


@given(
    st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2026, 8, 31)), min_size=8, max_size=30),
    st.sampled_from([("%m/%d/%Y", M), ("%d/%m/%Y", D), ("%m/%d/%Y %H:%M", M), ("%d-%m-%y", D)]),
)
def test_a_sorted_feed_is_never_read_in_the_wrong_order(
    days: list[datetime], form: tuple[str, Order]
) -> None:
    days = sorted(set(days), reverse=True)
    texts = [day.strftime(form[0]) for day in days]

    found = infer_order(texts, NOW)

    wrong = form[1] is M and any(day.day > 12 for day in days) and found is D
    assert not wrong
    if form[1] is D and any(day.day > 12 for day in days):
        assert found is D


@given(st.lists(st.text(max_size=30) | st.sampled_from(["8/7/2026 9:00 AM", "1/1/0", "0/0/0000"])))
def test_no_texts_make_it_raise(texts: list[str]) -> None:
    assert infer_order(texts, NOW) in Order


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
