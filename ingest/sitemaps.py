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

from ingest.dates import parse_date
from ingest.errors import FeedError
from ingest.feeds import MAX_TITLE, parse_feed
from ingest.plain import decoded, mended, plain

MAX_BYTES = 50_000_000  # of one file, unzipped, and
MAX_PLACES = 50_000  # URLs in it: both sitemaps.org/protocol.html

_ROOT = re.compile(r"<(?:[\w.-]+:)?([a-z]+)\b", re.IGNORECASE)
_MISC = re.compile(r"(?:\s*+(?:<!--.*?-->|<\?.*?\?>|<!doctype\b[^<>\[]*+>))*+\s*", re.S | re.I)
_BARE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#[xX][0-9a-fA-F]+);)")


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
    something else), unparseable (a DTD with entities; ill-formed), too_large, bad_encoding.
    """
    content = _unzipped(content, max_bytes)
    if len(content) > max_bytes:
        raise FeedError("too_large", f"bytes={len(content)} wanted={max_bytes} or fewer")
    text = mended(decoded(content, content_type))
    start = _MISC.match(text)
    text = text[start.end() :] if start else text  # with it goes any DTD
    root = _ROOT.match(text)
    match root[1].lower() if root else "":
        case "urlset" | "sitemapindex" as name:
            return Sitemap(name == "sitemapindex", _capped(_from_xml(text)))
        case "rss" | "feed" | "rdf":
            return Sitemap(False, _from_feed(content, content_type, base_url))
        case "" if text.startswith(("http://", "https://")):
            lines = (line.strip() for line in text.splitlines())
            return Sitemap(False, _capped(Located(url=line) for line in lines if line))
    if text[:9].lower() == "<!doctype" and "<!ENTITY" in text:
        raise FeedError("unparseable", "its DTD declares entities, which we do not expand")
    raise FeedError("not_a_feed", f"no sitemap: it begins {' '.join(text[:80].split())!r}")


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
    content = _BARE.sub("&amp;", text).encode()  # many write & as it is; no entity is left
    steps = etree.iterparse(
        io.BytesIO(content),
        tag=("{*}url", "{*}sitemap"),
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for _, element in steps:
            if place := _located(element):
                yield place
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise FeedError("unparseable", f"not well-formed: {error.msg}") from error


def _located(element: etree._Element) -> Located | None:
    said = {child.tag.rpartition("}")[2]: child for child in element.iterchildren("*")}
    url = _text(said, "loc").replace("&amp;", "&")  # escaped twice, or in CDATA
    changed = parse_date(_text(said, "lastmod")) if "lastmod" in said else None
    if not url or "news" not in said:
        return Located(url, changed) if url else None
    news = {child.tag.rpartition("}")[2]: child for child in said["news"].iterchildren("*")}
    return Located(
        url=url,
        changed=changed,
        published=parse_date(_text(news, "publication_date")),
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
