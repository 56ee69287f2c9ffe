"""Ways into the past through the APIs of archives, on origins that speak each protocol."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from traceback import format_exception

import pytest

from ingest.errors import Fault, FeedError, FetchError
from ingest.feeds import parse_feed
from ingest.secrets import Secrets
from ingest.sources import WAYS
from ingest.sources.guardian import Guardian
from ingest.sources.past import Capped, Way, Window
from ingest.web.client import Web
from storage.model import Entry
from tests import archives
from tests.archives import JSON, Item, Piece, Post, day, told, walk, way, window
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


@pytest.fixture
def paper() -> Iterator[archives.Guardian]:
    with archives.Guardian(KEY) as site:
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
