"""What is one story to us: over moves, new guids, edits, and texts that came in their feed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.discover import discover
from ingest.fetch import fetch
from ingest.report import life, verify
from ingest.sift import sift
from storage.catalog import Catalog
from storage.intake import Taken
from storage.model import Entry, Feed, FeedState
from tests.builders import NOON
from tests.home import Clock, Home
from tests.newssite import NewsSite

NAMES = ("harbour", "orchard", "quarry", "meadow", "viaduct", "lantern", "bakery", "foundry")
FEED = Feed(url="http://news.example/feed", title="News")


def text(number: int) -> str:
    """Return a story unlike those of other numbers."""
    name, other = NAMES[number % 8], NAMES[number // 8 % 8]
    return "".join(
        f"<p>The {name} board and the {other} council have said in part {part} of paper {number} "
        f"that {name} {number * part} will plan the care of older people with its {other}, and "
        f"pay for {part} {name} wards from the {other} purse that both fill in spring.</p>"
        for part in range(1, 6)
    )


@dataclass
class Paper:
    """A site with a feed that is written anew for every poll."""

    site: NewsSite
    home: Home
    clock: Clock = field(default_factory=Clock)

    def page(self, number: int, body: str = "") -> None:
        title = f"Story {number}"
        body = f"<article><h1>{title}</h1>{body or text(number)}</article>"
        self.site.publish(f"/{number}", f"<html lang=en><title>{title}</title>{body}</html>")

    def feed(self, items: Sequence[tuple[int, str]], guid: str = "", path: str = "") -> None:
        shown = "".join(
            f"<item><title>Story {n}</title><link>{self.site.url(f'{path}/{n}')}</link>"
            f"<guid isPermaLink='false'>{guid}{n}</guid><pubDate>Mon, 02 Mar 2026 09:00:00 GMT"
            f"</pubDate><description>{escape(said)}</description></item>"
            for n, said in items
        )
        body = f'<rss version="2.0"><channel><title>Paper</title>{shown}</channel></rss>'
        self.site.publish("/feed", body, content_type="application/rss+xml")

    def poll(self, *, sifts: bool = True) -> Counter[str]:
        """Discover, fetch and sift; return what the first two counted."""
        with self.home.desk(self.clock) as desk:
            counts = Counter(discover(desk, ask_all=True) | fetch(desk))
            if sifts:
                sift(desk)
            assert verify(desk) == []
        self.clock.time += timedelta(hours=2)
        return counts

    def life(self, path: str) -> dict[str, object]:
        with self.home.desk(self.clock) as desk:
            return life(desk, self.site.url(path)) or {}

    def asked(self) -> list[str]:
        return [path for path in self.site.paths() if path not in {"/feed", "/robots.txt"}]


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Paper]:
    with NewsSite() as site:
        yield Paper(site, Home(tmp_path, [site.url("/feed")]))


def test_a_feed_that_changes_all_its_guids_is_not_taken_in_again(paper: Paper) -> None:
    for number in range(4):
        paper.page(number)
    paper.feed([(n, "Said.") for n in range(4)])
    first = paper.poll()
    before = paper.home.files()

    paper.feed([(n, "Said.") for n in range(4)], guid="urn:new:")
    second = paper.poll(sifts=False)

    assert (first["entries_new"], first["fetched"]) == (4, 4)
    assert (second["entries_new"], second["relinked"], second["edited"]) == (0, 4, 0)
    assert len(paper.asked()) == 4
    assert paper.home.files() == before


def test_an_edited_story_is_fetched_again_and_its_file_stays(paper: Paper) -> None:
    paper.page(1)
    paper.feed([(1, "As it was.")])
    paper.poll()
    before = paper.home.files()

    paper.page(1, text(1) + "<p>This story was corrected on Tuesday.</p>")
    paper.feed([(1, "As it is.")])
    edited, again, later = (paper.poll(sifts=False) for _ in range(3))

    assert (edited["edited"], edited["pages"]) == (1, 0)  # corrections come in bursts
    assert (again["fetched"], later["fetched"]) == (1, 0)
    assert paper.asked() == ["/1", "/1"]
    assert paper.home.files() == before
    told = paper.life("/1")
    assert [v["summary"] for v in told["versions"]] == ["As it was."]  # type: ignore[attr-defined]
    assert [f["outcome"] for f in told["fetches"]] == ["fetched", "refetched"]  # type: ignore[attr-defined]
    _, shown, _ = paper.home.told("why", paper.site.url("/1"))
    assert "As it was." in shown


def test_where_the_feed_holds_the_whole_text_no_page_is_fetched(paper: Paper) -> None:
    for number in range(8):
        paper.page(number)
    paper.feed([(n, text(n)) for n in range(5)])
    paper.poll()

    paper.feed([(n, text(n)) for n in range(5, 8)])
    counts = paper.poll()

    assert (counts["pages"], counts["from_feed"]) == (0, 3)
    assert sorted(paper.asked()) == [f"/{n}" for n in range(5)]
    assert paper.life("/7")["fetches"][0]["status"] == 0  # type: ignore[index]
    story = next(data for data in paper.home.files().values() if b"Story 7" in data).decode()
    assert story.startswith("Story 7\n\nThe foundry board")
    assert story.count("\n\n") == 5


def test_a_teaser_is_never_a_story(paper: Paper) -> None:
    teaser = text(6)[: len(text(6)) // 2] + " &hellip;</p><p>Read more</p>"
    for number in range(7):
        paper.page(number)
    paper.feed([(n, text(n)) for n in range(5)])
    paper.poll()

    paper.site.withdraw("/5")
    paper.feed([(5, teaser), (6, teaser)])
    counts = paper.poll(sifts=False)

    assert (counts["pages"], counts["fetched"], counts["not_found"]) == (2, 1, 1)
    assert paper.life("/5")["fetches"][0]["outcome"] == "not_found"  # type: ignore[index]


def test_a_feed_of_teasers_has_every_page_fetched(paper: Paper) -> None:
    for number in range(9):
        paper.page(number)
    paper.feed([(n, text(n)[:700]) for n in range(6)])
    paper.poll()

    paper.feed([(n, text(n)[:700]) for n in range(6, 9)])
    counts = paper.poll(sifts=False)

    assert (counts["fetched"], counts["from_feed"]) == (3, 0)


# --- links with a visit's token in them -----------------------------------------------------------

AT_TEN = NOON.replace(hour=10)


@dataclass
class Shelf:
    """A catalog, and a feed that announces one short entry at a time."""

    catalog: Catalog

    def poll(self, *urls: str, published: datetime = AT_TEN, title: str = "Board meets") -> Taken:
        entries = [
            Entry(
                url=url, link=url, title=title, source=FEED.url, guid=url, published=published,
                summary="Read what was decided.",
            )
            for url in urls
        ]  # fmt: skip
        return self.catalog.polled(FeedState(url=FEED.url), entries, NOON)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with Catalog(f"sqlite:///{tmp_path}/catalog.sqlite") as catalog:
        catalog.list_feeds([FEED])
        yield Shelf(catalog)


SITE = "http://news.example"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/board?visit=9f86d081", "/board?visit=3c0a77e2"),
        ("/board?id=7&tok=a1b2c3d4e5", "/board?id=7&tok=f6a7b8c9d0"),
        ("/board;ticket=77", "/board;ticket=78"),
        ("/board?id=7&rnd=0.7312", "/board?id=7&rnd=0.1194"),
        ("/board;jsessionid=8F3A", "/board"),  # as it was kept before sessions were cut off
        ("/9f86d081884c7d659a2f/board", "/2c624232cdd221771294/board"),
    ],
)
def test_an_entry_is_known_by_title_and_moment_where_only_a_token_changed(
    shelf: Shelf, before: str, after: str
) -> None:
    first, second = shelf.poll(SITE + before), shelf.poll(SITE + after)

    assert (first.new, second.new, second.relinked) == (1, 0, 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/board?id=1234567", "/board?id=1234568"),
        ("/board?sid=42", "/board?sid=43"),
        ("/board/one", "/board/two"),
        ("/board?page=minutes-of-may", "/board?page=minutes-of-june"),
        ("/board?visit=9f86d081", "/ward?visit=9f86d081"),
    ],
)
def test_another_link_is_another_entry_where_it_may_name_another_page(
    shelf: Shelf, before: str, after: str
) -> None:
    assert [shelf.poll(SITE + path).new for path in (before, after)] == [1, 1]


def test_two_tokens_in_one_poll_or_of_a_mere_day_are_two_entries(shelf: Shelf) -> None:
    urls = [f"{SITE}/board?visit={token}" for token in ("9f86d081", "3c0a77e2", "b1946ac9")]
    midnight = NOON.replace(hour=0)

    together = shelf.poll(*urls[:2])
    days = [
        shelf.poll(f"{SITE}/day?visit={token}", published=midnight, title="Apply").new
        for token in ("9f86d081", "3c0a77e2")
    ]

    assert (together.new, days) == (2, [1, 1])


def test_a_feed_with_sessions_in_links_and_guids_has_each_page_asked_once(paper: Paper) -> None:
    for token in ("8F3A90C1", "C47B1E02"):
        shown = "".join(
            f"<item><title>Story {n}</title><link>{paper.site.url(f'/{n};jsessionid={token}')}"
            f"</link><guid>{paper.site.url(f'/{n};jsessionid={token}')}</guid></item>"
            for n in range(3)
        )
        for n in range(3):
            paper.page(n)
        paper.site.publish(
            "/feed",
            f'<rss version="2.0"><channel><title>P</title>{shown}</channel></rss>',
            content_type="application/rss+xml",
        )
        paper.poll(sifts=False)

    assert sorted(paper.asked()) == ["/0", "/1", "/2"]


# --- any sequence of polls ----------------------------------------------------------------------

SAID = "Five towns have signed one plan for the care of older people at home and pay together now"


@dataclass
class Told:
    """A story as a site tells it, which changes one of its names, or its words, at a time."""

    number: int
    link: int = 0
    guid: int | None = 0
    words: int = 0

    def entry(self) -> Entry:
        url = f"http://news.example/{self.number}/{self.link}"
        guid = None if self.guid is None else f"{self.number}-{self.guid}"
        said = f"{SAID} {self.number} {self.words}"
        return Entry(
            url=url, link=url, title=f"Story {self.number}", source=FEED.url, guid=guid,
            published=NOON, summary=said,
        )  # fmt: skip

    def change(self, how: str) -> None:
        if how in {"link", "link and guid"}:
            self.link += 1
        if how in {"guid", "link and guid"}:
            self.guid = (self.guid or 0) + 1
        if how == "no guid":
            self.guid = None
        if how == "words":
            self.words += 1


CHANGES = st.sampled_from(["nothing", "link", "guid", "link and guid", "no guid", "words"])
POLLS = st.lists(
    st.lists(st.tuples(st.integers(0, 5), CHANGES), min_size=1, max_size=9), min_size=1, max_size=6
)


@given(POLLS, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_feed_changes_each_story_is_one_entry(polls: list, random: object) -> None:  # type: ignore[type-arg]
    stories = [Told(n) for n in range(6)]
    urls: dict[int, set[str]] = {}
    with TemporaryDirectory() as folder, Catalog(f"sqlite:///{folder}/catalog.sqlite") as catalog:
        catalog.list_feeds([FEED])
        for poll in polls:
            changes = dict(poll)
            for number, how in changes.items():
                stories[number].change(how)
            entries = [stories[number].entry() for number, _ in poll]
            random.shuffle(entries)  # type: ignore[attr-defined]
            for number in changes:
                urls.setdefault(number, set()).add(stories[number].entry().url)

            taken = catalog.polled(FeedState(url=FEED.url), entries, NOON)

            assert taken.new <= len(changes)
        ids = {
            number: {(catalog.life(url) or {})["entry"]["id"] for url in known}
            for number, known in urls.items()
        }
        tally = catalog.tally()

    assert all(len(found) == 1 for found in ids.values())  # none twice
    assert len({one for found in ids.values() for one in found}) == len(urls)  # none lost
    assert tally == {"to_fetch": len(urls)}
