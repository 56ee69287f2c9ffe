"""What every kind of source has in common."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from storage.model import Entry, FeedState


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one look at a source gave."""

    outcome: str  # listed, not_modified, unchanged_body, empty_valid
    detail: str = ""
    title: str = ""  # the source's own name
    entries: tuple[Entry, ...] = ()
    etag: str | None = None  # as received
    last_modified: str | None = None  # as received
    digest: str | None = None  # SHA-256 of the decoded body, hex
    wait: timedelta = timedelta(0)  # how long the source asks to be left alone


class Source(Protocol):
    """Anything that lists entries."""

    def entries(self, state: FeedState) -> Listing:
        """Ask the source once; raises FetchError or FeedError when it gives nothing."""
