"""What a page says of itself: JSON-LD, meta tags, headings, links -> title, day, canonical. Pure.

Nothing of it is believed alone. The title is the one that most of the page's own statements agree
on, a day must lie between the Web's beginning and the fetch, a canonical link must lead to what
could be this page (feeds research, section 2c).
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urldefrag, urljoin, urlsplit

from ingest.dates import parse_date
from ingest.urls import canonical, is_home_page, same_site
from ingest.words import normal

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MAX_JSON = 1_000_000  # characters of one JSON-LD script: a 10 MB one costs a gigabyte (measured)
MAX_NODES = 400  # JSON-LD objects looked at: a live blog holds one for every post
MAX_TITLE = 300  # characters: the corpus form takes no more
MAX_LINE = 1_000  # characters read of any statement: a title is cut in every place it may be
ONE_DAY = timedelta(days=1)  # what time zones may make of a date
_STORY = re.compile(r"\w*Article$|\w*BlogPosting$|Report$|Review$|SocialMediaPosting$")
_META_DAYS = (
    "article:published_time", "og:article:published_time", "datepublished", "date", "pubdate",
    "publishdate", "publish-date", "publication_date", "article.published", "dc.date.issued",
    "dcterms.created", "dc.date", "dcterms.date", "sailthru.date", "parsely-pub-date",
)  # fmt: skip
_BREAK = re.compile(r"\n|<(?:br|/?(?:p|div|li|h\d))\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^>]*>", re.IGNORECASE)
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d|\d{8}(?!\d)")
_PART = re.compile(r"\s+[|–—·•»:~/-]+\s+|\s*[|»]\s*|:\s+")  # divides a title
_ID = re.compile(r"\d{5,}")
_ID_NAME = re.compile(r"(?:^p|id|article|story|news|item|doc|node|no)$", re.IGNORECASE)
_AMP = re.compile(r"^/amp(?=/)|[/.]amp(?:\.html)?/?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A page's own statements, as they stand there."""

    titles: tuple[tuple[str, ...], ...] = ((), (), (), ())  # JSON-LD, h1, Open Graph, <title>
    names: tuple[str, ...] = ()  # of its site, sections and authors
    days: tuple[tuple[str, str], ...] = ()  # (source, as written), the most believable first
    canonical: str = ""  # absolute
    language: str = ""  # primary subtag of <html lang>
    og_type: str = ""
    page_type: str = ""  # schema.org type of its main object
    site_name: str = ""
    free: bool | None = None  # isAccessibleForFree
    content_tier: str = ""  # "absent": the part that is not free is not on the page
    words: int = 0  # wordCount
    body: tuple[str, ...] = ()  # articleBody, line by line, its markup gone


def read(tree: "HtmlElement", url: str) -> Declared:
    """Gather what a page states about itself."""
    tags: dict[str, list[HtmlElement]] = defaultdict(list)
    for tag in tree.iter("meta", "link", "script", "title", "h1"):
        tags[tag.tag].append(tag)
    meta: dict[str, str] = {}
    for tag in tags["meta"]:
        name = tag.get("property") or tag.get("name") or tag.get("itemprop") or ""
        meta.setdefault(name.lower(), _line(tag.get("content")))
    nodes = list(_nodes(tags["script"]))
    story = next((n for n in nodes if _STORY.match(_type(n))), None)
    page = story or next((n for n in nodes if n.get("datePublished") or n.get("headline")), {})
    site = meta.get("og:site_name") or _name(page.get("publisher"))
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    names = [site, host, host.partition(".")[0], f"the {host.partition('.')[0]}"]
    names += [meta.get(key, "") for key in ("application-name", "author", "article:section")]
    names += [_name(page.get(key)) for key in ("author", "creator", "articleSection")]
    links = (tag.get("href") for tag in tags["link"] if tag.get("rel", "").lower() == "canonical")
    link = next(links, None) or meta.get("og:url", "")
    days = [("json-ld", page.get("datePublished")), ("json-ld", page.get("uploadDate"))]
    days += [("meta", meta.get(name)) for name in _META_DAYS]
    titles = (
        [_line(page.get("headline"))],
        [_line(tag.text_content()) for tag in tags["h1"][:8]],
        [meta.get("og:title") or meta.get("twitter:title", "")],
        [_line(tag.text) for tag in tags["title"][:1]],
    )
    return Declared(
        titles=tuple(tuple(filter(None, source)) for source in titles),
        names=tuple(filter(None, (one.strip() for name in names for one in name.split(";")))),
        days=tuple((source, raw) for source, raw in days if raw and isinstance(raw, str)),
        canonical=_absolute(link.strip(), url),
        language=re.split("[-_]", tree.get("lang", "").strip().lower())[0],
        og_type=meta.get("og:type", "").lower(),
        page_type=_type(story or next(iter(nodes), {})),
        site_name=site,
        free={"true": True, "false": False}.get(str(page.get("isAccessibleForFree")).lower()),
        content_tier=meta.get("article:content_tier", "").lower() or _tier(page, tree),
        words=int(count) if re.fullmatch(r"\d{1,6}", count := str(page.get("wordCount"))) else 0,
        body=_lines(page.get("articleBody")),
    )


def headline(declared: Declared, feed_title: str = "") -> str:
    """Return the title most sources agree on, without the site's suffix or a section's prefix.

    Sources agree where one is a whole part of the other ("World news: Flood" and "Flood"). Among
    equals: the feed, JSON-LD, the headings, Open Graph, <title>. "" when there is none.
    """
    sources = [(_line(feed_title),) if feed_title else (), *declared.titles]
    parts = [frozenset(part for text in source for part in _parts(text)) for source in sources]
    known = frozenset(normal(name).replace(" ", "") for name in declared.names)
    titles = [_bare(text, known) for source in sources for text in source]
    best, most = "", 0
    for title in titles:
        votes = sum(normal(title) in part for part in parts)
        votes = 0 if normal(title).replace(" ", "") in known else votes
        if votes > most and 1 < len(title) <= MAX_TITLE and not title.endswith(("…", "...")):
            best, most = title, votes
    return best or next(iter(titles), "")


def day(text: str) -> date | None:
    """Return the calendar day written in a text, of whatever zone it speaks, or None."""
    try:
        if found := _ISO_DAY.match(text.strip()):
            return date.fromisoformat(found[0])
    except ValueError:
        return None
    moment = parse_date(text, UTC)
    return moment.date() if moment else None


def local_day(raw: str, stated: date, pathed: date | None) -> date:
    """Return the day it was where the page appeared: its URL's, where UTC may hide just that one.

    `stated` is the day in `raw`, `pathed` that in the URL. America's evening is the next day in
    UTC before nine, Australia's morning the day before after ten.
    """
    hour = re.search(r"T(\d\d).*(?:Z|\+00:?00)$", raw)
    if not hour or not pathed:
        return stated
    ahead = (stated - pathed).days
    moved = (ahead == 1 and int(hour[1]) < 9) or (ahead == -1 and int(hour[1]) > 9)
    return pathed if moved else stated


def credible(day: date | None, fetched: date | None) -> bool:
    """Tell whether a page could have been published on a day: after 1990, by a day after fetch."""
    return bool(day and day.year > 1990 and (not fetched or day <= fetched + ONE_DAY))


def believable(link: str, url: str) -> str:
    """Return the canonical link, canonically spelt, when it may name this page, else "".

    Refused: another registered domain, a home page, a section above the page, a page with
    another number, an address that loses the query that told pages apart.
    """
    try:
        link = canonical(link)
        if not same_site(link, url) or is_home_page(link) > is_home_page(url):
            return ""
    except ValueError:
        return ""
    there, here = urlsplit(link), urlsplit(url)
    path, own = there.path.rstrip("/"), _AMP.sub("", here.path).rstrip("/")
    if path != own and own.startswith(f"{path}/"):
        return ""
    ids, own_ids = (set(_ID.findall(f"{u.path}?{u.query}")) for u in (there, here))
    if ids and own_ids and not ids & own_ids:
        return ""
    told_apart = any(_ID_NAME.search(name) for name, _ in parse_qsl(here.query))
    return "" if path == own and told_apart and not there.query else link


def _nodes(scripts: "list[HtmlElement]") -> Iterator[dict[str, Any]]:
    """Yield the JSON-LD objects of a page, outer ones first."""
    left = MAX_NODES
    for script in scripts:
        if "ld+json" not in script.get("type", "") or len(script.text or "") > MAX_JSON:
            continue
        try:
            queue = [json.loads(script.text or "", strict=False)]
        except (ValueError, RecursionError):
            continue
        while queue and left:
            left -= 1
            node = queue.pop(0)
            if isinstance(node, list):
                queue += node[:MAX_NODES]
            elif isinstance(node, dict):
                yield node
                queue += [node.get("@graph"), node.get("mainEntity")]


def _tier(page: dict[str, Any], tree: "HtmlElement") -> str:
    """Return "absent" when no part that a page calls not free (schema.org hasPart) is on it."""
    parts = page.get("hasPart")
    parts = parts[:MAX_NODES] if isinstance(parts, list) else [parts]
    named = [str(part.get("cssSelector")) for part in parts if isinstance(part, dict)]
    names = [set(re.findall(r"[.#]([\w-]+)", selector)) for selector in named]
    if not names or not all(names):
        return ""
    boxes = (f"{box.get('class')} {box.get('id')}".split() for box in tree.iter())
    return "absent" if all(set().union(*names).isdisjoint(box) for box in boxes) else ""


def _type(node: dict[str, Any]) -> str:
    kind = node.get("@type")
    kinds = [k for k in (kind if isinstance(kind, list) else [kind]) if isinstance(k, str)]
    return next((k for k in kinds if _STORY.match(k)), kinds[0] if kinds else "")


def _line(text: object) -> str:
    """Return a value as one line of plain text; "" when it is no text."""
    return " ".join(unescape(text[:MAX_LINE]).split()) if isinstance(text, str) else ""


def _lines(markup: object) -> tuple[str, ...]:
    """Return a value's lines of plain text, however it parts them; none when it is no text."""
    parted = _BREAK.split(markup) if isinstance(markup, str) else []
    return tuple(filter(None, (" ".join(unescape(_TAG.sub("", one)).split()) for one in parted)))


def _name(value: object) -> str:
    """Return the names in a JSON-LD value, parted by semicolons."""
    if isinstance(value, list):
        return ";".join(filter(None, map(_name, value[:20])))
    return _line(value.get("name") if isinstance(value, dict) else value)


def _absolute(link: str, url: str) -> str:
    try:
        return urldefrag(urljoin(url, link)).url if link else ""
    except ValueError:
        return ""


def _parts(title: str) -> Iterator[str]:
    """Yield the normal forms of a title and of what stands before and after its dividers."""
    yield normal(title)
    for found in _PART.finditer(title):
        yield normal(title[: found.start()])
        yield normal(title[found.end() :])


def _bare(title: str, known: frozenset[str]) -> str:
    """Cut known names, in normal form without spaces, off both ends of a title."""
    for found in reversed(list(_PART.finditer(title))):
        head, tail = title[: found.start()], title[found.end() :]
        name = normal(tail).replace(" ", "")
        named = name in known or any(len(n) > 3 and name.startswith(n) for n in known)
        if head and (named or ("|" in found[0] and len(tail.split()) < 5 and " " in head)):
            title = head
    first = _PART.search(title)
    if first and normal(title[: first.start()]).replace(" ", "") in known:
        return title[first.end() :]
    return title
