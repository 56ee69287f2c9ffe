"""What every kind of source has in common: what it gives, and how it is asked."""

import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import timedelta

from ingest.dates import parse_date
from ingest.web.client import MayAsk, Web
from storage.model import Entry, Feed, FeedState, Page, Timing, Verdict

MAX_REDIRECTS = 5  # feeds move less than pages do (Lion Reader: 5 for feeds)
_MAX_AGE = re.compile(r"(?i)(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one look at a source gave.

    A source that was not read (not_modified, unchanged_body) has no entries and no timing but
    its server's: what its last body said still holds.
    """

    outcome: str  # listed, not_modified, unchanged_body, empty_valid
    detail: str = ""
    title: str = ""  # the source's own name
    entries: tuple[Entry, ...] = ()
    refused: tuple[tuple[Entry, Verdict], ...] = ()  # never to be asked for, and why
    etag: str | None = None  # as received
    last_modified: str | None = None  # as received
    digest: str | None = None  # SHA-256 of the decoded body, hex
    timing: Timing = field(default_factory=Timing)
    answered_at: str | None = None  # the URL that answered
    moved: str | None = None  # where it says it moved to for good

    @property
    def read(self) -> bool:
        """Tell whether there was a new body, which was read."""
        return self.outcome in ("listed", "empty_valid")


@dataclass(frozen=True, slots=True)
class Source(ABC):
    """Anything that lists entries."""

    feed: Feed
    web: Web
    may_ask: MayAsk
    tracking: frozenset[str]  # the topic's own parameters, for canonical
    languages: tuple[str, ...] = ()  # of the topic, for a choice among an entry's pages

    @abstractmethod
    def entries(self, state: FeedState) -> Listing:
        """Ask the source once; raises FetchError or FeedError when it gives nothing."""


def ask(
    web: Web, state: FeedState, accept: str, may_ask: MayAsk, max_bytes: int | None = None
) -> tuple[Page, Listing]:
    """Ask a source where it is now; return the page, and a Listing "listed" if it is to be read.

    Both validators go back as they came (RFC 9110 section 13.1). A 304 may bring new ones; a 200
    replaces or removes them. A 304 from another URL than the one that gave them says nothing
    about that URL's body: they are dropped, so that the next answer is a whole one. A body whose
    digest has not changed is not read again. Raises FetchError.
    """
    page = web.get(
        state.address or state.url,
        etag=state.etag,
        last_modified=state.last_modified,
        accept=accept,
        max_redirects=MAX_REDIRECTS,
        max_bytes=max_bytes,
        may_ask=may_ask,
    )
    etag, last_modified = page.header("etag"), page.header("last-modified")
    outcome, digest = "not_modified", state.digest
    if page.status != 304:
        digest = hashlib.sha256(page.content).hexdigest()
        outcome = "unchanged_body" if digest == state.digest else "listed"
    elif page.final_url == state.answered_at:
        etag, last_modified = etag or state.etag, last_modified or state.last_modified
    else:
        etag = last_modified = None
    return page, Listing(
        outcome=outcome,
        etag=etag,
        last_modified=last_modified,
        digest=digest,
        timing=Timing(fresh=fresh_for(page)),
        answered_at=page.final_url,
        moved=page.moved,
    )


def fresh_for(page: Page) -> timedelta | None:
    """Return for how long the answer says it stays fresh, from now on (RFC 9111 section 4.2).

    max-age less Age; Expires, less Date, only without max-age. no-cache and must-revalidate do
    not ask to be polled at once, and count as nothing said.
    """
    said, fresh = _MAX_AGE.search(page.header("cache-control") or ""), timedelta(0)
    if said:
        age = page.header("age") or ""
        fresh = timedelta(seconds=int(said[1]))
        fresh -= timedelta(seconds=int(age) if re.fullmatch("[0-9]{1,9}", age) else 0)
    elif expires := parse_date(page.header("expires") or ""):
        fresh = expires - (parse_date(page.header("date") or "") or page.fetched)
    return fresh if fresh > timedelta(0) else None
