"""Topic file -> Topic: what we collect, in phrases a person can edit.

A phrase list is one string, its phrases parted by commas. Case does not matter, words are
whole, and no phrase crosses the end of a line. In a phrase

    a space          also matches a hyphen or a quotation mark
    join*            is any word that begins so
    nhs/council      is either word
    (new) plan       is found with or without the word in brackets
    one .. team      allows up to four words in between
    !primary care    is not found behind that word (at the beginning of a phrase only)
"""

import hashlib
import re
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import ErrorDetails

from ingest.errors import SettingsError
from ingest.sieve import GAP, Sieve

# Possessive and atomic, so that no text, however hostile, makes a search go back and forth.
_GAP = "[ \t\u00a0\u2009\u202f\u2010-\u201f'\"-]++"  # between two words of a phrase
_TOKEN = re.compile(r"(?P<sign>[(!]?)(?P<words>[^\s()!/]+(?:/[^\s()!/]+)*)(?P<end>\)?)")


def _phrases(listed: object) -> list[str]:
    if not isinstance(listed, str):
        raise ValueError("must be one string of phrases parted by commas")
    return [" ".join(p.lower().split()) for p in listed.split(",") if p.strip()]


def _regex(phrase: str, gap: str = _GAP) -> str:
    """Return the source of the regular expression that finds a phrase in lower-case text."""
    out, started = "", False
    for token in phrase.split():
        if token == ".." and started:
            out += rf"(?:{gap}\w++){{0,4}}?"
            continue
        read = _TOKEN.fullmatch(token)
        if (
            read is None
            or (read["sign"] == "(") != bool(read["end"])
            or not all(w.strip("*.") for w in read["words"].split("/"))
            or (read["sign"] == "!" and (started or not read["words"].isalnum()))
        ):
            raise ValueError(f"cannot read {token!r} in the phrase {phrase!r}")
        word = "|".join(re.escape(w).replace(r"\*", r"\w*") for w in read["words"].split("/"))
        if read["sign"] == "!":
            out += f"(?<!\\b{word}[ \u00a0-])"
        elif read["sign"] == "(":
            out += f"(?:{gap}(?:{word}))?" if started else f"(?:(?:{word}){gap})?"
        else:
            out += f"{gap}(?:{word})" if started else f"(?:{word})"
            started = True
    if not started or phrase.endswith(".."):
        raise ValueError(f"the phrase {phrase!r} needs a word that is sure to be there")
    return out


@dataclass(frozen=True, kw_only=True)
class Phrases:
    """A phrase list, compiled when it is first looked for: half a second that discover can spare.

    Of phrases that begin at one word the longest is tried first.
    """

    source: str  # as re takes it

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What finds them in lower-case text."""
        return re.compile(self.source)


def _any_of(listed: object) -> Phrases:
    longest_first = sorted(map(_regex, _phrases(listed)), key=len, reverse=True)
    if not longest_first:
        raise ValueError("there is no phrase in it")
    return Phrases(source=rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)")


def _in_pages(listed: object) -> Sieve:
    if not str(listed).isascii() or "!" in str(listed) or not _phrases(listed):
        raise ValueError("needs a phrase, and plain ASCII without '!': it is looked for in bytes")
    return Sieve([_regex(p, GAP).replace("++", "+") for p in _phrases(listed)])


def _most_points_first(tiers: object) -> list[tuple[str, object]]:
    if not isinstance(tiers, dict) or not all(p in set("123456789") for p in tiers):
        raise ValueError("must be a table of points (1 to 9) = phrases")
    return sorted(tiers.items(), reverse=True)


Listed = Annotated[Phrases, BeforeValidator(_any_of)]
Tiers = Annotated[tuple[tuple[int, Listed], ...], BeforeValidator(_most_points_first)]
PagePhrases = Annotated[InstanceOf[Sieve], BeforeValidator(_in_pages)]
Names = Annotated[frozenset[str], AfterValidator(lambda names: frozenset(map(str.lower, names)))]
Signs = Annotated[tuple[str, ...], BeforeValidator(_phrases)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What evidence is worth, in log odds."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", allow_inf_nan=False)
    bias: float  # the log odds of a story for which nothing speaks
    title: float  # factors of the zones
    intro: float
    lead: float
    body: float
    intro_chars: int  # where a zone ends, in characters from the end of the title
    lead_chars: int
    joins: float  # points of the rules of these names: see ingest.score
    pairs: float
    mentions: float  # the share of its points that a body keeps in passing
    cap_body: float  # the most that the zone "body" may add
    cap: Annotated[
        float, Field(lt=100)
    ]  # the most that everything that speaks for the topic may add


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A story made up to test the file; the first line of its text is the title."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Topic:
    """What we collect: a topic file, read; its phrases are for lower-case text."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
    name: str
    digest: str  # SHA-256 of the file's bytes, hex
    threshold: float  # a story that scores as much enters by itself
    review: tuple[float, float]  # from the first to below the second a person decides
    min_words: int
    languages: tuple[str, ...]  # ISO 639-1
    since: date | None = None
    until: date | None = None  # the first day that is too late
    tracking: Names = frozenset()  # query parameters to drop besides the usual ones
    prefilter: PagePhrases  # a story with none of them is not accepted
    mask: Listed | None = None  # names with the topic's words in them; not looked at
    groups: Annotated[dict[str, Listed], Field(min_length=2)]  # the last one is the link
    strong: Tiers = ()  # phrases that say the topic outright
    bodies: Tiers = ()  # names that count in full only as the subject
    beside: Listed | None = None  # words that make a body in their sentence the subject
    negative: Tiers = ()  # phrases that speak for another topic
    weights: Weights
    refuse_urls: Signs = ()  # parts of the URLs of pages that are not news
    exempt: Signs = ()  # parts of URLs that are news in spite of such a sign
    yes: Annotated[tuple[Example, ...], Field(min_length=1)]
    no: Annotated[tuple[Example, ...], Field(min_length=1)]

    def __post_init__(self) -> None:
        low, high = self.review
        if not 0 < low < high == self.threshold < 1:
            raise ValueError("review must be [low, threshold] with 0 < low < threshold < 1")
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since must be before until")


def load(path: Path) -> Topic:
    """Read a topic file. Raises SettingsError when it is missing or wrong."""
    try:
        return parse(path.read_bytes(), str(path))
    except OSError as e:
        raise SettingsError(f"{path}: cannot be read: {e.strerror}; set NEWS_TOPIC") from e


def parse(source: bytes, name: str) -> Topic:
    """Turn the bytes of a topic file into a Topic.

    Raises SettingsError: `name`, the line (of a missing key there is none), the key, a remedy.
    """
    try:
        text = source.decode()
        keys = tomllib.loads(text)
        return _TOPIC.validate_python({**keys, "digest": hashlib.sha256(source).hexdigest()})
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as e:
        raise SettingsError(f"{name}: not TOML in UTF-8: {e}; correct that place") from e
    except ValidationError as e:
        raise SettingsError("\n".join(f"{name}{_remedy(p, text)}" for p in e.errors())) from e


_TOPIC = TypeAdapter(Topic)
_REMEDIES = {
    "unexpected_keyword_argument": "no such key; remove it or correct its spelling",
    "missing": "is missing; add it",
}


def _remedy(problem: ErrorDetails, text: str) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "the file"
    said = problem["msg"].removeprefix("Value error, ")
    begins = re.compile(rf"\s*\[*\s*{re.escape(key.partition('.')[0])}\b")
    lines = (n for n, line in enumerate(text.splitlines(), start=1) if begins.match(line))
    line = next(lines, None)
    at = f", line {line}" if line else ""
    return f"{at}: {key}: {_REMEDIES.get(problem['type'], f'{said}; correct it')}"
