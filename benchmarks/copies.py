"""How long it takes to look for copies and to take a story in, as the corpus grows.

    python -m benchmarks.copies [--stories 10000 100000 1000000] [--catalog URL] [--under FOLDER]

The stories are made up: words as frequent as English ones (Zipf), and in every twelfth sentence
a phrase from a stock, of which some are far more frequent than others, so that some hashes are
over the index's cap; 400 words and 47 hashes on average, which is twice the median story of a
news site. Every tenth story timed is an earlier one cut to half with 3 words in 100 changed.

The catalog is filled by other processes, PART stories at a time in the order of their hashes, so
that the index's pages are as full as stories that come one by one leave them. Then, in a process
of its own, each story is compared and taken in with a commit of its own, as sift does it:
"add" is what one story that is no copy costs the catalog, all statements and the commit,
"wall" and "cpu" of this process in milliseconds (PostgreSQL's own share is in neither). The URL
is that of an empty database, which the run leaves full of rubbish.
"""

import argparse
import json
import multiprocessing
import resource
import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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

from ingest.fingerprint import fingerprint, winnowed
from ingest.likeness import kin
from storage import sketches
from storage.catalog import Admission, Catalog
from storage.model import Fingerprint, Lookalike, Story

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIMED = 2000
HALF = 8  # words of half a sentence
BLOCK = 100  # stories drawn at once
PART = 50_000  # stories loaded at once
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

    def sketch(self, number: int) -> Numbers:
        """Return the sketch of a new story, quicker than by way of its text."""
        sentences = self._block(number // BLOCK)[number % BLOCK]
        title = np.array([_digest("story"), _digest(str(number))], np.uint64)
        return winnowed(np.concatenate([title, self._digests[sentences.ravel()]]))

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

    def figures(self) -> dict[str, float]:
        """Return median and 95th percentile of each step, milliseconds."""
        return {
            f"{step}_p{share}_{clock}": round(float(value), 2)
            for step, times in self.spent.items()
            for share in (50, 95)
            for clock, value in zip(
                ("wall", "cpu"), np.percentile(np.array(times), share, axis=0), strict=True
            )
        }


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
    stories = _stories()
    each = [stories.sketch(number) for number in range(start, start + 10 * BLOCK)]
    numbers = np.arange(start, start + 10 * BLOCK)
    return np.concatenate(each), np.repeat(numbers, [len(one) for one in each])


@lru_cache
def _stories() -> Stories:
    return Stories()


def fill(url: str, size: int) -> None:
    """Put so many stories, a multiple of 1000, into an empty catalog, as admissions do."""
    Catalog(url).close()
    with multiprocessing.get_context("spawn").Pool() as pool:
        made = pool.map(_sketches, range(0, size, 10 * BLOCK))
    hashes = np.concatenate([one[0] for one in made])
    numbers = np.concatenate([one[1] for one in made])
    del made
    order = np.lexsort((numbers, hashes))
    hashes, numbers = hashes[order], numbers[order]
    first = np.searchsorted(hashes, hashes)  # of each hash: its place among those that share it
    under = np.arange(len(hashes)) - first < sketches.CAP
    hashes, numbers = hashes[under], numbers[under]
    for start in range(0, size, PART):
        part = (numbers >= start) & (numbers < start + PART)
        rows = map(_row, range(start, min(start + PART, size)))
        _load(url, rows, zip(hashes[part].tolist(), numbers[part].tolist(), strict=True))


def _load(url: str, rows: Iterator[tuple[Any, ...]], postings: Iterator[tuple[int, int]]) -> None:
    columns = (
        "number, name, title, url, sha256, exact, words, added, language, date_source, date_text"
    )
    engine = create_engine(url)
    connection: Any = engine.raw_connection().driver_connection
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-500000")
        row = "?, ?, ?, ?, ?, ?, ?, '2026-01-01 00:00:00.000000', '', '', ''"
        connection.executemany(f"INSERT INTO story ({columns}) VALUES ({row})", rows)
        connection.executemany("INSERT INTO posting (hash, number) VALUES (?, ?)", postings)
    else:
        cursor = connection.cursor()
        with cursor.copy(f"COPY story ({columns}) FROM STDIN") as copy:
            for one in rows:
                copy.write_row((*one, NOW, "", "", ""))
        with cursor.copy("COPY posting (hash, number) FROM STDIN") as copy:
            for posting in postings:
                copy.write_row(posting)
    connection.commit()
    engine.dispose()


def resident() -> float:
    """Return the most memory this process had, MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def measure(url: str, size: int) -> dict[str, float | int]:
    """Time TIMED more stories; milliseconds, and the share of copies found."""
    stories, watch, found = Stories(), Watch(), 0
    before = resident()
    with watch("open"):
        catalog = Catalog(url)
    with catalog:
        with watch("pending"):
            catalog.pending()
        for number in range(size, size + TIMED):
            old = (number * 7919) % size
            story = stories.cut(number, old) if number % 10 == 0 else stories.new(number)
            with watch("sketch"):
                mark = fingerprint(story)
            row = _row(number)
            with ExitStack() as transaction:
                with watch("ask"):
                    admission = transaction.enter_context(catalog.admission())
                    alike = admission.alike({story.url, f"{story.url}?from=feed"}, mark)
                near = [  # sift reads them from the corpus
                    Lookalike(number=number, name=name, how=how, story=stories.new(number))
                    for number, name, how, _ in alike
                ]
                with watch("compare"):
                    copied = [k for k in kin(story, near) if k.likeness.is_copy]
                with watch("take"):
                    if not copied:
                        _take(admission, story, mark, row)
                    transaction.close()  # commits
            if copied:
                watch.spent["take"].pop()
            else:
                add = np.array(watch.spent["ask"][-1]) + np.array(watch.spent["take"][-1])
                watch.spent["add"].append((float(add[0]), float(add[1])))
                with watch("settle"):
                    catalog.settle(number, story)
            found += number % 10 == 0 and old in {k.lookalike.number for k in copied}
    return {
        "stories": size,
        "cut_copies_found": round(10 * found / TIMED, 3),
        **watch.figures(),
        "rss_before_mb": before,
        "rss_mb": resident(),
    }


def _take(admission: Admission, story: Story, mark: Fingerprint, row: tuple[Any, ...]) -> None:
    number = admission.next_number()
    pending = story.text.encode()
    admission.take(number, row[1], story, mark, sha256=row[4], now=NOW, pending=pending)


def sizes(file: Path, size: int) -> dict[str, int]:
    """Return bytes a story of the index of sketches, and of the whole catalog (SQLite)."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT sum(pgsize) FROM dbstat WHERE name = 'posting' AND aggregate = TRUE"
        (index,) = connection.execute(query).fetchone()
    return {
        "index_bytes_per_story": index // size,
        "catalog_bytes_per_story": file.stat().st_size // size,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stories", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--catalog", help="an SQLAlchemy URL; else SQLite in a temporary folder")
    parser.add_argument("--under", type=Path, help="where to put that folder")
    parser.add_argument("--full", action="store_true", help="the catalog is filled already")
    options = parser.parse_args(arguments)
    if options.catalog and len(options.stories) > 1:
        parser.error("one catalog takes one size: give --stories one number")
    for size in options.stories:
        with tempfile.TemporaryDirectory(dir=options.under) as folder:
            file = Path(folder, "catalog.sqlite")
            url = options.catalog or f"sqlite:///{file}"
            if not options.full:
                fill(url, size)
            with multiprocessing.get_context("spawn").Pool(1) as alone:
                figures = alone.apply(measure, (url, size))
            if file.exists():
                figures |= sizes(file, size + TIMED)
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
