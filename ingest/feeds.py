"""Feed bytes -> entries: RSS, RDF and Atom through feedparser, JSON Feed by our own reader."""

import json
import re
from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from typing import Annotated, Any, NamedTuple
from urllib.parse import urljoin

from pydantic import BaseModel, BeforeValidator, ValidationError

from ingest.dates import parse_date
from ingest.errors import FeedError
from ingest.fulltext import worth_keeping
from ingest.lenient import MAX_ENTRIES, read_xml
from ingest.plain import decoded, mended, plain
from ingest.urls import MAX_LENGTH, canonical, host_of, refusal
from storage.model import Entry, Timing

MAX_BYTES = 10_000_000  # of decoded body, as rss-fetcher has it; miniflux takes 15 MiB
VERSION = 1  # raise it when the same bytes give other entries: validators are then dropped
MAX_TITLE, MAX_SUMMARY, MAX_DATE = 500, 4_000, 100  # characters

_CREDENTIALS = re.compile(r"//[^/@]*@")
_HOURS = {"hourly": 1, "daily": 24, "weekly": 168, "monthly": 730, "yearly": 8766}
_WEEKDAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An entry that leads nowhere we go."""

    place: int  # among all entries of its feed, from 0
    title: str
    link: str  # as announced, less credentials and what cannot be seen
    reason: str  # no_link, bad_link, google_news, home_page; cut_off: to come whole next time
    published: datetime | None = None  # aware, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFeed:
    """What one feed announced, in its order; a feed may be well and announce nothing."""

    title: str
    format: str  # rss20, rss10, atom10 ... as feedparser names them; json1, json11; unknown
    entries: tuple[Entry, ...]
    refused: tuple[Refused, ...] = ()
    timing: Timing = field(default_factory=Timing)
    note: str = ""  # what had to be mended, or was left out
    links: Mapping[str, str] = field(default_factory=dict)  # to older entries, by rel: see _links


class _Announced(NamedTuple):
    """One entry as it stands in the feed; "" for what it does not have."""

    title: str
    link: str
    link_is_guid: bool  # it has no link, only a guid, which may or may not be one
    guid: str
    published: str
    updated: str
    summary: str
    content: str = ""  # HTML
    cut_off: bool = False  # the feed ends in the middle of it


class _Raw(NamedTuple):
    title: str
    format: str
    announced: list[_Announced]
    timing: Timing
    note: str
    links: Mapping[str, str]


def parse_feed(
    content: bytes,
    content_type: str,
    base_url: str,
    source: str,
    tracking: Set[str] = frozenset(),
    max_bytes: int = MAX_BYTES,
) -> ParsedFeed:
    """Read a feed's decoded body.

    `content_type` is the header's value or ""; links are resolved from xml:base, or else
    from `base_url`, the URL that answered; `source` is the feed's own URL; `tracking` names
    more parameters for canonical to remove. What can be recovered from an ill-formed feed is
    kept, with a note: to be ill-formed is no failure by itself.

    Raises FeedError and nothing else: too_large (bytes or tags), not_a_feed (empty, HTML or
    something else), unparseable (a DTD with entities, or nothing in it can be used).
    """
    if len(content) > max_bytes:
        raise FeedError("too_large", f"bytes={len(content)} wanted={max_bytes} or fewer")
    text = mended(decoded(content, content_type)).strip()
    raw = _from_json(text) if text.startswith("{") else _from_xml(text, base_url)
    from_host = ""
    with suppress(ValueError):
        from_host = host_of(source)
    entries: list[Entry] = []
    refused: list[Refused] = []
    for place, one in enumerate(raw.announced):
        judged = _judged(one, place, base_url, source, from_host, tracking)
        if isinstance(judged, Entry):
            entries.append(judged)
        else:
            refused.append(judged)
    return ParsedFeed(
        title=plain(raw.title, MAX_TITLE),
        format=raw.format,
        entries=tuple(entries),
        refused=tuple(refused),
        timing=raw.timing,
        note=raw.note,
        links=raw.links,
    )


def _judged(
    one: _Announced, place: int, base_url: str, source: str, from_host: str, tracking: Set[str]
) -> Entry | Refused:
    title, published = plain(one.title, MAX_TITLE), parse_date(one.published)
    try:
        link = urljoin(base_url, one.link) if one.link and not one.link_is_guid else one.link
        url = canonical(link, tracking, from_host)
        reason = refusal(url)
    except ValueError:
        reason = "no_link" if one.link_is_guid or not one.link else "bad_link"
    if reason:
        reason = "cut_off" if one.cut_off else reason
        link = _CREDENTIALS.sub("//", plain(one.link, MAX_LENGTH))
        return Refused(place=place, title=title, link=link, reason=reason, published=published)
    return Entry(
        url=url,
        link=link,
        title=title,
        source=source,
        guid=one.guid or None,
        published=published,
        updated=parse_date(one.updated),
        summary=plain(one.summary, MAX_SUMMARY),
        content=worth_keeping(one.content),
        date_text=plain(one.published, MAX_DATE),
    )


# --- RSS, RDF, Atom -------------------------------------------------------------------------


def _from_xml(text: str, base_url: str) -> _Raw:
    reading = read_xml(text, base_url)
    rss = not reading.format.startswith("atom")
    return _Raw(
        title=_text(reading.feed, "title"),
        format=reading.format or "unknown",
        announced=[_announced_in_xml(entry, rss) for entry in reading.entries],
        timing=_timing(reading.feed),
        note=reading.note,
        links=_links(reading.feed),
    )


def _announced_in_xml(entry: dict[str, Any], rss: bool) -> _Announced:
    link, guid = _text(entry, "link"), _text(entry, "id")
    published = _text(entry, "published") or _text(entry, "created")
    contents = dict.get(entry, "content", ())  # content:encoded, Atom's, or a second description
    updated = _text(entry, "updated")  # in RSS mostly dc:date, of publication
    return _Announced(
        title=_text(entry, "title"),
        link=link.replace("&amp;", "&"),
        link_is_guid=link == guid and bool(dict.get(entry, "guidislink")),
        guid=plain(guid, MAX_LENGTH),
        published=published or (updated if rss else ""),
        updated=updated,
        summary=_text(entry, "summary"),
        content=max((_text(entry, "summary"), *map(_markup, contents)), key=len),
        cut_off="cut_off" in dict.keys(entry),
    )


def _links(feed: dict[str, Any]) -> dict[str, str]:
    """Return where more entries are, as written: RFC 5005.

    prev-archive (section 4), next (section 3; JSON Feed's next_url), or complete: here (section 2).
    """
    links = [(_text(one, "rel"), _text(one, "href")) for one in dict.get(feed, "links", ())]
    older = {rel: to for rel, to in reversed(links) if rel in ("prev-archive", "next")}
    return {"complete": ""} if "fh_complete" in dict.keys(feed) else older


def _timing(feed: dict[str, Any]) -> Timing:
    period, frequency = _text(feed, "sy_updateperiod"), _text(feed, "sy_updatefrequency")
    hours = _HOURS.get(period.lower() or "daily") if period or frequency else None
    times, ttl = _number(frequency or "1"), _number(_text(feed, "ttl"))
    skip_hours = {_number(hour) for hour in dict.get(feed, "skip_hours", ())}
    skip_days = {_WEEKDAYS.get(day[:3].lower()) for day in dict.get(feed, "skip_days", ())}
    return Timing(
        ttl=timedelta(minutes=ttl) if ttl else None,
        update_every=timedelta(hours=hours) / times if hours and times else None,
        skip_hours=frozenset(one % 24 for one in skip_hours if one is not None and one <= 24),
        skip_days=frozenset(one for one in skip_days if one is not None),
    )


def _text(fields: dict[str, Any], key: str) -> str:
    value = dict.get(fields, key)  # feedparser's own get answers for other keys, and warns
    return value.strip() if isinstance(value, str) else ""


def _markup(content: dict[str, Any]) -> str:
    value = _text(content, "value")
    return _paragraphs(value) if dict.get(content, "type") == "text/plain" else value


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in text.splitlines() if line.strip())


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


# --- JSON Feed 1 and 1.1: https://www.jsonfeed.org/version/1.1/ --------------------------------


def _as_text(value: object) -> str:
    """Return text as it is and numbers as text, as the specification asks for ids."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return mended(value).strip() if isinstance(value, str) else ""


Text = Annotated[str, BeforeValidator(_as_text)]


class _JsonEntry(BaseModel):
    id: Text = ""
    url: Text = ""
    external_url: Text = ""
    title: Text = ""
    summary: Text = ""
    content_text: Text = ""
    content_html: Text = ""
    date_published: Text = ""
    date_modified: Text = ""


class _JsonFeed(BaseModel):
    version: Text = ""
    title: Text = ""
    next_url: Text = ""
    items: list[object] = []


def _from_json(text: str) -> _Raw:
    try:
        feed = _JsonFeed.model_validate(json.loads(text))
    except (ValueError, RecursionError) as error:  # pydantic's is a ValueError
        raise FeedError("not_a_feed", f"JSON that is no feed: {type(error).__name__}") from error
    version = re.fullmatch(r"https?://(?:www\.)?jsonfeed\.org/version/(1(?:\.1)?)/?", feed.version)
    if version is None:
        raise FeedError("not_a_feed", f"JSON without a JSON Feed version: {feed.version[:80]!r}")
    capped = len(feed.items) > MAX_ENTRIES
    return _Raw(
        title=feed.title,
        format="json" + version[1].replace(".", ""),
        announced=[_announced_in_json(one) for one in feed.items[:MAX_ENTRIES]],
        timing=Timing(),
        note=f"only the first {MAX_ENTRIES} entries were read" if capped else "",
        links={"next": feed.next_url},
    )


def _announced_in_json(fields: object) -> _Announced:
    try:
        entry = _JsonEntry.model_validate(fields)
    except ValidationError:
        entry = _JsonEntry()
    link = entry.url or entry.external_url
    return _Announced(
        title=entry.title,
        link=link or entry.id,
        link_is_guid=not link,
        guid=plain(entry.id, MAX_LENGTH),
        published=entry.date_published,
        updated=entry.date_modified,
        summary=entry.summary or entry.content_text or entry.content_html,
        content=entry.content_html or _paragraphs(entry.content_text),
    )
