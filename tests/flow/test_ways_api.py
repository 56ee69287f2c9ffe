"""Ways into the past through the APIs of archives, on origins that speak each protocol."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from ingest.errors import Fault, FeedError, FetchError
from ingest.feeds import parse_feed
from ingest.sources import WAYS
from ingest.sources.past import Window
from ingest.web.client import Web
from storage.model import Entry
from tests import archives
from tests.archives import JSON, Post, day, told, walk, way, window
from tests.home import rss
from tests.newssite import Reply


@pytest.fixture
def web() -> Iterator[Web]:
    with Web(user_agent="newsdesk-test", allow=[ip_network("127.0.0.0/8")]) as web:
        yield web


def within(entries: Iterable[Entry], window: Window) -> Counter[str]:
    """Return how often each URL was found that appeared in the window itself."""
    return Counter(
        one.url
        for one in entries
        if one.published and window.since <= one.published.date() < window.until
    )


# --- WordPress -----------------------------------------------------------------------------------

HOURLY = 5
JANUARY = [datetime(2024, 1, 1) + timedelta(hours=HOURLY * n) for n in range(600)]  # to May


@pytest.fixture
def blog() -> Iterator[archives.WordPress]:
    with archives.WordPress() as site:
        site.posts = [Post(n, local) for n, local in enumerate(JANUARY, start=1)]
        yield site


def appeared(site: archives.WordPress, window: Window) -> Counter[str]:
    """Return the posts that appeared in the window, by the site's clock made UTC."""
    return Counter(
        site.link(post)
        for post in site.posts
        if window.since
        <= post.local.replace(tzinfo=site.zone).astimezone(UTC).date()
        < window.until
    )


@pytest.mark.parametrize(
    "asked",
    [
        window("2024-02-01", "2024-03-01"),
        day("2024-02-29"),
        day("2024-03-31"),  # clocks go forward
        window("2023-12-01", "2024-01-02"),
        window("2024-01-01", "2025-01-01"),
        window("2022-01-01", "2022-02-01"),  # before there was anything
    ],
)
def test_each_post_of_a_window_is_found_once(
    web: Web, blog: archives.WordPress, asked: Window
) -> None:
    posts = way(WAYS["wordpress"], web, blog.url("/feed/"))

    found = walk(posts, asked)

    assert within(found, asked) == appeared(blog, asked)
    assert all(asked.near(one.published) for one in found)
    assert max(Counter(one.url for one in found).values(), default=1) == 1


def test_a_post_is_read_as_its_feed_has_it(web: Web, blog: archives.WordPress) -> None:
    text = "<p>" + "They shook hands on one budget for care at home. " * 20 + "</p>"
    blog.posts = [
        Post(9, datetime(2024, 7, 1, 0, 30), "Boards &#038; &#8220;care&#8221;", 1, True, text)
    ]

    [entry] = walk(way(WAYS["wordpress"], web, blog.url("/feed/")), day("2024-06-30"))

    [announced] = parse_feed(
        rss([(blog.link(blog.posts[0]) + "?utm_source=rss", "x")]).encode(),
        "",
        blog.url("/feed/"),
        "",
    ).entries
    assert entry.url == announced.url
    assert entry.title == "Boards & “care”"
    assert entry.guid == blog.url("/?p=9&a=b")
    assert entry.published == datetime(2024, 6, 30, 23, 30, tzinfo=UTC)  # summer time
    assert (entry.content, entry.summary) == (text, "In short […]")
    assert (entry.source, entry.date_source) == (blog.url("/feed/"), "wordpress")


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_clock_on_the_other_side_of_the_world_loses_nothing(
    web: Web, blog: archives.WordPress, zone: str
) -> None:
    blog.zone = archives.ZoneInfo(zone)
    asked = day("2024-02-10")

    found = walk(way(WAYS["wordpress"], web, blog.url("/feed/")), asked)

    assert within(found, asked) == appeared(blog, asked)


def test_posts_deleted_and_added_between_two_pages_cost_no_other(
    web: Web, blog: archives.WordPress
) -> None:
    asked = window("2024-01-01", "2024-05-01")
    posts = way(WAYS["wordpress"], web, blog.url("/feed/"))
    stay = appeared(blog, asked)
    early = [post for post in blog.posts if post.id < 40]

    def change(number: int) -> None:
        blog.posts.remove(early.pop())  # of the first page
        blog.posts.append(Post(1000 + number, datetime(2024, 1, 2, 3, number)))

    blog.before = change
    found = walk(posts, asked)

    assert within(found, asked) >= stay & appeared(blog, asked)
    assert max(Counter(one.url for one in found).values()) == 1


def test_more_posts_of_one_second_than_fit_a_page_are_all_found(
    web: Web, blog: archives.WordPress
) -> None:
    moved = datetime(2024, 2, 2, 12)
    blog.posts += [Post(2000 + n, moved) for n in range(250)]  # as an import dates them
    asked = day("2024-02-02")

    found = walk(way(WAYS["wordpress"], web, blog.url("/feed/")), asked)

    assert within(found, asked) == appeared(blog, asked)


def test_posts_that_are_not_public_end_no_walk(web: Web, blog: archives.WordPress) -> None:
    blog.posts = [replace(post, public=not 50 <= post.id <= 300) for post in blog.posts]
    asked = window("2024-01-01", "2024-05-01")

    found = walk(way(WAYS["wordpress"], web, blog.url("/feed/")), asked)

    public = {blog.link(post) for post in blog.posts if post.public}
    assert set(within(found, asked)) == set(appeared(blog, asked)) & public


def test_a_category_has_its_own_posts_and_its_childrens(web: Web, blog: archives.WordPress) -> None:
    blog.posts = [replace(post, category=post.id % 10) for post in blog.posts]
    asked = day("2024-02-02")

    found = walk(way(WAYS["wordpress"], web, blog.url("/category/uk/scotland/feed/")), asked)

    assert {int(one.link.split("/")[-2]) % 10 for one in found} == {7, 8}


def test_a_folders_feed_is_its_own_site_or_a_part_of_the_hosts(
    web: Web, blog: archives.WordPress
) -> None:
    part = way(WAYS["wordpress"], web, blog.url("/2024/feed/"))
    elsewhere = way(WAYS["wordpress"], web, blog.url("/comments/feed/"))
    blog.refuses = {"/own/wp-json/wp/v2/posts": told([{"id": 1, "date": "2024-01-01T00:00:00"}])}
    own = way(WAYS["wordpress"], web, blog.url("/own/feed/"))

    assert part.address.startswith(blog.url("/wp-json/"))
    assert own.address.startswith(blog.url("/own/wp-json/"))
    assert elsewhere.address == ""


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=401, body='{"code":"rest_not_logged_in"}', content_type=JSON),
        Reply(status=403),
        Reply(status=404),
        Reply(body="<!doctype html><title>Just a moment</title>"),
        Reply(body="[" * 100_000, content_type=JSON),
        Reply(body='{"code":"rest_no_route"}', content_type=JSON),
        told([]),
    ],
)
def test_a_site_that_keeps_its_api_to_itself_offers_none(
    web: Web, blog: archives.WordPress, reply: Reply
) -> None:
    blog.refuses = {"/wp-json/wp/v2/posts": reply}

    assert way(WAYS["wordpress"], web, blog.url("/feed/")).address == ""


def test_what_may_pass_is_no_refusal(web: Web, blog: archives.WordPress) -> None:
    blog.refuses = {"/wp-json/wp/v2/posts": Reply(status=503)}

    with pytest.raises(FetchError) as caught:
        way(WAYS["wordpress"], web, blog.url("/feed/"))

    assert caught.value.fault is Fault.SERVER_ERROR


def test_no_feed_of_wordpress_is_asked_nothing(web: Web, blog: archives.WordPress) -> None:
    asked = [blog.url("/rss.xml"), blog.url("/feed/?post_type=event")]

    assert [way(WAYS["wordpress"], web, url).address for url in asked] == ["", ""]
    assert blog.paths() == []


def test_an_api_that_orders_as_it_likes_is_not_believed(web: Web, blog: archives.WordPress) -> None:
    posts = way(WAYS["wordpress"], web, blog.url("/feed/"))
    shuffled = [{"id": n, "date": f"2024-02-{20 - n:02}T00:00:00"} for n in range(3)]
    blog.refuses = {"/wp-json/wp/v2/posts": told(shuffled)}

    with pytest.raises(FeedError, match="order"):
        walk(posts, day("2024-02-20"))


def test_an_endless_pager_is_found_out(web: Web, blog: archives.WordPress) -> None:
    posts = way(WAYS["wordpress"], web, blog.url("/feed/"))
    page = [{"id": n, "date": "2024-02-20T00:00:00"} for n in range(100)]
    blog.refuses = {"/wp-json/wp/v2/posts": told(page, **{"X-WP-TotalPages": "9999"})}

    with pytest.raises(FeedError, match="endless"):
        walk(posts, day("2024-02-20"))


def test_a_broken_post_costs_itself_only(web: Web, blog: archives.WordPress) -> None:
    posts = way(WAYS["wordpress"], web, blog.url("/feed/"))
    good = {"id": 2, "date": "2024-02-20T00:00:00", "date_gmt": "", "link": blog.url("/2")}
    broken = [None, "x", {"id": "a"}, {**good, "link": "javascript:alert(1)"}, {**good, "title": 7}]
    blog.refuses = {"/wp-json/wp/v2/posts": told([*broken, good])}

    step = posts.step(day("2024-02-20"), "")

    assert [one.url for one in step.entries] == [blog.url("/2")]
    assert "unreadable=4" in step.detail
