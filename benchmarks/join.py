"""A corpus's fingerprints joined to an archive: by datatrove, by Spark, and by pyarrow alone.

    python -m benchmarks.join [--quick] [--json FILE]

The archive holds strangers, and of some stories of the corpus a copy with a few words changed, or a
third of it. What each engine finds is compared with what was planted; each is the recipe of
docs/scale.md, run as it stands there.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import peers
from benchmarks.frame import Result, arguments, measured
from ingest.export import fingerprints
from ingest.fingerprint import bands, sketch
from ingest.sift import adopt
from ingest.words import words
from storage.corpus import compose, name_of, render
from tests.chaos import prose
from tests.home import Home

ENGINES = ("pyarrow", "datatrove", "spark")
SHARE = 1 / 3  # of the hashes of the smaller sketch
EVERY = 10  # documents of which one is a copy
Pairs = set[tuple[int, str]]


def corpus(folder: Path, stories: int) -> Home:
    """Make a corpus of so many stories, put there by hand."""
    home = Home(folder)
    for number in range(stories):
        title, paragraphs = prose.story(f"corpus {number}", 24)
        data = render(compose(title, paragraphs))
        (home.corpus / name_of(number, data)).write_bytes(data)
    return home


def archive(folder: Path, stories: int, documents: int) -> tuple[Pairs, Pairs]:
    """Write an archive; return which documents are changed copies of which story, and which cut.

    The name of a document tells nothing to those who join.
    """
    folder.mkdir()
    changed, cut = Pairs(), Pairs()
    with (folder / "archive.jsonl").open("w") as out:
        for place in range(documents):
            chance, of = Random(place), place // EVERY % stories
            title, paragraphs = prose.story(f"stranger {place}", 24)
            if place % EVERY == 0:
                title, paragraphs = prose.story(f"corpus {of}", 24)
                text = " ".join(paragraphs).split()
                for at in chance.sample(range(len(text)), 4):
                    text[at] = "otherwise"
                paragraphs = [" ".join(text)]
                changed.add((of, str(place)))
            elif place % EVERY == 1:
                paragraphs = prose.story(f"corpus {of}", 24)[1][4:8]
                cut.add((of, str(place)))
            text_of = "\n\n".join([title, *paragraphs])
            out.write(json.dumps({"id": str(place), "text": text_of}) + "\n")
    return changed, cut


def joined(file: Path, documents: Iterable[tuple[str, str]]) -> tuple[Pairs, Pairs]:
    """Return which stories and documents share a band, and which a third of the smaller sketch."""
    ours = pq.read_table(file)
    ids, signed = zip(*((one, words(text)) for one, text in documents), strict=True)
    theirs = pa.table({
        "id": ids,
        "bands": pa.array([bands(one) for one in signed], ours.schema.field("bands").type),
        "sketch": pa.array([sketch(one) for one in signed], ours.schema.field("sketch").type),
    })  # fmt: skip
    by_band = _exploded(ours, "number", "bands").join(
        _exploded(theirs, "id", "bands"), ["place", "hash"], join_type="inner"
    )
    by_hash = _exploded(ours, "number", "sketch").join(
        _exploded(theirs, "id", "sketch"), "hash", join_type="inner", right_suffix=" theirs"
    )
    shared = by_hash.group_by(["number", "id", "size", "size theirs"]).aggregate(
        [("hash", "count")]
    )
    least = pc.multiply(pc.min_element_wise(shared["size"], shared["size theirs"]), SHARE)
    shared = shared.filter(pc.greater_equal(shared["hash_count"], least))
    return _pairs(by_band), _pairs(shared)


def _exploded(table: pa.Table, key: str, column: str) -> pa.Table:
    lists = table[column].combine_chunks()
    lengths = np.asarray(lists.value_lengths())
    places = np.concatenate([np.arange(n) for n in lengths]) if len(lengths) else []
    keys = table[key].combine_chunks().take(pa.array(np.repeat(np.arange(len(lists)), lengths)))
    columns: dict[str, Any] = {key: keys, "hash": lists.flatten()}
    if column == "bands":
        return pa.table({**columns, "place": pa.array(places, pa.int64())})
    return pa.table({**columns, "size": pa.array(np.repeat(lengths, lengths), pa.int64())})


def _pairs(table: pa.Table) -> Pairs:
    return set(zip(table["number"].to_pylist(), table["id"].to_pylist(), strict=True))


def documents(folder: Path) -> list[tuple[str, str]]:
    """Return id and text of an archive's documents."""
    lines = (folder / "archive.jsonl").read_text().splitlines()
    return [(one["id"], one["text"]) for one in map(json.loads, lines)]


def found_by(engine: str, folder: Path) -> tuple[set[str], set[str], float] | None:
    """Return the ids that an engine found by bands and by sketches, and its seconds."""
    file, there = folder / "fingerprints.parquet", folder / "archive"
    if engine == "pyarrow":
        began = time.perf_counter()
        by_band, by_hash = joined(file, documents(there))
        return _ids(by_band), _ids(by_hash), time.perf_counter() - began
    if engine == "spark" and not shutil.which("java"):
        print("without Spark, which needs Java")
        return None
    python = peers.python(engine)
    if not python:
        return None
    more = [folder / "datatrove"] if engine == "datatrove" else []
    command = [python, f"benchmarks/join_{engine}.py", file, there, *more]
    path = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    ran = measured(command, environment={"PYTHONPATH": path, "PYSPARK_PYTHON": python})
    told = [json.loads(line) for line in ran.out.splitlines() if line.startswith("[")]
    if engine == "datatrove":
        return set(told[0]), set(), ran.wall
    return _ids(told[0]), _ids(told[1]), ran.wall


def _ids(pairs: Iterable[Sequence[Any]]) -> set[str]:
    return {one for _, one in pairs}


def main(argv: Sequence[str] | None = None) -> None:
    """Make corpus and archive, join them with each engine, compare."""
    asked = arguments(__doc__).parse_args(argv)
    stories, many = (100, 500) if asked.quick else (1000, 10_000)
    result, rows, all_found = Result("A corpus joined to an archive"), list[list[Any]](), []
    with tempfile.TemporaryDirectory(prefix="newsdesk-join-") as name:
        folder = Path(name)
        home = corpus(folder / "home", stories)
        changed, cut = archive(folder / "archive", stories, many)
        file = folder / "fingerprints.parquet"
        with home.desk() as desk:
            adopt(desk)
            began = time.process_time()
            fingerprints(desk, file)
            took = (time.process_time() - began) / stories
        known = _ids(changed) | _ids(cut)
        for engine in ENGINES:
            found = found_by(engine, folder)
            if not found:
                continue
            by_band, by_hash, seconds = found
            rows.append([
                engine, len(by_band & _ids(changed)), len(by_band & _ids(cut)),
                len(by_hash & _ids(changed)) or None, len(by_hash & _ids(cut)) or None,
                len((by_band | by_hash) - known), seconds,
            ])  # fmt: skip
            all_found.append(by_band)
        size = file.stat().st_size / stories
    columns = (
        "engine", "changed, by bands", "cut, by bands", "changed, by sketches", "cut, by sketches",
        "strangers", "seconds, start and all",
    )  # fmt: skip
    table = f"{stories:,} stories; {many:,} documents, {len(changed)} changed and {len(cut)} cut"
    result.table(table, columns, rows)
    result.table(
        "`newsdesk export --fingerprints`", ("CPU ms a story", "bytes a story"),
        [(1000 * took, round(size))],
    )  # fmt: skip
    result.aim(
        "every engine finds the same by bands", ", ".join(row[0] for row in rows),
        all(found == all_found[0] for found in all_found),
    )  # fmt: skip
    result.hand_in(asked.json)


if __name__ == "__main__":
    main()
