"""The Newsdesk page, in a real Airflow and a real browser."""

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from configparser import RawConfigParser
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, sync_playwright
from playwright.sync_api import Page as Tab

from ingest.discover import discover
from ingest.fetch import fetch
from ingest.sift import sift
from scripts import local_airflow
from scripts.local_airflow import ROOT
from storage.model import Slice
from tests.flow.test_dag import JOINED, PLAYED, page
from tests.home import Home, rss
from tests.newssite import NewsSite

LOOKS = ((1200, "light"), (390, "dark"), (1200, "dark"), (390, "light"))
CHROMIUM = "/usr/bin/chromium"
PASSWORDS = {"admin": "let me in", "viewer": "let me look"}
MORE = "<p>The union said it had not been asked, and will meet the council in <b>June</b>.</p>"
HOSTILE = 'Fair <script>alert(1)</script> & "quotes" \'; NHS and social care stalls'
LONG = "Ysgol yn ennill gwobr: llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch " * 3
UNSURE = ("Council sets out its budget", "Bridge to open in May", LONG.strip())
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
    site.publish("/gone", "", status=410)
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
        run = desk.catalog.begin_run("sift", desk.now(), "poll/by-hand")
        desk.catalog.end_run(run, desk.now(), sift(desk), None, {"texts_shrunk": "by half"})
        desk.catalog.plan(desk.feeds[0].url, lambda _: slices(desk.feeds[0].url))
    with feeds.open("a") as file:  # not asked yet
        file.write(f'[[feed]]\nurl = "{site.url("/new")}"\ntitle = "The Newest"\n')
    return home


def slices(source: str) -> list[Slice]:
    months = [date(2019 + n // 12, n % 12 + 1, 1) for n in range(28)]
    states = ("done", "partial", "planned")
    return [
        Slice(source=source, way="paged", since=first, until=first + timedelta(days=28),
              state=states[min(n // 12, 2)], reason="capped: 100 a page" if n // 12 == 1 else "")
        for n, first in enumerate(months)
    ]  # fmt: skip


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
def plugin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is imported when Airflow reads the plugin, and the routes of its app."""
    home = tmp_path_factory.mktemp("walk")
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WALK],
        env={**os.environ, "PYTHONPATH": str(ROOT / "plugins"), "AIRFLOW_HOME": str(home)},
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()[-1]  # fmt: skip
    return dict(json.loads(told))


@pytest.fixture(scope="module")
def routes(plugin: dict[str, Any]) -> list[tuple[str, str]]:
    """Method and path of every route there is, with something asked for that is there."""
    found = [(method, path) for path, methods in plugin["routes"] for method in methods]
    asked = [(method, path + ASKED.get(path, "")) for method, path in found]
    return [(method, path.replace("{name}.{kind}", "page.css")) for method, path in asked]


WALK = """
import json, sys
from newsdesk import NewsdeskPlugin
read = sorted({"fastapi", "pygal", "ingest", "newsdesk_page"} & {*sys.modules})
(one,) = NewsdeskPlugin().fastapi_apps
routes = [(route.path, sorted(route.methods)) for route in one["app"].routes]
print(json.dumps({"read": read, "routes": routes}))
"""
ASKED = {
    "/source": "?url=SOURCE",
    "/story": "?number=0",
    "/entry": "?id=1",
    "/run": "?occasion=poll/by-hand",
}


def reasons(home: Home) -> dict[str, str]:
    with home.desk() as desk:
        return {row["url"]: row["reason"] for row in desk.catalog.list_entries(source=source(home))}


def source(home: Home) -> str:
    with home.desk() as desk:
        return desk.feeds[0].url


def test_a_task_s_process_reads_nothing_of_the_page(plugin: dict[str, Any]) -> None:
    assert plugin["read"] == []


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
    airflow: Page, home: Home, routes: list[tuple[str, str]], headers: dict[str, str]
) -> None:
    told = {name: value.replace("PORT", str(airflow.port)) for name, value in headers.items()}
    before, token = reasons(home), airflow.token("admin")
    form = {"url": site_of(home, "unsure0"), "entry": 1, "what": "accept"}
    deciding = [path for method, path in routes if method == "POST"]

    said = [
        airflow.send("POST", path, form, Cookie=f"_token={token}", **told)[0] for path in deciding
    ]

    assert said == [403] * len(deciding)
    assert {"/decide", "/ask", "/disable", "/enable"} == set(deciding)
    assert reasons(home) == before


def test_a_source_is_asked_now_by_one_run_of_the_dag(airflow: Page, home: Home) -> None:
    bearer = f"Bearer {airflow.token('admin')}"
    airflow._wait("the DAG", lambda: airflow._has_read("poll"))
    form, headers = {"url": source(home)}, {"Authorization": bearer, "Origin": airflow.address}

    answers = [airflow.send("POST", "/ask", form, **headers) for _ in range(2)]
    status, shown, _ = airflow.send("GET", f"/{answers[0][2]['location']}", **headers)

    (run,) = airflow.ask("GET", "/api/v2/dags/poll/dagRuns")["dag_runs"]
    assert ([one[0] for one in answers], run["triggering_user_name"]) == ([303, 303], "admin")
    assert (status, "the DAG poll is paused" in shown) == (200, True)
    with home.desk() as desk:
        assert desk.catalog.feed_states()[source(home)].next_poll is None


def test_a_person_disables_a_source_and_enables_it(airflow: Page, home: Home) -> None:
    bearer = f"Bearer {airflow.token('admin')}"
    form, headers = {"url": source(home)}, {"Authorization": bearer, "Origin": airflow.address}

    done, _, _ = airflow.send("POST", "/disable", form, **headers)
    _, shown, _ = airflow.send("GET", f"/source?url={source(home)}", **headers)
    asked, told, _ = airflow.send("POST", "/ask", form, **headers)
    with home.desk() as desk:
        disabled = desk.feeds[0]
    undone, _, _ = airflow.send("POST", "/enable", form, **headers)

    assert (done, asked, undone) == (303, 409, 303)
    assert "disabled by admin" in shown
    assert "enable it first" in told
    assert not disabled.enabled
    with home.desk() as desk:
        assert desk.feeds[0].enabled


@dataclass
class Person:
    """Somebody at a browser, who is logged in; what our pages complain of is noted."""

    tab: Tab
    address: str
    complaints: list[str]

    def looks(self, name: str) -> Iterator[str]:
        """Be in one look after the other, wide and narrow, light and dark; yield its name."""
        for size, scheme in LOOKS if os.environ.get("SHOTS") else LOOKS[:2]:
            self.tab.set_viewport_size({"width": size, "height": 844})
            self.tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            yield f"{name}-{size}-{scheme}"

    def shot(self, name: str) -> None:
        """Keep a picture where SHOTS names a folder for them."""
        if folder := os.environ.get("SHOTS"):
            self.tab.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def logged_in(airflow: Page) -> Iterator[BrowserContext]:
    """A browser whose person is logged in."""
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed; .ci/run installs it")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--no-proxy-server"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        context = browser.new_context()
        context.set_default_timeout(60_000)
        tab = context.new_page()
        tab.goto(airflow.address)
        tab.fill("input[name=username]", "admin")
        tab.fill("input[name=password]", PASSWORDS["admin"])
        tab.click("button[type=submit]")
        tab.get_by_role("link", name="Newsdesk").wait_for()
        yield context
        browser.close()


@pytest.fixture
def person(airflow: Page, logged_in: BrowserContext) -> Iterator[Person]:
    tab = logged_in.new_page()
    tab.set_viewport_size({"width": 1200, "height": 844})
    complaints: list[str] = []
    tab.on("console", lambda said: complaints.extend(complaint(said)))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield Person(tab, airflow.address, complaints)
    tab.close()


def test_a_person_reads_decides_and_starts_a_backfill(
    airflow: Page, home: Home, person: Person
) -> None:
    before, tab = reasons(home), person.tab

    # the page stands in Airflow's menu
    tab.goto(person.address)
    tab.get_by_role("link", name="Newsdesk").click()
    frame = tab.frame_locator("iframe")
    frame.get_by_role("heading", name="Overview").wait_for()
    person.shot("in-airflow")

    # find a story, then why another was refused
    frame.get_by_role("link", name="Stories").click()
    frame.get_by_label("words").fill("pool budgets")
    frame.get_by_role("button", name="Search").click()
    frame.locator("li mark", has_text="pool").wait_for()
    frame.get_by_role("link", name="Council and health board").click()
    frame.locator("mark", has_text="single budget").wait_for()
    frame.get_by_role("link", name="Council and health board").click()  # the copy elsewhere
    frame.get_by_role("heading", name="Where they differ").wait_for()
    frame.get_by_role("link", name="Refused").click()
    frame.get_by_role("link", name="A draw in the league").click()
    frame.get_by_text("strays to").first.wait_for()

    # decide two reviews by a key each
    tab.goto(f"{person.address}/newsdesk/review")
    for key, said in (("a", "is now: kept"), ("r", "is now: refused")):
        tab.keyboard.press(key)
        tab.get_by_text(said).wait_for()
        tab.wait_for_load_state()  # with the script that hears the next key
    assert person.complaints == []

    # start a backfill
    airflow._wait("the DAG", lambda: airflow._has_read("sweep"))
    tab.goto(f"{person.address}/dags/sweep")
    tab.get_by_role("button", name="Trigger").first.click()
    tab.get_by_text("Backfill", exact=True).first.click()
    for day in ("2024/03/06", "2024/03/07"):
        tab.get_by_text("Select date and time").first.click()
        date, time = (tab.get_by_placeholder(p).last for p in ("YYYY/MM/DD", "HH:mm"))
        date.fill(day)  # the first one's may not have gone yet
        date.press("Tab")
        time.fill("00:00")
        time.press("Tab")
        time.press("Escape")
    tab.get_by_text("2 runs will be triggered.").wait_for()
    tab.get_by_role("button", name="Run Backfill").click()
    tab.get_by_text("Backfill in progress").wait_for()

    changed = {url: why for url, why in reasons(home).items() if why != before[url]}
    assert sorted(changed.values()) == ["kept", "refused"]
    (begun,) = airflow.ask("GET", "/api/v2/backfills?dag_id=sweep")["backfills"]
    assert begun["from_date"].startswith("2024-03-06")


def test_every_page_is_readable_light_and_dark_wide_and_narrow(
    home: Home, person: Person, routes: list[tuple[str, str]]
) -> None:
    entries = {name: entry_of(home, name) for name in ("copy", "match", "gone")}
    shown = [path for method, path in routes if method == "GET" and not path.endswith(".css")]
    shown += ["/?since=2026-02-20&until=2026-03-05", "/?since=2016-01-01", "/stories?q=nothing"]
    shown += ["/story?number=99999", "/slices?month=2020-02", "/stories?q=pool+budgets"]
    shown += [f"/entry?id={entry}" for entry in entries.values()]
    shown += ["/refused?reason=duplicate_near", "/run?occasion=poll/by-hand&reason=review"]
    for path in shown:
        for name in person.looks(re.sub("[^a-z0-9]+", "-", path)[:40]):
            person.tab.goto(f"{person.address}/newsdesk{path.replace('SOURCE', source(home))}")
            assert serious(person.tab) == [], path
            assert not person.tab.evaluate(WIDER), path
            person.shot(name)
    assert [one for one in person.complaints if "404" not in one] == []  # the one that was meant


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/plugin/newsdesk", "Overview"),
        ("/dags/poll/runs/by-hand/plugin/newsdesk_run", "Run poll/by-hand"),
    ],
)
def test_the_page_stands_in_airflow_s_own(
    airflow: Page, person: Person, path: str, heading: str
) -> None:
    run = {"dag_run_id": "by-hand", "logical_date": None}
    airflow._wait("the DAG", lambda: airflow._has_read("poll"))
    with suppress(local_airflow.LocalAirflowError):  # it is there already
        airflow.ask("POST", "/api/v2/dags/poll/dagRuns", run)

    for name in person.looks(heading.replace("/", "-")):
        person.tab.goto(f"{person.address}{path}")
        frame = person.tab.frame_locator("iframe")
        frame.get_by_role("heading", name=heading).wait_for()
        assert not person.tab.frames[-1].evaluate(WIDER)
        person.shot(f"framed-{name}")
    assert person.complaints == []


def entry_of(home: Home, name: str) -> int:
    with home.desk() as desk:
        rows = desk.catalog.list_entries(source=source(home))
    return next(int(row["id"]) for row in rows if row["url"].endswith(f"/{name}"))


@pytest.mark.parametrize(
    "path",
    [
        "/", "/sources", "/source?url=SOURCE", "/entry?id=1", "/review", "/stories?q=budget",
        "/refused", "/slices?month=2020-02", "/run?occasion=poll/by-hand", "the frame",
    ],
)  # fmt: skip
def test_all_of_a_page_is_reached_by_keyboard_in_the_order_in_which_it_is_read(
    home: Home, person: Person, path: str
) -> None:
    tab = person.tab
    if path == "the frame":
        tab.goto(f"{person.address}/plugin/newsdesk")
        tab.frame_locator("iframe").get_by_role("heading", name="Overview").wait_for()
    else:
        tab.goto(f"{person.address}/newsdesk{path.replace('SOURCE', source(home))}")
    ours = tab.frames[-1]
    wanted = ours.evaluate(f"{REACHED}.length")

    reached: list[int] = []
    for _ in range(wanted + 80):  # a date has more than one stop; Airflow's own come first
        tab.keyboard.press("Tab")
        one = ours.evaluate(WHERE)
        if one >= 0 and one not in reached:
            reached.append(one)
        if len(reached) == wanted:
            break

    assert reached == [*range(wanted)]


def test_the_first_tab_skips_to_what_the_page_is_about(person: Person) -> None:
    person.tab.goto(f"{person.address}/newsdesk/")

    person.tab.keyboard.press("Tab")
    person.tab.keyboard.press("Enter")

    assert person.tab.url.endswith("#main")
    person.tab.keyboard.press("Tab")
    assert person.tab.evaluate("document.activeElement.closest('main') !== null")


WIDER = "document.documentElement.scrollWidth > innerWidth"
REACHED = """[...document.querySelectorAll(
  'a[href], button, input:not([type=hidden]), select, summary, [tabindex="0"]'
)].filter((one) => one.checkVisibility())"""
WHERE = f"""(() => {{
  const one = document.activeElement;
  return getComputedStyle(one).outlineStyle === "none" ? -1 : {REACHED}.indexOf(one);
}})()"""


def complaint(said: ConsoleMessage) -> list[str]:
    ours = "/newsdesk" in said.location["url"]  # Airflow's pages complain of themselves
    return [f"{said.location['url']}: {said.text}"] if said.type == "error" and ours else []


def serious(tab: Tab) -> list[str]:
    found = Axe().run(tab).response["violations"]
    return [one["id"] for one in found if one["impact"] in ("serious", "critical")]
