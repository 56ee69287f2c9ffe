"""Corpus and catalog -> a folder for others: texts, JSON Lines and Parquet."""

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_json

from ingest.desk import Desk
from ingest.errors import SettingsError
from storage.corpus import parse

ROWS = 1000  # stories held at once; one row group of the Parquet file
_TIME = pa.timestamp("us", tz="UTC")
_COLUMNS: dict[str, pa.DataType] = {
    "number": pa.int64(),
    "file": pa.string(),
    "title": pa.string(),
    "text": pa.string(),
    "words": pa.int64(),
    "sha256": pa.string(),  # of the file
    "language": pa.string(),
    "published": pa.date32(),
    "date_source": pa.string(),
    "announced": _TIME,  # the date in the feed
    "url": pa.string(),  # canonical
    "link": pa.string(),  # as announced
    "final_url": pa.string(),  # after redirects
    "source": pa.string(),
    "first_seen": _TIME,
    "fetched": _TIME,
    "added": _TIME,
    "page_sha256": pa.string(),
    "archive_file": pa.string(),
    "archive_offset": pa.int64(),
    "archive_length": pa.int64(),
    "score": pa.float64(),
    "points": pa.string(),  # JSON: the topic's evidence
    "removed": pa.string(),  # JSON: furniture lines and their rules
    "extractor": pa.string(),
    "topic": pa.string(),  # digest of the topic file
}
SCHEMA = pa.schema(_COLUMNS)


def export(desk: Desk, folder: Path) -> dict[str, int]:
    """Write texts/, stories.jsonl and stories.parquet into a folder; return `stories`.

    Each file appears whole: it is written under a temporary name and renamed. Raises
    SettingsError for a folder that is the corpus, which holds nothing but its stories.
    """
    if folder.resolve() == Path(desk.settings.corpus).resolve():
        raise SettingsError(f"{folder} is the corpus: export to another folder")
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


def _rows(desk: Desk, texts: Path) -> Iterator[dict[str, Any]]:
    total = len(desk.catalog.names())
    for row in desk.watched("export", desk.catalog.stories(), total):
        name = row.pop("name")
        data = desk.corpus.read(name)
        (texts / name).write_bytes(data)
        for key in ("file", "offset", "length"):
            row[f"archive_{key}"] = row.pop(key)
        row |= {"file": name, "text": parse(data, name).text}
        yield {field.name: row[field.name] for field in SCHEMA}
