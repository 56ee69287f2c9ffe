"""The dates that sites write, read as a British reader would; there is no clock in here."""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
YEARS = range(1990, 2101)  # outside lie placeholders: 0001 (.NET), 1970 (Unix), 9999
SMALL_STEP = timedelta(hours=24)  # a feed that says GMT all summer is at most 1 h ahead

_MONTHS = {  # English, then Welsh, in which bodies in Wales publish too
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
    "ion": 1, "chw": 2, "maw": 3, "ebr": 4, "mai": 5, "meh": 6,
    "gor": 7, "aws": 8, "med": 9, "hyd": 10, "tac": 11, "rha": 12,
}  # fmt: skip
_HOURS_AHEAD = {  # of UTC. The American ones are RFC 5322 section 4.3; BST and IST are read
    # as in Britain and Ireland (summer time), not as in Dhaka or Delhi
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "bst": 1, "ist": 1, "west": 1, "cet": 1,
    "cest": 2, "eet": 2, "eest": 3, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7,
    "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
_ANY_MONTH = "|".join(_MONTHS)
_MONTH = rf"(?P<name>{_ANY_MONTH})[a-z]*\.?"
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_DATES = [
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"(?<!\d)(?P<y>\d{4})[-/](?P<m>\d{1,2})(?:[-/](?P<d>\d{1,2}))?(?!\d)",
        r"(?<!\d)(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4}|\d{2})(?!\d)",
        rf"(?<!\d){_DAY}[\s,-]*(?:of )?{_MONTH}[\s,-]*(?P<y>\d{{4}}|\d{{2}})(?![\d:])",
        rf"\b{_MONTH}\s*{_DAY},?\s+(?P<y>\d{{4}})\b",
        rf"\b{_MONTH}\s+{_DAY}\s(?P<rest>.*?)\s(?P<y>\d{{4}})$",  # C's asctime
        rf"^(?P<d>){_MONTH}\s+(?P<y>\d{{4}})$",
        r"^(?P<d>)(?P<y>\d{4})$",
    )
]
_TIME = re.compile(
    r"(?<!\d)(?P<h>\d{1,2})(?:[:.](?P<m>\d{2})(?:[:.](?P<s>\d{2})(?:[.,]\d+)?)?)?"
    r"(?:\s*(?P<half>[ap])\.?m\b\.?)?",
    re.ASCII,
)
_ZONE = re.compile(
    r"[\s,(]*(?P<name>[a-z]+)?\s?(?:(?P<sign>[+-])(?P<h>\d{1,2})(?::?(?P<m>\d{2}))?(?!\d))?",
    re.ASCII,
)
_DAY_IN_PATH = re.compile(
    rf"[/_-](20\d\d)([/_-]?)(?:(\d\d)|({_ANY_MONTH}))\2(\d\d)(?!\d)", re.ASCII
)


def parse_date(text: str, zone: tzinfo = LONDON) -> datetime | None:
    """Return the moment a date text means, aware, in UTC; None when it cannot be told.

    Reads RFC 5322 with or without zone, ISO 8601 of any precision (the period's start is
    returned), d/m/y, day and month names in full or short, English or Welsh. A time without
    zone is local to `zone`; a day without time is midnight UTC, so that it stays that day
    both in UTC and in London. BST is +1 (feedparser 6.0.14 reads it as UTC: measured).
    Never raises; a year outside YEARS gives None.
    """
    text = " ".join(text[:100].split()).lower()
    moment = (_iso(text) or _spelt(text)) if text else None
    if moment is None or moment.year not in YEARS:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def clamped(moment: datetime | None, now: datetime) -> datetime | None:
    """Return `now` for a moment up to SMALL_STEP ahead of it, and None for one further ahead.

    Clocks differ, and some feeds name the winter zone in summer (node-feedparser #85): that is
    no reason to doubt a date. What lies further ahead tells no date of publication.
    """
    if moment is None or moment <= now:
        return moment
    return now if moment <= now + SMALL_STEP else None


def day_in_path(url: str) -> date | None:
    """Return the day a URL's path names (/2025/08/05/, /2025/aug/05/, 2025-08-05), or None.

    A year and month alone name no day, nor do numbers of one digit (legislation.gov.uk has
    /2014/6/1) or digits inside a longer number.
    """
    found = _DAY_IN_PATH.search(url.partition("//")[2].partition("?")[0].lower())
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[3] or _MONTHS[found[4]]), int(found[5]))
    except ValueError:
        return None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text.upper()), datetime.min.time(), UTC)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def _spelt(text: str) -> datetime | None:
    for pattern in _DATES:
        found = pattern.search(text)
        if found is None:
            continue
        part = found.groupdict()
        year = int(part["y"])
        if len(part["y"]) == 2:  # RFC 5322 section 4.3
            year += 2000 if year < 50 else 1900
        month = int(part.get("m") or _MONTHS.get(part.get("name") or "", 1))
        day = int(part["d"] or 1)
        if month > 12 and found.start("d") == found.start():  # an American wrote it
            month, day = day, month
        around = f"{text[found.end() :]} | {text[: found.start()]}"
        try:
            return _at_time(datetime(year, month, day), part.get("rest") or around)
        except (ValueError, OverflowError):  # the latter for 24:00 on the last day of 9999
            continue
    return None


def _at_time(day: datetime, text: str) -> datetime:
    """Add the time and zone in the text to a naive day; raise ValueError for no such time."""
    time = next((one for one in _TIME.finditer(text) if one["m"] or one["half"]), None)
    if time is None:
        return day.replace(tzinfo=UTC)
    hour, minute, second = (int(time[part] or 0) for part in "hms")
    if time["half"]:
        hour = hour % 12 + (12 if time["half"] == "p" else 0)
    if hour > 24 or minute > 59 or second > 60:  # 24:00 ends a day, :60 is a leap second
        raise ValueError(f"no such time: {time[0]}")
    moment = day + timedelta(hours=hour, minutes=minute, seconds=second)
    zone = _ZONE.match(text, time.end())
    if zone and zone["sign"]:  # GMT+1 and BST+0100 both tell how far from UTC
        ahead = timedelta(hours=int(zone["h"]), minutes=int(zone["m"] or 0))
        return moment.replace(tzinfo=timezone(ahead if zone["sign"] == "+" else -ahead))
    if zone and zone["name"] in _HOURS_AHEAD:
        return moment.replace(tzinfo=timezone(timedelta(hours=_HOURS_AHEAD[zone["name"]])))
    return moment
