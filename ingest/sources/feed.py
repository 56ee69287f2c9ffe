"""RSS, RDF, Atom and JSON feeds."""

from dataclasses import replace

from ingest.feeds import Refused, parse_feed
from ingest.sources.source import Listing, ask
from ingest.web.client import MayAsk, Web
from storage.model import Entry, Feed, FeedState, Verdict

ACCEPT = (
    "application/atom+xml,application/rss+xml,application/rdf+xml;q=0.9,"
    "application/feed+json;q=0.9,application/xml;q=0.8,text/xml;q=0.8,*/*;q=0.5"
)


class FeedSource:
    """One feed of the feeds file."""

    def __init__(self, feed: Feed, web: Web, may_ask: MayAsk, tracking: frozenset[str]) -> None:
        """Take the way to ask, and the topic's own tracking parameters."""
        self._feed, self._web, self._may_ask, self._tracking = feed, web, may_ask, tracking

    def entries(self, state: FeedState) -> Listing:
        """Ask the feed once; raises FetchError or FeedError when it gives nothing."""
        page, listing = ask(self._web, state, ACCEPT, self._may_ask)
        if not listing.read:
            return listing
        content_type = page.header("content-type") or ""
        feed = parse_feed(
            page.content, content_type, page.final_url, self._feed.url, self._tracking
        )
        refused = tuple(_refused(one, self._feed.url) for one in feed.refused)
        told = [feed.note] if feed.note else []
        if refused:
            entry, verdict = refused[0]
            told += [f"refused {len(refused)}, such as {entry.url}: {verdict.reason}"]
        return replace(
            listing,
            outcome="listed" if feed.entries else "empty_valid",
            detail="; ".join(told),
            title=feed.title,
            entries=feed.entries,
            refused=refused,
            timing=replace(feed.timing, fresh=listing.timing.fresh),
        )


def _refused(one: Refused, source: str) -> tuple[Entry, Verdict]:
    """Return what stands for a refused entry; one without a link is named by its title."""
    url = one.link or f"{source}#{one.title}"
    entry = Entry(url=url, link=one.link, title=one.title, source=source, published=one.published)
    return entry, Verdict(one.reason, f"link={one.link!r}")
