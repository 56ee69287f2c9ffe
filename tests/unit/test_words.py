"""What a text's words are, however it was typed."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.words import lines, normal, whole, words
from storage.model import Story

PLAIN = 'The café "first" didn\'t ask for £1.5m - or 20 staff.'


@pytest.mark.parametrize(
    "typed",
    [
        "The café “first” didn’t ask for £1.5m – or 20 staff.",
        "The caf&eacute; &ldquo;first&rdquo; didn&#8217;t ask for &pound;1.5m&nbsp;- or 20 staff.",
        "THE CAFÉ “FIRST” DIDN’T ASK FOR £1.5M — OR 20 STAFF.",
        "The cafe\u0301 «\ufb01rst» didn't\u00a0ask\r\nfor £1.5 m - or 20 sta\ufb00.",
        "The ca\u00adfé fir\u200bst didn't ask for £１.５m \u2009or ２０ staff.\ufeff",
        "The cafÃ© â€œfirstâ€\u009d didnâ€™t ask for Â£1.5m â€“ or 20 staff.",
    ],
)
def test_typography_changes_no_word(typed: str) -> None:
    assert normal(typed) == normal(PLAIN)


def test_digits_part_from_letters_and_signs_part_words() -> None:
    assert normal("1,500 in the 2nd e-mail of 5pm") == "1 500 in the 2 nd e mail of 5 pm"


def test_an_apostrophe_parts_nothing() -> None:
    assert words("the board's can't 'quoted'") == ["the", "boards", "cant", "quoted"]


def test_letters_of_other_scripts_are_words() -> None:
    assert words("Łódź, Ærø и Κως") == ["łodz", "ærø", "и", "κωσ"]


def test_what_only_looks_like_mojibake_stays() -> None:
    assert words("Ât â\u0080 rôle") == words("at a role")


def test_a_text_without_letters_has_no_words() -> None:
    assert words("… — _ !") == []


def test_a_story_is_read_with_its_title() -> None:
    assert normal(whole(Story(title="A title", text="Some text."))) == "a title some text"


@given(st.text())
@example("ŉ İ ǰ ﷺ ½ ™ ㎡ ﬁ ẞ")
def test_the_normal_form_is_idempotent(text: str) -> None:
    assert normal(normal(text)) == normal(text)


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_no_word_crosses_a_line(text: str) -> None:
    assert [word for line in lines(text) for word in line] == words(text)


@given(
    st.text(
        alphabet=st.characters(
            categories=["L", "Nd", "P", "Zs"],
            exclude_characters="ÂÃâ",  # before some signs they are mojibake, their parts are not
        )
    )
)
def test_composed_and_decomposed_letters_are_the_same(text: str) -> None:
    decomposed = unicodedata.normalize("NFD", text)

    assert normal(decomposed) == normal(unicodedata.normalize("NFC", text))
