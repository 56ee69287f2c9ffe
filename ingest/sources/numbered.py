"""Ways through numbered pages, the newest first: of a WordPress feed, of a listing."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from ingest.errors import Fault, FeedError, FetchError
from ingest.listing import MAX_BYTES, Listed, parse_listing
from ingest.sources.page import in_child
from ingest.sources.past import Step, Way, Window, unless_refused
from ingest.web.client import ACCEPT
from storage.model import Entry

MAX_PAGE = 2**15  # ours: no archive of ten a page goes so far; an endless pager does


class At(NamedTuple):
    """Where a walk is: first it seeks where its window ends, then reads on from there."""

    page: int = 1  # to be asked next; 1 is the newest
    newer: int = 0  # the last page known to be all newer than the window; 0: none is
    older: int = 0  # the first one known not to be, or to be beyond the last; 0: none is
    first: str = ""  # digest of page 1
    last: str = ""  # of page `newer` while seeking, then of the page before


class Numbered(Way):
    """Pages of ten or so that a parameter of the URL counts.

    `address` is the second page's: sites count from 0 or from 1. A page may be anywhere in the
    past, so that a walk doubles the number until a page is not all newer than its window, halves
    the gap, and reads on from the page before, page by page, until one lies wholly before the
    window, is not there, or repeats page 1 or the page before it. What is added meanwhile moves
    entries on, to pages not yet read; what is deleted moves them back, over the reader's head:
    hence `shifts`.
    """

    longest = None  # every page is read once, however long the window
    per_step = 10
    shifts = True
    name: ClassVar[str]
    via: ClassVar[str]
    parameter: ClassVar[str]
    seconds: ClassVar[Sequence[int]]  # what the second page's number may be

    @abstractmethod
    def read(self, url: str) -> tuple[Sequence[Entry], str]:
        """Ask for a page; return its entries and the URL that answered, or raise as `step`."""

    def offered(self) -> str | None:
        """Compare the first page with the second: most of it must be other entries, and older."""
        if self.feed.via != self.via:
            return None
        with unless_refused():
            first, url = self.read(self.feed.url)
            for number in self.seconds:
                address = self._numbered(url, number)
                if _follows(self.read(address)[0], first):
                    return address
        return None

    def step(self, window: Window, cursor: str) -> Step:
        """Ask for one page."""
        at = At(*json.loads(cursor)) if cursor else At()
        url, _, second = self.address.rpartition("=")
        try:
            found, _ = self.read(
                f"{url}={int(second) + at.page - 2}" if at.page > 1 else self.feed.url
            )
        except FetchError as error:
            if at.page == 1 or error.fault not in (Fault.NOT_FOUND, Fault.GONE):
                raise
            found = ()
        except FeedError as error:
            if at.page == 1 or error.outcome != "nothing_selected":
                raise
            found = ()
        after = onward(at, found, window)
        return Step(
            entries=window.of(found, self.name),
            cursor=json.dumps(after) if after else "",
            detail=f"page {at.page}: {len(found)}",
        )

    def _numbered(self, url: str, number: int) -> str:
        start, _, query = url.partition("#")[0].partition("?")
        kept = [
            one for one in query.split("&") if one.partition("=")[0] not in ("", self.parameter)
        ]
        return f"{start}?{'&'.join([*kept, f'{self.parameter}={number}'])}"


class Paged(Numbered):
    """The pages of a WordPress feed: there where wp-json is not, or is closed.

    A page beyond the last answers 404.
    """

    name, via, parameter, seconds = "paged", "feed", "paged", (2,)

    def read(self, url: str) -> tuple[Sequence[Entry], str]:
        """Ask for a page of the feed."""
        parsed, answered = self.read_feed(url)
        return parsed.entries, answered


class Pages(Numbered):
    """The pages of a listing, as Drupal's views have them, counted from 0; others count from 1.

    A page beyond the last is not there, or holds nothing that the listing's selectors match.
    Without dates in the listing a walk begins at page 1 and reads all there are.
    """

    name, via, parameter, seconds = "pages", "listing", "page", (1, 2)

    def read(self, url: str) -> tuple[Sequence[Entry], str]:
        """Ask for a page of the listing."""
        page = self.web.get(url, accept=ACCEPT, max_bytes=MAX_BYTES, may_ask=self.may_ask)
        feed, content_type = self.feed, page.header("content-type") or ""
        listed = in_child(
            parse_listing, page.content, content_type, page.final_url, feed.url,
            feed.item, feed.date, feed.within, self.tracking,
        )  # fmt: skip
        assert isinstance(listed, Listed)
        return listed.entries, page.final_url


def onward(at: At, found: Sequence[Entry], window: Window) -> At | None:
    """Return where a walk goes from the page at `at`, None from the last. Pure.

    Raises FeedError(endless) when even page MAX_PAGE is newer than the window.
    """
    digest, dates = _digest(found), [one.published for one in found if one.published]
    beyond = not found or (at.page > 1 and digest in (at.first, at.last))
    newer = not beyond and bool(dates) and min(dates) >= window.end
    at = at._replace(first=at.first or digest)
    if at.older != at.newer + 1:  # seeking
        at = at._replace(newer=at.page, last=digest) if newer else at._replace(older=at.page)
        if at.newer >= MAX_PAGE:
            raise FeedError("endless", f"even page {at.page} is all newer than the window")
        if not at.older:
            return at._replace(page=2 * at.page)
        if at.older > at.newer + 1:
            return at._replace(page=(at.newer + at.older) // 2)
        if at.newer:
            return at._replace(page=at.newer, last="")
    elif not newer and 1 < at.page == at.newer:  # deletions have moved it: look before it, too
        return at._replace(page=at.page - 1, newer=at.page - 1, older=at.page)
    done = bool(dates) and max(dates) < window.start
    return None if beyond or done else at._replace(page=at.page + 1, last=digest)


def _follows(second: Sequence[Entry], first: Sequence[Entry]) -> bool:
    known = {one.url for one in first}
    dates = [[one.published for one in page if one.published] for page in (first, second)]
    older = not all(dates) or min(dates[1]) < min(dates[0])
    return bool(second) and 2 * sum(one.url in known for one in second) <= len(second) and older


def _digest(found: Sequence[Entry]) -> str:
    return hashlib.sha256("\n".join(one.url for one in found).encode()).hexdigest()[:16]
