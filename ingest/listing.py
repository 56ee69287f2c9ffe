"""A page for people that lists stories -> entries, by the CSS selectors in the feeds file. Pure.

resiliparse's parser (Lexbor) is a browser's, and its selectors are fast: lxml's XPath took 98 s
for 200,000 links, this 0.04 s (measured). Both take time squared in the attributes of one tag
(900 kB: 43 s), so that a stranger's page is read in a child process: see ingest.workers.
"""

from collections.abc import Set
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urljoin

from resiliparse.parse.html import CSSParserException, HTMLTree

from ingest.dates import infer_order, likely_locale, parse_date
from ingest.errors import FeedError
from ingest.extract import decode
from ingest.feeds import MAX_TITLE
from ingest.plain import plain
from ingest.urls import canonical, host_of, lies_within, unescaped, unwrapped
from storage.model import Entry

MAX_BYTES = 5_000_000
MAX_ENTRIES = 2_000  # as of a feed
_HEADINGS = "h1, h2, h3, h4, h5, h6"


class Listed(NamedTuple):
    """What a listing page holds."""

    title: str
    entries: tuple[Entry, ...]
    note: str  # how many items and dates the selectors matched


def parse_listing(
    content: bytes,
    content_type: str,
    base_url: str,
    source: str,
    item: str,
    date: str = "",
    within: str = "",
    tracking: Set[str] = frozenset(),
    now: datetime | None = None,
) -> Listed:
    """Read a listing page's decoded body.

    `item` selects each story's box, or its link; `date`, inside a box, what has a datetime or
    content attribute or the date's text ("": a time element). A box leads where its heading's
    link leads, or else its first link with words; that heading, or else the link, is the title.
    Without dates the page of each story is asked for its own; in which order day and month stand is
    inferred from all of the page's, for which `now` helps. `within` as in storage.model.Feed.

    Raises FeedError and nothing else: nothing_selected, naming the selector that is wrong, that
    matches nothing, or leaves nothing; too_large.
    """
    if len(content) > MAX_BYTES:
        raise FeedError("too_large", f"bytes={len(content)} wanted={MAX_BYTES} or fewer")
    tree = page_tree(content, content_type)
    boxes = selected(tree.document, item, "item")
    if not boxes:
        raise FeedError("nothing_selected", f"item = {item!r} matches nothing on {_named(tree)}")
    base, entries, dated = base_of(tree, base_url), dict[str, Entry](), 0
    texts = [_dates(selected(box, date or "time", "date")) for box in boxes[:MAX_ENTRIES]]
    order = infer_order((text for some in texts for text in some[:1]), now, _locale(tree, base_url))
    for box, some in zip(boxes, texts, strict=False):
        link, title = _link(box)
        published = next(filter(None, (parse_date(text, order=order) for text in some)), None)
        dated += published is not None
        with suppress(ValueError):  # no link, or one that leads nowhere on the web
            url = canonical(unwrapped(unescaped(joined(base, link))), tracking)
            if not lies_within(url, within) or url == canonical(base_url, tracking):
                continue
            found = Entry(url=url, link=url, title=title, source=source, published=published)
            if url not in entries or (not entries[url].title and title):
                entries[url] = found
    note = f"items={len(boxes)} stories={len(entries)} dates={dated}"
    if not entries:
        why = f" that within = {within!r} lets pass" if within else ""
        raise FeedError("nothing_selected", f"item = {item!r} leads to no story{why}: {note}")
    if date and not dated:
        note += f"; date = {date!r} gives no date"
    return Listed(plain(tree.title or "", MAX_TITLE), tuple(entries.values()), note)


def page_tree(content: bytes, content_type: str) -> HTMLTree:
    """Return a page's tree; any bytes give one."""
    return HTMLTree.parse(decode(content, content_type))


def base_of(tree: HTMLTree, url: str) -> str:
    """Return what a page's links start from: its base element's href, or its own URL."""
    base = selected(tree.document, "base[href]")
    return joined(url, base[0].getattr("href")) if base else url


def selected(node: Any, selector: str, key: str = "") -> list[Any]:
    """Return what a CSS selector matches; `key` names it in the FeedError for one that is wrong."""
    try:
        return list(node.query_selector_all(selector))
    except (CSSParserException, ValueError) as error:
        raise FeedError("nothing_selected", f"{key} = {selector!r}: {error}") from error


def joined(base: str, link: str) -> str:
    """Return a link made absolute; "" when it is none."""
    try:
        return urljoin(base, link.strip()) if link.strip() else ""
    except ValueError:
        return ""


def _link(box: Any) -> tuple[str, str]:
    """Return where a box leads and what it is called; "" for what it does not say."""
    links = [box] if box.tag == "a" else selected(box, "a[href]")
    titles = selected(box, _HEADINGS)[:1]
    if titles and box.tag != "a":
        links = selected(titles[0], "a[href]")[:1] or links
    links.sort(key=lambda link: not link.text.strip())
    titles += links[:1]
    href = links[0].getattr("href") if links else None
    return href or "", plain(titles[0].text if titles else "", MAX_TITLE)


def _dates(elements: list[Any]) -> list[str]:
    """Return what elements say of time, the most exact of each first."""
    said = ((one.getattr("datetime"), one.getattr("content"), one.text) for one in elements)
    return [text for texts in said for text in texts if text]


def _locale(tree: HTMLTree, url: str) -> str:
    pages = selected(tree.document, "html[lang]")
    with suppress(ValueError):
        return likely_locale(pages[0].getattr("lang") if pages else "", host_of(url))
    return ""


def _named(tree: HTMLTree) -> str:
    return f"a page titled {plain(tree.title or '', 80)!r}"
