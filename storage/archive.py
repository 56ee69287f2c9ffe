"""Pages as they came, in gzip WARC files (ISO 28500:2017), one gzip member a record.

Every process appends to a file of its own, so writers never meet. A record is one member: a
crash in the middle of one leaves a file whose earlier records all read, and no row of the
catalog points at the torn one, because the row is written after the bytes are on the disk.
"""

import fcntl
import gzip
import io
import os
import threading
import zlib
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from http.client import responses
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from storage.errors import Lost, StorageError, made
from storage.model import Page, Place

MAX_FILE_BYTES = 1_000_000_000  # the WARC guidelines' advice: about 1 GB a file
STAMP = "%Y%m%d%H%M%S%f"  # in the name of a file: when it was begun, in UTC
MAX_CONTENT_BYTES = 256_000_000  # far above any setting; a record that decodes to more is damaged
# The body lies here as the client handed it on, chunks joined: readers must not look for them.
_TRANSFER = "transfer-encoding"


class Archive:
    """A folder of WARC files; many processes may append at once, each to its own file."""

    local: ClassVar = True  # to read a page takes no time worth saving

    def __init__(self, folder: Path) -> None:
        self.folder = made(folder, "NEWS_ARCHIVE")
        self.where = str(folder)
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file being appended to; the archive may still be read."""
        if self._file:
            self._file.close()
            self._file = None

    def append(self, page: Page) -> Place:
        """Add a page and return its place once it is on the disk; raises StorageError."""
        return self.add([record(page)], page.fetched)[0]

    def add(self, records: Iterable[bytes], now: datetime) -> list[Place]:
        """Add what `record` made of pages, and return their places once all are on the disk."""
        places = []
        with self._lock:
            try:
                for one in records:
                    file = self._open_for(len(one), now)
                    name = Path(file.name).name
                    places.append(Place(file=name, offset=file.tell(), length=len(one)))
                    file.write(one)
                self._sync()
            except OSError as error:
                raise StorageError(
                    f"the archive {self.folder} cannot be written: {error.strerror}"
                ) from error
        return places

    def _sync(self) -> None:
        if self._file:
            self._file.flush()
            os.fsync(self._file.fileno())

    def _open_for(self, length: int, now: datetime) -> BinaryIO:
        if self._file and self._file.tell() + length > MAX_FILE_BYTES:
            self._sync()
            self._file.close()
            self._file = None
        if not self._file:
            stamp = now.astimezone(UTC).strftime(STAMP)
            name = f"newsdesk-{stamp}-{os.getpid()}.warc.gz"
            self._file = (self.folder / name).open("xb")
            with suppress(OSError):  # a file system without locks; else ours while we append
                fcntl.flock(self._file, fcntl.LOCK_EX)
        return self._file

    def read(self, place: Place) -> Page:
        """Return the page at a place; raises Lost when it is not there or damaged."""
        try:
            return _page(self.member(place))
        except (OSError, zlib.error, EOFError, ArchiveLoadFailed, ValueError, Lost) as error:
            raise Lost(f"no page at {self.where}/{place.file}:{place.offset}: {error}") from error

    def member(self, place: Place) -> bytes:
        """Return the record at a place as it lies there; raises Lost without its file."""
        path = self.folder / place.file
        try:
            with path.open("rb") as file:
                file.seek(place.offset)
                return file.read(place.length)
        except OSError as error:
            raise Lost(f"{path} cannot be read: {error.strerror}") from error

    def size(self) -> int:
        """Return what the archive takes on disk."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    @property
    def scratch(self) -> Path:
        """Where to put a file for as long as it is being read."""
        return self.folder / "scan"

    def files(self) -> list[tuple[str, int, datetime]]:
        """Return name, bytes and last change of every file."""
        found = []
        for path in sorted(self.folder.glob("*.warc.gz")):
            with suppress(FileNotFoundError):  # another process was quicker to remove it
                seen = path.stat()
                changed = datetime.fromtimestamp(seen.st_mtime, UTC)
                found.append((path.name, seen.st_size, changed))
        return found

    def is_free(self, file: str) -> bool:
        """Tell whether no process appends to a file; to one that was left, none ever does."""
        try:
            with (self.folder / file).open("rb") as opened:
                fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, FileNotFoundError):
            return False
        except OSError:  # a file system without locks
            return True
        return True

    def remove(self, file: str) -> None:
        """Remove a file, with all records in it."""
        (self.folder / file).unlink(missing_ok=True)


def open_archive(where: str) -> Archive:
    """Open an archive by its place: a folder, or the URL of a place in an object store."""
    scheme, _, path = where.rpartition("://")
    if scheme in ("", "file"):
        return Archive(Path(path))
    from storage.objects import ObjectArchive, Objects  # as in storage.corpus

    return ObjectArchive(Objects(where, "NEWS_ARCHIVE"))


class _Received(StatusAndHeaders):  # type: ignore[misc]  # warcio has no types
    """Headers whose bytes stay what they were: warcio would percent-encode what is not ASCII."""

    def to_ascii_bytes(self, header_filter: object = None) -> bytes:
        return str(self).encode("latin-1", "replace") + b"\r\n"


def record(page: Page) -> bytes:
    """Return a page as a gzipped record: a response, or a conversion of what its feed holds."""
    if not page.status:  # no site's answer, and no reader of archives shall take it for one
        return _written(page, "conversion", warc_content_type=page.header("content-type"))
    headers = [
        (f"X-Archive-Orig-{name}" if name.lower() == _TRANSFER else name, value)
        for name, value in page.headers
    ]
    status_line = f"{page.status} {responses.get(page.status, '')}".strip()
    received = _Received(status_line, headers, protocol="HTTP/1.1")
    return _written(page, "response", http_headers=received)


def _written(page: Page, kind: str, **said: Any) -> bytes:
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=True, warc_version="1.1")
    writer.write_record(
        writer.create_warc_record(
            page.final_url,
            kind,
            payload=io.BytesIO(page.payload),
            length=len(page.payload),
            warc_headers_dict={
                "WARC-Date": page.fetched.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "X-Newsdesk-Hops": " ".join(page.hops or (page.url,)),
            },
            **said,
        )
    )
    return out.getvalue()


def _page(member: bytes) -> Page:
    # unpacked first: the reader of records takes a torn one for a short one
    unpacked = io.BytesIO(gzip.decompress(member))
    record = next(iter(ArchiveIterator(unpacked, no_record_parse=True)), None)
    if record is None:
        raise ValueError("no page's record")
    payload, hops = record.raw_stream.read(), tuple(_said(record, "X-Newsdesk-Hops").split(" "))
    status, received = 0, [("Content-Type", _said(record, "Content-Type"))]
    if record.rec_type == "response":  # parted here: warcio would read some headers as UTF-8
        head, _, payload = payload.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first[9:12])
        received = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    headers = tuple((name.removeprefix("X-Archive-Orig-"), value) for name, value in received)
    coding = next((v for n, v in headers if n.lower() == "content-encoding"), "identity")
    return Page(
        url=hops[0],
        final_url=_said(record, "WARC-Target-URI"),
        status=status,
        headers=headers,
        payload=payload,
        content=_decoded(payload) if coding.strip().lower() in {"gzip", "x-gzip"} else payload,
        fetched=datetime.fromisoformat(_said(record, "WARC-Date")),
        hops=hops,
    )


def _said(record: Any, name: str) -> str:
    value = record.rec_headers.get_header(name)
    if value is None:
        raise ValueError(f"its record has no {name}")
    return str(value)


def _decoded(payload: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(payload)) as file:
        content = file.read(MAX_CONTENT_BYTES + 1)
    if len(content) > MAX_CONTENT_BYTES:
        raise ValueError(f"decodes to more than {MAX_CONTENT_BYTES} bytes")
    return content
