"""Many machines: what docker-compose.yml says, run on loopback, loses nothing when parts die."""

import base64
import json
import re
import selectors
import socket
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from sqlalchemy import create_engine, select

from ingest.desk import Desk
from ingest.report import verify
from ingest.settings import read
from storage import schema
from storage.corpus import number_of
from tests.archives import Post, WordPress
from tests.chaos.prose import story
from tests.cluster import SERVICES, Cluster, missing
from tests.home import Home, rss
from tests.newssite import NewsSite

FEEDS, STORIES = 200, 2
AWAY = 30  # seconds without an API server
SINCE, UNTIL, DAYS = datetime(2024, 2, 20), datetime(2024, 3, 5), 14  # over the end of a month
ALONE = """
import json, sys
from ingest import runs
runs.poll()
runs.backfill("2024-02-20", "2024-03-05", json.loads(sys.argv[1]), ["wordpress"])
"""


class Gate:
    """Lets so many requests pass, then holds those that come until it is opened."""

    def __init__(self) -> None:
        self._left: int | None = None
        self._open, self.reached = threading.Event(), threading.Event()
        self._open.set()

    def close(self, after: int) -> None:
        self._left = after
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def passed(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self.reached.set()
                self._open.wait(200)


class Town(NewsSite):
    """Two hundred news sites, each at an address of its own, answered by one thread a request."""

    def __init__(self) -> None:
        self.hosts = [f"127.0.1.{n + 1}" for n in range(FEEDS)]
        self.gate = Gate()
        super().__init__(self.hosts[0])
        self._ears = selectors.DefaultSelector()
        for host in self.hosts[1:]:
            ear = socket.create_server((host, self.port), backlog=16)
            self._ears.register(ear, selectors.EVENT_READ)
        self._hears = threading.Thread(target=self._hear)
        self._hears.start()
        self.feeds = [self._site(number, host) for number, host in enumerate(self.hosts)]

    def _hear(self) -> None:
        while not self.closing.is_set():
            for key, _ in self._ears.select(0.2):
                self._server.process_request(*key.fileobj.accept())  # type: ignore[union-attr]

    def close(self) -> None:
        super().close()
        self._hears.join()
        for key in list(self._ears.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._ears.close()

    def _site(self, number: int, host: str) -> str:
        """Publish a site's stories; in each tenth the first is one that its neighbour has, too."""
        there = f"http://{host}:{self.port}/{number}"
        told = []
        for place in range(STORIES):
            copied = number % 10 == 9 and place == 0
            title, paragraphs = story(f"town {number - copied} {place}")
            self.publish(f"/{number}/story/{place}", page(title, paragraphs))
            told.append((f"{there}/story/{place}", title))
        self.publish(f"/{number}/feed", rss(told), content_type="text/xml")
        return f"{there}/feed"

    def shown(self, path: str) -> Any:
        if "/story/" in path:
            self.gate.passed()
        return super().shown(path)


class Past(WordPress):
    """A site with a post a day, and its archive."""

    gate = Gate()  # of all of them: pages; and questions to their archives
    asked_of_all = Gate()

    def __init__(self, host: str) -> None:
        super().__init__(host)
        for number in range(-1, DAYS + 1):
            day = SINCE + timedelta(days=number, hours=9)
            title, paragraphs = story(f"{host} {number}")
            post = Post(number + 2, day, title=title)
            self.posts.append(post)
            self.publish(f"/{day:%Y/%m/%d}/{post.id}/", page(title, paragraphs, f"{day}Z"))
        self.publish("/feed/", rss([]), content_type="text/xml")

    def shown(self, path: str) -> Any:
        if re.match(r"/\d{4}/", path):
            self.gate.passed()
        elif "after=" in path:
            self.asked_of_all.passed()
        return super().shown(path)


class Collector(ThreadingHTTPServer):
    """What an OpenTelemetry collector hears over OTLP/HTTP: the last value of each name."""

    def __init__(self) -> None:
        came: dict[str, tuple[str, float]] = {}

        class Taken(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                for one in ExportMetricsServiceRequest.FromString(data).resource_metrics:
                    for metric in (
                        metric for scope in one.scope_metrics for metric in scope.metrics
                    ):
                        kind = str(metric.WhichOneof("data"))
                        point = getattr(metric, kind).data_points[-1]
                        number = (
                            point.sum if "histogram" in kind else point.as_double or point.as_int
                        )
                        came[metric.name] = (kind, number)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Taken)
        self.came = came
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


def page(title: str, paragraphs: list[str], day: str = "") -> str:
    said = f'<meta property="article:published_time" content="{day}">' if day else ""
    text = "".join(f"<p>{one}</p>" for one in paragraphs)
    return f"<html lang=en><title>{title}</title>{said}<article><h1>{title}</h1>{text}</article>"


@dataclass(frozen=True)
class Scene:
    cluster: Cluster
    alone: Home  # the same on a single machine
    town: Town
    past: list[Past]
    collector: Collector

    @property
    def news(self) -> dict[str, str]:
        return {n: v for n, v in self.cluster.seen_by("worker-1").items() if n.startswith("NEWS_")}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    if lacks := missing():
        pytest.skip(lacks)
    folder = tmp_path_factory.mktemp("cluster")
    with (
        Collector() as heard,
        Town() as town,
        Past("127.0.2.1") as one,
        Past("127.0.2.2") as two,
        Past("127.0.2.3") as x,
    ):
        past = [one, two, x]
        feeds = [*town.feeds, *(site.url("/feed/") for site in past)]
        alone = Home(folder / "alone", feeds)
        single = alone.python(ALONE, json.dumps(feeds[-3:]))
        own = ("NEWS_CORPUS", "NEWS_ARCHIVE", "NEWS_CATALOG")  # as the file has them
        said = {name: value for name, value in alone.news.items() if name not in own}
        said["NEWS_FETCH_DEADLINE"] = "200"  # requests are held meanwhile
        said["OTEL_ON"] = "True"
        said["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{heard.server_port}"
        with single, Cluster(folder / "many", said) as cluster:
            out, err = single.communicate(timeout=300)
            assert single.returncode == 0, out + err
            yield Scene(cluster, alone, town, past, heard)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_whatever_dies_nothing_is_lost_and_nothing_comes_twice(scene: Scene) -> None:
    cluster, town = scene.cluster, scene.town
    town.gate.close(after=150)
    Past.asked_of_all.close(after=15)
    Past.gate.close(after=20)

    # a poll over 200 feeds; the worker that fetches dies in the middle of it
    poll = cluster.unpause("poll")
    assert cluster.until(town.gate.reached.is_set, 180)
    cluster.kill(cluster.worker_of("poll", poll, "fetch"))
    town.gate.open()

    # a backfill over 14 days meanwhile; the scheduler dies while archives are asked
    cluster.unpause("sweep")
    conf = {"sources": [site.url("/feed/") for site in scene.past], "kinds": ["wordpress"]}
    cluster.run_in(
        "scheduler", "airflow", "backfill", "create", "--dag-id", "sweep", "--max-active-runs",
        "14", "--from-date", f"{SINCE:%F}", "--to-date", f"{UNTIL - timedelta(days=1):%F}",
        "--dag-run-conf", json.dumps(conf),
    )  # fmt: skip
    assert cluster.until(Past.asked_of_all.reached.is_set, 180)
    cluster.kill("scheduler")
    Past.asked_of_all.open()

    # Redis restarts, then PostgreSQL, while pages are fetched
    assert cluster.until(Past.gate.reached.is_set, 240)
    cluster.restart("redis")
    cluster.restart("postgres")
    Past.gate.open()
    ended = cluster.wait("poll", poll, 400)
    days = cluster.backfilled("sweep", DAYS, 400)

    assert ended.state == "success", ended
    assert ended.tries["fetch"] > 1
    assert days == ["success"] * DAYS
    texts = [path.read_bytes() for path in (cluster.folder / "corpus").iterdir()]
    numbers = sorted(number_of(path.name) or 0 for path in (cluster.folder / "corpus").iterdir())
    assert sorted(texts) == sorted(scene.alone.files().values())
    assert len(set(texts)) == len(texts) == FEEDS * STORIES - FEEDS // 10 + DAYS * len(scene.past)
    assert numbers == list(range(len(texts)))
    assert verdicts(scene.news) == verdicts(scene.alone.news)
    assert set(reasons(scene.news)) == set(reasons(scene.alone.news))
    with Desk(read(scene.news)) as desk:
        assert verify(desk) == []


def reasons(news: dict[str, str]) -> dict[str, str | None]:
    """Return the verdict of every entry, by its URL."""
    engine = create_engine(news["NEWS_CATALOG"])
    query = select(schema.entry.c.url, schema.verdict.c.reason)
    with engine.connect() as connection:
        rows = connection.execute(query.select_from(schema.entry.outerjoin(schema.verdict)))
        found = [(url, reason) for url, reason in rows]
    engine.dispose()
    assert len({url for url, _ in found}) == len(found)
    return dict(found)


def verdicts(news: dict[str, str]) -> Counter[str | None]:
    return Counter(reasons(news).values())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_tasks_outlive_half_a_minute_without_the_api_server(scene: Scene) -> None:
    cluster, town = scene.cluster, scene.town
    before = set((cluster.folder / "corpus").iterdir())
    run = hold_a_fetch(scene, town.feeds[2])

    cluster.kill("api-server")
    time.sleep(AWAY / 2)
    town.gate.open()  # its task ends while nobody hears of it
    time.sleep(AWAY / 2)
    cluster.check()
    assert cluster.until(lambda: cluster.is_healthy("api-server"), 120)
    ended = cluster.wait("poll", run, 300)

    assert (ended.state, {*ended.tries.values()}) == ("success", {1}), ended
    assert (ended.counts["fetch"]["fetched"], ended.counts["sift"]["kept"]) == (1, 1)
    assert len({*(cluster.folder / "corpus").iterdir()} - before) == 1
    with Desk(read(scene.news)) as desk:
        assert verify(desk) == []


def hold_a_fetch(scene: Scene, feed: str) -> str:
    """Announce a story at a feed, ask it, and hold the page; return the run that waits for it."""
    cluster, town = scene.cluster, scene.town
    number = town.feeds.index(feed)
    late = town.publish(f"/{number}/story/9", page(*story(f"the last {number}")))
    town.publish(f"/{number}/feed", rss([(late, "The last")]), content_type="text/xml")
    town.gate = Gate()
    town.gate.close(after=0)
    status, _ = send(cluster, "POST", "/ask", cluster.token, f"url={feed}")
    assert status == 303
    assert cluster.until(town.gate.reached.is_set, 120)
    (run,) = cluster.ask("GET", "/api/v2/dags/poll/dagRuns?state=running")["dag_runs"]
    return str(run["dag_run_id"])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_that_is_told_to_stop_lets_its_task_end(scene: Scene) -> None:
    cluster = scene.cluster
    other = cluster.down("worker-2")

    run = hold_a_fetch(scene, scene.town.feeds[0])
    stopping = cluster.down("worker-1")
    scene.town.gate.open()

    assert (stopping.wait(60), other.wait(60)) == (0, 0)
    look = cluster.look("poll", run)
    assert (look.states["fetch"], look.tries["fetch"]) == ("success", 1)
    assert look.counts["fetch"]["fetched"] == 1


@pytest.mark.slow
def test_metrics_reach_an_opentelemetry_collector(scene: Scene) -> None:
    came = scene.collector.came

    stories = len([*(scene.cluster.folder / "corpus").iterdir()])
    assert came["airflow.newsdesk.fetch.fetched"] == ("sum", 1)
    assert came["airflow.newsdesk.stories"] == ("gauge", stories)
    assert scene.cluster.until(lambda: "airflow.scheduler_heartbeat" in came)  # once a minute


@pytest.mark.slow
def test_every_role_may_do_on_the_page_what_it_may_do_in_airflow(scene: Scene) -> None:
    cluster = scene.cluster
    tokens = {role: cluster.add_user(role) for role in ("Viewer", "Op")}
    asked = [
        ("GET", "/", None),
        ("POST", "/decide", "url=http://x.example/&entry=1&what=accept"),
        ("POST", "/ask", f"url={scene.town.feeds[1]}"),
    ]

    told = {
        role: [send(cluster, method, path, token, form)[0] for method, path, form in asked]
        for role, token in {"nobody": "", **tokens, "Admin": cluster.token}.items()
    }

    assert told == {
        "nobody": [401, 401, 401],
        "Viewer": [200, 403, 403],
        "Op": [200, 409, 303],  # 409: there is no such entry, so it was looked for
        "Admin": [200, 409, 303],
    }


@pytest.mark.slow
def test_flower_asks_for_its_password(scene: Scene) -> None:
    cluster = scene.cluster
    auth = (cluster.folder / "state/secrets/flower_auth").read_text()
    address = f"http://127.0.0.1:{cluster.ports['flower']}/"

    assert get(address) == 401
    assert get(address, Authorization=f"Basic {base64.b64encode(auth.encode()).decode()}") == 200


@pytest.mark.slow
def test_workers_reach_the_object_store_by_the_file_that_is_prepared(scene: Scene) -> None:
    cluster = scene.cluster
    master = f"127.0.0.1:{cluster.ports['its master']}"
    make = f"echo s3.bucket.create -name newsdesk | weed shell -master={master}"

    cluster.run_in("s3", "sh", "-c", make)  # docs/operations.md
    told = cluster.run_in("worker", "python", "-c", PUT)

    assert told == "True False\n"


PUT = """
from storage.objects import Objects
corpus = Objects("s3://newsdesk/corpus", "NEWS_CORPUS")
print(corpus.put("name", b"text"), corpus.put("name", b"other"))
"""


@pytest.mark.slow
def test_all_that_the_file_says_was_run(scene: Scene) -> None:
    ran = scene.cluster.ran

    assert set(ran) == set(SERVICES)
    for name, said in ran.items():
        kept = ("entrypoint", "command", "environment", "healthcheck")
        about = {key: SERVICES[name].get(key) for key in kept}
        about["healthcheck"] = (about["healthcheck"] or {}).get("test")
        assert {key: said.get(key) for key in kept} == about


def send(
    cluster: Cluster, method: str, path: str, token: str, form: str | None = None
) -> tuple[int, str]:
    """Ask the Newsdesk page for something; redirects are not followed."""
    url = f"{cluster.address}/newsdesk{path}"
    headers = {"Origin": cluster.address} | ({"Authorization": f"Bearer {token}"} if token else {})
    return answer(urllib.request.Request(url, form and form.encode(), headers, method=method))


def get(url: str, **headers: str) -> int:
    return answer(urllib.request.Request(url, headers=headers))[0]


def answer(request: urllib.request.Request) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None
