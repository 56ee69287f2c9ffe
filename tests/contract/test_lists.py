"""What people leaf through, on both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from storage.catalog import Catalog
from storage.errors import StorageError
from storage.model import Feed, FeedState, Judgement, Place, Slice, Verdict
from storage.search import phrases
from storage.tally import add, tally
from tests.builders import ENTRY, FINGERPRINT, NOON, PAGE, STORY

A, B = "http://a.example/feed", "http://b.example/feed"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TEXTS = (
    "The board and the council agreed one budget for home care.",
    "Nurses met councils in Cardiff; the café closed.",
    "A quiet day, and a budget.",
)


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    """Three stories, two of feed A, and two entries of feed B that were refused."""
    with Catalog(url) as catalog:
        catalog.list_feeds([Feed(url=A, title="A"), Feed(url=B, title="B", nation="wales")])
        for place, (source, text) in enumerate(zip((A, B, A), TEXTS, strict=True)):
            number = seen(catalog, source, f"http://a.example/{place}")
            story = replace(STORY, title=f"Story {place}", text=text)
            story = replace(story, published=date(2026, 3, 1 + place))
            with catalog.admission() as admission:
                admission.decide(number, Verdict("kept"), Judgement(), NOON)
                admission.take(
                    place, f"{place:03d}_x.txt", story, FINGERPRINT, sha256="s", now=NOON,
                    entry=number,
                )  # fmt: skip
            catalog.settle(place, story)
        for place, reason in enumerate(("off_topic", "review")):
            number = seen(catalog, B, f"http://b.example/{place}")
            said = Verdict(reason, f"score=0.{place}")
            catalog.decide(number, said, Judgement(), NOON + place * HOUR)
        yield catalog


def seen(catalog: Catalog, source: str, link: str) -> int:
    entry = replace(ENTRY, url=link, link=link, source=source)
    catalog.polled(FeedState(url=source, outcome="listed"), [entry], NOON)
    return int((catalog.life(link) or {})["entry"]["id"])


def titles(catalog: Catalog, **asked: object) -> list[str]:
    return [row["title"] for row in catalog.list_stories(**asked)]  # type: ignore[arg-type]


def test_stories_come_newest_first_and_the_list_goes_on_where_it_ended(catalog: Catalog) -> None:
    first = catalog.list_stories(most=2)

    assert [row["title"] for row in first] == ["Story 2", "Story 1"]
    assert titles(catalog, before=first[-1]["place"], most=2) == ["Story 0"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("budget", ["Story 2", "Story 0"]),
        ("Budgets agree", ["Story 0"]),  # by their stems
        ('"home care"', ["Story 0"]),
        ('"care home"', []),
        ("café", ["Story 1"]),
        ("story", ["Story 2", "Story 1", "Story 0"]),  # of the titles
        ("budget OR nurses", []),  # no word of it is syntax
        ("'; DROP TABLE story; --", []),
        ('budget"', ["Story 2", "Story 0"]),
        ("---", ["Story 2", "Story 1", "Story 0"]),  # asks for nothing
    ],
)
def test_stories_are_found_by_their_words(catalog: Catalog, said: str, found: list[str]) -> None:
    assert titles(catalog, said=said) == found


@given(st.text())
def test_whatever_is_asked_for_is_quoted(said: str) -> None:
    asked = phrases(said)

    assert asked.count('"') % 2 == 0
    assert "\0" not in asked
    assert asked[:1] in ("", '"')


def test_no_question_is_an_error(catalog: Catalog) -> None:
    @settings(max_examples=30)
    @given(st.text(max_size=40))
    def ask(said: str) -> None:
        assert len(catalog.list_stories(said=said)) <= 3

    ask()


def test_stories_are_listed_by_source_and_day(catalog: Catalog) -> None:
    (first, _) = catalog.list_stories(sources=[A])

    assert titles(catalog, sources=[A]) == ["Story 2", "Story 0"]
    assert titles(catalog, sources=[A], before=first["place"]) == ["Story 0"]
    assert titles(catalog, sources=[]) == []
    assert titles(catalog, since=date(2026, 3, 2), until=date(2026, 3, 2)) == ["Story 1"]
    (late, _) = catalog.list_stories(since=date(2026, 3, 2))
    assert titles(catalog, since=date(2026, 3, 2), before=late["place"]) == ["Story 1"]
    assert titles(catalog, sources=[A, B]) == ["Story 2", "Story 1", "Story 0"]
    assert titles(catalog, said="budget", sources=[A], until=date(2026, 3, 1)) == ["Story 0"]


@pytest.mark.parametrize("asked", [{}, {"sources": [A]}, {"until": date(2026, 3, 9)}])
def test_what_is_no_place_in_a_list_is_told(catalog: Catalog, asked: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match="begin at its top"):
        catalog.list_stories(before="'; DROP", **asked)
    with pytest.raises(StorageError, match="begin at its top"):
        catalog.list_entries(before="1")


def test_a_story_that_was_taken_out_is_found_no_more(catalog: Catalog) -> None:
    with catalog.admission() as admission:
        admission.withdraw(0, b"bytes")

    assert titles(catalog, said="budget") == ["Story 2"]
    assert catalog.days(date(2026, 3, 1), date(2026, 3, 1), "nation") == []


def test_what_was_not_kept_is_listed_by_reason(catalog: Catalog) -> None:
    refused = catalog.list_entries()

    assert [row["reason"] for row in refused] == ["review", "off_topic"]
    (second,) = catalog.list_entries(before=refused[0]["place"])
    assert second == refused[1]
    assert catalog.list_entries(before=second["place"]) == []
    assert catalog.list_entries(oldest=True, before=second["place"]) == [refused[0]]
    assert catalog.list_entries(since=NOON + HOUR, until=NOON + 2 * HOUR) == [refused[0]]
    assert [row["evidence"] for row in catalog.list_entries(reason="review")] == ["score=0.1"]
    assert [row["reason"] for row in catalog.list_entries(oldest=True)] == ["off_topic", "review"]


def test_a_source_lists_all_its_entries(catalog: Catalog) -> None:
    assert [row["reason"] for row in catalog.list_entries(source=B)] == [
        "review", "off_topic", "kept",
    ]  # fmt: skip
    assert catalog.reasons(2) == {A: ["kept", "kept"], B: ["review", "off_topic"]}


def test_days_outcomes_and_delays_are_counted_within_their_time(catalog: Catalog) -> None:
    assert sorted(catalog.days(date(2026, 3, 2), date(2026, 3, 3), "nation")) == [
        (date(2026, 3, 2), "wales", 1),
        (date(2026, 3, 3), "uk", 1),
    ]
    assert catalog.outcomes(NOON.date(), NOON.date()) == {"kept": 3, "off_topic": 1, "review": 1}
    assert catalog.outcomes(NOON.date() + DAY, NOON.date() + DAY) == {}
    assert catalog.delays(NOON, NOON + HOUR) == [(3 * HOUR, 0 * HOUR)] * 3
    assert catalog.delays(NOON + HOUR, NOON + 2 * HOUR) == []
    assert catalog.waiting_for("review") == 1


def test_what_nobody_reviewed_in_time_is_refused_as_expired(catalog: Catalog) -> None:
    assert catalog.expire(NOON + HOUR, NOON + 9 * HOUR) == 0

    assert catalog.expire(NOON + 2 * HOUR, NOON + 9 * HOUR) == 1

    (late,) = catalog.list_entries(reason="expired")
    assert (late["evidence"], late["at"]) == ("undecided: score=0.1", NOON + 9 * HOUR)


def test_a_life_is_told_by_the_number_of_its_entry(catalog: Catalog) -> None:
    (refused, _) = catalog.list_entries()

    life = catalog.life(refused["id"])

    assert life
    assert life["entry"]["url"] == refused["url"]
    assert catalog.life(10**6) is None


def counted(url: str) -> list[tuple[object, ...]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(select(tally).where(tally.c.n != 0)).all()
    engine.dispose()
    return sorted(tuple(row) for row in rows)


def test_what_is_counted_follows_whatever_changes_it(catalog: Catalog, url: str) -> None:
    catalog.expire(NOON + 2 * HOUR, NOON + DAY)
    with catalog.admission() as admission:
        admission.withdraw(2, b"bytes")
    with catalog.admission() as admission:
        admission.restore(2)
        admission.withdraw(0, b"bytes")
        admission.reopen(1)

    assert counted(url) == [
        ("appeared", "2026-03-02", B, 1),
        ("appeared", "2026-03-03", A, 1),
        ("appeared_month", "2026-03", A, 1),
        ("appeared_month", "2026-03", B, 1),
        ("bytes", "", "corpus", -5),  # the first was taken in without its bytes
        ("judged", "2026-03-02", "kept", 2),
        ("judged", "2026-03-02", "off_topic", 1),
        ("judged", "2026-03-03", "expired", 1),
    ]
    assert sorted(catalog.days(date(2026, 1, 5), date(2026, 3, 1), "nation", months=True)) == [
        (date(2026, 3, 1), "uk", 1),
        (date(2026, 3, 1), "wales", 1),
    ]


def test_a_catalog_without_counts_gets_them(catalog: Catalog, url: str) -> None:
    before = counted(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        drop = "DROP TRIGGER tally_{}_{}"
        drop = drop if engine.dialect.name == "sqlite" else "DROP FUNCTION tally_{}_{}() CASCADE"
        for table in ("story", "verdict"):
            for act in ("insert", "update", "delete"):
                connection.exec_driver_sql(drop.format(table, act))
        connection.exec_driver_sql("DROP TABLE tally")
        add(connection)
    engine.dispose()

    words = FINGERPRINT.words * 3
    assert counted(url) == sorted([*before, ("bytes", "", "corpus", 6 * words)])
    with catalog.admission() as admission:
        admission.reopen(1)
    assert ("judged", "2026-03-02", "kept", 2) in counted(url)


def test_bytes_of_pages_and_texts_are_summed_as_they_come(catalog: Catalog) -> None:
    for number in (1, 2):
        catalog.fetched(number, PAGE, Place(file="f", offset=0, length=700), "digest")
        catalog.end_run(catalog.begin_run("fetch", NOON), NOON, {}, None)
    with catalog.admission() as admission:
        admission.take(9, "009_x.txt", STORY, FINGERPRINT, sha256="s", now=NOON, pending=b"12345")

    told = catalog.bytes()

    assert told["catalog"] > 10_000
    assert (told["archive"], told["corpus"]) == (1400, 5)


def test_a_person_disables_a_feed_and_enables_it(catalog: Catalog) -> None:
    catalog.disable(A, "Ada", NOON)
    catalog.list_feeds([Feed(url=A, title="A", note="other"), Feed(url=B, title="B")])

    assert catalog.disabled() == {A: ("Ada", NOON)}
    catalog.disable(A, None, NOON)
    assert catalog.disabled() == {}


def test_slices_are_counted_and_listed_by_their_days(catalog: Catalog) -> None:
    days = [(date(2019, month, 1), date(2019, month + 1, 1)) for month in (1, 2, 3)]
    for source, state in ((A, "planned"), (B, "partial"), (B, "split")):
        made = [Slice(source=source, way="w", since=a, until=b, state=state) for a, b in days]
        catalog.plan(source, lambda _, made=made: made)

    said = sorted((since, state, n) for since, _, state, n in catalog.calendar())
    assert said == [(day, state, 1) for day, _ in days for state in ("partial", "planned")]
    assert [row[2:] for row in catalog.calendar([A])] == [("planned", 1)] * 3
    february = catalog.list_slices(since=date(2019, 2, 3), until=date(2019, 2, 4))
    assert [row["source"] for row in february] == [B, A]
    (left,) = catalog.list_slices(since=days[1][0], until=days[1][1], before=february[0]["id"])
    assert left == february[1]
    assert len(catalog.list_slices(state="partial", sources=[B])) == 3
    assert catalog.list_slices(state="partial", sources=[A]) == []
