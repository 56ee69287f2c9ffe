"""Is the story kept for those who pay or register?"""

import re

from ingest.filters.case import Case

FEW_WORDS = 400  # what a wall leaves open is shorter
_PROMPT = re.compile(
    r"(?:subscribe|register|sign (?:up|in)|log ?in|become a (?:member|subscriber))\b[^.\n]{0,40}\b"
    r"to (?:read|continue|unlock|view|access|see) (?:reading|this|the|more|our|full|unlimited)"
    r"|(?:to|please) (?:continue|keep) reading|already (?:have )?a (?:subscri(?:ber|ption)|member)"
    r"|this (?:article|content|story|page) is (?:\w+ )?(?:for|exclusive to|only available to"
    r"|reserved for) (?:\w+ )?(?:subscribers|members)|reached your (?:\w+ )?(?:limit|free)"
    r"|unlock (?:this|the full) (?:article|story)|(?:subscriber|member)s?[- ]only content"
    r"|subscribe now for (?:full|unlimited)|read the full (?:article|story) (?:with|by) ",
    re.IGNORECASE,
)


def paywall(case: Case) -> str | None:
    """Find fault with a story its publisher does not give to everyone; it is not got round.

    Signals, in order: schema.org isAccessibleForFree false, unless article:content_tier, which
    says more, is free, or the text is long and either metered or without the part that is named
    as not free (docs/decisions/014); a locked tier; a prompt to pay at the end of a short text; a
    wordCount of twice the text that was given, but not of its characters, which some sites count.
    """
    signals = case.extract.signals
    words, declared, tier = signals.text_words, signals.declared_words, signals.content_tier
    given = tier == "free" or (tier in ("metered", "absent") and words >= FEW_WORDS)
    if signals.free is False and not given:
        return f"isAccessibleForFree=false tier={tier or 'none'} words={words}"
    if tier == "locked":
        return "content_tier=locked"
    if words >= FEW_WORDS:
        return None
    ends = [*case.extract.blocks[-3:], *(one.line for one in case.extract.removed)]
    said = _PROMPT.search("\n".join(ends)) or (words < 150 and _PROMPT.search(signals.sample))
    if said:
        return f"says={said[0]!r} words={words}"
    ratio = declared / max(words, 1)
    if ratio > 2 and not 4.5 < ratio < 7.5:
        return f"wordCount={declared} words={words}"
    return None
