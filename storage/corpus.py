"""Story <-> plain text, and the folder that holds the texts and nothing else.

The form is the existing corpus's ("seed format v1"): the title on the first line, one blank
line between paragraphs, list lines that begin with two spaces and a bullet, UTF-8 in NFC, no
line end at the end. Readers accept a little more than the writer makes.
"""

import errno
import hashlib
import html
import os
import re
import time
import unicodedata
from bisect import bisect
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from storage.errors import FormatError, Lost, StorageError, made
from storage.model import Story

if TYPE_CHECKING:
    from storage.objects import ObjectCorpus

Corpus: TypeAlias = "FileCorpus | ObjectCorpus"

NAME = re.compile(r"^(\d{3,})_([0-9a-f]{16})\.txt$")
MAX_TITLE = 300  # characters; the format's rule T1
_BULLET = re.compile(r"(?:[•‣◦▪*-]\s+)+")
_IMAGE = re.compile(r"^!\[[^\]\n]*\]\([^)\s]*\)$", re.MULTILINE)
_TAG = re.compile(
    r"</?(?:a|abbr|b|blockquote|br|div|em|figure|h[1-6]|hr|i|img|li|ol|p|pre|small|span|strong"
    r"|sub|sup|table|tbody|td|th|tr|u|ul)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
# Rule, what it asks for, its breach (of the file as a whole where it begins or ends with that).
_READERS = (
    ("bom", "no byte order mark", r"\A\ufeff"),
    ("last-newline", "no line end at the end of the file", r"\n\Z"),
    ("title", "the first line is the title, and begins with it", r"\A\s"),
    ("body", "a text after the title", r"\A[^\n]++\s*+\Z"),
    ("empty", "a title and a text", r"\A\Z"),
    ("control", "no control characters", r"[\x00-\x09\x0b-\x1f\x7f-\x9f].*"),
)
_WRITERS = (
    ("title", f"at most {MAX_TITLE} characters", rf"\A.{{{MAX_TITLE + 1}}}"),
    ("trailing-space", "no white space at the end of a line", r"(?<![^\S\n])[^\S\n]++$"),
    ("image", "no images", _IMAGE.pattern),
    ("blank-lines", "never two blank lines in a row", r"(?<=\n\n)(?=\n)"),
    ("blank-line", "one between paragraphs", r"^(?!  • ).+\n(?=.)|^.+\n(?=.)(?!  • )"),
)


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken rule of the format: where, which and how."""

    name: str  # the file
    line: int  # from 1; 0 for the file as a whole
    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.name}:{self.line}: {self.rule}: {self.detail}"


def one_line(text: str) -> str:
    """Return text as one line of the corpus: entities and tags resolved, NFC, plain spaces.

    Idempotent. Quotation marks, dashes and accents stay as published.
    """
    while (resolved := _TAG.sub(" ", html.unescape(text))) != text:
        text = resolved
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if not text.isprintable() or "\ufffd" in text:  # soft hyphens, zero-width, unassigned ...
        text = " ".join("".join(c for c in text if c.isprintable() and c != "\ufffd").split())
    return unicodedata.normalize("NFC", text)


def compose(title: str, blocks: Iterable[str]) -> Story:
    """Lay a title and blocks (paragraphs, headings, list lines) out as the writer's form asks.

    A block that begins with a bullet or a dash becomes a list line. Leading blocks that repeat
    the title go; so do blank ones and image lines. Idempotent: a story's own lines give the
    story.

    Raises FormatError when no title or no text is left.
    """
    title = one_line(title)
    if len(title) > MAX_TITLE:
        title = title[: MAX_TITLE - 1].rpartition(" ")[0].rstrip(" ,;:") + "…"
    lines = [_laid_out(one_line(line)) for block in blocks for line in block.split("\n")]
    lines = [line for line in lines if line and not _IMAGE.match(line)]
    while lines and lines[0].casefold() == title.casefold():
        del lines[0]
    if not title or not lines:
        raise FormatError(f"a story needs a title and a text; title={title!r} lines={len(lines)}")
    text = lines[0]
    for before, line in pairwise(lines):
        listed = line.startswith("  • ") and before.startswith("  • ")
        text += ("\n" if listed else "\n\n") + line
    return Story(title=title, text=text)


def _laid_out(line: str) -> str:
    bullet = _BULLET.match(line)
    rest = line[bullet.end() :] if bullet else line
    return f"  • {rest}" if bullet and rest else rest


def render(story: Story) -> bytes:
    """Return the story as the bytes of its corpus file.

    Raises FormatError for a story that `compose` did not lay out.
    """
    data = f"{story.title}\n\n{story.text}".encode()
    if breaches := validate("story", data):
        raise FormatError("; ".join(map(str, breaches[:3])))
    return data


def parse(data: bytes, name: str = "story") -> Story:
    """Return the story of a corpus file, of the writer's form or of any the seeds have.

    Every line is its own paragraph, blank lines or not. Raises FormatError.
    """
    if breaches := validate(name, data, strict=False):
        raise FormatError("; ".join(map(str, breaches[:3])))
    title, *lines = data.decode().split("\n")
    return compose(title, lines)


def name_of(number: int, data: bytes) -> str:
    """Return the file name: the number and the first 16 hex digits of the bytes' SHA-256."""
    return f"{number:03d}_{hashlib.sha256(data).hexdigest()[:16]}.txt"


def number_of(name: str) -> int | None:
    """Return the number in a corpus file's name, or None when it is no such name."""
    match = NAME.match(name)
    return int(match[1]) if match else None


def in_order(names: Iterable[str]) -> list[str]:
    """Return those of the names that are a corpus file's, by rising number."""
    named = [(int(m[1]), m[0]) for name in names if (m := NAME.match(name))]
    return [name for _, name in sorted(named)]


def validate(name: str, data: bytes, strict: bool = True) -> list[Breach]:
    """Return every breach of the format, in the order of its lines; changes nothing.

    strict asks for the writer's form, otherwise for what a reader accepts (all seeds pass).
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return [Breach(name, 0, "utf-8", f"byte {error.start}: {error.reason}")]
    found, ends = [], [m.end() for m in re.finditer("\n", text)]
    for rule, wanted, breach in (*_READERS, *(_WRITERS if strict else ())):
        whole = breach.startswith(r"\A") or breach.endswith(r"\Z")
        for m in re.finditer(breach, text, re.MULTILINE):
            found.append(Breach(name, 0 if whole else bisect(ends, m.end()) + 1, rule, wanted))
    if name != "story" and not NAME.match(name):
        found.append(Breach(name, 0, "name", "NNN_<16 lower-case hex digits>.txt"))
    for number, line in enumerate(text.split("\n"), start=1):
        if not unicodedata.is_normalized("NFC", line):
            found.append(Breach(name, number, "nfc", "Unicode normal form C"))
        plain = line.removeprefix("  • ").rstrip()
        if strict and plain != one_line(plain):
            wanted = "no wide spaces, invisible characters, entities or tags"
            found.append(Breach(name, number, "characters", wanted))
    return sorted(found, key=lambda breach: breach.line)


class FileCorpus:
    """A flat folder of story files."""

    local: ClassVar = True  # to read a file takes no time worth saving

    def __init__(self, folder: Path) -> None:
        self.folder = made(folder, "NEWS_CORPUS")

    def names(self) -> list[str]:
        """Return the names of all story files, by rising number."""
        return in_order(os.listdir(self.folder))

    def mark(self, number: int) -> str:
        """Return what stays the same while no file comes or goes; "" while it is too soon to say.

        `number` is the one that no file should have yet. The mark is the folder's own time. Within
        its grain a second change would not show: 2 seconds on FAT, the coarsest there is.
        """
        changed = self.folder.stat().st_mtime_ns
        return str(changed) if time.time_ns() - changed > 3_000_000_000 else ""

    def strangers(self) -> list[str]:
        """Return the names of whatever else lies in the folder."""
        return sorted(name for name in os.listdir(self.folder) if not NAME.match(name))

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises Lost when it cannot be read."""
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise Lost(f"{self.folder / name} cannot be read: {error.strerror}") from error

    def keep(self, name: str, data: bytes) -> None:
        """Put a file there, durably; the same bytes again change nothing.

        The bytes go into a file without a name (O_TMPFILE), which a crash leaves no trace of,
        are flushed, and get their name by link(2), which refuses to overwrite. Where a file
        system has no such files, a hidden name takes their place until the link is made.
        """
        target = self.folder / name
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            descriptor, hidden = self._unnamed()
            try:
                with open(descriptor, "wb", closefd=False) as file:
                    file.write(data)
                os.fchmod(descriptor, 0o644)
                os.fsync(descriptor)
                # src_dir_fd makes it linkat(2), which alone follows the link in /proc
                os.link(hidden or f"/proc/self/fd/{descriptor}", target, src_dir_fd=folder)
                os.fsync(folder)
            finally:
                os.close(descriptor)
                if hidden:
                    hidden.unlink()
        except FileExistsError:
            if self.read(name) != data:
                raise StorageError(
                    f"{target} holds another text: move it away, run again"
                ) from None
        except OSError as error:
            raise StorageError(f"{target} cannot be written: {error.strerror}") from error
        finally:
            os.close(folder)

    def remove(self, name: str) -> None:
        """Take a file away that a person decided against; none there changes nothing."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{self.folder / name} stays: {error.strerror}") from error

    def _unnamed(self) -> tuple[int, Path | None]:
        try:
            return os.open(self.folder, os.O_TMPFILE | os.O_WRONLY, 0o644), None
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}:
                raise
        hidden = self.folder.absolute() / f".newsdesk-{os.getpid()}.tmp"
        with suppress(FileNotFoundError):
            hidden.unlink()
        return os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644), hidden


def open_corpus(where: str) -> Corpus:
    """Open a corpus by its place: a folder, or the URL of a place in an object store."""
    scheme, _, path = where.rpartition("://")
    if scheme in ("", "file"):
        return FileCorpus(Path(path))
    from storage.objects import ObjectCorpus, Objects  # who has a folder does not wait for fsspec

    return ObjectCorpus(Objects(where, "NEWS_CORPUS"))
