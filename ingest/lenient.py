"""feedparser, driven so that no text can hurt: RSS 0.9x to 2.0, RDF and Atom, well formed or not.

feedparser.parse itself is never called: it opens what it is given when that names a file or
a URL, one odd element makes it raise, and some megabytes (an author without end, tags,
nested xml:base) keep it busy for hours: all measured with 6.0.14, and pinned below 7 since
we lean on its inside. So we cut off the prologue with its DTD and drive its two parsers.
"""

import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple, Self
from xml.sax import SAXException
from xml.sax.expatreader import ExpatParser
from xml.sax.xmlreader import AttributesNSImpl

from feedparser.api import LooseFeedParser, StrictFeedParser
from feedparser.mixin import _FeedParserMixin

from ingest.dates import infer_order, parse_date
from ingest.errors import FeedError
from ingest.plain import plain
from ingest.repair import document, named
from ingest.urls import unescaped
from ingest.walls import by_words

MAX_ENTRIES = 2_000  # of one feed, as rss-fetcher has it; the newest
MOSTLY = 0.9  # of the dates: one entry may be pinned to the top
MAX_TAGS = 300_000  # a real feed of 10 MB has fewer; these take 12 s at worst (measured)
MAX_MENDED = 3_000_000  # characters for the parser of ill-formed XML: at most 7 s (measured)
MAX_NAMESPACES = 100  # feedparser walks through all of them at every element
MAX_ATTRIBUTES = 50  # of one element; feedparser walks through all of them for each
MAX_BASE = 2_048  # characters of a joined xml:base

_ROOTS = named("rss", "feed", "rdf", "channel", "entry", "item")
_NO_BASE = "#no-xml-base"  # marks the document's own URL, from which links are joined later
_TITLE = re.compile(r"<title\b[^>]*>\s*([^<]*)", re.IGNORECASE)
_UNUSED_SPACES = {"cc", "creativeCommons", "geo", "georss", "gml", "itunes", "media", "psc"}
_UNUSED = {
    "author", "category", "contributor", "creator", "keywords", "managingeditor", "publisher",
    "subject", "tags", "webmaster",
}  # fmt: skip
_SLIPS = (AssertionError, AttributeError, LookupError, TypeError, ValueError)  # of feedparser's


class Reading(NamedTuple):
    """What feedparser made of a text; its names for formats and fields."""

    format: str  # rss20, rss10, atom10 ...; "" when it could not tell
    feed: dict[str, Any]
    entries: list[dict[str, Any]]
    note: str  # what was wrong with the text, or was left out


def read_xml(text: str, base_url: str) -> Reading:
    """Read a feed's text, as ingest.plain.decoded left it; what is ill-formed is repaired first.

    Links come out joined to xml:base, itself joined to `base_url`; without xml:base they stay
    as they are, and guids always do. feed["skip_hours"] and feed["skip_days"] are lists.

    Raises FeedError: not_a_feed, unparseable or too_large.
    """
    found = document(text, _ROOTS)
    if found is None:
        sign = by_words(text[:10_000], *_TITLE.findall(text, 0, 10_000)) if "<" in text else ""
        raise FeedError("bot_wall" if sign else "not_a_feed", sign or _described(text))
    if (tags := found.text.count("<")) > MAX_TAGS:
        raise FeedError("too_large", f"tags={tags} wanted={MAX_TAGS} or fewer")
    base = f"{base_url}{_NO_BASE}" if "base=" in found.text else ""  # joining all costs 40 %
    reading = _read(found.text, base, found.wrong)
    if reading.note and not reading.entries and not found.whole:
        raise FeedError("unparseable", f"it ends before its first entry; {reading.note}")
    if not found.whole and reading.entries and not dict.get(reading.entries[-1], "link"):
        reading.entries[-1]["cut_off"] = True  # in the middle of it: next time it will be whole
    return reading._replace(note="; ".join(filter(None, (reading.note, found.note))))


def _read(text: str, base: str, wrong: str) -> Reading:
    """Read with the parser of XML, or the other where something is `wrong` or it slips."""
    note, parser = wrong, _Strict(base, None, "utf-8")
    reader = _Reader(namespaceHandling=1)
    reader.setContentHandler(parser)
    try:
        try:
            if not wrong:
                reader.parse(io.BytesIO(text.encode()))
        except (SAXException, *_SLIPS) as error:
            note = _named(error)
        if note:
            parser = _Loose(base, None, "utf-8", {})
            if len(text) > MAX_MENDED:
                note += f"; only its first {MAX_MENDED} characters were read"
            parser.feed(text[:MAX_MENDED])
    except _EnoughError as enough:
        note += f"; {enough}"
    except _SLIPS as error:
        note += f"; read until {_named(error)}"
    if len(parser.entries) > MAX_ENTRIES:
        parser.drop_older()
    if parser.dropped:
        note += f"; only the newest {MAX_ENTRIES} entries were read"
    return Reading(parser.version, parser.feeddata, parser.entries, note.strip("; "))


def is_newest_first(moments: Sequence[datetime | None]) -> bool:
    """Tell whether what comes next in a list is older: most of its dates fall, or it has none."""
    dated = [moment for moment in moments if moment]
    falls = sum(a >= b for a, b in pairwise(dated))
    return falls >= MOSTLY * (len(dated) - 1)


def newest(moments: Sequence[datetime | None], most: int) -> list[int]:
    """Return the places of the `most` newest in a list, in its order.

    What has no date is as old as its neighbour before it, or else behind it. Where all are
    alike, or none has a date, the first stay.
    """
    known = next(filter(None, moments), datetime.min.replace(tzinfo=UTC))
    ages: list[datetime] = []
    for moment in moments:
        known = moment or known
        ages.append(known)
    by_age = sorted(range(len(ages)), key=ages.__getitem__, reverse=True)  # a stable sort
    return sorted(by_age[:most])


def _dates(entries: Sequence[dict[str, Any]]) -> list[datetime | None]:
    texts = [str(dict.get(one, "published") or dict.get(one, "updated") or "") for one in entries]
    order = infer_order(texts)
    return [parse_date(text, order=order) for text in texts]


def _named(error: Exception) -> str:
    what = error.getMessage() if isinstance(error, SAXException) else error
    return f"{type(error).__name__}: {what}"


def _described(text: str) -> str:
    title = _TITLE.search(text, 0, 10_000)
    if title:  # of a page, such as a bot wall's
        return f"a page titled {plain(title[1], 80)!r}"
    return f"it begins {' '.join(text[:80].split())!r}" if text else "empty body"


class _EnoughError(Exception):
    """The parser has seen all that we take from one feed."""


class _Flat(dict[str, Any]):
    """What feedparser notes of a text; it copies that for each, with all that may lie below."""

    def __deepcopy__(self, _seen: object) -> Self:
        return type(self)(self)


class _Lean(_FeedParserMixin):  # type: ignore[misc]  # feedparser has no types
    """feedparser's way with each tag, less what we do not need and a hostile feed could use."""

    resolve_relative_uris = False  # inside markup: we keep its words only
    sanitize_html = False
    can_be_relative_uri = _FeedParserMixin.can_be_relative_uri - {"id"}  # a guid stays as is

    contentparams: dict[str, Any]
    dropped = 0  # entries, older than those that are kept

    def unknown_starttag(self, tag: str, attributes: list[tuple[str, str]]) -> None:
        super().unknown_starttag(self._known_as(tag), attributes)
        if len(self.baseuri) > MAX_BASE or len(self.namespaces_in_use) > MAX_NAMESPACES:
            raise _EnoughError("xml:base too long, or too many namespaces")

    def unknown_endtag(self, tag: str) -> None:
        super().unknown_endtag(self._known_as(tag))

    def _known_as(self, tag: str) -> str:
        prefix, _, name = tag.rpartition(":")
        unused = self.namespacemap.get(prefix, prefix) in _UNUSED_SPACES or name in _UNUSED
        return f"other:{name}" if unused else tag  # which means nothing to feedparser

    def resolve_uri(self, uri: str) -> str:
        if self.baseuri.endswith(_NO_BASE) or not (self.baseuri or "///" in uri):
            return uri
        joined: str = super().resolve_uri(uri)
        return joined

    def push_content(self, *arguments: Any) -> None:
        super().push_content(*arguments)
        self.contentparams = _Flat(self.contentparams)

    def _end_published(self) -> None:  # without feedparser's reading of it: we read dates ourselves
        self.pop("published")

    def _end_updated(self) -> None:
        self.pop("updated")

    _end_issued = _end_pubdate = _end_published
    _end_modified = _end_lastbuilddate = _end_updated

    def _start_item(self, attributes: dict[str, str]) -> None:
        if len(self.entries) == MAX_ENTRIES and not self.dropped:
            if is_newest_first(_dates(self.entries)):
                raise _EnoughError(f"only the first {MAX_ENTRIES} entries were read")
        elif len(self.entries) == 2 * MAX_ENTRIES:
            self.drop_older()
        super()._start_item(attributes)

    _start_entry = _start_item

    def drop_older(self) -> None:
        """Keep the newest MAX_ENTRIES of the entries so far."""
        kept = newest(_dates(self.entries), MAX_ENTRIES)
        self.dropped += len(self.entries) - len(kept)
        self.entries[:] = [self.entries[place] for place in kept]
        self.property_depth_map.clear()  # of entries that are whole

    def _start_link(self, attributes: dict[str, str]) -> None:
        super()._start_link(attributes)
        links = dict.get(self._get_context(), "links")
        if links and "href" not in attributes and not (self.inentry and self.inimage):
            links[-1]["is_text"] = True

    def _end_link(self) -> None:  # before feedparser's way with "&": it takes semicolons off
        if self.elementstack and self.elementstack[-1][0] == "link":
            pieces = self.elementstack[-1][2]
            texts = (one.decode() if isinstance(one, bytes) else one for one in pieces)
            self.elementstack[-1][2] = [unescaped("".join(texts))]
        super()._end_link()

    def _start_guid(self, attributes: dict[str, str]) -> None:
        super()._start_guid(attributes)
        said = attributes.get("ispermalink", "true").strip().lower()
        self._save("permalink", said not in ("false", "0", "no"))

    _start_id = _start_guid

    def _end_source(self) -> None:  # feedparser's copies all it holds, each time
        self.insource = 0
        self.pop("source")
        self.sourcedata.clear()

    def _end_hour(self) -> None:
        self._skip("skip_hours", self.pop("hour"))

    def _end_day(self) -> None:
        self._skip("skip_days", self.pop("day"))

    def _skip(self, key: str, value: str | None) -> None:
        if value and not self.inentry:
            self.feeddata.setdefault(key, []).append(value)


class _Strict(_Lean, StrictFeedParser):  # type: ignore[misc]  # feedparser has no types
    def startElementNS(  # noqa: N802  # a name of xml.sax
        self, name: tuple[str | None, str], qname: str | None, attributes: AttributesNSImpl
    ) -> None:
        if len(attributes) > MAX_ATTRIBUTES:
            raise _EnoughError("an element with too many attributes")
        if name[0] is None and not attributes and not self.decls:  # what most are: 3 times as fast
            self.unknown_starttag(name[1].lower(), [])
        else:
            super().startElementNS(name, qname, attributes)

    def endElementNS(self, name: tuple[str | None, str], qname: str | None) -> None:  # noqa: N802
        if name[0] is None:
            self.unknown_endtag(name[1].lower())
        else:
            super().endElementNS(name, qname)


class _Loose(_Lean, LooseFeedParser): ...  # type: ignore[misc]  # feedparser has no types


class _Reader(ExpatParser):
    """The standard XML reader, handing on text in whole runs: 3 times as fast (measured)."""

    def reset(self) -> None:
        super().reset()
        self._parser.buffer_text = True  # type: ignore[attr-defined]  # typeshed leaves it out
