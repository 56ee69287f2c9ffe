"""Is the story of the time that the topic asks for?"""

from datetime import date

from ingest.dates import LONDON
from ingest.filters.case import Case

ALWAYS = (date.min, date.max)


def day_of(case: Case) -> date | None:
    """Return the day by which a story is judged: its own, else the one its source gave."""
    if case.story.published and case.story.date_source != "first_seen":
        return case.story.published
    announced = case.entry.published
    return announced.astimezone(LONDON).date() if announced else None


def out_of_range(case: Case) -> str | None:
    """Find fault with a story dated before `since`, or on or after `until`, of its topic.

    And with one of the past that is of no day that was asked for. Windows are half open. A story
    without any date passes where a poll saw it, since a date is no reason to lose a story that
    has none; one of the past may be of any time, and passes only where any was asked for.
    """
    day = day_of(case)
    if case.windows is not None and not any(
        since <= day < until if day else (since, until) == ALWAYS for since, until in case.windows
    ):
        return f"date={day} ({case.story.date_source or 'feed'}) is of no day asked for"
    since, until = case.topic.since, case.topic.until
    if day is None or ((since is None or day >= since) and (until is None or day < until)):
        return None
    return f"date={day} ({case.story.date_source or 'feed'}) since={since} until={until}"
