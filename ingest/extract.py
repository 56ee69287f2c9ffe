"""Page bytes -> Extract: title, body, day, language and what the filters ask about a page. Pure.

We decode the bytes; ingest.declared reads what the page says of itself, ingest.body finds its
body, ingest.furniture clears that of what is no story. trafilatura, lxml and the language model
are imported on first use, so that a process which extracts nothing stays small.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from ingest import body
from ingest.dates import day_in_path
from ingest.declared import Declared, believable, credible, day, headline, local_day, read
from ingest.furniture import Removed, clear, is_date, key
from ingest.plain import decoded
from ingest.walls import by_markup

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MAX_CHARS = 2_000_000  # of a page's text: trafilatura's time is superlinear (5 MB 3 s, 20 MB 49 s)
FEW_WORDS = 300  # a page with fewer may be a wall: its visible text is kept as a sample
PROSE_WORDS = 100  # in lower case; names and scores alone tell no language
MAX_DATE = 100  # characters kept of a date as it stood
BODY_WORDS = 50  # fewer are no story: the shortest seeds have 348 (research, section 6)
UNREAD = "unread"  # the fault of a page that was passed over
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # lxml takes none of them
_COMMON = """the of and to in that is for was with on said have by as it be are will from at has
this which not were their been"""
_ENGLISH = frozenset(_COMMON.split())
_NO_SCRIPT = re.compile(r"(?:enable|turn on|requires?|without|activate) (?:\w+ )?javascript", re.I)
_LIVE_URL = re.compile(r"/(?:live|live-?blogs?|live-updates)(?=/|$)")
_GALLERY_URL = re.compile(r"/(?:galler(?:y|ies)|photos?|(?:in-)?pictures|slideshows?)(?=/|$)")
_VIDEO_URL = re.compile(r"/(?:videos?|av|watch)(?=/|$)")


class Stated(NamedTuple):
    """A day of publication, where it stands, and how."""

    day: date | None = None
    source: str = ""  # json-ld, meta, feed, a way's name, updated, url ...
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What is known of a page besides its bytes."""

    title: str = ""  # as its feed has it
    days: tuple[Stated, ...] = ()  # of the sources feed, updated and listing
    first_seen: date | None = None
    fetched: date | None = None  # days after it are not believed
    recurring: frozenset[int] = frozenset()  # marks (ingest.furniture) of the site's own lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What a page says of itself and how it looks from outside, for the filters."""

    og_type: str = ""
    page_type: str = ""  # schema.org type of its main JSON-LD object
    site_name: str = ""
    free: bool | None = None  # isAccessibleForFree
    content_tier: str = ""  # as in Declared
    declared_words: int = 0  # wordCount
    text_words: int = 0  # of the blocks
    canonical: str = ""  # as declared, made absolute, not judged
    head: str = ""  # <title>
    sample: str = ""  # visible text's first 3,000 characters; only below FEW_WORDS
    wall: str = ""  # the sign that it is a challenge, in its markup: ingest.walls


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """What one page holds; without a fault, a body of at least one block."""

    title: str = ""
    blocks: tuple[str, ...] = ()  # paragraphs, headings and "- " list lines, in order
    removed: tuple[Removed, ...] = ()
    published: date | None = None
    date_source: str = ""  # as in Stated
    date_text: str = ""
    language: str = ""  # ISO 639-1
    canonical: str = ""  # declared and believable
    # extract_failed, extract_timeout, extract_crashed, needs_javascript, live_blog, gallery, video
    fault: str = ""
    detail: str = ""  # the fault's evidence
    signals: Signals = field(default_factory=Signals)


def lost(fault: str, detail: str) -> Extract:
    """Return what stands for a page whose extraction did not end."""
    return Extract(fault=fault, detail=detail)


def decode(content: bytes, content_type: str = "") -> str:
    """Return a page's text, its first MAX_CHARS characters, as ingest.plain decodes it."""
    return _CONTROLS.sub("", decoded(content[: 4 * MAX_CHARS], content_type)[:MAX_CHARS])


def extract(content: bytes, content_type: str, url: str, hints: Hints) -> Extract:
    """Take a page apart; what it lacks is in Extract.fault.

    What a library raises on the way passes: ingest.workers makes a fault of it.
    """
    from lxml.etree import ParserError

    text = decode(content, content_type)
    try:
        tree = _tree(text)
    except (ParserError, ValueError) as error:
        return lost("extract_failed", f"no HTML: {error}")
    declared = read(tree, url)
    title = headline(declared, hints.title)
    boxes = body.strip(tree)
    lines = body.lines(tree, url)
    if declared.free is not False and sum(map(len, declared.body)) > 2 * sum(map(len, lines)):
        lines = list(declared.body)
    titles = (title, *(source[0] for source in declared.titles if source))
    blocks, furniture = clear(
        lines,
        about=frozenset(map(key, (*titles, *declared.names))),
        links=_links(tree, lines),
        recurring=hints.recurring,
    )
    published = _published(tree, declared, url, hints)
    words = sum(len(block.split()) for block in blocks)
    signals = Signals(
        og_type=declared.og_type,
        page_type=declared.page_type,
        site_name=declared.site_name,
        free=declared.free,
        content_tier=declared.content_tier,
        declared_words=declared.words,
        text_words=words,
        canonical=declared.canonical,
        head=next(iter(declared.titles[3]), ""),
        sample=_sample(text) if words < FEW_WORDS else "",
        wall=by_markup(content),
    )
    fault, detail = _fault(signals, url, blocks)
    return Extract(
        title=title,
        blocks=blocks,
        removed=(*boxes, *furniture),
        published=published.day,
        date_source=published.source,
        date_text=published.text,
        language=_language(" ".join(blocks), declared.language),
        canonical=believable(declared.canonical, url),
        fault=fault,
        detail=detail,
        signals=signals,
    )


def _tree(text: str) -> "HtmlElement":
    from lxml.html import HTMLParser, document_fromstring

    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    return document_fromstring(text.encode(errors="replace"), parser=parser)


def _sample(text: str) -> str:
    """Return the beginning of what a reader sees of a page, boxes and all."""
    from lxml.etree import strip_elements

    tree = _tree(text)
    strip_elements(tree, "head", "script", "style", "template", "svg", with_tail=False)
    return " ".join(" ".join(tree.itertext()).split())[:3000]


def _links(tree: "HtmlElement", lines: list[str]) -> frozenset[str]:
    """Return the keys of the lines that are wholly a link to another page."""
    wanted = {line.removeprefix("- ") for line in lines if len(line) < 200}
    wanted |= {line.partition(":")[2].strip() for line in wanted}
    return frozenset(
        key(text)
        for a in tree.iter("a")
        if (text := " ".join((a.text_content() if len(a) else a.text or "").split())) in wanted
        and not a.get("href", "#").startswith("#")
    )


# What is believed after a feed's date; an archive's, which names its way, is as good as a feed's.
_AFTER_FEED = {"updated": 1, "url": 2, "listing": 3, "pages": 3}


def _published(tree: "HtmlElement", declared: Declared, url: str, hints: Hints) -> Stated:
    """Return the first credible day of publication (feeds research 2c has the order).

    The day an entry was updated is one only where its feed gives no other, as gov.uk's do.
    """
    pathed = day_in_path(url)
    for source, raw in declared.days:
        if (stated := day(raw)) and credible(stated, hints.fetched):
            return Stated(local_day(raw, stated, pathed), source, raw[:MAX_DATE])
    told = [*hints.days, Stated(pathed, "url")]
    told.sort(key=lambda one: _AFTER_FEED.get(one.source, 0))
    last = Stated(hints.first_seen, "first_seen")
    found = (
        one for one in chain(told, _shown_days(tree), [last]) if credible(one.day, hints.fetched)
    )
    return next(found, Stated())


def _shown_days(tree: "HtmlElement") -> Iterator[Stated]:
    """Yield the days that stand on a page by themselves, those after its heading first."""
    before: list[Stated] = []
    heading = False
    for element in tree.iter():
        heading = heading or element.tag == "h1"
        stated = element.get("datetime", "") if element.tag == "time" else ""
        for text in (stated, element.text or "", element.tail or ""):
            if 5 < len(text) < 80 and (stated or is_date(text)) and (found := day(text)):
                shown = Stated(found, "page", text.strip())
                if heading:
                    yield shown
                else:
                    before.append(shown)
    yield from before


def _language(text: str, declared: str) -> str:
    """Return the language of a text; of one with little prose, what its page declares.

    English is told by its commonest words, of which prose has an eighth at least (measured: 0.15
    to 0.45; Welsh and Gaelic 0.03), or half of that where the page says that it is English, so that
    the language model, which takes a second to load, is asked only about pages in doubt.
    """
    prose = re.findall(r"\b[a-z]+\b", text[:4000])
    if len(prose) < PROSE_WORDS and (declared or len(text) < 200):
        return declared
    needed = len(prose) / (16 if declared == "en" else 8)
    if sum(word in _ENGLISH for word in prose) > needed:
        return "en"
    from py3langid import classify

    return str(classify(text[:2000])[0])


def _fault(signals: Signals, url: str, blocks: tuple[str, ...]) -> tuple[str, str]:
    """Name why a page holds no story to keep, and the sign of it; ("", "") when it may hold one."""
    path, kind, words = urlsplit(url).path.lower(), signals.page_type, signals.text_words
    looks = f"words={words} page_type={kind} og_type={signals.og_type} path={path}"
    if kind == "LiveBlogPosting" or _LIVE_URL.search(path):
        return "live_blog", looks
    if words < 3 * BODY_WORDS:
        if kind in ("ImageGallery", "MediaGallery") or _GALLERY_URL.search(path):
            return "gallery", looks
        if "video" in (kind[:5].lower(), signals.og_type[:5]) or _VIDEO_URL.search(path):
            return "video", looks
    if words < BODY_WORDS and (found := _NO_SCRIPT.search(signals.sample)):
        return "needs_javascript", f"words={words} page says {found[0]!r}"
    return ("", "") if blocks else ("extract_failed", "no body found")
