"""Did another page answer than the one that was announced?"""

import re
from urllib.parse import urlsplit

from ingest.filters.case import Case
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
    """Find fault with a page that stands for one that is gone: a section, or an error as a page.

    Signals: feeds research 2c. A redirect to a folder above is no section while its title is
    the one that was announced, as from an AMP page (/news/a/amp) to its story (/news/a).
    """
    asked, answered = urlsplit(case.entry.url).path, urlsplit(case.url).path
    signals = case.extract.signals
    folder = f"{answered.rstrip('/')}/"
    above = len(asked) > len(folder) and asked.startswith(folder) and len(case.hops) > 1
    if above and normal(case.entry.title) not in normal(signals.head):
        return f"redirected to the section {case.url}"
    if signals.text_words >= FEW_WORDS:
        return None
    shown = (signals.head, case.extract.title, signals.sample)
    found = next(filter(None, map(_MISSING.match, shown)), None)
    return f"says={found[0]!r} words={signals.text_words}" if found else None
