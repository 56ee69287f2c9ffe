"""Ways from one document of a feed to the one before: archives (RFC 5005) and next_url."""

from contextlib import suppress
from typing import ClassVar
from urllib.parse import urljoin

from ingest.feeds import ParsedFeed
from ingest.sources.past import Step, Way, Window, digest, unless_refused
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
            parsed, at = self.read_feed(self.feed.url)
            return self._older(parsed, at) or ("complete" in parsed.links and at) or None
        return None

    def step(self, window: Window, cursor: str) -> Step:
        """Read one document; the last is the first without anything as new as the window."""
        count, met, url = cursor.split(" ", 2) if cursor else ("1", "", canonical(self.feed.url))
        parsed, at = self.read_feed(url)
        older, detail = self._older(parsed, at), f"document {count}: {len(parsed.entries)}"
        if int(count).bit_count() == 1:  # 1, 2, 4, 8 ...
            met = digest(url)
        # An archive holds what was published or changed in its time: atom:updated orders it.
        dates = [date for one in parsed.entries for date in (one.published, one.updated) if date]
        if dates and max(dates) < window.start:
            older = ""
        if older and digest(older) in (met, digest(url)):
            older, detail = "", f"{detail}; its link leads in a circle: {older}"
        return Step(
            entries=window.of(parsed.entries, self.name),
            cursor=f"{int(count) + 1} {met} {older}" if older else "",
            detail=detail,
        )

    def _older(self, parsed: ParsedFeed, base: str) -> str:
        with suppress(ValueError):
            link = parsed.links.get(self.rel)
            if link and same_site(link := canonical(urljoin(base, link)), self.feed.url):
                return link
        return ""


class Following(Archives):
    """The feed's pages: next_url of JSON Feed, or next (RFC 5005 section 3), which may move."""

    name = "next_url"
    rel = "next"
    shifts = True
