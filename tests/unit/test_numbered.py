"""Walks through numbered pages, whatever the site, the window and what changes meanwhile."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.numbered import At, onward
from ingest.sources.past import Window
from storage.model import Entry
from tests.builders import ENTRY, NOON

DAY = timedelta(days=1)
GAPS = st.lists(st.sampled_from([0, 0, 1, 1, 2, 9, 40]), max_size=60)  # days between stories
CHANGES = st.lists(st.tuples(st.integers(1, 30), st.integers(-1, 59)), max_size=6)


def told(gaps: Sequence[int]) -> list[Entry]:
    days = accumulate(gaps)
    return [
        replace(ENTRY, url=f"http://news.example/{place}", published=NOON - days * DAY)
        for place, days in enumerate(days)
    ]


def window(since: int, days: int) -> Window:
    return Window((NOON - since * DAY).date(), (NOON + (days - since) * DAY).date())


def page(entries: Sequence[Entry], size: int, number: int, beyond: str) -> Sequence[Entry]:
    last = max(1, -(-len(entries) // size))
    if number > last:
        number = {"none": number, "first": 1, "last": last}[beyond]
    return entries[(number - 1) * size : number * size]


@given(
    GAPS, st.integers(1, 7), st.integers(-40, 400), st.integers(1, 90),
    st.sampled_from(["none", "first", "last"]), CHANGES,
)  # fmt: skip
def test_a_walk_finds_all_that_stays(
    gaps: list[int], size: int, since: int, days: int, beyond: str, changes: list[tuple[int, int]]
) -> None:
    entries, asked = told(gaps), window(since, days)
    wanted = {one.url for one in entries if asked.near(one.published)}
    reads, found, new = 0, set[str](), 0

    for _ in range(8):  # passes: the changes end some time
        before, at = len(found), At()
        while at:
            reads += 1
            assert reads < 2_000
            for when, place in changes:
                if when == reads and place < 0:
                    new += 1
                    entries.insert(0, replace(ENTRY, url=f"http://news.example/new/{new}"))
                elif when == reads and place < len(entries):
                    wanted.discard(entries.pop(place).url)
            shown = page(entries, size, at.page, beyond)
            found |= {one.url for one in shown if asked.near(one.published)}
            at = onward(at, shown, asked)
        if len(found) == before and reads > 30:
            break

    assert wanted <= found


LONG = told([1] * 5_000)  # a story a day


@given(st.integers(1, 500), st.integers(0, 5_000), st.integers(1, 60))
def test_a_walk_asks_for_few_pages(pages: int, since: int, days: int) -> None:
    entries, asked, at, reads = LONG[: pages * 10], window(since, days), At(), 0

    while at:
        reads += 1
        at = onward(at, page(entries, 10, at.page, "none"), asked)

    assert reads <= 2 * pages.bit_length() + (days + 6) // 10 + 3
