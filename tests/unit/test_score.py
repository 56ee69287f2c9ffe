"""What a score is made of, and what the prefilter may promise."""

import html
import math
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingest import reading, sieve, topics
from ingest.plain import decoded
from ingest.score import MAX_CHARS, Evidence, ceiling, check, explain, prefilter
from tests.unit.test_topics import FLOODS

TOPIC = topics.parse(FLOODS.encode(), "floods.toml")
WORDS = [
    *("flood", "floods", "Flooded", "tide", "walls", "bank", "built", "BUILDS", "sea", "wall"),
    *("defences", "river", "board", "budget", "football", "of", "calls", "the", "İzmir", "naïve"),
]
STORIES = st.lists(st.sampled_from([*WORDS, ".", "\n", "’"]), max_size=60).map(" ".join)
TITLES = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


def rules(title: str, text: str = "") -> list[tuple[str, str, tuple[str, ...]]]:
    return [(e.rule, e.zone, e.found) for e in explain(TOPIC, title, text).evidence]


@given(TITLES, STORIES)
def test_the_evidence_and_the_bias_make_the_score(title: str, text: str) -> None:
    told = explain(TOPIC, title, text)

    log_odds = math.log(told.score / (1 - told.score))

    assert log_odds == pytest.approx(math.fsum((told.bias, *(e.points for e in told.evidence))))


@given(TITLES, STORIES)
def test_every_word_found_stands_in_the_story(title: str, text: str) -> None:
    found = [words for e in explain(TOPIC, title, text).evidence for words in e.found]

    assert all(words in title or words in text for words in found)


@given(TITLES, STORIES)
def test_the_title_may_stand_in_the_text_or_not(title: str, text: str) -> None:
    assume(text.split("\n")[0].strip() != title)

    assert explain(TOPIC, title, text) == explain(TOPIC, title, f"{title}\n\n{text}")


@given(TITLES, STORIES)
def test_evidence_stays_within_its_caps(title: str, text: str) -> None:
    evidence = [e for e in explain(TOPIC, title, text).evidence if e.rule != "strays_to"]

    assert sum(e.points for e in evidence if e.zone == "body") <= TOPIC.weights.cap_body + 1e-9
    assert sum(e.points for e in evidence) <= TOPIC.weights.cap + 1e-9


def test_a_story_without_evidence_scores_the_bias() -> None:
    told = explain(TOPIC, "Fête in the park", "Cakes were sold.")

    assert told.evidence == ()
    assert told.score == pytest.approx(0.031, abs=0.001)
    assert str(told) == "refused 0.03: nothing speaks for it"


def test_a_phrase_counts_most_in_the_title_and_once() -> None:
    told = explain(TOPIC, "Flood defences open", "The flood defences work.")

    assert told.evidence == (Evidence("says", "title", ("Flood defences",), 6.6),)
    assert str(told) == "accepted 0.96: title says ‘Flood defences’"


def test_a_word_of_a_phrase_does_not_count_again() -> None:
    assert rules("Flood defence wall built") == [("says", "title", ("Flood defence",))]


def test_a_sentence_with_all_groups_joins_them() -> None:
    assert rules("", "Walls were built against the tide.") == [
        ("joins", "intro", ("tide", "Walls", "built"))
    ]


def test_words_of_two_sentences_are_not_joined() -> None:
    assert rules("", "Walls stand. The tide came. They built.") == []


def test_a_sentence_without_the_link_pairs_the_others() -> None:
    assert rules("", "A bank held the tide.") == [("pairs", "intro", ("tide", "bank"))]


def test_pairs_count_once() -> None:
    assert rules("Tide over bank", "A wall held the flood.") == [
        ("pairs", "title", ("Tide", "bank"))
    ]


def test_a_body_counts_in_full_beside_a_word_that_makes_it_the_subject() -> None:
    subject = explain(TOPIC, "", "The river board has no budget.").evidence
    passing = explain(TOPIC, "", "A spokesman of the river board was sad.").evidence

    assert subject == (Evidence("names", "intro", ("river board",), 2.7),)
    assert passing == (Evidence("mentions", "intro", ("river board",), 1.49),)


def test_a_masked_name_is_not_seen() -> None:
    assert rules("Flood of calls about bank") == []


def test_another_topic_takes_points_in_title_and_intro_only() -> None:
    late = "word " * 60

    assert rules("Football") == [("strays_to", "title", ("Football",))]
    assert rules("", f"{late} football") == []


def test_a_late_mention_weighs_little() -> None:
    early = explain(TOPIC, "", "Flood defences. " + "Word. " * 100)
    late = explain(TOPIC, "", "Word. " * 100 + "Flood defences.")

    assert early.decision == "review"
    assert late.decision == "refused"


def test_without_a_word_of_the_prefilter_a_story_is_at_most_for_review() -> None:
    told = explain(TOPIC, "Tide walls built", "Walls were built against the tide.")

    assert told.decision == "review"
    assert "gate" in {e.rule for e in told.evidence}
    assert "no word of the prefilter stands in it" in str(told)


def test_the_examples_of_a_file_are_checked() -> None:
    wrong = topics.parse(FLOODS.replace("Football called off", "Flood defences").encode(), "x")

    assert check(TOPIC) == []
    assert check(wrong) == ["'a match' should be refused but is " + str(
        explain(wrong, wrong.no[0].text.split("\n")[0], wrong.no[0].text)
    )]  # fmt: skip


@given(
    TITLES,
    STORIES,
    st.lists(
        st.sampled_from([" ", "\n\t", "&nbsp;", "&#160;", "</b> <i>", "<br/>", r"\n", r"\u00a0"]),
        min_size=70,
        max_size=70,
    ),
    st.sampled_from(["utf-8", "utf-16", "cp1252"]),
)
def test_the_prefilter_never_drops_a_page_with_a_story_that_is_accepted(
    title: str, text: str, gaps: list[str], charset: str
) -> None:
    words = html.escape(f"{title} {text}").split(" ")
    markup = "".join(w + gap for w, gap in zip(words, gaps * 2, strict=False))
    page = f"<html><body><p>{markup}</body>".encode(charset, "xmlcharrefreplace")

    told = explain(TOPIC, title, text)

    assert told.decision != "accepted" or prefilter(TOPIC, page)
    assert logit(told.score) <= ceiling(TOPIC, sieve.told(decoded(page, ""))) + 0.01


def logit(score: float) -> float:
    return math.log(score / (1 - score))


def test_scripts_say_nothing_but_for_their_data() -> None:
    def most(page: str) -> float:
        return ceiling(TOPIC, sieve.told(page))

    assert most("<script>'flood defences'</script>") == TOPIC.weights.bias
    assert most('<script type="application/ld+json">"Flood defences"</script>') > 0
    assert most('<meta property="og:title" content="Flood defences">') > 0


def test_the_groups_words_need_a_link_or_a_headline_to_say_much() -> None:
    weights, gap = TOPIC.weights, "x " * 400

    def most(page: str) -> float:
        return round(ceiling(TOPIC, page) - weights.bias, 2)

    assert most(f"flood {'x ' * 1000} walls") == 0
    assert most(f"flood {gap} walls") == round(weights.pairs * weights.intro, 2)
    assert most("flood walls") == round(weights.pairs * weights.title, 2)
    assert most(f"flood {gap} walls are built") == math.inf


def test_the_groups_words_say_nothing_with_sentences_between_them() -> None:
    def most(between: str) -> float:
        return round(ceiling(TOPIC, f"the flood {between} walls are built") - TOPIC.weights.bias, 2)

    assert most("of 2.5 m, as www.flood.example says,") == math.inf
    assert most("(see note 1. It is below.)") == math.inf  # as a note may interrupt a sentence
    assert most("came. It rained. It went. The") == 0


@pytest.mark.parametrize(("words", "why"), [(100, ""), (400, reading.WORDLESS)])
def test_a_small_page_is_read_for_it_may_be_a_wall_unless_it_has_many_words(
    words: int, why: str
) -> None:
    page = (
        f"<nav>{'<a>x y</a>' * 400}</nav><p class='a b c'>{'Cakes were sold. ' * (words // 3)}</p>"
    )

    assert reading.passed_over(TOPIC, page.encode(), "", "") == why


def test_the_prefilter_drops_a_page_without_its_words() -> None:
    assert not prefilter(TOPIC, b"<p>Sea views, a wall and the tide.</p>")
    assert prefilter(TOPIC, b"<p>The sea\n<b>wall</b></p>")


@pytest.mark.parametrize(
    "text",
    [
        "built '’\" " * 9000,
        "flood" + " " * MAX_CHARS,
        " ".join(f"flood{n}" for n in range(9000)),
        "river board " * 9000,
        ". " * 20000,
        "sea wall<" * 9000,
        "<p>" * 9000,
    ],
)
def test_hostile_text_is_scored_in_time(text: str) -> None:
    start = time.process_time()

    explain(TOPIC, "x", text)
    prefilter(TOPIC, text.encode() * 20)
    reading.is_wordless(TOPIC, text.encode()[: reading.SMALL])

    assert time.process_time() - start < 2


def test_any_number_of_foreign_words_is_a_score_of_nought() -> None:
    many = topics.parse(FLOODS.replace('8 = "football"', '8 = "ball*"').encode(), "x")

    told = explain(many, " ".join(f"ball{n}" for n in range(999)), "")

    assert told.score == 0.0


def test_lower_case_keeps_every_letter_in_its_place() -> None:
    every = "".join(map(chr, range(0x110000))).replace("İ", "I")

    assert len(every.lower()) == len(every)
