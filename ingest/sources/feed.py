"""RSS, RDF, Atom and JSON feeds, asked with the validators of the last time."""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta

from ingest.feeds import parse_feed
from ingest.sources.source import Listing
from ingest.web.client import Web
from storage.model import Feed, FeedState, Page

ACCEPT = (
    "application/atom+xml,application/rss+xml,application/rdf+xml;q=0.9,"
    "application/feed+json;q=0.9,application/xml;q=0.8,text/xml;q=0.8,*/*;q=0.5"
)
MAX_REDIRECTS = 5  # feeds move less than pages do (Lion Reader: 5 for feeds)
_MAX_AGE = re.compile(r"(?i)\bmax-age\s*=\s*\"?(\d{1,9})")


class FeedSource:
    """One feed of the feeds file."""

    def __init__(
        self, feed: Feed, web: Web, may_ask: Callable[[str], None], tracking: frozenset[str]
    ) -> None:
        """Take the way to ask, and the topic's own tracking parameters."""
        self._feed, self._web, self._may_ask, self._tracking = feed, web, may_ask, tracking

    def entries(self, state: FeedState) -> Listing:
        """Ask the feed once; raises FetchError or FeedError when it gives nothing.

        Both validators go back as they came (RFC 9110 section 13.1). A 304 may bring new
        ones; a 200 replaces or removes them. A body whose digest has not changed is not parsed.
        """
        page = self._web.get(
            self._feed.url,
            etag=state.etag,
            last_modified=state.last_modified,
            accept=ACCEPT,
            max_redirects=MAX_REDIRECTS,
            may_ask=self._may_ask,
        )
        etag, last_modified = page.header("etag"), page.header("last-modified")
        if page.status == 304:
            return Listing(
                outcome="not_modified",
                etag=etag or state.etag,
                last_modified=last_modified or state.last_modified,
                digest=state.digest,
                wait=_freshness(page),
            )
        digest = hashlib.sha256(page.content).hexdigest()
        if digest == state.digest:
            return Listing(
                outcome="unchanged_body",
                etag=etag,
                last_modified=last_modified,
                digest=digest,
                wait=_freshness(page),
            )
        content_type = page.header("content-type") or ""
        feed = parse_feed(
            page.content, content_type, page.final_url, self._feed.url, self._tracking
        )
        refused = [f"{one.link or one.title!r}: {one.reason}" for one in feed.refused]
        told = [feed.note] if feed.note else []
        told += [f"refused {len(refused)}, such as {refused[0]}"] if refused else []
        return Listing(
            outcome="listed" if feed.entries else "empty_valid",
            detail="; ".join(told),
            title=feed.title,
            entries=feed.entries,
            etag=etag,
            last_modified=last_modified,
            digest=digest,
            wait=max(_freshness(page), feed.hints.ttl or timedelta(0)),
        )


def _freshness(page: Page) -> timedelta:
    """Return for how long the answer says it is fresh (RFC 9111 section 5.2.2.1)."""
    found = _MAX_AGE.search(page.header("cache-control") or "")
    return timedelta(seconds=int(found[1])) if found else timedelta(0)
