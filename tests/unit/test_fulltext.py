"""When a feed's own text does for the page: measured, teasers found, feeds found out."""

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.fulltext import (
    AGAIN,
    LEAST,
    MEASURED,
    MOST,
    is_teaser,
    is_whole,
    measured,
    page_of,
    suffices,
    wanted,
    worth_keeping,
)
from storage.model import Entry, InFeed

TEXT = "The council and the health board have agreed to plan the care of older people together. "
WHOLE = f"<p>{TEXT * 8}</p>"
SIGN_OFF = '<p>The post <a href="/x">One purse</a> appeared first on <a href="/">News</a>.</p>'
ENTRY = Entry(
    url="https://news.example/a?b=1&c=2",
    link="https://news.example/a?b=1&c=2",
    title="One <purse> & two boards",
    source="https://news.example/feed",
)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("end", "teaser"),
    [
        ("<p>And so on…</p>", True),
        ("<p>And so on [&hellip;]</p>", True),
        ("<p>And so on ...</p>", True),
        ("<p>And so on</p><a href='/a'>Read more</a>", True),
        ("<p>And so on</p><p><a>Continue reading &rarr;</a></p>", True),
        ("<p>And so on</p><a>Read the full story on our site</a>", True),
        (f"<p>And so on […]</p>\n{SIGN_OFF}", True),
        (f"<p>And that was that.</p>\n{SIGN_OFF}", False),
        ("<p>And that was that.</p>", False),
        ("<p>She said: read more books, he said.</p>", False),
    ],
)
def test_a_teaser_is_known_by_its_end(end: str, teaser: bool) -> None:
    assert is_teaser(WHOLE + end) is teaser


@pytest.mark.parametrize(
    ("shares", "whole"),
    [
        ((1.0,) * MEASURED, True),
        ((0.8,) * MEASURED, True),
        ((1.0,) * (MEASURED - 1), False),
        ((1.0, 1.0, 0.1, 0.9, 0.9), True),
        ((1.0, 1.0, 0.1, 0.1, 0.1), False),
        ((), False),
    ],
)
def test_a_feed_is_whole_by_the_middle_one_of_five_pages(
    shares: tuple[float, ...], whole: bool
) -> None:
    assert is_whole(shares) is whole
    assert suffices(InFeed(content=WHOLE, shares=shares), 1) is whole


def test_only_the_first_pages_of_a_feed_and_one_in_fifty_are_measured() -> None:
    new, known = InFeed(content=WHOLE, shares=()), InFeed(content=WHOLE, shares=(1.0,) * MEASURED)

    assert wanted(new, 1)
    assert [number for number in range(1, 101) if wanted(known, number)] == [AGAIN, 2 * AGAIN]
    assert not suffices(known, AGAIN)


def test_the_share_is_that_of_the_pages_words_found_in_the_feed() -> None:
    half = InFeed(content=f"<p>{TEXT * 4}</p><p>Sign up for our letter</p>", shares=(0.9,))

    assert measured(half, TEXT * 8) == (0.9, 0.5)


def test_a_feed_that_turned_to_teasers_is_measured_anew() -> None:
    shares = measured(InFeed(content=f"<p>{TEXT}</p>", shares=(1.0,) * MEASURED), TEXT * 8)

    assert len(shares) == 1
    assert not is_whole(shares)


@given(st.lists(st.floats(0, 1), max_size=MEASURED), st.text(), st.text())
def test_shares_stay_shares_and_few(shares: list[float], content: str, text: str) -> None:
    after = measured(InFeed(content=content, shares=tuple(shares)), text)

    assert 0 < len(after) <= MEASURED
    assert all(0 <= share <= 1 for share in after)


@pytest.mark.parametrize(
    ("markup", "kept"),
    [("x" * (LEAST - 1), False), ("x" * LEAST, True), ("x" * (MOST + 1), False)],
)
def test_what_is_too_short_or_too_long_for_a_story_is_not_kept(markup: str, kept: bool) -> None:
    assert (worth_keeping(markup) is not None) is kept


def test_a_page_of_the_feeds_text_says_what_it_is() -> None:
    page = page_of(ENTRY, WHOLE + SIGN_OFF, NOON)
    html = page.content.decode()

    assert (page.status, page.url, page.final_url) == (0, ENTRY.source, ENTRY.url)
    assert "<title>One &lt;purse&gt; &amp; two boards</title>" in html
    assert 'rel="canonical" href="https://news.example/a?b=1&amp;c=2"' in html
    assert WHOLE in html
    assert "appeared first on" not in html


@given(st.text())
def test_any_title_and_content_make_a_page(text: str) -> None:
    class Titles(HTMLParser):
        tags = 0

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.tags += tag == "title"

    told = Titles()
    told.feed(page_of(ENTRY, text.replace("<", ""), NOON).content.decode())

    assert told.tags == 1
