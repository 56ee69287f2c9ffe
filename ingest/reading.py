"""Page -> Reading: its story, fingerprint and score, in a child process.

Apart from ingest.sift, so that a child imports what reads a page and no shelf and no web: half
of the second that it takes to start.
"""

import math
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ingest import topics
from ingest.extract import FEW_WORDS, MAX_CHARS, UNREAD, Extract, Hints, extract, lost
from ingest.plain import decoded
from ingest.score import TopicScore, ceiling, explain, prefilter
from ingest.sieve import told
from ingest.topics import Topic
from ingest.urls import canonical
from storage.corpus import compose
from storage.errors import FormatError
from storage.model import Fingerprint, Story

NOTHING = Story(title="", text="")
WORDLESS = "no word of the topic on the page"
SMALL = 40_000  # bytes; a smaller page may be a wall
_PARAGRAPH = re.compile(rb"<p[\s>]", re.IGNORECASE)
_TAG = re.compile(rb"<[^<>]*>?")


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a child process is given: one page, and where to find the topic."""

    content: bytes
    content_type: str
    url: str
    hints: Hints
    topic: Path


@dataclass(frozen=True, slots=True)
class Reading:
    """What a child process makes of one page; no story when the page gave none."""

    extract: Extract
    story: Story = NOTHING
    fingerprint: Fingerprint | None = None
    score: TopicScore | None = None


@cache
def _topic(path: Path) -> Topic:
    return topics.load(path)


def prepare(path: Path) -> None:
    """Have at hand what reading a page needs, so that each child need not."""
    import trafilatura  # noqa: F401

    import ingest.fingerprint  # noqa: F401

    topic = _topic(path)
    prefilter(topic, b"")
    ceiling(topic, "")


def is_wordless(topic: Topic, content: bytes) -> bool:
    """Tell whether a page, that is no wall, holds no word of the topic."""
    return not _may_be_wall(content) and not prefilter(topic, content)


def _may_be_wall(content: bytes) -> bool:
    """Tell whether a page is to be read for what it is, though its story be off the topic.

    A small page is, unless so many words stand in its paragraphs that no filter takes it for one.
    """
    if len(content) > SMALL:
        return False
    pieces = _PARAGRAPH.split(content)[1:]  # in one pass, whatever a stranger nests
    paragraphs = b" ".join(one.partition(b"</p")[0].partition(b"</P")[0] for one in pieces)
    return len(_TAG.sub(b" ", paragraphs).split()) < FEW_WORDS


def passed_over(topic: Topic, content: bytes, content_type: str, title: str) -> str:
    """Return why no story in a page could be on the topic; empty when one could, or in doubt.

    Taking a page apart costs 30 ms; the words of the topic are looked for in 0.1, and where any
    stand, what they come to at most is found in 3.
    """
    if _may_be_wall(content):
        return ""
    if not prefilter(topic, content):
        return WORDLESS
    text = decoded(content[: 4 * MAX_CHARS], content_type)[:MAX_CHARS]
    most = ceiling(topic, f"{title}\n{told(text)}")
    low = topic.review[0]
    if most >= math.log(low / (1 - low)):
        return ""
    return f"all words of the topic on the page score {1 / (1 + math.exp(-most)):.2f} at most"


def read(sheet: Sheet) -> Reading:
    """Extract a page's story, take its fingerprint and score its topic; runs in a child process."""
    from ingest.fingerprint import fingerprint  # numpy: 0.1 s that only stories need

    topic = _topic(sheet.topic)
    if detail := passed_over(topic, sheet.content, sheet.content_type, sheet.hints.title):
        return Reading(Extract(fault=UNREAD, detail=detail))
    found = extract(sheet.content, sheet.content_type, sheet.url, sheet.hints)
    if found.fault:
        return Reading(found)
    try:
        story = replace(
            compose(found.title, found.blocks),
            url=canonical(found.canonical or sheet.url, topic.tracking),
            published=found.published,
            date_source=found.date_source,
            date_text=found.date_text,
            language=found.language,
        )
    except FormatError as error:
        return Reading(replace(found, fault="extract_failed", detail=str(error)))
    return Reading(found, story, fingerprint(story), explain(topic, story.title, story.text))


def nothing_read(fault: str, detail: str) -> Reading:
    """Return the reading of a page that cost its child process."""
    return Reading(lost(fault, detail))
