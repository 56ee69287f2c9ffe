"""Any text is a moment in range or none, as a date, a day, a wait or a time to stay fresh."""

from dataclasses import replace
from datetime import UTC, timedelta

from ingest.dates import LONDON, YEARS, day_in_path, parse_date
from ingest.declared import credible, day, local_day
from ingest.sources.source import fresh_for
from ingest.web.pace import MAX_RETRY_AFTER, retry_after
from tests.builders import NOON, PAGE
from tests.fuzz.samples import said_in

FRESH = ("Cache-Control", "Expires", "Age", "Date")


def seeds() -> list[bytes]:
    said = said_in("test_dates", "test_pace")
    paths = [b"/news/2026/03/02/a", b"/2026/mar/02", b"max-age=60, public"]
    return [one for one in (*said, *paths) if len(one) < 80]


def run(data: bytes) -> None:
    text = data.decode(errors="replace")
    for zone in (UTC, LONDON):
        moment = parse_date(text, zone)
        if moment:
            assert moment.tzinfo is UTC
            assert YEARS[0] - 1 <= moment.year <= YEARS[-1] + 1  # a zone may move a New Year
            if moment.year in YEARS:
                assert parse_date(moment.isoformat(), zone) == moment
    stated, pathed = day(text), day_in_path(f"https://a.example{text}")
    if stated:
        credible(local_day(text, stated, pathed), NOON.date())
    wait = retry_after(text, text[::-1], NOON)
    assert wait is None or timedelta(0) <= wait <= MAX_RETRY_AFTER
    for name in FRESH:
        fresh = fresh_for(replace(PAGE, headers=((name, text), ("Expires", text))))
        assert fresh is None or fresh > timedelta(0)
