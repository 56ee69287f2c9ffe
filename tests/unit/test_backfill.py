"""Which days are walked, and when a walk is at its end."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingest.backfill import MAX_PASSES, MAX_STEPS, Range, after, cut, halves, plan
from ingest.sources.past import Step
from storage.model import Slice

DAY = timedelta(days=1)
DAYS = st.dates(date(2015, 12, 1), date(2016, 4, 30))
LONGEST = st.one_of(st.none(), st.integers(1, 40).map(lambda n: n * DAY))
ONE = Slice(source="http://n.example/feed", way="a", since=date(2016, 2, 1), until=date(2016, 3, 1))


def each(windows: list[tuple[date, date]]) -> list[date]:
    return [a + n * DAY for a, b in windows for n in range((b - a).days)]


@given(DAYS, DAYS, LONGEST)
def test_a_cut_range_has_each_day_once_in_order(
    since: date, until: date, longest: timedelta | None
) -> None:
    assert each(cut(since, until, longest)) == each([(since, until)])


@given(DAYS, DAYS, st.integers(1, 40))
def test_no_window_is_too_long_or_crosses_the_end_of_a_month(
    since: date, until: date, most: int
) -> None:
    for first, last in cut(since, until, most * DAY):
        assert first < last <= first + most * DAY
        assert (last - DAY).month == first.month


@given(st.lists(st.tuples(DAYS, DAYS, LONGEST), max_size=6))
def test_however_ranges_overlap_each_day_is_walked_once(
    ranges: list[tuple[date, date, timedelta | None]],
) -> None:
    have: list[Slice] = []
    for since, until, longest in ranges:
        have += plan(have, ONE.source, "a", longest, Range(since, until, (), ("a",)))

    got = sorted(each([(one.since, one.until) for one in have]))
    assert got == sorted({day for since, until, _ in ranges for day in each([(since, until)])})


def test_a_slice_that_is_done_covers_the_days_that_were_over() -> None:
    ended = datetime.combine(date(2016, 2, 20), time(15), UTC)
    done = replace(ONE, id=1, state="done", ended=ended)

    (new,) = plan([done], ONE.source, "a", 31 * DAY, Range(ONE.since, ONE.until, (), ("a",)))

    assert (new.since, new.until) == (date(2016, 2, 20), ONE.until)


def test_a_partial_slice_is_walked_again_from_its_beginning() -> None:
    partial = replace(ONE, id=1, state="partial", cursor="9", passes=4, steps=3, reason="shifted")

    again = plan([partial], ONE.source, "a", 31 * DAY, Range(ONE.since, ONE.until, (), ("a",)))

    assert again == [replace(ONE, id=1)]


def test_another_way_walks_the_days_that_one_has_done() -> None:
    done = replace(ONE, id=1, state="done")

    new = plan([done], ONE.source, "b", None, Range(ONE.since, ONE.until, (), ("b",)))

    assert [(one.way, one.since, one.until) for one in new] == [("b", ONE.since, ONE.until)]


def test_halves_hold_each_day_once_and_a_day_has_none() -> None:
    assert each(halves(ONE)) == each([(ONE.since, ONE.until)])
    assert len(halves(replace(ONE, until=ONE.since + DAY))) == 1


RUNNING = replace(ONE, state="running")


def test_a_pass_is_all_there_is_when_the_source_said_so_all_along() -> None:
    going = after(RUNNING, Step(cursor="2", total=3), 2, 2, True)

    assert after(going, Step(total=3), 3, 1, True).state == "done"


def test_a_total_that_changed_on_the_way_is_believed_in_no_pass() -> None:
    going = after(RUNNING, Step(cursor="2", total=4), 2, 2, True)

    ended = after(going, Step(total=3), 3, 1, True)

    assert (ended.state, ended.passes, ended.steps, ended.cursor) == ("running", 1, 0, "")


def test_where_entries_change_pages_a_pass_must_bring_nothing_new() -> None:
    first = after(RUNNING, Step(), 3, 3, True)
    second = after(first, Step(), 3, 0, True)

    assert (first.state, second.state) == ("running", "done")


def test_where_they_do_not_one_pass_will_do() -> None:
    assert after(RUNNING, Step(), 3, 3, False).state == "done"


def test_who_says_more_than_there_is_is_told_of() -> None:
    ended = after(RUNNING, Step(total=5), 0, 0, False)

    assert (ended.state, ended.reason) == ("done", "found=0 of 5")


def test_a_source_that_always_has_something_new_ends_as_partial() -> None:
    one = RUNNING
    for _ in range(MAX_PASSES):
        one = after(one, Step(), 9, 1, True)

    assert (one.state, one.reason) == ("partial", f"shifted: new ones in {MAX_PASSES} passes")


def test_a_pager_without_end_ends_as_partial() -> None:
    one = replace(RUNNING, steps=MAX_STEPS - 1)

    ended = after(one, Step(cursor="on"), 0, 0, False)

    assert (ended.state, ended.reason) == ("partial", f"endless: {MAX_STEPS} steps and no end")


def test_a_slice_stays_partial_where_a_part_is_gone_for_good() -> None:
    one = after(RUNNING, Step(cursor="2", missed="/part.xml: gone"), 1, 1, False)

    ended = after(one, Step(), 2, 1, False)

    assert (ended.state, ended.reason) == ("partial", "missed: /part.xml: gone")
