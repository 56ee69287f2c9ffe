"""History under a real Airflow: a backfill over past dates; test_page starts one by its form."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from ingest.sources import WAYS
from storage.archive import Archive
from tests.airflow_home import Airflow
from tests.archives import Post, WordPress
from tests.builders import PAGE
from tests.chaos.prose import story
from tests.databases import SERVER, database
from tests.home import Home

ROOT = Path(__file__).resolve().parents[2]
FIRST, LAST = date(2024, 2, 20), date(2024, 3, 8)  # of the site's posts, one each day


@dataclass(frozen=True)
class Desk:
    airflow: Airflow
    home: Home
    site: WordPress

    def corpus(self) -> list[str]:
        """Return the first lines of its stories."""
        return sorted(text.decode().partition("\n")[0] for text in self.home.files().values())

    def titles(self, since: str, until: str) -> list[str]:
        """Return the titles of what the site published in these days, half open."""
        days = date.fromisoformat(since), date.fromisoformat(until)
        return sorted(p.title for p in self.site.posts if days[0] <= p.local.date() < days[1])

    def ended(self, days: int) -> list[str]:
        """Wait for the end of so many backfill runs; return their states."""
        path = "/api/v2/dags/sweep/dagRuns?run_type=backfill&limit=100"
        states: list[str] = []

        def done() -> bool:
            states[:] = [run["state"] for run in self.airflow.ask("GET", path)["dag_runs"]]
            return len(states) >= days and set(states) <= {"success", "failed"}

        assert self.airflow.until(done, 600), states
        assert self.airflow.until(self._idle, 120)  # Airflow begins no other backfill before
        return states

    def _idle(self) -> bool:
        begun = self.airflow.ask("GET", "/api/v2/backfills?dag_id=sweep")["backfills"]
        return all(one["completed_at"] for one in begun)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    if not SERVER:
        pytest.skip("NEWS_TEST_POSTGRES is not set: Airflow's own backfill may break off on SQLite")
    folder = tmp_path_factory.mktemp("sweep")
    with WordPress() as site, database() as airflows, database() as catalog:
        for number in range((LAST - FIRST).days + 1):
            title, paragraphs = story(f"sweep {number}")
            day = datetime.combine(FIRST, datetime.min.time()) + timedelta(days=number, hours=9)
            text = "".join(f"<p>{one}</p>" for one in paragraphs)
            post = Post(number + 1, day, title=title, content=text)
            site.posts.append(post)
            site.publish(
                f"/{day:%Y/%m/%d}/{post.id}/",
                f"<html lang=en><head><title>{post.title}</title><meta property="
                f"'article:published_time' content='{day.isoformat()}Z'></head>"
                f"<body><article><h1>{post.title}</h1>{text}</article></body></html>",
            )
        site.publish("/feed/", "<rss version='2.0'><channel><title>W</title></channel></rss>")
        home = Home(folder / "home", [site.url("/feed/")], NEWS_CATALOG=catalog)
        with Airflow(folder / "airflow", home.news, database=airflows) as airflow:
            airflow.unpause("sweep")
            yield Desk(airflow, home, site)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_backfill_over_fourteen_days_brings_each_day_s_stories_once(desk: Desk) -> None:
    command = ["backfill", "create", "--dag-id", "sweep", "--max-active-runs", "4"]

    answer = subprocess.run(
        [sys.executable, "-m", "airflow", *command, "--from-date", "2024-02-21", "--to-date",
         "2024-03-05"],
        env={**os.environ, "AIRFLOW_HOME": str(desk.airflow.home), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    states = desk.ended(14)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert states == ["success"] * 14
    assert desk.corpus() == desk.titles("2024-02-21", "2024-03-06")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_scan_reads_each_file_in_a_task_of_its_own(desk: Desk, tmp_path: Path) -> None:
    before, files, titles = desk.corpus(), [], []
    for number in range(2):
        title, paragraphs = story(f"scan {number}")
        text = "".join(f"<p>{one}</p>" for one in paragraphs)
        html = f"<!DOCTYPE html><html lang=en><title>{title}</title><h1>{title}</h1>{text}</html>"
        with Archive(tmp_path / str(number)) as made:
            place = made.append(
                replace(PAGE, final_url=f"http://a.example/{number}", content=html.encode(),
                        payload=html.encode())
            )  # fmt: skip
            named = (made.folder / place.file).rename(tmp_path / f"{number}.warc.gz")
            files.append(str(named))
            titles.append(title)
    path = "/api/v2/dags/scan"
    desk.airflow.ask("PATCH", path, {"is_paused": False})

    asked = {"logical_date": None, "conf": {"files": files}}
    run = desk.airflow.ask("POST", f"{path}/dagRuns", asked)["dag_run_id"]
    ended = f"{path}/dagRuns/{run}"
    assert desk.airflow.until(
        lambda: desk.airflow.ask("GET", ended)["state"] in ("success", "failed"), 300
    )
    tasks = desk.airflow.ask("GET", f"{ended}/taskInstances")["task_instances"]

    assert [t["state"] for t in tasks if t["task_id"] == "read"] == ["success"] * 2
    assert desk.airflow.ask("GET", ended)["state"] == "success"
    assert set(desk.corpus()) - set(before) == set(titles)


def test_the_form_offers_every_way_into_the_past() -> None:
    said = (ROOT / "dags" / "sweep.py").read_text()

    kinds = re.findall(r'"([a-z_]+)"', re.search(r"KINDS = \[(.*?)\]", said, re.S)[1])

    assert kinds == list(WAYS)
