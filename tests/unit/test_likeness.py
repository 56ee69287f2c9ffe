"""What makes a story a copy of another, and what does not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.likeness import Kind, Passage, kin, likeness, side_by_side
from ingest.words import whole, words
from storage.model import Lookalike, Story
from tests.builders import shared

PARAGRAPHS = (
    "Councillors in Westmere agreed last night to share one budget with the hospital trust that "
    "runs the town's two infirmaries, ending a dispute which began before the election.",
    "The deal, worth £31 million in its first year, puts home care, district nursing and the "
    "wards for older patients under a single manager who will answer to both bodies.",
    '"Families have told us for years that they repeat their story to five different people," '
    'said Ines Calloway, who leads the council. "From April they will tell it once."',
    "Unions gave a cautious welcome but warned that nobody had yet explained how staff on two "
    "sets of terms would work side by side in the same team without resentment.",
    "A review by auditors found that 140 beds were taken every week by people who were well "
    "enough to leave and had no help waiting for them at home.",
    "The trust has promised to publish waiting times each quarter, and to let an independent "
    "panel of patients decide whether the arrangement should go on after three years.",
)
STORY = Story(title="Westmere council and trust agree joint budget", text="\n\n".join(PARAGRAPHS))
OTHER = (
    "A ferry that ran aground in thick fog off the northern point was refloated at high water "
    "by three tugs, and towed to the naval yard with all of its passengers safe on board.",
    "Divers will look at the hull on Monday before the company says when sailings to the islands "
    "can start again, a spokeswoman told reporters who had gathered on the quay.",
    "Islanders have complained of cancelled crossings since the spring, and the shops in the "
    "main village were short of bread and milk for most of last week.",
    "The harbour master blamed a buoy that had drifted from its place in the January storms and "
    "had been reported twice to the lighthouse board without an answer.",
)
FORM = """{home} in {town} told to do better

The inspectorate has rated {home} in {town} as needing improvement after a visit in {month}.

{home}, run by {company}, looks after up to {beds} people, some of whom live with dementia.

Inspectors found that {missing} of the care plans they read had not been brought up to date, and \
that medicines were not always kept in a locked room.

{inspector}, who led the inspection, said: "When we visited {home} we saw kind staff, and people \
told us that they felt safe. The managers know what has to change and we will be back to see \
that it has."

The full report on {home} is on the inspectorate's website."""
ROWAN = {
    "home": "Rowan House", "town": "Hartwick", "month": "March", "company": "Fern Valley Care",
    "beds": "42", "missing": "nine", "inspector": "Priya Abbott",
}  # fmt: skip
LAUREL = {
    "home": "Laurel Grange", "town": "Oldmere", "month": "October", "company": "Amber Homes",
    "beds": "67", "missing": "four", "inspector": "Owen Dunmore",
}  # fmt: skip
FURNITURE = "Share this page\n\nBy Tess Marlow, health reporter\n\n{}\n\nMost read in Westmere"


def told(*paragraphs: str, title: str = STORY.title) -> Story:
    return Story(title=title, text="\n\n".join(paragraphs))


def filled(blanks: dict[str, str]) -> Story:
    title, _, text = FORM.format(**blanks).partition("\n\n")
    return Story(title=title, text=text)


def test_the_same_words_typed_otherwise_are_exact() -> None:
    typed = replace(STORY, title=STORY.title.upper(), text=STORY.text.replace('"', "”"))

    like = likeness(STORY, typed)

    assert (like.kind, like.containment, like.swaps) == (Kind.EXACT, 1.0, ())
    assert like.is_copy


def test_another_headline_and_furniture_make_a_reissue() -> None:
    again = Story(title="One purse for town and trust", text=FURNITURE.format(STORY.text))

    like = likeness(STORY, again)

    assert like.kind is Kind.REISSUE
    assert like.is_copy


def test_a_copy_cut_to_half_and_edited_is_abridged() -> None:
    edited = PARAGRAPHS[0].replace("agreed last night", "voted on Tuesday evening")
    cut = told(edited, PARAGRAPHS[2], PARAGRAPHS[4].replace("nobody", "no one"), title="Budget")

    like = likeness(STORY, cut)

    assert like.kind is Kind.ABRIDGED
    assert like.is_copy


def test_a_story_with_paragraphs_added_is_updated() -> None:
    longer = told(*OTHER[:2], *PARAGRAPHS, OTHER[2].replace("last week", "the last 9 days"))

    like = likeness(STORY, longer)

    assert like.kind is Kind.UPDATED
    assert like.is_copy


def test_a_cut_copy_with_paragraphs_added_is_a_reprint() -> None:
    like = likeness(STORY, told(*PARAGRAPHS[:4], OTHER[0], OTHER[1], title="Shared purse"))

    assert like.kind is Kind.REPRINT
    assert like.is_copy


def test_a_form_filled_in_anew_is_no_copy_however_much_agrees() -> None:
    like = likeness(filled(ROWAN), filled(LAUREL))

    assert like.containment > 0.75
    assert not like.is_copy
    assert like.is_related
    assert ("rowan house", "laurel grange") in {(swap.old, swap.new) for swap in like.swaps}


def test_a_long_form_is_told_by_its_numbers() -> None:
    form = "Of {} wards seen {} were full, and on those there were {} falls in all of {} nights."
    old, new = form.format(12, 9, 316, 90), form.format(40, 38, 295, 91)

    like = likeness(told(*PARAGRAPHS, *OTHER, old), told(*PARAGRAPHS, *OTHER, new))

    assert like.swaps_per_100 < 4.5
    assert like.numbers == 4
    assert not like.is_copy


def test_a_corrected_figure_leaves_a_copy_a_copy() -> None:
    like = likeness(STORY, replace(STORY, text=STORY.text.replace("£31 million", "£13 million")))

    assert [(swap.old, swap.new) for swap in like.swaps] == [("31", "13")]
    assert like.kind is Kind.REISSUE
    assert like.is_copy


def test_shared_quotes_relate_stories_and_make_no_copy() -> None:
    like = likeness(STORY, told(OTHER[0], PARAGRAPHS[2], *OTHER[1:], title="Ferry refloated"))

    assert not like.is_copy
    assert like.is_related


def test_strangers_are_neither_copies_nor_related() -> None:
    like = likeness(STORY, told(*OTHER, title="Ferry refloated"))

    assert not like.is_copy
    assert not like.is_related


def test_a_round_up_does_not_count_as_a_copy_of_the_brief_it_swallowed() -> None:
    brief = told(PARAGRAPHS[0], title="Budget agreed")
    round_up = told(PARAGRAPHS[0], *OTHER, *PARAGRAPHS[3:], title="The week")

    assert likeness(brief, round_up).containment == 1.0
    assert not likeness(brief, round_up).is_copy
    assert likeness(brief, round_up).is_related
    assert likeness(round_up, brief).is_copy


def test_nothing_is_like_nothing() -> None:
    assert not likeness(Story(title="", text=""), STORY).is_related
    assert likeness(Story(title="", text=""), Story(title="—", text="…")).kind is Kind.EXACT


@given(
    st.lists(st.sampled_from(PARAGRAPHS + OTHER), max_size=6),
    st.lists(st.sampled_from(PARAGRAPHS + OTHER), max_size=6),
)
def test_who_was_first_changes_no_measure(some: list[str], others: list[str]) -> None:
    one, other = told(*some, title="One"), told(*others, title="Other")

    there, back = likeness(one, other), likeness(other, one)

    assert there.containment == back.containment
    assert (there.kept, there.taken) == (back.taken, back.kept)
    assert (there.swaps_per_100, there.numbers) == (back.swaps_per_100, back.numbers)


@given(
    st.lists(st.sampled_from(PARAGRAPHS + OTHER), max_size=6),
    st.lists(st.sampled_from(PARAGRAPHS + OTHER), max_size=6),
)
def test_passages_are_the_same_words_in_both_and_in_order(
    some: list[str], others: list[str]
) -> None:
    one, other = told(*some, title="One"), told(*others, title="Other")
    old, new = words(whole(one)), words(whole(other))

    passages = likeness(one, other).passages

    assert all(old[p.old : p.old + p.length] == new[p.new : p.new + p.length] for p in passages)
    ends = [Passage(old=0, new=0, length=0), *passages]
    assert all(
        a.old + a.length <= b.old and a.new + a.length <= b.new
        for a, b in zip(ends, passages, strict=False)
    )


def test_kin_are_copies_first_and_then_the_related_without_the_strangers() -> None:
    def kept(number: int, story: Story) -> Lookalike:
        return Lookalike(number=number, name=f"{number:03}_0.txt", how="near", story=story)

    stranger = kept(1, told(*OTHER, title="Ferry refloated"))
    relative = kept(2, told(*OTHER, PARAGRAPHS[2], title="Ferry refloated"))
    half = kept(3, told(*PARAGRAPHS[:3]))
    twin = kept(4, replace(STORY, title="Joint budget"))

    found = kin(STORY, [stranger, relative, half, twin])

    assert [one.lookalike for one in found] == [twin, half, relative]
    assert [one.likeness.is_copy for one in found] == [True, True, False]


@pytest.mark.shared
def test_the_seeds_are_five_stories_and_two_of_them_are_related() -> None:
    texts = [path.read_text() for path in sorted(shared("seeds").glob("*.txt"))]
    stories = [Story(title=t.partition("\n")[0], text=t.partition("\n")[2]) for t in texts]

    likes = {(a, b): likeness(stories[a], stories[b]) for a in range(5) for b in range(a)}

    assert not any(like.is_copy for like in likes.values())
    assert [pair for pair, like in likes.items() if like.is_related] == [(1, 0)]


def test_side_by_side_shows_what_agrees_and_what_differs() -> None:
    old, new = told(*PARAGRAPHS[:3]), told(PARAGRAPHS[0], OTHER[1], PARAGRAPHS[2], title="Another")

    rows = side_by_side(old, new)

    assert rows == [
        (False, STORY.title, "Another"),
        (True, PARAGRAPHS[0], PARAGRAPHS[0]),
        (False, PARAGRAPHS[1], OTHER[1]),
        (True, PARAGRAPHS[2], PARAGRAPHS[2]),
    ]


@given(st.lists(st.sampled_from(PARAGRAPHS + OTHER)), st.lists(st.sampled_from(PARAGRAPHS)))
def test_side_by_side_loses_no_word_of_either(one: list[str], other: list[str]) -> None:
    old, new = told(*one), told(*other, title="– £1.5m")

    rows = side_by_side(old, new)

    assert " ".join(filter(None, (row[1] for row in rows))) == " ".join(whole(old).split())
    assert " ".join(filter(None, (row[2] for row in rows))) == " ".join(whole(new).split())
    assert all(words(row[1]) == words(row[2]) for row in rows if row[0])
