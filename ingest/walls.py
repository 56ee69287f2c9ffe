"""By what a wall against robots gives itself away: feeds research 2c. Nothing here gets round one.

Pure, and below both the client, which sees refusals, and the filters, which see pages.
"""

import re
from collections.abc import Iterable

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


def by_header(headers: Iterable[tuple[str, str]]) -> str:
    """Return the header by which a firewall says that it stopped us, or ""."""
    for name, value in headers:
        named = name.lower()  # Cloudflare's, and that of Amazon's WAF
        challenged = named == "cf-mitigated" and "challenge" in value.lower()
        if challenged or named == "x-amzn-waf-action":
            return f"header={name}: {value[:40]}"
    return ""


def by_words(text: str, *titles: str) -> str:
    """Return what a page of few words says as walls do, in its titles or its text; or ""."""
    for title in titles:
        if title and _TITLE.match(title):
            return f"title={title!r}"
    found = _TEXT.search(text)
    return f"says={found[0]!r}" if found else ""
