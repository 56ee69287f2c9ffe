"""Is the story on the topic? The score has been found already; here it becomes a verdict."""

from ingest.extract import UNREAD
from ingest.filters.case import Case


def without_a_word(case: Case) -> str | None:
    """Find fault with a page that was not even read: no word of the topic stands in its bytes."""
    return case.extract.detail if case.extract.fault == UNREAD else None


def off_topic(case: Case) -> str | None:
    """Find fault with a story that scores less than the topic's review band."""
    return _told(case, "refused")


def review(case: Case) -> str | None:
    """Find fault with a story that scores within the review band: a person decides."""
    return _told(case, "review")


def _told(case: Case, decision: str) -> str | None:
    return str(case.score) if case.score and case.score.decision == decision else None
