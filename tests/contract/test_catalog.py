"""What every catalog promises, on SQLite and on PostgreSQL."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from storage import schema
from storage.catalog import LEARNT, Catalog
from storage.errors import StorageError
from storage.model import (
    Entry,
    Feed,
    FeedState,
    Fingerprint,
    HostState,
    InFeed,
    Judgement,
    Place,
    Timing,
    Verdict,
)
from tests.builders import ENTRY, FINGERPRINT, NOON, PAGE, STORY

FEED = Feed(url=ENTRY.source, title="News")
PLACE = Place(file="a.warc.gz", offset=0, length=10)


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    with Catalog(url) as catalog:
        catalog.list_feeds([FEED])
        yield catalog


def seen(catalog: Catalog, *urls: str) -> None:
    entries = [replace(ENTRY, url=url, link=url) for url in urls]
    catalog.polled(FeedState(url=FEED.url, outcome="listed"), entries, NOON)


def fetched(catalog: Catalog) -> None:
    for waiting in catalog.to_fetch(NOON, 100):
        catalog.fetched(waiting.id, PAGE, PLACE, "digest")


def take(catalog: Catalog, number: int, entry: int | None = None, **changes: object) -> None:
    with catalog.admission() as admission:
        if entry is not None:
            admission.decide(entry, Verdict("kept"), Judgement(), NOON)
        admission.take(
            number, f"{number:03d}_x.txt", STORY, FINGERPRINT, sha256="s", now=NOON, entry=entry,
            **changes,  # type: ignore[arg-type]
        )  # fmt: skip


def test_an_entry_announced_twice_is_one_entry_and_a_sighting(catalog: Catalog) -> None:
    first = catalog.polled(FeedState(url=FEED.url, outcome="listed"), [ENTRY, ENTRY], NOON)
    again = catalog.polled(
        FeedState(url=FEED.url), [replace(ENTRY, source="http://other.example/feed")], NOON
    )

    assert (first.new, again.new) == (1, 0)
    life = catalog.life(ENTRY.url)
    assert life
    assert [s["source"] for s in life["sightings"]] == ["http://other.example/feed"]


LONG = "The boards of five towns have signed one plan for the care of older people at home. " * 2
KNOWN = replace(ENTRY, guid="1", summary=LONG)
MOVED = "http://news.example/moved"


@pytest.mark.parametrize(
    "again",
    [
        replace(KNOWN, guid="2"),
        replace(KNOWN, url=MOVED, link=MOVED),
        replace(KNOWN, url=MOVED, link=MOVED, summary="Other words."),
        replace(KNOWN, url=MOVED, link=MOVED, guid="2"),
        replace(KNOWN, url=MOVED, link=MOVED, guid=None),
        replace(KNOWN, url=MOVED, link=MOVED, guid="2", updated=NOON),
    ],
    ids=["guid", "link", "link and summary", "link and guid", "link, no guid", "and updated"],
)
def test_an_entry_under_another_name_is_the_same_entry(catalog: Catalog, again: Entry) -> None:
    catalog.polled(FeedState(url=FEED.url), [KNOWN], NOON)

    taken = catalog.polled(FeedState(url=FEED.url), [again], NOON)
    once_more = catalog.polled(FeedState(url=FEED.url), [again], NOON)

    assert (taken.new, taken.relinked) == (0, 1)
    assert once_more == (0, 0, 0, 1)
    assert catalog.entries_seen() == 1
    (waiting,) = catalog.to_fetch(NOON, 10)
    assert waiting.entry.url == again.url  # the old link may be dead
    assert catalog.life(KNOWN.url) == catalog.life(again.url) is not None


@pytest.mark.parametrize(
    "other",
    [
        replace(KNOWN, url=MOVED, link=MOVED, title="Another story", summary="Other words."),
        replace(KNOWN, url=MOVED, link=MOVED, published=NOON, summary="Other words."),
        replace(KNOWN, url=MOVED, link=MOVED, guid="2", published=NOON),
        replace(KNOWN, url=MOVED, link=MOVED, source="http://other.example/feed"),
    ],
    ids=["a guid used again", "a title of each day", "words of each day", "another source"],
)
def test_in_doubt_an_entry_is_new(catalog: Catalog, other: Entry) -> None:
    catalog.polled(FeedState(url=FEED.url), [KNOWN], NOON)

    assert catalog.polled(FeedState(url=FEED.url), [other], NOON).new == 1


def test_a_refused_link_that_is_mended_is_a_new_entry(catalog: Catalog) -> None:
    refused = (replace(KNOWN, url="no_link:1", link=""), Verdict("no_link"))
    catalog.polled(FeedState(url=FEED.url), [], NOON, [refused])

    assert catalog.polled(FeedState(url=FEED.url), [KNOWN], NOON).new == 1


def test_few_words_and_two_links_at_once_are_no_proof(catalog: Catalog) -> None:
    brief = replace(ENTRY, summary="Apply now.")
    vacancy = replace(brief, url=MOVED, link=MOVED)
    twin = replace(KNOWN, url="http://news.example/twin", guid="9")
    catalog.polled(FeedState(url=FEED.url), [brief, replace(KNOWN, url="http://n.example/")], NOON)

    taken = catalog.polled(
        FeedState(url=FEED.url), [vacancy, replace(KNOWN, url="http://n.example/"), twin], NOON
    )

    assert taken.new == 2


def test_a_feed_that_changes_all_its_guids_and_links_is_relinked(catalog: Catalog) -> None:
    entries = [
        replace(KNOWN, url=f"http://old.example/{n}", guid=str(n), title=f"Story {n}")
        for n in range(700)
    ]
    moved = [
        replace(entry, url=f"https://new.example/{n}.html", guid=f"urn:{n}")
        for n, entry in enumerate(entries)
    ]
    catalog.polled(FeedState(url=FEED.url), entries, NOON)

    assert catalog.polled(FeedState(url=FEED.url), moved, NOON) == (0, 700, 0, 700)
    assert catalog.polled(FeedState(url=FEED.url), entries, NOON) == (0, 700, 0, 700)


def edit(catalog: Catalog, n: int, now: datetime = NOON) -> int:
    edited = replace(KNOWN, title=f"Title {n}", summary=f"{LONG} {n}")
    return catalog.polled(FeedState(url=FEED.url), [edited], now).edited


def test_an_edit_before_the_fetch_is_a_version_and_no_second_fetch(catalog: Catalog) -> None:
    catalog.polled(FeedState(url=FEED.url), [replace(KNOWN, content="<p>one</p>")], NOON)

    edited = [edit(catalog, 1), edit(catalog, 1), edit(catalog, 2)]

    assert edited == [1, 0, 1]
    (waiting,) = catalog.to_fetch(NOON, 10)
    assert waiting.entry.title == "Title 2"
    assert catalog.in_feed(waiting.id) is None
    life = catalog.life(KNOWN.url)
    assert life
    assert [(v["number"], v["title"]) for v in life["versions"]] == [
        (1, KNOWN.title),
        (2, "Title 1"),
    ]


def test_a_kept_story_that_is_edited_is_fetched_again_and_keeps_its_verdict(
    catalog: Catalog,
) -> None:
    catalog.polled(FeedState(url=FEED.url), [KNOWN], NOON)
    fetched(catalog)
    (waiting,) = catalog.to_sift(NOON, 1)
    take(catalog, 7, waiting.id)

    edit(catalog, 1)
    edit(catalog, 2, NOON + timedelta(minutes=20))
    at_once, later = (catalog.to_fetch(NOON + timedelta(hours=h), 9) for h in (0, 2))
    catalog.fetched(later[0].id, PAGE, replace(PLACE, offset=10), "other")

    assert (len(at_once), len(later)) == (0, 1)
    assert catalog.to_fetch(NOON + timedelta(days=9), 9) == []
    life = catalog.life("7")
    assert life
    assert [one["outcome"] for one in life["fetches"]] == ["fetched", "refetched"]
    assert [story["offset"] for story in catalog.stories()] == [PLACE.offset]
    assert catalog.tally() == {"kept": 1}
    assert catalog.contradictions() == []


def test_a_page_that_cannot_be_had_again_is_no_verdict(catalog: Catalog) -> None:
    catalog.polled(FeedState(url=FEED.url), [KNOWN], NOON)
    fetched(catalog)
    edit(catalog, 1)
    (again,) = catalog.to_fetch(NOON + timedelta(hours=1), 9)

    catalog.faulted(again.id, NOON, "gone", "410", None)

    assert catalog.tally() == {"to_sift": 1}
    assert [waiting.place for waiting in catalog.to_sift(NOON, 1)] == [PLACE]


def test_what_was_refused_is_not_fetched_again_for_an_edit(catalog: Catalog) -> None:
    catalog.polled(FeedState(url=FEED.url), [KNOWN], NOON)
    fetched(catalog)
    edit(catalog, 1)
    catalog.decide(catalog.to_sift(NOON, 1)[0].id, Verdict("off_topic"), Judgement(), NOON)

    edit(catalog, 2)

    assert catalog.to_fetch(NOON + timedelta(days=9), 9) == []


def test_a_summary_that_changes_at_every_poll_has_an_end(catalog: Catalog) -> None:
    catalog.polled(FeedState(url=FEED.url), [KNOWN], NOON)

    assert sum(edit(catalog, n) for n in range(40)) == 24


def test_links_that_change_at_every_poll_have_an_end(catalog: Catalog) -> None:
    for n in range(40):
        url = f"http://news.example/a?session={n}"
        catalog.polled(FeedState(url=FEED.url), [replace(KNOWN, url=url, link=url)], NOON)

    life = catalog.life(url)
    assert life
    assert len(life["other_urls"]) == 24
    assert catalog.entries_seen() == 1


def test_a_text_in_the_feed_waits_with_its_feeds_shares_until_the_verdict(catalog: Catalog) -> None:
    catalog.polled(FeedState(url=FEED.url), [replace(KNOWN, content="<p>All.</p>")], NOON)
    catalog.save_shares(FEED.url, [0.5, 1.0])
    catalog.polled(FeedState(url=FEED.url), [], NOON)
    (waiting,) = catalog.to_fetch(NOON, 1)

    before = catalog.in_feed(waiting.id)
    catalog.faulted(waiting.id, NOON, "gone", "410", None)

    assert before == InFeed(content="<p>All.</p>", shares=(0.5, 1.0))
    assert catalog.in_feed(waiting.id) is None


def test_what_comes_back_is_what_was_put_in(catalog: Catalog) -> None:
    catalog.polled(FeedState(url=FEED.url), [ENTRY], NOON)

    (waiting,) = catalog.to_fetch(NOON, 10)

    assert waiting.entry == ENTRY


def test_a_polls_state_is_kept_with_its_entries(catalog: Catalog) -> None:
    state = FeedState(
        url=FEED.url, etag='W/"x"', last_modified="odd date", digest="d", polled=NOON,
        next_poll=NOON + timedelta(hours=1), outcome="listed", failures=2,
    )  # fmt: skip

    catalog.polled(state, [ENTRY], NOON)
    first = catalog.feed_states()[FEED.url]
    catalog.polled(replace(first, outcome="listed"), [ENTRY], NOON)

    news, nothing = [NOON.isoformat(), "new", 1], [NOON.isoformat(), "nothing_new", 0]
    assert first == replace(state, outcome="new", past=[news])
    assert catalog.feed_states()[FEED.url] == replace(
        state, outcome="nothing_new", past=[news, nothing]
    )


def test_a_feeds_last_thirty_polls_are_remembered(catalog: Catalog) -> None:
    for hour in range(32):
        state = catalog.feed_states().get(FEED.url, FeedState(url=FEED.url))
        catalog.polled(replace(state, outcome="not_modified"), [], NOON + timedelta(hours=hour))

    past = catalog.feed_states()[FEED.url].past
    assert [at for at, _, _ in past] == [
        (NOON + timedelta(hours=hour)).isoformat() for hour in range(2, 32)
    ]


def test_a_feed_that_left_the_file_is_not_forgotten_but_not_asked(catalog: Catalog) -> None:
    catalog.polled(FeedState(url=FEED.url, etag="e"), [], NOON)

    catalog.list_feeds([])
    gone = catalog.feed_states()
    catalog.list_feeds([FEED])

    assert gone == {}
    assert catalog.feed_states()[FEED.url].etag == "e"


def test_a_feed_that_moved_goes_on_when_its_new_url_is_written_down(catalog: Catalog) -> None:
    new = replace(FEED, url="http://new.example/feed")
    state = FeedState(
        url=FEED.url, address=new.url, etag="e", outcome="listed", usual_gap=timedelta(hours=5),
        timing=Timing(ttl=timedelta(minutes=90), skip_days=frozenset({5, 6})),
    )  # fmt: skip
    catalog.polled(state, [ENTRY], NOON)
    before = catalog.feed_states()[FEED.url]

    catalog.list_feeds([new])
    states = catalog.feed_states()
    taken = catalog.polled(states[new.url], [replace(ENTRY, source=new.url, guid="other")], NOON)

    assert states == {new.url: replace(before, url=new.url, address=None)}
    assert (taken.new, taken.relinked) == (0, 1)
    alias = catalog.feed(FEED.url)
    assert alias
    assert (alias["listed"], alias["address"]) == (False, new.url)


def test_a_feed_listed_beside_the_one_that_moved_there_begins_anew(catalog: Catalog) -> None:
    new = replace(FEED, url="http://new.example/feed")
    catalog.polled(FeedState(url=FEED.url, address=new.url, etag="e"), [ENTRY], NOON)

    catalog.list_feeds([FEED, new])

    assert catalog.feed_states()[new.url].etag is None
    assert catalog.feed_states()[FEED.url].etag == "e"


def test_every_entry_is_in_exactly_one_place_of_the_tally(catalog: Catalog) -> None:
    seen(catalog, *(f"http://news.example/{n}" for n in range(6)))
    one, two, three, four, five, _ = catalog.to_fetch(NOON, 100)
    for waiting in (one, two, three):
        catalog.fetched(waiting.id, PAGE, PLACE, "digest")
    catalog.faulted(four.id, NOON, "gone", "410", None)
    catalog.faulted(five.id, NOON, "dns", "later", NOON + timedelta(hours=1))
    catalog.decide(one.id, Verdict("too_short", "words=1"), Judgement(score=0.5), NOON)
    take(catalog, 5, two.id)

    assert catalog.tally() == {
        "to_fetch": 1, "will_retry": 1, "gone": 1, "kept": 1, "to_sift": 1, "too_short": 1,
    }  # fmt: skip
    assert sum(catalog.tally().values()) == catalog.entries_seen() == 6
    assert catalog.contradictions() == []


def test_a_verdict_stays(catalog: Catalog) -> None:
    seen(catalog, ENTRY.url)
    fetched(catalog)
    (waiting,) = catalog.to_sift(NOON, 10)

    first = catalog.decide(waiting.id, Verdict("language", "fr"), Judgement(), NOON)
    second = catalog.decide(waiting.id, Verdict("off_topic"), Judgement(), NOON)

    assert (first, second) == (True, False)
    assert catalog.tally() == {"language": 1}
    assert catalog.to_sift(NOON, 10) == []


def test_entries_are_sifted_by_their_date_and_not_by_arrival(catalog: Catalog) -> None:
    days = {"c": 2, "b": 1, "a": 2, "z": None}
    entries = [
        replace(ENTRY, url=f"http://news.example/{name}", published=day and NOON.replace(day=day))
        for name, day in days.items()
    ]
    catalog.polled(FeedState(url=FEED.url), entries, NOON)
    fetched(catalog)

    assert [w.entry.url[-1] for w in catalog.to_sift(NOON, 10)] == ["b", "a", "c", "z"]
    assert catalog.to_sift(NOON, 1)[0].place == PLACE


def test_a_time_set_by_a_clock_that_ran_ahead_keeps_no_page_waiting(catalog: Catalog) -> None:
    seen(catalog, ENTRY.url)
    (waiting,) = catalog.to_fetch(NOON, 10)
    ahead = NOON + timedelta(days=40)

    catalog.faulted(waiting.id, ahead, "dns", "no answer", ahead + timedelta(hours=1))

    assert [one.id for one in catalog.to_fetch(NOON, 10)] == [waiting.id]
    assert catalog.hold("fetch", [waiting.id], NOON)
    assert catalog.to_fetch(ahead, 10) == []


def test_a_fault_in_passing_is_tried_again_when_its_time_comes(catalog: Catalog) -> None:
    seen(catalog, ENTRY.url)
    (waiting,) = catalog.to_fetch(NOON, 10)

    catalog.faulted(waiting.id, NOON, "dns", "no answer", NOON + timedelta(hours=1))

    assert catalog.to_fetch(NOON, 10) == []
    (later,) = catalog.to_fetch(NOON + timedelta(hours=1), 10)
    assert later.attempts == 1


def test_likely_copies_are_found_by_each_key_and_named_once(catalog: Catalog) -> None:
    sketch = tuple(range(1, 30))
    for number, url, exact in ((1, "http://a", b"1"), (2, "", b"2"), (3, "", b"3")):
        fingerprint = Fingerprint(exact=exact, sketch=sketch if number == 3 else (), words=99)
        with catalog.admission() as admission:
            admission.take(
                number, str(number), replace(STORY, url=url), fingerprint, sha256="", now=NOON
            )

    with catalog.admission() as admission:
        found = admission.alike(["http://a", ""], Fingerprint(exact=b"2", sketch=sketch, words=99))

    assert [(number, how) for number, _, how, _ in found] == [(1, "url"), (2, "exact"), (3, "near")]


def test_pending_bytes_wait_until_they_are_settled(catalog: Catalog) -> None:
    take(catalog, 5, pending=b"text")

    waiting = catalog.pending()
    catalog.settle(5, STORY)

    assert waiting == [(5, "005_x.txt", b"text")]
    assert catalog.pending() == []
    assert catalog.names() == {"005_x.txt": 5}


def test_names_that_no_story_has_are_told_in_their_order(catalog: Catalog) -> None:
    take(catalog, 5)
    names = [f"{number:03d}_x.txt" for number in range(1200, -1, -1)]

    assert catalog.unknown(names) == [name for name in names if name != "005_x.txt"]


def test_the_stories_kept_are_those_that_nobody_withdrew(catalog: Catalog) -> None:
    take(catalog, 5)
    take(catalog, 6)
    with catalog.admission() as admission:
        admission.withdraw(5, b"text")

    assert catalog.stories_kept() == 1


def test_the_last_mark_noted_is_remembered(catalog: Catalog) -> None:
    before = catalog.mark()
    catalog.mark("1")
    catalog.mark("2")

    assert (before, catalog.mark()) == ("", "2")


def test_what_every_sift_asks_first_scans_no_table(tmp_path: Path) -> None:
    file, asked = tmp_path / "catalog.sqlite", list[str]()

    def note(*said: object) -> None:
        asked.append(str(said[2]))

    with Catalog(f"sqlite:///{file}") as catalog:
        event.listen(Engine, "before_cursor_execute", note)
        catalog.pending()
        catalog.names(withdrawn=True)
        event.remove(Engine, "before_cursor_execute", note)
    with closing(sqlite3.connect(file)) as connection:
        queries = [one for one in asked if one.startswith("SELECT")]
        plans = [str(list(connection.execute(f"EXPLAIN QUERY PLAN {q}"))) for q in queries]

    assert ["story_held" in plan for plan in plans] == [True, True]


def test_an_admission_that_fails_leaves_nothing(catalog: Catalog) -> None:
    seen(catalog, ENTRY.url)
    (waiting,) = catalog.to_fetch(NOON, 10)

    def admit_and_fail() -> None:
        with catalog.admission() as admission:
            admission.decide(waiting.id, Verdict("kept"), Judgement(), NOON)
            admission.take(5, "n", STORY, FINGERPRINT, sha256="", now=NOON, entry=waiting.id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        admit_and_fail()

    assert catalog.names() == {}
    assert catalog.tally() == {"to_fetch": 1}


def test_workers_that_admit_at_once_take_numbers_without_gaps(url: str, catalog: Catalog) -> None:
    def admit(worker: int) -> None:
        with Catalog(url) as mine:
            for step in range(5):
                with mine.admission() as admission:
                    number = admission.next_number()
                    sketch = Fingerprint(exact=bytes([worker, step]), sketch=(number,), words=1)
                    admission.take(number, str(number), STORY, sketch, sha256="", now=NOON)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(admit, range(8)))

    assert sorted(catalog.names().values()) == list(range(40))


def test_copies_that_arrive_at_once_end_as_one(url: str, catalog: Catalog) -> None:
    barrier, kept = threading.Barrier(8), []

    def admit(_: int) -> None:
        with Catalog(url) as mine:
            barrier.wait()
            with mine.admission() as admission:
                if not admission.alike([], FINGERPRINT):
                    number = admission.next_number()
                    admission.take(number, str(number), STORY, FINGERPRINT, sha256="", now=NOON)
                    kept.append(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(admit, range(8)))

    assert kept == [0]


def test_a_turn_at_a_host_is_had_by_one_at_a_time(url: str, catalog: Catalog) -> None:
    def ask(name: str) -> bool:
        def take(known: HostState) -> tuple[HostState, timedelta]:
            if known.holder:
                return known, timedelta(seconds=1)
            return replace(known, holder=name, until=NOON), timedelta(0)

        with Catalog(url) as mine:
            return not mine.claim("a.example", take)

    with ThreadPoolExecutor(6) as pool:
        had = list(pool.map(ask, "abcdef"))

    assert had.count(True) == 1
    assert ask("g") is False
    catalog.release("a.example", "abcdef"[had.index(True)], NOON, None)
    catalog.flush()
    assert ask("h") is True


def claimed(catalog: Catalog) -> None:
    catalog.claim("a.example", lambda known: (known, timedelta(0)))


@pytest.mark.parametrize("by", [Catalog.flush, Catalog.close, claimed])
def test_what_nobody_waited_for_is_written_by_and_by(
    url: str, catalog: Catalog, by: Callable[[Catalog], object]
) -> None:
    catalog.list_feeds([FEED])
    catalog.unchanged(FeedState(url=FEED.url, outcome="not_modified"), NOON)

    by(catalog)

    with Catalog(url) as another:
        assert another.feed_states()[FEED.url].outcome == "not_modified"


def test_what_is_known_of_a_host_comes_back_as_it_was_left(catalog: Catalog) -> None:
    said = HostState(holder="a", until=NOON, delay=2.5, rest_until=NOON, live_until=NOON)
    known: list[HostState] = []

    def look(state: HostState) -> tuple[HostState, timedelta]:
        known.append(state)
        return said, timedelta(0)

    catalog.claim("a.example", look)
    catalog.claim("a.example", look)
    catalog.release("a.example", "somebody else", NOON, NOON)
    catalog.claim("a.example", look)

    assert known == [HostState(), said, said]


def test_a_page_put_off_is_no_attempt(catalog: Catalog) -> None:
    seen(catalog, ENTRY.url)
    (waiting,) = catalog.to_fetch(NOON, 10)
    later = NOON + timedelta(minutes=5)

    catalog.postpone(waiting.id, later)

    assert catalog.to_fetch(NOON, 10) == []
    assert [one.attempts for one in catalog.to_fetch(later, 10)] == [0]


def test_robots_are_kept_by_origin(catalog: Catalog) -> None:
    catalog.save_robots("https://a.example", "User-agent: *", 200, NOON)
    catalog.save_robots("https://a.example", "", 404, NOON)

    assert catalog.load_robots("https://a.example") == ("", 404, NOON)
    assert catalog.load_robots("http://a.example") is None


def test_a_life_is_found_by_url_final_url_file_and_number(catalog: Catalog) -> None:
    seen(catalog, ENTRY.url)
    (waiting,) = catalog.to_fetch(NOON, 10)
    moved = replace(PAGE, final_url="http://news.example/moved")
    catalog.fetched(waiting.id, moved, PLACE, "digest")
    take(catalog, 7, waiting.id)

    lives = [catalog.life(r) for r in (ENTRY.url, moved.final_url, "007_x.txt", "7")]

    assert all(life == lives[0] for life in lives)
    assert lives[0]
    assert lives[0]["verdict"]["reason"] == "kept"
    assert catalog.life("8") is None


def test_stories_come_with_their_provenance(catalog: Catalog) -> None:
    seen(catalog, ENTRY.url)
    fetched(catalog)
    take(catalog, 0)
    take(catalog, 1, catalog.to_sift(NOON, 1)[0].id)

    by_hand, ours = catalog.stories()

    assert by_hand["source"] is None
    assert (ours["source"], ours["file"], ours["page_sha256"]) == (FEED.url, PLACE.file, "digest")


def test_runs_are_remembered(catalog: Catalog) -> None:
    number = catalog.begin_run("sift", NOON)
    catalog.end_run(number, NOON + timedelta(seconds=3), {"kept": 2}, None)

    (run,) = catalog.runs(5)

    assert (run["verb"], run["counts"], run["ended"] - run["started"]) == (
        "sift", {"kept": 2}, timedelta(seconds=3),
    )  # fmt: skip


def test_a_run_is_found_by_its_occasion_and_verdicts_know_their_run(catalog: Catalog) -> None:
    seen(catalog, ENTRY.url)
    fetched(catalog)
    entry = catalog.to_sift(NOON, 1)[0].id
    catalog.begin_run("sift", NOON)
    number = catalog.begin_run("sift", NOON, "poll/one")
    catalog.decide(entry, Verdict("off_topic"), Judgement(), NOON)

    assert [run["id"] for run in catalog.runs(5, "poll/one")] == [number]
    life = catalog.life(entry)
    assert life
    assert life["verdict"]["run"] == number


def test_a_catalog_is_upgraded_step_by_step_and_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Catalog(url).close()
    ours, steps = schema.UPGRADES, list[int]()
    further = {n: lambda _, n=n: steps.append(n) for n in (max(ours) + 1, max(ours) + 2)}
    monkeypatch.setattr(schema, "UPGRADES", {**ours, **further})

    for _ in range(2):
        Catalog(url).close()

    assert steps == list(further)
    monkeypatch.setattr(schema, "UPGRADES", ours)
    with pytest.raises(StorageError, match=rf"version {max(further)}.*knows {max(ours)}"):
        Catalog(url)


@pytest.mark.parametrize("wrong", ["nonsense", "oracle+x://u:secret@h/d"])
def test_a_url_that_names_no_database_says_what_to_use(wrong: str) -> None:
    with pytest.raises(StorageError, match="sqlite:////folder") as caught:
        Catalog(wrong)

    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(StorageError, match="cannot be used") as caught:
        Catalog("postgresql+psycopg://me:secret@127.0.0.1:9/none")

    assert "secret" not in str(caught.value)


def test_a_naive_moment_is_a_mistake(catalog: Catalog) -> None:
    with pytest.raises(Exception, match="naive"):
        catalog.begin_run("sift", datetime.now(UTC).replace(tzinfo=None))


def test_a_refused_entry_has_its_verdict_from_the_beginning_and_is_never_fetched(
    catalog: Catalog,
) -> None:
    google = replace(ENTRY, url="https://news.google.com/rss/articles/CBMi", title="Elsewhere")
    verdict = Verdict("google_news", "link='https://news.google.com/rss/articles/CBMi'")
    state = FeedState(url=FEED.url, outcome="listed")

    first = catalog.polled(state, [ENTRY], NOON, [(google, verdict)])
    again = catalog.polled(state, [ENTRY], NOON, [(google, verdict)])

    assert (first.new, again.new) == (1, 0)
    assert [one.entry for one in catalog.to_fetch(NOON, 9)] == [ENTRY]
    assert catalog.tally() == {"google_news": 1, "to_fetch": 1}
    life = catalog.life(google.url)
    assert life
    assert life["verdict"]["evidence"] == verdict.evidence
    assert catalog.contradictions() == []


def test_every_hop_and_the_canonical_link_are_kept(catalog: Catalog) -> None:
    seen(catalog, ENTRY.url)
    (waiting,) = catalog.to_fetch(NOON, 1)
    page = replace(
        PAGE, final_url="http://news.example/b", hops=(ENTRY.url, "http://news.example/b")
    )

    catalog.fetched(waiting.id, page, PLACE, "00")
    grounds = Judgement(canonical="http://news.example/c")
    catalog.decide(waiting.id, Verdict("too_short"), grounds, NOON)

    life = catalog.life("http://news.example/c")
    assert life
    assert life["fetches"][0]["hops"] == list(page.hops)
    assert life["entry"]["url"] == ENTRY.url
    assert catalog.life("http://news.example/b") == life


@pytest.mark.parametrize("order", [1, -1])
def test_lines_are_remembered_of_the_newest_pages_whenever_they_were_had(
    catalog: Catalog, order: int
) -> None:
    days = [NOON + timedelta(days=n) for n in range(LEARNT + 4)]
    told = [f"http://news.example/{n}" for n in range(len(days))]
    entries = [
        replace(ENTRY, url=url, link=url, published=day)
        for url, day in zip(told, days, strict=True)
    ]
    catalog.polled(FeedState(url=FEED.url, outcome="listed"), entries, NOON)

    for waiting in catalog.to_fetch(NOON, 100)[::order]:
        page = replace(PAGE, final_url="http://site.example/a")
        for marks in (waiting.entry.url, "another time"):
            catalog.fetched(waiting.id, page, PLACE, "digest", marks.encode())

    assert catalog.lines("http://site.example/b") == [url.encode() for url in told[:3:-1]]
    assert catalog.lines("http://other.example/") == []
