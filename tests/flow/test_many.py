"""Many workers at one catalog: each page is judged once, each story kept once, whoever dies."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ingest.desk import Desk
from ingest.extract import Extract
from ingest.filters import Case
from ingest.fingerprint import fingerprint
from ingest.reading import nothing_read
from ingest.reading import read as read_page
from ingest.report import verify
from ingest.settings import read
from ingest.sift import admit, adopt, sift
from ingest.workers import Workers
from storage.corpus import FileCorpus, compose, number_of, validate
from storage.model import Entry, FeedState, Judgement, Page, Story
from tests.builders import NOON
from tests.chaos import prose
from tests.databases import SERVER, database
from tests.home import PROCESSES, Home

FEED = "https://feed.example/"
STORIES = 12
PAGES = 40


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    if request.param == "sqlite":
        yield Home(tmp_path)
        return
    if not SERVER:
        pytest.skip("NEWS_TEST_POSTGRES is not set; .ci/run starts a server and sets it")
    with database() as url:
        yield Home(tmp_path, NEWS_CATALOG=url)


def announce(desk: Desk, urls: list[str]) -> dict[str, int]:
    """Enter these; return their numbers."""
    entries = [Entry(url=url, link=url, title="", source=FEED, published=NOON) for url in urls]
    desk.catalog.polled(FeedState(url=FEED, outcome="listed"), entries, NOON)
    return {one.entry.url: one.id for one in desk.catalog.to_fetch(NOON, 9999)}


def told(number: int, site: int) -> Story:
    """Return a story as a site prints it: each leaves another paragraph out."""
    title, parts = prose.story(str(number), sentences=40)
    del parts[site + 2]
    return compose(title, parts)


class Deadly(FileCorpus):
    """A corpus that kills whoever keeps a story in it."""

    def keep(self, name: str, data: bytes) -> None:
        """Be killed after the story's row is committed, before its file is there."""
        os.kill(os.getpid(), signal.SIGKILL)


def admit_each(news: Mapping[str, str], site: int, numbers: dict[str, int], together: Any) -> None:
    """Be a worker that has each story as its site prints it, in the moment all others have it."""
    with Desk(read(news)) as desk:
        for number in range(STORIES):
            url = f"https://site-{site}.example/{number}"
            entry = Entry(url=url, link=url, title="", source=FEED)
            story = told(number, site)
            case = Case(
                entry=entry, url=url, hops=(url,), extract=Extract(), story=story, topic=desk.topic
            )  # fmt: skip
            if number == STORIES - 1:
                desk.corpus = Deadly(desk.corpus.folder)
            together.wait(300)
            admit(desk, numbers[url], case, fingerprint(story), Judgement())


def test_a_story_that_arrives_at_many_workers_at_once_is_kept_once(home: Home) -> None:
    sites = 16 if "postgresql" in home.news["NEWS_CATALOG"] else 4
    with home.desk() as desk:
        urls = [f"https://site-{s}.example/{n}" for s in range(sites) for n in range(STORIES)]
        numbers = announce(desk, urls)
    together = PROCESSES.Barrier(sites)
    workers = [
        PROCESSES.Process(target=admit_each, args=(home.news, site, numbers, together))
        for site in range(sites)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    with home.desk() as desk:
        written = sorted(home.files())
        adopt(desk)
        tally, differences = desk.catalog.tally(), verify(desk)

    assert Counter(worker.exitcode for worker in workers) == {0: sites - 1, -signal.SIGKILL: 1}
    assert len(written) == STORIES - 1  # whoever had the last one was killed
    assert [number_of(name) for name in sorted(home.files())] == list(range(STORIES))
    assert tally == {"duplicate_near": STORIES * (sites - 1), "kept": STORIES}
    assert differences == []
    assert [list(validate(*file)) for file in home.files().items()] == [[]] * STORIES


def shelve(home: Home) -> None:
    """Put pages into the archive as if they had been fetched."""
    with home.desk() as desk:
        numbers = announce(desk, [f"https://site-{n % 7}.example/{n}" for n in range(PAGES)])
        for url, number in numbers.items():
            of = int(url.rpartition("/")[2])
            story = told(of, 0)
            text = "".join(f"<p>{part}</p>" for part in story.text.split("\n\n"))
            html = f"<html lang=en><article><h1>{story.title}</h1>{text}</article></html>".encode()
            page = Page(
                url=url, final_url=url, status=200, headers=(("Content-Type", "text/html"),),
                payload=html, content=html, fetched=NOON, hops=(url,),
            )  # fmt: skip
            desk.catalog.fetched(number, page, desk.archive.append(page), sha256(html).hexdigest())


def sift_alone(news: Mapping[str, str], told: Any) -> None:
    """Be a worker that sifts and tells its counts."""
    patient = Workers(read_page, nothing_read, count=1, seconds=120)  # on a busy machine
    with patient as readers, Desk(read(news), readers=readers) as desk:
        told.put(sift(desk))


def test_workers_share_the_pages_and_what_one_had_when_it_was_killed_is_taken_up_at_once(
    home: Home, tmp_path: Path
) -> None:
    alone = Home(tmp_path / "alone")
    shelve(alone)
    with alone.desk() as desk:
        sift(desk)
    shelve(home)
    told = PROCESSES.SimpleQueue()
    workers = [PROCESSES.Process(target=sift_alone, args=(home.news, told)) for _ in range(3)]
    doomed, *others = workers
    doomed.start()
    with home.desk() as desk:
        while not (held := desk.catalog.held(datetime.now(UTC))[0]) and doomed.is_alive():
            time.sleep(0.01)
    doomed.kill()
    doomed.join()

    for worker in others:
        worker.start()
    for worker in others:
        worker.join()
    with home.desk() as desk:
        tally, left, differences = desk.catalog.tally(), sift(desk), verify(desk)

    counts = [told.get() for _ in others]
    assert held, "it was killed too late"
    assert [worker.exitcode for worker in workers] == [-signal.SIGKILL, 0, 0]
    assert tally == {"kept": PAGES}
    assert left["pages"] == 0
    assert sum(one["pages"] for one in counts) <= PAGES
    assert not any("done_elsewhere" in one for one in counts)
    assert differences == []
    assert [number_of(name) for name in sorted(home.files())] == list(range(PAGES))
    assert sorted(home.files().values()) == sorted(alone.files().values())


def test_what_another_machine_holds_is_told_and_left_alone(home: Home) -> None:
    shelve(home)
    with home.desk() as there, home.desk() as here:
        listed = [one.id for one in there.catalog.to_sift(NOON, 3)]
        with there.catalog.at_work():
            there.catalog.hold("sift", listed, NOON)

            counts = sift(here)
            told_so = here.catalog.held(NOON)

        later = sift(here)

    assert counts["pages"] == PAGES - 3
    assert counts["held"] == told_so[0] == 3
    assert later["pages"] == 3
    assert "held" not in later
