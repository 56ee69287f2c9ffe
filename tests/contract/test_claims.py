"""Who is at work on which entries: each is one worker's, for a while, as long as it lives."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, update

from storage import schema
from storage.catalog import Catalog
from storage.leases import LEASE
from storage.model import Judgement, Place, Verdict
from tests.builders import NOON, PAGE
from tests.contract.test_catalog import seen

PLACE = Place(file="a.warc.gz", offset=0, length=10)
OVER = NOON + LEASE + timedelta(seconds=1)
HOLDING = """
import sys
from tests.contract.test_claims import NOON, Catalog
catalog = Catalog(sys.argv[1])
with catalog.at_work():
    print(catalog.hold("sift", [one.id for one in catalog.to_sift(NOON, 9)], NOON), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def here(url: str) -> Iterator[Catalog]:
    with Catalog(url) as catalog:
        yield catalog


@pytest.fixture
def there(here: Catalog, url: str) -> Iterator[Catalog]:
    """The same catalog, open for another worker."""
    with Catalog(url) as catalog:
        yield catalog


def numbers(catalog: Catalog, many: int) -> list[int]:
    """Bring so many entries in, their pages fetched."""
    seen(catalog, *(f"http://news.example/{n}" for n in range(many)))
    found = [one.id for one in catalog.to_fetch(NOON, many)]
    for number in found:
        catalog.fetched(number, PAGE, PLACE, "0")
    return found


def listed(catalog: Catalog) -> list[int]:
    return [one.id for one in catalog.to_sift(NOON, 9)]


def test_what_one_worker_holds_no_other_is_given(here: Catalog, there: Catalog) -> None:
    one, two, three = numbers(here, 3)

    assert here.hold("sift", [one, two], NOON) == {one, two}
    assert there.hold("sift", [one, two, three], NOON) == {three}
    assert listed(here) == listed(there) == []
    assert there.held(NOON) == (2, NOON + LEASE)


def test_a_hold_is_over_after_its_time_unless_it_is_renewed(here: Catalog, there: Catalog) -> None:
    one, two = numbers(here, 2)
    here.hold("sift", [one, two], NOON)

    assert here.hold("sift", [one], NOON + LEASE / 2) == {one}
    assert there.hold("sift", [one, two], OVER) == {two}
    assert here.hold("sift", [two], OVER) == set()


def test_a_clock_that_ran_ahead_holds_nothing_for_good(here: Catalog, there: Catalog) -> None:
    (one,) = numbers(here, 1)
    here.hold("sift", [one], NOON + timedelta(days=40))

    assert listed(there) == [one]
    assert there.hold("sift", [one], NOON) == {one}


def test_at_the_end_of_its_work_a_worker_lets_go(here: Catalog, there: Catalog) -> None:
    (one,) = numbers(here, 1)

    with suppress(KeyboardInterrupt), here.at_work():
        here.hold("sift", [one], NOON)
        raise KeyboardInterrupt

    assert there.hold("sift", [one], NOON) == {one}


def test_an_entry_that_waits_for_nothing_is_not_given(here: Catalog, there: Catalog) -> None:
    (one,) = numbers(here, 1)

    assert there.hold("fetch", [one], NOON) == set()
    here.hold("sift", [one], NOON)
    here.decide(one, Verdict("off_topic"), Judgement(), NOON)
    assert there.hold("sift", [one], NOON) == set()
    assert there.held(NOON) == (0, None)


def test_a_page_that_was_tried_is_held_no_more(here: Catalog, there: Catalog) -> None:
    seen(here, *(f"http://news.example/{n}" for n in range(3)))
    tried, later, had = (one.id for one in here.to_fetch(NOON, 9))
    here.hold("fetch", [tried, later, had], NOON)

    here.faulted(tried, NOON, "timeout_total", "", NOON)
    here.postpone(later, NOON)
    here.fetched(had, PAGE, PLACE, "0")

    assert there.hold("fetch", [tried, later, had], NOON) == {tried, later}
    assert there.hold("sift", [had], NOON) == {had}


def test_what_a_killed_worker_of_this_machine_held_is_free_at_once(url: str, here: Catalog) -> None:
    (one,) = numbers(here, 1)
    command = [sys.executable, "-c", HOLDING, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout
        assert worker.stdout.readline() == f"{{{one}}}\n".encode()
        with here.at_work():
            while_it_lived = here.hold("sift", [one], NOON)
        worker.kill()

    with here.at_work():
        assert while_it_lived == set()
        assert here.hold("sift", [one], NOON) == {one}


def test_a_worker_of_another_machine_may_live(url: str, here: Catalog) -> None:
    (one,) = numbers(here, 1)
    engine = create_engine(url)
    with engine.begin() as connection:
        there = {"holder": "another-boot.1 1 1 mark", "leased": NOON + LEASE}
        connection.execute(update(schema.entry).values(there))
    engine.dispose()

    with here.at_work():
        assert here.hold("sift", [one], NOON) == set()
        assert here.hold("sift", [one], OVER) == {one}


def test_of_many_workers_at_once_each_entry_is_one_s(url: str, here: Catalog) -> None:
    all_of_them = numbers(here, 60)

    def work(_: int) -> set[int]:
        with Catalog(url) as catalog:
            found: set[int] = set()
            for start in range(0, len(all_of_them), 4):
                found |= catalog.hold("sift", all_of_them[start : start + 4], NOON)
            return found

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(work, range(8)))

    assert sorted(one for found in given for one in found) == all_of_them
