"""Pages a second out of a WARC file: `python -m benchmarks.scan [--turns N] [--peers PYTHON]`.

The file holds 20,000 responses made of the real pages beside the checkout, one gzip member each,
as CC-NEWS has them; it is built once, in ./state. Each row is read by a process of its own, whose
CPU seconds are counted with its children's and its start: one processor, or two where it says so.
FastWARC and our prefilter take turns, and the medians stand; the other rows are read once. What
takes apart pages gets the first 2,000 or, where a second row shows how memory grows, 300. A peak
is that of a row's largest process. All of it took 350 CPU seconds, eight minutes beside other work;
two idle processors need about four.

`--peers` names a Python in which news-please is installed (1.6: `pip install news-please`). Its
CC-NEWS crawler chooses and downloads its files itself, so what it does with each record is called,
for 45 CPU seconds; it would ask the sites for pictures, and is refused.
"""

import argparse
import gzip
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest import logs
from tests.builders import SHARED

PAGES, PART_PAGES, SAMPLE_PAGES, SEED = 20_000, 2_000, 300, 5
FOLDER = Path("state/benchmark")
WHOLE, PART, SAMPLE = (FOLDER / f"scan{what}.warc.gz" for what in ("", "-part", "-sample"))


def build() -> None:
    """Write both files, the same bytes every time: every 50th page is a seed's text."""
    draw = random.Random(SEED)
    pages = [
        gzip.decompress(one.read_bytes())
        for one in sorted((SHARED / "data" / "extraction" / "html").glob("*.gz"))
    ]
    seeds = [one.read_text("utf-8") for one in sorted((SHARED / "seeds").glob("*.txt"))]
    FOLDER.mkdir(parents=True, exist_ok=True)
    unfinished = WHOLE.with_suffix(".part")
    with unfinished.open("wb") as file, PART.open("wb") as part, SAMPLE.open("wb") as sample:
        for number in range(PAGES):
            if number % 50 == 49:
                page = wrapped(seeds[number // 50 % len(seeds)], number)
            else:
                page = pages[number % len(pages)]
                at = page.find(b">", page.lower().find(b"<body")) + 1
                own = f"<p>Notice {number}: {draw.randbytes(12).hex()}.</p>".encode()
                page = page[:at] + own + page[at:]
            member = record(number, page)
            file.write(member)
            if number < PART_PAGES:
                part.write(member)
            if number < SAMPLE_PAGES:
                sample.write(member)
    unfinished.rename(WHOLE)


def wrapped(text: str, number: int) -> bytes:
    """Return a seed's text as a page that is not quite another's."""
    title, *lines = text.split("\n")
    body = "".join(f"<p>{line}</p>" for line in lines if line.strip())
    head = f"<html lang=en><head><title>{title}</title></head><body><h1>{title}</h1>"
    return f"{head}<article>{body}<p>Case {number}.</p></article></body></html>".encode()


def record(number: int, page: bytes) -> bytes:
    """Return a response's record as one gzip member."""
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nServer: nginx\r\n"
        f"X-Crawl-Content-Length: {len(page)}\r\nContent-Length: {len(page)}\r\n\r\n"
    ).encode()
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_700_000_000 + number))
    begin = (
        "WARC/1.0\r\nWARC-Type: response\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012d}>\r\n"
        f"WARC-Date: {when}\r\nContent-Length: {len(head) + len(page)}\r\n"
        "Content-Type: application/http; msgtype=response\r\n"
        f"WARC-Target-URI: https://site{number % 611}.example/news/{number}\r\n\r\n"
    ).encode()
    return gzip.compress(begin + head + page + b"\r\n\r\n", 6, mtime=0)


def responses(path: Path) -> int:
    """Read every payload with FastWARC: the limit."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    pages = 0
    with path.open("rb") as file:
        for one in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=True):
            one.reader.read()
            pages += 1
    return pages


def warcio(path: Path) -> int:
    """Read every payload with warcio."""
    from warcio.archiveiterator import ArchiveIterator

    pages = 0
    with path.open("rb") as file:
        for one in ArchiveIterator(file):
            one.content_stream().read()
            pages += 1
    return pages


def prefilter(path: Path) -> int:
    """Read, decode and prefilter as a child of ours does, in this one process."""
    from ingest import topics
    from ingest.plain import is_html
    from ingest.settings import Settings
    from storage.warc import Piece, content

    topic, pages = topics.load(Settings().topic), 0
    for one in Piece(path, 0, path.stat().st_size, exact=True, most=10_000_000).responses():
        body = content(one, 10_000_000) if is_html(one.header("content-type"), b"") else None
        pages += 1
        if body:
            topic.prefilter.passes(body)
    return pages


def shelved(path: Path) -> int:
    """Scan, on shelves of its own; judge nothing."""
    from ingest import runs

    with shelves():
        return int(runs.scan_file(str(path))["records"])


def whole(path: Path) -> int:
    """Scan and sift, on shelves of its own."""
    from ingest import runs

    with shelves():
        counts = runs.scan([str(path)])[str(path)]
    print(counts, file=sys.stderr)
    return int(counts["records"])


@contextmanager
def shelves() -> Iterator[None]:
    """Make shelves for a while; what is done there is not told."""
    logs.configure(verbose=False)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "NEWS_CATALOG": f"sqlite:///{folder}/catalog.sqlite",
            "NEWS_ARCHIVE": f"{folder}/archive",
            "NEWS_CORPUS": f"{folder}/corpus",
        }
        yield


NEWS_PLEASE = """
import socket, sys, time
def refused(*_, **__):
    raise socket.gaierror("no network in a benchmark")
socket.getaddrinfo = refused
from newsplease import NewsPlease
from warcio.archiveiterator import ArchiveIterator
pages = failed = 0
for one in ArchiveIterator(open(sys.argv[1], "rb")):
    try:
        NewsPlease.from_warc(one)
    except Exception:
        failed += 1
    pages += 1
    if time.process_time() > 45:
        break
print(f"news-please: {failed} of {pages} failed", file=sys.stderr)
print(pages)
"""
# name: what reads which file, and on how many processors
ROWS = {
    "FastWARC": (responses, WHOLE, 1),
    "ours, to the prefilter": (prefilter, WHOLE, 1),
    "ours, to the prefilter, 2,000": (prefilter, PART, 1),
    "warcio": (warcio, PART, 1),
    "ours, into the archive, 2,000": (shelved, PART, 2),
    "ours, into the archive": (shelved, WHOLE, 2),
    "ours, end to end, 300": (whole, SAMPLE, 2),
    "ours, end to end": (whole, PART, 2),
}
LIMIT, OURS, ENDS, PEER = "FastWARC", "ours, to the prefilter", "ours, end to end", "news-please"


def measured(command: list[str], cores: int) -> dict[str, float]:
    """Run a command; return its pages, its seconds and its largest process's bytes."""
    some = set(sorted(os.sched_getaffinity(0))[:cores])
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            command, stdout=out, preexec_fn=lambda: os.sched_setaffinity(0, some)
        )
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{command[1:]} ended with {process.returncode}")
        out.seek(0)
        pages = int(out.read().split()[-1])
    cpu = used.ru_utime + used.ru_stime
    return {"pages": pages, "wall": took, "cpu": cpu, "peak": used.ru_maxrss * 1024}


def report(turns: int, peers: str | None) -> None:
    """Take the turns and print the medians."""
    here = [sys.executable, "-m", "benchmarks.scan", "--row"]
    plans = {name: ([*here, name], row[2]) for name, row in ROWS.items()}
    if peers:
        plans[PEER] = ([peers, "-W", "ignore", "-c", NEWS_PLEASE, str(SAMPLE)], 1)
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in plans}
    for turn in range(turns):
        for name, plan in plans.items():
            if not turn or name in (LIMIT, OURS):
                taken[name].append(measured(*plan))
    rates = dict[str, float]()
    print(f"{'':30} cores  pages  CPU s  a CPU s  FastWARC  a second  peak MB")
    for name, runs in taken.items():
        pages = runs[0]["pages"]
        wall, cpu, peak = (statistics.median(r[k] for r in runs) for k in ("wall", "cpu", "peak"))
        rates[name] = pages / cpu
        print(
            f"{name:30} {plans[name][1]:5} {pages:6.0f} {cpu:6.1f} {pages / cpu:8.1f} "
            f"{rates[name] / rates[LIMIT]:9.3f} {pages / wall:9.1f} {peak / 1e6:8.0f}"
        )
    print(f"to the prefilter: {rates[OURS] / rates[LIMIT]:.2f} of FastWARC a CPU second")
    if peers:
        print(f"end to end: {rates[ENDS] / rates[PEER]:.1f} x news-please a CPU second")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--peers")
    given = parser.parse_args()
    if given.row:
        read, file, _ = ROWS[given.row]
        print(read(file))
    elif not SHARED.is_dir():
        sys.exit("no real data beside the checkout: nothing to measure")
    else:
        if not WHOLE.exists():
            build()
        report(given.turns, given.peers)
