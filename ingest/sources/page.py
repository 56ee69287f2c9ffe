"""A page for people that lists stories: for sites without a feed."""

from dataclasses import replace
from typing import Any

from ingest.errors import FeedError
from ingest.listing import MAX_BYTES, Listed, parse_listing
from ingest.sources.source import Listing, ask
from ingest.web.client import ACCEPT, MayAsk, Web
from ingest.workers import Workers
from storage.model import Feed, FeedState

SECONDS = 10.0  # for one page; real ones take 0.05 (measured), a machine may be busy


class ListingPage:
    """One listing page of the feeds file."""

    def __init__(self, feed: Feed, web: Web, may_ask: MayAsk, tracking: frozenset[str]) -> None:
        """Take the way to ask, which heeds robots.txt, and the topic's tracking parameters."""
        self._feed, self._web, self._may_ask, self._tracking = feed, web, may_ask, tracking

    def entries(self, state: FeedState) -> Listing:
        """Ask the page once; raises FetchError, or FeedError when its selectors give nothing."""
        page, known = ask(self._web, state, ACCEPT, self._may_ask, MAX_BYTES)
        if not known.read:
            return known
        feed, content_type = self._feed, page.header("content-type") or ""
        listed = in_child(
            parse_listing, page.content, content_type, page.final_url, feed.url,
            feed.item, feed.date, feed.within, self._tracking,
        )  # fmt: skip
        assert isinstance(listed, Listed)
        return replace(known, detail=listed.note, title=listed.title, entries=listed.entries)


def in_child(*call: Any, seconds: float = SECONDS) -> Any:
    """Return what a function makes of a stranger's page, in a child process; raises FeedError."""
    with Workers(_called, _lost, count=1, seconds=seconds) as workers:
        given = next(workers.map([call]))
    if isinstance(given, FeedError):
        raise given
    return given


def _called(work: Any, *args: Any) -> Any:
    try:
        return work(*args)
    except FeedError as error:
        return error


def _lost(fault: str, evidence: str) -> FeedError:
    return FeedError("unparseable", f"{fault}: {evidence}")
