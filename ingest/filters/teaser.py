"""Is the page only the beginning of a story that stands elsewhere?"""

import re

from ingest.filters.case import Case

FEW_WORDS = 120  # some 600 characters: what feeds research 2c calls a teaser
_DOTS = re.compile(r"\[?(?:…|\.\.\.)\]?$")
_MORE = re.compile(
    r"(?:^|(?<=[.!?…”\"] ))\W*(?:continue reading"
    r"|(?:read|see|view) (?:more|on|the (?:full|whole|rest of the|original) (?:article|story|post"
    r"|report|release))(?: (?:at|on|in) [^.]{3,60})?)\W*$"
    r"|^the post .{3,300} appeared first on .{3,80}$",
    re.IGNORECASE,
)


def teaser(case: Case) -> str | None:
    """Find fault with a short text that breaks off: by how its last line, or one after it, ends.

    What stood in a box of its own tells nothing: whole stories have such boxes, too (measured).
    """
    words, blocks = case.extract.signals.text_words, case.extract.blocks
    if not blocks or words >= FEW_WORDS:
        return None
    ends = [blocks[-1], *(o.line for o in case.extract.removed if not o.rule.startswith("box:"))]
    found = next(filter(None, map(_MORE.search, ends)), _DOTS.search(blocks[-1]))
    return f"ends={found[0].strip()[:80]!r} words={words}" if found else None
