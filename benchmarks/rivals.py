"""What others make of the same stories; run by benchmarks.copies with each one's own Python.

    python rivals.py rensa|memory|redis HELD [PORT] < STORIES

Standard input has a story a line: HELD to take in, then those to time. Prints milliseconds and
what is to know as JSON. All sketch runs of 3 words (with which they find more copies than with 5)
in 128 permutations and 32 bands.
"""

import json
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

PERMUTATIONS, BANDS = 128, 32


def shingles(text: str) -> list[str]:
    """Return the runs of 3 words."""
    words = re.findall(r"\w+", text.lower())
    return [" ".join(words[at : at + 3]) for at in range(max(1, len(words) - 2))]


def store(kind: str, port: str) -> tuple[Any, Any]:
    """Return what makes a sketch of shingles, and the index."""
    if kind == "rensa":
        from rensa import RMinHash, RMinHashLSH  # type: ignore[import-not-found]

        def sketch(parts: list[str]) -> Any:
            made = RMinHash(num_perm=PERMUTATIONS, seed=1)
            made.update(parts)
            return made

        return sketch, RMinHashLSH(threshold=0.4, num_perm=PERMUTATIONS, num_bands=BANDS)
    from datasketch import MinHash, MinHashLSH  # type: ignore[import-not-found]

    def sketch(parts: list[str]) -> Any:
        made = MinHash(num_perm=PERMUTATIONS)
        made.update_batch([part.encode() for part in parts])
        return made

    redis = {"type": "redis", "basename": b"x", "redis": {"host": "127.0.0.1", "port": port}}
    config = {"storage_config": redis} if kind == "redis" else {}
    return sketch, MinHashLSH(
        num_perm=PERMUTATIONS, params=(BANDS, PERMUTATIONS // BANDS), **config
    )


kind, held = sys.argv[1], int(sys.argv[2])
sketch, index = store(kind, sys.argv[3] if len(sys.argv) > 3 else "")
times: list[tuple[float, float, float]] = []  # sketch, check and add: wall, and processor
answers: list[list[int]] = []
for number, line in enumerate(sys.stdin):
    began = time.perf_counter()
    made = sketch(shingles(line))
    ready, cpu = time.perf_counter(), time.thread_time()
    if number >= held:
        answers.append([int(one) for one in index.query(made)])
    index.insert(number, made)
    if number >= held:
        spent = time.perf_counter() - ready, time.thread_time() - cpu
        times.append((1000 * (ready - began), 1000 * spent[0], 1000 * spent[1]))
pages = int(Path("/proc/self/statm").read_text().split()[1])
memory = pages * resource.getpagesize() / 1e6
print(json.dumps({"times": times, "answers": answers, "rss_mb": memory}))
