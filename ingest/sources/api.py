"""What the ways through an API have in common: strangers' JSON, and where a walk goes on."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from ingest.errors import FeedError
from ingest.plain import decoded
from ingest.sources.past import Way
from ingest.urls import canonical, host_of, lies_within, refusal
from storage.model import Page

MAX_BYTES = 30_000_000  # ours: a hundred whole texts; most answers are below 3 MB
Shape = TypeVar("Shape")
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

    def fresh(self, date: str, key: str) -> bool:
        """Tell whether what has this date and key was not given yet."""
        return date >= self.since and key not in self.seen

    def onward(self, answer: Sequence[tuple[str, str]], more: bool) -> "Mark | None":
        """Return where to go on after an answer with these dates and keys; None at the end.

        Raises FeedError when it is not in the order that was asked for, or comes again.
        """
        dates = [date for date, _ in answer]
        if dates != sorted(dates):
            raise FeedError("unparseable", "not in the order of dates that was asked for")
        if self.page > 1 and answer and all(key in self.seen for _, key in answer):
            raise FeedError("unparseable", f"endless: page {self.page} comes again")
        if not more:
            return None
        last = max([self.since, *dates])
        here = tuple(key for date, key in answer if date == last)
        return (
            Mark(last, 1, here)
            if last > self.since
            else Mark(last, self.page + 1, tuple({*self.seen, *here}))
        )
