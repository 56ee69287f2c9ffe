"""The dates that sites write, read as a British reader would; there is no clock in here.

Months and weekdays are known in the languages of the United Kingdom (English, Welsh, Scottish
Gaelic, Irish, Scots, Cornish), in French, German, Spanish, Italian, Portuguese, Dutch, Polish and
the Scandinavian languages, in full and in their usual short forms. A word that only begins like
one is none: no day is better than a wrong one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import cache
from itertools import islice, pairwise
from typing import NamedTuple
from unicodedata import combining, normalize
from zoneinfo import ZoneInfo, available_timezones

LONDON = ZoneInfo("Europe/London")
YEARS = range(1990, 2101)  # outside lie placeholders: 0001 (.NET), 1970 (Unix), 9999
SMALL_STEP = timedelta(hours=24)  # a feed that says GMT all summer is at most 1 h ahead
MAX_TEXT = 100  # characters looked at of a date
MAX_TEXTS = 4_000  # dates looked at for the order of day and month: as many as two feeds have
FEW = 3  # dates: two are always sorted, and three by chance in one case of three

_SHORT = {  # English, then Welsh: what a path may name
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
    "ion": 1, "chw": 2, "maw": 3, "ebr": 4, "mai": 5, "meh": 6,
    "gor": 7, "aws": 8, "med": 9, "hyd": 10, "tac": 11, "rha": 12,
}  # fmt: skip
_MONTHS = _SHORT | {  # without accents; no word stands for two months in two of these languages
    name: number
    for number, names in enumerate(
        (
            "january ionawr faoilleach fhaoilleach faoi eanair genver janvier janv januar janner "
            "enero ene gennaio gen janeiro januari stycznia styczen sty",
            "february chwefror chwef chwe gearran ghearran gearr feabhra feabh februar hwevrer "
            "hwevrel fevrier fevr fev feber febrero febbraio fevereiro februari lutego luty lut",
            "march mawrth fawrth mart mhart marta mairch meurth mars marz maerz mrz marzo marco "
            "maart mrt marca marzec marts",
            "april ebrill giblean ghiblean gibl aibrean aib apryle ebrel avril avr abril abr "
            "aprile kwietnia kwiecien kwi",
            "may fai ceitean cheitean ceit bealtaine beal mey maj mayo maggio mag maio mei maja",
            "june mehefin fehefin mehef ogmhios ogmh meitheamh meithimh meith juin metheven juni "
            "junio giugno giu junho czerwca czerwiec cze",
            "july gorffennaf orffennaf gorff iuchar iuch iuil julie gortheren juillet juil juli "
            "julio luglio lug julho lipca lipiec lip",
            "august awst lunastal lunasdal luna lunasa augist aout agosto ago augustus augusti "
            "sierpnia sierpien sie",
            "september sept medi fedi sultain sult gwynngala septembre septiembre setiembre set "
            "settembre sett setembro wrzesnia wrzesien wrz",
            "october hydref damhair damh hedra octobre oktober okt octubre ottobre ott outubro "
            "out pazdziernika pazdziernik paz",
            "november tachwedd dachwedd tach samhain samhna samh novembre noviembre novembro "
            "listopada listopad lis",
            "december rhagfyr ragfyr rhag dubhlachd dubh nollaig nollag noll kevardhu decembre "
            "dezember dez diciembre dic dicembre dezembro grudnia grudzien gru desember",
        ),
        start=1,
    )
    for name in names.split()
} | {  # whose second word is needed
    "mean fomhair": 9, "deireadh fomhair": 10, "mis me": 5, "mis est": 8, "mis du": 11,
}  # fmt: skip
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday mon llun diluain luain lundi lun montag lunes lunedi segunda maandag "
            "poniedzialek mandag",
            "tuesday tues tue mawrth maw dimairt mairt mardi mar dienstag martes martedi terca "
            "dinsdag wtorek tirsdag tisdag",
            "wednesday wed mercher diciadain ceadaoin mercredi mer mittwoch miercoles mie "
            "mercoledi quarta woensdag sroda onsdag",
            "thursday thurs thur thu iau diardaoin deardaoin jeudi jeu donnerstag jueves jue "
            "giovedi gio quinta donderdag czwartek torsdag",
            "friday fri gwener gwe dihaoine haoine aoine vendredi ven freitag viernes vie "
            "venerdi sexta vrijdag piatek fredag",
            "saturday sat sadwrn sad disathairne sathairn samedi sam samstag sonnabend sabado "
            "sab sabato zaterdag sobota lordag",
            "sunday sun sul didomhnaich domhnaigh dimanche dim sonntag domingo dom domenica "
            "zondag niedziela sondag",
        )
    )
    for name in names.split()
}
_HOURS_AHEAD = {  # of UTC. The American ones are RFC 5322 section 4.3; BST and IST are read
    # as in Britain and Ireland (summer time), not as in Dhaka or Delhi
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "bst": 1, "ist": 1, "west": 1, "cet": 1,
    "cest": 2, "eet": 2, "eest": 3, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7,
    "mdt": -6, "pst": -8, "pdt": -7, "mez": 1, "mesz": 2, "msk": 3, "ast": -4, "adt": -3,
    "nst": -3.5, "ndt": -2.5, "akst": -9, "akdt": -8, "hst": -10, "sast": 2, "wat": 1, "cat": 2,
    "eat": 3, "pkt": 5, "sgt": 8, "hkt": 8, "awst": 8, "jst": 9, "kst": 9, "acst": 9.5,
    "acdt": 10.5, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13,
}  # fmt: skip
_AMERICAN = {"et": "New_York", "ct": "Chicago", "mt": "Denver", "pt": "Los_Angeles"}
_DAY_FIRST_HOSTS = (".uk", ".ie", ".scot", ".wales", ".cymru", ".london")
_MONTH_FIRST = {"us", "ph"}  # regions: the short dates of the Unicode CLDR
_NAME = r"(?<![a-z])(?P<name>(?:mean |deireadh )?fomhair|mis (?:me|est|du)|[a-z]{3,13})(?![a-z])\.?"
_DAY = (
    r"(?P<d>\d{1,2})(?:(?:st|nd|rd|th|er|re|eme|e|ydd|fed|ed|eg|af|ail|fain|mh|na|s|d|[\xba\xaa])"
    r"(?=[\s,.-]))?"
)
_OF = (
    r"(?:(?:of|de|del|den|dhen|da|do|an|am|mis(?! (?:me|est|du))|o|di)\s+|[da]['\u2019]\s?|t-){0,3}"
)
_NUMBERS = re.compile(
    r"(?<!\d)(?P<a>\d{1,2})(?P<mark>[-/.])(?P<b>\d{1,2})[-/.](?P<y>\d{4}|\d{2})(?!\d)", re.ASCII
)
_BIG_FIRST = re.compile(
    r"(?<!\d)(?P<y>\d{4})[-/](?P<m>\d{1,2})(?:[-/](?P<d>\d{1,2}))?(?!\d)", re.ASCII
)
_NAMED = [
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"(?<!\d){_DAY}[\s,.-]*{_OF}{_NAME}[\s,-]*(?:(?:of|de|del|do)\s+)?"
        r"(?P<y>\d{4}|\d{2})(?![\d:]|\.\d)",
        rf"{_NAME}\s*{_DAY},?\s+(?P<y>\d{{4}})\b",
        rf"{_NAME}\s+{_DAY}\s(?P<rest>\d{{1,2}}:\d\d(?::\d\d)?(?:\s[a-z]{{1,5}}|\s[+-]\d{{4}})?)"
        r"\s(?P<y>\d{4})$",  # C's asctime, and with date's zone
        rf"^(?P<d>)(?:a[nm] )?(?:t-)?{_NAME}\s+(?P<y>\d{{4}})$",
        r"^(?P<d>)(?P<y>\d{4})$",
    )
]
_TIME = re.compile(
    r"(?<!\d)(?P<h>\d{1,2})(?:[:.](?P<m>\d{2})(?:[:.](?P<s>\d{2})(?:[.,]\d+)?)?)?"
    r"(?:\s*(?P<half>[ap])\.?m\b\.?)?",
    re.ASCII,
)
_ZONE = re.compile(
    r"[\s,(\[]*(?P<area>[a-z]+(?:/[a-z_]+){1,2})?(?P<name>[a-z]+)?"
    r"(?:\s?(?P<sign>[+\u2212-])(?P<h>\d{1,2})(?::?(?P<m>\d{2}))?(?!\d))?",
    re.ASCII,
)
_SUMMER = re.compile(r"\s?(?:daylight|summer) time")  # Windows: "GMT Daylight Time" is BST
_DOT_NET = re.compile(r"(\d{1,2})/(\d{1,2})/\d{4}\s\d{1,2}:\d\d(?::\d\d)?\s[AP]M", re.ASCII)
_DAY_IN_PATH = re.compile(
    rf"[/_-](20\d\d)([/_-]?)(?:(\d\d)|({'|'.join(_SHORT)}))\2(\d\d)(?!\d)", re.ASCII
)


class Order(StrEnum):
    """Which of two numbers before a year is the day."""

    DAY_FIRST = "day first"
    MONTH_FIRST = "month first"


def parse_date(text: str, zone: tzinfo = LONDON, order: Order = Order.DAY_FIRST) -> datetime | None:
    """Return the moment a date text means, aware, in UTC; None when it cannot be told.

    Reads RFC 5322 with or without zone, ISO 8601 of any precision (the period's start is
    returned), day and month names in full or short, and numbers such as 7/8/2026. Of those the
    day is the one that is over 12, or else the one that fits the weekday in the text, or else
    the one that `order` says (see infer_order); with dots it is always the first. A time
    without zone is local to `zone`; a day without time is midnight UTC, so that it stays that
    day both in UTC and in London. Zones are known by their offset, their usual letters (BST is
    +1; feedparser 6.0.14 reads it as UTC: measured) or their IANA name. Never raises; a year
    outside YEARS gives None.
    """
    text = _folded(text)
    moment = _iso(text) if text[:1].isdigit() else None
    moment = moment or _spelt(text, order)
    if moment is None or moment.year not in YEARS:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def infer_order(texts: Iterable[str], now: datetime | None = None, locale: str = "") -> Order:
    """Return in which order one source writes day and month, by all its dates as they stand.

    `texts` are in the source's own order. The first of these that decides counts:

    1. dates that can be read in one way only: a number over 12, a weekday (the more, if both)
    2. one reading puts some of them more than a day after `now`, the other none: what is
       announced has appeared
    3. one reading has them sorted, up or down, and the other has not: lists of news are; from
       FEW dates on
    4. all have the form of .NET's en-US, which pads neither number and has a capital AM or PM
       (its en-GB pads both and counts to 24; its en-AU pads the month)
    5. `locale`, such as "en-US": by its region

    Nothing decides: the day is first, as a British reader would have it. Dates of other forms
    take part in the third. Pure; never raises.
    """
    shown = [text[:MAX_TEXT] for text in islice(texts, MAX_TEXTS)]
    if not any(map(_NUMBERS.search, shown)):  # hardly a feed has such dates
        return Order.DAY_FIRST
    shown = [" ".join(text.split()) for text in shown]
    pairs = [pair for text in shown if (pair := _two_readings(_folded(text)))]
    votes = Counter(vote for pair in pairs if (vote := pair.vote))
    if votes[Order.DAY_FIRST] != votes[Order.MONTH_FIRST]:
        return votes.most_common(1)[0][0]
    open_pairs = [pair for pair in pairs if pair.day_first != pair.month_first and not pair.vote]
    if now and open_pairs:
        latest = (now + SMALL_STEP).date()
        ahead = {order: sum(pair.read(order) > latest for pair in open_pairs) for order in Order}
        if sorted(map(bool, ahead.values())) == [False, True]:
            return min(ahead, key=ahead.__getitem__)
    if len({pair.day_first for pair in open_pairs}) >= FEW:
        in_order = [order for order in Order if _is_sorted(list(_days(shown, order)))]
        if len(in_order) == 1:
            return in_order[0]
    forms = [found for text in shown if (found := _DOT_NET.search(text))]
    padded = any(number.startswith("0") for found in forms for number in found.groups())
    if len(forms) == len(pairs) and not padded and any(len(found[2]) == 1 for found in forms):
        return Order.MONTH_FIRST
    region = re.split("[-_]", locale.strip().lower())[1:]
    return Order.MONTH_FIRST if _MONTH_FIRST & set(region) else Order.DAY_FIRST


def likely_locale(stated: str, host: str) -> str:
    """Return the locale that a site states, such as "en-US"; "" where its host knows better.

    Templates of British and Irish sites often keep the American one that they came with.
    """
    return "" if host.endswith(_DAY_FIRST_HOSTS) else stated


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
        return date(int(found[1]), int(found[3] or _SHORT[found[4]]), int(found[5]))
    except ValueError:
        return None


def _folded(text: str) -> str:
    """Return a date's text in lower case, without accents, its spaces single."""
    text = " ".join(text[:MAX_TEXT].split()).lower()
    if text.isascii():
        return text
    return "".join(one for one in normalize("NFD", text) if not combining(one))


class _Pair(NamedTuple):
    """What two numbers before a year mean; None for no day."""

    day_first: date | None
    month_first: date | None
    vote: Order | None = None  # where only one of them can be

    def read(self, order: Order) -> date:
        """Return the day that one order gives, or the only one there is."""
        first, second = self.day_first, self.month_first
        if order is Order.MONTH_FIRST:
            first, second = second, first
        day = first or second
        assert day is not None  # nobody makes a pair of none
        return day


def _two_readings(text: str) -> _Pair | None:
    """Return both readings of a text with two numbers before a year; None for other texts."""
    found = _NUMBERS.search(text)
    if found is None or _BIG_FIRST.search(text):
        return None
    return _pair(found, text)


def _pair(found: re.Match[str], text: str) -> _Pair | None:
    year, a, b = _year(found["y"]), int(found["a"]), int(found["b"])
    day_first, month_first = _day(year, b, a), _day(year, a, b)
    if day_first is None and month_first is None:
        return None
    if found["mark"] == "." and day_first:
        return _Pair(day_first, day_first)
    if day_first is None or month_first is None:
        return _Pair(day_first, month_first, Order.DAY_FIRST if day_first else Order.MONTH_FIRST)
    named = {_WEEKDAYS[word] for word in re.findall("[a-z]+", text) if word in _WEEKDAYS}
    fits = [day for day in (day_first, month_first) if {day.weekday()} == named]
    vote = None
    if len(fits) == 1:
        vote = Order.DAY_FIRST if fits[0] == day_first else Order.MONTH_FIRST
    return _Pair(day_first, month_first, vote)


def _days(texts: Iterable[str], order: Order) -> Iterator[datetime]:
    for text in texts:
        if moment := parse_date(text, UTC, order):
            yield moment


def _is_sorted(moments: Sequence[datetime]) -> bool:
    return all(a <= b for a, b in pairwise(moments)) or all(a >= b for a, b in pairwise(moments))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _year(digits: str) -> int:
    """Return a year of two digits or four: RFC 5322 section 4.3."""
    year = int(digits)
    return year if len(digits) == 4 else year + (2000 if year < 50 else 1900)


def _iso(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text.upper()), datetime.min.time(), UTC)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def _spelt(text: str, order: Order) -> datetime | None:
    found = _BIG_FIRST.search(text)
    day = _day(int(found["y"]), int(found["m"]), int(found["d"] or 1)) if found else None
    if found and day and (moment := _at_time(day, _around(found))):
        return moment
    found = _NUMBERS.search(text)
    pair = _pair(found, text) if found else None
    if found and pair and (moment := _at_time(pair.read(pair.vote or order), _around(found))):
        return moment
    for pattern in _NAMED:
        found = pattern.search(text)
        while found:
            part = found.groupdict()
            month = _MONTHS.get(part["name"]) if "name" in part else 1
            day = _day(_year(part["y"]), month, int(part["d"] or 1)) if month else None
            if day and (moment := _at_time(day, part.get("rest") or _around(found))):
                return moment
            found = pattern.search(text, found.start() + 1)
    return None


def _around(found: re.Match[str]) -> str:
    """Return what stands behind a day and before it, where the time may be."""
    return f"{found.string[found.end() :]} | {found.string[: found.start()]}"


def _at_time(day: date, text: str) -> datetime | None:
    """Return a day with the time and zone in a text, or at midnight UTC; None: no such time."""
    start = datetime(day.year, day.month, day.day)
    time = next((one for one in _TIME.finditer(text) if one["m"] or one["half"]), None)
    if time is None:
        return start.replace(tzinfo=UTC)
    hour, minute, second = (int(time[part] or 0) for part in "hms")
    if time["half"]:
        hour = hour % 12 + (12 if time["half"] == "p" else 0)
    if hour > 24 or minute > 59 or second > 60:  # 24:00 ends a day, :60 is a leap second
        return None
    try:
        moment = start + timedelta(hours=hour, minutes=minute, seconds=second)
        return moment.replace(tzinfo=_zone(_ZONE.match(text, time.end())))
    except (ValueError, OverflowError):  # an offset of 24 h; 24:00 on the last day of 9999
        return None


def _zone(found: re.Match[str] | None) -> tzinfo | None:
    if found is None:
        return None
    if found["sign"]:  # GMT+1 and BST+0100 both tell how far from UTC
        ahead = timedelta(hours=int(found["h"]), minutes=int(found["m"] or 0))
        return timezone(ahead if found["sign"] == "+" else -ahead)
    if found["area"]:
        name = _areas().get(found["area"])
        return ZoneInfo(name) if name else None
    if found["name"] in _AMERICAN:
        return ZoneInfo(f"America/{_AMERICAN[found['name']]}")
    hours = _HOURS_AHEAD.get(found["name"])
    if hours == 0 and _SUMMER.match(found.string, found.end()):
        hours = 1
    return None if hours is None else timezone(timedelta(hours=hours))


@cache
def _areas() -> dict[str, str]:
    """Return the names of the IANA's zones by their lower case."""
    return {name.lower(): name for name in available_timezones()}
