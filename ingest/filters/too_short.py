"""Is there enough of the story to be one?"""

from ingest.filters.case import Case


def too_short(case: Case) -> str | None:
    """Find fault with a story of fewer words than its topic asks for; the title does not count."""
    words = len(case.story.text.split())
    if words >= case.topic.min_words:
        return None
    return f"words={words} wanted={case.topic.min_words}"
