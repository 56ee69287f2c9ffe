"""Whatever a site answers, to a poll or for a page, ends as an outcome, and never as an error.

From the answer on: what `ingest.responses` says of it, the parsers, the catalog. A first line
such as "s 202 text/html" asks for a source of that kind (f: feed, s: sitemap) or a page (p).
"""

import atexit
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from ingest.desk import Desk
from ingest.discover import _poll
from ingest.errors import Fault, FetchError
from ingest.fetch import _fetch
from ingest.responses import Expected, problem_of
from storage.model import Entry, Feed, FeedState, Page
from tests.builders import NOON, PAGE
from tests.fuzz import feeds, sitemap
from tests.fuzz.samples import said_in
from tests.home import Home

URL = "https://a.example/page"
_NUMBERS = count()
KINDS = {"f": "feed", "s": "sitemap", "p": "page"}
_FIRST = re.compile(rb"([fsp]) (\d{3}) ([^\r\n]{0,200})\n")


class Answering:
    """Stands for the network: every request gets the same answer."""

    def __init__(self) -> None:
        self.page = PAGE

    def get(self, url: str, *, expected: Expected = Expected.CONTENT, **_: Any) -> Page:
        page = replace(self.page, url=url, final_url=url)
        if problem := problem_of(page, conditional=True, expected=expected):
            raise FetchError(url, problem.fault, problem.detail, page.status)
        return page


@cache
def _desk() -> tuple[Desk, Answering]:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    desk, answering = Home(Path(folder.name)).desk(), Answering()
    atexit.register(desk.__exit__)

    @contextmanager
    def may_ask(*_: object) -> Iterator[Any]:
        yield lambda page: None

    vars(desk).update(web=answering, wait_turn=may_ask, may_ask=may_ask)
    return desk, answering


def seeds() -> list[bytes]:
    said = said_in("test_responses", "test_walls")
    pages = [b"p 200 text/html\n" + one for one in said]
    feed = [b"f 200 text/xml\n" + one for one in feeds.seeds()[:40]]
    maps = [b"s 200 application/xml\n" + one for one in sitemap.seeds()[:20]]
    return [*pages, *feed, *maps, b"p 202 \n", b"f 304 \n", b"s 429 \n", b"p 200 image/png\nx"]


def run(data: bytes) -> None:
    first = _FIRST.match(data)
    kind, status, header = first.groups() if first else (b"f", b"200", b"")
    body = data[first.end() :] if first else data
    desk, answering = _desk()
    answering.page = replace(
        PAGE,
        status=int(status),
        headers=(("Content-Type", header.decode("latin-1")),),
        payload=body,
        content=body,
    )
    if kind == b"p":
        _a_page(desk)
    else:
        _a_source(desk, Feed(url=URL, title="", via=KINDS[kind.decode()]))


def _a_source(desk: Desk, feed: Feed) -> None:
    desk.catalog.list_feeds([feed])
    state, listed, taken = _poll(desk, feed, FeedState(url=feed.url))

    assert state.outcome != Fault.INTERNAL_ERROR, state.detail
    assert taken.new <= listed
    assert state.outcome == "gone" or (state.next_poll and state.next_poll > NOON)


def _a_page(desk: Desk) -> None:
    url = f"{URL}/{next(_NUMBERS)}"
    entry = Entry(url=url, link=url, title="A", source=URL)
    desk.catalog.polled(FeedState(url=URL, outcome="listed"), [entry], NOON)
    for waiting in desk.catalog.to_fetch(NOON, 1):
        ended = _fetch(desk, waiting, live=True)

        assert ended != Fault.INTERNAL_ERROR
        with suppress(ValueError):
            assert Fault(ended)
            continue
        assert ended == "fetched"
