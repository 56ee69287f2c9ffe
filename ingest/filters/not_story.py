"""Is the page of a kind that holds no story to keep, or could none be had from it?"""

from collections.abc import Callable

from ingest.filters.case import Case

MANY_LINKS = 10
LINK_SHARE = 0.6  # of a page's lines: news-please's bound lies between 0.56 and 0.65
_LINKS = {"linked", "pointer", "under_heading"}


def _only(fault: str) -> Callable[[Case], str | None]:
    return lambda case: case.extract.detail if case.extract.fault == fault else None


extract_failed, extract_timeout, extract_crashed = map(
    _only, ("extract_failed", "extract_timeout", "extract_crashed")
)


def not_story(case: Case) -> str | None:
    """Find fault with a live blog, gallery, video, page of links, or any page without a body.

    The evidence begins with the kind. extract_failed, extract_timeout and extract_crashed may
    stand before it, so that what went wrong is told from what is no story.
    """
    if case.extract.fault:
        return f"{case.extract.fault}: {case.extract.detail}"
    links = sum(one.rule in _LINKS for one in case.extract.removed)
    lines = links + len(case.extract.blocks)
    if links >= MANY_LINKS and links >= LINK_SHARE * lines:
        return f"index_page: links={links} lines={lines}"
    return None
