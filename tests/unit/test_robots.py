"""robots.txt as RFC 9309 has it, asked of a real site."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego

from ingest.errors import Fault, FetchError
from ingest.web.client import Web
from ingest.web.robots import MAX_BYTES, Robots, _addressed
from storage.model import Page
from tests.newssite import NewsSite

AGENT = "Newsdesk/1.0 (+https://newsdesk.example; desk@newsdesk.example)"
LINES = [
    "User-agent: *",
    "user-agent: Newsdesk",
    "User-agent: otherbot",
    "Disallow: /",
    "Disallow: /a",
    "Allow: /a",
    "Allow: /ab$",
    "Crawl-delay: 3",
    "",
    "# a remark",
    "Sitemap: http://a.example/s.xml",
]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Desk:
    """The collaborators of one test: a site, a shelf and a clock to be moved by hand."""

    def __init__(self, site: NewsSite) -> None:
        self.site, self.clock = site, NOON
        self.shelf: dict[str, tuple[str, int, datetime]] = {}
        self.web = Web(
            user_agent=AGENT,
            allow=[ip_network("127.0.0.0/8")],
            deadline=timedelta(seconds=1.5),
            now=lambda: self.clock,
        )

    def robots(self) -> Robots:
        def save(origin: str, text: str, status: int, fetched: datetime) -> None:
            self.shelf[origin] = (text, status, fetched)

        return Robots(self.web, AGENT, load=self.shelf.get, save=save, now=lambda: self.clock)

    def say(self, text: str | bytes, status: int = 200) -> None:
        self.site.publish("/robots.txt", text, status=status, content_type="text/plain")

    def allowed(self, path: str = "/story") -> bool:
        return self.robots().allows(self.site.url(path))


@pytest.fixture
def desk() -> Iterator[Desk]:
    with NewsSite() as site:
        desk = Desk(site)
        with desk.web:
            yield desk


def fault(robots: Robots, url: str) -> Fault:
    with pytest.raises(FetchError) as caught:
        robots.check(url)
    return caught.value.fault


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/story", True),
        ("User-agent: *\nDisallow: /", "/story", False),
        ("User-agent: *\nDisallow:", "/story", True),
        ("user-AGENT: newsDESK\nDisallow: /private", "/private/1", False),
        ("User-agent: newsdesk\nDisallow: /private", "/public", True),
        ("User-agent: Newsdesk\nDisallow: /a\n\nUser-agent: *\nDisallow: /b", "/b", True),
        ("User-agent: Newsdesk/2.0 # us\nDisallow: /a", "/a", False),
        ("User-agent: news\nDisallow: /a", "/a", True),
        ("User-agent: newsdeskbot\nDisallow: /a", "/a", True),
        ("Useragent newsdesk\nDisallow: /a", "/a", False),
        # all groups for us are one: section 2.2.1
        ("User-agent: newsdesk\nDisallow: /a\n\nUser-agent: newsdesk\nDisallow: /b", "/a", False),
        ("User-agent: newsdesk\nDisallow: /a\n\nUser-agent: newsdesk\nDisallow: /b", "/b", False),
        ("User-agent: x\nUser-agent: newsdesk\nDisallow: /a", "/a", False),
        # the longest path wins, and Allow a tie: section 2.2.2
        ("User-agent: *\nDisallow: /news\nAllow: /news/care", "/news/care/1", True),
        ("User-agent: *\nAllow: /news\nDisallow: /news/care", "/news/care/1", False),
        ("User-agent: *\nDisallow: /news\nAllow: /news", "/news", True),
        ("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf?x", True),
        ("User-agent: *\nDisallow: /search?q=", "/search?q=care", False),
        ("User-agent: *\nDisallow: /caf%C3%A9", "/caf\u00e9", False),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        ("<html><body>Not found</body></html>", "/story", True),
        ("\ufeffUser-agent: *\nDisallow: /a", "/a", False),  # holyrood.com has a BOM
    ],
)
def test_rules_are_read_as_the_rfc_has_them(
    desk: Desk, text: str, path: str, allowed: bool
) -> None:
    desk.say(text)

    assert desk.allowed(path) is allowed


def test_a_byte_order_mark_hides_no_group(desk: Desk) -> None:
    desk.say(b"\xef\xbb\xbfUser-agent: *\nDisallow: /")

    assert not desk.allowed()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_host_that_has_no_file_for_us_has_no_rules(desk: Desk, status: int) -> None:
    desk.say("User-agent: *\nDisallow: /", status=status)

    assert desk.allowed()
    assert desk.shelf == {desk.site.url(""): ("", status, NOON)}


@pytest.mark.parametrize(
    ("status", "why"),
    [(500, Fault.SERVER_ERROR), (503, Fault.SERVER_ERROR), (429, Fault.RATE_LIMITED)],
)
def test_a_host_that_cannot_say_may_not_be_asked(desk: Desk, status: int, why: Fault) -> None:
    desk.say("", status=status)

    assert not desk.allowed()
    assert fault(desk.robots(), desk.site.url("/story")) is why


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("hang", Fault.TIMEOUT_TOTAL),
        ("reset", Fault.CONNECTION),
        ("bad_gzip", Fault.BAD_ENCODING),
        ("endless_body", Fault.TOO_LARGE),
    ],
)
def test_a_file_that_cannot_be_had_is_its_own_fault(desk: Desk, how: str, why: Fault) -> None:
    desk.site.misbehave("/robots.txt", how)

    assert fault(desk.robots(), desk.site.url("/story")) is why


def test_the_fault_says_that_it_was_the_robots_file(desk: Desk) -> None:
    desk.say("User-agent: *\nDisallow: /story")
    url = desk.site.url("/story")

    with pytest.raises(FetchError) as caught:
        desk.robots().check(url)

    assert (caught.value.url, caught.value.fault) == (url, Fault.ROBOTS_DENIED)
    assert caught.value.detail == f"robots.txt of {desk.site.url('')}"


def test_five_redirects_are_followed_and_a_sixth_means_no_file(desk: Desk) -> None:
    for n in range(6):
        desk.site.redirect(f"/{n}", f"/{n + 1}")
    desk.site.publish("/6", "User-agent: *\nDisallow: /")

    desk.site.redirect("/robots.txt", "/2")
    assert not desk.allowed()
    desk.shelf.clear()
    desk.site.redirect("/robots.txt", "/1")
    assert desk.allowed()


def test_a_long_file_is_read_to_its_last_whole_line_below_the_cap(desk: Desk) -> None:
    filler = "# " + "z" * 97 + "\n"
    long = "User-agent: *\nDisallow: /early\n" + filler * (MAX_BYTES // len(filler) - 1)
    room = MAX_BYTES - len(long)
    desk.say(long + "# " + "z" * (room - 14) + "\nDisallow: /private\nDisallow: /late\n")
    robots = desk.robots()

    assert not robots.allows(desk.site.url("/early"))
    assert robots.allows(desk.site.url("/public"))
    assert robots.allows(desk.site.url("/late"))


def test_a_host_is_asked_once_a_day_also_by_the_next_run(desk: Desk) -> None:
    desk.say("User-agent: *\nDisallow: /private")
    robots = desk.robots()

    robots.allows(desk.site.url("/1"))
    robots.allows(desk.site.url("/2"))
    desk.clock += timedelta(hours=23)
    desk.allowed()
    assert desk.site.paths() == ["/robots.txt"]
    desk.clock += timedelta(hours=2)
    robots.allows(desk.site.url("/3"))

    assert desk.site.paths() == ["/robots.txt"] * 2


def test_a_host_that_could_not_say_is_asked_again_within_the_hour(desk: Desk) -> None:
    desk.say("", status=503)
    assert not desk.allowed()

    desk.say("")
    assert not desk.allowed()
    desk.clock += timedelta(hours=1)

    assert desk.allowed()


def test_an_old_file_stands_in_for_one_out_of_reach(desk: Desk) -> None:
    desk.say("User-agent: *\nDisallow: /private")
    robots = desk.robots()
    robots.allows(desk.site.url("/1"))

    desk.clock += timedelta(days=2)
    desk.say("", status=503)

    assert robots.allows(desk.site.url("/public"))
    assert not robots.allows(desk.site.url("/private"))
    assert len(desk.site.asked) == 2  # not once more for the second URL
    desk.clock += timedelta(days=40)
    assert not robots.allows(desk.site.url("/public"))


def test_a_file_off_the_public_internet_is_refused_and_not_kept(desk: Desk) -> None:
    desk.site.redirect("/robots.txt", "http://10.0.0.1/robots.txt")

    assert fault(desk.robots(), desk.site.url("/story")) is Fault.BLOCKED_ADDRESS
    assert desk.shelf == {}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("User-agent: *\nCrawl-delay: 10", 10),
        ("User-agent: newsdesk\nCrawl-delay: 0.5\n\nUser-agent: *\nCrawl-delay: 10", 0.5),
        ("User-agent: *\nCrawl-delay: soon", None),
        ("User-agent: *\nCrawl-delay: -1", None),
        ("User-agent: *\nCrawl-delay: 1e300", 86400),
    ],
)
def test_the_crawl_delay_is_told(desk: Desk, text: str, seconds: float | None) -> None:
    desk.say(text)

    wanted = None if seconds is None else timedelta(seconds=seconds)
    assert desk.robots().crawl_delay(desk.site.url("/story")) == wanted


def test_each_host_has_rules_of_its_own(desk: Desk) -> None:
    desk.say("User-agent: *\nDisallow: /")
    robots = desk.robots()

    with NewsSite("127.0.0.2") as other:
        assert robots.allows(other.url("/story"))
        assert not robots.allows(desk.site.url("/story"))


def test_the_pace_is_kept_for_the_robots_file_too(desk: Desk) -> None:
    asked: list[str] = []

    @contextmanager
    def note(url: str) -> Iterator[Callable[[Page], None]]:
        asked.append(url)
        yield lambda page: asked.append(f"status {page.status}")

    robots = Robots(desk.web, AGENT, may_ask=note, now=lambda: NOON)

    robots.allows(desk.site.url("/story"))

    assert asked == [desk.site.url("/robots.txt"), "status 404"]


def test_no_secret_of_a_url_is_in_the_error(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.say("User-agent: *\nDisallow: /")

    with caplog.at_level(logging.DEBUG), pytest.raises(FetchError) as caught:
        desk.robots().check(desk.site.url("/story?key=c4n4ry"))

    assert "c4n4ry" not in str(caught.value) + caplog.text


def test_a_file_of_many_names_and_many_rules_is_read_in_no_time(desk: Desk) -> None:
    names = "".join(f"User-agent: n{n}\n" for n in range(20_000))
    desk.say(names + "User-agent: *\n" + "Disallow: /private\n" * 10_000)

    began = time.monotonic()

    assert not desk.allowed("/private")
    assert time.monotonic() - began < 2


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_addressing_the_groups_changes_no_answer(lines: list[str]) -> None:
    text = "\n".join(lines)
    before, after = Protego.parse(text), Protego.parse(_addressed(text, "newsdesk"))

    for path in ("/", "/a", "/ab"):
        url = f"http://a.example{path}"
        assert before.can_fetch(url, "newsdesk") == after.can_fetch(url, "us")
    assert before.crawl_delay("newsdesk") == after.crawl_delay("us")
