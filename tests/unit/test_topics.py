"""Topic files: their phrases, their errors, and the two that are shipped."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import topics
from ingest.errors import SettingsError
from ingest.score import check

SHIPPED = Path(__file__).resolve().parents[2] / "topics"
FLOODS = """
name = "floods"
threshold = 0.65
review = [0.35, 0.65]
min_words = 5
languages = ["en"]
prefilter = "flood*, sea wall"
mask = "flood of calls"
beside = "budget*"

[groups]
water = "flood*, tide*"
works = "wall*, bank*"
doing = "build*, built"

[strong]
3 = "flood defence*"
1 = "sea wall"

[bodies]
2 = "river board"

[negative]
8 = "football"

[weights]
bias = -3.45
title = 2.2
intro = 1.35
lead = 1.1
body = 0.4
intro_chars = 200
lead_chars = 500
joins = 3.0
pairs = 1.3
mentions = 0.55
cap_body = 0.7
cap = 7.5

[[yes]]
name = "a wall"
text = "Town builds flood defences\\nThe sea wall will be higher."

[[no]]
name = "a match"
text = "Football called off\\nThe pitch was under water."
"""


def found(phrase: str, text: str) -> str | None:
    match = re.search(rf"(?<!\w)(?:{topics._regex(phrase)})(?!\w)", text)
    return match and match.group()


@pytest.mark.parametrize(
    ("phrase", "text", "words"),
    [
        ("care trust", "a care-trust here", "care-trust"),
        ("care trust", "a care\u00a0trust here", "care\u00a0trust"),
        ("joined up care", "‘joined-up’ care", "joined-up’ care"),
        ("care trust", "care\ntrust", None),
        ("care trust", "care, trust", None),
        ("care", "careful", None),
        ("care*", "careful", "careful"),
        ("nhs/council staff", "council staff", "council staff"),
        ("nhs/council staff", "county staff", None),
        ("(new) plan", "the plan", "plan"),
        ("(new) plan", "the new plan", "new plan"),
        ("plan (b)", "plan b", "plan b"),
        ("one .. team", "one big, happy team", None),
        ("one .. team", "one big happy young new team", "one big happy young new team"),
        ("one .. team", "one two three four five six team", None),
        ("!primary care trust*", "the care trusts", "care trusts"),
        ("!primary care trust*", "primary care trusts", None),
        ("a&e", "at a&e today", "a&e"),
    ],
)
def test_a_phrase_means_what_its_signs_say(phrase: str, text: str, words: str | None) -> None:
    assert found(phrase, text) == words


@pytest.mark.parametrize(
    "phrase", ["(plan", "plan)", "*", "a//b", ".. plan", "plan ..", "(a) (b)", "a !b c", "!a* b"]
)
def test_a_phrase_nobody_can_read_is_refused(phrase: str) -> None:
    with pytest.raises(ValueError, match="phrase"):
        topics._regex(phrase)


@given(st.text("ab*/.!() ", max_size=12), st.text("ab '\n-", max_size=30))
def test_any_phrase_is_refused_or_compiles(phrase: str, text: str) -> None:
    try:
        pattern = topics._regex(phrase)
    except ValueError:
        return

    re.search(pattern, text)
    if phrase.isascii() and "!" not in phrase and phrase.strip():
        topics._in_pages(phrase).passes(text.encode())


def test_of_phrases_that_begin_alike_the_longest_is_found() -> None:
    phrases = topics._any_of("care, care trust board, care trust")

    match = phrases.pattern.search("the care trust board")

    assert match is not None
    assert match.group() == "care trust board"


def test_a_topic_remembers_the_digest_of_its_file() -> None:
    topic = topics.parse(FLOODS.encode(), "floods.toml")

    assert topic.digest == sha256(FLOODS.encode()).hexdigest()


def test_most_points_come_first() -> None:
    topic = topics.parse(FLOODS.encode(), "floods.toml")

    assert [points for points, _ in topic.strong] == [3, 1]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "floods"', 'name = "floods', "floods.toml: not TOML .*line 2"),
        ('name = "floods"', "name = " + "[" * 5000, "floods.toml: not TOML .*recursion"),
        ("min_words = 5\n", "", "floods.toml: min_words: is missing; add it"),
        ("min_words = 5", "min_words = 5\nmin_word = 6", "min_word: no such key; remove it"),
        ("cap = 7.5", "cap = 7.5\ncup = 1.0", "weights.cup: no such key"),
        ("min_words = 5", 'min_words = "few"', "min_words: .*integer.*; correct it"),
        ('beside = "budget*"', 'beside = "(budget"', r"beside: cannot read '\(budget'"),
        ('beside = "budget*"', 'beside = " , "', "beside: there is no phrase in it"),
        ('beside = "budget*"', "beside = 3", "beside: must be one string of phrases"),
        ('8 = "football"', '10 = "football"', "negative: must be a table of points"),
        ("flood*, sea wall", "Überschwemmung", "prefilter: needs a phrase, and plain ASCII"),
        (
            "flood*, sea wall",
            "!flash flood",
            "prefilter: needs a phrase, and plain ASCII without '!'",
        ),
        ("cap = 7.5", "cap = inf", "weights.cap: .*finite"),
        ("[0.35, 0.65]", "[0.35, 0.75]", r"review must be \[low, threshold\]"),
        ("min_words = 5", "min_words = 5\nsince = 2020-01-02\nuntil = 2020-01-02", "since must"),
        ('water = "flood*, tide*"\nworks = "wall*, bank*"\n', "", "groups: .*at least 2"),
        ("[[no]]", "[[nay]]", "no: is missing; add it"),
    ],
)
def test_a_wrong_file_says_where_and_what_to_do(old: str, new: str, said: str) -> None:
    assert old in FLOODS

    with pytest.raises(SettingsError, match=said):
        topics.parse(FLOODS.replace(old, new, 1).encode(), "floods.toml")


def test_a_missing_file_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml: cannot be read.*NEWS_TOPIC"):
        topics.load(tmp_path / "gone.toml")


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.toml")), ids=lambda file: file.stem)
def test_a_shipped_topic_file_judges_its_own_examples_right(file: Path) -> None:
    topic = topics.load(file)

    assert check(topic) == []
    assert len(topic.yes) >= 5
    assert len(topic.no) >= 5
