"""How long it takes to look for copies and to take a story in, as the corpus grows.

    python -m benchmarks.copies [--quick] [--stories 10000 100000 1000000] [--under FOLDER]

The stories are made up: words as frequent as English ones (Zipf), and in every twelfth sentence
a phrase from a stock, of which some are far more frequent than others, so that some hashes are
over the index's cap; 400 words and 47 hashes on average, which is twice the median story of a
news site. Every tenth story timed is an earlier one cut to half with 3 words in 100 changed.

The catalog is filled by other processes, in PARTS in the order of their hashes, so that the
index's pages are as full as stories that come one by one leave them. Then, in a process of its
own, pinned to a processor, each story is compared and taken in with a commit of its own, as sift
does it: "check and add" is what one story that is no copy costs the catalog, all statements and
the commit. The sizes take turns. The server's own processor time is in no figure.

PostgreSQL is measured where NEWS_TEST_POSTGRES names a server. Beside it datasketch, in memory
and on Redis, and rensa take in and look up the same stories; neither writes to a disk, and they
are asked against few stories, where they are at their best.
"""

import json
import multiprocessing
import os
import resource
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray
from sqlalchemy import create_engine

from benchmarks import peers
from benchmarks.frame import Result, arguments
from ingest.fingerprint import RUN, WINDOW, fingerprint, least_of
from ingest.likeness import kin
from storage import sketches
from storage.admission import Admission
from storage.catalog import Catalog
from storage.model import Fingerprint, Lookalike, Story
from tests.databases import SERVER, database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIMED = 700  # stories a turn
HALF = 8  # words of half a sentence
BLOCK = 100  # stories drawn at once
DRAWN = 100_000  # stories whose sketches are drawn; beyond them see `fill`
PARTS = 5  # of what is loaded, one after the other
Numbers = NDArray[np.integer[Any]]


class Stories:
    """A story for every number, the same each time."""

    def __init__(self) -> None:
        """Draw the words and the stock phrases."""
        rng = np.random.default_rng(0)
        letters = list("abcdefghijklmnoprstuvwy")
        self.words = np.array(["".join(rng.choice(letters, 2 + n % 8)) for n in range(30_000)])
        self._odds = np.cumsum(1 / np.arange(2, 30_002))
        self._stock = self._drawn(rng, 200_000 * HALF).reshape(-1, HALF)
        self._block = lru_cache(maxsize=4)(self._drawn_block)

    @cached_property
    def _digests(self) -> NDArray[np.uint64]:
        return np.array([_digest(word) for word in self.words.tolist()], np.uint64)

    def new(self, number: int) -> Story:
        """Return a story of 100 to 700 words that is no copy."""
        return self._story(number, self._block(number // BLOCK)[number % BLOCK])

    def cut(self, number: int, of: int) -> Story:
        """Return a story cut to half of its sentences, 3 words in 100 changed."""
        rng = np.random.default_rng((1, number))
        whole = self._block(of // BLOCK)[of % BLOCK]
        part = whole[np.sort(rng.permutation(len(whole))[: (len(whole) + 1) // 2])]
        others = self._drawn(rng, part.size).reshape(part.shape)
        return self._story(number, np.where(rng.random(part.shape) < 0.03, others, part))

    def sketches(self, block: int) -> tuple[Numbers, Numbers]:
        """Return the hashes of all new stories of a block, and with each its story's number.

        They are those that `fingerprint` gives, but for a few at the title; ten times as quick.
        """
        sentences = self._drawn_block(block)
        ends = np.cumsum([one.size for one in sentences])
        least = least_of(self._digests[np.concatenate([one.ravel() for one in sentences])])
        story = np.searchsorted(ends, np.arange(len(least)), side="right")
        inside = np.arange(len(least)) + RUN + WINDOW - 1 <= ends[story]
        story, least = story[inside], least[inside]
        order = np.lexsort((least, story))
        story, least = story[order], least[order]
        first = np.append(True, (least[1:] != least[:-1]) | (story[1:] != story[:-1]))
        return least[first], story[first] + block * BLOCK

    def _drawn_block(self, block: int) -> list[Numbers]:
        rng = np.random.default_rng((0, block))
        ends = np.cumsum([0, *rng.integers(7, 44, BLOCK)])
        length = int(ends[-1])
        drawn = self._drawn(rng, length * 2 * HALF).reshape(length, 2 * HALF)
        shared = rng.random(length) < 1 / 12
        phrases = (len(self._stock) * rng.random(length) ** 3).astype(int)
        drawn[shared, HALF:] = self._stock[phrases[shared]]
        return [drawn[start:end] for start, end in pairwise(ends)]

    def _drawn(self, rng: np.random.Generator, length: int) -> Numbers:
        drawn = np.searchsorted(self._odds, rng.random(length) * self._odds[-1])
        narrow: Numbers = drawn.astype(np.uint16)
        return narrow

    def _story(self, number: int, sentences: Numbers) -> Story:
        text = "\n\n".join(" ".join(sentence) for sentence in self.words[sentences].tolist())
        return Story(title=f"Story {number}", text=text, url=url_of(number))


class Watch:
    """Adds up how long each step took, on the wall and of the processor."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.spent: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        """Note how long the block took."""
        start = time.perf_counter(), time.thread_time()
        yield
        wall, cpu = time.perf_counter() - start[0], time.thread_time() - start[1]
        self.spent[step].append((1000 * wall, 1000 * cpu))


def url_of(number: int) -> str:
    """Return the URL of a story, of one of 400 sites."""
    return f"https://www.site-{number * 7919 % 400}.example/news/story-{number}"


def _digest(word: str) -> int:
    return int(xxhash.xxh3_64_intdigest(word.encode()))


def _row(number: int) -> tuple[Any, ...]:
    digest = sha256(str(number).encode())
    name = f"{number:03d}_{digest.hexdigest()[:16]}.txt"
    title, url = f"Story {number}", url_of(number)
    return (number, name, title, url, digest.hexdigest(), digest.digest()[:16], 400)


def _sketches(start: int) -> tuple[Numbers, Numbers]:
    """Return the hashes of BLOCK * 10 stories, and with each the story's number."""
    first = start // BLOCK
    each = [_stories().sketches(block) for block in range(first, first + 10)]
    return np.concatenate([one[0] for one in each]), np.concatenate([one[1] for one in each])


@lru_cache
def _stories() -> Stories:
    return Stories()


def drawn(most: int) -> tuple[Numbers, Numbers]:
    """Return the hashes of so many stories, DRAWN at most, and with each the story's number."""
    with multiprocessing.get_context("spawn").Pool() as pool:
        made = pool.map(_sketches, range(0, min(most, DRAWN), 10 * BLOCK))
    hashes, numbers = (np.concatenate([one[n] for one in made]) for n in (0, 1))
    return hashes, numbers


def fill(url: str, size: int, made: tuple[Numbers, Numbers]) -> None:
    """Put so many stories, a multiple of 1000, into an empty catalog, as admissions do.

    Beyond those `made`, each sketch is one of theirs again: hashes that several of them have
    stay, and are as frequent among all as among those; the others are changed.
    """
    Catalog(url).close()
    some = made[1] < size
    hashes, numbers = (one[some] for one in made)
    _, places, times = np.unique(hashes, return_inverse=True, return_counts=True)
    own, rng, each = times[places] == 1, np.random.default_rng(2), int(numbers[-1]) + 1
    again = [
        np.where(own, hashes ^ rng.integers(2**63), hashes) for _ in range(1, -(-size // each))
    ]
    numbers = np.concatenate([numbers + turn * each for turn in range(len(again) + 1)])
    hashes = np.concatenate([hashes, *again])
    del again, places, times, own
    order = np.lexsort((numbers, hashes))
    hashes, numbers = hashes[order], numbers[order]
    first = np.searchsorted(hashes, hashes)  # of each hash: its place among those that share it
    under = (np.arange(len(hashes)) - first < sketches.CAP) & (numbers < size)
    hashes, numbers = hashes[under], numbers[under]
    of_part = rng.integers(PARTS, size=size)[numbers]  # pages get as full as by one at a time
    for part in range(PARTS):
        rows = map(_row, range(part * size // PARTS, (part + 1) * size // PARTS))
        _load(url, rows, hashes[of_part == part], numbers[of_part == part])


def _load(url: str, rows: Iterator[tuple[Any, ...]], hashes: Numbers, numbers: Numbers) -> None:
    columns = (
        "number, name, title, url, sha256, exact, words, added, language, date_source, date_text, "
        "entered"
    )
    engine = create_engine(url)
    connection: Any = engine.raw_connection().driver_connection
    if isinstance(connection, sqlite3.Connection):
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-500000"):
            connection.execute(f"PRAGMA {pragma}")
        row = "?, ?, ?, ?, ?, ?, ?, '2026-01-01 00:00:00.000000', '', '', '', true"
        connection.executemany(f"INSERT INTO story ({columns}) VALUES ({row})", rows)
        flat = np.column_stack((hashes, numbers)).ravel()
        for start in range(0, len(flat), 400):  # a row a statement takes four times as long
            some = flat[start : start + 400].tolist()
            each = ", ".join(["(?, ?)"] * (len(some) // 2))
            connection.execute(f"INSERT INTO posting (hash, number) VALUES {each}", some)
    else:
        cursor = connection.cursor()
        # a tally that is counted up a million times in one transaction takes hours
        cursor.execute("ALTER TABLE story DISABLE TRIGGER USER")
        with cursor.copy(f"COPY story ({columns}) FROM STDIN") as copy:
            for one in rows:
                copy.write_row((*one, NOW, "", "", "", True))
        fields = [("of", ">i2"), ("long", ">i4"), ("hash", ">i8"), ("short", ">i4"), ("n", ">i4")]
        flat = np.empty(len(hashes), fields)
        flat["of"], flat["long"], flat["hash"] = 2, 8, hashes
        flat["short"], flat["n"] = 4, numbers
        with cursor.copy("COPY posting (hash, number) FROM STDIN (FORMAT binary)") as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) + flat.tobytes() + b"\xff\xff")
        cursor.execute("ALTER TABLE story ENABLE TRIGGER USER")
    connection.commit()
    engine.dispose()


def resident() -> float:
    """Return the memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(url: str, size: int, first: int, timed: int) -> dict[str, Any]:
    """Time so many more stories, from number `first`; milliseconds, and how many copies are found.

    Their numbers must not be below the next one's.
    """
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    stories, watch, found = Stories(), Watch(), 0
    made = [story_of(stories, number, size) for number in range(first, first + timed)]
    with watch("open"):
        catalog = Catalog(url)
    with catalog:
        with watch("pending"):
            catalog.pending()
        for number, story in enumerate(made, start=first):
            with watch("sketch"):
                mark = fingerprint(story)
            row, taken = _row(number), 0
            with ExitStack() as transaction:
                with watch("ask"):
                    admission = transaction.enter_context(catalog.admission())
                    alike = admission.alike({story.url, f"{story.url}?from=feed"}, mark)
                near = [  # sift reads them from the corpus
                    Lookalike(number=other, name=name, how=how, story=stories.new(other % DRAWN))
                    for other, name, how, _ in alike
                ]
                with watch("compare"):
                    copied = [k for k in kin(story, near) if k.likeness.is_copy]
                with watch("take"):
                    if not copied:
                        taken = _take(admission, story, mark, row)
                    transaction.close()  # commits
            if copied:
                watch.spent["take"].pop()
            else:
                add = np.array(watch.spent["ask"][-1]) + np.array(watch.spent["take"][-1])
                watch.spent["add"].append((float(add[0]), float(add[1])))
                with watch("settle"):
                    catalog.settle(taken, story)
            if number % 10 == 0:
                found += original(number, size) in {k.lookalike.number for k in copied}
    return {"spent": watch.spent, "found": found, "rss": resident()}


def original(number: int, size: int) -> int:
    """Return which story every tenth one is cut from."""
    return (number * 7919) % min(size, DRAWN)


def story_of(stories: Stories, number: int, size: int) -> Story:
    """Return the story with that number; a cut copy when it is a tenth one."""
    return stories.cut(number, original(number, size)) if number % 10 == 0 else stories.new(number)


def _take(admission: Admission, story: Story, mark: Fingerprint, row: tuple[Any, ...]) -> int:
    number = admission.next_number()
    pending = story.text.encode()
    admission.take(number, row[1], story, mark, sha256=row[4], now=NOW, pending=pending)
    return number


def sizes(file: Path, size: int) -> tuple[int, int]:
    """Return bytes a story of the index of sketches, and of the whole catalog (SQLite)."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT sum(pgsize) FROM dbstat WHERE name = 'posting' AND aggregate = TRUE"
        (index,) = connection.execute(query).fetchone()
    return index // size, file.stat().st_size // size


def server_sizes(url: str, size: int) -> tuple[int, int]:
    """Return the same of a catalog on PostgreSQL."""
    query = "SELECT pg_total_relation_size('posting'), pg_database_size(current_database())"
    engine = create_engine(url)
    with engine.connect() as connection:
        index, whole = connection.exec_driver_sql(query).one()
    engine.dispose()
    return index // size, whole // size


@dataclass
class Ours:
    """A catalog that is measured, some stories at a time."""

    name: str
    url: str
    size: int
    file: Path | None
    turns: list[dict[str, Any]] = field(default_factory=list)

    def turn(self, timed: int) -> None:
        """Measure so many stories more, in a process of its own; the file is read once before."""
        with self.file.open("rb") if self.file else nullcontext() as file:
            while file and file.read(2**20):
                pass  # else the latest to be filled is in memory, and the first is not
        first = self.size + len(self.turns) * timed
        with multiprocessing.get_context("spawn").Pool(1) as alone:
            self.turns.append(alone.apply(measure, (self.url, self.size, first, timed)))

    def spent(self, step: str, share: int = 50, cpu: bool = False) -> float:
        """Return the median, over the turns, of a share of what a step took, milliseconds."""
        of_turns = [np.array(turn["spent"][step])[:, int(cpu)] for turn in self.turns]
        return statistics.median(float(np.percentile(times, share)) for times in of_turns)

    @property
    def bytes(self) -> tuple[int, int]:
        """Return bytes a story of the index of sketches, and of the whole catalog."""
        return sizes(self.file, self.size) if self.file else server_sizes(self.url, self.size)

    @property
    def row(self) -> list[Any]:
        """Return this one's line in the table."""
        timed = sum(len(turn["spent"]["sketch"]) for turn in self.turns)
        found = sum(turn["found"] for turn in self.turns) / (timed / 10)
        steps = ("add", 50), ("add", 95)
        return [
            self.name, self.size, *(self.spent(*one) for one in steps), self.spent("add", 50, True),
            self.spent("sketch"), found, max(turn["rss"] for turn in self.turns), self.bytes[0],
        ]  # fmt: skip


COLUMNS = (
    "", "stories", "check and add, median ms", "95 % ms", "processor, median ms",
    "sketch, median ms", "cut copies found", "resident MB", "index, bytes a story",
)  # fmt: skip


def rivals(held: int, timed: int) -> Iterator[list[Any]]:
    """Yield a line of the table for each of the others that is to be had."""
    stories = Stories()
    texts = [stories.new(number) for number in range(held)]
    texts += [story_of(stories, number, held) for number in range(held, held + timed)]
    lines = "".join(f"{one.title} {one.text}".replace("\n", " ") + "\n" for one in texts)
    wanted = {n: original(n, held) for n in range(held, held + timed) if n % 10 == 0}
    for name, kind, peer in (
        ("rensa, in memory", "rensa", "rensa"),
        ("datasketch, in memory", "memory", "datasketch"),
        ("datasketch, Redis", "redis", "datasketch"),
    ):
        python = peers.python(peer)
        with redis() if kind == "redis" else nullcontext("") as port:
            if not python or port is None:
                continue
            command = [python, str(Path(__file__).with_name("rivals.py")), kind, str(held), port]
            done = subprocess.run(command, input=lines, text=True, check=True, capture_output=True)
        told = json.loads(done.stdout)
        times = np.array(told["times"])
        found = sum(old in told["answers"][n - held] for n, old in wanted.items()) / len(wanted)
        middle, late = np.percentile(times[:, 1], (50, 95))
        yield [
            name, held, float(middle), float(late), float(np.median(times[:, 2])),
            float(np.median(times[:, 0])), found, told["rss_mb"], None,
        ]  # fmt: skip


@contextmanager
def redis() -> Iterator[str | None]:
    """Run a server on loopback that keeps nothing; yield its port, or None where there is none."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--logfile", "/dev/null"]
    try:
        server = subprocess.Popen(["redis-server", "--port", str(port), *quiet])
    except FileNotFoundError:
        print("without datasketch on Redis: there is no redis-server", file=sys.stderr)
        yield None
        return
    try:
        for _ in range(100):
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield str(port)
    finally:
        server.terminate()
        server.wait()


def main(argv: Sequence[str] | None = None) -> None:
    """Measure all, and hand in what was found."""
    parser = arguments(__doc__)
    parser.add_argument("--stories", type=int, nargs="+", help="a size each; else by --quick")
    parser.add_argument("--served", type=int, nargs="*", help="the same, on PostgreSQL")
    parser.add_argument("--under", type=Path, help="where to put the catalogs meanwhile")
    options = parser.parse_args(argv)
    ladder = [2_000, 10_000] if options.quick else [10_000, 100_000, 1_000_000]
    timed, turns = (200, 1) if options.quick else (TIMED, 3)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.under)))
        ours = []
        for size in options.stories or ladder:
            file = folder / f"{size}.sqlite"
            ours.append(Ours("Newsdesk, SQLite", f"sqlite:///{file}", size, file))
        if SERVER:
            for size in ladder if options.served is None else options.served:
                url = stack.enter_context(database())
                ours.append(Ours("Newsdesk, PostgreSQL", url, size, None))
        else:
            print("without PostgreSQL: NEWS_TEST_POSTGRES names no server", file=sys.stderr)
        made = drawn(max(one.size for one in ours))
        for one in ours:
            fill(one.url, one.size, made)
        del made
        for _ in range(turns):
            for one in ours:
                one.turn(timed)
        others = list(rivals(1_000 if options.quick else 5_000, 200))
        result(ours, others).hand_in(options.json)


def result(ours: Sequence[Ours], others: Sequence[list[Any]]) -> Result:
    """Return tables, aims and the plot of what was measured."""
    told = Result("Copies against a growing corpus")
    told.table("A story that is new: compared with all, and taken in", COLUMNS, [
        *(one.row for one in ours), *others,
    ])  # fmt: skip
    steps = ("open", "ask", "take", "compare", "settle")
    told.table(
        "Of that, and around it, median ms", ("", "stories", *steps),
        [[one.name, one.size, *(one.spent(step) for step in steps)] for one in ours],
    )  # fmt: skip
    local = [one for one in ours if one.file]
    largest, before = local[-1], local[-2] if len(local) > 1 else local[-1]
    middle, late = largest.spent("add"), largest.spent("add", 95)
    at, growth = f"at {largest.size:,} stories on SQLite", middle / before.spent("add")
    memory = max(turn["rss"] for turn in largest.turns)
    index = largest.bytes[0]
    told.aim(f"check and add {at}, median: 1.5 ms", f"{middle:.2f} ms", middle <= 1.5)
    told.aim(f"and 95 %: 5 ms {at}", f"{late:.2f} ms", late <= 5)
    told.aim(f"resident {at}: 100 MB", f"{memory:.0f} MB", memory <= 100)
    told.aim(f"the index {at}: 1 KB a story", f"{index} bytes", index <= 1024)
    told.aim(
        f"median from {before.size:,} to {largest.size:,}: 1.2×", f"{growth:.2f}×", growth <= 1.2
    )
    opens = largest.spent("open") / before.spent("open")
    told.aim("start-up whatever the size: 1.2×", f"{opens:.2f}×", opens <= 1.2)
    shown = {
        name: [next((o.spent("add") for o in ours if (o.name, o.size) == (name, n)), None)
               for n in sorted({one.size for one in ours})]
        for name in dict.fromkeys(one.name for one in ours)
    }  # fmt: skip
    told.plot("Check and add, median ms", "line", sorted({one.size for one in ours}), shown)
    return told


if __name__ == "__main__":
    main()
