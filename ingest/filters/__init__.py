"""Case -> Verdict: the filters in their order; one file per filter, all pure.

A filter returns the evidence of a fault, or None. The name it is registered under is the
reason that stands in the verdict.
"""

from collections.abc import Callable

from ingest.filters.bot_wall import bot_wall
from ingest.filters.case import Case
from ingest.filters.consent_page import consent_page
from ingest.filters.duplicate import duplicate_exact, duplicate_near, duplicate_url
from ingest.filters.home_page import home_page
from ingest.filters.language import language
from ingest.filters.not_news import not_news
from ingest.filters.not_story import (
    extract_crashed,
    extract_failed,
    extract_timeout,
    not_story,
)
from ingest.filters.off_topic import off_topic, review, without_a_word
from ingest.filters.out_of_range import out_of_range
from ingest.filters.paywall import paywall
from ingest.filters.soft_404 import soft_404
from ingest.filters.teaser import teaser
from ingest.filters.too_short import too_short
from storage.model import KEPT, Verdict

Filter = Callable[[Case], str | None]
Filters = tuple[tuple[str, Filter], ...]

__all__ = ["ALONE", "BESIDE", "Case", "Filters", "judge"]

# What can be said of a story by itself. Walls come before language and length: a wall is short,
# and may speak any language, and its being a wall is what people want to know.
ALONE: Filters = (
    ("off_topic", without_a_word),
    ("bot_wall", bot_wall),
    ("consent_page", consent_page),
    ("paywall", paywall),
    ("home_page", home_page),
    ("soft_404", soft_404),
    ("extract_failed", extract_failed),
    ("extract_timeout", extract_timeout),
    ("extract_crashed", extract_crashed),
    ("not_story", not_story),
    ("language", language),
    ("teaser", teaser),
    ("too_short", too_short),
    ("not_news", not_news),
    ("off_topic", off_topic),
    ("review", review),
    ("out_of_range", out_of_range),
)
# What needs the other stories; judged one story at a time.
BESIDE: Filters = (
    ("duplicate_url", duplicate_url),
    ("duplicate_exact", duplicate_exact),
    ("duplicate_near", duplicate_near),
)


def judge(case: Case, filters: Filters) -> Verdict:
    """Return the verdict of the first filter that finds fault, or kept when none does."""
    for reason, find in filters:
        evidence = find(case)
        if evidence is not None:
            return Verdict(reason, evidence)
    return Verdict(KEPT)
