"""The main path on real input: from loopback hosts to a corpus that starts as the seeds."""

import gzip
import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.report import life, verify
from storage.corpus import number_of, parse, validate
from tests.airflow_home import Airflow
from tests.builders import shared
from tests.home import Home
from tests.newssite import NewsSite
from tests.realsite import RealSites, real_sites

pytestmark = [pytest.mark.shared, pytest.mark.slow]

SEEDS = 5


def home_with_seeds(folder: Path, feeds: Path) -> Home:
    home = Home(folder, feeds)
    for seed in shared("seeds").iterdir():
        shutil.copyfile(seed, home.corpus / seed.name)
    return home


def kill_in(home: Home, verb: str, under_way: Callable[[], bool]) -> None:
    """Start a verb, kill it with -9 as soon as it is under way, and see that it was."""
    process = home.start(verb)
    while not under_way() and process.poll() is None:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def sites() -> Iterator[RealSites]:
    with real_sites() as sites:
        yield sites


@pytest.fixture(scope="module")
def feeds(sites: RealSites, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sites.feeds_file(tmp_path_factory.mktemp("feeds") / "feeds.toml")


@pytest.fixture(scope="module")
def polled(feeds: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A corpus after one undisturbed poll by the command line."""
    home = home_with_seeds(tmp_path_factory.mktemp("polled"), feeds)
    home.newsdesk("poll")
    return home


@pytest.fixture(scope="module")
def few() -> Iterator[RealSites]:
    """Sites of fewer pages, for what is done to a poll and not to a page."""
    with real_sites(every=4, net=3) as sites:
        yield sites


@pytest.fixture(scope="module")
def few_feeds(few: RealSites, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few.feeds_file(tmp_path_factory.mktemp("few") / "feeds.toml")


@pytest.fixture(scope="module")
def few_files(few_feeds: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The corpus after one undisturbed poll of the fewer pages."""
    home = home_with_seeds(tmp_path_factory.mktemp("few_polled"), few_feeds)
    home.newsdesk("poll")
    return home.files()


def let_leases_end(home: Home) -> None:
    """Let the time pass after which a killed worker's hosts are free again."""
    with closing(sqlite3.connect(home.corpus.parent / "catalog.sqlite")) as catalog, catalog:
        catalog.execute("UPDATE host SET holder = NULL, until = NULL")


def share(text: str, wanted: str) -> float:
    """Return the share of the wanted words that the text has, each as often as it is wanted."""
    there, words = text.split(), wanted.split()
    left = {word: there.count(word) for word in set(words)}
    found = 0
    for word in words:
        if left[word] > 0:
            left[word] -= 1
            found += 1
    return found / len(words)


def test_a_poll_writes_the_stories_of_the_real_pages(polled: Home, sites: RealSites) -> None:
    files = polled.files()
    of_page = _lives(polled)
    gold = [page for page in sites.pages if page.is_free_story]
    kept = [page for page in gold if page.url in of_page]

    shares = [share(of_page[page.url], page.gold["text"]) for page in kept]

    assert len(kept) >= 0.97 * len(gold)
    assert sorted(shares)[len(shares) // 10] > 0.9
    assert sum(shares) / len(shares) > 0.96
    assert sorted(map(number_of, files)) == list(range(len(files)))
    assert len(files) == SEEDS + len(of_page)


def _lives(home: Home) -> dict[str, str]:
    """Return the text of each kept story under the URL that was announced."""
    out = home.corpus.parent / "out"
    home.newsdesk("export", str(out))
    rows = [json.loads(line) for line in (out / "stories.jsonl").read_text().splitlines()]
    return {row["link"]: row["text"] for row in rows if row["link"]}


def test_every_file_passes_the_validator(polled: Home) -> None:
    seeds = {seed.name for seed in shared("seeds").iterdir()}

    breaches = [
        breach
        for name, data in polled.files().items()
        for breach in validate(name, data, strict=name not in seeds)
    ]

    assert breaches == []
    assert all(parse(data).text for data in polled.files().values())


def test_the_seeds_are_as_they_were_and_their_copies_stayed_out(
    polled: Home, sites: RealSites
) -> None:
    files = polled.files()
    with polled.desk() as desk:
        verdicts = [(life(desk, url) or {})["verdict"] for url in sites.copies]
        related = (life(desk, "0") or {})["related"]

    assert all(files[seed.name] == seed.read_bytes() for seed in shared("seeds").iterdir())
    assert {verdict["reason"] for verdict in verdicts} <= {"duplicate_exact", "duplicate_near"}
    assert [verdict["like"] for verdict in verdicts] == list(range(SEEDS))
    assert [one["number"] for one in related] == [1]  # two reports of one event


def test_the_tally_adds_up_and_the_shelves_agree(polled: Home) -> None:
    status = polled.newsdesk("status")

    assert sum(status["tally"].values()) == status["entries"]
    assert not {"to_fetch", "to_sift"} & set(status["tally"])
    assert polled.newsdesk("verify") == []


def test_a_second_poll_asks_for_nothing_that_it_has_and_writes_nothing(
    polled: Home, sites: RealSites
) -> None:
    files, asked = polled.files(), sites.asked()

    polled.newsdesk("poll")
    at_once = sites.asked() - asked
    counts = polled.newsdesk("poll", "--all")

    assert at_once == 0
    assert sites.asked() - asked == len(sites.feeds)
    assert counts["discover"]["not_modified"] == len(sites.feeds)
    assert counts["fetch"]["pages"] == 0
    assert polled.files() == files


def test_verbs_killed_in_the_middle_give_the_same_corpus(
    few: RealSites, few_feeds: Path, few_files: dict[str, bytes], tmp_path: Path
) -> None:
    home = home_with_seeds(tmp_path, few_feeds)
    home.newsdesk("init")
    asked = few.asked()

    kill_in(home, "discover", lambda: few.asked() > asked + 4)
    let_leases_end(home)
    home.newsdesk("discover")
    asked = few.asked()
    kill_in(home, "fetch", lambda: few.asked() > asked + 20)
    let_leases_end(home)
    with home.desk() as desk:
        assert verify(desk) == []
    home.newsdesk("fetch")
    for wanted in (15, 35):
        kill_in(home, "sift", lambda wanted=wanted: len(home.files()) >= wanted)
    home.newsdesk("sift")

    assert home.files() == few_files
    assert home.newsdesk("verify") == []


def test_a_real_airflow_gives_the_same_corpus_byte_for_byte(
    few_files: dict[str, bytes], few_feeds: Path, tmp_path: Path
) -> None:
    home = home_with_seeds(tmp_path, few_feeds)

    with Airflow(tmp_path / "airflow", home.news) as airflow:
        run = airflow.wait("poll", airflow.unpause("poll"), seconds=300)

    assert run.state == "success"
    assert home.files() == few_files
    assert home.newsdesk("verify") == []


def test_real_feeds_give_all_their_entries(tmp_path: Path) -> None:
    folder = shared("data", "feeds")
    expected: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    real = {name: one for name, one in sorted(expected.items()) if one["kind"] == "real"}
    with NewsSite("127.0.2.1") as site:
        urls = []
        for name, one in real.items():
            body = gzip.decompress((folder / one["file"]).read_bytes())
            kind = one.get("http_headers", {}).get("content-type", "application/xml")
            urls.append(site.publish(f"/{name}", body, content_type=kind))
        home = Home(tmp_path, urls)

        answers = home.newsdesk("feeds", "check")
        counts = home.newsdesk("discover")

    found = {answer["url"].rpartition("/")[2]: answer["entries"] for answer in answers}
    wanted = {name: one["expected"]["entries"] for name, one in real.items()}
    assert sum(found[name] >= wanted[name] - 1 for name in real) >= 0.95 * len(real)
    assert counts["feeds"] == len(real)
    assert counts["entries_new"] > 0.9 * sum(wanted.values())


def test_workers_that_sift_at_once_keep_the_same_stories_without_gaps(
    few_files: dict[str, bytes], few_feeds: Path, tmp_path: Path
) -> None:
    home = home_with_seeds(tmp_path, few_feeds)
    home.newsdesk("discover")
    home.newsdesk("fetch")

    workers = [home.start("sift") for _ in range(3)]
    statuses = [(worker.communicate(timeout=300), worker.returncode)[1] for worker in workers]

    assert statuses == [0, 0, 0]
    numbers = sorted(number for name in home.files() if (number := number_of(name)) is not None)
    assert numbers == list(range(len(few_files)))
    assert sorted(home.files().values()) == sorted(few_files.values())
    assert home.newsdesk("verify") == []
