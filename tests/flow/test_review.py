"""What is uncertain waits for a person: in a terminal, and for two weeks."""

import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from ingest.decisions import again, decide
from ingest.sift import sift
from ingest.views import entries, overview, review, stories
from tests.builders import NOON
from tests.flow.test_page import fill
from tests.home import Clock, Home
from tests.newssite import NewsSite

LATER = Clock(NOON + timedelta(days=15))


@pytest.fixture(scope="module")
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


@pytest.fixture(scope="module")
def home(site: NewsSite, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return fill(tmp_path_factory.mktemp("review"), site)


def left(home: Home) -> list[str]:
    with home.desk() as desk:
        return [row["url"] for row in desk.catalog.list_entries(reason="review", oldest=True)]


def test_what_came_in_on_some_days_is_told(home: Home) -> None:
    with home.desk() as desk:
        told = overview(desk, NOON.date(), NOON.date())
        before = overview(desk, NOON.date() - timedelta(days=3), NOON.date() - timedelta(days=1))

    assert (told["unit"], told["bars"]) == ("day", {NOON.date(): {"scotland": 1}})
    assert (told["judged"], told["had"], told["kept"]) == (8, 7, 1)
    assert told["reasons"][0] == ("kept", 1)
    assert (before["judged"], [*before["bars"].values()]) == (0, [{}] * 3)


def test_stories_and_refusals_are_listed(home: Home) -> None:
    with home.desk() as desk:
        scottish, welsh = stories(desk, nation="scotland"), stories(desk, nation="wales")
        refused = entries(desk, reason="duplicate_near")

    assert (len(scottish["stories"]), scottish["more"], welsh["stories"]) == (1, None, [])
    assert [row["reason"] for row in refused["entries"]] == ["duplicate_near"]


def test_a_search_shows_where_the_words_stand(home: Home) -> None:
    with home.desk() as desk:
        (one,) = stories(desk, said='pooling "health board"')["stories"]
        (other,) = stories(desk)["stories"]

    title, text = one["passages"]
    assert ("".join(title), title[1::2]) == (one["title"], ["health board"])
    assert {*text[1::2]} <= {"pool", "health board"}
    assert len(text) > 1
    assert "passages" not in other


def test_one_key_decides_a_review_in_the_terminal(home: Home) -> None:
    waiting = left(home)

    said = pressed(home, "sxaq")  # x means nothing

    assert left(home) == [waiting[0], *waiting[2:]]
    assert "accept: now kept" in said


def pressed(home: Home, keys: str) -> str:
    """Return what `newsdesk review` shows somebody who presses these keys."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ingest.cli", "review"],
        env={**home.environment, "TERM": "dumb"}, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said, deadline = b"", time.monotonic() + 120
    try:
        for key in keys:
            asked = said.count(b"quit")
            while said.count(b"quit") == asked:
                assert select.select([ours], [], [], deadline - time.monotonic())[0]
                said += os.read(ours, 65536)
            while termios.tcgetattr(ours)[3] & termios.ICANON:  # not listening for a key yet
                time.sleep(0.02)
            os.write(ours, key.encode())
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return said.decode()


def test_what_nobody_reviewed_is_refused_and_stays_so_until_somebody_accepts_it(
    home: Home,
) -> None:
    waiting = left(home)
    with home.desk(Clock(NOON + timedelta(days=13))) as desk:
        assert sift(desk)["expired"] == 0

    with home.desk(LATER) as desk:
        counts = sift(desk)
        changes = list(again(desk, dry=False))
        nothing = review(desk)
        done = decide(desk, waiting[-1], "accept", by="Ada", why="on the topic")

    assert (counts["expired"], counts["pages"]) == (len(waiting), 0)
    assert [change for change in changes if change.was == "expired"] == []
    assert nothing is None
    assert (done["was"], done["now"]) == ("expired", "kept")
