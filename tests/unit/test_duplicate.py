"""What the three filters for copies say of a story and its lookalikes."""

from dataclasses import replace
from pathlib import Path

from ingest import topics
from ingest.extract import Extract
from ingest.filters.case import Case
from ingest.filters.duplicate import duplicate_exact, duplicate_near, duplicate_url
from ingest.likeness import kin
from storage.model import Lookalike, Story
from tests.builders import ENTRY
from tests.unit.test_likeness import LAUREL, OTHER, PARAGRAPHS, ROWAN, STORY, filled, told

CASE = Case(
    entry=ENTRY,
    url=ENTRY.url,
    hops=(ENTRY.url,),
    extract=Extract(),
    story=STORY,
    topic=topics.load(Path(__file__).parents[2] / "topics" / "flood-defences.toml"),
)


def beside(*lookalikes: Lookalike, story: Story = STORY) -> Case:
    return replace(CASE, story=story, lookalikes=lookalikes, kin=tuple(kin(story, lookalikes)))


def kept(number: int, how: str, story: Story) -> Lookalike:
    return Lookalike(number=number, name=f"{number:03}_aa.txt", how=how, story=story)


def test_a_story_alone_is_no_copy() -> None:
    assert [find(CASE) for find in (duplicate_url, duplicate_exact, duplicate_near)] == [None] * 3


def test_the_same_url_is_a_copy_whatever_the_page_says_now() -> None:
    case = beside(kept(7, "url", told(*OTHER, title="Ferry refloated")))

    assert duplicate_url(case) == "like=007_aa.txt kind=reprint containment=0.00 swaps=0.0"


def test_the_same_words_are_a_copy() -> None:
    case = beside(kept(7, "exact", STORY))

    assert duplicate_exact(case) == "like=007_aa.txt kind=exact containment=1.00 swaps=0.0"
    assert duplicate_url(case) is None


def test_the_likest_of_several_copies_is_named() -> None:
    half, most = told(*PARAGRAPHS[:2]), told(*PARAGRAPHS[:4])
    case = beside(kept(7, "near", half), kept(9, "near", most))

    assert duplicate_near(case) == "like=009_aa.txt kind=updated containment=1.00 swaps=0.0"


def test_a_form_filled_in_anew_passes() -> None:
    case = beside(kept(7, "near", filled(ROWAN)), story=filled(LAUREL))

    assert duplicate_near(case) is None
