"""Is the story in the corpus already: under its URL, word for word, or as a copy?"""

from ingest.filters.case import Case
from ingest.likeness import Likeness, likeness
from storage.model import Lookalike


def duplicate_url(case: Case) -> str | None:
    """Find fault with a page whose URL a kept story has."""
    return _found(case, "url")


def duplicate_exact(case: Case) -> str | None:
    """Find fault with a story that has the very words of a kept one, typography aside."""
    return _found(case, "exact")


def duplicate_near(case: Case) -> str | None:
    """Find fault with a story that repeats, cuts or extends a kept one.

    Stories on one event, forms filled in anew and round-ups pass: see `ingest.likeness`.
    """
    likest = next(iter(case.kin), None)
    if likest is None or not likest.likeness.is_copy:
        return None
    return _evidence(likest.lookalike, likest.likeness)


def _found(case: Case, how: str) -> str | None:
    found = (one for one in case.lookalikes if one.how == how)
    return next((_evidence(one, likeness(one.story, case.story)) for one in found), None)


def _evidence(one: Lookalike, like: Likeness) -> str:
    return f"like={one.name} {like}"
