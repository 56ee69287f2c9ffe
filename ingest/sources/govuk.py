"""GOV.UK's search API, docs.publishing.service.gov.uk/repos/search-api, and its content API."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from pydantic import BaseModel, BeforeValidator

from ingest.dates import parse_date
from ingest.errors import Fault, FeedError, FetchError
from ingest.feeds import Text
from ingest.listing import joined
from ingest.sources.api import Mark, Told, ask, at, readable
from ingest.sources.past import Step, Way, Window, unless_refused
from storage.model import Entry

COUNT = 100  # of a search; the API gives 1,500, but what was found must fit a cursor
_GROUP = "filter_content_purpose_supergroup"
# What each finder's feed selects: search-api's config/finders, and collections' feed of an
# organisation, which leaves out "other".
_FINDERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "all": (),
    "news-and-communications": (
        ("filter_content_purpose_subgroup", "news"),
        ("filter_content_purpose_subgroup", "speeches_and_statements"),
    ),
    "guidance-and-regulation": ((_GROUP, "guidance_and_regulation"),),
    "policy-papers-and-consultations": ((_GROUP, "policy_and_engagement"),),
    "transparency-and-freedom-of-information-releases": ((_GROUP, "transparency"),),
}
_PARAMETERS = {
    "keywords": "q",
    "level_one_taxon": "filter_all_part_of_taxonomy_tree",
    "level_two_taxon": "filter_all_part_of_taxonomy_tree",
    "content_purpose_supergroup[]": _GROUP,
    **{
        f"{name}[]": f"filter_{name}"
        for name in ("organisations", "people", "roles", "topical_events", "world_locations")
    },
}
_SELECTS_NOTHING = ("order", "page", "public_timestamp[from]", "public_timestamp[to]")


class _Search(BaseModel):
    total: int
    results: list[object]


class _Result(BaseModel):
    link: str  # a path, now and then without its slash; or a URL beyond GOV.UK
    public_timestamp: str


def _html(body: object) -> object:
    """Return the HTML among several renderings of a body."""
    if not isinstance(body, list):
        return body
    html = (one for one in body if isinstance(one, dict) and one.get("content_type") == "text/html")
    return next(html, {}).get("content")


class _Content(Told):
    link: Text = at("base_path")
    published: Text = at("first_published_at")
    updated: Text = at("public_updated_at")
    summary: Text = at("description")
    content: Annotated[Text, BeforeValidator(_html)] = at("details", "body")


class GovUk(Way):
    """What the feed of a finder or an organisation selects, item by item.

    The search goes by `public_timestamp`, the day of the last major update, in whole days, both
    included, in UTC. What was first published in one window and updated in another stands in the
    latter only, and is given there, without its date and text: its page's own date decides.
    """

    per_step = 1

    def offered(self) -> str | None:
        """Ask how much the feed's filters find, where all of them are the API's, too."""
        filters = _filters(self.feed.url)
        if filters is None or self.feed.via != "feed":
            return None
        address = urljoin(self.feed.url, f"/api/search.json?{urlencode(filters)}")
        with unless_refused():
            said, _ = ask(self, f"{address}&count=1", _Search)
            return address if said.total else None
        return None

    def step(self, window: Window, cursor: str) -> Step:
        """Search on, or ask for the first of what was found."""
        mark = Mark.read(cursor, str(window.start.date()))
        if mark.left:
            entry, detail = self._item(mark.left[0])
            mark = replace(mark, left=mark.left[1:])
            if entry and not window.near(entry.published):
                entry = replace(entry, published=None, content=None)
        else:
            entry, (mark, detail) = None, self._found(mark, window)
        return Step(
            entries=(entry,) if entry else (),
            cursor=str(mark) if mark.page or mark.left else "",
            detail=detail,
        )

    def _found(self, mark: Mark, window: Window) -> tuple[Mark, str]:
        """Return what is left to be asked for, and where to search on; page 0 is the end."""
        start, last = COUNT * (mark.page - 1), (window.end - timedelta(days=1)).date()
        days = f"filter_public_timestamp=from:{mark.since},to:{last}&order=public_timestamp"
        fields = f"fields=link&fields=public_timestamp&count={COUNT}&start={start}"
        said, _ = ask(self, f"{self.address}&{days}&{fields}", _Search)
        dated = [
            (str(moment.date()), one.link, one.link)
            for one in readable(said.results, _Result)
            if (moment := parse_date(one.public_timestamp, UTC))
        ]
        new, onward = mark.onward(dated, start + len(said.results) < said.total)
        left = tuple(link for link in new if "//" not in link)  # a few lead elsewhere
        return replace(onward or Mark("", 0), left=left), f"total={said.total}"

    def _item(self, link: str) -> tuple[Entry | None, str]:
        """Return an item of the content API; of one that it cannot show, the page is to tell."""
        said, detail, path = _Content(), "", f"/{link.removeprefix('/')}"
        try:
            said, _ = ask(self, urljoin(self.address, f"/api/content{path}"), _Content)
        except FetchError as error:
            if error.fault in (Fault.NOT_FOUND, Fault.GONE):
                return None, f"{path}: {error.fault}"
            if error.fault.passing and error.status != 500:  # one item that breaks it stops no walk
                raise
            detail = str(error)
        except FeedError as error:
            detail = f"{path}: {error}"
        link = joined(self.address, said.link or path)
        return said.model_copy(update={"link": link}).entry(self, "govuk"), detail


def _filters(url: str) -> list[tuple[str, str]] | None:
    """Return the API's filters for what a feed selects, None where it has none for some of it."""
    parts = urlsplit(url)
    if body := re.fullmatch(r"/government/organisations/([\w-]+)\.atom", parts.path):
        rejected = ("reject_content_purpose_supergroup", "other")
        return [("filter_organisations", body[1]), rejected]
    finder = re.fullmatch(r"/search/([\w-]+)\.atom", parts.path)
    if finder is None or finder[1] not in _FINDERS:
        return None
    asked = [one for one in parse_qsl(parts.query) if one[0] not in _SELECTS_NOTHING]
    if not all(name in _PARAMETERS for name, _ in asked):
        return None
    return [*_FINDERS[finder[1]], *((_PARAMETERS[name], value) for name, value in asked)]
