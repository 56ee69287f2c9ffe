"""Pages a second out of a WARC file: `python -m benchmarks.scan [--quick] [--turns N]`.

The file holds 20,000 responses made of the real pages beside the checkout, one gzip member each,
as CC-NEWS has them; it is built once, in .scratch. Each row is read by a process of its own, whose
CPU seconds are counted with its children's and its start: one processor, or two where it says so.
FastWARC and our prefilter take turns, and the medians stand; the other rows are read once. What
takes apart pages gets the first 2,000 or, where a second row shows how memory grows, 300.

news-please's CC-NEWS crawler chooses and downloads its files itself, so what it does with each
record is called, for 45 CPU seconds; it would ask the sites for pictures, and is refused.
"""

import argparse
import gzip
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isal import igzip

from benchmarks import peers
from benchmarks.frame import Result, Used, arguments, measured, median, need_shared
from ingest import logs
from tests.builders import SHARED

PAGES, PART_PAGES, SAMPLE_PAGES, SEED = 20_000, 2_000, 300, 5
FOLDER = Path(".scratch/bench")
WHOLE, PART, SAMPLE = (FOLDER / f"scan{what}.warc.gz" for what in ("", "-part", "-sample"))


def build(pages_wanted: int) -> None:
    """Write the files, the same bytes every time: every 50th page is a seed's text."""
    if (WHOLE if pages_wanted == PAGES else PART).exists():
        return
    draw = random.Random(SEED)
    pages = [
        gzip.decompress(one.read_bytes())
        for one in sorted((SHARED / "data" / "extraction" / "html").glob("*.gz"))
    ]
    seeds = [one.read_text("utf-8") for one in sorted((SHARED / "seeds").glob("*.txt"))]
    FOLDER.mkdir(parents=True, exist_ok=True)
    unfinished = WHOLE.with_suffix(".part")
    with unfinished.open("wb") as file, PART.open("wb") as part, SAMPLE.open("wb") as sample:
        for number in range(pages_wanted):
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
    if pages_wanted == PAGES:
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
    return bytes(igzip.compress(begin + head + page + b"\r\n\r\n", 2, mtime=0))


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
SMALL = "ours, end to end, 300"


def row(name: str, quick: bool) -> tuple[Callable[[Path], int], Path, int]:
    """Return what reads which file, on how many processors."""
    read, file, cores = ROWS[name]
    return read, PART if quick and file == WHOLE else file, cores


def main(argv: Sequence[str] | None = None) -> None:
    """Take the turns and hand in."""
    parser = arguments(__doc__)
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args(argv)
    if options.row:
        read, file, _ = row(options.row, options.quick)
        print(read(file))
        return
    need_shared()
    build(PART_PAGES if options.quick else PAGES)
    quick = ["--quick"] if options.quick else []
    plans = {
        name: (
            [sys.executable, "-m", "benchmarks.scan", *quick, "--row", name],
            row(name, False)[2],
        )
        for name in ((LIMIT, OURS, SMALL) if options.quick else ROWS)
    }
    python = None if options.quick else peers.python("news-please")
    if python:
        plans[PEER] = ([python, "-W", "ignore", "-c", NEWS_PLEASE, str(SAMPLE)], 1)
    taken: dict[str, list[Used]] = {name: [] for name in plans}
    for turn in range(1 if options.quick else options.turns):
        for name, (command, cores) in plans.items():
            if not turn or name in (LIMIT, OURS):
                taken[name].append(measured(command, cores=cores))
    rates, rows = dict[str, float](), list[tuple[Any, ...]]()
    for name, runs in taken.items():
        pages = int(runs[0].out.split()[-1])
        wall, cpu, peak = (median(runs, what) for what in ("wall", "cpu", "peak"))
        rates[name] = pages / cpu
        share = rates[name] / rates[LIMIT]
        rows.append((name, plans[name][1], pages, cpu, rates[name], share, pages / wall, peak))
    result = Result("Pages out of a WARC file")
    columns = ("", "cores", "pages", "CPU s", "a CPU s", "of FastWARC", "a second", "peak MB")
    result.table("20,000 pages or the first of them", columns, rows)
    share = rates[OURS] / rates[LIMIT]
    aim = "to the end of the prefilter: 0.7 of FastWARC a CPU second"
    result.aim(aim, f"{share:.2f}", share >= 0.7)
    if python:
        ratio = rates[ENDS] / rates[PEER]
        aim = "end to end: 10 times news-please a CPU second"
        result.aim(aim, f"{ratio:.1f} times", ratio >= 10)
    part = [rates[name] / rates[LIMIT] for name in (LIMIT, OURS)]
    result.plot("Pages a CPU second, FastWARC being 1", "bar", (LIMIT, OURS), {"share": part})
    result.hand_in(options.json)


if __name__ == "__main__":
    main()
