"""Where a feed is asked, when its site says that it moved: pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from storage.model import FeedState

OBSERVED = timedelta(days=7)  # a move is seen this long before it counts (Lion Reader's window)


def followed(state: FeedState, moved: str | None, read: bool, now: datetime) -> FeedState:
    """Return the state of a feed that answered from `moved`, or where it was asked (None).

    The move counts after OBSERVED, or at once when only http became https; and only when this
    very answer was `read` as a feed: a redirect to a home page is not a move. An answer without
    the redirect ends it. What the feed is known by stays its URL in the feeds file.
    """
    if moved is None:
        return replace(state, moved_to=None, moved_since=None)
    since = (state.moved_since if state.moved_to == moved else None) or now
    asked = state.address or state.url
    secured = asked.startswith("http://") and moved == f"https{asked[4:]}"
    if read and (secured or now - since >= OBSERVED):
        return replace(state, address=moved, moved_to=None, moved_since=now)
    return replace(state, moved_to=moved, moved_since=since)


def lost(state: FeedState) -> FeedState:
    """Return the state of a feed that is not (404), or no longer (410), where it was asked.

    For one that was on the move, the move then counts at once (Lion Reader does so); one that
    had moved is asked at its old URL again, which may know better.
    """
    if state.address is None and state.moved_to is None:
        return state
    return replace(state, address=state.moved_to, moved_to=None, moved_since=None, etag=None,
                   last_modified=None, digest=None)  # fmt: skip
