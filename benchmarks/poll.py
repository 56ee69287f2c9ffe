"""How fast feeds are polled, and at what cost, beside reader (github.com/lemon24/reader).

    python -m benchmarks.poll [--quick] [--feeds 500] [--rounds 2] [--workers 50]

An origin in a process of its own stands for 200 hosts on loopback addresses and answers after
20 ms: a feed of 50 entries to who comes first, 304 to who brings its ETag. Each round asks every
feed for the first time, then again, in a new process and on an empty shelf, first Newsdesk, then
reader; there is no gap between requests. CPU is that of the asking process, imports left out;
memory is its peak, imports included. Medians of the rounds stand.

This file runs under reader's Python, too: what only one of them has is imported where needed.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOSTS, LATENCY, ENTRIES = 200, 0.02, 50
NAMES = ("newsdesk", "reader")


def addresses() -> list[str]:
    """Return the hosts of the origin."""
    return [f"127.1.{host}.1" for host in range(HOSTS)]


def urls(port: int, feeds: int) -> list[str]:
    """Return the feeds, the hosts in turn."""
    hosts = addresses()
    return [f"http://{hosts[n % HOSTS]}:{port}/feed/{n}" for n in range(feeds)]


def body(number: str) -> bytes:
    """Return a feed with entries of its own."""
    items = "".join(
        f"<item><title>Councils and hospitals plan care, part {n} of {number}</title>"
        f"<link>http://news.example/{number}/{n}</link><guid>{number}-{n}</guid>"
        f"<pubDate>Mon, 02 Mar 2026 {n % 24:02}:00:00 GMT</pubDate>"
        f"<description>{'The board met on Monday and agreed the plan. ' * 5}</description></item>"
        for n in range(ENTRIES)
    )
    shown = f'<rss version="2.0"><channel><title>Feed {number}</title>{items}</channel></rss>'
    return shown.encode()


async def serve(port: int) -> None:
    """Answer until the process is ended."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := (await reader.readuntil(b"\r\n\r\n")).lower():
                await asyncio.sleep(LATENCY)
                number = request.split(b" ", 2)[1].rpartition(b"/")[2].decode()
                tag = b'ETag: "%s"\r\n' % number.encode()
                if b"if-none-match" in request:
                    writer.write(b"HTTP/1.1 304 Not Modified\r\n" + tag + b"\r\n")
                else:
                    shown = body(number)
                    writer.write(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n"
                        + tag
                        + b"Content-Length: %d\r\n\r\n" % len(shown)
                        + shown
                    )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the other side has hung up
        finally:
            writer.close()

    server = await asyncio.start_server(answer, addresses(), port, backlog=1000)
    print("ready", flush=True)
    await server.serve_forever()


@contextmanager
def origin(port: int) -> Iterator[None]:
    """Run the origin in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.poll", "--serve", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()


def newsdesk(folder: Path, feeds: Sequence[str], workers: int) -> Callable[[], None]:
    """Return a poll of every feed with Newsdesk."""
    from ingest import logs
    from ingest.desk import Desk
    from ingest.discover import discover
    from ingest.settings import read

    logs.configure(verbose=False)
    file = folder / "feeds.toml"
    file.write_text("".join(f'[[feed]]\nurl = "{url}"\ntitle = "{url}"\n' for url in feeds))
    settings = {
        "NEWS_CORPUS": str(folder / "corpus"),
        "NEWS_CATALOG": f"sqlite:///{folder / 'catalog.sqlite'}",
        "NEWS_ARCHIVE": str(folder / "archive"),
        "NEWS_FEEDS": str(file),
        "NEWS_USER_AGENT": "newsdesk-benchmark (+https://newsdesk.example)",
        "NEWS_HOST_GAP": "0",
        "NEWS_ALLOW_NETWORKS": "127.0.0.0/8",
    }

    def poll() -> None:
        with Desk(read(settings)) as desk:
            counts = discover(desk, ask_all=True)
        assert counts.get("new", 0) + counts.get("not_modified", 0) == len(feeds), counts

    return poll


def reader(folder: Path, feeds: Sequence[str], workers: int) -> Callable[[], None]:
    """Return a poll of every feed with reader."""
    from reader import make_reader  # type: ignore[import-not-found]

    shelf = make_reader(str(folder / "reader.sqlite"))
    for url in feeds:
        shelf.add_feed(url, exist_ok=True)

    def poll() -> None:
        shelf.update_feeds(scheduled=False, workers=workers)
        failed = shelf.get_feed_counts().broken
        assert not failed, failed

    return poll


def measure(name: str, folder: Path, port: int, feeds: int, workers: int) -> None:
    """Poll once in this process and print the figures."""
    poll = {"newsdesk": newsdesk, "reader": reader}[name](folder, urls(port, feeds), workers)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    poll()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    figures = {
        "feeds_per_second": round(feeds / seconds, 1),
        "cpu_ms_per_feed": round(1000 * cpu / feeds, 3),
        "feeds_per_cpu_second": round(feeds / cpu, 1),
        "peak_mb": round(after.ru_maxrss / 1024, 1),
    }
    print(json.dumps(figures))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the rounds and hand in."""
    from benchmarks import peers
    from benchmarks.frame import Result, arguments

    parser = arguments(__doc__)
    parser.add_argument("--feeds", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--workers", type=int, default=50, help="of reader")
    parser.add_argument("--port", type=int, default=18304)
    options = parser.parse_args(argv)
    options.feeds = options.feeds or (200 if options.quick else 500)
    options.rounds = options.rounds or (1 if options.quick else 2)
    pythons = {"newsdesk": sys.executable, "reader": peers.python("reader")}
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    with origin(options.port):
        for _ in range(options.rounds):
            for name, python in pythons.items():
                with tempfile.TemporaryDirectory() as folder:
                    for step in ("first", "again") if python else ():
                        figures = told(str(python), name, folder, options)
                        found.setdefault((step, name), []).append(figures)
    medians = {
        at: {key: statistics.median(figures[key] for figures in some) for key in some[0]}
        for at, some in found.items()
    }
    result = Result("A quiet hour")
    names = ("feeds_per_second", "cpu_ms_per_feed", "feeds_per_cpu_second", "peak_mb")
    result.table(
        f"{options.feeds} feeds asked for the first time, then again: all 304",
        ("", *(name.replace("_", " ") for name in names)),
        [(f"{step}, {name}", *(one[n] for n in names)) for (step, name), one in medians.items()],
    )
    if ("again", "reader") in medians:
        rates = [medians["again", name]["feeds_per_cpu_second"] for name in NAMES]
        ratio = rates[0] / rates[1]
        result.aim("feeds a CPU second: 3 times reader's", f"{ratio:.2f} times", ratio >= 3)
    result.hand_in(options.json)


def told(python: str, name: str, folder: str, options: argparse.Namespace) -> dict[str, float]:
    """Return what one measurement prints."""
    numbers = {"--port": options.port, "--feeds": options.feeds, "--workers": options.workers}
    command: list[Any] = [python, __file__, "--measure", name, folder]
    command += [part for pair in numbers.items() for part in pair]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [str(part) for part in command], env=environment, stdout=subprocess.PIPE, check=True
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _itself() -> bool:
    """Serve or measure, as another process of this asks, under whatever Python."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", type=int)
    parser.add_argument("--measure", nargs=2)
    parser.add_argument("--port", type=int)
    parser.add_argument("--feeds", type=int)
    parser.add_argument("--workers", type=int)
    options, _ = parser.parse_known_args()
    if options.serve:
        asyncio.run(serve(options.serve))
    elif options.measure:
        name, folder = options.measure
        measure(name, Path(folder), options.port, options.feeds, options.workers)
    return bool(options.serve or options.measure)


if __name__ == "__main__" and not _itself():
    main()
