"""Is the story of the time that the topic asks for?"""

from ingest.dates import LONDON
from ingest.filters.case import Case


def out_of_range(case: Case) -> str | None:
    """Find fault with a story dated before `since`, or on or after `until`, of its topic.

    The window is half open. The story's own date decides, else the feed's; one without any date
    passes, since a date is no reason to lose a story that has none.
    """
    announced = case.entry.published
    day = announced.astimezone(LONDON).date() if announced else None
    if case.story.published and case.story.date_source != "first_seen":
        day = case.story.published
    since, until = case.topic.since, case.topic.until
    if day is None or ((since is None or day >= since) and (until is None or day < until)):
        return None
    return f"date={day} ({case.story.date_source or 'feed'}) since={since} until={until}"
