"""Sitemap bytes -> where stories lie: urlset, index, news sitemap, plain text, RSS or Atom. Pure.

The formats are sitemaps.org's protocol and Google's news extension of it. What a sitemap says of
time is only good for telling what need not be looked at: lastmod is often touched in bulk.
"""

import io
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from lxml import etree

from ingest.dates import Order, infer_order, parse_date
from ingest.errors import FeedError
from ingest.feeds import MAX_TITLE, parse_feed
from ingest.plain import decoded, mended, plain
from ingest.repair import document, named
from ingest.urls import unescaped

MAX_BYTES = 50_000_000  # of one file, unzipped, and
MAX_PLACES = 50_000  # URLs in it: both sitemaps.org/protocol.html
MAX_DAYS = 200_000  # characters in which the order of day and month is looked for

_ROOTS = named("urlset", "sitemapindex", "rss", "feed", "rdf")
_DAY = re.compile(r"<(?:[\w.-]+:)?(?:lastmod|publication_date)>\s*([^<]{6,40})", re.IGNORECASE)


class Located(NamedTuple):
    """One URL of a sitemap, as written there."""

    url: str
    changed: datetime | None = None  # lastmod, aware, UTC
    published: datetime | None = None  # news sitemaps and feeds only; aware, UTC
    title: str = ""
    keywords: str = ""


class Sitemap(NamedTuple):
    """One file; its URLs are read as they are taken, so that memory stays flat."""

    is_index: bool  # they are sitemaps themselves
    places: Iterator[Located]  # raises FeedError where the file breaks off


def read_sitemap(
    content: bytes, content_type: str, base_url: str, max_bytes: int = MAX_BYTES
) -> Sitemap:
    """Read a sitemap's decoded body, which may be a .gz file still; `content_type` may be "".

    Raises FeedError and nothing else, here or while the places are taken: not_a_feed (HTML or
    something else), unparseable (entities without bounds; ill-formed), too_large, bad_encoding.
    """
    content = _unzipped(content, max_bytes)
    if len(content) > max_bytes:
        raise FeedError("too_large", f"bytes={len(content)} wanted={max_bytes} or fewer")
    text = decoded(content, content_type).strip("\ufeff \t\r\n")
    if text.startswith(("http://", "https://")):
        lines = (line.strip() for line in mended(text).splitlines())
        return Sitemap(False, _capped(Located(url=line) for line in lines if line))
    found = document(text, _ROOTS)
    if found is None:
        raise FeedError("not_a_feed", f"no sitemap: it begins {' '.join(text[:80].split())!r}")
    if found.root in ("urlset", "sitemapindex"):
        return Sitemap(found.root == "sitemapindex", _capped(_from_xml(found.text)))
    return Sitemap(False, _from_feed(content, content_type, base_url))


def _unzipped(content: bytes, most: int) -> bytes:
    """Return what a .gz file holds, its members in a row, unzipped up to one byte beyond `most`."""
    unzipped = bytearray()
    left = content
    while left.startswith(b"\x1f\x8b") and len(unzipped) <= most:
        gunzip = zlib.decompressobj(wbits=31)
        try:
            unzipped += gunzip.decompress(left, most + 1 - len(unzipped))
        except zlib.error as error:
            raise FeedError("bad_encoding", f"gzip: {error}") from error
        if not gunzip.eof and len(unzipped) <= most:
            raise FeedError("bad_encoding", "gzip: ends in mid-stream")
        left = gunzip.unused_data
    return bytes(unzipped) if content.startswith(b"\x1f\x8b") else content


def _capped(places: Iterator[Located]) -> Iterator[Located]:
    for count, place in enumerate(places):
        if count == MAX_PLACES:
            raise FeedError("too_large", f"only its first {MAX_PLACES} URLs were read")
        yield place


def _from_xml(text: str) -> Iterator[Located]:
    first = _DAY.search(text)  # as the W3C has them, except where a template has its own way
    order = infer_order(_DAY.findall(text, 0, MAX_DAYS)) if first and "/" in first[1] else None
    steps = etree.iterparse(
        io.BytesIO(text.encode()),
        tag=("{*}url", "{*}sitemap"),
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for _, element in steps:
            if place := _located(element, order or Order.DAY_FIRST):
                yield place
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise FeedError("unparseable", f"not well-formed: {error.msg}") from error


def _located(element: etree._Element, order: Order) -> Located | None:
    said = {child.tag.rpartition("}")[2]: child for child in element.iterchildren("*")}
    url = unescaped(_text(said, "loc"))  # escaped twice, or in CDATA
    changed = parse_date(_text(said, "lastmod"), order=order) if "lastmod" in said else None
    if not url or "news" not in said:
        return Located(url, changed) if url else None
    news = {child.tag.rpartition("}")[2]: child for child in said["news"].iterchildren("*")}
    return Located(
        url=url,
        changed=changed,
        published=parse_date(_text(news, "publication_date"), order=order),
        title=plain(_text(news, "title"), MAX_TITLE),
        keywords=plain(_text(news, "keywords"), MAX_TITLE),
    )


def _text(said: Mapping[str, etree._Element], name: str) -> str:
    return ((said[name].text if name in said else "") or "").strip()


def _from_feed(content: bytes, content_type: str, base_url: str) -> Iterator[Located]:
    for entry in parse_feed(content, content_type, base_url, base_url).entries:
        yield Located(
            url=entry.url, changed=entry.updated, published=entry.published, title=entry.title
        )
