"""Many workers, one catalog: a host is asked one request at a time, and never within its gap."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from ingest import runs
from ingest.desk import LEASE_SLACK, Desk
from ingest.discover import discover
from ingest.errors import Fault, FetchError
from ingest.fetch import fetch
from ingest.settings import read
from storage.model import HostState
from tests.databases import SERVER, database
from tests.home import Clock, Home, rss
from tests.newssite import NewsSite, Reply

GAP = 0.1  # seconds
STORY = "<article><h1>One</h1><p>" + "Councils and hospitals plan care. " * 40 + "</p></article>"


@pytest.fixture
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


@pytest.fixture
def other() -> Iterator[NewsSite]:
    with NewsSite("127.0.0.2") as site:
        yield site


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    if request.param == "sqlite":
        yield Home(tmp_path, NEWS_HOST_GAP=str(GAP))
        return
    if not SERVER:
        pytest.skip("NEWS_TEST_POSTGRES is not set; .ci/run starts a server and sets it")
    with database() as url:
        yield Home(tmp_path, NEWS_HOST_GAP=str(GAP), NEWS_CATALOG=url)


def asker(home: Home, *urls: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "tests.asker", *urls], env=home.environment)


def test_workers_in_three_processes_keep_the_gap_together_also_over_redirects(
    shared: Home, site: NewsSite, other: NewsSite
) -> None:
    for here, there in ((site, other), (other, site)):
        here.publish("/story", STORY, takes=0.05)
        here.redirect("/away", there.url("/story"))
    with shared.desk() as desk:
        assert desk.catalog  # made before the workers come

    urls = [site.url("/away"), other.url("/story"), other.url("/away"), site.url("/story")]
    workers = [asker(shared, *urls[n:], *urls[:n]) for n in range(3)]
    ends = [worker.wait(60) for worker in workers]

    assert ends == [0, 0, 0]
    for one in (site, other):
        times = [asked.at for asked in one.asked]
        assert len(times) == 3 * 3
        assert min(later - earlier for earlier, later in pairwise(times)) >= GAP
        assert one.most_at_once == 1


def test_a_host_is_asked_again_when_the_lease_of_a_killed_worker_is_over(
    shared: Home, site: NewsSite
) -> None:
    clock = Clock(datetime.now(UTC))
    worker = asker(shared, site.misbehave("/hangs", "hang"))
    while not site.asked:
        time.sleep(0.02)
    worker.kill()
    worker.wait()
    began = clock.time

    with shared.desk(clock) as desk:
        desk.web.get(site.publish("/story", STORY), may_ask=desk.wait_turn)
        lease = timedelta(seconds=desk.settings.fetch_deadline) + LEASE_SLACK

    waited = clock.time - began
    assert lease + desk.settings.gap <= waited < lease + desk.settings.gap + timedelta(minutes=1)


def test_live_polling_goes_before_backfill(site: NewsSite, tmp_path: Path) -> None:
    home, clock = Home(tmp_path, NEWS_HOST_GAP="5"), Clock()
    url = site.publish("/story", STORY)
    kept_waiting: list[float] = []

    class Waits(Exception):
        """Backfill is made to wait; then it comes back."""

    def stop(seconds: float) -> None:
        kept_waiting.append(seconds)
        raise Waits

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        with backfill.wait_turn(url, live=False):
            pass

    with (
        Desk(read(home.news), now=clock.now, sleep=stop) as backfill,
        Desk(read(home.news), now=clock.now, sleep=sleep) as live,
    ):
        with live.wait_turn(url):
            pass
        with pytest.raises(Waits), live.wait_turn(url):
            pass  # it slept for the gap; the host was free, and not given to backfill

        clock.sleep(1)
        with backfill.wait_turn(url, live=False):
            pass

    assert kept_waiting == [1]


def test_a_429_lets_the_whole_host_rest_and_no_other(
    site: NewsSite, other: NewsSite, tmp_path: Path
) -> None:
    feeds = [site.url("/a"), site.url("/b"), other.url("/a")]
    site.publish("/a", "", status=429, headers={"Retry-After": "1800"})
    site.publish("/b", rss([(site.url("/story"), "One")]))
    other.publish("/a", rss([(site.url("/story"), "One"), (other.url("/story"), "Two")]))
    other.publish("/story", STORY)
    home, clock = Home(tmp_path, feeds), Clock()

    with home.desk(clock) as desk:
        counts = discover(desk)
        pages = fetch(desk)
        states = desk.catalog.feed_states()
        (waiting,) = desk.catalog.to_fetch(clock.time + timedelta(seconds=1800), 10)

    assert (counts["rate_limited"], counts["deferred_host"], counts["new"]) == (1, 1, 1)
    assert site.paths() == ["/a"]
    put_off = states[site.url("/b")]
    assert (put_off.failures, put_off.next_poll) == (0, clock.time + timedelta(seconds=1800))
    assert "deferred_host" in put_off.reason
    assert (pages["fetched"], pages["deferred_host"], pages["pages"]) == (1, 1, 1)
    assert waiting.attempts == 0


def test_a_host_that_rests_for_moments_is_waited_for(site: NewsSite, tmp_path: Path) -> None:
    site.script("/a", Reply(status=429, headers={"Retry-After": "90"}), Reply(body=STORY))
    clock = Clock()

    with Home(tmp_path).desk(clock) as desk:
        with pytest.raises(FetchError):
            desk.web.get(site.url("/a"), may_ask=desk.wait_turn)
        desk.web.get(site.url("/a"), may_ask=desk.wait_turn)

    assert clock.time - Clock().time == timedelta(seconds=90)


def test_a_503_of_one_page_says_nothing_of_its_host(site: NewsSite, tmp_path: Path) -> None:
    site.script("/a", Reply(status=503, headers={"Retry-After": "1800"}), Reply(body=STORY))

    with Home(tmp_path).desk() as desk:
        with pytest.raises(FetchError):
            desk.web.get(site.url("/a"), may_ask=desk.wait_turn)

        assert desk.web.get(site.url("/a"), may_ask=desk.wait_turn).status == 200


def test_the_crawl_delay_met_with_pages_holds_for_feeds_too(site: NewsSite, tmp_path: Path) -> None:
    site.publish("/robots.txt", "User-agent: *\nCrawl-delay: 30")
    clock = Clock()

    with Home(tmp_path).desk(clock) as desk:
        desk.web.get(site.publish("/story", STORY), may_ask=desk.may_ask)
        before = clock.time
        desk.web.get(site.publish("/feed", STORY), may_ask=desk.wait_turn)

    assert clock.time - before == timedelta(seconds=30)


def test_a_crawl_delay_nobody_can_keep_is_a_reason_not_to_ask(
    site: NewsSite, tmp_path: Path
) -> None:
    site.publish("/robots.txt", "User-agent: *\nCrawl-delay: 121")

    with Home(tmp_path).desk() as desk, pytest.raises(FetchError) as caught:
        desk.web.get(site.publish("/story", STORY), may_ask=desk.may_ask)

    assert caught.value.fault is Fault.ROBOTS_DENIED
    assert "crawl_delay=121s most=120s" in caught.value.detail
    assert site.paths() == ["/robots.txt"]


def test_a_turn_is_given_back_when_the_request_fails(site: NewsSite, tmp_path: Path) -> None:
    known: list[HostState] = []

    def look(state: HostState) -> tuple[HostState, timedelta]:
        known.append(state)
        return state, timedelta(0)

    with Home(tmp_path).desk() as desk:
        with pytest.raises(FetchError):
            desk.web.get(site.misbehave("/story", "hang_up"), may_ask=desk.wait_turn)
        desk.catalog.claim(site.host, look)

    assert known[0].holder is None


def test_of_many_pages_each_processor_takes_the_share_of_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MANY", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    with ExitStack() as stack:
        sites = [stack.enter_context(NewsSite(f"127.0.0.{n}")) for n in range(2, 10)]
        for site in sites:
            stories = [(site.publish(f"/{n}", STORY), f"Story {n}") for n in range(3)]
            site.publish("/feed", rss(stories), content_type="application/rss+xml")
        home = Home(tmp_path, [site.url("/feed") for site in sites])
        for name, value in home.news.items():
            monkeypatch.setenv(name, value)

        done = runs.poll()

        asked = [site.url(path) for site in sites for path in site.paths()]
    assert (done["fetch"]["pages"], done["fetch"]["fetched"], done["sift"]["pages"]) == (24, 24, 24)
    assert [one for one in asked if asked.count(one) > 1] == []
    with home.desk() as desk:
        counts = [run["counts"] for run in desk.catalog.runs(9) if run["verb"] == "fetch"]
    assert sorted(one["pages"] for one in counts) == [6, 9, 9]  # of 8 hosts, 3 pages each
