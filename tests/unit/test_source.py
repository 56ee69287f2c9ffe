"""What an answer says of how long it stays fresh."""

from datetime import timedelta

import pytest

from ingest.sources.source import fresh_for
from storage.model import Page
from tests.builders import NOON

DATE = ("Date", "Mon, 02 Mar 2026 12:00:00 GMT")
IN_AN_HOUR = ("Expires", "Mon, 02 Mar 2026 13:00:00 GMT")


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        ([], None),
        ([("Cache-Control", "public, max-age=3600")], 60),
        ([("cache-control", 'MAX-AGE="3600", must-revalidate')], 60),
        ([("Cache-Control", "max-age=3600"), ("Age", "1800")], 30),
        ([("Cache-Control", "max-age=3600"), ("Age", "7200")], None),
        ([("Cache-Control", "max-age=3600"), ("Age", "soon")], 60),
        ([("Cache-Control", "max-age=0"), DATE, IN_AN_HOUR], None),  # it outranks Expires
        ([("Cache-Control", "s-maxage=3600")], None),  # for shared caches
        ([("Cache-Control", "no-cache, no-store")], None),
        ([("Cache-Control", "no-cache"), DATE, IN_AN_HOUR], 60),
        ([DATE, IN_AN_HOUR], 60),
        ([IN_AN_HOUR], 60),  # from when it came
        ([("Date", "Mon, 02 Mar 2026 12:30:00 GMT"), IN_AN_HOUR], 30),
        ([("Expires", "0")], None),
        ([("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")], None),
    ],
    ids=str,
)
def test_freshness_is_max_age_less_age_or_else_expires_less_date(
    headers: list[tuple[str, str]], minutes: int | None
) -> None:
    page = Page(url="u", final_url="u", status=200, headers=tuple(headers), payload=b"",
                content=b"", fetched=NOON)  # fmt: skip

    wanted = None if minutes is None else timedelta(minutes=minutes)
    assert fresh_for(page) == wanted
