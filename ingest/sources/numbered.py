"""Ways through numbered pages, the newest first: of a WordPress feed, of a listing."""

import json
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from ingest.errors import Fault, FeedError, FetchError
from ingest.listing import MAX_BYTES
from ingest.sources.page import read_listing
from ingest.sources.past import Step, Way, Window, digest, unless_refused
from ingest.web.client import ACCEPT
from storage.model import Entry

BEYOND = (Fault.NOT_FOUND, Fault.GONE, "nothing_selected")  # how pages beyond the last answer
MAX_PAGE = 2**15  # ours: no archive of ten a page goes so far; an endless pager does


class At(NamedTuple):
    """Where a walk is: first it seeks where its window ends, then reads on from there."""

    page: int = 1  # to be asked next; 1 is the newest
    newer: int = 0  # the last page known to be all newer than the window; 0: none is
    older: int = 0  # the first one known not to be, or to be beyond the last; 0: none is
    first: str = ""  # digest of page 1
    last: str = ""  # of page `newer` while seeking, then of the page before


class Paged(Way):
    """The pages of a WordPress feed, by number: there where wp-json is not, or is closed.

    A walk doubles the number until a page is not all newer than its window, halves the gap, and
    reads on from there, until a page lies wholly before the window, is not there, or repeats
    page 1 or the one before it. What is added meanwhile moves entries on, to pages not yet read;
    what is deleted moves them back, over the reader's head: hence `shifts`.
    """

    longest = None  # every page is read once, however long the window
    per_step = 10
    shifts = True
    name: ClassVar[str] = "paged"
    via: ClassVar[str] = "feed"
    parameter: ClassVar[str] = "paged"
    seconds: ClassVar[Sequence[int]] = (2,)  # what the second page's number may be

    def read(self, url: str) -> tuple[Sequence[Entry], str]:
        """Return a page's entries, and the URL that answered; raises FetchError and FeedError."""
        parsed, answered = self.read_feed(url)
        return parsed.entries, answered

    def offered(self) -> str | None:
        """Return the second page's URL: most of it must be other entries than the first's, older.

        Other parameters of the URL are kept.
        """
        if self.feed.via != self.via:
            return None
        with unless_refused():
            first, url = self.read(self.feed.url)
            start, _, query = url.partition("#")[0].partition("?")
            others = (one for one in query.split("&") if one.partition("=")[0] != self.parameter)
            kept = "".join(f"{one}&" for one in others if one)
            for number in self.seconds:
                address = f"{start}?{kept}{self.parameter}={number}"
                if _follows(self.read(address)[0], first):
                    return address
        return None

    def step(self, window: Window, cursor: str) -> Step:
        """Ask for one page; raises FeedError(endless) as `onward` does."""
        at = At(*json.loads(cursor)) if cursor else At()
        start, _, second = self.address.rpartition("=")
        url = f"{start}={int(second) + at.page - 2}" if at.page > 1 else self.feed.url
        found: Sequence[Entry] = ()
        try:
            found, _ = self.read(url)
        except (FetchError, FeedError) as error:
            why = error.fault if isinstance(error, FetchError) else error.outcome
            if at.page == 1 or why not in BEYOND:
                raise
        after = onward(at, found, window)
        return Step(
            entries=window.of(found, self.name),
            cursor=json.dumps(after) if after else "",
            detail=f"page {at.page}: {len(found)}",
        )


class Pages(Paged):
    """The pages of a listing, as Drupal's views have them, counted from 0; others count from 1.

    Without dates in the listing a walk begins at page 1 and reads all there are.
    """

    name, via, parameter, seconds = "pages", "listing", "page", (1, 2)

    def read(self, url: str) -> tuple[Sequence[Entry], str]:
        """Return what the listing's selectors find on a page, as Paged.read does."""
        page = self.web.get(url, accept=ACCEPT, max_bytes=MAX_BYTES, may_ask=self.may_ask)
        return read_listing(page, self.feed, self.tracking).entries, page.final_url


def onward(at: At, found: Sequence[Entry], window: Window) -> At | None:
    """Return where a walk goes from the page at `at`, None from the last. Pure.

    Raises FeedError(endless) when even page MAX_PAGE is newer than the window.
    """
    shown, dates = (
        digest("\n".join(one.url for one in found)),
        [one.published for one in found if one.published],
    )
    beyond = not found or (at.page > 1 and shown in (at.first, at.last))
    newer = not beyond and bool(dates) and min(dates) >= window.end
    at = at._replace(first=at.first or shown)
    if at.older != at.newer + 1:  # seeking
        at = at._replace(newer=at.page, last=shown) if newer else at._replace(older=at.page)
        if at.newer >= MAX_PAGE:
            raise FeedError("endless", f"even page {at.page} is all newer than the window")
        if not at.older:
            return at._replace(page=2 * at.page)
        if at.older > at.newer + 1:
            return at._replace(page=(at.newer + at.older) // 2)
    done = bool(dates) and max(dates) < window.start
    return None if beyond or done else at._replace(page=at.page + 1, last=shown)


def _follows(second: Sequence[Entry], first: Sequence[Entry]) -> bool:
    both = {one.url for one in first} & {one.url for one in second}
    new, old = (
        [one.published for one in page if one.published and one.url not in both]
        for page in (first, second)
    )
    return 2 * len(both) <= len(second) > 0 and not (new and old and min(new) <= min(old))
