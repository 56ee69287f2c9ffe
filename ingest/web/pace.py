"""When may a host next be asked? (pure)"""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from storage.model import HostState, Page

MAX_CRAWL_DELAY = timedelta(seconds=120)  # news-crawl's limit: who asks for more is left alone
MAX_REST = timedelta(hours=1)  # a 429 of one page speaks for a host no longer than that
FIRST_REST = timedelta(minutes=5)  # ours: after a 429 that does not say for how long; then doubled
AGAIN = timedelta(seconds=0.05)  # how soon to look again at a host without a gap
SLACK = timedelta(seconds=1)  # a live worker may come so late to its turn and still be first
_SECONDS = re.compile(r"\s*([0-9]+)(?:\.[0-9]*)?\s*(?:s|secs?|seconds?)?\s*", re.IGNORECASE)
MAX_RETRY_AFTER = timedelta(days=365)  # keeps the arithmetic in range; policy caps it lower


def too_slow(crawl_delay: timedelta | None) -> str | None:
    """Return the evidence against a host that asks for longer gaps than we wait, or None."""
    if crawl_delay is None or crawl_delay <= MAX_CRAWL_DELAY:
        return None
    return f"crawl_delay={crawl_delay.total_seconds():g}s most={MAX_CRAWL_DELAY.seconds}s"


def turn(
    host: HostState, holder: str, now: datetime, gap: timedelta, lease: timedelta, live: bool
) -> tuple[HostState, timedelta]:
    """Return what to remember of a host that `holder` wants to ask, and the wait; 0: it may.

    The gap runs from the end of one request to the start of the next, so that it is also kept
    where requests arrive, however long one was on its way. A turn that is not given back, since
    its worker was killed, is over with its lease. A host with its own Crawl-delay has `delay` set.

    While a live worker waits, backfill (not `live`) waits for longer.
    """
    most = now + lease if host.holder else now
    if host.until and host.until > most:
        # The clock has been set back. All moments go back with it: it costs one gap, not a day.
        host = _moved(host, most - host.until)
    free = now
    if host.until:
        gap = max(gap, timedelta(seconds=host.delay))
        free = host.until + gap
        if host.holder and host.until > now:
            free = min(free, now + max(gap, AGAIN))  # it may be given back at any time
    free = max(free, host.rest_until or now, now if live else host.live_until or now)
    if free > now:
        wanted = max(host.live_until or now, free + SLACK) if live else host.live_until
        return replace(host, live_until=wanted), free - now
    return replace(host, holder=holder, until=now + lease, rest_until=None), timedelta(0)


def rest(page: Page, refusals: int) -> timedelta | None:
    """Return how long a host is left alone after this answer; None: it may be asked on.

    `refusals` are its answers of 429, this one included, less one for each other answer. A 429
    says how long, or else it is FIRST_REST, doubled with each. Only a 429 speaks for the host, and
    for MAX_REST at most: FreshRSS holds back a whole domain for any Retry-After, and its users
    complain for the innocent feeds there (its issue 7870).
    """
    if page.status != 429:
        return None
    wait = retry_after(page.header("retry-after"), page.header("date"), page.fetched)
    doubled = FIRST_REST * (1 << min(max(refusals - 1, 0), 16))
    return min(wait or doubled, MAX_REST)


def _moved(host: HostState, by: timedelta) -> HostState:
    def moved(moment: datetime | None) -> datetime | None:
        return moment and moment + by

    return replace(
        host,
        until=moved(host.until),
        rest_until=moved(host.rest_until),
        live_until=moved(host.live_until),
    )


def retry_after(value: str | None, date: str | None, now: datetime) -> timedelta | None:
    """Return the wait a Retry-After asks for (RFC 9110 section 10.2.3); None for nonsense.

    Seconds, 0 among them; or an HTTP-date, taken relative to the answer's own Date, for its clock
    may be wrong; one gone by means 0. Some servers write seconds with a fraction or their unit.
    """
    if value is None:
        return None
    if seconds := _SECONDS.fullmatch(value):
        whole = seconds[1]
        return timedelta(seconds=int(whole)) if len(whole) < 8 else MAX_RETRY_AFTER
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
