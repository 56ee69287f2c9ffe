"""How sift grows with its workers, all at one catalog on PostgreSQL.

    python -m benchmarks.workers [--quick] [--workers 1 2 4 8] [--pages 200] [--turns 1]

The pages are made-up English, 600 words each, and lie in the archive, each as its site dresses
it; three in ten print a story that another has, word for word. So whoever comes first, the corpus
has the same texts, and that is looked at each time, as is that its numbers have no gaps. A worker
is a `sift` with one process that reads pages, beside which it does little; both are started
before the clock is.

Where there are fewer processors than workers, more workers add nothing but waiting: what is to
be seen then is that they do not cost anything either. "Waits" is the share of the workers' time in
which they stood in line for the lock of admissions, the one thing that all of them share.
"""

import logging
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import structlog

from benchmarks.frame import Result, arguments
from ingest.desk import Desk
from ingest.reading import nothing_read
from ingest.reading import read as read_page
from ingest.settings import read
from ingest.sift import reread, sift
from ingest.workers import Workers
from storage.catalog import Catalog
from storage.corpus import number_of
from storage.model import Entry, FeedState, Page
from tests.builders import NOON
from tests.chaos import prose
from tests.databases import SERVER, database
from tests.home import Home

FEED, SITES = "https://feed.example/", 20
NEW = 7  # stories in ten pages
SPAWN = multiprocessing.get_context("spawn")


def page(number: int) -> Page:
    """Return a page of a site, always the same."""
    url = f"https://site-{number % SITES}.example/{number}"
    of = number
    if number % 10 >= NEW:
        of = 10 + random.Random(number).randrange(number // 10 * 10 - 10 + NEW)
        of -= max(0, of % 10 - NEW + 1)  # a story that is no copy
    title, parts = prose.story(str(of), sentences=40)
    aside = "".join(f"<li><a href=/{n}>Site {number % SITES}, page {n}</a></li>" for n in range(60))
    text = "".join(f"<p>{part}</p>" for part in parts)
    html = (
        f"<html lang=en><head><title>{title}</title></head><body><nav><ul>{aside}</ul></nav>"
        f"<article><h1>{title}</h1>{text}</article><footer>Site {number % SITES}</footer></body>"
    ).encode()
    return Page(
        url=url, final_url=url, status=200, headers=(("Content-Type", "text/html"),),
        payload=html, content=html, fetched=NOON, hops=(url,),
    )  # fmt: skip


def shelve(home: Home, pages: int) -> None:
    """Put so many pages into the archive, as fetched."""
    made = {one.url: one for one in map(page, range(10, 10 + pages))}
    entries = [Entry(url=url, link=url, title="", source=FEED, published=NOON) for url in made]
    with home.desk() as desk:
        desk.catalog.polled(FeedState(url=FEED, outcome="listed"), entries, NOON)
        for waiting in desk.catalog.to_fetch(NOON, pages):
            one = made[waiting.entry.url]
            digest = sha256(one.content).hexdigest()
            desk.catalog.fetched(waiting.id, one, desk.archive.append(one), digest)


def work(news: Mapping[str, str], together: Any, told: Any) -> None:
    """Be a worker; tell its counts, when it ended, how long it ran and how long it waited."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    waited, lock = [0.0], Catalog._lock

    def timed(catalog: Catalog, connection: Any) -> None:
        began = time.perf_counter()
        lock(catalog, connection)
        waited[0] += time.perf_counter() - began

    Catalog._lock = timed  # type: ignore[method-assign]
    with Workers(read_page, nothing_read, count=1) as one, Desk(read(news), readers=one) as desk:
        place = desk.catalog.to_sift(NOON, 1)[0].place
        assert place
        reread(desk, place)  # starts the process
        together.wait()
        began, waited[0] = time.perf_counter(), 0.0
        counts = sift(desk)
        told.put((counts, time.perf_counter() - began, waited[0]))


def turn(workers: int, pages: int) -> tuple[float, float, float, list[bytes]]:
    """Let so many sift the same pages; return seconds, share waited, pages done twice, texts."""
    with tempfile.TemporaryDirectory() as folder, database() as url:
        home = Home(Path(folder) / "home", NEWS_CATALOG=url)
        shelve(home, pages)
        together, told = SPAWN.Barrier(workers), SPAWN.Queue()
        them = [
            SPAWN.Process(target=work, args=(home.news, together, told)) for _ in range(workers)
        ]
        for one in them:
            one.start()
        ends = [told.get() for _ in them]
        for one in them:
            one.join()
        files = home.files()
    numbers = sorted(number_of(name) or 0 for name in files)
    if numbers != list(range(len(files))):
        raise AssertionError(f"{workers} workers: the numbers have gaps")
    seconds = max(took for _, took, _ in ends)
    share = sum(waited for *_, waited in ends) / sum(took for _, took, _ in ends)
    done = sum(counts["pages"] for counts, *_ in ends)
    return seconds, share, done - pages, sorted(files.values())


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and hand in what was found."""
    parser = arguments(__doc__)
    parser.add_argument("--workers", type=int, nargs="+")
    parser.add_argument("--pages", type=int)
    parser.add_argument("--turns", type=int, default=1)
    options = parser.parse_args(argv)
    if not SERVER:
        print("nothing measured: NEWS_TEST_POSTGRES names no server", file=sys.stderr)
        return
    numbers = options.workers or ([1, 2] if options.quick else [1, 2, 4, 8])
    pages, turns = options.pages or (60 if options.quick else 200), options.turns
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    taken: dict[int, list[tuple[float, float, float, list[bytes]]]] = {n: [] for n in numbers}
    for _ in range(turns):
        for number in numbers:
            taken[number].append(turn(number, pages))
    texts = [one[3] for runs in taken.values() for one in runs]
    kept, alike = len(texts[0]), all(one == texts[0] for one in texts)
    rates = {n: kept / median(one[0] for one in runs) for n, runs in taken.items()}
    waits = {n: 100 * median(one[1] for one in runs) for n, runs in taken.items()}
    twice = {n: max(one[2] for one in runs) for n, runs in taken.items()}
    told = Result("Many workers at one catalog")
    told.table(
        f"{pages} pages, {kept} stories, PostgreSQL",
        ("workers", "stories admitted a second", "beside one worker", "waits, %", "done twice"),
        [[n, rates[n], rates[n] / rates[numbers[0]], waits[n], twice[n]] for n in numbers],
    )
    told.aim("the same corpus each time, numbers without gaps", f"{len(texts)} runs", alike)
    told.aim("no page done twice", f"{max(twice.values())} pages", not any(twice.values()))
    told.plot("Stories admitted a second", "line", numbers, {"Newsdesk": list(rates.values())})
    told.hand_in(options.json)


if __name__ == "__main__":
    main()
