"""Page bytes -> may a topic's story be in them? Looked at before any page is taken apart. Pure.

Hyperscan finds all phrases at once, whatever their case, at the speed at which a page can be
unpacked (measured on 244 pages of 216 kB: 0.07 ms a page; google-re2 0.3, `re` 4.3).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from hashlib import sha512
from html import unescape
from threading import Lock

import hyperscan

from ingest.plain import decoded

# Between two words of a phrase: tags, entities, JSON escapes, any sign that begins none of these.
GAP = r"(?:<[^<>]*>|&[#a-z0-9]+;?|\\[nrt]|\\u[0-9a-f]{4}|[^a-z0-9<])+"
# Within a word a reader does not see: controls (UTF-16 has NULs), soft hyphens, zero-width and
# bidirectional characters, written in whatever way, places for a break, comments. A pattern for
# each: together they are two times slower.
_UNSEEN = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]",
    r"\xc2?\xad",
    r"\xd8\x9c",
    r"\xe2\x80[\x8b-\x8f\xaa-\xae]",
    r"\xe2\x81[\xa0-\xaf]",
    r"\xef\xbb\xbf",
    r"<wbr[^<>]*>",
    r"<!--[^<>]*-->",
    r"\\u(?:00ad|061c|200[b-f]|202[a-e]|206[0-9a-f]|feff)",
)
_UNSEEN_REFERENCE = (  # at the end of a word, too: to look for another letter takes long to compile
    r"[a-z]&(?:amp;)*(?:shy|zwn?j|lrm|rlm|zerowidthspace|nobreak"
    r"|#x0*(?:ad|61c|200[b-f]|202[a-e]|206[0-9a-f]|feff)"
    r"|#0*(?:173|1564|820[3-7]|823[4-8]|828[89]|829[0-9]|830[0-3]|65279))"
)
_LETTER = (  # of ASCII, as a reference or a JSON escape
    r"(?:&(?:amp;)*#(?:x0*(?:4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])"
    r"|0*(?:6[5-9]|[78][0-9]|90|9[7-9]|1[01][0-9]|12[0-2]))[^0-9a-f]"
    r"|\\u00(?:4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a]))"
)
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_DROPPED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
_BREAK = re.compile(r"<(?:wbr|WBR)[^<>]*>|<!--[^<>]*-->")
_UNSEEN_TAG = re.compile(_BREAK.pattern.encode())
_META = re.compile(rb"<(?:meta|META)\b[^<>]*?\b(?:content|CONTENT)\s*=\s*(['\"])([^<>]*?)\1")
_BEHIND = re.compile(r"\(\?<!\\b[^()]*\)")  # the "!primary" of ingest.topics
_PHRASE, _DISGUISE = 0, 1
_Told = Callable[[int, int, int, int, object], bool | None]  # which, start, end
NEAR = 5_000  # bytes about a disguised word in which the rest of its phrase is looked for
MANY = 50  # disguises; with more the whole page is looked at


class Sieve:
    """A list of phrases to look for in bytes; compiled when first asked for. Threads may use it."""

    def __init__(self, phrases: Sequence[str]) -> None:
        """Take regular expressions for lower-case ASCII."""
        self._sources, self._lock = phrases, Lock()

    @cached_property
    def _phrases(self) -> hyperscan.Database:
        within = (f"[a-z](?:{one})+[a-z]" for one in _UNSEEN)
        disguises = [*within, _UNSEEN_REFERENCE, _LETTER]
        sources = ["|".join(self._sources), *disguises]
        flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_DOTALL
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        database.compile(
            expressions=[source.encode() for source in sources],
            ids=[_PHRASE, *[_DISGUISE] * len(disguises)],
            flags=[flags] * len(sources),
        )
        return database

    def passes(self, page: bytes) -> bool:
        """Tell whether any phrase may stand in the text of a page.

        Between words may be markup; a word may hold what is not seen and have letters written
        as references, in any charset that the Web has. A tag within a word breaks it.
        """
        ends = self._found(page)
        if ends:
            near = [page[max(0, end - NEAR) : end + NEAR] for end in ends]
            some = b"\n".join(near) if sum(map(len, near)) < len(page) else page
            ends = self._found(_shown(some).encode(errors="replace"))
        return ends != []  # in doubt it passes

    def _found(self, page: bytes) -> list[int] | None:
        """Return None where a phrase stands in bytes, else the ends of what may hide one."""
        ends, phrase = list[int](), False

        def told(which: int, start: int, end: int, *_: object) -> bool:
            nonlocal phrase
            phrase = which == _PHRASE
            ends.append(end)
            return phrase or len(ends) == MANY

        with self._lock, suppress(hyperscan.ScanTerminated):  # the database has one scratch
            _scan(self._phrases, page, told)
        if len(ends) == MANY:
            ends = [len(page) // 2] * (len(page) // NEAR + 1)  # all of it
        return None if phrase else ends


class Finder:
    """Regular expressions of ours, as `re` takes them, to look for all at once in a long text.

    It may find more than they do: it looks neither back nor ahead, and takes any sign that is not
    ASCII for a letter.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        """Compile them, a third of a second for a topic's."""
        self._lock, self._database = Lock(), hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            expressions=[_plainer(source).encode() for source in sources],
            ids=list(range(len(sources))),
            flags=[hyperscan.HS_FLAG_UTF8] * len(sources),
        )

    def ends(self, text: str) -> dict[int, list[int]]:
        """Return where each of those that stand in a text ends there, in bytes of UTF-8."""
        found = defaultdict[int, list[int]](list)
        with self._lock:  # the database has one scratch
            _scan(
                self._database,
                text.encode(errors="replace"),
                lambda which, start, end, *_: found[which].append(end),
            )
        return found


def _scan(database: hyperscan.Database, text: bytes, told: _Told) -> None:
    """Scan with clean registers.

    ISA-L's checksums leave the upper parts of the vector registers in use, and Hyperscan's SSE
    code then takes twice as long (measured on an AMD EPYC); OpenSSL's SHA-512 begins by clearing
    them, in half a microsecond.
    """
    sha512(b"").digest()
    database.scan(text, match_event_handler=told)


def _plainer(source: str) -> str:
    bare = _BEHIND.sub("", source).replace(r"(?<!\w)", r"\b").replace(r"(?!\w)", r"\b")
    return bare.replace("++", "+").replace(r"\w", r"[\w\x{80}-\x{10ffff}]")


def _shown(page: bytes) -> str:
    """Return a page with its references and escapes resolved, without what is not seen."""
    return _resolved(decoded(page, ""))


def _resolved(page: str) -> str:
    text = _ESCAPED.sub(lambda m: chr(int(m[1], 16)), page) if "\\u" in page else page
    return _BREAK.sub("", _DROPPED.sub("", unescape(unescape(text))))


def told(page: str) -> str:
    """Return, in lower case, all that a page may tell: text, descriptions, JSON-LD; tags as blanks.

    Only scripts and styles go; who says nothing in the rest has no story that does. In bytes, for
    one sign beyond Latin-1 makes each of a string's characters two or four of them.
    """
    left = page.encode(errors="replace")
    for tag in (b"script", b"style"):
        first, *others = left.split(b"<" + tag)
        left = first + b" ".join(
            one if b"ld+json" in one.partition(b">")[0] else one.partition(b"</" + tag)[2] or one
            for one in others
        )
    first, *others = _META.sub(rb" \2 <", _UNSEEN_TAG.sub(b"", left)).split(b"<")
    texts = (one.partition(b">")[2] if b">" in one else b"<" + one for one in others)
    return _resolved(b" ".join((first, *texts)).decode(errors="replace")).lower()
