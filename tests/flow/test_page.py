"""The Newsdesk page, in a real Airflow and a real browser."""

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, sync_playwright
from playwright.sync_api import Page as Tab

from ingest.discover import discover
from ingest.fetch import fetch
from ingest.sift import sift
from scripts import local_airflow
from scripts.local_airflow import ROOT
from tests.flow.test_dag import JOINED, PLAYED, page
from tests.home import Home, rss
from tests.newssite import NewsSite

CHROMIUM = "/usr/bin/chromium"
PASSWORDS = {"admin": "let me in", "viewer": "let me look"}
MORE = "<p>The union said it had not been asked, and will meet the council in <b>June</b>.</p>"
HOSTILE = 'Fair <script>alert(1)</script> & "quotes" \'; NHS and social care stalls'
UNSURE = ("Council sets out its budget", "Bridge to open in May", "School wins a prize")
LEAD = "<p>Money for roads, parks and integrated health and social care was agreed: {}.</p>"


class Page(local_airflow.Airflow):
    """Airflow without a scheduler, so that no run starts; with a user who may only look."""

    def _write_settings(self) -> None:
        super()._write_settings()
        path = self.home / "airflow.cfg"
        settings = RawConfigParser()
        settings.read(path)
        settings["core"]["simple_auth_manager_users"] = "admin:admin,viewer:viewer"
        with path.open("w") as file:
            settings.write(file)
        (self.home / "passwords.json").write_text(json.dumps(PASSWORDS))

    def send(
        self, method: str, path: str, form: dict[str, Any] | None = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        """Ask the page for something, with those headers and no others."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        body = urlencode(form or {}) if method == "POST" else None
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request(method, f"/newsdesk{path}", body, said | kind)
        answer = connection.getresponse()
        told = answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}
        connection.close()
        return answer.status, *told

    def token(self, user: str) -> str:
        said = {"username": user, "password": PASSWORDS[user]}
        return str(self.ask("POST", "/auth/token", said)["access_token"])


def fill(folder: Path, site: NewsSite) -> Home:
    """A story and a copy of it, one off the topic, one that is gone, three that are uncertain."""
    told = {
        "/joined": page("Council and health board to share one budget", JOINED),
        "/copy": page("Council and health board to share one budget", JOINED + MORE),
        "/played": page(HOSTILE, PLAYED.replace("football", "chess") + PLAYED),
    }
    told["/match"] = page("A draw in the league", PLAYED)
    for place, title in enumerate(UNSURE):
        words = PLAYED.replace("<p>", "").replace("</p>", "").replace("football", "chess").split()
        words = Random(place).sample(words, len(words))  # no copies of each other
        told[f"/unsure{place}"] = page(title, LEAD.format(title) + f"<p>{' '.join(words)}</p>")
    for path, html in told.items():
        site.publish(path, html)
    entries = [
        (site.url(path), re.findall("<title>(.*)</title>", t)[0]) for path, t in told.items()
    ]
    feed = rss([(url, title.replace("<", "&lt;")) for url, title in entries]).replace(
        " & ", " &amp; "
    )
    feed = feed.replace(
        "</channel>", f"<item><title>Gone</title><link>{site.url('/gone')}</link></item></channel>"
    )
    site.publish("/feed", feed, content_type="text/xml")
    feeds = folder / "feeds.toml"
    feeds.parent.mkdir(parents=True, exist_ok=True)
    feeds.write_text(
        f'[[feed]]\nurl = "{site.url("/feed")}"\ntitle = "Borders Post"\nnation = "scotland"\n'
    )
    home = Home(folder / "home", feeds, NEWS_TOPIC="")
    with home.desk() as desk:
        discover(desk)
        fetch(desk)
        sift(desk)
    with feeds.open("a") as file:  # not asked yet
        file.write(f'[[feed]]\nurl = "{site.url("/new")}"\ntitle = "The Newest"\n')
    return home


@pytest.fixture(scope="module")
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


@pytest.fixture(scope="module")
def home(site: NewsSite, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return fill(tmp_path_factory.mktemp("page"), site)


@pytest.fixture(scope="module")
def airflow(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    seen = {**home.environment, "PYTHONPATH": str(ROOT)}
    parts = ("api-server", "dag-processor")
    with Page(tmp_path_factory.mktemp("airflow"), seen, components=parts, port=0) as page:
        yield page


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Method and path of every route there is, with something asked for that is there."""
    home = tmp_path_factory.mktemp("walk")
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WALK],
        env={**os.environ, "PYTHONPATH": str(ROOT), "AIRFLOW_HOME": str(home)},
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()[-1]  # fmt: skip
    found = [(method, path) for path, methods in json.loads(told) for method in methods]
    asked = [(method, path + ASKED.get(path, "")) for method, path in found]
    return [(method, path.replace("{name}.{kind}", "page.css")) for method, path in asked]


WALK = """
import json
from plugins.newsdesk import app
print(json.dumps([(route.path, sorted(route.methods)) for route in app.routes]))
"""
ASKED = {"/source": "?url=SOURCE", "/story": "?number=0", "/entry": "?id=1"}


def reasons(home: Home) -> dict[str, str]:
    with home.desk() as desk:
        return {row["url"]: row["reason"] for row in desk.catalog.list_entries(source=source(home))}


def source(home: Home) -> str:
    with home.desk() as desk:
        return desk.feeds[0].url


def test_without_a_session_nothing_is_shown(
    airflow: Page, home: Home, routes: list[tuple[str, str]]
) -> None:
    for method, path in [*routes, ("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/redoc")]:
        status, text, headers = airflow.send(
            method, path.replace("SOURCE", source(home)), {"url": "x"}, Origin=airflow.address
        )

        assert status in (401, 404), path
        assert "budget" not in text
        assert "script-src 'self'" in headers["content-security-policy"]
    assert {"/", "/stories", "/review", "/decide"} <= {path for _, path in routes}


def test_whoever_may_only_look_sees_all_and_decides_nothing(
    airflow: Page, home: Home, routes: list[tuple[str, str]]
) -> None:
    bearer = f"Bearer {airflow.token('viewer')}"
    before = reasons(home)

    for method, path in routes:
        path = path.replace("SOURCE", source(home))
        form = {"url": site_of(home, "unsure0"), "entry": 1, "what": "accept"}
        status, _, _ = airflow.send(
            method, path, form, Authorization=bearer, Origin=airflow.address
        )

        assert status == (200 if method == "GET" else 403), path
    assert reasons(home) == before


def site_of(home: Home, name: str) -> str:
    return next(url for url in reasons(home) if url.endswith(f"/{name}"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:PORT"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_no_other_site_can_have_somebodys_browser_decide(
    airflow: Page, home: Home, headers: dict[str, str]
) -> None:
    told = {name: value.replace("PORT", str(airflow.port)) for name, value in headers.items()}
    before = reasons(home)

    status, _, _ = airflow.send(
        "POST", "/decide", {"url": site_of(home, "unsure0"), "entry": 1, "what": "accept"},
        Cookie=f"_token={airflow.token('admin')}", **told,
    )  # fmt: skip

    assert status == 403
    assert reasons(home) == before


def test_a_person_reads_and_decides(airflow: Page, home: Home) -> None:
    before = reasons(home)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-proxy-server"])
        tab = browser.new_page()
        complaints: list[str] = []
        tab.on("console", lambda said: complaints.extend(complaint(said)))
        tab.on("pageerror", lambda error: complaints.append(str(error)))

        # log in; the page stands in Airflow's menu
        tab.goto(airflow.address)
        tab.fill("input[name=username]", "admin")
        tab.fill("input[name=password]", PASSWORDS["admin"])
        tab.click("button[type=submit]")
        tab.get_by_role("link", name="Newsdesk").click()
        frame = tab.frame_locator("iframe")
        frame.get_by_role("heading", name="Overview").wait_for()
        frame.get_by_role("link", name="Stories").click()
        complaints.clear()  # what Airflow's own pages say is not ours to mend

        # find a story, then why another was refused
        frame.get_by_label("words").fill("pool budgets")
        frame.get_by_role("button", name="Search").click()
        frame.get_by_role("link", name="Council and health board").click()
        frame.locator("mark", has_text="single budget").wait_for()
        frame.get_by_role("heading", name="Copies elsewhere").wait_for()
        frame.get_by_role("link", name="Refused").click()
        frame.get_by_role("link", name="A draw in the league").click()
        frame.get_by_text("strays to").first.wait_for()

        # decide two reviews by a key each
        tab.goto(f"{airflow.address}/newsdesk/review")
        for key in "ar":
            address = tab.url
            tab.keyboard.press(key)
            tab.wait_for_url(lambda url, old=address: url != old)
            tab.locator(".text, main > p").first.wait_for()

        # every page, light and dark, wide and narrow
        for path in (
            "./",
            "sources",
            "stories",
            "refused",
            "review",
            "story?number=0",
            "entry?id=1",
        ):
            for size, scheme in ((1200, "light"), (390, "dark")):
                tab.set_viewport_size({"width": size, "height": 844})
                tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                tab.goto(f"{airflow.address}/newsdesk/{path}")
                assert serious(tab) == [], path
                assert not tab.evaluate("document.documentElement.scrollWidth > innerWidth"), path
        browser.close()

    changed = {url: why for url, why in reasons(home).items() if why != before[url]}
    assert sorted(changed.values()) == ["kept", "refused"]
    assert complaints == []


def test_a_source_is_asked_now_by_a_run_of_the_dag(airflow: Page, home: Home) -> None:
    form, bearer = {"url": source(home)}, f"Bearer {airflow.token('admin')}"
    airflow._wait("the DAG", lambda: airflow._has_read("poll"))

    status, _, _ = airflow.send("POST", "/ask", form, Authorization=bearer, Origin=airflow.address)

    (run,) = airflow.ask("GET", "/api/v2/dags/poll/dagRuns")["dag_runs"]
    assert (status, run["triggering_user_name"]) == (303, "admin")
    with home.desk() as desk:
        assert desk.catalog.feed_states()[source(home)].next_poll is None


def complaint(said: ConsoleMessage) -> list[str]:
    return [said.text] if said.type == "error" else []  # Airflow's frame warns of itself


def serious(tab: Tab) -> list[str]:
    found = Axe().run(tab).response["violations"]
    return [one["id"] for one in found if one["impact"] in ("serious", "critical")]
