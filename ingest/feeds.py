"""Feed bytes -> entries: RSS, RDF and Atom through feedparser, JSON Feed by our own reader."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ValidationError

from ingest.dates import Order, infer_order, likely_locale, parse_date
from ingest.errors import FeedError
from ingest.fulltext import worth_keeping
from ingest.lenient import MAX_ENTRIES, is_newest_first, newest, read_xml
from ingest.links import (
    Bases,
    Link,
    absolute,
    channel_link,
    enclosures,
    is_page,
    last_resorts,
    story_links,
)
from ingest.plain import decoded, mended, plain
from ingest.urls import MAX_LENGTH, canonical, host_of, refusal, unwrapped
from storage.model import Entry, Timing

MAX_BYTES = 10_000_000  # of decoded body, as rss-fetcher has it; miniflux takes 15 MiB
VERSION = 2  # raise it when the same bytes give other entries: validators are then dropped
MAX_TITLE, MAX_SUMMARY, MAX_DATE = 500, 4_000, 100  # characters

_NO_LINK = {"", "#", "-", "n/a", "na", "nil", "none", "null", "undefined", "about:blank"}
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
    links: tuple[str, ...]  # that may be the story's, in the order of ingest.links
    guid: str
    published: str
    updated: str
    summary: str
    original: str = ""  # what a feed proxy put aside
    permalink: str = ""  # a guid that may be one
    permalink_outranks: bool = False  # a link that says little: RSS
    last_resorts: tuple[str, ...] = ()
    enclosures: Set[str] = frozenset()  # URLs of files that come with it
    content: str = ""  # HTML
    cut_off: bool = False  # the feed ends in the middle of it


class _Raw(NamedTuple):
    title: str
    format: str
    announced: list[_Announced]
    timing: Timing
    note: str
    links: Mapping[str, str]
    channel: str = ""  # the feed's own link to its site, absolute
    locale: str = ""


class _Context(NamedTuple):
    """What a feed's links and dates are read by."""

    source: str
    bases: Bases
    from_host: str
    tracking: Set[str]
    order: Order
    own: Set[str] = frozenset()  # canonical URLs of the feed and of its channel

    def pages(self, links: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield link, made absolute, and canonical URL of those that lead where we may go."""
        for one in links:
            with suppress(ValueError):
                link = self.bases.joined(one)
                url = canonical(unwrapped(link), self.tracking, self.from_host)
                if not refusal(url):
                    yield link, url

    def refusal(self, link: str) -> str:
        """Return why a link is not followed."""
        try:
            url = canonical(self.bases.joined(link), self.tracking, self.from_host)
            return refusal(url) or "bad_link"
        except ValueError:
            return "bad_link"


def parse_feed(
    content: bytes,
    content_type: str,
    base_url: str,
    source: str,
    tracking: Set[str] = frozenset(),
    max_bytes: int = MAX_BYTES,
    *,
    languages: Sequence[str] = (),
    now: datetime | None = None,
) -> ParsedFeed:
    """Read a feed's decoded body.

    `content_type` is the header's value or ""; `base_url` is the URL that answered; `source` is
    the feed's own URL; `tracking` names more parameters for canonical to remove. Which of an
    entry's links is the story's says ingest.links; `languages` are those that are wanted, the
    best first. The order of day and month is inferred from all dates of the feed (see
    ingest.dates), for which `now` helps. What can be recovered from an ill-formed feed is
    kept, with a note: to be ill-formed is no failure by itself.

    Raises FeedError and nothing else: too_large (bytes or tags), not_a_feed (empty, HTML or
    something else), unparseable (entities without bounds, or nothing in it can be used).
    """
    if len(content) > max_bytes:
        raise FeedError("too_large", f"bytes={len(content)} wanted={max_bytes} or fewer")
    text = decoded(content, content_type).strip("\ufeff \t\r\n")
    if text.startswith("{"):
        raw = _from_json(mended(text), base_url)
    else:
        raw = _from_xml(text, base_url, languages)
    from_host = ""
    with suppress(ValueError):
        from_host = host_of(source)
    context = _Context(
        source,
        Bases(document=base_url, channel=raw.channel, is_atom=raw.format.startswith("atom")),
        from_host,
        tracking,
        infer_order(
            (one.published or one.updated for one in raw.announced),
            now,
            likely_locale(raw.locale, from_host),
        ),
    )
    own = context.pages((base_url, raw.channel))
    context = context._replace(own={url for _, url in own})
    entries: list[Entry] = []
    refused: list[Refused] = []
    taken: set[str] = set()
    for number, one in enumerate(raw.announced):
        judged = _judged(one, number, context, taken)
        if isinstance(judged, Entry):
            entries.append(judged)
            taken.add(judged.url)
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


def _judged(one: _Announced, number: int, context: _Context, taken: Set[str]) -> Entry | Refused:
    title = plain(one.title, MAX_TITLE)
    published = parse_date(one.published, order=context.order)
    link, url, reason = _story(one, context, taken)
    if reason:
        reason = "cut_off" if one.cut_off else reason
        link = _CREDENTIALS.sub("//", plain(link, MAX_LENGTH))
        return Refused(place=number, title=title, link=link, reason=reason, published=published)
    return Entry(
        url=url,
        link=link,
        title=title,
        source=context.source,
        guid=one.guid or None,
        published=published,
        updated=parse_date(one.updated, order=context.order),
        summary=plain(one.summary, MAX_SUMMARY),
        content=worth_keeping(one.content),
        date_text=plain(one.published, MAX_DATE),
    )


def _story(one: _Announced, context: _Context, taken: Set[str]) -> tuple[str, str, str]:
    """Return link, canonical URL and "" of an entry's story, or a link, "" and why it is none."""
    links = [link for link in one.links if link.lower() not in _NO_LINK]
    found = next(context.pages(links), None)
    guid = absolute(one.permalink)
    permalink = next(context.pages([guid] if guid and is_page(guid, one.enclosures) else []), None)
    if found and permalink and one.permalink_outranks and permalink[1] not in taken:
        files = {url for _, url in context.pages(one.enclosures)}
        if any(found[1] in urls for urls in (taken, context.own, files)):
            found = permalink
    if original := next(context.pages([one.original] if one.original else []), None):
        found = (found or original)[0], original[1]
    found = found or permalink or next(context.pages(one.last_resorts), None)
    if found:
        return (*found, "")
    if links:
        return links[-1], "", context.refusal(links[-1])
    return next(iter(one.links), "") or one.permalink, "", "no_link"


# --- RSS, RDF, Atom -------------------------------------------------------------------------


def _from_xml(text: str, base_url: str, languages: Sequence[str]) -> _Raw:
    reading = read_xml(text, base_url)
    rss = not reading.format.startswith("atom")
    return _Raw(
        title=_text(reading.feed, "title"),
        format=reading.format or "unknown",
        announced=[_announced_in_xml(entry, rss, languages) for entry in reading.entries],
        timing=_timing(reading.feed),
        note=reading.note,
        links=_links(reading.feed),
        channel=channel_link(_every_link(reading.feed), base_url),
        locale=_text(reading.feed, "language"),
    )


def _announced_in_xml(entry: dict[str, Any], rss: bool, languages: Sequence[str]) -> _Announced:
    links, guid = _every_link(entry), _text(entry, "id")
    published = _text(entry, "published") or _text(entry, "created")
    contents = dict.get(entry, "content", ())  # content:encoded, Atom's, or a second description
    updated = _text(entry, "updated")  # in RSS mostly dc:date, of publication
    sources = [Link(_text(one, "src"), type=_text(one, "type")) for one in contents]
    originals = (_text(entry, key) for key in dict.keys(entry) if key.endswith("_origlink"))
    return _Announced(
        title=_text(entry, "title"),
        links=tuple(story_links(links, [link for link in sources if link.href], languages)),
        original=next(originals, ""),
        permalink=guid if dict.get(entry, "permalink") else "",
        permalink_outranks=rss,
        last_resorts=tuple(last_resorts(links)),
        enclosures=enclosures(links),
        guid=plain(guid, MAX_LENGTH),
        published=published or (updated if rss else ""),
        updated=updated,
        summary=_text(entry, "summary"),
        content=max((_text(entry, "summary"), *map(_markup, contents)), key=len),
        cut_off="cut_off" in dict.keys(entry),
    )


def _every_link(fields: dict[str, Any]) -> list[Link]:
    """Return the links of an entry or a feed; markup in one's text counts as its URL."""
    marked = dict.get(fields, "a")
    inner = _text(marked, "href") if isinstance(marked, dict) else ""
    found = []
    for one in dict.get(fields, "links", ()):
        href, is_text = _text(one, "href"), "is_text" in dict.keys(one)
        href = inner if inner and is_text and not absolute(href) else href
        rel, kind, language = (dict.get(one, key, "") for key in ("rel", "type", "hreflang"))
        found.append(Link(href, rel, kind, language, is_text))
    return found


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
    home_page_url: Text = ""
    language: Text = ""
    items: list[object] | None = None  # a program in Go writes an empty list as null


def _from_json(text: str, base_url: str) -> _Raw:
    try:
        feed = _JsonFeed.model_validate(json.loads(text))
    except (ValueError, RecursionError) as error:  # pydantic's is a ValueError
        raise FeedError("not_a_feed", f"JSON that is no feed: {type(error).__name__}") from error
    version = re.fullmatch(r"https?://(?:www\.)?jsonfeed\.org/version/(1(?:\.1)?)/?", feed.version)
    if version is None:
        raise FeedError("not_a_feed", f"JSON without a JSON Feed version: {feed.version[:80]!r}")
    items, note = feed.items or [], ""
    if len(items) > MAX_ENTRIES:
        moments = [parse_date(_date_in_json(one)) for one in items]
        last = is_newest_first(moments[:MAX_ENTRIES])
        note = f"only the {'first' if last else 'newest'} {MAX_ENTRIES} entries were read"
        places = range(MAX_ENTRIES) if last else newest(moments, MAX_ENTRIES)
        items = [items[place] for place in places]
    return _Raw(
        title=feed.title,
        format="json" + version[1].replace(".", ""),
        announced=[_announced_in_json(one) for one in items],
        timing=Timing(),
        note=note,
        links={"next": feed.next_url},
        channel=channel_link([Link(feed.home_page_url)], base_url),
        locale=feed.language,
    )


def _date_in_json(fields: object) -> str:
    if not isinstance(fields, dict):
        return ""
    return _as_text(fields.get("date_published") or fields.get("date_modified"))


def _announced_in_json(fields: object) -> _Announced:
    try:
        entry = _JsonEntry.model_validate(fields)
    except ValidationError:
        entry = _JsonEntry()
    return _Announced(
        title=entry.title,
        links=tuple(filter(None, (entry.url, entry.external_url))),
        permalink=entry.id,
        guid=plain(entry.id, MAX_LENGTH),
        published=entry.date_published,
        updated=entry.date_modified,
        summary=entry.summary or entry.content_text or entry.content_html,
        content=entry.content_html or _paragraphs(entry.content_text),
    )
