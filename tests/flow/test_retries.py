"""A first bad answer is no proof: what is asked again, how often, and what is told meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ingest import runs
from ingest.desk import Desk
from ingest.discover import discover
from ingest.errors import RunFailed
from ingest.fetch import fetch
from ingest.sift import sift
from tests.builders import NOON
from tests.home import Clock, Home, rss
from tests.newssite import NewsSite, Reply

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TITLE = "Board and council share one budget for care"
PROSE = (
    "The board and the council agreed on Monday to pay for nurses and carers out of one purse. "
    "They will send one team to people who come home from hospital, and they will meet each month "
    "to see how it goes and who has to wait. "
) * 6
STORY = f"<html lang='en'><head><title>{TITLE}</title></head><body><h1>{TITLE}</h1><p>{PROSE}"


class Desks:
    """A feed of one story, and a clock by which it is polled."""

    def __init__(self, site: NewsSite, folder: Path) -> None:
        self.site, self.clock = site, Clock()
        self.home = Home(folder, [site.url("/feed")])
        self.url = site.url("/story")
        self.announce(NOON)

    def announce(self, published: Any = NOON) -> None:
        date = format_datetime(published)
        self.site.publish(
            "/feed", rss([(self.url, TITLE)], lambda _: date), content_type="text/xml"
        )

    def poll(self, after: timedelta = timedelta(0)) -> dict[str, int]:
        """Poll so much later; return how each verb's things ended."""
        self.clock.time += after
        counts: dict[str, int] = {}
        verbs: tuple[Callable[[Desk], dict[str, int]], ...] = (discover, fetch, sift)
        for verb in verbs:
            with self.home.desk(self.clock) as desk:
                try:
                    counts |= verb(desk)
                except RunFailed:
                    counts["red"] = 1
        return counts

    def tally(self) -> dict[str, int]:
        with self.home.desk(self.clock) as desk:
            return desk.catalog.tally()

    def asked(self) -> int:
        return self.site.paths().count("/story")

    def life(self) -> dict[str, Any]:
        with self.home.desk(self.clock) as desk:
            return desk.catalog.life(self.url) or {}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desks]:
    with NewsSite() as site:
        yield Desks(site, tmp_path)


PASSING = {
    "not there yet": Reply(status=404, body="Not found"),
    "empty": Reply(body=""),
    "without a word": Reply(body="<html><body></body></html>"),
    "accepted": Reply(status=202, body="<html><body>Soon</body></html>"),
    "a notice": Reply(
        body="<html><title>Back soon</title><body>Down for maintenance.</body></html>"
    ),
    "too many": Reply(status=429, body="Slow down"),
    "in trouble": Reply(status=503, body="Sorry"),
    "locked": Reply(status=423, body="Locked"),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_no_verdict_and_the_story_comes_in_later(desk: Desks, name: str) -> None:
    desk.site.script("/story", PASSING[name], PASSING[name], Reply(body=STORY))

    desk.poll()
    assert desk.tally() == {"will_retry": 1}
    for _ in range(8):
        desk.poll(DAY / 2)

    assert desk.tally() == {"kept": 1}
    assert desk.asked() == 3


@pytest.mark.parametrize(
    ("name", "verdict", "times"),
    [
        ("not there yet", "not_found", 5),
        ("empty", "no_content", 7),
        ("a notice", "too_short", 7),  # what it shows at the last try is judged
        ("in trouble", "server_error", 7),
    ],
)
def test_asking_again_ends_and_the_last_answer_is_the_verdict(
    desk: Desks, name: str, verdict: str, times: int
) -> None:
    desk.site.script("/story", PASSING[name])

    for _ in range(40):
        desk.poll(DAY / 2)

    assert desk.tally() == {verdict: 1}
    assert desk.asked() == times


def test_an_old_page_that_is_not_there_is_asked_for_once_more(desk: Desks) -> None:
    desk.announce(NOON - 90 * DAY)
    desk.site.script("/story", PASSING["not there yet"])

    for _ in range(9):
        desk.poll(DAY)

    assert desk.tally() == {"not_found": 1}
    assert desk.asked() == 2


WALL = "<html><title>Hold on</title><script src='/.well-known/sgcaptcha/a.js'></script></html>"


@pytest.mark.parametrize(
    ("wall", "verdict"),
    [
        (Reply(body=WALL), "bot_wall"),
        (Reply(body=WALL, status=202), "bot_wall"),
        (Reply(body="Checking", headers={"cf-mitigated": "challenge"}, status=403), "bot_wall"),
        (Reply(body="No", status=403), "forbidden"),
    ],
)
def test_a_wall_is_told_at_once_and_the_story_behind_it_is_not_given_up(
    desk: Desks, wall: Reply, verdict: str
) -> None:
    desk.site.script("/story", wall, wall, Reply(body=STORY))

    desk.poll()
    assert desk.tally() == {verdict: 1}
    assert desk.life()["entry"]["next_try"] == NOON + 3 * HOUR
    for _ in range(4):
        desk.poll(DAY)

    assert desk.tally() == {"kept": 1}
    assert desk.life()["verdict"]["reason"] == "kept"


def test_a_wall_that_stays_is_asked_a_few_times_and_then_no_more(desk: Desks) -> None:
    desk.site.script("/story", Reply(body=WALL))

    for _ in range(20):
        desk.poll(DAY)

    assert desk.tally() == {"bot_wall": 1}
    assert desk.asked() == 5


def test_a_page_that_showed_no_story_is_looked_at_again(desk: Desks) -> None:
    missing = "<html><title>Page not found</title><body>Sorry, the page cannot be found.</body>"
    desk.site.script("/story", Reply(body=missing), Reply(body=STORY))

    desk.poll()
    assert desk.tally() == {"soft_404": 1}
    desk.poll(DAY)

    assert desk.tally() == {"kept": 1}


def test_a_person_who_refused_a_story_is_not_asked_again_by_its_page(
    desk: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = "<html><title>Page not found</title><body>Sorry, the page cannot be found.</body>"
    desk.site.script("/story", Reply(body=missing), Reply(body=STORY))
    desk.poll()
    for name, value in desk.home.news.items():
        monkeypatch.setenv(name, value)

    runs.decide(desk.url, "refuse", by="me", why="seen")
    for _ in range(3):
        desk.poll(DAY)

    assert desk.tally() == {"refused": 1}
    assert desk.asked() == 1


def test_a_host_that_says_429_is_left_alone_at_the_first_and_longer_each_time(
    tmp_path: Path,
) -> None:
    with NewsSite() as site, NewsSite("127.0.0.2") as elsewhere:
        pages = [(site.publish(f"/{n}", "Slow down", status=429), f"{TITLE} {n}") for n in range(9)]
        elsewhere.publish("/feed", rss(pages), content_type="text/xml")
        home, clock = Home(tmp_path, [elsewhere.url("/feed")]), Clock()
        times = []
        for _ in range(60):
            before = len(site.asked)
            with home.desk(clock) as desk:
                discover(desk)
                with suppress(RunFailed):
                    fetch(desk)
            asked = [one for one in site.asked[before:] if one.path != "/robots.txt"]
            times += [clock.time] * len(asked)
            clock.time += 5 * timedelta(minutes=1)

    waits = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) == len(set(times))  # one page, and then the host is left alone
    assert waits == sorted(waits)
    assert waits[:4] == [timedelta(minutes=minutes) for minutes in (5, 10, 20, 40)]
    assert max(waits) <= timedelta(minutes=65)


def test_a_mistake_of_ours_in_one_page_costs_that_page(
    desk: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.site.publish("/story", STORY)

    def broken(*_: object) -> bool:
        raise ZeroDivisionError("by none")

    monkeypatch.setattr("ingest.fetch.is_html", broken)
    desk.poll()
    monkeypatch.undo()

    assert desk.tally() == {"will_retry": 1}
    assert desk.life()["fetches"][0]["detail"] == "try 1 of 7: ZeroDivisionError: by none"
    desk.poll(HOUR)
    assert desk.tally() == {"kept": 1}
