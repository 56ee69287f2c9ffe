"""When may a host next be asked? (pure)"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

MAX_CRAWL_DELAY = timedelta(seconds=120)  # news-crawl's limit: who asks for more is left alone
QUEUE = 64  # turns given out ahead: more workers than that never wait for one host
MAX_RETRY_AFTER = timedelta(days=365)  # keeps the arithmetic in range; policy caps it lower


def required_gap(setting: timedelta, crawl_delay: timedelta | None) -> timedelta:
    """Return the time between the starts of two requests to one host: the longer of the two."""
    return max(setting, crawl_delay or timedelta(0))


def too_slow(crawl_delay: timedelta | None) -> str | None:
    """Return the evidence against a host that asks for longer gaps than we wait, or None."""
    if crawl_delay is None or crawl_delay <= MAX_CRAWL_DELAY:
        return None
    return f"crawl_delay={crawl_delay.total_seconds():g}s most={MAX_CRAWL_DELAY.seconds}s"


def next_slot(latest: datetime | None, gap: timedelta, now: datetime) -> datetime:
    """Return the next turn at a host, aware UTC: never before `now`, nor within `gap` of `latest`.

    `latest` is the latest turn given out; it may be still to come, when others wait for theirs.
    One further ahead than QUEUE gaps was given out by a clock that has been set back since: it
    costs one gap, not a day.
    """
    if latest is None:
        return now
    if latest - now > QUEUE * gap:
        return now + gap
    return max(now, latest + gap)


def retry_after(value: str | None, date: str | None, now: datetime) -> timedelta | None:
    """Return the wait a Retry-After asks for (RFC 9110 section 10.2.3); None for nonsense.

    Whole seconds, 0 among them; or an HTTP-date, taken relative to the answer's own Date, for its
    clock may be wrong; one gone by means 0.
    """
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return timedelta(seconds=int(value)) if len(value) < 8 else MAX_RETRY_AFTER
    until = _http_date(value)
    if until is None:
        return None
    return min(max(until - (_http_date(date) or now), timedelta(0)), MAX_RETRY_AFTER)


def _http_date(value: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(value or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
