"""Ways into the past through the APIs of archives, on origins that speak each protocol."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest

from ingest.errors import Fault, FeedError, FetchError
from ingest.feeds import parse_feed
from ingest.fetch import fetch
from ingest.secrets import Secrets
from ingest.sources import WAYS
from ingest.sources.api import Mark
from ingest.sources.guardian import Guardian
from ingest.sources.past import Capped, Way, Window
from ingest.sources.wayback import Wayback
from ingest.web.client import Web
from storage.errors import NewsError
from storage.model import Entry, Feed, FeedState
from tests import archives
from tests.archives import JSON, Capture, Item, Piece, Post, day, told, walk, way, window
from tests.builders import NOON
from tests.flow.test_verbs import page
from tests.home import Home, rss
from tests.newssite import NewsSite, Reply


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

TEXT = "<p>" + "They shook hands on one budget for care at home. " * 20 + "</p>"
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
    blog.posts = [
        Post(9, datetime(2024, 7, 1, 0, 30), "Boards &#038; &#8220;care&#8221;", content=TEXT)
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
    assert (entry.content, entry.summary) == (TEXT, "In short […]")
    assert (entry.source, entry.date_source) == (blog.url("/feed/"), "wordpress")


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_clock_on_the_other_side_of_the_world_loses_nothing(
    web: Web, blog: archives.WordPress, zone: str
) -> None:
    blog.zone = archives.ZoneInfo(zone)
    asked = day("2024-02-10")

    found = walk(way(WAYS["wordpress"], web, blog.url("/feed/")), asked)

    moments = {post: post.local.replace(tzinfo=blog.zone).astimezone(UTC) for post in blog.posts}
    near = [blog.link(post) for post, moment in moments.items() if asked.near(moment)]
    assert Counter(one.url for one in found) == Counter(near)


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

    assert {one.url for one in step.entries} == {blog.url("/2")}
    assert "unreadable=3" in step.detail


# --- GOV.UK --------------------------------------------------------------------------------------

NEWS = "/search/news-and-communications.atom?organisations%5B%5D=dhsc"


@pytest.fixture
def gov() -> Iterator[archives.GovUk]:
    with archives.GovUk() as site:
        site.items = [
            Item(f"/government/news/{n}", moment, moment)
            for n, moment in enumerate(
                datetime(2024, 2, 20, 23, 59, tzinfo=UTC) + timedelta(hours=3 * n)
                for n in range(120)
            )
        ]
        yield site


@pytest.mark.parametrize(
    "asked",
    [day("2024-02-29"), window("2024-02-25", "2024-03-02"), window("2024-04-01", "2024-05-01")],
)
def test_each_item_of_a_window_is_found_once(web: Web, gov: archives.GovUk, asked: Window) -> None:
    found = walk(way(WAYS["govuk"], web, gov.url(NEWS)), asked)

    assert within(found, asked) == Counter(
        gov.url(item.path) for item in gov.items if asked.since <= item.first.date() < asked.until
    )
    assert {one.date_source for one in found} <= {"govuk"}


def test_an_item_is_read_from_the_content_api(web: Web, gov: archives.GovUk) -> None:
    body = [
        {"content_type": "text/govspeak", "content": "x"},
        {"content_type": "text/html", "content": TEXT},
    ]
    first, major = (datetime(2024, 2, n, 0, 30, tzinfo=UTC) for n in (1, 2))
    gov.items = [Item("/guidance/a", first, major, body), Item("/guidance/b", first, major, TEXT)]

    one, two = walk(way(WAYS["govuk"], web, gov.url(NEWS)), day("2024-02-01"))

    assert (one.url, one.title, one.summary) == (
        gov.url("/guidance/a"),
        "Item /guidance/a",
        "In short",
    )
    assert (one.published, one.updated) == (first, major)
    assert one.content == two.content == TEXT


def test_an_item_updated_in_a_later_window_stands_there_and_its_page_is_to_tell(
    web: Web, gov: archives.GovUk
) -> None:
    first, major = datetime(2018, 1, 5, tzinfo=UTC), datetime(2024, 6, 2, tzinfo=UTC)
    gov.items = [Item("/guidance/old", first, major, "<p>text</p>" * 100)]
    items = way(WAYS["govuk"], web, gov.url(NEWS))

    [late], early = walk(items, day("2024-06-02")), walk(items, day("2018-01-05"))

    assert (late.url, late.published, late.content) == (gov.url("/guidance/old"), None, None)
    assert late.updated == major
    assert early == []


def test_items_edited_or_withdrawn_while_we_walk_cost_no_other(
    web: Web, gov: archives.GovUk
) -> None:
    asked = window("2024-02-21", "2024-03-06")
    items = way(WAYS["govuk"], web, gov.url(NEWS))
    gone = [item for item in gov.items if item.path.endswith("5")]
    edited = [item for item in gov.items if item.path.endswith("7")]

    def change(number: int) -> None:
        if number % 5 == 0 and gone:
            gov.items.remove(gone.pop())
        if number % 7 == 0 and edited:
            item = edited.pop(0)
            now = datetime(2024, 6, 1, tzinfo=UTC)
            gov.items[gov.items.index(item)] = replace(item, major=now)

    gov.before = change
    found = {one.url for one in walk(items, asked)}

    assert found >= {gov.url(i.path) for i in gov.items if i.major == i.first and i.path[-1] != "5"}


def test_a_day_of_more_items_than_a_search_gives_is_read_whole(
    web: Web, gov: archives.GovUk
) -> None:
    moment = datetime(2024, 2, 25, 12, tzinfo=UTC)
    gov.items += [Item(f"/government/news/import-{n:03}", moment, moment) for n in range(120)]

    found = walk(way(WAYS["govuk"], web, gov.url(NEWS)), day("2024-02-25"), steps=900)

    assert len({one.url for one in found if "import" in one.url}) == 120


@pytest.mark.parametrize(
    ("path", "filters"),
    [
        (NEWS, {"organisations": "dhsc", "content_purpose_subgroup": "speeches_and_statements"}),
        (
            "/search/policy-papers-and-consultations.atom?organisations[]=dhsc&order=updated-newest",
            {"organisations": "dhsc", "content_purpose_supergroup": "policy_and_engagement"},
        ),
        ("/search/all.atom?keywords=special&public_timestamp[from]=2020", {}),
        ("/government/organisations/dhsc.atom", {"organisations": "dhsc"}),
    ],
)
def test_a_search_selects_what_the_feed_does(
    web: Web, gov: archives.GovUk, path: str, filters: dict[str, str]
) -> None:
    moment = datetime(2024, 2, 25, tzinfo=UTC)
    others = {"organisations": "hmrc", "content_purpose_supergroup": "other"}
    gov.items = [
        Item("/government/special", moment, moment, groups=filters),
        Item("/government/other", moment, moment, groups=others),
    ]

    found = walk(way(WAYS["govuk"], web, gov.url(path)), day("2024-02-25"))

    assert [one.url for one in found] == [gov.url("/government/special")]


@pytest.mark.parametrize(
    "path",
    [
        "/search/news-and-communications.atom?brand_new_facet[]=x",  # 422, if it were asked
        "/search/services.atom",
        "/feed/",
        "/search/news-and-communications.atom?organisations[]=nobody",  # finds nothing
    ],
)
def test_what_the_search_cannot_select_is_not_offered(
    web: Web, gov: archives.GovUk, path: str
) -> None:
    assert way(WAYS["govuk"], web, gov.url(path)).address == ""


@pytest.mark.parametrize("status", [422, 429, 503])
def test_a_search_that_is_refused_stops_the_walk(
    web: Web, gov: archives.GovUk, status: int
) -> None:
    items = way(WAYS["govuk"], web, gov.url(NEWS))
    gov.refuses = {"/api/search.json": told({"error": "no"}, status)}

    with pytest.raises(FetchError) as caught:
        items.step(day("2024-02-25"), "")

    assert caught.value.fault.passing is (status != 422)


@pytest.mark.parametrize(
    "reply", [Reply(status=500), Reply(status=403), Reply(body="<p>", status=200)]
)
def test_an_item_that_the_content_api_cannot_show_is_left_to_its_page(
    web: Web, gov: archives.GovUk, reply: Reply
) -> None:
    gov.items = gov.items[:1]
    gov.refuses = {f"/api/content{gov.items[0].path}": reply}

    [entry] = walk(way(WAYS["govuk"], web, gov.url(NEWS)), day("2024-02-20"))

    assert (entry.url, entry.published) == (gov.url(gov.items[0].path), None)


# --- the Guardian --------------------------------------------------------------------------------

KEY = "c4n4ry-9f8e-7d6c5b"


OPENED = ExitStack()  # what a test opens, until its end


@pytest.fixture
def paper() -> Iterator[archives.Guardian]:
    with archives.Guardian(KEY) as site, OPENED:
        site.pieces = [
            Piece(f"society/2024/{n}", datetime(2024, 3, 1, tzinfo=UTC) + timedelta(hours=2 * n))
            for n in range(700)
        ]
        yield site


def guardian(paper: archives.Guardian, path: str, key: str = KEY, **row: str) -> Way:
    """Return the way for a feed of the Guardian's, asked at the loopback site."""

    class Here(Guardian):
        search = paper.url("/search")

    secrets = Secrets()
    mark = secrets.hide(f"{paper.url('/search')}?api-key={key}").rpartition("=")[2] if key else ""
    web = Web(user_agent="newsdesk-test", allow=[ip_network("127.0.0.0/8")], secrets=secrets)
    OPENED.enter_context(web)
    return way(Here, web, f"https://www.theguardian.com{path}", key=mark, **row)


@pytest.mark.parametrize("asked", [day("2024-03-31"), window("2024-03-05", "2024-04-02")])
@pytest.mark.parametrize("path", ["/society/rss", "/society/social-care/rss"])
def test_each_piece_of_a_window_is_found_once(
    paper: archives.Guardian, asked: Window, path: str
) -> None:
    paper.pieces.append(Piece("football/1", datetime(2024, 3, 31, tzinfo=UTC), "football/football"))

    found = walk(guardian(paper, path), asked)

    assert Counter(one.url for one in found) == Counter(
        f"https://www.theguardian.com/{piece.path}"
        for piece in paper.pieces
        if asked.near(piece.at) and piece.tag != "football/football"
    )


def test_a_piece_is_read_as_its_feed_has_it(paper: archives.Guardian) -> None:
    paper.pieces = [Piece("society/2024/a", datetime(2024, 6, 30, 23, 30, tzinfo=UTC), body=TEXT)]

    [entry] = walk(guardian(paper, "/society/rss"), day("2024-06-30"))

    assert entry.url == entry.guid == "https://www.theguardian.com/society/2024/a"
    assert (entry.title, entry.content) == ("Care & cost", TEXT)
    assert entry.published == datetime(2024, 6, 30, 23, 30, tzinfo=UTC)


def test_pieces_taken_down_while_we_walk_cost_no_other(paper: archives.Guardian) -> None:
    pieces = guardian(paper, "/society/rss")
    asked = window("2024-03-01", "2024-03-31")
    stay = paper.pieces[60:360]
    paper.before = lambda number: paper.pieces.pop(0)

    found = {one.url for one in walk(pieces, asked)}

    assert found >= {f"https://www.theguardian.com/{piece.path}" for piece in stay}


def test_a_day_of_more_than_is_shown_is_capped(paper: archives.Guardian) -> None:
    moment = datetime(2024, 3, 5, tzinfo=UTC)
    paper.pieces += [Piece(f"society/live/{n}", moment) for n in range(500)]
    paper.deepest = 2
    pieces = guardian(paper, "/society/rss")

    with pytest.raises(Capped, match="2024-03-05"):
        walk(pieces, day("2024-03-05"))


def test_who_has_no_key_asks_nothing_and_a_wrong_one_is_told(paper: archives.Guardian) -> None:
    assert guardian(paper, "/society/rss", key="").address == ""
    assert paper.paths() == []

    with pytest.raises(FeedError, match="NEWS_GUARDIAN_KEY"):
        guardian(paper, "/society/rss", key="n0-such-key-as-this")


@pytest.mark.parametrize("path", ["/rss", "/society/a/b/rss", "/society"])
def test_no_feed_of_a_section_or_tag_is_asked_nothing(paper: archives.Guardian, path: str) -> None:
    assert guardian(paper, path).address == ""
    assert paper.paths() == []


def test_the_guardians_key_is_sent_and_shown_nowhere(paper: archives.Guardian) -> None:
    pieces = guardian(paper, "/society/rss")
    found = walk(pieces, day("2024-03-05"))
    told = [repr(found), pieces.address, repr(pieces)]
    for reply in (Reply(status=429), Reply(status=401), Reply(status=301), Reply(body=KEY)):
        paper.refuses = {"/search": replace(reply, headers={"Location": f"/?k={KEY}"})}
        with pytest.raises((FetchError, FeedError)) as caught:
            pieces.step(day("2024-03-05"), "")
        told += [str(caught.value), repr(caught.value), "".join(format_exception(caught.value))]

    assert found
    assert all(f"api-key={KEY}" in path for path in paper.paths() if path.startswith("/search"))
    assert KEY not in "".join(told)


# --- the Wayback Machine -------------------------------------------------------------------------

SITE = "https://news.example"


@pytest.fixture
def attic() -> Iterator[archives.Wayback]:
    with archives.Wayback() as site:
        yield site


def wayback(web: Web, attic: archives.Wayback, url: str = f"{SITE}/feed/", **row: str) -> Way:
    class Here(Wayback):
        archive = attic.url("").rstrip("/")

    return way(Here, web, url, **row)


def captured(moment: str, *stories: tuple[int, str]) -> Capture:
    """Return a capture of the feed, which was http then; each story has a number and a day."""
    dates = [format_datetime(datetime.fromisoformat(f"{day}T09:00:00+00:00")) for _, day in stories]
    body = rss([(f"http://news.example:80/{n}?utm_source=rss", f"Story {n}") for n, _ in stories],
               lambda place: dates[place])  # fmt: skip
    return Capture(moment, "http://news.example:80/feed/", body, "application/rss+xml")


def test_captured_feeds_give_what_they_announced_gone_or_not(
    web: Web, attic: archives.Wayback
) -> None:
    attic.most = 2
    attic.captures = [
        captured("20160226000000", (1, "2016-02-25"), (2, "2016-02-26")),
        captured("20160229120000", (2, "2016-02-26"), (3, "2016-02-29")),
        captured("20160229130000", (2, "2016-02-26"), (3, "2016-02-29")),  # the same again
        captured("20160310000000", (3, "2016-02-29"), (4, "2016-03-05")),
        captured("20160429000000", (4, "2016-03-05"), (5, "2016-02-29")),
        captured("20170101000000", (6, "2016-12-31")),
    ]

    found = walk(wayback(web, attic), day("2016-02-29"))

    assert {one.url for one in found} == {f"{SITE}/{n}" for n in (2, 3)}
    [three, *_] = [one for one in found if one.title == "Story 3"]
    assert three.link == attic.url("/web/20160229120000id_/http://news.example:80/3?utm_source=rss")
    assert (three.published, three.date_source) == (datetime(2016, 2, 29, 9, tzinfo=UTC), "wayback")
    assert three.guid == "http://news.example:80/3?utm_source=rss"


def test_parts_of_a_month_give_what_the_month_gives(web: Web, attic: archives.Wayback) -> None:
    days = [date(2019, 1, 1) + timedelta(days=n) for n in range(90)]
    attic.captures = [
        captured(f"{day:%Y%m%d}000000", *((n, str(days[n])) for n in range(max(0, at - 20), at)))
        for at, day in enumerate(days)
        if at % 9 == 1
    ]
    old = wayback(web, attic)
    month = window("2019-02-01", "2019-03-01")

    at_once = within(walk(old, month), month)
    by_parts = Counter[str]()
    cuts = [f"2019-02-{n:02}" for n in (1, 8, 9, 10, 27, 28)]
    for since, until in pairwise([*cuts, "2019-03-01"]):
        part = window(since, until)
        by_parts += within(walk(old, part), part)

    assert set(at_once) == set(by_parts) == {f"{SITE}/{n}" for n in range(31, 59)}


def test_a_sites_captured_pages_are_entries_without_a_date(
    web: Web, attic: archives.Wayback
) -> None:
    attic.most = 3
    attic.captures = [
        *(Capture(f"201903{n:02}000000", f"{SITE}/care/{n}") for n in range(1, 9)),
        Capture("20190305000000", f"{SITE}/care/1"),  # again: collapsed
        Capture("20190305000000", f"{SITE}/2014/02/03/old-but-captured-now"),
        Capture("20190305000000", f"{SITE}/2019/03/04/new"),
        Capture("20190305000000", f"{SITE}/missing", status="404"),
        Capture("20190305000000", f"{SITE}/logo", kind="image/png"),
        Capture("20190305000000", f"{SITE}/tag/care/"),
        Capture("20190305000000", f"{SITE}/"),
        Capture("20210305000000", f"{SITE}/later"),
    ]

    found = walk(wayback(web, attic), day("2019-03-04"))

    paths = [*(f"/care/{n}" for n in range(1, 9)), "/2019/03/04/new"]
    assert Counter(one.url for one in found) == Counter(f"{SITE}{path}" for path in paths)
    assert {one.published for one in found} == {None}
    assert min(one.link for one in found if "/care/1" in one.link).endswith(
        f"/web/20190301000000id_/{SITE}/care/1"
    )


@pytest.mark.parametrize(
    ("url", "row", "paths"),
    [
        ("/society/rss", {}, {"/society/1"}),
        ("/feed/", {}, {"/society/1", "/sport/1"}),
        ("/news", {"via": "listing", "within": "/sport/*"}, {"/sport/1"}),
        ("/sitemap.xml", {"via": "sitemap"}, {"/society/1", "/sport/1"}),
    ],
)
def test_a_sites_pages_are_those_beside_its_feed_or_within(
    web: Web, attic: archives.Wayback, url: str, row: dict[str, str], paths: set[str]
) -> None:
    where = [f"{SITE}{path}" for path in ("/society/1", "/sport/1")]
    attic.captures = [Capture("20190305000000", one) for one in where]

    found = walk(wayback(web, attic, f"{SITE}{url}", **row), day("2019-03-05"))

    assert {one.url for one in found} == {f"{SITE}{path}" for path in paths}


def test_a_broken_capture_costs_itself_only(web: Web, attic: archives.Wayback) -> None:
    attic.captures = [
        replace(captured("20190301000000"), body="<title>Just a moment</title>"),
        captured("20190302000000", (1, "2019-03-01")),
        captured("20190303000000", (2, "2019-03-01")),
        captured("20190304000000", (3, "2019-03-01")),
    ]
    for day_, status in (("02", 500), ("03", 404)):
        path = f"/web/201903{day_}000000id_/http://news.example:80/feed/"
        attic.refuses = {**attic.refuses, path: Reply(status=status)}

    found = walk(wayback(web, attic), day("2019-03-01"))

    assert [one.url for one in found] == [f"{SITE}/3"]


@pytest.mark.parametrize("status", [429, 503])
def test_an_archive_that_has_had_enough_is_left_alone_for_minutes(
    web: Web, attic: archives.Wayback, status: int
) -> None:
    attic.captures = [captured("20190302000000", (1, "2019-03-01"))]
    old = wayback(web, attic)
    attic.refuses = {"/cdx/search/cdx": Reply(status=status, headers={"Retry-After": "7"})}

    with pytest.raises(FetchError) as caught:
        old.step(day("2019-03-01"), "")

    assert caught.value.fault.passing
    assert caught.value.retry_after == timedelta(minutes=10)


def test_an_archive_without_captures_or_that_excludes_a_site_offers_nothing(
    web: Web, attic: archives.Wayback
) -> None:
    nothing = wayback(web, attic)
    attic.refuses = {"/cdx/search/cdx": Reply(status=403)}
    excluded = wayback(web, attic)

    assert (nothing.address, excluded.address) == ("", "")
    assert WAYS["wayback"].opt_in


def test_a_page_that_is_gone_is_read_from_its_capture(
    tmp_path: Path, web: Web, attic: archives.Wayback
) -> None:
    with NewsSite("127.0.0.2") as site:
        feed = site.url("/feed/")
        stories = [(site.url(f"/{name}"), name) for name in ("gone", "here", "closed")]
        site.publish("/here", page("As it is today"))
        site.publish("/closed", "", status=403)
        attic.captures = [
            Capture("20190302000000", feed, rss(stories), "application/rss+xml"),
            *(Capture("20190302000000", url, page("As it was then")) for url, _ in stories),
        ]
        found = walk(wayback(web, attic, feed), day("2019-03-01"))
        with Home(tmp_path, [feed]).desk() as desk:
            desk.catalog.list_feeds(desk.feeds)
            desk.catalog.polled(FeedState(url=feed), found, NOON)

            counts = fetch(desk)

            pages = [desk.archive.read(w.place) for w in desk.catalog.to_sift(NOON, 9) if w.place]

    assert (counts["fetched"], counts["forbidden"]) == (2, 1)
    gone, here = sorted(pages, key=lambda one: one.final_url)
    assert (gone.final_url, here.final_url) == (site.url("/gone"), site.url("/here"))
    assert b"As it was then" in gone.content
    assert b"As it is today" in here.content
    assert gone.hops == (attic.url(f"/web/20190302000000id_/{site.url('/gone')}"),)


# --- whatever they answer ------------------------------------------------------------------------

ODD = [None, -1, "//[", "2024-02-31T00:00:00", "\ud800", [[]], {"a": [1]}]


def oddly(shape: Any) -> Iterator[Any]:
    """Yield an answer with something odd in each of its places in turn."""
    yield from ODD
    if not isinstance(shape, dict | list):
        return
    for key in shape if isinstance(shape, dict) else range(len(shape)):
        for part in oddly(shape[key]):
            changed = shape.copy()
            changed[key] = part
            yield changed


@pytest.mark.parametrize(
    ("name", "path", "cursor"),
    [
        ("wordpress", "/wp-json/wp/v2/posts", ""),
        ("guardian", "/search", ""),
        ("govuk", "/api/search.json", ""),
        ("govuk", "/api/content/a", str(Mark("", 0, (), ("/a",)))),
        ("wayback", "/cdx/search/cdx", json.dumps(["site", "", []])),
    ],
)
def test_an_answer_of_any_shape_ends_in_entries_or_an_error_of_ours(
    web: Web, blog: archives.WordPress, name: str, path: str, cursor: str
) -> None:
    blog.posts = blog.posts[:1]
    item = {"base_path": "/a", "title": "A", "first_published_at": "2024-01-01T00:00:00Z"}
    piece = {"id": "a", "webUrl": "https://a.example/a", "webPublicationDate": "2024-01-01"}
    answers: dict[str, Any] = {
        "/wp-json/wp/v2/posts": [blog.told(post) for post in blog.posts],
        "/search": {"response": {"total": 1, "pages": 1, "results": [{**piece, "fields": {}}]}},
        "/api/search.json": {
            "total": 1,
            "results": [{"link": "/a", "public_timestamp": "2024-01-01T00:00:00Z"}],
        },
        "/api/content/a": {**item, "details": {"body": [{"content_type": "x", "content": "y"}]}},
        "/cdx/search/cdx": [["timestamp"], ["20240101000000", f"{SITE}/a"], [], ["key"]],
    }

    class Here(WAYS[name]):  # type: ignore[misc]
        search, archive = blog.url("/search"), blog.url("").rstrip("/")

    asking = replace(
        Here(Feed(url=f"{SITE}/feed/", title=""), web, archives.asking, frozenset()),
        address=blog.url("/wp-json/wp/v2/posts?" if name == "wordpress" else path + "?"),
    )
    found = []
    for answer in [answers[path], *oddly(answers[path])]:
        blog.refuses = {path: told(answer)}
        with suppress(NewsError):
            found.append(asking.step(day("2024-01-01"), cursor))

    assert found[0].entries or found[0].cursor
    assert all(one.url.startswith("http") for step in found for one in step.entries)
