"""What Airflow's own screens and what people and machines hear of a run, on a real Airflow."""

import json
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from scripts.local_airflow import COMMANDS, ROOT
from tests.airflow_home import Airflow, Run
from tests.flow.test_dag import JOINED, PLAYED, page
from tests.home import Home, rss
from tests.newssite import NewsSite

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore:Requiring AUTH", "ignore:Session.login_data"),  # aiosmtpd
]

BEGAN = datetime.now(UTC)
SECRET = "hunter2-hunter2"
FOLLOWER = """
from typing import Any
from airflow.sdk import Asset, dag, task

CORPUS = Asset("news_corpus")

@dag(schedule=[CORPUS], is_paused_upon_creation=False)
def follower():
    @task
    def numbers(triggering_asset_events: Any = None) -> list[int]:
        told = [one.extra for one in triggering_asset_events[CORPUS]]
        return [n for one in told for n in range(one["first"], one["last"] + 1)]

    numbers()

follower()
"""
STUCK = """
import time
from airflow.sdk import dag, task
from newsdesk_dags import deadline

@dag(deadline=deadline(hours=0.002), is_paused_upon_creation=False)
def stuck():
    @task
    def wait():
        time.sleep(120)

    wait()

stuck()
"""


class Webhook:
    """Takes JSON on a port of its own; may be away for a while."""

    def __init__(self) -> None:
        self.came: list[dict[str, Any]] = []
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])

    def start(self) -> None:
        came = self.came

        class Taken(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Taken)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Mailbox(Controller):
    """An SMTP server that wants a password."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str]] = []  # subject, text
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = int(probe.getsockname()[1])
        super().__init__(
            self, "127.0.0.1", port, auth_required=True, auth_require_tls=False,
            authenticator=lambda *said: AuthResult(success=said[-1].password == SECRET.encode()),
        )  # fmt: skip

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802
        mail = message_from_bytes(bytes(envelope.content or b""), policy=default)
        parts = [part for part in mail.walk() if part.get_content_type() == "text/plain"]
        text = bytes(parts[0].get_payload(decode=True)).decode()
        self.came.append((str(mail["Subject"]), text))
        return "250 taken"


class Metrics:
    """A StatsD server: name -> the values that came."""

    def __init__(self) -> None:
        self.came: dict[str, list[tuple[float, str]]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while data := self._socket.recv(65535):
            for name, value, kind in re.findall(r"(\S+?):([\d.]+)\|(\w+)", data.decode()):
                self.came.setdefault(name, []).append((float(value), kind))
        self._socket.close()

    def close(self) -> None:
        self._socket.sendto(b"", self._socket.getsockname())


@dataclass(frozen=True)
class Desk:
    airflow: Airflow
    home: Home
    site: NewsSite
    hook: Webhook
    mail: Mailbox
    metrics: Metrics
    stories: dict[str, str] = field(default_factory=dict)

    def publish(self, path: str, title: str, body: str) -> None:
        """Announce a story besides those that are there."""
        self.stories[self.site.publish(path, page(title, body))] = title

    def announce(self, status: int = 200) -> None:
        appeared = format_datetime(BEGAN - timedelta(hours=1), usegmt=True)
        feed = rss(self.stories.items(), lambda _: appeared)
        self.site.publish("/feed", feed, content_type="text/xml", status=status)

    def poll(self, feed: int = 200) -> Run:
        """Poll once; the feed is due, and answers with that status."""
        self.announce(feed)
        with self.home.desk() as desk:
            for state in desk.catalog.feed_states().values():
                due = replace(state, next_poll=None, failures=0)
                desk.catalog.polled(due, (), datetime.now(UTC))
        return self.airflow.run("poll")

    def remembers(self, red: str) -> bool:
        """Wait until it is noted in which run the red ones began; in none: an empty name."""
        path = "/api/v2/variables?variable_key_pattern=newsdesk_told_poll"
        return self.airflow.until(
            lambda: any(
                json.loads(one["value"])["red"] == red
                for one in self.airflow.ask("GET", path)["variables"]
            )
        )

    def logs(self) -> str:
        return "".join(path.read_text() for path in self.airflow.home.rglob("*.log"))

    def decided(self, run: Run, task: str, *events: str) -> list[dict[str, Any]]:
        """Return the lines of a task's log with one of these events, as the interface shows it."""
        path = f"/api/v2/dags/poll/dagRuns/{run.id}/taskInstances/{task}/logs/1"
        return [one for one in self.airflow.ask("GET", path)["content"] if one["event"] in events]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("screens")
    dags = Path(shutil.copytree(ROOT / "dags", folder / "dags"))
    rarely = (dags / "poll.py").read_text().replace("*/15 * * * *", "0 0 1 1 *")  # and when told
    (dags / "poll.py").write_text(rarely)
    (dags / "follower.py").write_text(FOLLOWER)
    (dags / "stuck.py").write_text(STUCK)
    hook, mail, metrics = Webhook(), Mailbox(), Metrics()
    mail.start()
    hook.start()
    with NewsSite() as site:
        home = Home(folder / "home", [site.url("/feed")])
        to = "from=desk@example.org&to=editor@example.org&mode=insecure"
        paths = [
            f"json://me:{SECRET}@127.0.0.1:{hook.port}/",
            f"mailto://me:{SECRET}@127.0.0.1:{mail.port}?smtp=127.0.0.1&{to}",
        ]
        extra = {"config": [{"path": path} for path in paths]}
        settings = {
            **home.news,
            "AIRFLOW_CONN_NEWSDESK_ALERTS": json.dumps({"conn_type": "apprise", "extra": extra}),
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                {"type": "file", "log_file_path": str(folder / "lineage"), "append": True}
            ),
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(metrics.port),
        }
        with Airflow(folder / "airflow", settings, dags, components=tuple(COMMANDS)) as airflow:
            desk = Desk(airflow, home, site, hook, mail, metrics)
            yield desk
    hook.stop()
    metrics.close()
    with suppress(AssertionError):  # a test has done so
        mail.stop()


@pytest.fixture(scope="module")
def first(desk: Desk) -> Run:
    """The first poll: one story is kept, one is too short."""
    desk.publish("/joined", "Council and board share a budget", JOINED)
    desk.publish("/short", "Late draw", "<p>It was a draw.</p>")
    desk.announce()
    return desk.airflow.wait("poll", desk.airflow.unpause("poll"))


def test_a_task_s_log_has_one_line_a_decision_with_keys(desk: Desk, first: Run) -> None:
    polled = desk.decided(first, "discover", "feed_polled")
    fetched = desk.decided(first, "fetch", "page_fetched", "page_not_fetched")
    judged = desk.decided(first, "sift", "story_kept", "story_dropped")

    assert [(one["source"], one["outcome"]) for one in polled] == [(desk.site.url("/feed"), "new")]
    assert sorted(one["url"] for one in fetched) == sorted(desk.stories)
    assert {one["url"]: (one["event"], one["reason"]) for one in judged} == {
        desk.site.url("/joined"): ("story_kept", "kept"),
        desk.site.url("/short"): ("story_dropped", "too_short"),
    }
    (kept,) = [one for one in judged if one["reason"] == "kept"]
    assert kept["story"] in {path.name for path in desk.home.corpus.iterdir()}
    assert all("detail" in one and "title" in one for one in judged)


def test_an_event_gives_who_follows_the_numbers_of_the_new_stories(desk: Desk, first: Run) -> None:
    def follows() -> list[str]:
        runs = desk.airflow.ask("GET", "/api/v2/dags/follower/dagRuns")["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    assert [(one["first"], one["last"]) for one in first.events] == [(0, 0)]
    assert first.events[0]["sift"]["kept"] == 1
    assert desk.airflow.until(lambda: len(follows()) == 1)
    assert desk.airflow.wait("follower", follows()[0]).counts["numbers"] == [0]

    nothing = desk.poll()
    desk.publish("/played", "Late draw in the cup", PLAYED)
    more = desk.poll()

    assert (nothing.state, nothing.events) == ("success", [])
    assert [(one["first"], one["last"]) for one in more.events] == [(1, 1)]
    assert desk.airflow.until(lambda: len(follows()) == 2)


def test_metrics_go_where_airflows_own_go(desk: Desk, first: Run) -> None:
    came = desk.metrics.came

    latency, kind = came["airflow.newsdesk.latency"][0]
    assert (latency > 3_600_000, kind) == (True, "ms")
    told = {name.removeprefix("airflow.newsdesk."): one[0] for name, one in came.items()}
    expected = {
        "discover.entries_new": (2, "c"),
        "fetch.pages": (2, "c"),
        "sift.kept": (1, "c"),
        "sift.too_short": (1, "c"),
        "entries.to_fetch": (0, "g"),
        "entries.to_sift": (0, "g"),
        "stories": (1, "g"),
        "feeds.well": (1, "g"),
    }
    assert {name: told.get(name) for name in expected} == expected
    assert {f"seconds_since_success.{verb}" for verb in ("discover", "fetch", "sift")} <= set(told)


def test_people_are_told_once_when_runs_turn_red_and_once_when_they_are_green_again(
    desk: Desk, first: Run
) -> None:
    red = desk.poll(503)
    assert red.state == "failed"
    assert desk.remembers(red.id)
    assert desk.poll(503).state == "failed"
    assert desk.poll().state == "success"
    assert desk.remembers("")

    told = [one["title"] for one in desk.hook.came]
    mails = [" ".join(subject.split()) for subject, _ in desk.mail.came]
    assert len(told) == 2
    assert told[0].startswith("Newsdesk: poll is red: discover: every feed failed (1 of 1)")
    assert told[1] == "Newsdesk: poll is green again"
    assert mails == told
    assert f"/dags/poll/runs/{red.id.split('+')[0].split(':')[0]}" in desk.mail.came[0][1]


def test_what_could_not_be_sent_makes_no_run_red_and_is_sent_later_without_a_secret_in_a_log(
    desk: Desk, first: Run
) -> None:
    desk.hook.stop()
    desk.mail.stop()

    red = desk.poll(503)
    assert desk.airflow.until(lambda: "people_not_told" in desk.logs())
    desk.hook.start()
    before = len(desk.hook.came)
    again = desk.poll(503)

    assert desk.airflow.until(lambda: len(desk.hook.came) > before)
    assert desk.remembers(again.id)
    assert (red.states, "target 2 did not take it" in desk.logs()) == (again.states, True)
    assert SECRET not in desk.logs()


def test_lineage_knows_archive_and_corpus_as_datasets(desk: Desk, first: Run) -> None:
    lines = (desk.home.corpus.parents[1] / "lineage").read_text().splitlines()

    told = [json.loads(line) for line in lines]
    sifted = [
        one for one in told if one["job"]["name"] == "poll.sift" and one["eventType"] == "COMPLETE"
    ]
    assert [one["name"] for one in sifted[0]["inputs"]] == [desk.home.news["NEWS_ARCHIVE"]]
    assert [one["name"] for one in sifted[0]["outputs"]] == [desk.home.news["NEWS_CORPUS"]]


def test_people_are_told_at_a_run_s_deadline_that_no_poll_succeeded_for_so_long(
    desk: Desk, first: Run
) -> None:
    before = len(desk.hook.came)

    run = desk.airflow.trigger("stuck")

    assert desk.airflow.until(lambda: len(desk.hook.came) > before)
    (told,) = desk.hook.came[before:]
    assert told["title"].startswith("Newsdesk: no poll succeeded since ")
    assert "/dags/stuck/runs/" in told["message"]
    assert desk.airflow.look("stuck", run).state not in ("success", "failed")
