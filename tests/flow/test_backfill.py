"""Days of the past, however they are asked for: each story in them once, and none besides."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from ingest.backfill import PAUSE, forecast, offers, read_range, shown, walk
from ingest.desk import Desk
from ingest.errors import RunFailed, SettingsError
from ingest.fetch import fetch
from ingest.report import verify
from ingest.sift import sift
from ingest.urls import host_of
from storage.model import HostState, Slice
from tests.home import Clock, Home, rss
from tests.pastsite import OnlyWeeks, PastSite, Scripted, Told, Unlike, told, ways

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


# what is found: without pages, so that more can be tried


def near(site: PastSite, since: date = SINCE, until: date = UNTIL) -> list[str]:
    """Return the URLs of what the archive dates within the days and their margin."""
    margin = 3 * UTC_DAY
    return sorted(
        site.url(one.path)
        for one in site.stories
        if not one.announced or since - margin <= one.announced.date() < until + margin
    )


def entries(desk: Desk) -> list[str]:
    waiting = desk.catalog.to_fetch(desk.now(), 999, live=False)
    return sorted(one.entry.url for one in waiting)


def slices(desk: Desk, since: date = SINCE, until: date = UNTIL) -> list[Slice]:
    return desk.catalog.slices([feed.url for feed in desk.feeds], since, until)


class Killed(BaseException):
    """As a kill: nobody catches it, and nothing more is written."""


class Mortal(Clock):
    """Kills whoever looks at it for the nth time; then nobody can look at it again."""

    def __init__(self, life: int) -> None:
        super().__init__()
        self.life = life

    def now(self) -> datetime:
        self.life -= 1
        if self.life < 0:
            raise Killed
        return self.time


def test_whenever_it_is_killed_the_next_run_goes_on_and_finds_each_once(
    site: PastSite, home: Home
) -> None:
    clock = Clock()
    for life in (2, 5, 9, 14, 17, 23, 29, 31, 40, 52, 66):
        mortal = Mortal(life)
        mortal.time = clock.time
        with home.desk(mortal) as desk, suppress(Killed):
            walked(desk)
        clock.time += timedelta(minutes=10)  # the lease of who was killed is over
    killed = len(site.asked)

    with home.desk(clock) as desk:
        walked(desk)

        assert entries(desk) == near(site)
        assert {one.state for one in slices(desk)} == {"done"}
    assert killed


def test_what_is_done_is_not_asked_for_again_unless_a_person_says_so(
    site: PastSite, home: Home
) -> None:
    with home.desk() as desk:
        first = walked(desk)
        asked = len(site.asked)

        again = walked(desk)
        idle = len(site.asked) - asked
        walked(desk, again=True)

    assert (first["done"], again["done"], idle, again["steps"]) == (5, 5, 0, 0)
    assert len(site.asked) > asked


def test_a_window_that_is_capped_splits_until_it_is_whole(site: PastSite, home: Home) -> None:
    site.most = 6

    with home.desk() as desk:
        counts = walked(desk)

        assert entries(desk) == near(site)
    assert counts["done"] == counts["slices"] > 5


def test_a_day_that_is_capped_fails_loudly_and_the_others_are_walked(
    site: PastSite, home: Home
) -> None:
    day = datetime(2016, 2, 10, 12, tzinfo=UTC)
    site.stories = [*STORIES, *told([day] * 12)]
    site.most = 11

    with home.desk() as desk, pytest.raises(RunFailed, match="2016-02-10"):
        walked(desk)

    with home.desk() as desk:
        bad = [one for one in slices(desk) if one.state == "partial"]
        assert {(one.until - one.since).days for one in bad} == {1}
        assert all(one.reason == "capped: total=12" for one in bad)
        assert any(one.state == "done" for one in slices(desk))


def test_stories_deleted_while_we_read_cost_no_other_one(site: PastSite, home: Home) -> None:
    stories = told(datetime(2016, 2, 3, n, tzinfo=UTC) for n in range(20))
    site.stories = list(stories)

    def delete(site: PastSite, page: int) -> None:
        if page == 1 and len(site.stories) == 20:  # what follows moves up by one page's place
            site.stories.remove(stories[19])

    site.on_page = delete
    with home.desk() as desk:
        walked(desk, date(2016, 2, 1), date(2016, 2, 8))

        assert set(near(site)) <= set(entries(desk))


def test_a_pager_without_end_ends_as_partial(
    site: PastSite, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.backfill.MAX_STEPS", 7)  # of 2,000: time, not behaviour
    site.more = True

    with home.desk() as desk, pytest.raises(RunFailed, match="not one slice"):
        walked(desk, date(2016, 2, 1), date(2016, 2, 8))

    with home.desk() as desk:
        (one,) = slices(desk)
        assert (one.state, one.reason) == ("partial", "endless: 7 steps and no end")


def test_a_slice_rests_as_long_as_its_source_asks(site: PastSite, home: Home) -> None:
    clock = Clock()
    site.stories = told([datetime(2016, 2, 3, 12, tzinfo=UTC)])
    site.busy = 1

    with home.desk(clock) as desk:
        walked(desk, date(2016, 2, 1), date(2016, 2, 8))
        (one,) = slices(desk, date(2016, 2, 1), date(2016, 2, 8))

    assert one.state == "done"
    assert clock.time >= Clock().time + timedelta(seconds=600)


def test_a_site_that_is_down_is_asked_again_and_then_by_the_next_run_from_there(
    site: PastSite, home: Home
) -> None:
    clock = Clock()
    site.stories = told(datetime(2016, 2, 3, n, tzinfo=UTC) for n in range(12))
    week = (date(2016, 2, 1), date(2016, 2, 8))

    def down(site: PastSite, page: int) -> None:
        site.fails = [503] * 3 if page == 1 and not site.fails else []

    site.on_page = down
    with home.desk(clock) as desk, pytest.raises(RunFailed, match="not one slice"):
        walked(desk, *week)
    with home.desk(clock) as desk:
        (one,) = slices(desk, *week)
    site.on_page = lambda site, page: None
    before = len(site.asked)
    with home.desk(clock) as desk:
        walked(desk, *week)
        found = entries(desk)

    assert (one.state, one.cursor) == ("planned", "2")
    assert "status=503" in one.reason
    assert clock.time >= Clock().time + 2 * PAUSE
    assert found == near(site)
    assert [path[-6:] for path in site.paths()[before:]] == ["page=2"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_where_one_way_is_refused_the_next_one_walks_from_the_beginning(
    site: PastSite, home: Home, status: int
) -> None:
    def refuse(site: PastSite, page: int) -> None:
        site.fails = [status] if page == 1 and status not in asked else []
        asked.append(status if page == 1 else 0)

    asked: list[int] = []
    site.on_page = refuse
    week = (date(2016, 2, 1), date(2016, 3, 8))
    with ways(scripted=Scripted, unlike=Unlike, weeks=OnlyWeeks), home.desk() as desk:
        walked(desk, *week)

        assert entries(desk) == near(site, *week)
        assert "unlike" in {one.way for one in slices(desk)}
        assert {one.state for one in slices(desk)} == {"done"}


def test_a_refused_slice_is_cut_to_what_the_next_way_can_walk(site: PastSite, home: Home) -> None:
    def refuse(site: PastSite, page: int) -> None:
        site.fails = [403] if len(site.asked) < 4 and page == 0 else []

    site.on_page = refuse
    with ways(scripted=Scripted, weeks=OnlyWeeks), home.desk() as desk:
        counts = walked(desk)

        assert entries(desk) == near(site)
    assert counts["done"] == counts["slices"] > 5


def test_a_source_without_a_way_is_counted(site: PastSite, home: Home) -> None:
    with ways(), home.desk() as desk:
        assert walked(desk)["no_way"] == 1


def test_a_dry_run_asks_nobody_and_tells_slices_requests_and_hours(
    site: PastSite, tmp_path: Path
) -> None:
    home = Home(tmp_path, [site.url("/feed")], NEWS_HOST_GAP="5")
    with home.desk() as desk:
        wanted = read_range(desk, "2016-02-01", "2016-03-15")
        unknown = forecast(desk, wanted)
        asked = len(site.asked)
        offers(desk, desk.feeds)
        state = desk.catalog.feed_states()[desk.feeds[0].url]
        desk.catalog.polled(replace(state, usual_gap=UTC_DAY), (), desk.now())
        before = len(site.asked)
        known = forecast(desk, wanted)

    assert (asked, len(site.asked)) == (0, before)
    assert unknown["unknown"] == [site.url("/feed")]
    assert unknown["slices"] == []
    told = [
        (one["since"], one["until"], one["entries"], one["requests"]) for one in known["slices"]
    ]
    assert told == [
        ("2016-02-01", "2016-03-01", 35, 35 + 9),
        ("2016-03-01", "2016-03-15", 20, 20 + 5),
    ]
    assert known["requests"] == 35 + 9 + 20 + 5
    assert known["hours"] == round(69 * 5 / 3600, 2)
    assert known["host"] == site.host


@pytest.mark.parametrize(
    ("since", "until", "more", "said"),
    [
        ("2016-02-30", "2016-03-01", {}, "write days as"),
        ("2016-03-01", "2016-03-01", {}, "the day after the last"),
        ("2016-03-01", "2016-03-02", {"kinds": ["crystal"]}, "'crystal' is no way"),
        ("2016-03-01", "2016-03-02", {"sources": ["http://x.example/"]}, "is not in"),
    ],
)
def test_a_range_that_is_none_says_what_to_write(
    home: Home, since: str, until: str, more: dict[str, list[str]], said: str
) -> None:
    with home.desk() as desk, pytest.raises(SettingsError, match=said):
        read_range(desk, since, until, **more)


def test_the_days_to_come_are_left_out(home: Home) -> None:
    with home.desk() as desk:
        wanted = read_range(desk, "2026-01-01", "2030-01-01")

    assert wanted.until == date(2026, 3, 3)


def test_what_each_slice_gave_adds_up(site: PastSite, home: Home) -> None:
    with home.desk() as desk:
        walked(desk)
        rows = shown(desk, read_range(desk, str(SINCE), str(UNTIL)))

    assert [one["found"] for one in rows] == [one["waiting"] for one in rows]
    assert sum(one["found"] for one in rows) >= len(near(site))


def test_while_a_poll_waits_for_a_host_a_walk_makes_way(site: PastSite, home: Home) -> None:
    clock, busy = Clock(), timedelta(seconds=30)
    asked: list[datetime] = []
    site.on_page = lambda site, page: asked.append(clock.time)

    with home.desk(clock) as desk:
        waits = replace(HostState(), live_until=clock.time + busy)
        desk.catalog.claim(host_of(site.url()), lambda known: (waits, timedelta(0)))
        walked(desk)

    assert min(asked) >= Clock().time + busy


def test_checking_feeds_records_their_ways_into_the_past(site: PastSite, home: Home) -> None:
    feed = rss([(site.url("/story/1"), "One")])
    site.publish("/feed", feed, content_type="application/rss+xml")

    process = started(home, "cli", "feeds", "check", "--json")
    out, _ = process.communicate(timeout=120)

    assert json.loads(out)[0]["ways"] == ["scripted"]
    with home.desk() as desk:
        assert desk.catalog.ways() == {site.url("/feed"): {"scripted": site.url("/archive")}}


# real processes


def started(home: Home, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.pastsite", *arguments],
        env=home.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def asked_for(site: PastSite, requests: int) -> None:
    until = time.monotonic() + 120
    while len(site.asked) < requests:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_two_runs_at_once_one_of_them_killed_keep_each_story_once(
    site: PastSite, home: Home
) -> None:
    first = started(home, str(SINCE), str(UNTIL))
    asked_for(site, 8)
    first.kill()
    first.communicate()
    with home.desk() as desk:  # as if four minutes had passed: its leases are over
        desk.catalog.claim(host_of(site.url()), lambda known: (HostState(), timedelta(0)))
        for one in slices(desk):
            if one.state == "running":
                desk.catalog.plan(one.source, lambda have, one=one: [replace(one, state="planned")])

    both = [started(home, str(SINCE), "2016-03-10"), started(home, "2016-02-20", str(UNTIL))]
    ended = [(process.communicate(timeout=300), process.returncode) for process in both]

    assert [code for _, code in ended] == [0, 0], ended
    with home.desk() as desk:
        sift(desk)
    assert kept(home) == of_the_days(site)


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(site: PastSite, home: Home) -> None:
    site.on_page = lambda site, page: time.sleep(0.2)
    days = ["--from", str(SINCE), "--to", "2016-01-20", "--json"]
    process = started(home, "cli", "backfill", *days)
    asked_for(site, 2)

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    with home.desk() as desk:
        left = [one.state for one in slices(desk)]
    again = started(home, "cli", "backfill", *days)
    out, _ = again.communicate(timeout=300)

    assert process.returncode == 130
    assert "goes on from here" in err
    assert "running" not in left
    assert "planned" in left
    assert again.returncode == 0
    assert {one["state"] for one in json.loads(out)["slices"]} == {"done"}
    assert kept(home) == of_the_days(site, until=date(2016, 1, 20))
