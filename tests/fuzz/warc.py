"""A page comes back from the archive as it went in, or damage ends in a StorageError."""

import gzip
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from storage.archive import Archive, record
from storage.errors import StorageError
from storage.model import Page, Place
from tests.builders import PAGE
from tests.fuzz.samples import said_in

FOLDER = tempfile.TemporaryDirectory(prefix="newsdesk-fuzz-")
ARCHIVE = Archive(Path(FOLDER.name))


def seeds() -> list[bytes]:
    page = record(PAGE)
    written = b"\1" + gzip.decompress(page)
    coded = b"\2Content-Encoding: gzip\nX-Odd: caf\xe9\n\n<p>text</p>"
    return [written, b"\0\0\7\1" + b"a", coded, *(b"\2" + s for s in said_in("test_archive"))]


def run(data: bytes) -> None:
    """Do what the first byte says: damage a good record, make up one, or write a page."""
    kind, data = data[:1], data[1:]
    if kind == b"\0":
        place = int.from_bytes(data[:2])
        good = record(PAGE)
        place %= len(good)
        with suppress(StorageError):
            assert read(good[:place] + data[2:] + good[place + len(data[2:]) :]) == PAGE
    elif kind == b"\1":
        with suppress(StorageError):
            read(gzip.compress(data, 1, mtime=0))
        with suppress(StorageError):
            read(data)
    else:
        page = told(data)
        assert read(record(page)) == page


def told(data: bytes) -> Page:
    """Make a page of header lines, an empty one, and a body; as the client would have it."""
    head, _, body = data.partition(b"\n\n")
    pairs = [line.partition(b":")[::2] for line in head.split(b"\n")]
    headers = [("Content-Type", "text/html")]
    for name, value in pairs:  # RFC 9110 sections 5.1 and 5.5, as h11 sees to
        token = "".join(c for c in name.decode("ascii", "ignore") if c.isalnum() or c in "-_")
        field = "".join(c for c in value.decode("latin-1") if c in "\t" or c >= " ").strip(" \t")
        if token and token.lower() != "content-encoding":
            headers.append((token, field))
    if b"gzip" in head:
        headers.append(("Content-Encoding", "gzip"))
    return replace(
        PAGE,
        headers=tuple(headers),
        payload=gzip.compress(body, 1, mtime=0) if b"gzip" in head else body,
        content=body,
    )


def read(member: bytes) -> Page:
    (ARCHIVE.folder / "one.warc.gz").write_bytes(member)
    return ARCHIVE.read(Place(file="one.warc.gz", offset=0, length=len(member)))
