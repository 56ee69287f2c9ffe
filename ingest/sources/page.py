"""A page for people that lists stories: for sites without a feed."""

from dataclasses import replace
from typing import Any

from ingest.errors import FeedError
from ingest.listing import MAX_BYTES, Listed, parse_listing
from ingest.sources.source import Listing, Source, ask
from ingest.web.client import ACCEPT
from ingest.workers import Workers
from storage.model import FeedState

SECONDS = 10.0  # for one page; real ones take 0.05 (measured), a machine may be busy


class ListingPage(Source):
    """One listing page of the feeds file."""

    def entries(self, state: FeedState) -> Listing:
        """Ask the page once; raises FetchError, or FeedError when its selectors give nothing."""
        page, known = ask(self.web, state, ACCEPT, self.may_ask, MAX_BYTES)
        if not known.read:
            return known
        feed, content_type = self.feed, page.header("content-type") or ""
        listed = in_child(
            parse_listing, page.content, content_type, page.final_url, feed.url,
            feed.item, feed.date, feed.within, self.tracking,
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
