"""What the evaluations call, all in one place: `tests.quality.adapters:topic_score` and so on."""

from tests.quality.adapters_copies import copy_finder
from tests.quality.adapters_extract import extract_page
from tests.quality.adapters_feeds import feed_entries
from tests.quality.adapters_topic import topic_score

__all__ = ["copy_finder", "extract_page", "feed_entries", "topic_score"]
