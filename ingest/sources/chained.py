"""Ways from one document of a feed to the one before: archives (RFC 5005) and next_url."""

import hashlib
from typing import ClassVar

from ingest.feeds import ParsedFeed
from ingest.sources.past import Step, Way, Window, unless_refused
from ingest.urls import canonical, same_site


class Archives(Way):
    """The feed, then its archives from the newest on (RFC 5005 section 4), which stay as they are.

    A feed that is complete (section 2) has no others. Links lead to documents of the feed's own
    registered domain, or end the walk, as does one to a document met before: found by Brent's
    algorithm (BIT 20, 1980, pages 176-184), which has to remember but one of them.
    """

    longest = None  # a chain is only walked from its newest end
    name: ClassVar[str] = "archives"
    rel: ClassVar[str] = "prev-archive"

    def offered(self) -> str | None:
        """Look into the feed: it links to older entries, or says that it holds all there are."""
        if self.feed.via != "feed":
            return None
        with unless_refused():
            parsed, _ = self.read_feed(self.feed.url)
            return self._older(parsed) or (self.feed.url if parsed.complete else None)
        return None

    def step(self, window: Window, cursor: str) -> Step:
        """Read one document; the last is the first without anything as new as the window."""
        count, met, url = cursor.split(" ", 2) if cursor else ("1", "", canonical(self.feed.url))
        parsed, _ = self.read_feed(url)
        older, detail = self._older(parsed), f"document {count}: {len(parsed.entries)}"
        if int(count).bit_count() == 1:  # 1, 2, 4, 8 ...
            met = _digest(url)
        # An archive holds what was published or changed in its time: atom:updated orders it.
        dates = [max(filter(None, (e.published, e.updated)), default=None) for e in parsed.entries]
        known = [date for date in dates if date]
        if parsed.complete or (known and max(known) < window.start):
            older = ""
        if older and _digest(older) in (met, _digest(url)):
            older, detail = "", f"{detail}; its link leads in a circle: {older}"
        return Step(
            entries=window.of(parsed.entries, self.name),
            cursor=f"{int(count) + 1} {met} {older}" if older else "",
            detail=detail,
        )

    def _older(self, parsed: ParsedFeed) -> str:
        link = parsed.links.get(self.rel, "")
        return link if link and same_site(link, self.feed.url) else ""


class Following(Archives):
    """The feed's pages: JSON Feed's next_url, or next (RFC 5005 section 3).

    Entries move from page to page as new ones come: "clients SHOULD NOT" take them for whole.
    """

    name = "next_url"
    rel = "next"
    shifts = True


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:16]
