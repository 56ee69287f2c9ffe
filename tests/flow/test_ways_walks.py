"""Ways into the past that walk: numbered pages, chained feeds, sitemaps, on loopback sites."""

import gzip
import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from html import escape
from ipaddress import ip_network
from typing import Any
from urllib.parse import urljoin

import pytest

from ingest.errors import FeedError, FetchError
from ingest.sources import SOURCES, WAYS, Way
from ingest.sources.past import Window
from ingest.web.client import Web
from storage.model import Feed, FeedState
from tests.builders import NOON
from tests.newssite import Reply
from tests.pagers import Pager, Told, daily, near, rss, walked, window

NEWS = {"via": "listing", "item": "li", "date": "time"}


@pytest.fixture
def site() -> Iterator[Pager]:
    with Pager() as site:
        yield site


@pytest.fixture
def web() -> Iterator[Web]:
    with Web(user_agent="newsdesk-test", allow=[ip_network("127.0.0.0/8")]) as web:
        yield web


def asking(url: str) -> Any:
    return nullcontext(lambda page: None)


def way_to(web: Web, name: str, url: str, **row: str) -> Way:
    """Return a way as the site offers it; its address is "" where it does not."""
    way = WAYS[name](Feed(url=url, title="F", **row), web, asking, frozenset())  # type: ignore[arg-type]
    return replace(way, address=way.offered() or "")


# --- numbered pages ------------------------------------------------------------------------------

WINDOWS = [
    window("2026-02-27", "2026-03-03"),  # with today
    window("2025-12-31", "2026-01-01"),  # the last day of a year
    window("2024-02-29", "2024-03-01"),  # 29 February
    window("2024-01-31", "2024-03-31"),  # from a 31st to a 31st, clocks going forward
    window("2019-01-01", "2020-01-01"),  # before there was anything
    window("2023-11-01", "2024-02-01"),  # the oldest, and before
    window("2027-01-01", "2027-02-01"),  # to come
]


@pytest.mark.parametrize(
    ("beyond", "windows"),
    [("404", WINDOWS), *((beyond, WINDOWS[4:6]) for beyond in ("empty", "first", "last"))],
)
def test_pages_of_a_feed_give_every_entry_of_a_window_once(
    site: Pager, web: Web, beyond: str, windows: list[Window]
) -> None:
    site.stories, site.beyond, site.size = daily(site, 803), beyond, 30
    way = way_to(web, "paged", site.url("/feed/?cat=3"))

    found = [[entry.url for entry in walked(way, asked)] for asked in windows]

    assert way.address == site.url("/feed/?cat=3&paged=2")
    assert found == [near(site.stories, asked) for asked in windows]


def test_an_entry_of_the_past_is_the_one_that_polling_gives(site: Pager, web: Web) -> None:
    site.stories = [replace(told, url=f"{told.url}?utm_source=rss") for told in daily(site, 20)]
    feed = Feed(url=site.url("/feed/"), title="F")
    polled = SOURCES["feed"](feed, web, asking, frozenset()).entries(FeedState(url=feed.url))

    found = walked(way_to(web, "paged", feed.url), window("2026-02-22", "2026-03-03"))

    by_url = {entry.url: entry for entry in found}
    assert [by_url[entry.url] for entry in polled.entries] == [
        replace(entry, date_source="paged") for entry in polled.entries
    ]


def test_an_old_window_is_found_in_few_requests(site: Pager, web: Web) -> None:
    site.stories = daily(site, 3_650)
    way = way_to(web, "paged", site.url("/feed/"))
    site.asked.clear()

    way_there, cursor = [], ""
    while cursor or not way_there:
        step = way.step(window("2017-05-01", "2017-06-01"), cursor)
        cursor, way_there = step.cursor, [*way_there, step]

    assert sum(len(step.entries) > 0 for step in way_there) in (4, 5, 6)
    assert len(site.asked) <= 25  # of 365 pages: 10 to double, 8 to halve, 5 to read


def test_what_appears_while_pages_are_read_hides_nothing(site: Pager, web: Web) -> None:
    site.stories = daily(site, 90)
    way = way_to(web, "paged", site.url("/feed/"))
    old, new = list(site.stories), iter(range(1_000))

    def publish() -> None:
        site.stories.insert(0, Told(site.url(f"/new-{next(new)}"), NOON))

    site.before = dict.fromkeys(range(3, 40), publish)
    asked = window("2025-12-20", "2026-02-01")

    assert [entry.url for entry in walked(way, asked)] == near(old, asked)


def test_what_is_deleted_while_pages_are_read_hides_nothing(site: Pager, web: Web) -> None:
    told, asked = daily(site, 90), window("2025-12-20", "2026-02-01")
    site.stories = list(told)
    way, found = way_to(web, "paged", site.url("/feed/")), []

    for request in range(4, 11):  # of the first pass, before which one goes
        site.stories, site.shown_so_far = list(told), 0
        site.before = {request: lambda: site.stories.pop(0)}
        found.append([entry.url for entry in walked(way, asked)])

    assert found == [near(told, asked)] * 7


def test_an_old_story_pinned_to_every_page_ends_no_walk(site: Pager, web: Web) -> None:
    site.stories, asked = daily(site, 50), window("2026-01-20", "2026-01-22")
    site.pinned = [Told(site.url("/welcome"), NOON - timedelta(days=4_000))]
    way = way_to(web, "paged", site.url("/feed/"))

    assert [entry.url for entry in walked(way, asked)] == near(site.stories, asked)


@pytest.mark.parametrize("beyond", ["404", "first", "last"])
def test_no_pages_are_offered_where_the_number_changes_nothing(
    site: Pager, web: Web, beyond: str
) -> None:
    site.stories, site.beyond = daily(site, 8), beyond
    short = way_to(web, "paged", site.url("/feed/"))
    site.stories, site.counts = daily(site, 80), False
    deaf = way_to(web, "paged", site.url("/feed/")), way_to(web, "paged", site.url("/none/"))

    assert [way.address for way in (short, *deaf)] == [""] * 3


def test_a_site_that_is_down_for_now_is_not_taken_for_one_that_offers_nothing(web: Web) -> None:
    with Pager() as site:
        url = site.url("/feed/")

    with pytest.raises(FetchError, match="connection"):
        way_to(web, "paged", url)


def test_a_pager_without_end_is_told(site: Pager, web: Web) -> None:
    site.stories, site.beyond = daily(site, 20), "endless"
    way = way_to(web, "paged", site.url("/feed/"))

    with pytest.raises(FeedError, match="endless: even page 32768 is all newer than the window"):
        walked(way, window("2017-05-01", "2017-06-01"))


@pytest.mark.parametrize("base", [0, 1])
def test_pages_of_a_listing_count_from_0_or_1(site: Pager, web: Web, base: int) -> None:
    site.stories, site.base, site.dated = daily(site, 12), base, base == 1
    site.beyond = "404" if base else "empty"
    asked = window("2026-02-25", "2026-02-26")

    way = way_to(web, "pages", site.url("/news?type=blog"), **NEWS)
    found = walked(way, asked, passes=1)

    assert way.address == site.url(f"/news?type=blog&page={base + 1}")
    wanted = near(site.stories, asked) if site.dated else sorted(told.url for told in site.stories)
    assert [entry.url for entry in found] == wanted
    assert site.paths()[-1] == f"/news?type=blog&page={base + 1 + (not site.dated)}"


# --- chained documents ---------------------------------------------------------------------------


def chained(site: Pager, rel: str = "prev-archive", last: str = "") -> list[Told]:
    """Publish a feed and its archives, a year each, with relative links; return what they hold."""
    told = daily(site, 3 * 365)[::10]
    site.publish("/atom", rss(told[:9], f'<atom:link rel="{rel}" href="archive/2026"/>'))
    for year in range(2026, 2022, -1):
        to = f"{year - 1}" if year > 2023 else last
        link = f'<atom:link rel="{rel}" href="{to}"/>' if to else ""
        days = [one for one in told if one.day and one.day.year == year]
        site.publish(f"/archive/{year}", rss(days, link))
    return told


@pytest.mark.parametrize(
    ("rel", "last"),
    [
        *(("prev-archive", last) for last in ("", "2023", "2025", "/atom", "http://127.0.0.9/old")),
        *(("next", last) for last in ("", "ftp://x/")),
    ],
)
def test_a_chain_gives_every_entry_of_a_window_and_ends(
    site: Pager, web: Web, rel: str, last: str
) -> None:
    told = chained(site, rel, last)
    name = {"prev-archive": "archives", "next": "next_url"}[rel]
    way = way_to(web, name, site.url("/atom"))

    windows = [WINDOWS[0], WINDOWS[2], window("2020-01-01", "2026-03-03")]
    found = [[entry.url for entry in walked(way, asked)] for asked in windows]

    assert way.address == site.url("/archive/2026")
    assert found == [near(told, asked) for asked in windows]


def test_a_chain_is_left_where_all_is_older_than_the_window(site: Pager, web: Web) -> None:
    chained(site)
    way = way_to(web, "archives", site.url("/atom"))
    site.asked.clear()

    walked(way, window("2026-02-01", "2026-02-02"))

    assert site.paths() == ["/atom", "/archive/2026", "/archive/2025"]


def test_what_was_changed_long_after_it_appeared_is_not_taken_for_new(
    site: Pager, web: Web
) -> None:
    entry = (
        "<entry><title>T</title><id>{0}</id><link href='/{0}'/>"
        "<published>{1}T09:00:00Z</published><updated>{2}T09:00:00Z</updated></entry>"
    )
    atom = "<feed xmlns='http://www.w3.org/2005/Atom'><title>F</title>{}</feed>"
    link = "<link rel='prev-archive' href='{}'/>"
    site.publish("/atom", atom.format(link.format("/2") + entry.format(1, *["2019-05-02"] * 2)))
    site.publish("/2", atom.format(link.format("/3") + entry.format(2, "2011-01-01", "2018-08-01")))
    site.publish("/3", atom.format(entry.format(3, *["2015-02-02"] * 2)))
    way = way_to(web, "archives", site.url("/atom"))

    found = [walked(way, window(f"{year}-01-01", f"{year}-03-01")) for year in (2011, 2015)]

    assert [[entry.url for entry in year] for year in found] == [[site.url("/2")], [site.url("/3")]]


def test_a_complete_feed_is_its_own_archive(site: Pager, web: Web) -> None:
    told = daily(site, 400)
    site.publish("/all", rss(told, "<fh:complete/>"))
    site.publish("/some", rss(told[:10]))
    asked = window("2025-03-01", "2025-04-01")
    way = way_to(web, "archives", site.url("/all"))

    assert [entry.url for entry in walked(way, asked)] == near(told, asked)
    assert site.paths() == ["/all", "/all"]
    assert way_to(web, "archives", site.url("/some")).address == ""


def test_json_feeds_are_followed_by_next_url(site: Pager, web: Web) -> None:
    told = daily(site, 60)
    for page in range(3):
        entries = [
            {"id": one.url, "url": one.url, "date_published": str(one.day)}
            for one in told[page * 20 : page * 20 + 20]
        ]
        feed = {"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": entries}
        following = {"next_url": f"/feed.json?page={page + 1}"} if page < 2 else {}
        site.publish(f"/feed.json?page={page}", json.dumps(feed | following))
    asked = window("2026-01-05", "2026-02-20")
    way = way_to(web, "next_url", site.url("/feed.json?page=0"))

    assert way.address == site.url("/feed.json?page=1")
    assert way_to(web, "next_url", site.url("/feed.json?page=2")).address == ""
    assert [entry.url for entry in walked(way, asked)] == near(told, asked)


# --- sitemaps ------------------------------------------------------------------------------------


def mapped(site: Pager, path: str, *urls: str, changed: str = "", part: bool = False) -> str:
    """Publish a sitemap, or an index, of "path" or "path lastmod"; return its URL."""
    name, root = ("sitemap", "sitemapindex") if part else ("url", "urlset")
    rows = []
    for url in urls:
        where, _, lastmod = url.partition(" ")
        said = f"<lastmod>{lastmod or changed}</lastmod>" if lastmod or changed else ""
        rows.append(f"<{name}><loc>{escape(urljoin(site.url('/'), where))}</loc>{said}</{name}>")
    body = f"<?xml version='1.0'?><{root}>{''.join(rows)}</{root}>"
    return site.publish(path, gzip.compress(body.encode()) if path.endswith(".gz") else body)


def found_in(way: Way, asked: Window) -> list[str]:
    """Return the paths of what a walk finds."""
    return [f"/{entry.url.split('/', 3)[3]}" for entry in walked(way, asked)]


FEB_2024 = window("2024-02-01", "2024-03-01")


def test_a_sitemap_leaves_out_what_its_dates_rule_out_and_nothing_else(
    site: Pager, web: Web
) -> None:
    url = mapped(
        site, "/s.xml",
        "/before 2024-01-28T23:59:59Z", "/just 2024-01-29", "/touched 2026-03-01", "/undated",
        "/2024/01/28/a 2026-03-01", "/2024/01/29/b 2026-03-01", "/2024/02/29/leap",
        "/2024-03-03-c", "/2024/03/04/d", "/2024/02/a-month", "/about",
        "http://127.0.0.9/2024/02/03/elsewhere", "ftp://127.0.0.1/x",
    )  # fmt: skip
    way = way_to(web, "sitemap", url, via="sitemap")

    assert way.address == url
    assert found_in(way, FEB_2024) == [
        "/2024-03-03-c", "/2024/01/29/b", "/2024/02/29/leap", "/2024/02/a-month", "/about",
        "/just", "/touched", "/undated",
    ]  # fmt: skip


def test_a_sitemap_touched_in_bulk_still_gives_all_it_may_hold(site: Pager, web: Web) -> None:
    urls = [f"/story-{n}" for n in range(500)]
    way = way_to(web, "sitemap", mapped(site, "/s.xml", *urls, changed="2026-03-01"), via="sitemap")

    assert found_in(way, FEB_2024) == sorted(urls)


def test_a_news_sitemap_is_believed_to_within_the_margin(site: Pager, web: Web) -> None:
    news = (
        "<url><loc>{}</loc><n:news><n:title>T</n:title>"
        "<n:publication_date>{}</n:publication_date></n:news></url>"
    )
    days = ["2024-01-28", "2024-01-29", "2024-02-29", "2024-03-03", "2024-03-04"]
    urls = "".join(news.format(site.url(f"/{day}"), f"{day}T10:00:00+00:00") for day in days)
    namespace = "http://www.google.com/schemas/sitemap-news/0.9"
    url = site.publish("/news.xml", f"<urlset xmlns:n='{namespace}'>{urls}</urlset>")

    found = walked(way_to(web, "sitemap", url, via="sitemap"), FEB_2024)

    assert [(str(e.published)[:10], e.title) for e in found] == [(day, "T") for day in days[1:4]]


def test_indexes_within_indexes_are_read_file_by_file_and_each_once(site: Pager, web: Web) -> None:
    mapped(site, "/a.xml", "/1", "/2")
    mapped(site, "/b.xml.gz", "/2", "/3")
    mapped(site, "/old.xml", "/4")
    mapped(
        site,
        "/inner.xml",
        "/b.xml.gz",
        "/index.xml",
        "/inner.xml",
        "/old.xml 2024-01-28",
        part=True,
    )
    url = mapped(site, "/index.xml", "/a.xml 2026-03-01", "/inner.xml", "/gone.xml", part=True)
    site.publish("/gone.xml", "", status=410)
    way, steps, cursor = way_to(web, "sitemap", url, via="sitemap"), [], ""

    while not steps or cursor:
        steps.append(way.step(FEB_2024, cursor))
        cursor = steps[-1].cursor

    assert site.paths() == ["/index.xml", "/a.xml", "/gone.xml", "/inner.xml", "/b.xml.gz"]
    assert [len(step.entries) for step in steps] == [0, 2, 0, 0, 2]
    assert "gone: status=410" in steps[2].missed


def test_an_index_may_be_large_and_change_while_its_parts_are_read(site: Pager, web: Web) -> None:
    parts = [f"/part-{n:03}.xml" for n in range(130)]
    for n, part in enumerate(parts):
        mapped(site, part, f"/{n:03}")
    url = mapped(site, "/index.xml", *parts, part=True)
    way, cursor, found, asked = way_to(web, "sitemap", url, via="sitemap"), "", [], 0

    while not asked or cursor:
        asked += 1
        step = way.step(FEB_2024, cursor)
        cursor, found = step.cursor, found + [entry.url for entry in step.entries]
        assert len(cursor) < 5_000
        if asked == 20:
            mapped(site, "/index.xml", "/a-new-one.xml", *parts[10:], part=True)

    assert sorted(found) == [site.url(f"/{n:03}") for n in range(130)]
    assert asked == 130 + 3


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (["/s-2024-01.xml", "/s-2024-02.xml", "/s-2024-04.xml"], [1, 2]),
        (["/s?yyyy=2023&mm=12", "/s?yyyy=2024&mm=02", "/s?yyyy=2024&mm=03"], [2, 3]),
        (["/s/2024/01/p.xml", "/s/2024/03/p.xml", "/s/pages.xml"], [1, 2, 3]),
        (["/s-2019-11.xml", "/s-2019-12.xml", "/s-2019-13.xml"], [1, 2, 3]),  # numbers
        (["/a-2026-03.xml", "/b-2026-03.xml"], [1, 2]),  # when they were made
        (["/s2019.xml", "/s2020.xml", "/s-201801.xml"], [1, 2, 3]),  # who knows
    ],
)
def test_parts_named_for_other_months_are_not_asked(
    site: Pager, web: Web, names: list[str], asked: list[int]
) -> None:
    for number, name in enumerate(names, start=1):
        mapped(site, name, f"/{number}")
    url = mapped(site, "/index.xml", *names, part=True)

    found = found_in(way_to(web, "sitemap", url, via="sitemap"), FEB_2024)

    assert found == [f"/{number}" for number in asked]
    assert len(site.asked) == 1 + len(asked)


DTD = "<!DOCTYPE x [<!ENTITY a '&a;'>]><urlset><url><loc>http://127.0.0.1/&a;</loc></url></urlset>"


def test_a_file_that_cannot_be_used_fails_a_walk_only_where_nothing_else_can(
    site: Pager, web: Web
) -> None:
    site.publish("/dtd.xml", DTD)
    mapped(site, "/good.xml", "/1")
    site.publish("/z.xml", DTD)
    both = mapped(site, "/both.xml", "/dtd.xml", "/good.xml", "/z.xml", part=True)
    only = mapped(site, "/only.xml", "/dtd.xml", part=True)

    found = found_in(way_to(web, "sitemap", both, via="sitemap"), FEB_2024)

    assert found == ["/1"]
    for url in (only, site.url("/dtd.xml")):
        with pytest.raises(FeedError, match="its entities lie over"):
            walked(way_to(web, "sitemap", url, via="sitemap"), FEB_2024)


def test_a_part_that_is_out_of_reach_for_now_is_asked_again(site: Pager, web: Web) -> None:
    url = mapped(site, "/index.xml", "/a.xml", part=True)
    site.script(
        "/a.xml", Reply(status=503), Reply(body=f"<urlset><url><loc>{url}</loc></url></urlset>")
    )
    way = way_to(web, "sitemap", url, via="sitemap")
    cursor = way.step(FEB_2024, "").cursor

    with pytest.raises(FetchError, match="server_error"):
        way.step(FEB_2024, cursor)

    assert len(way.step(FEB_2024, cursor).entries) == 1


def test_a_feed_is_offered_the_sitemaps_that_robots_txt_names_within_its_folder(
    site: Pager, web: Web
) -> None:
    stories = [
        replace(told, url=site.url(f"/news/2026/{n}/")) for n, told in enumerate(daily(site, 6))
    ]
    feed = site.publish("/rss", rss(stories))
    site.publish(
        "/robots.txt", f"User-agent: *\nDisallow:\nSitemap: {site.url('/1.xml')}\nsitemap:/2.xml"
    )
    mapped(site, "/1.xml", "/news/old-1", "/about")

    way = way_to(web, "sitemap", feed)

    assert way.address == site.url("/robots.txt#/news/")
    assert found_in(way, FEB_2024) == ["/news/old-1"]


def test_a_site_is_offered_its_usual_sitemap_or_none(site: Pager, web: Web) -> None:
    listing = way_to(web, "sitemap", site.url("/news"), **NEWS)
    site.publish("/sitemap.xml", "<html>Not found, said kindly</html>")
    kind = way_to(web, "sitemap", site.url("/news"), **NEWS)
    mapped(site, "/sitemap.xml", "/a/1", "/b/1")
    within = way_to(web, "sitemap", site.url("/news"), within="/b/", **NEWS)

    assert (listing.address, kind.address) == ("", "")
    assert within.address == site.url("/sitemap.xml")
    assert found_in(within, FEB_2024) == ["/b/1"]
