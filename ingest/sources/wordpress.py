"""WordPress's REST API: https://developer.wordpress.org/rest-api/reference/posts/."""

import re
from datetime import datetime, timedelta
from urllib.parse import urlencode

from pydantic import BaseModel

from ingest.errors import FetchError
from ingest.feeds import Text
from ingest.sources.api import Mark, Told, ask, at, readable
from ingest.sources.past import Step, Way, Window, unless_refused
from ingest.urls import lies_within

MOST = 100  # a page: the API's own limit
FARTHEST = timedelta(hours=14)  # that a site's clock is from UTC: Kiribati
FIELDS = "id,date,date_gmt,modified_gmt,link,guid,title,excerpt,content"
_FEED = re.compile(r"(https?://[^/?#]+)([^?#]*?)/feed(?:/(?:rss2?|atom|rdf))?/?")
_FILTER = re.compile(r"(.*)/(category|tag)/(?:[^/]+/)*([^/]+)")
_NAMES = {"category": "categories", "tag": "tags"}


class _Term(BaseModel):
    id: int


class _Post(Told):
    id: int
    date: datetime  # on the site's own clock, by which it sorts and filters
    guid: Text = at("guid", "rendered")
    title: Text = at("title", "rendered")
    published: Text = at("date_gmt")
    updated: Text = at("modified_gmt")
    summary: Text = at("excerpt", "rendered")
    content: Text = at("content", "rendered")


class WordPress(Way):
    """The posts of a site, or of the category or tag whose feed it is."""

    per_step = MOST

    def offered(self) -> str | None:
        """Ask for the newest posts; of a category's feed, first for the category's number.

        The feed of a folder may be that of a site in there, of which a host can have many, or
        of a part of the host's site: then its posts must lie there.
        """
        found = _FEED.fullmatch(self.feed.url)
        if self.feed.via != "feed":
            found = re.fullmatch(r"(https?://[^/?#]+)().*", self.feed.url)
        if found is None:
            return None
        site, folder = found[1], found[2]
        if one := _FILTER.fullmatch(folder):
            return self._filtered(site + one[1], _NAMES[one[2]], one[3])
        if folder and self._posts(address := _api(site + folder)):
            return address
        within = self.feed.within or f"{folder}/"
        posts = self._posts(address := _api(site))
        return address if any(lies_within(post.link, within) for post in posts) else None

    def step(self, window: Window, cursor: str) -> Step:
        """Ask for a page of posts, the oldest first.

        The bounds are on the site's own clock, which we do not know: they are FARTHEST apart
        from the window's, and `date_gmt` decides.
        """
        mark = Mark.read(cursor, _local(window.start - FARTHEST))
        parameters = {
            "after": _local(datetime.fromisoformat(mark.since) - timedelta(seconds=1)),
            "before": _local(window.end + FARTHEST),
            "orderby": "date",
            "order": "asc",
            "per_page": MOST,
            "page": mark.page,
            "_fields": FIELDS,
        }
        try:
            said, page = ask(self, f"{self.address}&{urlencode(parameters)}", list[object])
        except FetchError as error:
            if error.status == 400 and mark.page > 1:  # rest_post_invalid_page_number
                return Step()
            raise
        posts = readable(said, _Post)
        pages = page.header("x-wp-totalpages") or ""
        # posts that the public may not read count and are left out: a short page is no end
        more = int(pages) > mark.page if re.fullmatch("[0-9]{1,9}", pages) else len(said) == MOST
        new, onward = mark.onward([(_local(post.date), str(post.id), post) for post in posts], more)
        entries = [post.entry(self, "wordpress") for post in new]
        told = [f"total={(page.header('x-wp-total') or '?')[:9]}"] if not cursor else []
        told += [f"unreadable={len(said) - len(posts)}"] if len(said) > len(posts) else []
        return Step(
            entries=tuple(one for one in entries if one and window.near(one.published)),
            cursor=str(onward or ""),
            detail=" ".join(told),
        )

    def _posts(self, address: str) -> list[_Post]:
        with unless_refused():
            newest = f"{address}&per_page=10&_fields=id,date,link"
            return readable(ask(self, newest, list[object])[0], _Post)
        return []

    def _filtered(self, site: str, taxonomy: str, slug: str) -> str | None:
        url = f"{site}/wp-json/wp/v2/{taxonomy}?slug={slug}&_fields=id"
        terms: list[_Term] = []
        with unless_refused():
            terms = readable(ask(self, url, list[object])[0], _Term)
        if not terms:
            return None
        children = f"&{taxonomy}[include_children]=1" if taxonomy == "categories" else ""
        address = f"{_api(site)}&{taxonomy}[terms]={terms[0].id}{children}"
        return address if self._posts(address) else None


def _api(site: str) -> str:
    return f"{site}/wp-json/wp/v2/posts?status=publish"


def _local(moment: datetime) -> str:
    return moment.replace(tzinfo=None, microsecond=0).isoformat()
