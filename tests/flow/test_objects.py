"""The whole desk on an object store: a real S3 server on loopback."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from warcio.archiveiterator import ArchiveIterator

from ingest.discover import discover
from ingest.export import export
from ingest.fetch import fetch
from ingest.prune import prune
from ingest.report import life, verify
from ingest.sift import adopt, sift
from ingest.views import overview
from storage.corpus import compose, name_of, open_corpus, render
from storage.errors import StorageError
from tests.builders import NOON
from tests.chaos.prose import story
from tests.home import Clock, Home, rss
from tests.newssite import NewsSite
from tests.objectstore import ObjectStore, Shelf

SEEDS = [render(compose(*story(f"seed {n}"))) for n in range(5)]


@pytest.fixture
def object_store(seaweedfs: ObjectStore) -> ObjectStore:
    return seaweedfs


@pytest.fixture
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


def announce(site: NewsSite, *seeds: str) -> str:
    """Show a page of each story, and a feed of them all; return the feed's URL."""
    told = {f"/{seed.replace(' ', '-')}": story(seed) for seed in seeds}
    for path, (title, paragraphs) in told.items():
        text = "".join(f"<p>{one}</p>" for one in paragraphs)
        site.publish(path, f"<title>{title}</title><article><h1>{title}</h1>{text}</article>")
    feed = rss((site.url(path), title) for path, (title, _) in told.items())
    return site.publish("/feed", feed, content_type="text/xml")


class Far(Home):
    """Corpus and archive in a bucket."""

    def __init__(self, folder: Path, feeds: list[str], store: ObjectStore, bucket: str) -> None:
        where = f"s3://{bucket}/news"
        shelves = {"NEWS_CORPUS": f"{where}/corpus", "NEWS_ARCHIVE": f"{where}/archive"}
        super().__init__(folder, feeds, **shelves)
        self.stories = Shelf(f"{where}/corpus", store.files())
        self.pages = Shelf(f"{where}/archive", store.files())

    def poll(self) -> dict[str, int]:
        with self.desk() as desk:
            discover(desk, ask_all=True)
            fetch(desk)
            return sift(desk)

    def verified(self) -> list[str]:
        with self.desk() as desk:
            return verify(desk)


@pytest.fixture
def home(site: NewsSite, object_store: ObjectStore, bucket: str, tmp_path: Path) -> Far:
    home = Far(tmp_path, [announce(site, "one", "two", "seed 3")], object_store, bucket)
    for number, data in enumerate(SEEDS):
        home.stories.put(name_of(number, data), data)
    return home


def test_from_the_seeds_to_the_export(site: NewsSite, home: Far, tmp_path: Path) -> None:
    done = home.newsdesk("init")
    polled = home.newsdesk("poll")
    again = home.newsdesk("poll", "--all")

    assert done["corpus"] == f"{home.stories.where}"
    assert done["adopted"] == 5
    assert (polled["sift"]["kept"], polled["sift"]["duplicate_exact"]) == (2, 1)
    assert again["sift"]["pages"] == 0
    assert len(home.stories.names()) == 7
    assert home.verified() == []
    with home.desk() as desk:
        told = life(desk, site.url("/one"))
        assert told
        assert told["file"].startswith(home.stories.where)
        assert told["page"].startswith(home.pages.where)
        assert export(desk, tmp_path / "out") == {"stories": 7}
        assert overview(desk, NOON.date(), NOON.date())["disk"]["archive"] == sum(
            len(home.pages.read(name)) for name in home.pages.names()
        )
    rows = [
        json.loads(line) for line in (tmp_path / "out" / "stories.jsonl").read_text().splitlines()
    ]
    assert [(tmp_path / "out" / "texts" / row["file"]).read_bytes() for row in rows] == [
        home.stories.read(row["file"]) for row in rows
    ]
    assert {row["archive_file"] for row in rows if row["archive_file"]} < {*home.pages.names()}
    for name in home.pages.names():
        with home.pages.open(name) as file:
            assert len([*ArchiveIterator(file, check_digests="raise")]) == 1


def test_of_writers_of_one_name_at_one_instant_exactly_one_wins(bucket: str) -> None:
    writers = [open_corpus(f"s3://{bucket}/news") for _ in range(4)]
    together = Barrier(len(writers))

    def keep(number: int, text: bytes) -> bool:
        together.wait()
        with suppress(StorageError):  # the name holds another text
            writers[number].keep(name, text)
            return True
        return False

    for turn in range(10):
        name, texts = name_of(turn, b""), [f"writer {n}".encode() for n in range(len(writers))]
        with ThreadPoolExecutor(len(writers)) as pool:
            won = [*pool.map(keep, range(len(writers)), texts)]

        assert won.count(True) == 1
        assert open_corpus(f"s3://{bucket}/news").read(name) == texts[won.index(True)]


@pytest.mark.parametrize("moment", ["before the put", "after the put"])
def test_a_story_whose_worker_was_killed_at_the_put_is_there_once_and_whole(
    home: Far, moment: str
) -> None:
    with home.desk() as desk:
        adopt(desk)
        discover(desk)
        fetch(desk)
    code = f"""
import os, signal
from storage.objects import Objects
put = Objects.put
def fatal(self, name, data):
    if {moment!r} == "after the put":
        put(self, name, data)
    os.kill(os.getpid(), signal.SIGKILL)
Objects.put = fatal
from ingest import runs
runs.sift()
"""
    killed = subprocess.run([sys.executable, "-c", code], env=home.environment, timeout=120)

    left = len(home.stories.names())
    home.poll()

    assert killed.returncode == -signal.SIGKILL
    assert left == (6 if moment == "after the put" else 5)
    assert len(home.stories.names()) == 7
    assert home.verified() == []


def test_a_number_that_a_person_took_is_seen_before_the_next_story(home: Far) -> None:
    with home.desk() as desk:
        adopt(desk)
        theirs = render(compose(*story("by hand")))
        home.stories.put(name_of(5, theirs), theirs)

    home.poll()

    numbers = [name.partition("_")[0] for name in home.stories.names()]
    assert numbers == [f"{number:03d}" for number in range(8)]
    assert home.verified() == []


def test_another_text_under_the_name_is_an_error_that_says_what_to_do(home: Far) -> None:
    with home.desk() as desk:
        adopt(desk)
        discover(desk)
        fetch(desk)
        name = name_of(5, render(compose(*story("one"))))
        keep = desk.corpus.keep

    home.stories.put(name, b"their text")
    with pytest.raises(StorageError, match="holds another text: move it away, run again"):
        keep(name, b"our text")

    assert home.stories.read(name) == b"their text"


@pytest.mark.parametrize("how", ["torn", "absent"])
def test_a_page_that_the_store_has_lost_is_fetched_again(home: Far, how: str) -> None:
    with home.desk() as desk:
        adopt(desk)
        discover(desk)
        fetch(desk)
    name = home.pages.names()[0]
    if how == "torn":
        home.pages.put(name, home.pages.read(name)[:-40])
    else:
        home.pages.fs.rm_file(home.pages.at(name))

    first, second = home.poll(), home.poll()

    assert first["pages"] + second["pages"] == 3
    assert second["pages"] == 1
    assert len(home.stories.names()) == 7
    assert len(home.pages.names()) == (4 if how == "torn" else 3)
    assert home.verified() == []


def test_pages_judged_long_ago_leave_the_store(home: Far) -> None:
    with home.desk() as desk:
        adopt(desk)
    home.poll()

    with home.desk(Clock(NOON + timedelta(days=100))) as desk:
        assert prune(desk, dry_run=True)["files"] == len(home.pages.names()) == 3
        assert prune(desk)["pages"] == 3

    assert home.pages.names() == []
    assert home.verified() == []


def test_while_the_store_is_away_no_page_is_taken_for_lost(
    home: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.desk() as desk:
        adopt(desk)
        discover(desk)
        fetch(desk)
    with home.desk() as desk:
        _ = desk.corpus, desk.archive
        home.pages.fs.rm(home.pages.where.rpartition("/news")[0], recursive=True)  # the bucket

        with pytest.raises(StorageError, match=r"bucket does not exist: set NEWS_"):
            sift(desk)

        assert desk.catalog.tally()["to_sift"] == 3


def test_without_credentials_it_says_what_to_set_and_no_secret(
    home: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")

    code, out, err = home.told("init")

    assert (code, out) == (2, "")
    assert "Unable to locate credentials: set NEWS_" in err
    assert "AWS_ACCESS_KEY_ID" in err
    assert "Traceback" not in err
