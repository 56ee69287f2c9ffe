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
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from storage.errors import FormatError, StorageError
from storage.model import Story

NAME = re.compile(r"^(\d{3,})_([0-9a-f]{16})\.txt$")
MAX_TITLE = 300  # characters; the format's rule T1
_BULLET = re.compile(r"(?:[•‣◦▪*-]\s+)+")
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)\s]*\)$")
_TAG = re.compile(
    r"</?(?:a|abbr|b|blockquote|br|div|em|figure|h[1-6]|hr|i|img|li|ol|p|pre|small|span|strong"
    r"|sub|sup|table|tbody|td|th|tr|u|ul)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-f]+|[a-z]\w*);", re.IGNORECASE)
# Cf: soft hyphen, zero-width and bidirectional marks; the rest is unprintable or not a character.
_GONE = {"Cc", "Cf", "Cs", "Co", "Cn"}


class _Plain(dict[int, str]):
    """A table for str.translate that fills itself, so that each character is looked up once."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isspace():
            self[code] = " "
        else:
            gone = unicodedata.category(character) in _GONE or character == "\ufffd"
            self[code] = "" if gone else character
        return self[code]


_PLAIN = _Plain()


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
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    return unicodedata.normalize("NFC", " ".join(text.split()))


def compose(
    title: str,
    blocks: Iterable[str],
    *,
    url: str = "",
    published: date | None = None,
    date_source: str = "",
    date_text: str = "",
    language: str = "",
) -> Story:
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
    return Story(
        title=title,
        text=text,
        url=url,
        published=published,
        date_source=date_source,
        date_text=date_text,
        language=language,
    )


def _laid_out(line: str) -> str:
    bullet = _BULLET.match(line)
    if not bullet:
        return line
    rest = line[bullet.end() :]
    return f"  • {rest}" if rest else ""


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


def validate(name: str, data: bytes, strict: bool = True) -> list[Breach]:
    """Return every breach of the format, in the order of its lines; changes nothing.

    strict asks for the writer's form, otherwise for what a reader accepts (all seeds pass).
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return [Breach(name, 0, "utf-8", f"byte {error.start}: {error.reason}")]
    found = [Breach(name, 0, rule, detail) for rule, detail in _whole(name, text, data)]
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        found += [Breach(name, number, rule, detail) for rule, detail in _of_line(line, strict)]
    if strict:
        found += [Breach(name, n, rule, detail) for n, rule, detail in _spacing(lines)]
    return found


def _whole(name: str, text: str, data: bytes) -> Iterable[tuple[str, str]]:
    if name != "story" and not NAME.match(name):
        yield "name", "wanted NNN_<16 lower-case hex digits>.txt"
    if not data:
        yield "empty", "a title and a text are wanted"
        return
    if text.startswith("\ufeff"):
        yield "bom", "no byte order mark"
    if text.endswith("\n"):
        yield "last-newline", "no line end at the end of the file"
    title, _, body = text.partition("\n")
    if not title.strip():
        yield "title", "the first line is the title and may not be blank"
    elif title != title.lstrip():
        yield "title", "no white space before the title"
    if not body.strip():
        yield "body", "no text after the title"


def _of_line(line: str, strict: bool) -> Iterable[tuple[str, str]]:
    bad = next((c for c in line if unicodedata.category(c) in {"Cc", "Cs"}), "")
    if bad:
        yield "control", f"U+{ord(bad):04X}"
    if unicodedata.normalize("NFC", line) != line:
        yield "nfc", "not in Unicode normal form C"
    if not strict:
        return
    if line != line.rstrip():
        yield "trailing-space", "white space at the end of the line"
    plain = line.removeprefix("  • ")
    if plain != one_line(plain) and not bad:
        yield "characters", "spaces, invisible characters, entities or tags the writer never makes"
    if _IMAGE.match(line):
        yield "image", "the writer keeps no images"


def _spacing(lines: list[str]) -> Iterable[tuple[int, str, str]]:
    if len(lines) > 1 and lines[1]:
        yield 2, "blank-line", "one blank line after the title"
    for number in range(2, len(lines)):
        line, before = lines[number], lines[number - 1]
        listed = line.startswith("  • ") and before.startswith("  • ")
        if not line and not before:
            yield number + 1, "blank-lines", "never two blank lines in a row"
        elif line and before and not listed:
            yield number + 1, "blank-line", "one blank line between paragraphs"
    if len(lines[0]) > MAX_TITLE:
        yield 1, "title", f"at most {MAX_TITLE} characters"


class Corpus(Protocol):
    """Where stories are kept; whatever it is, a story appears whole or not at all."""

    def names(self) -> list[str]:
        """Return the names of all story files, by rising number."""

    def strangers(self) -> list[str]:
        """Return the names of whatever else lies there."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises StorageError when it cannot be read."""

    def keep(self, name: str, data: bytes) -> None:
        """Put a file there, durably; the same bytes again change nothing.

        Raises StorageError when another text has that name: nothing is ever overwritten.
        """


class FileCorpus:
    """A flat folder of story files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"the corpus folder {folder} cannot be made ({error.strerror}): set NEWS_CORPUS "
                "to a folder that may be written"
            ) from error

    def names(self) -> list[str]:
        """Return the names of all story files, by rising number."""
        named = [(int(m[1]), m[0]) for n in os.listdir(self.folder) if (m := NAME.match(n))]
        return [name for _, name in sorted(named)]

    def strangers(self) -> list[str]:
        """Return the names of whatever else lies in the folder."""
        return sorted(name for name in os.listdir(self.folder) if not NAME.match(name))

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises StorageError when it cannot be read."""
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise StorageError(f"{self.folder / name} cannot be read: {error.strerror}") from error

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


CORPORA: dict[str, type[FileCorpus]] = {"": FileCorpus, "file": FileCorpus}


def open_corpus(where: str) -> Corpus:
    """Open a corpus by its place: a folder, or a URL whose scheme stands in CORPORA."""
    scheme, mark, path = where.partition("://")
    if not mark:
        scheme, path = "", where
    if scheme not in CORPORA:
        raise StorageError(f"NEWS_CORPUS={where}: unknown scheme; use a folder")
    return CORPORA[scheme](Path(path))
