"""Responses in WARC files of others (ISO 28500:2017), read from any offset, damage and all.

Written here because a reader must survive what it reads: FastWARC 2.0 and warcio 1.8 end at the
first member that is cut or corrupt, and take a record's own word for its length (tried). With
ISA-L for the gzip it is no slower than FastWARC: see benchmarks/scan.py. A file is plain, or
compressed record by record, as all crawlers do.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import brotli
from isal import isal_zlib

from storage.errors import StorageError

CHUNK = 64 * 1024  # bytes read at a time: most members are one or two
WINDOW = 1024 * 1024  # bytes searched at a time for the next record
MAX_HEAD = 64 * 1024  # bytes of a record's and a response's headers: ingest.web.wire's limit, twice
_GZIP, _PLAIN = b"\x1f\x8b\x08", b"WARC/1."
_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")  # of a chunk: RFC 9112, 7.1
DAMAGE: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub errs
_TEXT = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\0]*<")  # so begins HTML, in no coding
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?: |\r|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer of a site as a crawler kept it."""

    url: str  # as the crawler asked
    fetched: datetime  # aware, UTC
    status: int
    headers: tuple[tuple[str, str], ...]  # as received, in order
    payload: bytes  # as kept, codings still on where the crawler left them

    def header(self, name: str) -> str:
        """Return the first header of that name in lower case, empty when there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


class Piece:
    """The records that begin within a stretch of a file.

    After `responses` has been read out, `began` is where the first of them lies, `ended` where
    the last one ends, and `counts` what became of all: `records` is the sum of the others.
    """

    def __init__(self, path: Path, start: int, end: int, *, exact: bool, most: int) -> None:
        """Take a stretch in bytes; when `exact` a record begins at its start, else the next counts.

        A response of more than `most` bytes is left out.
        """
        self._path, self._start, self._end, self._exact = path, start, end, exact
        self._most = most + 2 * MAX_HEAD
        self.began, self.ended, self.counts = start, end, Counter[str]()

    def responses(self) -> Iterator[Response]:
        """Yield the responses; raises StorageError when the file cannot be read."""
        try:
            with self._path.open("rb", buffering=0) as file:
                self._zipped = file.read(3) == _GZIP
                at = self._start if self._exact else self._next(file, self._start)
                self.began = at
                while at < self._end:
                    block, after = self._block(file, at)
                    if after <= at:
                        self.counts["corrupt"] += 1
                        after = self._next(file, at + 1)
                    elif block is None:
                        self.counts["too_large"] += 1
                    else:
                        yield from self._read(block)
                    at = after
                self.ended = max(at, self._end)
        except OSError as error:
            raise StorageError(f"{self._path} cannot be read: {error.strerror}") from error
        self.counts["records"] = self.counts.total()

    def _next(self, file: BinaryIO, at: int) -> int:
        """Return where the next record begins, or the end of the stretch.

        What looks like one may lie within another's payload: whoever joins pieces must see that
        each begins where the one before it ended.
        """
        sign = _GZIP if self._zipped else b"\r\n" + _PLAIN
        while at < self._end:
            file.seek(at)
            window = file.read(min(WINDOW, self._end - at) + len(sign) - 1)
            found = window.find(sign)
            while found >= 0:
                if not self._zipped:
                    return at + found + 2
                file.seek(at + found)
                with suppress(DAMAGE):
                    begins = isal_zlib.decompressobj(31).decompress(file.read(1024), len(_PLAIN))
                    if begins == _PLAIN:
                        return at + found
                found = window.find(sign, found + 1)
            at += WINDOW
        return self._end

    def _block(self, file: BinaryIO, at: int) -> tuple[bytes | None, int]:
        """Return a record's bytes, None for too many, and where the next begins; 0 for damage."""
        file.seek(at)
        return self._inflated(file, at) if self._zipped else self._plain(file, at)

    def _inflated(self, file: BinaryIO, at: int) -> tuple[bytes | None, int]:
        inflate, parts, room = isal_zlib.decompressobj(31), list[bytes](), self._most
        try:
            while not inflate.eof:
                chunk = inflate.unconsumed_tail
                if not chunk:
                    chunk = file.read(CHUNK)
                    at += len(chunk)
                part = inflate.decompress(chunk, max(room, WINDOW))
                if not chunk and not part:
                    return None, 0  # the file ends within a member
                room -= len(part)
                if room >= 0:
                    parts.append(part)
        except DAMAGE:
            return None, 0
        return b"".join(parts) if room >= 0 else None, at - len(inflate.unused_data)

    def _plain(self, file: BinaryIO, at: int) -> tuple[bytes | None, int]:
        begin = file.read(MAX_HEAD)
        head, blank, _ = begin.partition(b"\r\n\r\n")
        length = _fields(head).get(b"content-length", b"")
        if not begin.startswith(_PLAIN) or not blank or not length.isdigit():
            return None, 0
        size = len(head) + 4 + int(length)
        file.seek(at + size)
        if file.read(4) != b"\r\n\r\n":
            return None, 0
        if size > self._most:
            return None, at + size + 4
        file.seek(at)
        return file.read(size), at + size + 4

    def _read(self, block: bytes) -> Iterator[Response]:
        """Yield the responses in a member's bytes, nearly always one."""
        at = 0
        while at < len(block) or not block:
            body = block.find(b"\r\n\r\n", at, at + MAX_HEAD) + 4
            head = block[at:body]
            fields = _fields(head)
            length = fields.get(b"content-length", b"")
            if body < 4 or not head.startswith(_PLAIN) or not length.isdigit():
                self.counts["corrupt"] += 1
                return
            at = body + int(length)
            if at > len(block) or block[at : at + 4].strip(b"\r\n"):
                self.counts["wrong_length"] += 1
                return
            found = _response(fields, block, body, at)
            if isinstance(found, str):
                self.counts[found] += 1
            else:
                yield found
            at += 4


def _fields(head: bytes) -> dict[bytes, bytes]:
    """Return the headers by their names in lower case; of several of a name the first counts."""
    pairs = (line.partition(b":")[::2] for line in reversed(head.splitlines()))
    return {name.strip().lower(): value.strip() for name, value in pairs}


def _response(fields: dict[bytes, bytes], block: bytes, begin: int, end: int) -> Response | str:
    """Return a record's response, or a word for what it is instead."""
    kind = fields.get(b"warc-type", b"").lower()
    if kind != b"response":
        return "revisits" if kind == b"revisit" else "not_responses"
    if fields.get(b"warc-truncated"):
        return "truncated"
    body = block.find(b"\r\n\r\n", begin, min(end, begin + MAX_HEAD))
    first, *lines = block[begin : max(body, begin)].decode("latin-1").split("\r\n")
    status = _STATUS.match(first.encode("latin-1"))
    try:
        url = fields.get(b"warc-target-uri", b"").decode().strip("<>")
        fetched = datetime.fromisoformat(fields.get(b"warc-date", b"").decode())
    except ValueError:
        return "corrupt"
    if body < 0 or not status or not url or not fetched.tzinfo:
        return "corrupt"
    if status[1] != b"200":
        return "not_200"
    pairs = (line.partition(":")[::2] for line in lines)
    return Response(
        url=url,
        fetched=fetched.astimezone(UTC),
        status=200,
        headers=tuple((name.strip(), value.strip()) for name, value in pairs if name),
        payload=block[body + 4 : end],
    )


def content(response: Response, most: int) -> bytes | None:
    """Return a response's content, its codings undone; None when it cannot be had or is too large.

    Crawlers often keep the content decoded under the headers that came with it (Common Crawl
    does), so a coding that is not there is taken as undone.
    """
    data = response.payload
    said = ",".join(map(response.header, ("content-encoding", "transfer-encoding")))
    for coding in reversed(said.lower().replace(" ", "").split(",")):
        try:
            data = _undone(data, coding, most)
        except (zlib.error, brotli.error):
            if _TEXT.match(data) is None:
                return None
    return data if len(data) <= most else None


def _joined(data: bytes) -> bytes:
    """Join the chunks of RFC 9112 section 7.1; raises zlib.error when the last one is not there."""
    parts, at = list[bytes](), 0
    while size := _SIZE.match(data, at):
        begin, length = size.end(), int(size[1], 16)
        if not length:
            return b"".join(parts)
        parts.append(data[begin : begin + length])
        at = begin + length + 2
    raise zlib.error("ends within the chunks")


def _undone(data: bytes, coding: str, most: int) -> bytes:
    """Undo one coding, up to a byte more than allowed; raises zlib.error, brotli.error."""
    if coding in ("", "identity"):
        return data
    if coding == "chunked":
        return _joined(data)
    if coding == "br":
        unbrotli = brotli.Decompressor()
        plain = bytes(unbrotli.process(data, output_buffer_limit=most + 1))
        whole = unbrotli.is_finished()
    elif coding in ("gzip", "x-gzip", "deflate"):
        # many servers send "deflate" without the zlib wrapper, whose first byte ends in 8
        wbits = 31 if "gzip" in coding else 15 if data[:1] and data[0] & 15 == 8 else -15
        inflate = zlib.decompressobj(wbits)
        plain = inflate.decompress(data, most + 1)
        whole = inflate.eof
    else:
        raise zlib.error(f"no decoder of {coding}")
    if not whole and len(plain) <= most:
        raise zlib.error("ends in mid-stream")
    return plain
