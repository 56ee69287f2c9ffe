"""Pages a second out of a WARC file: `python -m benchmarks.scan [--again] [--peers PYTHON]`.

The file holds 20,000 responses made of the real pages beside the checkout, one gzip member each,
as CC-NEWS has them; it is built once, in ./state. Whoever reads it runs in a process of its own,
pinned to one processor (to two for the end-to-end rows), in turns A B A B; medians of CPU and of
wall clock seconds, peak memory, and ratios are printed. `--peers` names a Python in which
news-please and fundus are installed; they get the first 300 responses.
"""

import gzip
import random
import time
from pathlib import Path

from tests.builders import SHARED

PAGES, PEERS_PAGES, TURNS, SEED = 20_000, 300, 3, 5
FOLDER = Path("state/benchmark")
WHOLE, SAMPLE = FOLDER / "scan.warc.gz", FOLDER / "scan-sample.warc.gz"


def build() -> None:
    """Write both files, the same bytes every time: every 50th page is a seed's text."""
    draw = random.Random(SEED)
    pages = [
        gzip.decompress(one.read_bytes())
        for one in sorted((SHARED / "data" / "extraction" / "html").glob("*.gz"))
    ]
    seeds = [one.read_text("utf-8") for one in sorted((SHARED / "seeds").glob("*.txt"))]
    FOLDER.mkdir(parents=True, exist_ok=True)
    part = WHOLE.with_suffix(".part")
    with part.open("wb") as file, SAMPLE.open("wb") as sample:
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
            if number < PEERS_PAGES:
                sample.write(member)
    part.rename(WHOLE)


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
