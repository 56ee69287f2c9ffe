"""What every catalog promises of slices, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest

from storage.catalog import Catalog
from storage.model import Entry, Feed, FeedState, Judgement, Slice, Verdict
from tests.builders import ENTRY, NOON

SOURCE = ENTRY.source
MARCH = Slice(source=SOURCE, way="scripted", since=date(2016, 3, 1), until=date(2016, 4, 1))
APRIL = replace(MARCH, since=date(2016, 4, 1), until=date(2016, 5, 1))
LEASE = timedelta(minutes=1)
OLD = replace(ENTRY, published=None)


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    with Catalog(url) as catalog:
        catalog.list_feeds([Feed(url=SOURCE, title="News")])
        yield catalog


def planned(catalog: Catalog, *slices: Slice) -> list[Slice]:
    catalog.plan(SOURCE, lambda have: slices)
    return catalog.slices([SOURCE], MARCH.since, APRIL.until)


def found(catalog: Catalog, one: Slice, *entries: Entry, state: str = "done") -> Slice | None:
    taken = catalog.take_slice(one.id, "me", NOON, NOON + LEASE)
    assert taken
    after = replace(taken, state=state)
    return catalog.stepped(one.id, "me", entries, NOON, NOON + LEASE, lambda found, fresh: after)


def judged(catalog: Catalog, reason: str, published: date) -> None:
    (waiting,) = catalog.to_fetch(NOON, 9, live=False)
    catalog.decide(waiting.id, Verdict(reason), Judgement(published=published), NOON)


def test_of_many_walkers_one_takes_a_slice(catalog: Catalog) -> None:
    (one,) = planned(catalog, MARCH)

    with ThreadPoolExecutor(8) as pool:
        taken = list(
            pool.map(
                lambda who: catalog.take_slice(one.id, who, NOON, NOON + LEASE), map(str, range(8))
            )
        )

    assert [slice.state for slice in taken if slice] == ["running"]


def test_of_many_planners_each_day_is_planned_once(catalog: Catalog) -> None:
    def plan(_: int) -> None:
        catalog.plan(SOURCE, lambda have: [] if have else [MARCH, APRIL])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(plan, range(8)))

    assert len(catalog.slices([SOURCE], MARCH.since, APRIL.until)) == 2


def test_a_killed_walkers_slice_is_taken_up_where_it_was_once_its_lease_is_over(
    catalog: Catalog,
) -> None:
    (one,) = planned(catalog, MARCH)
    catalog.take_slice(one.id, "killed", NOON, NOON + LEASE)
    going = replace(one, state="running", cursor="page 2")
    catalog.stepped(one.id, "killed", [OLD], NOON, NOON + LEASE, lambda found, fresh: going)

    early = catalog.take_slice(one.id, "other", NOON, NOON + LEASE)
    late = catalog.take_slice(one.id, "other", NOON + LEASE, NOON + 2 * LEASE)
    after = catalog.stepped(one.id, "killed", (), NOON, NOON, lambda found, fresh: going)

    assert early is None
    assert late
    assert (late.cursor, late.found) == ("page 2", 1)
    assert after is None  # it was not killed, but late: what it brings now is the other's


def test_a_step_tells_what_is_found_in_all_and_for_the_first_time(catalog: Catalog) -> None:
    (one,) = planned(catalog, MARCH)
    catalog.take_slice(one.id, "me", NOON, NOON + LEASE)
    told: list[tuple[int, int]] = []

    def after(found: int, fresh: int) -> Slice:
        told.append((found, fresh))
        return replace(one, state="running")

    urls = [f"http://news.example/{n}" for n in range(3)]
    entries = [replace(OLD, url=url, link=url) for url in urls]
    for step in (entries[:2], entries[1:], entries):
        catalog.stepped(one.id, "me", step, NOON, NOON + LEASE, after)

    assert told == [(2, 2), (3, 1), (3, 0)]


def test_what_a_backfill_finds_is_no_polls_work_and_the_other_way_round(catalog: Catalog) -> None:
    (one,) = planned(catalog, MARCH)
    found(catalog, one, OLD)
    live = replace(ENTRY, url="http://news.example/live")
    catalog.polled(FeedState(url=SOURCE, outcome="listed"), [live], NOON)

    assert [w.entry.url for w in catalog.to_fetch(NOON, 9)] == [live.url]
    assert [w.entry.url for w in catalog.to_fetch(NOON, 9, live=False)] == [OLD.url]


def test_a_poll_that_meets_what_a_backfill_found_makes_it_its_own_without_an_edit(
    catalog: Catalog,
) -> None:
    (one,) = planned(catalog, MARCH)
    found(catalog, one, replace(OLD, summary="As the archive tells it."))

    taken = catalog.polled(FeedState(url=SOURCE, outcome="listed"), [ENTRY], NOON)

    assert (taken.new, taken.edited) == (0, 0)
    assert [w.entry.url for w in catalog.to_fetch(NOON, 9)] == [ENTRY.url]


def test_a_backfill_changes_nothing_of_what_a_poll_found(catalog: Catalog) -> None:
    catalog.polled(FeedState(url=SOURCE, outcome="listed"), [ENTRY], NOON)
    before = catalog.life(ENTRY.url)
    (one,) = planned(catalog, MARCH)

    found(catalog, one, replace(OLD, title="Another", summary="Other words."))

    assert catalog.life(ENTRY.url) == before


def test_days_asked_for_are_those_of_all_slices_of_the_source(catalog: Catalog) -> None:
    march, _ = planned(catalog, MARCH, APRIL)
    found(catalog, march, OLD)
    (waiting,) = catalog.to_fetch(NOON, 9, live=False)

    windows = catalog.windows(waiting.id)

    assert sorted(windows or ()) == [(MARCH.since, MARCH.until), (APRIL.since, APRIL.until)]


def test_what_was_out_of_range_is_judged_anew_once_its_day_is_asked_for(catalog: Catalog) -> None:
    (march,) = planned(catalog, MARCH)
    found(catalog, march, OLD)
    judged(catalog, "out_of_range", APRIL.since)

    catalog.reopen(date.min, date.max)
    before = catalog.tally()
    planned(catalog, APRIL)
    catalog.reopen(date.min, APRIL.since)  # the topic ends before that day
    topic = catalog.tally()
    catalog.reopen(date.min, date.max)

    assert before == topic == {"out_of_range": 1}
    assert catalog.tally() == {"to_sift": 1}


def test_what_was_out_of_range_is_judged_anew_once_a_poll_sees_it(catalog: Catalog) -> None:
    (march,) = planned(catalog, MARCH)
    found(catalog, march, OLD)
    judged(catalog, "out_of_range", date(2017, 1, 1))

    catalog.polled(FeedState(url=SOURCE, outcome="listed"), [ENTRY], NOON)
    catalog.reopen(date.min, date.max)

    assert catalog.tally() == {"to_sift": 1}


def test_a_story_of_another_day_is_out_of_range_for_its_slice_alone(catalog: Catalog) -> None:
    march, april = planned(catalog, MARCH, APRIL)
    found(catalog, march, OLD)
    found(catalog, april, OLD)
    judged(catalog, "off_topic", APRIL.since)

    given = catalog.given([march.id, april.id])

    assert given == {march.id: {"out_of_range": 1}, april.id: {"off_topic": 1}}


def test_ways_are_remembered_by_feed(catalog: Catalog) -> None:
    catalog.save_way(SOURCE, "paged", "")
    catalog.save_way(SOURCE, "sitemap", "http://news.example/sitemap.xml")

    assert catalog.ways() == {SOURCE: {"paged": "", "sitemap": "http://news.example/sitemap.xml"}}
