"""A stretch of a WARC file -> its pages that may be on the topic, in a child process."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from ingest import topics
from ingest.furniture import MAX_LEARNT, marks
from ingest.plain import decoded, is_html
from ingest.topics import Topic
from ingest.urls import canonical
from storage.archive import record
from storage.model import Page
from storage.warc import Piece, Response, content

# No longer true of a body that was decoded.
_CODED = {"content-encoding", "content-length", "transfer-encoding"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """A page that may be on the topic, ready for the archive."""

    url: str  # canonical
    page: Page  # without its bytes
    record: bytes
    sha256: str
    marks: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a stretch held; see storage.warc.Piece."""

    began: int
    ended: int
    counts: Mapping[str, int]
    finds: tuple[Find, ...]
    fault: str = ""  # why there is nothing of it


@cache
def _topic(path: Path) -> Topic:
    return topics.load(path)


def look(path: Path, start: int, end: int, exact: bool, topic: Path, most: int) -> Stretch:
    """Read a stretch. Its `counts` hold `pages`, and each reason why a record is none."""
    what, finds = _topic(topic), list[Find]()
    piece = Piece(path, start, end, exact=exact, most=most)
    for response in piece.responses():
        found = _find(response, what, most)
        if isinstance(found, str):
            piece.counts[found] += 1
        else:
            piece.counts["pages"] += 1
            finds.append(found)
    return Stretch(
        began=piece.began, ended=piece.ended, counts=dict(piece.counts), finds=tuple(finds)
    )


def lost(fault: str, detail: str) -> Stretch:
    """Return what stands for a stretch that cost its child process."""
    return Stretch(began=-1, ended=-1, counts={}, finds=(), fault=f"{fault}: {detail}")


def _find(response: Response, topic: Topic, most: int) -> Find | str:
    kind = response.header("content-type")
    if kind and not is_html(kind, b""):
        return "not_html"
    body = content(response, most)
    if body is None:
        return "undecodable"
    if not kind and not is_html(kind, body):
        return "not_html"
    if not topic.prefilter.passes(body):
        return "no_word"
    try:
        url = canonical(response.url, topic.tracking)
    except ValueError:
        return "no_url"
    headers = tuple(
        (name, "***" if name.lower().startswith("set-cookie") else value)
        for name, value in response.headers
        if name.lower() not in _CODED
    )
    page = Page(
        url=response.url,
        final_url=response.url,
        status=response.status,
        headers=headers,
        payload=body,
        content=body,
        fetched=response.fetched,
        hops=(response.url,),
    )
    return Find(
        url=url,
        page=Page(
            url=page.url, final_url=page.url, status=page.status, headers=(), payload=b"",
            content=b"", fetched=page.fetched, hops=page.hops,
        ),
        record=record(page),
        sha256=sha256(body).hexdigest(),
        marks=marks(decoded(body, kind)[:MAX_LEARNT]),
    )  # fmt: skip
