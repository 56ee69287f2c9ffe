"""Lines of a page -> lines of its story: page furniture goes, each line with the rule that took it.

Three kinds of evidence: what a line says (a widget's label, a call to the reader), what it is on
its page (wholly a link, the title again), where else it stands (the site's other pages). A rule
looks at a whole line and asks for more than one word; a call to the reader must not quote or
report; what a story may also say is furniture only above or below it. Agency credits and
copyright lines belong to the story (format rule 8) and stay. The phrases stand in furniture.toml;
what recurs on a site is learnt from the pages that were had of it: decision 17 has the reasons.
"""

import html
import re
import struct
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

MAX_WORDS = 90  # a longer line is never furniture for what it says
MAX_RECURRING = 40  # words; longer ones that recur are the background of follow-ups
MAX_MARKS = 400  # of a page: measured, news pages have 60 to 300 short lines
MAX_PIECE = 1000  # characters between two tags, with what markup a line has in it
MAX_LEARNT = 500_000  # characters of a page that are learnt from: one in twelve has more

DATA: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_WIDGET, _MARKS, _DATES = (
    frozenset(DATA["words"][one].split()) for one in ("widget", "mark", "date")
)
_Rules = Sequence[tuple[str, int, re.Pattern[str]]]


def _rules(kind: str) -> _Rules:
    def pattern(lines: str) -> str:
        joined = "|".join(filter(None, map(str.strip, lines.split("\n"))))
        return re.sub(r"<(\w+)>", lambda name: f"({pattern(DATA['pieces'][name[1]])})", joined)

    return [(n, rule["most"], re.compile(pattern(rule["lines"]))) for n, rule in DATA[kind].items()]


_ANYWHERE, _CALLS, _AROUND = map(_rules, ("anywhere", "calls", "around"))
_REPORTS = re.compile(r"[\"“”]|^'|\b(said|says|told|added|according to)\b")
_CREDIT = re.compile(
    r"\W*((additional |with )?report(ing|s) (by|from)|copyright\b|©|\(c\)|source:|picture \(c\)"
    r"|(the )?(press association|pa|pa media|reuters|associated press|ap|afp|bloomberg)\W*$"
    r"|((this|the) (\w+ )?)?((was|is) )?(originally|first) (published|appeared)\b)"
)
_BYLINE = re.compile(
    r"(?i:((words|written|story|reported|posted) )?by:?)"
    r"( ([A-Z][\w.'’-]*,?|and|for|of|in|the|&|\|)){1,10}"
)
_GLUED = re.compile(r"(?<=\S)\s*(click to tweet|tweet this)\s*$", re.IGNORECASE)
_ENDS = re.compile(r"[.!?…]['\"”’)\]]*$")
_ADDRESS = re.compile(r"(https?://)?[\w.-]+\.\w{2,}(/\S*)?|\S+@\S+")
_FIGURES = re.compile(r"\d[/.]\d\d?[/.]\d|\d:\d\d|\d{4}-\d\d-\d\d")
_STRAIGHT = str.maketrans("‘’“”", "''\"\"")
_WORD = re.compile(r"[^\W_]+")
_IN_LINE = "(?:a|abbr|b|em|font|i|small|span|strong|u)"
_INLINE = re.compile(rf"</?{_IN_LINE}(?:\s[^<>]*)?>")
_BREAK = re.compile(rf"<(?!/?{_IN_LINE}[\s>])[^<>]*>")  # any other tag


@dataclass(frozen=True, slots=True)
class Removed:
    """One line that was taken out, and the rule that took it."""

    rule: str
    line: str


def key(line: str) -> str:
    """Return what two spellings of one line share: its words in lower case, parted by spaces."""
    return " ".join(_WORD.findall(line.lower().replace("’", "").replace("'", "")))


def marks(page: str) -> bytes:
    """Return what to remember of a page's text: a mark of its title, then of its short lines.

    Splits at tags: measured, 1 ms a page, less than it would take only to build a tree; and
    0.12 s for the worst of MAX_LEARNT characters, which whoever calls must not go beyond.
    """
    title = page.partition("<title")[2].partition(">")[2].partition("<")[0]
    page = page[max(page.find("<body"), 0) :]
    for tag in ("script", "style"):
        first, *others = page.split(f"<{tag}")
        page = first + "".join(one.partition(f"</{tag}")[2] for one in others)
    pieces = {piece for piece in _BREAK.split(page) if len(piece) < MAX_PIECE}
    told = sorted({mark for mark in map(_piece, pieces) if mark is not None})[:MAX_MARKS]
    return struct.pack(f"<{len(told) + 1}I", crc32(title.strip().encode(errors="replace")), *told)


def recurring(pages: Iterable[bytes]) -> frozenset[int]:
    """Return the marks of the lines that recur on pages of one site, each as `marks` has it.

    Pages of one title count as one. A line recurs when three of them have it and half of all; one
    that reads like a sentence when five and three quarters, as follow-ups share their background.
    """
    stories: dict[int, frozenset[int]] = {}
    for page in pages:
        title, *found = struct.unpack(f"<{len(page) // 4}I", page)
        stories[title] = stories.get(title, frozenset()).union(found)
    counted = Counter(mark for found in stories.values() for mark in found)
    often = {0: max(3, len(stories) / 2), 1: max(5, len(stories) * 3 / 4)}  # by what _mark tells
    return frozenset(mark for mark, n in counted.items() if n >= often[mark & 1])


@lru_cache(maxsize=16_384)  # the lines of a site recur on its pages
def _piece(piece: str) -> int | None:
    """Return the mark of what stands between two tags, if it is a short line."""
    line = " ".join((_INLINE.sub("", piece) if "<" in piece else piece).split())
    return _mark(line) if len(line) < 300 else None


def _mark(line: str) -> int:
    """Return what stands for a line; it is odd when the line reads like a sentence."""
    line = " ".join(html.unescape(line).removeprefix("- ").split())
    return crc32(line.encode(errors="replace")) & ~1 | _reads(line)


def is_date(line: str) -> bool:
    """Tell whether a line holds nothing but a date or a time of day."""
    if len(line) > 100 or not any(map(str.isdigit, line)):
        return False
    found = key(line).split()
    named = any(len(w) > 2 and not w[0].isdigit() for w in found) or _FIGURES.search(line)
    return bool(named) and all(w in _DATES or w.strip("apmsthndr").isdigit() for w in found)


def clear(
    lines: Iterable[str],
    *,
    about: frozenset[str] = frozenset(),
    links: frozenset[str] = frozenset(),
    recurring: frozenset[int] = frozenset(),
) -> tuple[tuple[str, ...], tuple[Removed, ...]]:
    """Part the lines of a page's body into those of its story and the furniture.

    The sets hold keys (see key): `about` of the page's titles and of its site's and authors'
    names; `links` of texts that are wholly a link to elsewhere. `recurring` are the marks of the
    lines that recur on the site's pages (see recurring).
    """
    trimmed = [_GLUED.sub("", line) for line in lines]
    keys = [key(line) for line in trimmed]
    rules = [_anywhere(line, k, about, links) for line, k in zip(trimmed, keys, strict=True)]
    again = _again([line for line, rule in zip(trimmed, rules, strict=True) if not rule], recurring)
    reads = [n for n, x in enumerate(trimmed) if not rules[n] and x not in again and _reads(x)]
    first, last = (reads[0], reads[-1]) if reads else (0, len(trimmed))
    for n, rule in enumerate(rules):
        inside = first <= n <= last
        if not rule and trimmed[n] in again and (not inside or keys[n].count(" ") > 4):
            rules[n] = "recurs"
        elif not rule and not inside:
            rules[n] = _around(trimmed[n], keys[n], about, n < first)
    for n, rule in enumerate(rules):
        if rule == "list_heading":
            _strike_list(trimmed, keys, rules, n + 1, links)
        elif not rule and trimmed[n].endswith(":"):
            _spare_list(trimmed, rules, n + 1)
    parted = list(zip(trimmed, rules, strict=True))
    kept = tuple(line for line, rule in parted if not rule)
    return kept, tuple(Removed(rule, line) for line, rule in parted if rule)


def _anywhere(line: str, k: str, about: frozenset[str], links: frozenset[str]) -> str:
    """Name the rule by which a line is furniture wherever it stands; "" when none does."""
    if not k:
        return "" if "_" in line else "no_words"  # "___" divides a story, as agencies send it
    count = k.count(" ") + 1
    plain = _plain(line) if count <= MAX_WORDS else ""
    if not plain or _CREDIT.match(plain):
        return ""
    if count > 3 and k in about:
        return "about_page"
    found = set(k.split()) if count < 16 else set()
    if found & _MARKS and found <= _WIDGET | _MARKS:
        return "share_widget"
    calls = [] if _REPORTS.search(plain) else _CALLS
    if said := _says(plain, count, _ANYWHERE) or _says(plain, count, calls):
        return said
    if k in links and count > 2 and not _ENDS.search(line) and not _ADDRESS.fullmatch(plain):
        return "linked"
    cue, _, rest = plain.partition(":")
    linked = rest.count(" ") > 3 > cue.count(" ") and key(rest) in links
    return "pointer" if linked else ""


def _again(lines: Sequence[str], recurring: frozenset[int]) -> frozenset[str]:
    """Return those of a page's lines that are furniture because they recur.

    No quotation, report or credit is; and where a quarter of the words recurs nothing is, for
    such stories are written from a template.
    """
    if not recurring:
        return frozenset()
    found = [
        line
        for line in lines
        if _mark(line) in recurring
        and len(line.split()) <= MAX_RECURRING
        and not (_CREDIT.match(_plain(line)) or _REPORTS.search(_plain(line)) or not key(line))
    ]
    words = [sum(len(line.split()) for line in some) for some in (found, lines)]
    return frozenset(found) if 4 * words[0] < words[1] else frozenset()


def _around(line: str, k: str, about: frozenset[str], above: bool) -> str:
    """Name the rule by which a line is furniture above or below a story's sentences."""
    plain = _plain(line)
    if _CREDIT.match(plain):
        return ""
    if k in about:
        return "about_page"
    if is_date(line):
        return "date_line"
    if above and line.isupper() and k.count(" ") < 5:
        return "kicker"
    if _BYLINE.fullmatch(line):
        return "byline"
    return _says(plain, k.count(" ") + 1, _AROUND)


def _says(plain: str, count: int, rules: _Rules) -> str:
    return next((name for name, most, said in rules if count <= most and said.fullmatch(plain)), "")


def _strike_list(
    lines: Sequence[str], keys: Sequence[str], rules: list[str], start: int, links: frozenset[str]
) -> None:
    """Strike what stands under the heading of a list of other stories.

    That is every list line and link right below it; and all the rest of the page where links and
    other lines take turns, for those are teasers.
    """
    listed = {n for n in range(start, len(lines)) if lines[n].startswith("- ") or keys[n] in links}
    end = start
    while end < len(lines) and (end in listed or rules[end]):
        end += 1
    others = [n for n in range(start, len(lines)) if n not in listed and not rules[n]]
    if sum({n - 1, n + 1} <= listed for n in others) > 1 and listed.issuperset(
        n - 1 for n in others
    ):
        end = len(lines)
    for n in range(start, end):
        if not rules[n] and not _CREDIT.match(_plain(lines[n])):
            rules[n] = "under_heading"


def _spare_list(lines: Sequence[str], rules: list[str], start: int) -> None:
    """Keep a list of links that a line of the story announces."""
    for n in range(start, len(lines)):
        if not lines[n].startswith("- "):
            return
        if rules[n] == "linked":
            rules[n] = ""


def _plain(line: str) -> str:
    return " ".join(line.translate(_STRAIGHT).split()).removeprefix("- ").lower()


def _reads(line: str) -> bool:
    """Tell whether a line reads like a sentence of a story."""
    count = len(line.split())
    return count > 24 or (count > 5 and bool(_ENDS.search(line)))
