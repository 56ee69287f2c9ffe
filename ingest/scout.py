"""Site -> its feeds: what its page and robots.txt name, then habit, each asked once."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urljoin

from ingest.desk import Desk
from ingest.discover import look
from ingest.errors import FeedError, FetchError
from ingest.listing import base_of, joined, page_tree, selected
from ingest.sitemaps import MAX_BYTES, read_sitemap
from ingest.sources import Listing
from ingest.sources.page import in_child
from ingest.urls import canonical, same_site
from storage.model import Feed, FeedState

MAX_ASKED = 12  # URLs a site, besides robots.txt: ours
DEAD_AFTER = 10  # failures in a row: five days by the ladder in ingest.schedule
_FEED_TYPE = re.compile(r"application/(?:rss|atom|rdf|feed)\+(?:xml|json)\b", re.IGNORECASE)
_LOOKS = re.compile(r"(?:^|[/._=?&-])(?:rss|atom|feeds?|rdf)(?:[/._?&-]|\d|$)", re.IGNORECASE)
# WordPress, Drupal, Jekyll, Hugo and others; last Joomla. miniflux and feed_seeker try such paths.
_HABITS = ("/feed/", "/rss.xml", "/feed.xml", "/atom.xml", "/rss", "/index.xml", "/blog/feed/")
_JOOMLA = "?format=feed&type=rss"


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """One address that may list a site's stories, and how it answered."""

    url: str
    via: str  # feed or sitemap
    how: str  # how it was found
    outcome: str  # listed ...; known when it is in the feeds file, and was not asked
    title: str = ""
    entries: int = 0
    newest: datetime | None = None
    listing: Listing | None = None  # a feed's

    @property
    def works(self) -> bool:
        """Tell whether there is something in it."""
        return self.entries > 0


class Scouting(NamedTuple):
    """What a site was found to have."""

    finds: tuple[Find, ...]
    asked: int  # URLs, besides robots.txt

    def best(self, like: str) -> Find | None:
        """Return the find to take: no comments; with most words of the URL `like`; the newest."""
        wanted = _words(like)

        def rank(find: Find) -> tuple[bool, int, float]:
            comments = "comment" in f"{find.url} {find.title}".lower()
            newest = find.newest.timestamp() if find.newest else 0.0
            return not comments, len(wanted & _words(find.url)), newest

        return max((find for find in self.finds if find.works), key=rank, default=None)


def scout(desk: Desk, site: str) -> Scouting:
    """Look for the feeds of a site, from one of its pages; or else for its sitemap.

    Asks the page, as robots.txt allows; the feeds it names; when none of them works, the usual
    addresses until one does; then sitemaps, those that robots.txt names and news first. At most
    MAX_ASKED in all, in its host's turns. Raises FetchError when the page cannot be had.
    """
    page = desk.web.get(site, may_ask=desk.may_ask)
    url, content_type = page.final_url, page.header("content-type") or ""
    known = {canonical(feed.url) for feed in desk.feeds}
    finds: dict[str, Find] = {}
    named: list[str] = []
    with suppress(FeedError):  # a page that cannot be read names none
        named = in_child(links, page.content, content_type, url)
    asked = 1
    for how, via, candidates in (
        ("named on the page", "feed", named),
        ("a usual address", "feed", _usual(url)),
        ("robots.txt", "sitemap", sorted(desk.robots.sitemaps(url), key=_no_news)),
        ("a usual address", "sitemap", [urljoin(url, "/sitemap.xml")]),
    ):
        guessing = how == "a usual address"
        for candidate in candidates:
            if asked == MAX_ASKED or candidate in finds:
                continue
            if canonical(candidate) in known:
                finds[candidate] = Find(url=candidate, via=via, how=how, outcome="known")
                continue
            asked += 1
            find = _asked(desk, candidate, via, how)
            if find.works or not guessing:
                finds[candidate] = find
            if find.works and (guessing or via == "sitemap"):
                break
        if any(find.works or find.outcome == "known" for find in finds.values()):
            break
    return Scouting(tuple(finds.values()), asked)


def links(content: bytes, content_type: str, url: str) -> list[str]:
    """Return the feeds that a page names: alternates first, then its site's links like a feed's."""
    tree = page_tree(content, content_type)
    base, named, seeming = base_of(tree, url), list[str](), list[str]()
    for link in selected(tree.document, "link[rel~=alternate i][href]"):
        if _FEED_TYPE.match(link.getattr("type") or ""):
            named.append(joined(base, link.getattr("href")))
    for link in selected(tree.document, "a[href]"):
        href = joined(base, link.getattr("href"))
        if _LOOKS.search(href.partition("//")[2].partition("/")[2]):
            seeming.append(href)
    return [*_on_the_web(named, ""), *_on_the_web(seeming, url)]


def dead(feed: Feed, state: FeedState | None) -> bool:
    """Tell whether a feed is gone, or has failed for so long that it may have moved."""
    gone = state is not None and (state.outcome == "gone" or state.failures >= DEAD_AFTER)
    return gone and feed.enabled and feed.via == "feed"


def _asked(desk: Desk, url: str, via: str, how: str) -> Find:
    try:
        if via == "sitemap":
            page = desk.web.get(url, max_bytes=MAX_BYTES, may_ask=desk.may_ask)
            places = list(read_sitemap(page.content, "", page.final_url).places)
            dates = [one.published or one.changed for one in places]
            title = "news sitemap" if any(one.published for one in places) else ""
            listing, entries = None, len(places)
        else:
            listing = look(desk, Feed(url=url, title=""))
            dates = [entry.published or entry.updated for entry in listing.entries]
            title, entries = listing.title, len(listing.entries)
    except FetchError as error:
        return Find(url=url, via=via, how=how, outcome=str(error.fault))
    except FeedError as error:
        return Find(url=url, via=via, how=how, outcome=error.outcome)
    return Find(
        url=url, via=via, how=how, outcome="listed" if entries else "empty_valid", title=title,
        entries=entries, newest=max(filter(None, dates), default=None), listing=listing,
    )  # fmt: skip


def _usual(url: str) -> Iterator[str]:
    """Yield where a page's feed usually is: beside the page, then at the site's root."""
    page = url.partition("?")[0].rstrip("/")
    if urljoin(url, "/").rstrip("/") != page:
        yield from (f"{page}/feed/", f"{page}{_JOOMLA}", f"{page}.atom", f"{page}/rss.xml")
    yield from (urljoin(url, path) for path in (*_HABITS, f"/{_JOOMLA}"))


def _on_the_web(urls: Iterable[str], site: str) -> Iterator[str]:
    for url in dict.fromkeys(urls):
        try:
            if canonical(url) and (not site or same_site(url, site)):
                yield url
        except ValueError:
            continue


def _no_news(url: str) -> bool:
    return "news" not in url.lower()


def _words(url: str) -> set[str]:
    return set(re.findall(r"[a-z]{3,}", url.partition("//")[2].partition("/")[2].lower()))
