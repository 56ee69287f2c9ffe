"""Which of an entry's links is the story's. Pure: nothing is asked.

An entry's links are tried in this order; the first that leads to a page we may ask for counts,
and one that is refused (no URL, a home page, Google News) makes way for the next:

1. What a feed proxy put aside: feedburner:origLink, pheedo:origLink. The link beside it leads to
   the proxy (FeedBurner's RSS extension, namespace ext/1.0).
2. RSS: <link> as text, of two the first (RSS 2.0: "the URL of the item"). In it markup,
   <a href="...">, stands for its href.
3. rel="alternate", or none, and the type of a page (RFC 4287, 4.2.7.2 and 4.2.7.3): `rel` may be
   the IANA's IRI, several words, in any case; `type` may have parameters, and is a page's when it
   is text/html, application/xhtml+xml, empty or missing. Of several (4.1.2: one for each type
   and language) those whose `hreflang` is a language of the topic come first, in the topic's
   order, then those that name none, then the others.
4. <content src="..."> of a page's type: an Atom entry may keep its content there (4.1.3.2).
5. The permalink: an RSS guid, unless isPermaLink="false" (RSS 2.0: true by default), Atom's or
   JSON Feed's id; each only as an absolute http(s) URL that is not named like a sound or picture.
6. An alternate of another type of text: better than none.

Never replies, edit, self, via, related, enclosure or any other rel, nor a guid that is an
enclosure's URL, as podcasts have it. In RSS, a link that is the channel's own (the site's front
page, or its list of news), the feed's, an enclosure's, or one that an earlier entry of the feed
has taken, counts only where there is no permalink: NetNewsWire prefers that always (its #344).

A relative link is joined to xml:base; without one to the channel's <link>, where that is absolute
(RSS has no rule; the RSS Board's profile and most readers do so: a feed's host may be an object
store or a proxy), in Atom only where that is another site than the feed's, since RFC 3986 (5.1.3)
joins it to the document; else to the URL that answered. A guid is never joined. An "&" that was
escaped twice is undone, a redirector's target taken out of its own parameter (ingest.urls).
"""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from html import unescape
from typing import NamedTuple
from urllib.parse import urljoin

from ingest.urls import canonical, same_site, unescaped

_IANA = "http://www.iana.org/assignments/relation/"  # RFC 4287 section 4.2.7.2
_PAGES = {"text/html", "application/xhtml+xml", "html", "xhtml", ""}
_TEXTS = {"text/plain", "text/xml", "application/xml", "text", "*/*"}
_HREF = re.compile(r"<a\s[^<>]*?href\s*=\s*[\"']?([^\"'\s<>]+)", re.IGNORECASE)
_FILE = re.compile(
    r"\.(?:mp[34]|m4[av]|og[gv]|opus|wav|mov|avi|webm|jpe?g|png|gif|webp|svg|zip)(?:[?#]|$)", re.I
)
_WITHOUT_SCHEME = re.compile(r"www\.[\w-]+(?:\.[\w-]+)+(?:[/?#]|$)", re.IGNORECASE)


class Link(NamedTuple):
    """One link of an entry or a feed, as written or joined to xml:base."""

    href: str
    rel: str = ""
    type: str = ""
    hreflang: str = ""
    is_text: bool = False  # the URL stands between its tags, as in RSS


@dataclass(frozen=True, slots=True, kw_only=True)
class Bases:
    """What relative links of a feed are joined to where they have no xml:base."""

    document: str  # the URL that answered
    channel: str = ""  # the feed's own link, absolute; "" where it has none
    is_atom: bool = False

    def joined(self, link: str) -> str:
        """Return a link made absolute; as it is where nothing answered or it cannot be joined."""
        link = unescaped(link.strip())
        if not self.document:
            return link
        if _WITHOUT_SCHEME.match(link):
            link = f"//{link}"
        try:
            return urljoin(self._base(), link)
        except ValueError:
            return link

    def _base(self) -> str:
        if not self.channel or (self.is_atom and _same_site(self.channel, self.document)):
            return self.document
        return self.channel


def story_links(
    links: Sequence[Link], content: Sequence[Link] = (), languages: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the links of an entry that may be its story's, in the order of rules 2 to 4."""
    pages = [link for link in links if link.href and _is_alternate(link) and _kind(link) in _PAGES]
    pages.sort(key=lambda link: (not link.is_text, _rank(link, languages)))
    for link in (*pages, *(link for link in content if _kind(link) in _PAGES)):
        marked = _HREF.search(link.href)
        yield unescape(marked[1]) if marked else link.href


def last_resorts(links: Sequence[Link]) -> Iterator[str]:
    """Yield the links of rule 6."""
    for link in links:
        if _is_alternate(link) and _kind(link) in _TEXTS and link.href:
            yield link.href


def enclosures(links: Sequence[Link]) -> set[str]:
    """Return the URLs of files that come with an entry, as written."""
    return {link.href for link in links if "enclosure" in _rels(link)}


def channel_link(links: Sequence[Link], document: str) -> str:
    """Return a feed's own link to its site, made absolute if it is so; else ""."""
    for link in story_links(links):
        if link.strip().lower().startswith(("http://", "https://", "//")):
            try:
                return canonical(urljoin(document, unescaped(link.strip())))
            except ValueError:
                continue
    return ""


def is_page(guid: str, files: Set[str]) -> bool:
    """Tell whether a guid may lead to a page: it is no enclosure's, nor named like a file."""
    return guid not in files and not _FILE.search(guid)


def absolute(link: str) -> str:
    """Return a permalink that is an absolute http(s) URL, "" for any other guid."""
    link = unescaped(link.strip())
    return link if link.lower().startswith(("http://", "https://")) else ""


def _rels(link: Link) -> list[str]:
    return [rel.removeprefix(_IANA) for rel in link.rel.lower().split()]


def _is_alternate(link: Link) -> bool:
    rels = _rels(link)
    return not rels or "alternate" in rels


def _kind(link: Link) -> str:
    return link.type.partition(";")[0].strip().lower()


def _rank(link: Link, languages: Sequence[str]) -> int:
    language = re.split("[-_]", link.hreflang.strip().lower())[0]
    if not language:
        return len(languages)
    return languages.index(language) if language in languages else len(languages) + 1


def _same_site(one: str, other: str) -> bool:
    try:
        return same_site(one, other)
    except ValueError:
        return False
