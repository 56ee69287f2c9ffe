"""Does a feed hold the whole text of its stories? Measured, never believed. Pure.

A feed's first entries are fetched all the same, and the words of each page are looked for in
what the feed holds. Where they are there, later pages are made of the feed's own text.
"""

import re
from collections import Counter
from datetime import datetime
from html import escape
from statistics import median

from ingest.plain import plain
from ingest.words import words
from storage.model import Entry, InFeed, Page

MEASURED = 5  # pages, and share of their words: research on feeds, section 2c ("teaser in feed")
ENOUGH = 0.8
AGAIN = 50  # one entry in so many is fetched although its feed is whole: feeds change their minds
LEAST, MOST = 600, 200_000  # characters of HTML; less is a teaser (2c), more is no story
_TAIL = 3_000  # characters of HTML in which a text's end is looked for
_SIGN_OFF = re.compile(r"(?:<p\b[^>]*>\s*)?The post\b(?:(?!</p>).)*appeared first on\b.*\Z", re.S)
_TEASER = re.compile(
    r"(?:\u2026|\.\.\.|\[\W*\]|\b(?:(?:continue|keep) reading|(?:read|find out|learn|view) more"
    r"|read (?:the )?(?:rest|full|whole)\b.{0,60})\W*)$",
    re.IGNORECASE,
)


def worth_keeping(markup: str) -> str | None:
    """Return an entry's HTML when it may be a whole text, else None."""
    return markup if LEAST <= len(markup) <= MOST else None


def is_whole(shares: tuple[float, ...]) -> bool:
    """Tell whether a feed holds whole texts, by the shares that were measured last."""
    return len(shares) >= MEASURED and median(shares) >= ENOUGH


def is_teaser(content: str) -> bool:
    """Tell whether HTML ends as teasers do: an ellipsis, "Read more" and the like.

    WordPress's "The post ... appeared first on ..." stands below teasers and whole texts alike:
    what comes before it counts.
    """
    return bool(_TEASER.search(plain(_body(content)[-_TAIL:], _TAIL)))


def suffices(told: InFeed, number: int) -> bool:
    """Tell whether the text in the feed does for the page; `number` is the entry's."""
    return is_whole(told.shares) and number % AGAIN != 0 and not is_teaser(told.content)


def wanted(told: InFeed, number: int) -> bool:
    """Tell whether an entry whose page was fetched should be measured."""
    return len(told.shares) < MEASURED or number % AGAIN == 0


def measured(told: InFeed, text: str) -> tuple[float, ...]:
    """Return a feed's shares with one more: how much of a page's text it held.

    A whole feed whose text has become too short begins anew.
    """
    page, feed = Counter(words(text)), Counter(words(plain(told.content, MOST)))
    share = round((page & feed).total() / max(page.total(), 1), 2)
    if is_whole(told.shares) and share < ENOUGH:
        return (share,)
    return (*told.shares, share)[-MEASURED:]


def page_of(entry: Entry, content: str, now: datetime) -> Page:
    """Make a page of the text in a feed; it says what it is: status 0, asked of the feed.

    Its date is the feed's, which the verbs know, and which stands in no tag of the page, so
    that nobody takes it for the site's word.
    """
    title = escape(entry.title)
    html = (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title>'
        f'<link rel="canonical" href="{escape(entry.url)}"></head>'
        f"<body><article><h1>{title}</h1>\n{_body(content)}\n</article></body></html>\n"
    ).encode(errors="replace")
    return Page(
        url=entry.source,
        final_url=entry.url,
        status=0,
        headers=(("Content-Type", "text/html; charset=utf-8"),),
        payload=html,
        content=html,
        fetched=now,
        hops=(entry.source,),
    )


def _body(content: str) -> str:
    return content[:-_TAIL] + _SIGN_OFF.sub("", content[-_TAIL:])
