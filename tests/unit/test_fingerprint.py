"""What a fingerprint promises: copies share hashes, and the same words the same digest."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.fingerprint import BANDS, LONGEST, ROWS, RUN, WINDOW, bands, fingerprint, sketch
from ingest.words import words
from storage.model import Story

SURE = RUN + WINDOW - 1  # words in a row that two texts must share to share a hash for sure
WORDS = st.lists(st.sampled_from([f"w{n}" for n in range(50)]), max_size=120)
SHARED = [f"s{n}" for n in range(SURE)]


@given(WORDS, WORDS, WORDS, WORDS)
def test_any_long_enough_run_in_common_is_seen(
    before: list[str], after: list[str], ahead: list[str], behind: list[str]
) -> None:
    one, other = sketch([*before, *SHARED, *after]), sketch([*ahead, *SHARED, *behind])

    assert set(one) & set(other)


@given(WORDS)
def test_a_sketch_is_distinct_hashes_of_64_bits_in_order(tokens: list[str]) -> None:
    hashes = sketch(tokens)

    assert list(hashes) == sorted(set(hashes))
    assert all(-(2**63) <= value < 2**63 for value in hashes)
    assert bool(hashes) == bool(tokens)


def test_the_hashes_are_those_of_version_1() -> None:
    # Catalogs hold them: whoever changes this has to raise VERSION and sketch every story anew.
    text = (
        "Thirty words or so, so that more than one window has a hash to give: here are some "
        "more of them, and a few over, for luck and for good measure."
    )

    assert sketch(words(text)) == (656922671900014568, 1277476534011178631)


def test_a_sketch_takes_about_one_hash_for_nine_words() -> None:
    tokens = [f"w{n}" for n in range(1700)]

    assert 170 < len(sketch(tokens)) < 230  # 2 / (WINDOW + 1): the paper's density


def test_a_hostile_length_adds_no_hashes() -> None:
    tokens = [f"w{n}" for n in range(LONGEST)]

    assert sketch([*tokens, *tokens[::-1]]) == sketch(tokens)


def test_the_digest_sees_words_and_not_typography() -> None:
    typed = fingerprint(Story(title="It’s on", text="“Yes”,  she\u00a0said."))
    plain = fingerprint(Story(title="IT'S ON", text='"Yes", she said.'))
    other = fingerprint(Story(title="It's on", text='"No", she said.'))

    assert typed == plain
    assert plain.exact != other.exact
    assert plain.words == 5
    assert len(plain.exact) == 16


def test_titles_tell_short_texts_apart() -> None:
    one = fingerprint(Story(title="Bridge closed", text="More to follow."))
    other = fingerprint(Story(title="Budget agreed", text="More to follow."))

    assert one.exact != other.exact


def test_bands_are_those_that_datatrove_makes_of_the_same_words() -> None:
    # of its MinhashDedupSignature, release 0.10.1; `python -m benchmarks.join` runs that itself
    text = (
        "The board met on Monday and agreed the plan, which the council of Westbrook had asked "
        "for in May."
    )

    found = bands(words(text))

    assert len(found) == BANDS
    assert {len(band) for band in found} == {8 * ROWS}
    assert found[0].hex() == (
        "6e6962c3dc0f6e03ca7933a5d65d82022155be2c9807b300d1931bd44c7b2e01"
        "d34fcc969da91c0001a2e5e43fbdd0034a146858534a63007197eac23218fa00"
    )
    assert found[13].hex() == (
        "606064103a99fb01b2c8be2b58e17f02194ebd4811783804cff83dae4ce4c501"
        "e30228328ecbbe00d2f0fb5c9970fc013f0fbdd3ea983c05d40b3040c4ad7803"
    )
    assert bands(["too", "few", "words", "here"]) == []
