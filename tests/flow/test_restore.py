"""Yesterday's backup is put back: nothing is lost, nothing is there twice.

The commands are those of docs/operations.md, "Backup and restore".
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from ingest.decisions import mend
from ingest.desk import Desk
from ingest.discover import discover
from ingest.fetch import fetch
from ingest.report import verify
from ingest.scan import scan
from ingest.sift import adopt, sift
from storage.corpus import compose, name_of, parse, render
from tests.builders import NOON
from tests.chaos.prose import story
from tests.databases import SERVER, database
from tests.home import Clock, Home, rss
from tests.newssite import NewsSite

SEED = render(compose(*story("seed")))
YESTERDAY, TODAY = ("a", "b", "c"), ("c", "d", "e")  # what the feed shows


class Kept(Home):
    """A desk whose catalog and corpus can be backed up and put back."""

    def __init__(self, folder: Path, site: NewsSite, databases: list[str]) -> None:
        super().__init__(folder, [site.url("/feed")])
        self.site, self.folder, self.databases = site, folder, databases
        if databases:
            self.news["NEWS_CATALOG"] = databases.pop()
        (self.corpus / name_of(0, SEED)).write_bytes(SEED)

    def show(self, *seeds: str) -> None:
        for seed in seeds:
            title, paragraphs = story(seed)
            text = "".join(f"<p>{one}</p>" for one in paragraphs)
            page = f"<title>{title}</title><article><h1>{title}</h1>{text}</article>"
            self.site.publish(f"/{seed}", page)
        feed = rss((self.site.url(f"/{seed}"), story(seed)[0]) for seed in seeds)
        self.site.publish("/feed", feed, content_type="text/xml")

    def poll(self, hours: int = 0) -> dict[str, int]:
        with self.desk(Clock(NOON + timedelta(hours=hours))) as desk:
            discover(desk, ask_all=True)
            fetch(desk)
            return sift(desk)

    def back_up(self) -> None:
        """Catalog first, then corpus."""
        where = make_url(self.news["NEWS_CATALOG"])
        if where.get_backend_name() == "sqlite":
            with closing(sqlite3.connect(str(where.database))) as catalog:
                catalog.execute(f"VACUUM INTO '{self.folder / 'backup.db'}'")
        else:
            dump = ("--format=custom", f"--file={self.folder / 'backup.dump'}")
            self.call("pg_dump", *dump, self.plain(self.news["NEWS_CATALOG"]))
        shutil.copytree(self.corpus, self.folder / "backup")

    def restore(self, *shelves: str) -> None:
        if "corpus" in shelves:
            shutil.rmtree(self.corpus)
            shutil.copytree(self.folder / "backup", self.corpus)
        if "catalog" not in shelves:
            return
        if self.databases:
            new = self.databases.pop()
            dump = str(self.folder / "backup.dump")
            self.call("pg_restore", "--exit-on-error", f"--dbname={self.plain(new)}", dump)
            self.news["NEWS_CATALOG"] = new
        else:
            for path in self.folder.glob("catalog.sqlite*"):  # the journals, too
                path.unlink()
            shutil.copy(self.folder / "backup.db", self.folder / "catalog.sqlite")

    def call(self, *command: str) -> None:
        subprocess.run(command, check=True, timeout=60)

    def plain(self, url: str) -> str:
        return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    def texts(self) -> list[str]:
        """Return the titles in the corpus by number; the numbers have no gaps."""
        files = sorted(self.files().items())
        assert [int(name[:3]) for name, _ in files] == list(range(len(files)))
        return [parse(data).title for _, data in files]

    def verified(self) -> list[str]:
        with self.desk() as desk:
            return verify(desk)


def titles(*seeds: str) -> list[str]:
    return [story(seed)[0] for seed in seeds]


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """A desk that was backed up yesterday, and has polled today."""
    if request.param == "postgresql" and not SERVER:
        pytest.skip("NEWS_TEST_POSTGRES is not set; .ci/run starts a server and sets it")
    if request.param == "postgresql" and not shutil.which("pg_dump"):
        pytest.skip("pg_dump is not installed")
    with ExitStack() as stack:
        site = stack.enter_context(NewsSite())
        two = range(2 if request.param == "postgresql" else 0)
        home = Kept(tmp_path, site, [stack.enter_context(database()) for _ in two])
        with home.desk() as desk:
            adopt(desk)
        home.show(*YESTERDAY)
        home.poll()
        home.back_up()
        home.show(*TODAY)
        home.poll(24)
        assert home.texts() == titles("seed", "a", "b", "c", "d", "e")
        yield home


def test_catalog_and_corpus_of_yesterday_go_on_where_they_were(home: Kept) -> None:
    home.restore("catalog", "corpus")
    before = home.texts()

    polled, again = home.poll(25), home.poll(26)

    assert before == titles("seed", "a", "b", "c")
    assert (polled["pages"], polled["kept"], again["pages"]) == (2, 2, 0)
    assert home.texts() == titles("seed", "a", "b", "c", "d", "e")
    assert home.verified() == []


def test_what_no_feed_shows_any_more_comes_in_from_the_archive(home: Kept) -> None:
    home.restore("catalog", "corpus")
    home.show("f")
    archive = Path(home.news["NEWS_ARCHIVE"])
    every = home.folder / "every.warc.gz"
    every.write_bytes(b"".join(path.read_bytes() for path in sorted(archive.iterdir())))

    home.poll(25)
    with home.desk(Clock(NOON + timedelta(hours=26))) as desk:
        found = scan(desk, str(every))
        sift(desk)

    assert found["found"] == 5  # a to e: those of yesterday are known
    assert home.texts() == titles("seed", "a", "b", "c", "f", "d", "e")
    assert home.verified() == []


def test_the_catalog_alone_takes_up_todays_files_and_keeps_none_of_them_twice(home: Kept) -> None:
    home.restore("catalog")

    polled = home.poll(25)

    assert (polled["adopted"], polled["duplicate_exact"]) == (2, 2)
    assert home.texts() == titles("seed", "a", "b", "c", "d", "e")
    assert home.verified() == []


def test_the_corpus_alone_has_todays_files_written_anew_from_their_pages(home: Kept) -> None:
    today = home.files()
    home.restore("corpus")

    told = home.verified()
    polled = home.poll(25)
    with home.desk() as desk:
        mended = mend(desk)

    assert len(told) == 2
    assert all("`newsdesk verify --mend` may bring it back" in line for line in told)
    assert polled["pages"] == 0
    assert mended == 2
    assert home.files() == today
    assert home.verified() == []


def test_a_file_whose_page_gives_another_text_is_told_and_not_written(home: Kept) -> None:
    home.restore("corpus")
    with home.desk() as desk:
        lost = _last(desk)
        Path(home.news["NEWS_ARCHIVE"], lost).unlink()

    assert os.listdir(home.corpus) == os.listdir(home.folder / "backup")
    with home.desk() as desk:
        assert mend(desk) == 0
    assert sum("the file is gone" in line for line in home.verified()) == 2


def _last(desk: Desk) -> str:
    return sorted(place.file for _, place, _ in desk.catalog.places())[-1]
