"""What a filter is given."""

from dataclasses import dataclass
from datetime import date

from ingest.extract import Extract
from ingest.likeness import Kin
from ingest.score import TopicScore
from ingest.topics import Topic
from storage.model import Entry, Lookalike, Story


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that a filter may look at."""

    entry: Entry
    url: str  # the URL that answered
    hops: tuple[str, ...]  # every URL asked on the way
    extract: Extract
    story: Story  # without title and text when the page gave none
    topic: Topic
    score: TopicScore | None = None  # None when the page gave no story
    lookalikes: tuple[Lookalike, ...] = ()  # kept stories that share a key with it
    windows: tuple[tuple[date, date], ...] | None = None  # asked for of its source; None: polled
    same_bytes: int = 1  # titles of entries of its host whose page was the same, byte for byte
    kin: tuple[Kin, ...] = ()  # those it copies or is related to, copies and the likest first
