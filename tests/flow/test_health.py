"""A desk whose feeds do badly says so: in the list, in its status, and by failing."""

from datetime import timedelta
from pathlib import Path

import pytest

from ingest import report, runs
from ingest.discover import discover
from ingest.errors import RunFailed
from ingest.fetch import fetch
from ingest.health import TO_DO
from tests.builders import NOON
from tests.flow.test_verbs import page
from tests.home import Clock, Home, rss
from tests.newssite import NewsSite


def test_more_than_half_of_the_feeds_failing_fails_the_run_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with NewsSite() as site:
        works = [site.url(f"/{n}") for n in range(4)]
        for url in works:
            link = [(site.url("/story"), "A story")]
            site.publish(url.removeprefix(site.url("")), rss(link), content_type="text/xml")
        broken = [site.url(f"/none/{n}") for n in range(6)]
        home = Home(tmp_path, [*works, *broken])
        for name, value in home.news.items():
            monkeypatch.setenv(name, value)

        with pytest.raises(RunFailed, match=r"feeds_failing: 6 of 10: not_found"):
            runs.discover()
        status = runs.status()

    assert status["alerts"] == {"feeds_failing": "6 of 10: not_found"}
    assert status["runs"][0]["failed"] == "feeds_failing: 6 of 10: not_found"
    assert status["runs"][0]["counts"]["not_found"] == 6
    assert status["feeds"]["well"] == 10  # one failure each: nothing to say of them yet


def test_feeds_fall_ill_and_recover_in_the_list(tmp_path: Path) -> None:
    with NewsSite() as site:
        for name in ("good", "empty", "quiet", "broken"):
            entries = [] if name == "empty" else [(site.url(f"/{name}-story"), name)]
            site.publish(f"/{name}", rss(entries), content_type="text/xml")
        names = ["good", "empty", "quiet", "broken"]
        home, clock = Home(tmp_path, [site.url(f"/{name}") for name in names]), Clock()
        with home.desk(clock) as desk:
            discover(desk)
            site.withdraw("/broken")
            for week in range(14):
                site.publish("/good", rss([(site.url(f"/{week}"), "New")]), content_type="text/xml")
                clock.time += timedelta(days=7)
                discover(desk, ask_all=True)
            ill = {feed["url"].rpartition("/")[2]: feed["health"] for feed in report.feeds(desk)}
            worst = report.status(desk)["ill"][0]
            site.publish("/broken", rss([(site.url("/x"), "Back")]), content_type="text/xml")
            discover(desk, ask_all=True)
            well = {feed["url"].rpartition("/")[2]: feed["health"] for feed in report.feeds(desk)}

    assert ill == {"good": "well", "empty": "empty", "quiet": "stale", "broken": "unreachable"}
    assert worst["evidence"].startswith("not_found 14 times in a row")
    assert well == {**ill, "broken": "well"}


def test_a_host_that_refuses_every_page_is_told_and_others_are_not(tmp_path: Path) -> None:
    with NewsSite() as site, NewsSite("127.0.0.2") as wall:
        links = [(wall.publish(f"/{n}", "", status=403), f"Wall {n}") for n in range(5)]
        links += [(site.publish(f"/{n}", page(f"Story {n}", n)), f"Story {n}") for n in range(5)]
        site.publish("/feed", rss(links), content_type="text/xml")
        with Home(tmp_path, [site.url("/feed")]).desk() as desk:
            began = desk.now()
            discover(desk)
            counts = fetch(desk)
            alerts = report.alerts(desk, "fetch", counts, {}, began)

    (alert,) = alerts
    assert (alert.name, alert.grave) == ("host_failing", False)
    assert alert.evidence == "127.0.0.2: forbidden, 5 of 5 pages"


def test_a_feed_known_to_be_ill_does_not_fail_a_run_in_which_it_is_asked_alone(
    tmp_path: Path,
) -> None:
    with NewsSite() as site:
        for name in ("/good", "/broken"):
            site.publish(name, rss([(site.url("/a"), "A")]), content_type="text/xml")
        home, clock = Home(tmp_path, [site.url("/good"), site.url("/broken")]), Clock()
        with home.desk(clock) as desk:
            discover(desk)
            site.withdraw("/broken")
            clock.time += timedelta(hours=25)
            discover(desk)
            clock.time += timedelta(minutes=35)
            alone = discover(desk)
            site.withdraw("/good")
            with pytest.raises(RunFailed, match=r"every feed failed \(2 of 2\)"):
                discover(desk, ask_all=True)

    assert (alone["feeds"], alone["not_found"]) == (1, 1)


def test_a_desk_is_late_when_a_verb_of_a_poll_did_not_succeed_within_the_hours(
    tmp_path: Path,
) -> None:
    home, clock = Home(tmp_path), Clock()
    with home.desk(clock) as desk:
        never = report.late(desk, 3)
        for verb in ("discover", "fetch", "sift"):
            desk.catalog.end_run(desk.catalog.begin_run(verb, clock.time), clock.time, {}, None)
        clock.time += timedelta(hours=3)
        in_time = report.late(desk, 3)
        for verb, failed in (("discover", "every feed failed"), ("fetch", None), ("sift", None)):
            desk.catalog.end_run(desk.catalog.begin_run(verb, clock.time), clock.time, {}, failed)
        clock.time += timedelta(minutes=1)
        late = report.late(desk, 3)

    assert (never, in_time) == ("no poll succeeded yet", "")
    assert late == f"no poll succeeded since {NOON:%d %b %Y %H:%M} UTC"
    assert home.newsdesk("status")["late"] == ""
    assert home.newsdesk("status", "--within", "3", status=1)["late"] == late


def test_what_is_told_of_a_dag_run_says_why_it_failed_and_what_to_do(tmp_path: Path) -> None:
    home, clock = Home(tmp_path), Clock()
    ill = {"feeds_ill": "A Feed: unreachable (dns 3 times in a row)"}
    with home.desk(clock) as desk:
        number = desk.catalog.begin_run("discover", clock.time, "poll/one")
        desk.catalog.end_run(number, clock.time, {}, "every feed failed", ill)
        why, lines, told = report.news(desk, "poll/one", {})
        others = report.news(desk, "poll/two", told)
        clock.time += timedelta(hours=25)
        over = report.news(desk, "poll/three", told)

    assert why == "discover: every feed failed"
    assert lines == [f"feeds_ill: {ill['feeds_ill']}\n  {TO_DO['feeds_ill']}"]
    assert others == ("", [], told)
    assert over == ("", ["feeds_ill is over: not seen for 24 hours"], {})


def test_a_run_is_measured_when_somebody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in Home(tmp_path).news.items():
        monkeypatch.setenv(name, value)
    heard: list[tuple[str, str, float]] = []

    runs.sift()
    listening = runs.MEASURED.set(heard.extend)
    runs.sift()
    runs.MEASURED.reset(listening)

    assert [one for one in heard if one[1] == "sift.pages"] == [("incr", "sift.pages", 0)]
    assert ("gauge", "stories", 0) in heard
