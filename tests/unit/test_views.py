"""Evidence marked in a text."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.views import marked
from storage.model import Story

POINTS = [("says", "intro", "one budget", 3.2), ("joins", "body", "council + health board", 1.0)]


def story(text: str) -> Story:
    return Story(title="A title", text=text)


def test_the_words_that_earned_points_are_marked_with_the_rule() -> None:
    told = marked(story("The Council has\none  budget.\n\nNo councillor came."), POINTS)

    assert told == [
        [("", "The "), ("joins +1.00", "Council"), ("", " has\n"), ("says +3.20", "one  budget"),
         ("", ".")],
        [("", "No councillor came.")],
    ]  # fmt: skip


def test_a_text_without_evidence_is_one_piece_a_paragraph() -> None:
    assert marked(story("One.\n\nTwo."), []) == [[("", "One.")], [("", "Two.")]]
    assert marked(story("One."), [("cap", "", "", -2.0)]) == [[("", "One.")]]


@given(
    st.text(), st.lists(st.tuples(st.just("says"), st.just("body"), st.text(), st.floats(-9, 9)))
)
def test_the_pieces_of_a_paragraph_are_the_paragraph(
    text: str, points: list[tuple[str, str, str, float]]
) -> None:
    told = marked(story(text), points)

    assert "\n\n".join("".join(piece for _, piece in one) for one in told) == text
