"""The recipe of docs/scale.md for datatrove: which documents of an archive does a corpus hold?

    python benchmarks/join_datatrove.py FINGERPRINTS ARCHIVE FOLDER

FINGERPRINTS is of `newsdesk export --fingerprints`, ARCHIVE a folder of JSON Lines with `id` and
`text`. The corpus becomes an index; datatrove signs the archive's texts, finds what matches, and
writes what does not into FOLDER/left. Run by a Python that has datatrove, xxhash, tokenizers,
regex, orjson and pyarrow. It prints the ids that went.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import xxhash
from datatrove.executor.local import LocalPipelineExecutor  # type: ignore[import-not-found]
from datatrove.pipeline.dedup import minhash  # type: ignore[import-not-found]
from datatrove.pipeline.readers import JsonlReader  # type: ignore[import-not-found]
from datatrove.pipeline.writers import JsonlWriter  # type: ignore[import-not-found]

from ingest.words import words

CONFIG = minhash.MinhashConfig()  # its defaults: 14 buckets of 8 hashes, runs of 5 words, seed 1
# Its own parting of words needs a model of each language; ours is below.
minhash.load_word_tokenizer = lambda language: None


class Signed(minhash.MinhashDedupSignature):  # type: ignore[misc]
    """datatrove's signatures of Newsdesk's words: the same bytes as `bands`."""

    def get_shingles(self, text: str) -> Any:
        """Return the hashes of each run of words."""
        tokens, run = words(text), CONFIG.n_grams
        runs = (" ".join(tokens[at : at + run]) for at in range(len(tokens) - run + 1))
        hashes = [xxhash.xxh64_intdigest(one.encode()) for one in runs]
        return np.array(hashes, np.uint64).reshape(-1, 1)


def index(fingerprints: Path, folder: Path) -> None:
    """Write a corpus's bands as datatrove's index: each bucket's signatures, sorted, once."""
    column = pq.read_table(fingerprints, columns=["bands"])["bands"].combine_chunks()
    packed = b"".join(column.flatten().to_pylist())
    rows = np.frombuffer(packed, "<u8").reshape(-1, CONFIG.num_buckets, CONFIG.hashes_per_bucket)
    for bucket in range(CONFIG.num_buckets):
        there = folder / f"bucket_{bucket:03d}"
        there.mkdir(parents=True)
        (there / "corpus.minhash.index").write_bytes(np.unique(rows[:, bucket], axis=0).tobytes())


def main() -> None:
    """Run the four stages, one after the other."""
    fingerprints, archive, folder = map(Path, sys.argv[1:])
    index(fingerprints, folder / "index")
    signed, pairs, gone, left = (str(folder / name) for name in ("signed", "pairs", "gone", "left"))
    stages: list[tuple[list[Any], int]] = [
        ([JsonlReader(str(archive)), Signed(signed, CONFIG)], 1),
        ([minhash.MinhashDedupBuckets(signed, pairs, str(folder / "index"), CONFIG)], 14),
        ([minhash.MinhashDedupCluster(pairs, gone, CONFIG)], 1),
        ([JsonlReader(str(archive)), minhash.MinhashDedupFilter(gone), JsonlWriter(left)], 1),
    ]
    for number, (pipeline, tasks) in enumerate(stages):
        logs = str(folder / "logs" / str(number))
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=logs).run()
    ids = {doc.id for doc in JsonlReader(str(archive))()}
    print(json.dumps(sorted(ids - {doc.id for doc in JsonlReader(left)()})))


if __name__ == "__main__":
    main()
