"""Pages a second out of a WARC file: `python -m benchmarks.scan [--turns N] [--peers PYTHON]`.

The file holds 20,000 responses made of the real pages beside the checkout, one gzip member each,
as CC-NEWS has them; it is built once, in ./state. Whoever reads it runs in a process of its own,
pinned to one processor (to two for the end-to-end rows), in turns A B A B; medians of pages a CPU
second and a second of the clock, peak memory, and ratios are printed. warcio and our end-to-end
row get the first 2,000 responses. `--peers` names a Python in which news-please is installed; it
gets the first 300.
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
from pathlib import Path

from tests.builders import SHARED

PAGES, PART_PAGES, PEERS_PAGES, SEED = 20_000, 2_000, 300, 5
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
            if number < PEERS_PAGES:
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


def whole(path: Path) -> int:
    """Scan and sift, on shelves of its own."""
    from ingest import runs

    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "NEWS_CATALOG": f"sqlite:///{folder}/catalog.sqlite",
            "NEWS_ARCHIVE": f"{folder}/archive",
            "NEWS_CORPUS": f"{folder}/corpus",
        }
        counts = runs.scan([str(path)])[str(path)]
    print(counts, file=sys.stderr)
    return int(counts["records"])


ROWS = {"fastwarc": responses, "ours, prefilter": prefilter, "warcio": warcio, "ours, all": whole}
NEWS_PLEASE = """
import sys
from newsplease import NewsPlease
from warcio.archiveiterator import ArchiveIterator
pages = 0
for one in ArchiveIterator(open(sys.argv[1], "rb")):
    try:
        NewsPlease.from_warc(one)
    except Exception:
        pass
    pages += 1
print(pages)
"""


def measured(command: list[str], cores: set[int]) -> dict[str, float]:
    """Run a command on some processors; return its pages, seconds and peak memory in bytes."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            command, stdout=out, preexec_fn=lambda: os.sched_setaffinity(0, cores)
        )
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = status
        out.seek(0)
        pages = int(out.read().split()[-1])
    cpu = used.ru_utime + used.ru_stime
    return {"pages": pages, "wall": took, "cpu": cpu, "peak": used.ru_maxrss * 1024}


def report(turns: int, peers: str | None) -> None:
    """Take the turns and print the medians."""
    cores = sorted(os.sched_getaffinity(0))
    here = [sys.executable, "-m", "benchmarks.scan", "--row"]
    plans = {
        "fastwarc": ([*here, "fastwarc", str(WHOLE)], set(cores[:1])),
        "ours, prefilter": ([*here, "ours, prefilter", str(WHOLE)], set(cores[:1])),
        "warcio": ([*here, "warcio", str(PART)], set(cores[:1])),
        "ours, all": ([*here, "ours, all", str(PART)], set(cores[:2])),
    }
    if peers:
        command = [peers, "-c", NEWS_PLEASE, str(SAMPLE)]
        plans["news-please"] = (command, set(cores[:2]))
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in plans}
    for _ in range(turns):
        for name, plan in plans.items():
            taken[name].append(measured(*plan))
    rates = {}
    for name, runs in taken.items():
        pages = runs[0]["pages"]
        wall, cpu, peak = (statistics.median(r[k] for r in runs) for k in ("wall", "cpu", "peak"))
        rates[name] = pages / cpu, pages / wall
        print(
            f"{name:16} {pages:6.0f} pages  {pages / cpu:8.1f} a CPU second  "
            f"{pages / wall:8.1f} a second  peak {peak / 1e6:5.0f} MB"
        )
    print(f"prefilter: {rates['ours, prefilter'][0] / rates['fastwarc'][0]:.2f} of FastWARC")
    if peers:
        print(f"end to end: {rates['ours, all'][1] / rates['news-please'][1]:.1f} x news-please")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--row", nargs=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--peers")
    given = parser.parse_args()
    if given.row:
        print(ROWS[given.row[0]](Path(given.row[1])))
    elif not SHARED.is_dir():
        sys.exit("no real data beside the checkout: nothing to measure")
    else:
        if not WHOLE.exists():
            build()
        report(given.turns, given.peers)
