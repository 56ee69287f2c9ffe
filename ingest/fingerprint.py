"""A story -> its Fingerprint: what finds its copies among a million stories without their texts.

The sketch is made by winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for
document fingerprinting", SIGMOD 2003): hash every run of RUN words, and of every WINDOW
neighbouring hashes keep the smallest. Two stories with any RUN + WINDOW - 1 words in a row in
common have a hash in common, wherever those words stand and however long the stories are. So a
story cut to a third is found as surely as a whole one, which min-hash over sets cannot do.

`bands` are min-hashes all the same, for those who join a corpus to an archive of their own with
the programs that are made for that (docs/scale.md); nothing here asks for them.
"""

import hashlib
from functools import cache

import numpy as np
import xxhash
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ingest.words import whole, words
from storage.model import Fingerprint, Story

VERSION = 1  # of the hashes, words.py included; sketches of another version find nothing
RUN = 5  # measured with 100,000 stories: runs of 3 find as many copies, five times the strangers
WINDOW = 16  # measured: 24 loses 2 more of 852 copies, 32 loses 5; 8 doubles the index for one
LONGEST = 10_000  # words sketched; bounds what one hostile page can put into the index

BANDS, ROWS = 14, 8  # datatrove's own: finds half of the pairs with a Jaccard likeness of 0.72
_PRIME = np.uint64((1 << 61) - 1)
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no product forgets a word
_MIX = np.uint64(0xD6E8FEB86659FD93)  # any odd number with well spread bits
_HALF = np.uint64(32)


def fingerprint(story: Story) -> Fingerprint:
    """Return what finds the copies of a story: of its title and text together.

    `exact` is 16 bytes, equal when the normal forms are.
    """
    tokens = words(whole(story))
    exact = hashlib.blake2b(" ".join(tokens).encode(), digest_size=16).digest()
    return Fingerprint(exact=exact, sketch=sketch(tokens), words=len(tokens))


def sketch(tokens: list[str]) -> tuple[int, ...]:
    """Return the winnowed hashes of a text's words, distinct and rising, signed 64-bit.

    About one hash for nine words; none only where there are no words, and one where there are
    fewer than RUN + WINDOW.
    """
    if not tokens:
        return ()
    digests = [xxhash.xxh3_64_intdigest(word.encode()) for word in tokens[:LONGEST]]
    return tuple(winnowed(np.array(digests, np.uint64)).tolist())


def winnowed(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the sketch of a text whose words have these hashes; at least one."""
    return np.unique(least_of(hashes))


def least_of(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the smallest hash of a run in each window of words, in their order."""
    length = min(RUN, len(hashes))
    runs = np.zeros(len(hashes) - length + 1, np.uint64)
    for start in range(length):  # a polynomial in _BASE, modulo 2**64
        runs = runs * _BASE + hashes[start : start + len(runs)]
    runs = (runs ^ (runs >> _HALF)) * _MIX
    runs ^= runs >> _HALF
    least: NDArray[np.uint64] = sliding_window_view(runs, min(WINDOW, len(runs))).min(axis=1)
    return least.view(np.int64)


def bands(tokens: list[str]) -> list[bytes]:
    """Return BANDS min-hash signatures, each of ROWS unsigned 64-bit numbers, little-endian.

    They are what datatrove 0.10 makes by its defaults of the runs of five of these words: xxh64,
    permutations modulo 2**61 - 1, seed 1. None where there are fewer words than RUN.
    """
    runs = [" ".join(tokens[at : at + RUN]) for at in range(len(tokens[:LONGEST]) - RUN + 1)]
    if not runs:
        return []
    hashes = np.array([xxhash.xxh64_intdigest(run.encode()) for run in runs], np.uint64)
    factor, plus = _permutations()
    least = ((hashes[:, np.newaxis] * factor + plus) % _PRIME).min(axis=0)
    return [band.astype("<u8").tobytes() for band in least.reshape(BANDS, ROWS)]


@cache
def _permutations() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    chance = np.random.RandomState(1)
    first, second = (
        chance.randint(low, int(_PRIME), size=BANDS * ROWS, dtype=np.uint64) for low in (1, 0)
    )
    return first, second
