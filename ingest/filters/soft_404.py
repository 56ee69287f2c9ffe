"""Did another page answer than the one that was announced?"""

import re
from urllib.parse import urlsplit

from ingest.filters.case import Case
from ingest.urls import is_home_page
from ingest.words import normal

FEW_WORDS = 250
_MISSING = re.compile(
    r"(?:sorry\W+)?(?:we can.?.?t find|(?:the |this |that )?(?:page|article|story|content)"
    r"(?: you \w+(?: \w+){0,4})? (?:(?:was |is |has |been )*(?:not |no longer |been )?"
    r"(?:found|available|removed|moved)|(?:could|can)(?: ?not|.?.?t) be found"
    r"|does(?: not|n.t) exist))|(?:error )?404\b|not found\b",
    re.IGNORECASE,
)


def soft_404(case: Case) -> str | None:
    """Find fault with a page that stands for one that is gone: the home page, a section, an error.

    Signals: feeds research 2c. A page that was announced as the home page is judged like any.
    """
    asked, answered = urlsplit(case.entry.url).path, urlsplit(case.url).path
    if not _home(case.entry.url):
        if _home(case.url):
            return f"redirected to the home page {case.url}"
        declared = case.extract.signals.canonical
        few = case.extract.signals.text_words < FEW_WORDS  # some sites declare it on every page
        if few and declared and _home(declared):
            return f"canonical={declared}"
        folder = f"{answered.rstrip('/')}/"
        if len(asked) > len(folder) and asked.startswith(folder) and len(case.hops) > 1:
            return f"redirected to the section {case.url}"
    signals = case.extract.signals
    if signals.text_words >= FEW_WORDS:
        return None
    title = case.extract.title or signals.head
    if found := _MISSING.match(title) or _MISSING.match(signals.sample):
        return f"says={found[0]!r} words={signals.text_words}"
    if signals.site_name and normal(title) == normal(signals.site_name):
        return f"title={title!r} is the site's name"
    return None


def _home(url: str) -> bool:
    return is_home_page(url) or urlsplit(url).path in ("", "/")
