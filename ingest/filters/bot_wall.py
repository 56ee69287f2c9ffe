"""Did the site answer a robot instead of a reader?"""

from ingest.filters.case import Case
from ingest.walls import by_words

FEW_WORDS = 150  # a challenge has fewer; a story may well be headed "Access denied"
MANY = 3  # entries that cannot all be the one page they were given: feeds research 2c


def bot_wall(case: Case) -> str | None:
    """Find fault with a challenge or block page.

    Signals: what its markup loads; its title or words; the same bytes for MANY entries of one
    host that have titles of their own, the surest. Of a page that was fetched the first, and what
    headers name, are a fault of the fetch: ingest.responses.
    """
    if case.same_bytes >= MANY:
        return f"the same bytes for {case.same_bytes} titles of its host"
    signals = case.extract.signals
    if signals.wall:
        return signals.wall
    if signals.text_words >= FEW_WORDS:
        return None
    sign = by_words(signals.sample, signals.head, case.extract.title)
    return f"{sign} words={signals.text_words}" if sign else None
