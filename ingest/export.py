"""Corpus and catalog -> files for others: texts, JSON Lines and Parquet, fingerprints."""

import json
import os
from collections.abc import Iterator
from itertools import islice, tee
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_json

from ingest.abreast import ahead
from ingest.desk import Desk
from ingest.errors import SettingsError
from ingest.fingerprint import ROWS as ROWS_A_BAND
from ingest.fingerprint import bands, fingerprint
from ingest.words import whole, words
from storage.corpus import parse

ROWS = 1000  # stories held at once; one row group of the Parquet file
_TYPES: dict[str, pa.DataType] = {  # of the columns that are no text
    **dict.fromkeys(("number", "words", "archive_offset", "archive_length"), pa.int64()),
    **dict.fromkeys(("announced", "first_seen", "fetched", "added"), pa.timestamp("us", tz="UTC")),
    "published": pa.date32(),
    "score": pa.float64(),
}
# `announced` is the date in the feed, `url` canonical, `link` as announced, `final_url` the one
# after redirects, `sha256` the file's, `topic` the digest of the topic file. Of JSON in Parquet:
# `points`, the topic's evidence, and `removed`, furniture lines and their rules.
_COLUMNS = """
number file title text words sha256 language published date_source announced url link final_url
source first_seen fetched added page_sha256 archive_file archive_offset archive_length score points
removed extractor topic
"""
SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in _COLUMNS.split()])
# One row a story. `exact`, `sketch` and `bands`: ingest.fingerprint tells what they find.
_KINDS: list[tuple[str, pa.DataType]] = [
    ("number", pa.int64()), ("name", pa.string()), ("sha256", pa.string()), ("url", pa.string()),
    ("published", pa.date32()), ("words", pa.int64()), ("exact", pa.binary(16)),
    ("sketch", pa.list_(pa.int64())), ("bands", pa.list_(pa.binary(8 * ROWS_A_BAND))),
]  # fmt: skip
FINGERPRINTS = pa.schema(_KINDS)


def export(desk: Desk, folder: Path) -> dict[str, int]:
    """Write texts/, stories.jsonl and stories.parquet into a folder; return `stories`.

    Each file appears whole: it is written under a temporary name and renamed. Raises
    SettingsError for a folder that is the corpus, which holds nothing but its stories.
    """
    _outside(desk, folder)
    (folder / "texts").mkdir(parents=True, exist_ok=True)
    lines, table = folder / "stories.jsonl.tmp", folder / "stories.parquet.tmp"
    rows, written = _rows(desk, folder / "texts"), 0
    with (
        lines.open("wb") as out,
        pq.ParquetWriter(table, SCHEMA, compression="zstd") as parquet,
    ):
        while chunk := list(islice(rows, ROWS)):
            for row in chunk:
                out.write(to_json(row) + b"\n")
            packed = [
                {**row, **{k: json.dumps(row[k]) for k in ("points", "removed")}} for row in chunk
            ]
            parquet.write_table(pa.Table.from_pylist(packed, schema=SCHEMA))
            written += len(chunk)
        out.flush()
        os.fsync(out.fileno())
    lines.replace(folder / "stories.jsonl")
    table.replace(folder / "stories.parquet")
    return {"stories": written}


def fingerprints(desk: Desk, file: Path) -> dict[str, int]:
    """Write every story's fingerprints into a Parquet file; return `stories`. It appears whole."""
    _outside(desk, file.parent)
    file.parent.mkdir(parents=True, exist_ok=True)
    new, rows, written = file.with_name(f"{file.name}.tmp"), _fingerprints(desk), 0
    with pq.ParquetWriter(new, FINGERPRINTS, compression="zstd") as parquet:
        while chunk := list(islice(rows, ROWS)):
            parquet.write_table(pa.Table.from_pylist(chunk, schema=FINGERPRINTS))
            written += len(chunk)
    new.replace(file)
    return {"stories": written}


def _fingerprints(desk: Desk) -> Iterator[dict[str, Any]]:
    for row, data in _texts(desk):
        story = parse(data, row["name"])
        found = fingerprint(story)
        row |= {"exact": found.exact, "words": found.words, "sketch": found.sketch}
        yield {**row, "bands": bands(words(whole(story)))}


def _outside(desk: Desk, folder: Path) -> None:
    if folder.resolve() == Path(desk.settings.corpus).resolve():
        raise SettingsError(f"{folder} is the corpus: export to another folder")
    if folder.parts[:1] == ("s3:",):  # what is left of the URL
        raise SettingsError("export writes into a folder: copy it into the bucket from there")


def _texts(desk: Desk) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield every story's row and file."""
    rows, again = tee(desk.catalog.stories())  # no further apart than what is read ahead
    data = ahead(desk.corpus.read, (row["name"] for row in again), desk.corpus.local)
    total = desk.catalog.stories_kept()
    yield from desk.watched("export", zip(rows, data, strict=True), total)


def _rows(desk: Desk, texts: Path) -> Iterator[dict[str, Any]]:
    for row, data in _texts(desk):
        name = row.pop("name")
        (texts / name).write_bytes(data)
        for key in ("file", "offset", "length"):
            row[f"archive_{key}"] = row.pop(key)
        row |= {"file": name, "text": parse(data, name).text}
        yield {field.name: row[field.name] for field in SCHEMA}
