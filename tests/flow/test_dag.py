"""The DAG: what it says, and what a real scheduler makes of it."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Catalog
from tests.airflow_home import Airflow, Run
from tests.newssite import NewsSite

ROOT = Path(__file__).resolve().parents[2]
DAGS = sorted((ROOT / "dags").glob("*.py"))

# --- what the source says -----------------------------------------------------------------------

BRANCHES = (ast.If, ast.IfExp, ast.Match, ast.BoolOp, ast.Try, ast.Raise, ast.Assert)
LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp)
OTHERS = (ast.GeneratorExp, ast.With, ast.AsyncWith, ast.Lambda, ast.ClassDef, ast.Await)
AT_THE_TOP = {"datetime", "typing", "airflow.sdk", "newsdesk_dags"}
FORBIDDEN_NAMES = {"open", "exec", "eval", "compile", "__import__", "print", "input"}


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.name)
def test_a_dag_file_holds_no_branch_no_loop_and_no_resource(path: Path) -> None:
    tree = ast.parse(path.read_text())

    found = [
        f"{path.name}:{node.lineno} {type(node).__name__}"
        for node in ast.walk(tree)
        if isinstance(node, BRANCHES + LOOPS + OTHERS)
    ]

    assert found == []


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.name)
def test_a_dag_file_reaches_nothing_but_airflow_and_runs(path: Path) -> None:
    tree = ast.parse(path.read_text())

    top = {name for node in tree.body for name in imported(node)}
    inside = {name for node in ast.walk(tree) for name in imported(node)} - top
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}

    assert top <= AT_THE_TOP
    assert inside <= {"ingest.runs"}
    assert names & FORBIDDEN_NAMES == set()


def imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        module = node.module or "."
        return {f"ingest.{a.name}" for a in node.names} if module == "ingest" else {module}
    return set()


# --- what Airflow reads -------------------------------------------------------------------------

SCHEDULE = "CronDataIntervalTimetable(expression='*/15 * * * *', timezone='UTC')"
# In an interpreter of its own: the tests' own stays free of Airflow and its warnings.
READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print(json.dumps({
    "errors": bag.import_errors,
    "seconds": {stat.file: stat.duration.total_seconds() for stat in bag.dagbag_stats},
    "dags": {name: {
        "schedule": str(dag.timetable),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "timeout": dag.dagrun_timeout.total_seconds(),
        "doc_md": dag.doc_md,
        "tasks": {task.task_id: {
            "owner": task.owner,
            "pool": task.pool,
            "retries": task.retries,
            "backoff": float(task.retry_exponential_backoff),
            "policy": task.retry_policy.serialize(),
            "timeout": task.execution_timeout.total_seconds(),
            "upstream": sorted(task.upstream_task_ids),
            "mapped": task.is_mapped,
            "outlets": [asset.name for asset in task.outlets],
        } for task in dag.tasks},
    } for name, dag in bag.dags.items()},
}))
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return read_dags(tmp_path_factory.mktemp("read"))


def read_dags(home: Path) -> dict[str, Any]:
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("AIRFLOW", "NEWS_"))}
    environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "PYTHONPATH": str(ROOT),
    }
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, str(ROOT / "dags")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    facts: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return facts


def test_every_dag_file_can_be_read(read: dict[str, Any]) -> None:
    assert read["errors"] == {}
    assert sorted(read["dags"]) == [path.stem for path in DAGS]


def test_poll_runs_every_quarter_of_an_hour_one_at_a_time_and_makes_up_for_nothing(
    read: dict[str, Any],
) -> None:
    poll = read["dags"]["poll"]

    assert poll["schedule"] == SCHEDULE
    assert (poll["catchup"], poll["max_active_runs"]) == (False, 1)


def test_poll_is_one_task_for_each_verb_in_a_row_and_a_tally(read: dict[str, Any]) -> None:
    tasks = read["dags"]["poll"]["tasks"]

    assert {name: task["upstream"] for name, task in tasks.items()} == {
        "discover": [],
        "fetch": ["discover"],
        "sift": ["fetch"],
        "tally": ["discover", "fetch", "sift"],
    }
    assert [name for name, task in tasks.items() if task["mapped"]] == []
    assert [name for name, task in tasks.items() if task["outlets"]] == ["tally"]


def test_every_task_is_owned_bounded_and_tried_again(read: dict[str, Any]) -> None:
    for dag in read["dags"].values():
        for task in dag["tasks"].values():
            assert task["owner"] == "newsdesk"
            assert 0 < task["timeout"] < dag["timeout"]
            assert task["retries"] >= 2
            assert task["backoff"] > 1


def test_no_task_tries_again_what_only_a_person_can_mend(read: dict[str, Any]) -> None:
    for dag in read["dags"].values():
        for task in dag["tasks"].values():
            rules = {rule["exception"]: rule["action"] for rule in task["policy"]["rules"]}
            assert rules == {
                "ingest.errors.RunFailed": "fail",
                "ingest.errors.SettingsError": "fail",
            }


def test_every_pool_that_a_task_names_is_made(read: dict[str, Any]) -> None:
    made = json.loads((ROOT / "scripts" / "pools.json").read_text())
    named = {task["pool"] for dag in read["dags"].values() for task in dag["tasks"].values()}

    assert named - {"default_pool"} == set(made)
    slots = {name: pool["slots"] for name, pool in made.items()}
    assert slots == {"web": 1, "corpus": 1, "history": 2}  # of 4 that a small Airflow has in all


def test_the_page_of_every_dag_says_what_it_does_and_what_to_do_when_it_is_red(
    read: dict[str, Any],
) -> None:
    for dag in read["dags"].values():
        assert "When it is red" in dag["doc_md"]
        assert set(re.findall(r"^\| `(\w+)`", dag["doc_md"], re.MULTILINE)) == set(dag["tasks"])


def test_a_dag_file_is_read_in_under_half_a_second(read: dict[str, Any], tmp_path: Path) -> None:
    tries = chain([read], (read_dags(tmp_path) for _ in range(4)))  # others work here as well

    assert any(max(facts["seconds"].values()) < 0.5 for facts in tries)


# --- what a scheduler makes of it ---------------------------------------------------------------

JOINED = """
<p>The county council and the health board have agreed to run health and social care together from
April, with a single budget, one director and one team in every town.</p>
<p>Under the plan the NHS and the council will pool their budgets for community nursing, home care
and social work. An integration joint board will decide how the money is spent, and staff of both
will share offices and one record for each person they look after.</p>
<p>"Families have told us for years that they are passed from one office to the next," the leader
of the council said. "Joint working ends that. Nobody will have to tell their story twice."</p>
<p>The chief executive of the health board said the integration of health and social care would
bring people home from hospital sooner, because care at home would be arranged by the same team.</p>
"""
PLAYED = """
<p>The town's football club came from two goals down to draw with the league leaders on Saturday, in
front of its largest crowd of the season.</p>
<p>The visitors scored twice in the first ten minutes, the second from a corner that the goalkeeper
could only watch. After the break a long shot went in off the post, and with three minutes left the
captain headed a free kick into the net.</p>
<p>"We never stopped running," the manager said. "A month ago we would have lost that match by four,
and I told them so in the dressing room." The club stays fourth and travels to the coast next week,
where it has not won since the old stand burned down.</p>
"""


@dataclass(frozen=True)
class Desk:
    """A real Airflow over one loopback site; `news` are its settings."""

    airflow: Airflow
    news: Mapping[str, str]
    site: NewsSite
    feed: str
    state: Path

    def start_over(self) -> None:
        """Empty the catalog, so that every feed is due, and let the site work."""
        self.airflow.settle("poll")
        self.site.publish("/feed", self.feed, content_type="application/rss+xml")
        for path in self.state.glob("catalog.sqlite*"):
            path.unlink()

    def corpus(self) -> list[Path]:
        return sorted((self.state / "corpus").glob("*"))

    def told(self, run: Run) -> list[dict[str, Any]]:
        """Return what the catalog knows of a run of `poll`, the last verb first."""
        with Catalog(self.news["NEWS_CATALOG"]) as catalog:
            return catalog.runs(9, f"poll/{run.id}")


def page(title: str, body: str) -> str:
    return (
        f"<!DOCTYPE html><html lang=en><head><title>{title}</title></head>"
        f"<body><article><h1>{title}</h1>{body}</article></body></html>"
    )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    state = tmp_path_factory.mktemp("desk")
    with NewsSite() as site:
        items = ""
        for title, body in (("Council and board share a budget", JOINED), ("Late draw", PLAYED)):
            link = site.publish(f"/{len(items)}", page(title, body))
            items += f"<item><title>{title}</title><link>{link}</link></item>"
        feed = f'<rss version="2.0"><channel><title>News</title>{items}</channel></rss>'
        site.publish("/feed", feed, content_type="application/rss+xml")
        (state / "feeds.toml").write_text(f'[[feed]]\nurl = "{site.url("/feed")}"\ntitle = "One"\n')
        news = {
            "NEWS_CORPUS": str(state / "corpus"),
            "NEWS_CATALOG": f"sqlite:///{state / 'catalog.sqlite'}",
            "NEWS_ARCHIVE": str(state / "archive"),
            "NEWS_FEEDS": str(state / "feeds.toml"),
            "NEWS_USER_AGENT": "newsdesk-tests (+https://example.org)",
            "NEWS_HOST_GAP": "0",
            "NEWS_ALLOW_NETWORKS": "127.0.0.0/8",
        }
        with Airflow(state / "airflow", news) as airflow:
            yield Desk(airflow, news, site, feed, state)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_poll_by_a_real_scheduler_fills_the_corpus_and_tells_the_counts(desk: Desk) -> None:
    first = desk.airflow.unpause("poll")

    run = desk.airflow.wait("poll", first)

    assert run.state == "success", run
    assert set(run.states.values()) == {"success"}
    assert set(run.tries.values()) == {1}
    assert len(desk.corpus()) == 1
    assert run.counts["discover"]["entries_new"] == 2
    assert run.counts["fetch"]["fetched"] == 2
    assert run.events == [{**run.counts, "first": 0, "last": 0}]
    assert [one["verb"] for one in desk.told(run)] == ["sift", "fetch", "discover"]
    assert all(isinstance(n, int) for counts in run.counts.values() for n in counts.values())


@pytest.mark.slow
def test_the_web_interface_shows_a_task_s_log_without_a_log_server(desk: Desk) -> None:
    run = desk.airflow.run("poll")

    log = desk.airflow.log("poll", run.id, "discover")

    assert "run_ended" in log


@pytest.mark.slow
def test_nothing_of_it_listens_off_loopback(desk: Desk) -> None:
    listening = desk.airflow.listening()

    assert listening == {f"127.0.0.1:{desk.airflow.port}"}


@pytest.mark.slow
def test_a_poll_in_which_every_feed_fails_is_red_after_one_try(desk: Desk) -> None:
    desk.start_over()
    desk.site.publish("/feed", "", status=503)

    run = desk.airflow.run("poll")

    assert run.state == "failed"
    assert run.states == {
        "discover": "failed",
        "fetch": "success",
        "sift": "success",
        "tally": "upstream_failed",
    }
    assert run.tries["discover"] == 1
    assert run.events == []


@pytest.mark.slow
def test_a_poll_without_its_catalog_tries_again_and_ends_well_when_it_is_back(desk: Desk) -> None:
    desk.start_over()
    catalog = desk.state / "catalog.sqlite"
    catalog.mkdir()  # what no database can be

    run = desk.airflow.trigger("poll")
    assert desk.airflow.until(
        lambda: desk.airflow.look("poll", run).states["discover"] == "up_for_retry"
    )
    catalog.rmdir()
    ended = desk.airflow.wait("poll", run, 180)

    assert ended.state == "success"
    assert ended.tries["discover"] == 2
