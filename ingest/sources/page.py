"""A page for people that lists stories: for sites without a feed."""

from collections.abc import Set
from dataclasses import replace
from typing import Any

from ingest.errors import FeedError
from ingest.listing import MAX_BYTES, Listed, parse_listing
from ingest.sources.source import Listing, Source, ask
from ingest.web.client import ACCEPT
from ingest.workers import Workers
from storage.model import Feed, FeedState, Page

SECONDS = 10.0  # for one page; real ones take 0.05 (measured), a machine may be busy


class ListingPage(Source):
    """One listing page of the feeds file."""

    def entries(self, state: FeedState) -> Listing:
        """Ask the page once; raises FetchError, or FeedError when its selectors give nothing."""
        page, known = ask(self.web, state, ACCEPT, self.may_ask, MAX_BYTES)
        if not known.read:
            return known
        listed = read_listing(page, self.feed, self.tracking)
        return replace(known, detail=listed.note, title=listed.title, entries=listed.entries)


def read_listing(page: Page, feed: Feed, tracking: Set[str]) -> Listed:
    """Return what a feed's selectors find on a page; raises FeedError as parse_listing does."""
    listed = in_child(
        parse_listing, page.content, page.header("content-type") or "", page.final_url, feed.url,
        feed.item, feed.date, feed.within, tracking, page.fetched,
    )  # fmt: skip
    assert isinstance(listed, Listed)
    return listed


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
