"""Where a feed is asked, when its site says that it moved."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ingest.schedule import OBSERVED, followed, lost
from storage.model import FeedState
from tests.builders import NOON

OLD, NEW = "http://old.example/feed?a=1", "https://new.example/feed"
FEED = FeedState(url=OLD)
ON_THE_MOVE = replace(FEED, moved_to=NEW, moved_since=NOON)


@pytest.mark.parametrize(
    ("moved", "counts"),
    [
        ("https://old.example/feed?a=1", True),
        ("https://old.example/feed?a=2", False),
        ("https://www.old.example/feed?a=1", False),
        ("http://old.example/feed", False),
    ],
)
def test_only_a_move_to_https_counts_at_once(moved: str, counts: bool) -> None:
    assert followed(FEED, moved, True, NOON).address == (moved if counts else None)


def test_a_move_from_https_to_http_is_observed_as_any_other() -> None:
    assert followed(FeedState(url=NEW), "http://new.example/feed", True, NOON).address is None


@pytest.mark.parametrize(
    ("days", "read", "address"), [(6.9, True, None), (7, True, NEW), (9, False, None)]
)
def test_a_move_counts_after_its_week_when_the_answer_was_a_feed(
    days: float, read: bool, address: str | None
) -> None:
    after = followed(ON_THE_MOVE, NEW, read, NOON + timedelta(days=days))

    assert after.address == address
    assert after.moved_to == (None if address else NEW)


def test_another_target_begins_another_week_and_an_answer_without_one_ends_it() -> None:
    later = NOON + OBSERVED

    other = followed(ON_THE_MOVE, "https://third.example/feed", True, later)
    ended = followed(ON_THE_MOVE, None, True, later)

    assert (other.address, other.moved_since) == (None, later)
    assert ended == FEED


def test_a_feed_lost_on_the_move_is_at_its_new_place_and_one_that_moved_at_its_old() -> None:
    assert lost(ON_THE_MOVE).address == NEW
    assert lost(replace(FEED, address=NEW, etag="e")) == FEED
    assert lost(FEED) == FEED
