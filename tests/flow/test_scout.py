"""A site's feeds are found with few requests, and one that died is found again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.feedlist import load
from ingest.scout import MAX_ASKED, scout
from storage.model import FeedState
from tests.home import Clock, Home, rss
from tests.newssite import NewsSite

HEAD = '<link rel="alternate" type="application/rss+xml" href="{}">'


@pytest.fixture
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


def show(site: NewsSite, path: str, count: int = 1) -> str:
    stories = ((site.url(f"{path}/{n}"), f"Story {n}") for n in range(count))
    return site.publish(path, rss(stories), content_type="application/rss+xml")


def test_feeds_named_on_the_page_are_tried_and_the_known_left_alone(
    site: NewsSite, tmp_path: Path
) -> None:
    feed, known = show(site, "/news.rss"), show(site, "/known.rss")
    show(site, "/comments/feed/")
    page = HEAD.format("/comments/feed/") + HEAD.format("/news.rss") + HEAD.format("/known.rss")
    site.publish("/", page + '<a href="/rss/gone">RSS</a><a href="/feeding-time">Not one</a>')

    with Home(tmp_path, [known]).desk() as desk:
        found = scout(desk, site.url())
        best = found.best(site.url())

    assert {find.url: find.outcome for find in found.finds} == {
        site.url("/comments/feed/"): "listed",
        feed: "listed",
        known: "known",
        site.url("/rss/gone"): "not_found",
    }
    assert best is not None
    assert best.url == feed
    assert site.paths() == ["/robots.txt", "/", "/comments/feed/", "/news.rss", "/rss/gone"]
    assert found.asked == 4


def test_usual_addresses_are_tried_until_one_works(site: NewsSite, tmp_path: Path) -> None:
    site.publish("/", "<p>Welcome")
    feed = show(site, "/rss.xml")

    with Home(tmp_path).desk() as desk:
        found = scout(desk, site.url())

    assert [(find.url, find.how) for find in found.finds] == [(feed, "a usual address")]
    assert site.paths() == ["/robots.txt", "/", "/feed/", "/rss.xml"]


def test_without_a_feed_the_news_sitemap_is_proposed(site: NewsSite, tmp_path: Path) -> None:
    site.publish("/", "<p>Welcome")
    lines = [f"Sitemap: {site.url(path)}" for path in ("/all.xml", "/news.xml")]
    site.publish("/robots.txt", "\n".join(lines), content_type="text/plain")
    site.publish("/news.xml", f"<urlset><url><loc>{site.url('/a')}</loc></url></urlset>")

    with Home(tmp_path).desk() as desk:
        found = scout(desk, site.url())

    assert [(find.url, find.via, find.entries) for find in found.finds] == [
        (site.url("/news.xml"), "sitemap", 1)
    ]
    assert found.asked == len(site.asked) - 1 <= MAX_ASKED
    assert "/all.xml" not in site.paths()


def test_a_site_with_nothing_is_asked_twelve_urls_at_most(site: NewsSite, tmp_path: Path) -> None:
    site.publish("/news", "".join(HEAD.format(f"/{n}.rss") for n in range(50)))

    with Home(tmp_path).desk() as desk:
        found = scout(desk, site.url("/news"))

    assert found.best(site.url()) is None
    assert found.asked == len(site.asked) - 1 == MAX_ASKED


def test_the_command_adds_the_best_with_its_entries(site: NewsSite, tmp_path: Path) -> None:
    site.publish("/", HEAD.format("/news.rss"))
    feed, home = show(site, "/news.rss", 3), Home(tmp_path)

    found = home.newsdesk("feeds", "discover", site.url(), "--add", "--nation", "wales")
    entries = home.newsdesk("status")["entries"]

    assert (found["added"], found["asked"], entries) == (feed, 2, 3)
    assert [(one.url, one.nation) for one in load(home.feeds)] == [(feed, "wales")]
    assert site.paths().count("/news.rss") == 1


def test_a_dead_feed_is_found_again_and_written_in_place(site: NewsSite, tmp_path: Path) -> None:
    old, well = site.url("/society/old.rss"), show(site, "/well.rss")
    new = show(site, "/society/rss", 2)
    show(site, "/sport/rss", 9)
    site.publish("/", HEAD.format("/sport/rss") + HEAD.format("/society/rss"))
    home, clock = Home(tmp_path, [old, well]), Clock()
    with home.desk(clock) as desk:
        desk.catalog.list_feeds(desk.feeds)
        desk.catalog.polled(FeedState(url=old, outcome="gone", failures=1), (), clock.now())

    proposed = home.newsdesk("feeds", "rediscover")
    before = [feed.url for feed in load(home.feeds)]
    applied = home.newsdesk("feeds", "rediscover", "--apply")

    assert [(one["url"], one["new"], one["detail"]) for one in proposed + applied] == [
        (old, new, "proposed"),
        (old, new, "applied"),
    ]
    assert (before, [feed.url for feed in load(home.feeds)]) == ([old, well], [new, well])
    assert home.newsdesk("status")["entries"] == 2
