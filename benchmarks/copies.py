"""How long it takes to look for copies and to take a story in, as the corpus grows.

    python -m benchmarks.copies [--stories 10000 100000] [--catalog URL]

The stories are made up: words as frequent as English ones (Zipf), and in every twelfth sentence
a phrase from a stock, of which some are far more frequent than others, so that some hashes are
over the index's cap. Every tenth story timed is an earlier one cut to half with 3 words in 100
changed. The catalog is filled in one transaction before the clock starts; then each story is
compared and taken in with a commit of its own, as sift does it. The URL is that of an empty
database, which the run leaves full of rubbish.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.fingerprint import fingerprint
from ingest.likeness import kin
from storage.catalog import Admission, Catalog
from storage.model import Fingerprint, Lookalike, Story

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIMED = 1000
HALF = 8  # words of half a sentence
Words = NDArray[np.str_]


class Stories:
    """A story for every number, the same each time."""

    def __init__(self) -> None:
        """Draw the words and the stock phrases."""
        rng = np.random.default_rng(0)
        letters = list("abcdefghijklmnoprstuvwy")
        self._words = np.array(["".join(rng.choice(letters, 2 + n % 8)) for n in range(30_000)])
        self._odds = np.cumsum(1 / np.arange(2, 30_002))
        self._stock = self._drawn(rng, 200_000 * HALF).reshape(-1, HALF)

    def new(self, number: int) -> Story:
        """Return a story of 100 to 700 words that is no copy."""
        return _story(number, self._sentences(number))

    def cut(self, number: int, of: int) -> Story:
        """Return a story cut to half of its sentences, 3 words in 100 changed."""
        rng = np.random.default_rng(number)
        whole = self._sentences(of)
        part = whole[np.sort(rng.permutation(len(whole))[: (len(whole) + 1) // 2])]
        others = self._drawn(rng, part.size).reshape(part.shape)
        return _story(number, np.where(rng.random(part.shape) < 0.03, others, part))

    def _sentences(self, number: int) -> Words:
        rng = np.random.default_rng(number)
        length = int(rng.integers(7, 44))
        drawn = self._drawn(rng, length * 2 * HALF).reshape(length, 2 * HALF)
        shared = rng.random(length) < 1 / 12
        phrases = (len(self._stock) * rng.random(length) ** 3).astype(int)
        drawn[shared, HALF:] = self._stock[phrases[shared]]
        return drawn

    def _drawn(self, rng: np.random.Generator, length: int) -> Words:
        drawn: Words = self._words[np.searchsorted(self._odds, rng.random(length) * self._odds[-1])]
        return drawn


class Watch:
    """Adds up how long each step took."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._spent: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        """Note how long the block took."""
        start = time.perf_counter()
        yield
        self._spent[step].append(1000 * (time.perf_counter() - start))

    def figures(self) -> dict[str, float]:
        """Return median and 95th percentile of each step and of all together, milliseconds."""
        spent = {**self._spent, "all": np.sum([*self._spent.values()], axis=0)}
        return {
            f"{step}_p{share}_ms": round(float(np.percentile(times, share)), 2)
            for step, times in spent.items()
            for share in (50, 95)
        }


def _story(number: int, sentences: Words) -> Story:
    text = "\n\n".join(" ".join(sentence) for sentence in sentences.tolist())
    return Story(title=f"Story {number}", text=text)


def _take(admission: Admission, number: int, story: Story, found: Fingerprint) -> None:
    admission.take(number, str(number), story, found, sha256="", now=NOW)


def measure(url: str, size: int) -> dict[str, float | int]:
    """Fill the catalog, time TIMED more stories; milliseconds, and the share of copies found."""
    stories, watch, found = Stories(), Watch(), 0
    with Catalog(url) as catalog:
        with catalog.admission() as admission:
            for number in range(size):
                story = stories.new(number)
                _take(admission, number, story, fingerprint(story))
        for number in range(size, size + TIMED):
            old = (number * 7919) % size
            story = stories.cut(number, old) if number % 10 == 0 else stories.new(number)
            with watch("sketch"):
                mark = fingerprint(story)
            with ExitStack() as transaction:
                with watch("ask"):
                    admission = transaction.enter_context(catalog.admission())
                    alike = admission.alike((), mark)
                near = [  # sift reads them from the corpus
                    Lookalike(number=number, name=name, how=how, story=stories.new(number))
                    for number, name, how, _ in alike
                ]
                with watch("compare"):
                    copied = [k for k in kin(story, near) if k.likeness.is_copy]
                with watch("take"):
                    if not copied:
                        _take(admission, number, story, mark)
                    transaction.close()  # commits
            found += number % 10 == 0 and old in {k.lookalike.number for k in copied}
    return {"stories": size, "cut_copies_found": 10 * found / TIMED, **watch.figures()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stories", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--catalog", help="an SQLAlchemy URL; else SQLite in a temporary folder")
    options = parser.parse_args(arguments)
    if options.catalog and len(options.stories) > 1:
        parser.error("one catalog takes one size: give --stories one number")
    for size in options.stories:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "catalog.sqlite")
            figures = measure(options.catalog or f"sqlite:///{file}", size)
            if file.exists():
                figures["bytes_per_story"] = file.stat().st_size // (size + TIMED)
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
