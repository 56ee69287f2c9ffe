"""Old pages leave the archive; nothing that is decided later depends on them."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from ingest import decisions
from ingest.discover import discover
from ingest.errors import SettingsError
from ingest.fetch import fetch
from ingest.prune import prune
from ingest.report import life, verify
from ingest.sift import sift
from storage.archive import Archive
from storage.model import Judgement, Verdict
from tests.builders import NOON, PAGE
from tests.flow.test_verbs import WORDS, page
from tests.home import Clock, Home
from tests.newssite import NewsSite

YEAR = timedelta(days=366)
OLD, LATER = Clock(NOON - timedelta(days=200)), Clock(NOON)
SHORT = "<article><h1>Short</h1><p>The library van will stop in the square in May.</p></article>"


@pytest.fixture(scope="module")
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


def announce(site: NewsSite, entries: dict[str, str]) -> None:
    """Let the feed name these paths, by their guid."""
    shown = "".join(
        f"<item><title>Report {guid}</title><link>{site.url(path)}</link><guid>{guid}</guid>"
        "<pubDate>Wed, 13 Aug 2025 09:00:00 GMT</pubDate></item>"
        for guid, path in entries.items()
    )
    feed = f'<rss version="2.0"><channel><title>Feed</title>{shown}</channel></rss>'
    site.publish("/feed", feed, content_type="text/xml")


def poll(home: Home, clock: Clock) -> None:
    with home.desk(clock) as desk:
        discover(desk, ask_all=True)
        fetch(desk)
        sift(desk)
    for file in (home.corpus.parent / "archive").iterdir():  # as that clock has it
        when = min(clock.time.timestamp(), file.stat().st_mtime)
        os.utime(file, (when, when))


def pruned(home: Home, **how: Any) -> dict[str, int]:
    LATER.sleep(1)  # files are named by the moment
    with home.desk(LATER) as desk:
        return prune(desk, **how)


def state(home: Home) -> list[list[tuple[Any, ...]]]:
    """Return all that a verdict is made of, and what it says; moments left out."""
    engine = create_engine(home.news["NEWS_CATALOG"])
    with engine.connect() as connection:
        found = [
            list(map(tuple, connection.execute(text(query))))
            for query in (
                "SELECT entry, reason, evidence, like, kind, score, points, removed, words,"
                " canonical, published FROM verdict ORDER BY entry",
                "SELECT number, name, entry, sha256, url FROM story ORDER BY number",
                "SELECT * FROM related ORDER BY number, other",
                "SELECT * FROM posting ORDER BY hash, number",
                "SELECT id, url, guid, state, versions FROM entry ORDER BY id",
                "SELECT * FROM line ORDER BY host, rank",
            )
        ]
    engine.dispose()
    return found


@pytest.fixture(scope="module")
def polled(site: NewsSite, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A desk on which half a year ago stories came in, a copy, a stub and a page for review."""
    for number in range(4):
        site.publish(f"/{number}", page(f"Purse {number}", number + 3))
    site.publish("/copy", page("Purse 0", 3).replace("</article>", f"<p>{WORDS}</p></article>"))
    site.publish("/short", SHORT)
    site.publish("/unsure", SHORT.replace("van", "boat"))
    names = ["0", "1", "2", "3", "copy", "short", "unsure"]
    announce(site, {name: f"/{name}" for name in names})
    home = Home(tmp_path_factory.mktemp("polled") / "home", [site.url("/feed")])
    poll(home, OLD)
    with home.desk(OLD) as desk, desk.catalog.admission() as admission:
        found = life(desk, site.url("/unsure"))
        assert found
        entry = found["entry"]["id"]
        admission.reopen(entry)
        admission.decide(entry, Verdict("review", "by hand"), Judgement(), OLD.time)
    return home


@pytest.fixture
def home(polled: Home, tmp_path: Path) -> Home:
    return twin(polled, tmp_path / "home")


def twin(home: Home, folder: Path) -> Home:
    other = Home(folder, home.feeds)
    shutil.copytree(home.corpus.parent, folder, dirs_exist_ok=True)
    return other


def pages(home: Home, site: NewsSite) -> dict[str, str]:
    """Return what is told of where each page lies."""
    with home.desk(LATER) as desk:
        names = ("0", "short", "copy", "unsure")
        return {name: (life(desk, site.url(f"/{name}")) or {})["page"] for name in names}


def test_pages_go_and_stories_verdicts_and_what_is_in_review_stay(
    home: Home, site: NewsSite
) -> None:
    before, files = state(home), home.files()
    told = pruned(home, older_than=90, dry_run=True)
    assert "pruned" not in pages(home, site)["0"]

    done = pruned(home, older_than=90)

    assert done == told == {**done, "files": 1, "pages": 6, "moved": 1, "runs": 0}
    assert done["bytes"] > 0
    assert (state(home), home.files()) == (before, files)
    lies = pages(home, site)
    assert lies.pop("unsure").endswith("at byte 0")
    assert set(lies.values()) == {"pruned on 02 Mar 2026"}
    with home.desk(LATER) as desk:
        assert verify(desk) == []
    assert pruned(home) == dict.fromkeys(done, 0)


def test_what_is_young_or_is_being_written_stays(home: Home) -> None:
    assert pruned(home, older_than=201)["files"] == 0
    with home.desk(OLD) as desk:  # a process that has not ended
        place = desk.archive.append(PAGE)
        os.utime(desk.archive.folder / place.file, (0, 0))

        assert pruned(home)["files"] == 1  # the other one
        assert desk.archive.read(place) == PAGE
        os.utime(desk.archive.folder / place.file)
    assert pruned(home)["files"] == 0  # its row may yet come


KINDS = ["again", "cut", "same_bytes", "other", "edited", "moved", "short"]


@settings(max_examples=4)
@given(kinds=st.lists(st.sampled_from(KINDS), min_size=2, max_size=8, unique=True))
def test_a_later_poll_comes_to_the_same_on_a_desk_that_was_pruned(
    polled: Home, site: NewsSite, tmp_path_factory: pytest.TempPathFactory, kinds: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("both")
    whole, less = twin(polled, folder / "whole"), twin(polled, folder / "less")
    old = page("Purse 1", 4)
    entries = {kind: f"/later/{kind}" for kind in kinds}
    for kind, path in entries.items():
        body = {
            "cut": old.replace("<p>", "<p hidden>", 1),
            "same_bytes": SHORT,
            "other": page("Ferry", 70),
            "edited": page("Purse 2", 60),
            "short": SHORT.replace("May", "June"),
        }.get(kind, old)
        site.publish("/2" if kind == "edited" else path, body)
        if kind in ("edited", "moved"):  # known by its URL, by its guid
            entries = {**entries, kind: "/2"} if kind == "edited" else {**entries, "3": path}
    announce(site, {guid: path for guid, path in entries.items() if guid != "moved"})

    assert pruned(less)["pages"] == 6
    for home in (whole, less):
        poll(home, Clock(NOON + timedelta(hours=1)))
        poll(home, Clock(NOON + timedelta(days=2)))

    assert state(less) == state(whole)
    assert less.files() == whole.files()
    with less.desk(LATER) as desk:
        assert verify(desk) == []


def test_people_may_still_decide_on_a_story_and_are_told_where_nothing_is_left_to_read(
    home: Home, site: NewsSite
) -> None:
    pruned(home)
    files = home.files()

    def decide(name: str, what: str) -> str:
        with home.desk(LATER) as desk:
            url = site.url(f"/{name}")
            return str(decisions.decide(desk, url, what, by="Ada", why="so")["now"])

    assert decide("0", "refuse") == "refused"
    assert len(home.files()) == len(files) - 1
    assert decide("0", "accept") == "kept"
    assert home.files() == files
    assert decide("1", "wrong_text") == "kept"
    with pytest.raises(SettingsError, match="its page was pruned on 02 Mar 2026, so there is noth"):
        decide("short", "accept")
    with home.desk(LATER) as desk:
        assert verify(desk) == []


def test_every_command_says_that_a_page_was_pruned(home: Home, site: NewsSite) -> None:
    pruned(home)
    url = site.url("/short")

    assert home.newsdesk("why", url)["page"] == "pruned on 02 Mar 2026"
    code, _, said = home.told("topic", "explain", url)
    assert (code, "its page was pruned on 02 Mar 2026" in said) == (2, True)
    code, out, said = home.told("sift", "--again", "--dry-run")
    assert code == 0
    assert "unsure" in out  # whose page is there
    assert "pages_pruned" in said
    assert "entries=6" in said


@pytest.mark.parametrize("point", ["member", "add", "prune", "remove"])
def test_a_prune_that_is_killed_leaves_every_page_readable_and_the_next_one_ends_it(
    home: Home, site: NewsSite, point: str
) -> None:
    shelf = "catalog" if point == "prune" else "archive"
    code = f"""
import os, signal
from ingest.prune import prune
from tests.flow.test_prune import LATER
from tests.home import Clock, Home, read
from ingest.desk import Desk
desk = Desk(read({home.news!r}), now=LATER.now)
real = desk.{shelf}.{point}
def killed(*given):
    {"pass" if point == "remove" else "real(*given)"}
    os.kill(os.getpid(), signal.SIGKILL)
desk.{shelf}.{point} = killed
prune(desk)
"""
    run = subprocess.run([sys.executable, "-c", code], check=False)
    assert run.returncode == -signal.SIGKILL
    with home.desk(LATER) as desk:
        assert verify(desk) == []

    archive = home.corpus.parent / "archive"
    for file in archive.iterdir():
        os.utime(file, (OLD.time.timestamp(),) * 2)
    pruned(home)

    with home.desk(LATER) as desk:
        assert verify(desk) == []
    (file,) = archive.iterdir()
    assert pages(home, site)["unsure"] == f"{file} at byte 0"


def test_pages_that_come_in_while_others_go_are_all_there(home: Home, site: NewsSite) -> None:
    """A writer that ends and begins a file for every few pages, and a prune without a pause."""
    with home.desk(LATER) as desk:
        found = life(desk, site.url("/unsure"))
    assert found
    code = f"""
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from storage.archive import Archive
from storage.catalog import Catalog
from tests.builders import PAGE
import hashlib
digest = hashlib.sha256(PAGE.content).hexdigest()
with Catalog({home.news["NEWS_CATALOG"]!r}) as catalog:
    for turn in range(40):
        page = replace(PAGE, fetched=PAGE.fetched + timedelta(hours=turn))
        with Archive(Path({home.news["NEWS_ARCHIVE"]!r})) as archive:
            for entry in (1, 2, {found["entry"]["id"]}):
                catalog.fetched(entry, page, archive.append(page), digest)
"""
    far, removed = Clock(NOON + 5 * YEAR), 0  # every file is old; only its lock tells
    with subprocess.Popen([sys.executable, "-c", code]) as writer:
        while writer.poll() is None:
            far.sleep(1)
            with home.desk(far) as desk:
                removed += prune(desk)["files"]
    assert writer.returncode == 0
    assert removed

    with home.desk(far) as desk:
        assert verify(desk) == []
        unsure = life(desk, site.url("/unsure"))
        assert unsure
        lies = [one for one in unsure["fetches"] if one["file"]]
        assert len(lies) == 41
    assert len(list(Archive(home.corpus.parent / "archive").folder.iterdir())) < 41


def test_runs_older_than_a_year_are_forgotten(home: Home) -> None:
    with home.desk(LATER) as desk:
        for age in (YEAR, timedelta(days=300)):
            desk.catalog.begin_run("fetch", LATER.time - age)

        assert prune(desk)["runs"] == 1
        assert len(desk.catalog.runs(10)) == 1
