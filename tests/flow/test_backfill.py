"""Days of the past, however they are asked for: each story in them once, and none besides."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from ingest.backfill import read_range, walk
from ingest.desk import Desk
from ingest.fetch import fetch
from ingest.report import verify
from ingest.sift import sift
from tests.home import Home
from tests.pastsite import PastSite, Scripted, Told, told, ways

SINCE, UNTIL = date(2015, 12, 20), date(2016, 4, 5)
UTC_DAY = timedelta(days=1)
# Month ends, both ends of the range, a leap day, New Year, and the night the clocks go forward:
# between them a second before midnight UTC and on it, and the hour that is another day in London.
EDGES = [
    datetime(2015, 12, 19, 23, 59, 59), datetime(2015, 12, 20), datetime(2015, 12, 31, 23, 59, 59),
    datetime(2016, 1, 1), datetime(2016, 1, 31, 12), datetime(2016, 2, 1),
    datetime(2016, 2, 28, 22),
    datetime(2016, 2, 29, 9), datetime(2016, 2, 29, 23, 59, 59), datetime(2016, 3, 1),
    datetime(2016, 3, 27, 0, 30), datetime(2016, 3, 27, 1, 30), datetime(2016, 3, 27, 23, 30),
    datetime(2016, 3, 30, 23, 30), datetime(2016, 3, 31, 23, 30), datetime(2016, 4, 4, 22, 59),
    datetime(2016, 4, 4, 23, 30), datetime(2016, 4, 5), datetime(2016, 4, 7),
    datetime(2015, 12, 17), datetime(2015, 12, 16, 23), datetime(2014, 2, 3), datetime(2018, 2, 3),
]  # fmt: skip
STORIES = told(moment.replace(tzinfo=UTC) for moment in EDGES)
# The archive's dates are a day and more from the pages' own.
EARLY = told((moment.replace(tzinfo=UTC) for moment in EDGES), timedelta(hours=-40))


@pytest.fixture(autouse=True)
def _scripted() -> Iterator[None]:
    with ways(scripted=Scripted):
        yield


@pytest.fixture
def site() -> Iterator[PastSite]:
    with PastSite(STORIES) as site:
        yield site


@pytest.fixture
def home(site: PastSite, tmp_path: Path) -> Home:
    return Home(tmp_path, [site.url("/feed")])


def days(first: date, last: date, step: int = 1) -> list[tuple[date, date]]:
    cuts = [first + n * UTC_DAY for n in range(0, (last - first).days, step)]
    return list(pairwise([*cuts, last]))


def walked(desk: Desk, since: date = SINCE, until: date = UNTIL, **more: object) -> dict[str, int]:
    return walk(desk, read_range(desk, str(since), str(until), **more))  # type: ignore[arg-type]


def kept(home: Home) -> list[str]:
    """Return the URLs of the stories in the corpus, each as often as it is there."""
    with home.desk() as desk:
        assert verify(desk) == []
        return sorted(row["url"] for row in desk.catalog.stories())


def of_the_days(site: PastSite, since: date = SINCE, until: date = UNTIL) -> list[str]:
    return sorted(
        site.url(one.path)
        for one in site.stories
        if one.published and since <= one.published < until
    )


@pytest.mark.parametrize(
    ("parts", "stories"),
    [([(SINCE, UNTIL)], STORIES), (days(SINCE, UNTIL)[::-1], EARLY)],
    ids=["one", "days_backwards"],
)
def test_a_range_gives_the_same_stories_however_it_is_cut(
    site: PastSite, home: Home, parts: list[tuple[date, date]], stories: list[Told]
) -> None:
    site.stories = stories

    with home.desk() as desk:
        for place, (since, until) in enumerate(parts):
            walked(desk, since, until)
            if place == 36:  # so that later days reopen what was refused
                fetch(desk, live=False)
                sift(desk)
        fetch(desk, live=False)
        sift(desk)

    assert kept(home) == of_the_days(site)
