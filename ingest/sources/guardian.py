"""The Guardian's Open Platform: https://open-platform.theguardian.com/documentation/search."""

import re
from datetime import UTC
from typing import ClassVar

from pydantic import BaseModel

from ingest.dates import parse_date
from ingest.errors import FeedError, FetchError
from ingest.feeds import MAX_SUMMARY, MAX_TITLE, Text
from ingest.fulltext import worth_keeping
from ingest.plain import plain
from ingest.sources.api import Mark, ask, located, readable
from ingest.sources.past import Capped, Step, Way, Window
from storage.model import Entry

MOST = 200  # a page: the API's own limit
FIELDS = "body,trailText,lastModified"
_FEED = re.compile(r"https?://[^/]+/([\w-]+)(/[\w-]+)?/rss")


class _Fields(BaseModel):
    body: Text = ""
    trailText: Text = ""  # noqa: N815  # the API's spelling
    lastModified: Text = ""  # noqa: N815


class _Item(BaseModel):
    id: str
    webUrl: str  # noqa: N815
    webTitle: Text = ""  # noqa: N815
    webPublicationDate: str  # noqa: N815  # in UTC
    fields: _Fields = _Fields()


class _Response(BaseModel):
    total: int
    pages: int = 0
    results: list[object] = []


class _Answer(BaseModel):
    response: _Response


class Guardian(Way):
    """What has the section or the tag whose feed it is; asked with a key of one's own."""

    search: ClassVar[str] = "https://content.guardianapis.com/search"
    site: ClassVar[str] = "https://www.theguardian.com/"
    per_step = MOST

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
            (str(moment.date()), one)
            for one in readable(said.results, _Item)
            if (moment := parse_date(one.webPublicationDate, UTC))
        ]
        onward = mark.onward([(day, one.id) for day, one in dated], said.pages > mark.page)
        made = [self._entry(one) for day, one in dated if mark.fresh(day, one.id)]
        return Step(
            entries=tuple(one for one in made if one and window.near(one.published)),
            cursor=str(onward or ""),
            detail=f"total={said.total}",
        )

    def _said(self, url: str) -> _Response:
        return ask(self, f"{url}&api-key={self.key}", _Answer)[0].response

    def _entry(self, item: _Item) -> Entry | None:
        if not (url := located(self, item.webUrl)):
            return None
        return Entry(
            url=url,
            link=item.webUrl,
            title=plain(item.webTitle, MAX_TITLE),
            source=self.feed.url,
            guid=item.webUrl,  # as in its feeds
            published=parse_date(item.webPublicationDate, UTC),
            updated=parse_date(item.fields.lastModified, UTC),
            summary=plain(item.fields.trailText, MAX_SUMMARY),
            content=worth_keeping(item.fields.body),
            date_source="guardian",
            date_text=item.webPublicationDate,
        )
