import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.tokens import is_token, without_tokens


@pytest.mark.parametrize(
    "value",
    ["9f86d081884c7d659a2feaa0c55ad015", "9F86D081884C7D65", "0123456789abcdef0123456789abcdef",
     "k3j9vq2m1c8h7t0n5p4r6s2a1b", "123e4567-e89b-12d3-a456-426614174000"],
)  # fmt: skip
def test_what_chance_made_is_a_token(value: str) -> None:
    assert is_token(value)


@pytest.mark.parametrize(
    "value",
    ["", "42", "20260805123456789012", "care-board-2026-08-05-meets-again", "8F3A90C1",
     "budget2026and2027planofthecouncil", "thecouncilandtheboard", "abcdefabcdefabcdef", "a1b2c3"],
)  # fmt: skip
def test_numbers_dates_and_words_are_none(value: str) -> None:
    assert not is_token(value)


def test_hardly_a_random_one_is_missed() -> None:
    chance = random.Random(1)
    kinds = [
        ("0123456789abcdef", 32),
        ("0123456789abcdef", 16),
        (string.digits + "abcdefghijklmnopqrstuv", 26),
    ]

    for letters, size in kinds:
        found = [is_token("".join(chance.choices(letters, k=size))) for _ in range(1_000)]
        assert sum(found) > 970


@given(
    st.text() | st.from_regex(r"http://a/[0-9a-f]{20}(;x=1)?[?]a=[0-9a-f]{8}&b=c", fullmatch=True)
)
def test_what_is_left_without_tokens_has_none(url: str) -> None:
    assert without_tokens(without_tokens(url)) == without_tokens(url)
