"""What the ways through an API have in common: strangers' JSON, and where a walk goes on."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Any, TypeVar

from pydantic import AliasPath, BaseModel, Field, TypeAdapter, ValidationError

from ingest.dates import parse_date
from ingest.errors import FeedError
from ingest.feeds import MAX_DATE, MAX_SUMMARY, MAX_TITLE, Text
from ingest.fulltext import worth_keeping
from ingest.plain import decoded, plain
from ingest.sources.past import Way
from ingest.urls import MAX_LENGTH, canonical, host_of, lies_within, refusal
from storage.model import Entry, Page

MAX_BYTES = 30_000_000  # ours: a hundred whole texts; most answers are below 3 MB
Shape = TypeVar("Shape")
Thing = TypeVar("Thing")
Model = TypeVar("Model", bound=BaseModel)


def ask(way: Way, url: str, shape: type[Shape]) -> tuple[Shape, Page]:
    """Return what an API answers, in the shape it should have, and the page it came in.

    Raises FetchError, and FeedError("unparseable") for what is not JSON or has another shape.
    """
    accept = "application/json,*/*;q=0.5"
    page = way.web.get(url, accept=accept, max_bytes=MAX_BYTES, may_ask=way.may_ask)
    try:
        said = json.loads(decoded(page.content, page.header("content-type") or ""))
        return TypeAdapter(shape).validate_python(said), page
    except (ValueError, RecursionError) as error:  # pydantic's is a ValueError
        detail = f"not the JSON that was asked for: {type(error).__name__}"
        raise FeedError("unparseable", detail) from None


def readable(ones: Iterable[object], model: type[Model]) -> list[Model]:
    """Return those of an answer's parts that have their shape; one that is broken costs itself."""
    found = []
    for one in ones:
        with suppress(ValidationError):
            found.append(model.model_validate(one))
    return found


def located(way: Way, link: str) -> str | None:
    """Return the canonical URL of a link that may lead to a story of the source, else None."""
    with suppress(ValueError):
        url = canonical(link, way.tracking, host_of(way.feed.url))
        if not refusal(url) and lies_within(url, way.feed.within):
            return url
    return None


def at(*path: str) -> Any:
    """Return the place of a text in an API's answer; "" where there is none."""
    return Field("", validation_alias=AliasPath(*path))


class Told(BaseModel):
    """What an API tells of an entry; each says at which places."""

    link: Text = ""
    title: Text = ""
    guid: Text = ""
    published: Text = ""  # without a zone it is UTC
    updated: Text = ""
    summary: Text = ""
    content: Text = ""

    def entry(self, way: Way, name: str) -> Entry | None:
        """Return it as the source's entry, found by the way of that name; None for no story."""
        url = located(way, self.link)
        if url is None:
            return None
        return Entry(
            url=url,
            link=self.link,
            title=plain(self.title, MAX_TITLE),
            source=way.feed.url,
            guid=plain(self.guid, MAX_LENGTH) or None,
            published=parse_date(self.published, UTC),
            updated=parse_date(self.updated, UTC),
            summary=plain(self.summary, MAX_SUMMARY),
            content=worth_keeping(self.content),
            date_source=name,
            date_text=plain(self.published, MAX_DATE),
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a walk in the order of dates goes on: at the last date seen, and not at a page.

    So nothing is lost when an entry is deleted, added or edited between two requests, which
    moves the others to other pages. What was given already at that date is left out.
    """

    since: str  # ask for this date or later, as the API spells dates; they sort as text
    page: int = 1  # beyond 1 only where one date fills a whole page
    seen: tuple[str, ...] = ()  # what was given of that date
    left: tuple[str, ...] = ()  # what is still to be asked for, one by one

    @classmethod
    def read(cls, cursor: str, since: str) -> "Mark":
        """Return the mark in a cursor; at its beginning a walk asks for `since` or later."""
        return cls(**json.loads(cursor)) if cursor else cls(since)

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    def onward(
        self, answer: Sequence[tuple[str, str, Thing]], more: bool
    ) -> tuple[list[Thing], "Mark | None"]:
        """Return what is new in an answer, each its date, key and itself, and where to go on.

        None at the end. Raises FeedError when the answer is not in the order of dates that was
        asked for, or comes again and again.
        """
        dates = [date for date, *_ in answer]
        if dates != sorted(dates):
            raise FeedError("unparseable", "not in the order of dates that was asked for")
        if self.page > 1 and answer and all(key in self.seen for _, key, _ in answer):
            raise FeedError("endless", f"page {self.page} comes again")
        new = [one for day, key, one in answer if day >= self.since and key not in self.seen]
        last = max([self.since, *dates])
        here = {key for day, key, _ in answer if day == last}
        if last > self.since:
            there = Mark(last, 1, tuple(here))
        else:
            there = Mark(last, self.page + 1, tuple({*self.seen, *here}))
        return new, there if more else None
