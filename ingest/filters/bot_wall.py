"""Did the site answer a robot instead of a reader?"""

import re

from ingest.filters.case import Case

FEW_WORDS = 150  # a challenge has fewer; a story may well be headed "Access denied"
_TITLE = re.compile(
    r"just a moment|attention required|access (?:to this page (?:has been )?)?denied|forbidden"
    r"|are you a robot|robot check|pardon our interruption|security (?:check|verification)"
    r"|ddos-?guard|one moment|(?:human|client) (?:verification|challenge)|(?:40[13]|429|503)\b"
    r"|request (?:blocked|rejected|unsuccessful)|verif(?:y|ying) (?:that )?you are (?:a )?human",
    re.IGNORECASE,
)
_TEXT = re.compile(
    r"checking (?:if the site connection is secure|your browser before)|you have been blocked"
    r"|verif(?:y|ying) (?:that )?you are (?:a )?human|unusual (?:traffic|activity) from your"
    r"|complete the security check|(?:ray id|incident id|reference #|support id)[ :]*[\w.]{6,}"
    r"|solve (?:the|this) captcha|enable javascript and cookies to continue",
    re.IGNORECASE,
)


def bot_wall(case: Case) -> str | None:
    """Find fault with a challenge or block page: by a firewall's header, its title or its words.

    Signals: feeds research 2c. The same body under three URLs of one host is for the catalog
    to see.
    """
    for name, value in case.headers:
        named = name.lower()
        challenged = named == "cf-mitigated" and "challenge" in value.lower()
        if challenged or named == "x-amzn-waf-action":
            return f"header={name}: {value} status={case.status}"
    signals = case.extract.signals
    if signals.text_words >= FEW_WORDS:
        return None
    for title in (signals.head, case.extract.title):
        if title and _TITLE.match(title):
            return f"title={title!r} words={signals.text_words}"
    found = _TEXT.search(signals.sample)
    return f"says={found[0]!r} words={signals.text_words}" if found else None
