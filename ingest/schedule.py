"""When a feed is asked next: pure arithmetic on what it said and how the last poll went."""

import hashlib
from datetime import datetime, timedelta

FLOOR = timedelta(minutes=60)  # polite for conditional requests (feed-reader score's rule)
CEILING = timedelta(hours=24)  # nothing is left unseen for longer than a day
FIRST_BACKOFF = timedelta(minutes=30)  # doubled with each failure (Lion Reader's ladder)
JITTER = 0.1  # share of the interval; keeps feeds of one host from coming due together


def after_success(url: str, now: datetime, wait: timedelta) -> datetime:
    """Return when to ask a feed again that answered, given the wait it asks for itself."""
    interval = min(max(FLOOR, wait), CEILING)
    return now + min(interval * (1 + JITTER * _share(url)), CEILING)


def after_failure(
    url: str, now: datetime, failures: int, retry_after: timedelta | None
) -> datetime:
    """Return when to ask a feed again after so many failures in a row; never never.

    A Retry-After is obeyed up to the ceiling (RFC 9110 section 10.2.3; 0 is legal).
    """
    interval = min(FIRST_BACKOFF * (1 << min(failures - 1, 16)), CEILING)
    if retry_after is not None:
        interval = max(interval, min(retry_after, CEILING))
    return now + min(interval * (1 + JITTER * _share(url)), CEILING)


def _share(url: str) -> float:
    """Return a number from 0.0 to 1.0 that is the same for the same URL, always."""
    return hashlib.sha256(url.encode()).digest()[0] / 255
