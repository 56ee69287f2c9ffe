"""Keys that people wrote into the feeds file are sent to their own site and shown nowhere."""

import gzip
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from ingest.secrets import Secrets
from tests.flow.test_verbs import page
from tests.home import Home, rss
from tests.newssite import NewsSite, Reply

CANARY = "c4n4ry+9f8e/7d6c5b"
ESCAPED = "c4n4ry%2B9f8e%2F7d6c5b"


def written(folder: Path) -> dict[str, bytes]:
    """Return all that lies in a folder, unpacked, but for the feeds file."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "feeds.toml":
            data = path.read_bytes()
            if path.suffix == ".gz":
                data = gzip.decompress(data)
            if path.suffix == ".parquet":
                data += repr(pq.read_table(path).to_pylist()).encode()
            found[path.name] = data
    return found


def all_told(home: Home, *commands: list[str]) -> tuple[int, str]:
    """Run commands in one process, for speed; return its status, and output and errors."""
    code = (
        "import json, sys; from ingest.cli import app\n"
        "for command in json.loads(sys.argv[1]):\n"
        "    sys.exit(str(command)) if app(command, standalone_mode=False) else None"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(commands)],
        env=home.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def leaks(data: bytes) -> bool:
    return any(one.encode() in data for one in (CANARY, ESCAPED))


def test_a_key_goes_to_its_own_site_and_is_seen_nowhere_else(tmp_path: Path) -> None:
    with NewsSite() as site, NewsSite("127.0.0.2") as other:
        echo = {"Set-Cookie": f"id={CANARY}", "X-Key": ESCAPED}
        site.redirect("/feed", f"/moved?key={ESCAPED}")
        text = page("One purse", 3) + f"<p>You asked with the key {CANARY}, and this is why.</p>"
        site.publish("/story", text, headers=echo)
        site.script("/packed", Reply(body=text.replace("purse", "bridge"), gzip=True))
        site.publish("/broken", CANARY, status=403, headers={"cf-mitigated": CANARY})
        site.redirect("/away", other.url(f"/caught?key={ESCAPED}"))
        own = [site.url(f"/{name}?key={ESCAPED}") for name in ("story", "packed", "broken", "away")]
        links = [*own, other.url(f"/stolen?key={ESCAPED}"), site.url("/theirs?token=publishers")]
        items = rss([(link, f"{CANARY} {number}") for number, link in enumerate(links)])
        site.publish("/moved", items, content_type="text/xml", headers=echo)
        home = Home(tmp_path, [site.url(f"/feed?key={ESCAPED}")])

        status, shown = all_told(
            home,
            ["-v", "poll"],
            ["feeds", "list", "--json"],
            ["status"],
            ["why", own[0]],
            ["feeds", "check"],
            ["export", str(tmp_path / "out")],
            ["verify"],
        )

    asked = {one.path for one in site.asked}
    assert {f"/{name}?key={ESCAPED}" for name in ("feed", "moved", "story", "packed")} <= asked
    assert "/theirs?token=publishers" in asked
    assert {one.path.partition("?")[0] for one in other.asked} >= {"/caught", "/stolen"}
    assert not any(leaks(one.path.encode()) for one in other.asked)
    assert status == 0, shown
    assert "key=***" in shown
    assert not leaks(shown.encode())
    files = written(tmp_path)
    assert {"catalog.sqlite", "stories.jsonl", "stories.parquet"} <= set(files)
    assert [name for name, data in files.items() if leaks(data)] == []


def test_a_feed_that_is_added_keeps_its_key_in_the_feeds_file_alone(tmp_path: Path) -> None:
    with NewsSite() as site:
        site.publish("/feed", rss([(site.url("/a"), "A")]), content_type="text/xml")
        home, url = Home(tmp_path), site.url(f"/feed?api-key={ESCAPED}")

        added = home.told("feeds", "add", url)
        (listed,) = home.newsdesk("feeds", "list")

    assert added[0] == 0, added
    assert f'url = "{url}"' in home.feeds.read_text()
    assert re.search(r"api-key=\*\*\*[0-9a-f]{6}$", listed["url"])
    assert not leaks("".join(map(str, added)).encode())
    assert [name for name, data in written(tmp_path).items() if leaks(data)] == []


def test_a_password_in_a_feeds_url_is_refused_and_not_repeated(tmp_path: Path) -> None:
    url = f"http://me:{ESCAPED}@127.0.0.1:9/feed"
    wrong, right = Home(tmp_path / "a", [url]), Home(tmp_path / "b")

    told = [wrong.told("poll"), right.told("feeds", "add", url)]

    assert [status for status, _, _ in told] == [2, 2]
    assert all("user name or password" in err for _, _, err in told)
    assert not any(leaks((out + err).encode()) for _, out, err in told)


KEYS = st.from_regex(r"[A-Za-z0-9]{8,20}[0-9]", fullmatch=True)


@given(KEYS, KEYS)
def test_keys_come_back_for_their_own_host_only(key: str, other: str) -> None:
    url = f"https://a.example/feed?x=1&key={key}"
    secrets = Secrets([url, f"https://b.example/?token={other}"])

    masked = secrets.masked(url)

    assert key not in masked
    assert secrets.revealed(masked) == url
    assert secrets.revealed(masked.replace("//a", "//www.a")) == url.replace("//a", "//www.a")
    for elsewhere in (masked.replace("https:", "http:"), masked.replace("//a", "//evil")):
        assert secrets.revealed(elsewhere) == elsewhere
    assert (masked == secrets.masked(url.replace(key, other))) is (key == other)


def test_a_key_that_is_a_word_leaves_the_words_of_stories_alone() -> None:
    secrets = Secrets(["https://a.example/feed?key=scotland"])

    assert secrets.masked("Care in scotland") == "Care in scotland"
    assert secrets.masked("https://a.example/x?key=scotland").endswith("?key=***cea6e0")


def test_what_a_server_says_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    hostile = b"\x9b31mred\x85\xe2\x80\xaeforged"
    with NewsSite() as site:
        url = site.misbehave(
            "/a", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Type: " + hostile + b"\r\n\r\nx"
        )
        site.publish("/feed", rss([(url, "A"), (site.url("/b"), "B")]), content_type="text/xml")
        site.publish("/b", page("One purse", 3))
        home = Home(tmp_path, [site.url("/feed")])
        polled = home.told("-v", "poll")
    near, far = pty.openpty()

    command = [sys.executable, "-m", "ingest.cli", "why", url]
    environment = {**home.environment, "TERM": "xterm-256color", "COLUMNS": "200"}
    subprocess.run(command, env=environment, stdout=far, stderr=far, check=True)
    os.close(far)
    shown = os.read(near, 65536).decode()
    os.close(near)

    assert "31mred" in shown  # it is shown,
    colours = re.sub(r"\x1b\[[0-9;]*m", "", shown)  # with no codes but our own
    assert all(c.isprintable() or c in "\r\n" for c in colours)
    assert polled[0] == 0
    assert polled[2].count("31mred") == 1
    assert all(line.isprintable() for line in polled[2].splitlines())
    assert "\x9b" not in home.told("why", url, "--json")[1]


def test_the_guardians_key_is_a_mark_and_goes_to_the_guardian_alone(tmp_path: Path) -> None:
    with Home(tmp_path, NEWS_GUARDIAN_KEY="test-c4n4ry-9").desk() as desk:
        mark, secrets = desk.guardian_key, desk.secrets

    assert re.fullmatch(r"\*\*\*[0-9a-f]{6}", mark)
    asked = secrets.revealed(f"https://content.guardianapis.com/search?api-key={mark}")
    assert asked.endswith("?api-key=test-c4n4ry-9")
    assert mark in secrets.revealed(f"https://content.guardianapis.com.example/?api-key={mark}")


def test_without_a_guardians_key_there_is_no_mark(tmp_path: Path) -> None:
    with Home(tmp_path).desk() as desk:
        assert desk.guardian_key == ""
