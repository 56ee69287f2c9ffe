"""Pages as they came, in gzip WARC files (ISO 28500:2017), one gzip member a record.

Every process appends to a file of its own, so writers never meet. A record is one member: a
crash in the middle of one leaves a file whose earlier records all read, and no row of the
catalog points at the torn one, because the row is written after the bytes are on the disk.
"""

import fcntl
import io
import os
import threading
from base64 import b32encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha1
from http.client import responses
from pathlib import Path
from typing import BinaryIO, ClassVar, Self
from uuid import uuid4

from isal import igzip, isal_zlib

from storage.errors import Lost, StorageError, made
from storage.model import Page, Place
from storage.together import Together
from storage.warc import DAMAGE

MAX_FILE_BYTES = 1_000_000_000  # the WARC guidelines' advice: about 1 GB a file
STAMP = "%Y%m%d%H%M%S%f"  # in the name of a file: when it was begun, in UTC
MAX_CONTENT_BYTES = 256_000_000  # far above any setting; a record that decodes to more is damaged
# The body lies here as the client handed it on, chunks joined: readers must not look for them.
_TRANSFER = "transfer-encoding"
# Of ISA-L: a tenth of the time of zlib's 6, an eighth larger; most bodies are gzip as they come.
_LEVEL = 2


class Archive:
    """A folder of WARC files; many processes may append at once, each to its own file."""

    local: ClassVar = True  # to read a page takes no time worth saving

    def __init__(self, folder: Path) -> None:
        self.folder = made(folder, "NEWS_ARCHIVE")
        self.where = str(folder)
        self._lock = threading.Lock()
        self._appended = Together(self._append, self._lock)
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file being appended to; the archive may still be read."""
        if self._file:
            self._file.close()
            self._file = None

    def append(self, page: Page) -> Place:
        """Add a page and return its place once it is on the disk; raises StorageError.

        Threads in line for the disk share a wait: the first writes for those behind it.
        """
        return self._appended((record(page), page.fetched))

    def add(self, records: Iterable[bytes], now: datetime) -> list[Place]:
        """Add what `record` made of pages, and return their places once all are on the disk."""
        with self._lock:
            return self._written(records, now)

    def _append(self, ones: Sequence[tuple[bytes, datetime]]) -> list[Place]:
        return self._written([one for one, _ in ones], ones[0][1])

    def _written(self, records: Iterable[bytes], now: datetime) -> list[Place]:
        places = []
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
        except (OSError, DAMAGE, EOFError, ValueError, Lost) as error:
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


def record(page: Page) -> bytes:
    """Return a page as a gzipped record: a response, or a conversion of what its feed holds."""
    said = [
        ("WARC-Record-ID", f"<{uuid4().urn}>"),
        ("WARC-Target-URI", page.final_url),
        ("WARC-Date", page.fetched.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")),
        ("X-Newsdesk-Hops", " ".join(page.hops or (page.url,))),
        ("WARC-Payload-Digest", _digest(page.payload)),
    ]
    if page.status:
        headers = [
            (f"X-Archive-Orig-{name}" if name.lower() == _TRANSFER else name, value)
            for name, value in page.headers
        ]
        first = f"HTTP/1.1 {page.status} {responses.get(page.status, '')}".strip()
        block = _head(first, headers).encode("latin-1", "replace") + page.payload
        said += [
            ("WARC-Type", "response"),
            ("Content-Type", "application/http; msgtype=response"),
            ("WARC-Block-Digest", _digest(block)),
        ]
    else:  # no site's answer, and no reader of archives shall take it for one
        block, kind = page.payload, page.header("content-type") or ""
        said += [("WARC-Type", "conversion"), ("Content-Type", kind)]
    head = _head("WARC/1.1", [*said, ("Content-Length", str(len(block)))])
    return igzip.compress(head.encode() + block + b"\r\n\r\n", _LEVEL)


def _head(first: str, headers: Iterable[tuple[str, str]]) -> str:
    lines = [first, *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines) + "\r\n\r\n"


def _digest(data: bytes) -> str:
    return f"sha1:{b32encode(sha1(data, usedforsecurity=False).digest()).decode()}"


def _page(member: bytes) -> Page:
    head, _, rest = _unzipped(member).partition(b"\r\n\r\n")
    version, *lines = head.decode().split("\r\n")
    said = dict(line.partition(": ")[::2] for line in lines)
    payload = rest[: int(_said(said, "Content-Length"))]
    if not version.startswith("WARC/1.") or rest[len(payload) :] != b"\r\n\r\n":
        raise ValueError("no page's record")
    hops = tuple(_said(said, "X-Newsdesk-Hops").split(" "))
    status, received = 0, [("Content-Type", _said(said, "Content-Type"))]
    if _said(said, "WARC-Type") == "response":
        headed, _, payload = payload.partition(b"\r\n\r\n")
        first, *lines = headed.decode("latin-1").split("\r\n")
        status = int(first[9:12])
        received = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    headers = tuple((name.removeprefix("X-Archive-Orig-"), value) for name, value in received)
    coding = next((v for n, v in headers if n.lower() == "content-encoding"), "identity")
    return Page(
        url=hops[0],
        final_url=_said(said, "WARC-Target-URI"),
        status=status,
        headers=headers,
        payload=payload,
        content=_unzipped(payload) if coding.strip().lower() in {"gzip", "x-gzip"} else payload,
        fetched=datetime.fromisoformat(_said(said, "WARC-Date")),
        hops=hops,
    )


def _said(headers: Mapping[str, str], name: str) -> str:
    if name not in headers:
        raise ValueError(f"its record has no {name}")
    return headers[name]


def _unzipped(data: bytes) -> bytes:
    unzip = isal_zlib.decompressobj(wbits=31)
    content: bytes = unzip.decompress(data, MAX_CONTENT_BYTES + 1)
    if unzip.eof and not unzip.unused_data:  # as good as always, and twice as fast
        return content
    with igzip.IGzipFile(fileobj=io.BytesIO(data)) as file:  # type: ignore[no-untyped-call]
        content = file.read(MAX_CONTENT_BYTES + 1)
    if len(content) > MAX_CONTENT_BYTES:
        raise ValueError(f"decodes to more than {MAX_CONTENT_BYTES} bytes")
    return content
