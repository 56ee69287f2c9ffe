"""A loopback Internet of 200 hosts and 400 feeds, made of real pages, for benchmarks.pipeline.

Each page is one of the real ones beside the checkout with its own story: in what its gold text
says is the body, half of the longer words are others, drawn from the words of all of them, but
for the topic's own. Every tenth story is on the topic: it has the headline and, as its first
paragraph, the text of a story that people labelled so. Three pages in ten are copies of an earlier
page at another host: every other one to the letter, the others with 3 words in 100 changed and the
last fifth left out. A sign of its own in the body tells which page a text came from.

The pages are written once, gzipped, into .scratch, and answered as they lie there, 20 ms after
the request, by a process of its own.
"""

import asyncio
import gzip
import html
import json
import mmap
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from isal import igzip

from tests.builders import SHARED

HOSTS, FEEDS, LATENCY = 200, 400, 0.02
PAGES, ON_TOPIC, COPIES, SEED = 20_000, 0.1, 0.3, 7
FOLDER = Path(".scratch/bench")
_FREE_FROM = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
MAY = os.geteuid() == 0 or (_FREE_FROM.exists() and int(_FREE_FROM.read_text()) <= 80)
PORT = 80 if MAY else 18321  # trafilatura asks no other than 80
VERSION = 3  # of what is built
SIGN = re.compile(r"\bq(\d{6})q\b")
_NODE = re.compile(r"(?is)<(script|style|noscript)\b.*?</\1\s*>|<!--.*?-->|>([^<>]{20,})<")
_WORD = re.compile(r"\b[a-z]{5,}\b")
_TITLES = re.compile(
    r'(?is)(<title[^>]*>)([^<]{10,})(?=</title)|(<h1\b[^>]*>\s*)([^<]{10,})(?=<)'
    r'|(property=["\']og:title["\']\s+content=")([^"]{10,})(?=")|("headline"\s*:\s*")([^"\\]{10,})(?=")'
)  # fmt: skip
# of the topic's prefilter: none of these shall come in by chance
_KEPT = re.compile(
    r"social|service|health|local|council|wellbeing|board|trust|clinical|commission|adult|integrat"
    r"|join|partner|organi[sz]ation|record|better|whole|person|section|transform|manch|devo"
)


@dataclass(frozen=True)
class Shell:
    """A real page in parts: every other one is a title, "", or a piece of the body to be varied."""

    parts: tuple[str, ...]
    body: tuple[int, ...]  # which parts are the body's


@dataclass(frozen=True)
class Told:
    """What is true of a page."""

    story: int  # the page whose copy it is; itself for a first one
    on_topic: bool


def shells() -> list[Shell]:
    """Return the real pages whose body was found in them nearly whole."""
    folder, found = SHARED / "data" / "extraction", []
    for name, gold in sorted(json.loads((folder / "gold.json").read_text()).items()):
        raw = gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes())
        text = " ".join(gold.get("text", "").split())
        try:
            page = raw.decode()
        except UnicodeDecodeError:
            continue
        if len(text.split()) > 150 and "articleBody" not in page and len(raw) < 1_000_000:
            shell = _parted(page, text)
            told = sum(len(shell.parts[n]) for n in shell.body)
            if told > 0.75 * len(text) and len(shell.body) > 3:
                found.append(shell)
    return found


def _parted(page: str, text: str) -> Shell:
    slots = []
    for m in _NODE.finditer(page):
        piece = " ".join(html.unescape(m[2] or "").split())
        if len(piece) > 20 and piece in text:
            slots.append((*m.span(2), True))
    for m in _TITLES.finditer(page):
        group = next(n for n in (2, 4, 6, 8) if m[n])
        slots.append((*m.span(group), False))
    parts, body, at = list[str](), list[int](), 0
    for start, end, is_body in sorted(slots):
        if start < at:
            continue
        parts.append(page[at:start])
        if is_body:
            body.append(len(parts))
        parts.append(html.unescape(page[start:end]) if is_body else "")
        at = end
    return Shell((*parts, page[at:]), tuple(body))


class Pages:
    """A page for every number, the same each time."""

    def __init__(self) -> None:
        """Read the real pages and the labelled stories."""
        self.shells = shells()
        words = {
            word
            for shell in self.shells
            for n in shell.body
            for word in _WORD.findall(shell.parts[n])
            if not _KEPT.search(word)
        }
        self.words = sorted(words)
        rows = gzip.decompress((SHARED / "data" / "topic" / "labelled.jsonl.gz").read_bytes())
        self.labelled = [
            row
            for row in map(json.loads, rows.splitlines())
            if row["on_topic"] and row["news"] and not row["borderline"]
        ]
        self.told: list[Told] = []
        draw = random.Random(SEED)
        for n in range(PAGES):
            of = draw.randrange(n) if n and draw.random() < COPIES else n
            story = self.told[of].story if of != n else n
            topical = self.told[story].on_topic if of != n else draw.random() < ON_TOPIC
            self.told.append(Told(story, topical))

    def page(self, number: int) -> bytes:
        """Return a page."""
        told = self.told[number]
        draw = random.Random(SEED * 1_000_003 + told.story)
        shell = self.shells[told.story % HOSTS % len(self.shells)]
        title = " ".join(draw.choices(self.words, k=8)).capitalize()
        texts = [self._varied(shell.parts[n], draw, 0.5) for n in shell.body]
        if told.on_topic:
            one = draw.choice(self.labelled)
            title = one["title"]
            texts[0] = " ".join(one["text"].partition("\n")[2].split())
        if told.story != number and number % 2:
            mine = random.Random(number)
            texts = [self._varied(text, mine, 0.05) for text in texts]
            keep = len(texts) - len(texts) // 5
            texts = [*texts[:keep], *([""] * (len(texts) - keep))]
        texts[texts.index(max(texts, key=len))] += f" The reference is q{number:06}q."
        parts = list(shell.parts)
        for n in range(1, len(parts), 2):
            parts[n] = html.escape(title)
        for n, text in zip(shell.body, texts, strict=True):
            parts[n] = html.escape(text, quote=False)
        return "".join(parts).encode()

    def _varied(self, text: str, draw: random.Random, share: float) -> str:
        return _WORD.sub(
            lambda m: (
                draw.choice(self.words)
                if draw.random() < share and not _KEPT.search(m[0])
                else m[0]
            ),
            text,
        )

    def title(self, number: int) -> str:
        """Return the title that a feed gives a page."""
        told = self.told[number]
        draw = random.Random(SEED * 1_000_003 + told.story)
        title = " ".join(draw.choices(self.words, k=8)).capitalize()
        if not told.on_topic:
            return title
        shell = self.shells[told.story % HOSTS % len(self.shells)]
        for n in shell.body:  # draw as the page does
            self._varied(shell.parts[n], draw, 0.5)
        return str(draw.choice(self.labelled)["title"])


def build(pages: int) -> Path:
    """Write the first pages, their places and titles; return the file, which may be there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"origin-{VERSION}-{pages}"
    index = file.with_suffix(".json")
    if index.exists():
        return file
    made, places, at = Pages(), [], 0
    with file.open("wb") as out:
        for number in range(pages):
            body = igzip.compress(made.page(number), 2)
            out.write(body)
            places.append((at, len(body)))
            at += len(body)
    titles = [made.title(number) for number in range(pages)]
    told = [(one.story, one.on_topic) for one in made.told[:pages]]
    index.write_text(json.dumps({"places": places, "titles": titles, "told": told}))
    return file


def told(pages: int) -> list[Told]:
    """Return what is true of the first pages."""
    index = json.loads(build(pages).with_suffix(".json").read_text())
    return [Told(*one) for one in index["told"]]


def address(number: int) -> str:
    """Return the address of a page's or a feed's host: the hosts in turn."""
    return f"127.20.{number % HOSTS}.1"


def site(number: int) -> str:
    """Return its root."""
    return f"http://{address(number)}" + (f":{PORT}" if PORT != 80 else "")


def feeds() -> list[str]:
    """Return the URLs of the feeds."""
    return [f"{site(n)}/feed/{n}.xml" for n in range(FEEDS)]


def url(number: int) -> str:
    """Return a page's URL."""
    return f"{site(number)}/news/2026/story-{number}-of-the-day"


def number_of(url: str) -> int:
    """Return the page that a URL is of."""
    return int(re.search(r"story-(\d+)-", url)[1])  # type: ignore[index]


async def serve(pages: int) -> None:
    """Answer until the process is ended."""
    file = build(pages)
    index = json.loads(file.with_suffix(".json").read_text())
    places, titles = index["places"], index["titles"]
    with file.open("rb") as opened:
        shelf = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)

    @cache
    def feed(number: int) -> bytes:
        items = "".join(
            f"<item><title>{html.escape(titles[n])}</title><link>{url(n)}</link>"
            f'<guid isPermaLink="false">{n}</guid>'
            f"<pubDate>Mon, {1 + n % 27:02} Jun 2026 {n % 24:02}:{n % 60:02}:00 GMT</pubDate>"
            f"<description>{html.escape(titles[n])}: what happened today.</description></item>"
            for n in range(number, pages, FEEDS)
        )
        return igzip.compress(
            f'<rss version="2.0"><channel><title>Feed {number}</title><link>'
            f"{site(number)}/</link>{items}</channel></rss>".encode()
        )

    def answer(path: bytes) -> tuple[bytes, bytes]:
        if path.startswith(b"/news/"):
            at, length = places[number_of(path.decode())]
            return b"200 OK", _answer(b"text/html; charset=utf-8", shelf[at : at + length])
        if path.startswith(b"/feed/"):
            number = int(path[6:].partition(b".")[0])
            return b"200 OK", _answer(b"application/rss+xml", feed(number))
        if path == b"/robots.txt":
            return b"200 OK", _answer(b"text/plain", igzip.compress(b"User-agent: *\nAllow: /\n"))
        return b"404 Not Found", _answer(b"text/plain", igzip.compress(b"not here"))

    class Site(asyncio.Protocol):
        """One connection."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.asked = transport, b""

        def data_received(self, data: bytes) -> None:
            self.asked += data
            while b"\r\n\r\n" in self.asked:
                request, _, self.asked = self.asked.partition(b"\r\n\r\n")
                loop.call_later(LATENCY, self.reply, request)

        def reply(self, request: bytes) -> None:
            if self.transport.is_closing():
                return
            status, rest = answer(request.split(b" ", 2)[1])
            self.transport.write(b"HTTP/1.1 " + status + b"\r\n" + rest)  # type: ignore[attr-defined]
            if b"onnection: close" in request:
                self.transport.close()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Site, [address(n) for n in range(HOSTS)], PORT, backlog=1000)
    print("ready", flush=True)
    await server.serve_forever()


def _answer(kind: bytes, body: bytes) -> bytes:
    head = b"Content-Type: %s\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    return head % (kind, len(body)) + body


@contextmanager
def running(pages: int) -> Iterator[None]:
    """Run the origin of the first pages in a process of its own."""
    build(pages)
    command = [sys.executable, "-m", "benchmarks.origin", str(pages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
