"""What is one story to us: over moves, new guids, edits, and texts that came in their feed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
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
