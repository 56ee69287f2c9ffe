"""Which lines of a page are furniture, by which rule; and which never are."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.furniture import Removed, clear, is_date, key, marks, recurring

FIRST = "The council and the health board have agreed one budget for care at home."
LAST = "A report on the first year will be published in the spring of next year."

LINES = st.lists(
    st.one_of(
        st.text(max_size=80),
        st.sampled_from(
            [
                FIRST,
                LAST,
                "Share",
                "Related stories",
                "- A link",
                "Read more: A budget",
                "By Jo Lund",
            ]
        ),
    ),
    max_size=12,
)


def rule(line: str, *, links: frozenset[str] = frozenset()) -> str:
    """Name the rule that takes a line from between two sentences; "" when it stays."""
    _, removed = clear([FIRST, line, LAST], links=links)
    return removed[0].rule if removed else ""


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("most read in politics", "list_heading"),
        ("We thought you might also like:", "list_heading"),
        ("More on this story", "list_heading"),
        ("Related articles", "list_heading"),
        ("12 comments", "list_heading"),
        ("Did you enjoy this article?", "asks_reader"),
        ("Is this page useful?", "asks_reader"),
        ("Was this page helpful?", "asks_reader"),
        ("AddToAny", "share_widget"),
        ("Top", "share_widget"),
        ("Share this story on Facebook", "share_widget"),
        ("- GOT a news story? RING us on 0800 000 000 or EMAIL [email protected]", "asks_reader"),
        ("Have you got a story for us? Get in touch with our news desk.", "asks_reader"),
        ("Read more: Ward sister retires after forty years", "pointer"),
        ("ALSO READ | Ferry refloated", "pointer"),
        ("Watch: the minister leaves the chamber", "pointer"),
        ("Read more about the budget here.", "pointer"),
        ("Sign up for our daily newsletter and never miss a story", "sign_up"),
        ("Get the day's headlines delivered straight to your inbox.", "sign_up"),
        ("Follow Ferry News on Twitter and Facebook for the latest updates.", "follow"),
        ("You can also find us on Instagram", "follow"),
        ("Join the conversation", "comment_prompt"),
        ("Log in to comment on this story", "comment_prompt"),
        ("Advertisement", "advert"),
        ("Story continues below", "advert"),
        ("We may earn a commission from links on this page.", "affiliate_notice"),
        ("If you buy through our links we may earn a commission.", "affiliate_notice"),
        ("This copy is for your personal, non-commercial use only.", "reprint_notice"),
        ("An error has occurred, please try again later.", "site_message"),
        ("* * *", "no_words"),
    ],
)
def test_a_line_between_sentences_is_judged_by_what_it_says(line: str, name: str) -> None:
    assert rule(line) == name


@pytest.mark.parametrize(
    "sentence",
    [
        "Share prices in care home groups fell after the budget was read out.",
        "Top surgeons wrote to the minister to ask for more theatre time.",
        "Follow the money, the auditor told councillors, and the gaps appear.",
        "“Follow us on Twitter if you want the truth,” the campaigners said.",
        "Like many boards, Fife relies on Facebook to reach younger carers.",
        "To join the scheme, practices must sign up to the new contract by May.",
        "Download the NHS app to see when your next appointment is.",
        "Results are sent directly to your phone within a day, the trust said.",
        "Have your say on the plans at one of six meetings this autumn.",
        "We want to hear from you about the future of the cottage hospital.",
        "Are you an unpaid carer? The council has opened a fund for short breaks.",
        "Call the helpline on 0800 000 000 for support with winter fuel bills.",
        "Users who sign in to their account will see the waiting time.",
        "The newsletter, sent to 4,000 homes, set out what would close and why.",
        "Related services in Argyll will move to the same building in June.",
        "Comment: ministers cannot wait",
        "Popular support for the merger has grown, the survey found.",
        "Read more slowly, the tutor tells her class of new carers.",
        "More from less: how a small ward saved a thousand bed days.",
        "A spokesperson said: “Please email us at the address on our website.”",
        "Section 75 agreements let councils and the NHS pool what they have.",
        "Type 2 diabetes costs the board more than any other condition.",
        "15 November 2018",
        "Recommended",
        "Discussion",
        "___",
    ],
)
def test_a_line_of_the_story_stays(sentence: str) -> None:
    assert rule(sentence) == ""


@pytest.mark.parametrize(
    "credit",
    [
        "Copyright (c) Press Association Ltd. 2019, All Rights Reserved.",
        "© 2024 Ferry News Ltd",
        "(Reporting by Jo Lund; editing by Ann Ro)",
        "Source: Reuters",
    ],
)
def test_credits_stay_even_at_the_end(credit: str) -> None:
    kept, _ = clear([FIRST, LAST, credit], about=frozenset({key(credit)}))

    assert kept[-1] == credit


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("28 Jun 16", "date_line"),
        ("Published: 15th November 2018, 10:30am", "date_line"),
        ("Section: CareType: News Item Date Published: 15th November 2018", "labels"),
        ("Tags: budgets, care at home", "labels"),
        ("By Jo Lund, Health Correspondent", "byline"),
        ("3 min read", "reading_time"),
        ("Jo Lund", "about_page"),
    ],
)
@pytest.mark.parametrize("above", [True, False])
def test_what_is_said_about_a_page_goes_above_and_below_the_story(
    line: str, name: str, above: bool
) -> None:
    lines = [line, FIRST, LAST] if above else [FIRST, LAST, line]

    kept, removed = clear(lines, about=frozenset({"jo lund"}))

    assert kept == (FIRST, LAST)
    assert removed == (Removed(name, line),)


def test_a_section_name_in_capitals_goes_above_the_story_only() -> None:
    kept, _ = clear(["HEALTH", FIRST, "GOVAN", LAST])

    assert kept == (FIRST, "GOVAN", LAST)


def test_the_title_said_again_goes() -> None:
    title = "Council and board agree one budget"

    kept, removed = clear([title, FIRST, LAST], about=frozenset({key(title)}))

    assert kept == (FIRST, LAST)
    assert [one.rule for one in removed] == ["about_page"]


def test_a_line_that_is_wholly_a_link_goes_unless_it_is_a_sentence() -> None:
    links = frozenset({"ferry refloated at dawn", key(LAST)})

    assert rule("Ferry refloated at dawn", links=links) == "linked"
    assert clear([FIRST, LAST], links=links)[0] == (FIRST, LAST)


def test_a_list_of_links_that_the_story_announces_stays() -> None:
    lines = [FIRST, "The three reports are:", "- Budgets in Moray", "- Wards in Fife", LAST]
    links = frozenset({"budgets in moray", "wards in fife"})

    assert clear(lines, links=links)[0] == tuple(lines)


def test_links_right_under_their_heading_go_and_the_story_goes_on() -> None:
    lines = [FIRST, "Related stories", "- Ferry refloated", "- Ward sister retires", LAST]

    assert clear(lines)[0] == (FIRST, LAST)


def test_teasers_between_links_go_to_the_end_of_the_page() -> None:
    teasers = [
        *("Ferry refloated at dawn", "Two tugs and a spring tide did what three could not."),
        *("Ward sister retires early", "She had run the ward since it was opened in the war."),
        *("Bridge shut for repairs", "Drivers will have to go round by the head of the loch."),
    ]
    links = frozenset(map(key, teasers[::2]))

    assert clear([FIRST, LAST, "More stories", *teasers], links=links)[0] == (FIRST, LAST)


def test_a_paragraph_after_a_few_links_is_no_teaser() -> None:
    lines = [FIRST, "Read more", "- Ferry refloated", "- Ward sister retires", LAST]

    assert clear(lines)[0] == (FIRST, LAST)


MOTTO = "Pick up the Islander in every pier shop on Thursdays."
LABEL = "- Islander Extra: the weekend"
TOLD = tuple(
    f"In the {n}th year of the plan the board told its {n} members of it." for n in range(9)
)


def marked(title: str, *lines: str) -> bytes:
    told = "".join(f"<p>{line}</p>" for line in lines)
    return marks(f"<html><title>{title}</title><script>x = '<p>';</script>{told}</html>")


def of_a_site(*lines: str, pages: int, without: int = 0) -> frozenset[int]:
    """Return what recurs on so many pages of a site, on all but some of which the lines stand."""
    stood = [marked(f"{n}", f"Story {n}", *lines) for n in range(pages)]
    return recurring([*stood, *(marked(f"-{n}", f"Tale {n}") for n in range(without))])


def test_lines_that_recur_on_a_site_go_each_with_its_rule() -> None:
    again = of_a_site(MOTTO, "<span>Islander</span> Extra: <a href='/x'>the weekend</a>", pages=5)

    kept, removed = clear([LABEL, *TOLD, MOTTO], recurring=again)

    assert kept == TOLD
    assert removed == (Removed("recurs", LABEL), Removed("recurs", MOTTO))


@pytest.mark.parametrize(
    ("line", "pages", "without", "goes"),
    [
        (LABEL[2:], 2, 0, False),
        (LABEL[2:], 3, 3, True),
        (LABEL[2:], 3, 4, False),
        (MOTTO, 4, 0, False),
        (MOTTO, 6, 2, True),
        (MOTTO, 6, 3, False),
    ],
)
def test_a_sentence_must_recur_more_often_than_a_label(
    line: str, pages: int, without: int, goes: bool
) -> None:
    again = of_a_site(line, pages=pages, without=without)

    assert (line not in clear([*TOLD, line], recurring=again)[0]) is goes


def test_pages_of_one_title_count_as_one() -> None:
    copies = [marked("One story", *TOLD, MOTTO, LABEL[2:], str(n)) for n in range(9)]

    assert recurring(copies) == frozenset()


@pytest.mark.parametrize(
    "line",
    [
        "Copyright (c) Press Association Ltd. 2019, All Rights Reserved.",
        "© 2024 Islander Media Ltd",
        "PA Media",
        "Press Association",
        "This story was first published by the Local Democracy Reporting Service.",
        "Reporting by Jo Lund in Oban",
        "“We will not close a single ward before the spring,” the chairman said.",
        "The board said it would not comment on a case before the court.",
        "___",
        " ".join(["The fund was set up ten years ago to pay for care at home"] * 4) + ".",
    ],
)
def test_what_belongs_to_a_story_stays_however_often_it_recurs(line: str) -> None:
    again = of_a_site(line, pages=16)

    assert clear([*TOLD, line], recurring=again)[0] == (*TOLD, line)


def test_a_short_heading_that_recurs_goes_at_the_ends_only() -> None:
    again = of_a_site("Key points", pages=8)
    lines = ["Key points", *TOLD[:5], "Key points", *TOLD[5:], "Key points"]

    kept, _ = clear(lines, recurring=again)

    assert kept == (*TOLD[:5], "Key points", *TOLD[5:])


def test_stories_written_from_a_template_lose_nothing() -> None:
    again = of_a_site(*TOLD[:4], pages=16)

    assert clear(TOLD, recurring=again)[0] == TOLD


@given(st.lists(st.lists(st.sampled_from([MOTTO, LABEL, *TOLD])), max_size=9), st.randoms())
def test_what_recurs_does_not_depend_on_the_order_of_the_pages(
    pages: list[list[str]], chance: random.Random
) -> None:
    had = [marked(f"{n % 7}", *lines) for n, lines in enumerate(pages)]
    shuffled = chance.sample(had, len(had))

    assert recurring(had) == recurring(shuffled)


@given(st.text())
def test_any_page_has_marks_and_not_too_many(page: str) -> None:
    assert len(marks(page * 3)) <= 4 * 401


def test_a_widget_glued_to_a_sentence_is_cut_off() -> None:
    assert clear([f"{FIRST}Click To Tweet", LAST])[0] == (FIRST, LAST)


@given(LINES)
def test_every_line_is_kept_or_removed_and_order_stays(lines: list[str]) -> None:
    kept, removed = clear(lines)

    assert len(kept) + len(removed) == len(lines)
    assert sorted([*kept, *(one.line for one in removed)]) == sorted(lines)
    assert all(one.rule for one in removed)
    rest = iter(lines)
    assert all(any(line == other for other in rest) for line in kept)


@given(st.lists(st.sampled_from(["you", "share", "sign", "up", "newsletter"]), min_size=91))
def test_no_rule_on_words_takes_a_long_line(words: list[str]) -> None:
    assert rule(" ".join(words)) == ""


@given(st.text())
def test_no_text_makes_a_rule_slow_or_fail(text: str) -> None:
    clear([text, text * 3, f"sign up {text} newsletter", f"{text}? {text}"])


@pytest.mark.parametrize("line", ["28 Jun 16", "Mon 4 March 2019 at 10.30", "10:30", "3 hours ago"])
def test_a_date_is_told(line: str) -> None:
    assert is_date(line)


@pytest.mark.parametrize(
    "line", ["", "12", "02-751-1500", "May I come in?", "Room 101 today, says Jo"]
)
def test_what_is_no_date_is_not_taken_for_one(line: str) -> None:
    assert not is_date(line)
