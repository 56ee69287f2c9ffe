"""Which pages of a file are needed, and what the catalog says once the others are gone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from storage.catalog import Catalog
from storage.model import Feed, FeedState, Judgement, Place, Verdict
from tests.builders import ENTRY, NOON, PAGE

LATER = NOON + timedelta(days=100)
NEW = Place(file="b.warc.gz", offset=7, length=10)
REASONS = ("off_topic", "review", "out_of_range", "", "kept")  # "": none yet


def place(number: int) -> Place:
    return Place(file="a.warc.gz", offset=10 * number, length=10)


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    """A catalog with an entry for each of the reasons; one page of another is fetched late."""
    with Catalog(url) as catalog:
        catalog.list_feeds([Feed(url=ENTRY.source, title="News")])
        entries = [
            replace(ENTRY, url=f"http://news.example/{number}") for number in range(len(REASONS))
        ]
        catalog.polled(FeedState(url=ENTRY.source, outcome="listed"), entries, NOON)
        for number, reason in enumerate(REASONS, start=1):
            catalog.fetched(number, PAGE, place(number), "digest")
            if reason:
                catalog.decide(number, Verdict(reason), Judgement(), NOON)
        catalog.fetched(5, replace(PAGE, fetched=LATER), place(6), "digest")
        yield catalog


def test_a_page_is_needed_until_it_was_judged_for_good_some_time_ago(catalog: Catalog) -> None:
    needed, spare = catalog.pages_in("a.warc.gz", LATER)

    assert set(needed.values()) == {place(number) for number in (2, 3, 4, 6)}
    assert set(spare.values()) == {place(1), place(5)}
    assert catalog.pages_in("a.warc.gz", NOON) == (needed | spare, {})
    assert catalog.pages_in("b.warc.gz", LATER) == ({}, {})


def test_needed_pages_are_found_where_they_moved_to(catalog: Catalog) -> None:
    needed, _ = catalog.pages_in("a.warc.gz", LATER)
    moved = dict.fromkeys(needed, NEW)

    assert catalog.prune("a.warc.gz", LATER, moved, LATER)

    assert {lies for _, lies, _ in catalog.places()} == {NEW}
    (waiting,) = catalog.to_sift(NOON, 10)
    assert waiting.place == NEW
    gone = {one.waiting.id for one in catalog.decided(0, 10) if one.waiting.place is None}
    assert gone == {1, 5}
    life = catalog.life(1)
    assert life
    assert life["fetches"][0]["pruned"] == LATER


def test_nothing_is_forgotten_when_a_page_is_needed_after_all(catalog: Catalog) -> None:
    needed, _ = catalog.pages_in("a.warc.gz", LATER)
    with catalog.admission() as admission:
        admission.reopen(1)

    assert not catalog.prune("a.warc.gz", LATER, dict.fromkeys(needed, NEW), LATER)

    assert NEW not in {lies for _, lies, _ in catalog.places()}


def test_a_page_that_moved_while_it_was_read_is_not_lost(catalog: Catalog) -> None:
    (waiting,) = catalog.to_sift(NOON, 10)
    assert waiting.place
    needed, _ = catalog.pages_in("a.warc.gz", LATER)
    catalog.prune("a.warc.gz", LATER, dict.fromkeys(needed, NEW), LATER)

    catalog.lost(waiting.id, LATER, "no page", waiting.place)
    assert [one.place for one in catalog.to_sift(NOON, 10)] == [NEW]

    catalog.lost(waiting.id, LATER, "no page", NEW)
    assert catalog.to_sift(NOON, 10) == []
