"""The Guardian's Open Platform: https://open-platform.theguardian.com/documentation/search."""

import re
from datetime import UTC
from typing import ClassVar

from pydantic import AliasPath, BaseModel, Field

from ingest.dates import parse_date
from ingest.errors import FeedError, FetchError
from ingest.feeds import Text
from ingest.sources.api import Mark, Told, ask, at, readable
from ingest.sources.past import Capped, Step, Way, Window

MOST = 200  # a page: the API's own limit
FIELDS = "body,trailText,lastModified"
_FEED = re.compile(r"https?://[^/]+/([\w-]+)(/[\w-]+)?/rss")


class _Item(Told):
    id: str
    link: Text = at("webUrl")
    title: Text = at("webTitle")
    guid: Text = at("webUrl")  # as in its feeds
    published: Text = at("webPublicationDate")
    updated: Text = at("fields", "lastModified")
    summary: Text = at("fields", "trailText")
    content: Text = at("fields", "body")


class _Answer(BaseModel):
    total: int = Field(validation_alias=AliasPath("response", "total"))
    pages: int = Field(0, validation_alias=AliasPath("response", "pages"))
    results: list[object] = Field([], validation_alias=AliasPath("response", "results"))


class Guardian(Way):
    """What has the section or the tag whose feed it is; asked with a key of one's own."""

    search: ClassVar[str] = "https://content.guardianapis.com/search"
    site: ClassVar[str] = "https://www.theguardian.com/"
    per_step = MOST
    needs_key = True

    def offered(self) -> str | None:
        """Ask how much there is of the feed's section or tag; without a key nothing.

        Raises FeedError for a key that is refused: people can mend it.
        """
        found = _FEED.fullmatch(self.feed.url)
        if not self.key or not found or not self.feed.url.startswith(self.site):
            return None
        what = f"tag={found[1]}{found[2]}" if found[2] else f"section={found[1]}"
        address = f"{self.search}?{what}"
        try:
            return address if self._said(f"{address}&page-size=1").total else None
        except FetchError as error:
            if error.status == 401:
                raise FeedError("refused", "NEWS_GUARDIAN_KEY is no key: status=401") from error
            if error.fault.passing:
                raise
        return None

    def step(self, window: Window, cursor: str) -> Step:
        """Ask for a page, the oldest first.

        Days are whole, both included, and whether they are London's or UTC's is not told: one
        more is asked for. A day of so many that the API does not show all of them is Capped.
        """
        mark = Mark.read(cursor, str(window.start.date()))
        days = f"from-date={mark.since}&to-date={window.end.date()}&use-date=published"
        pages = f"order-by=oldest&page-size={MOST}&page={mark.page}&show-fields={FIELDS}"
        try:
            said = self._said(f"{self.address}&{days}&{pages}")
        except FetchError as error:
            if error.status == 400 and mark.page > 1:
                raise Capped(f"{mark.since}: page {mark.page} is not shown") from error
            raise
        dated = [
            (str(moment.date()), one.id, one)
            for one in readable(said.results, _Item)
            if (moment := parse_date(one.published, UTC))
        ]
        new, onward = mark.onward(dated, said.pages > mark.page)
        entries = [one.entry(self, "guardian") for one in new]
        return Step(
            entries=tuple(one for one in entries if one and window.near(one.published)),
            cursor=str(onward or ""),
            detail=f"total={said.total}",
        )

    def _said(self, url: str) -> _Answer:
        return ask(self, f"{url}&api-key={self.key}", _Answer)[0]
