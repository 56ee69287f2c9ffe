"""Listing pages and sitemaps on a loopback site: polled like feeds, and as robots.txt allows."""

import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.discover import check, discover
from ingest.errors import FeedError
from ingest.listing import page_tree
from ingest.report import life
from ingest.sources.page import in_child
from tests.builders import NOON
from tests.home import Clock, Home
from tests.newssite import NewsSite

PAGE = "<title>News</title><li><a href=/one>One</a> <time>2 March 2026</time>"


@pytest.fixture
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


def home_of(folder: Path, url: str, **row: str) -> Home:
    home = Home(folder)
    lines = [f'{key} = "{value}"' for key, value in {"url": url, "title": "S", **row}.items()]
    home.feeds.write_text("[[feed]]\n" + "\n".join(lines))
    return home


def polled(home: Home, clock: Clock) -> dict[str, Any]:
    """Poll all; return the outcome, the entries' paths and the detail of the only feed."""
    with home.desk(clock) as desk:
        counts = discover(desk, ask_all=True)
        (state,) = desk.catalog.feed_states().values()
        waiting = desk.catalog.to_fetch(clock.now(), 100)
        paths = sorted(f"/{one.entry.url.split('/', 3)[3]}" for one in waiting)
    return {"outcome": state.outcome, "detail": state.detail, "paths": paths, "counts": counts}


def url_of(site: NewsSite, path: str, changed: datetime | str = "") -> str:
    said = f"<lastmod>{changed}</lastmod>" if changed else ""
    return f"<url><loc>{site.url(path)}</loc>{said}</url>"


def part_of(site: NewsSite, path: str, changed: datetime | str = "") -> str:
    return url_of(site, path, changed).replace("url>", "sitemap>")


def test_a_listing_page_is_polled_like_a_feed(site: NewsSite, tmp_path: Path) -> None:
    url, clock = site.publish("/news", PAGE), Clock()
    home = home_of(tmp_path, url, via="listing", item="li", date="time")

    outcomes = [polled(home, clock)["outcome"], polled(home, clock)["outcome"]]
    site.publish("/news", "<li><a href=/two>Two</a>" + PAGE)
    last = polled(home, clock)

    assert outcomes == ["new", "not_modified"]
    assert (last["outcome"], last["paths"]) == ("new", ["/one", "/two"])
    assert last["detail"] == "items=2 stories=2 dates=1"
    assert site.paths() == ["/robots.txt", "/news", "/news", "/news"]
    with home.desk() as desk:
        entry = (life(desk, site.url("/one")) or {})["entry"]
    assert (entry["title"], entry["source"]) == ("One", url)
    assert entry["published"] == datetime(2026, 3, 2, tzinfo=NOON.tzinfo)


def test_another_selector_reads_an_unchanged_page_again(site: NewsSite, tmp_path: Path) -> None:
    url, clock = site.publish("/news", PAGE + "<p><a href=/two>Two</a>"), Clock()
    home = home_of(tmp_path, url, via="listing", item="li")
    polled(home, clock)

    home.feeds.write_text(home.feeds.read_text().replace('"li"', '"li, p"'))

    assert polled(home, clock)["paths"] == ["/one", "/two"]


@pytest.mark.parametrize("row", [{"via": "listing", "item": "li"}, {"via": "sitemap"}])
def test_robots_txt_holds_for_pages_and_sitemaps(
    site: NewsSite, tmp_path: Path, row: dict[str, str]
) -> None:
    site.publish("/robots.txt", "User-agent: *\nDisallow: /news")
    home = home_of(tmp_path, site.publish("/news", PAGE), **row)

    with home.desk() as desk:
        (answer,) = check(desk, desk.feeds)

    assert (answer["works"], answer["outcome"]) == (False, "robots_denied")
    assert site.paths() == ["/robots.txt"]


@pytest.mark.parametrize(
    ("item", "body", "outcome", "told"),
    [
        ("li.story", PAGE, "nothing_selected", "item = 'li.story' matches nothing on a page titl"),
        ("li[", PAGE, "nothing_selected", "item = 'li[': CSS parser error"),
    ],
    ids=["nothing", "no selector"],
)
def test_a_listing_page_that_gives_nothing_fails_and_says_why(
    site: NewsSite, tmp_path: Path, item: str, body: str, outcome: str, told: str
) -> None:
    home = home_of(tmp_path, site.publish("/news", body), via="listing", item=item)

    with home.desk() as desk:
        (answer,) = check(desk, desk.feeds)

    assert (answer["works"], answer["outcome"]) == (False, outcome)
    assert answer["detail"].startswith(told)


def test_a_page_that_takes_too_long_to_read_fails_by_itself() -> None:
    content = f"<a {' '.join(f'a{n}' for n in range(200_000))}>".encode()

    with pytest.raises(FeedError, match="unparseable: extract_timeout: over 1 s"):
        in_child(page_tree, content, "", seconds=1.0)


def test_a_sitemap_gives_what_changed_since_the_last_look(site: NewsSite, tmp_path: Path) -> None:
    clock, day = Clock(), timedelta(days=1)
    old = [url_of(site, "/news/2020", NOON - 900 * day), url_of(site, "/news/undated")]
    first = [*old, url_of(site, "/news/week", NOON - 6 * day), url_of(site, "/about", NOON)]
    url = site.publish("/s.xml", f"<urlset>{''.join(first)}</urlset>")
    home = home_of(tmp_path, url, via="sitemap", within="/news/")

    before = polled(home, clock)
    clock.sleep(86_400)
    later = [*first, url_of(site, "/news/new", NOON), url_of(site, "/news/2026/03/02/x")]
    site.publish("/s.xml", f"<urlset>{''.join(later)}</urlset>")
    after = polled(home, clock)

    assert before["paths"] == ["/news/week"]
    assert before["detail"] == "files=1 urls=4 since 2026-02-20=1; without a date=1"
    assert after["paths"] == ["/news/2026/03/02/x", "/news/new", "/news/week"]
    assert after["detail"] == "files=1 urls=6 since 2026-02-27=2; without a date=1"


def test_of_an_index_only_the_parts_that_changed_are_asked(site: NewsSite, tmp_path: Path) -> None:
    clock, day = Clock(), timedelta(days=1)
    with NewsSite("127.0.0.2") as other:
        parts = [
            part_of(site, "/old.xml", NOON - 90 * day),
            part_of(site, "/posts.xml.gz", NOON),
            part_of(site, "/gone.xml", NOON - day),
            part_of(site, "/index.xml", NOON - day),
            part_of(other, "/elsewhere.xml", NOON),
        ]
        url = site.publish("/index.xml", f"<sitemapindex>{''.join(parts)}</sitemapindex>")
        posts = f"<urlset>{url_of(site, '/one', NOON)}{url_of(other, '/two', NOON)}</urlset>"
        site.publish("/posts.xml.gz", gzip.compress(posts.encode()))
        home = home_of(tmp_path, url, via="sitemap")

        told = [polled(home, clock), polled(home, clock)]

    assert [one["paths"] for one in told] == [["/one"], ["/one"]]
    assert told[0]["outcome"] == "new"
    assert told[0]["detail"].startswith("files=3 urls=2 since 2026-02-20=1; http://127.0.0.1")
    assert site.paths() == ["/robots.txt", *["/index.xml", "/posts.xml.gz", "/gone.xml"] * 2]
    assert other.asked == []


def test_a_look_asks_twenty_files_at_most_and_then_rests(site: NewsSite, tmp_path: Path) -> None:
    parts = "".join(part_of(site, f"/{n}.xml") for n in range(30))
    url, clock = site.publish("/index.xml", f"<sitemapindex>{parts}</sitemapindex>"), Clock()
    for n in range(30):
        site.publish(f"/{n}.xml", f"<urlset>{url_of(site, f'/{n}', NOON)}</urlset>")
    home = home_of(tmp_path, url, via="sitemap")

    told = polled(home, clock)

    assert len(site.asked) == 21  # one of them for robots.txt
    assert told["detail"] == "files=20 urls=19 since 2026-02-20=19; files left out=11"
    with home.desk(clock) as desk:
        (state,) = desk.catalog.feed_states().values()
    assert state.next_poll is not None
    assert state.next_poll >= NOON + timedelta(hours=20)


@pytest.mark.parametrize(
    ("inner", "within", "told"),
    [
        ("/a", "/news/", "none of its 1 URLs is in within = '/news/'"),
        ("/a", "", "none of its 1 URLs has a date"),
    ],
)
def test_a_sitemap_that_can_never_give_anything_fails(
    site: NewsSite, tmp_path: Path, inner: str, within: str, told: str
) -> None:
    url = site.publish("/s.xml", f"<urlset>{url_of(site, inner)}</urlset>")
    home = home_of(tmp_path, url, via="sitemap", within=within)

    with home.desk() as desk:
        (answer,) = check(desk, desk.feeds)

    assert (answer["works"], answer["detail"]) == (False, told)
