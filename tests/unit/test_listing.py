from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import FeedError
from ingest.listing import Listed, parse_listing

URL = "https://board.example/news"
PAGE = """<!doctype html><title>News | The Board</title><base href="/en/">
<nav><a href=/>Home</a></nav>
<ul class=news>
 <li><a href="one?utm_source=list"><img src=1.jpg></a>
  <h3><a href="one">Beds <b>and</b> care</a></h3>
  <time datetime="2026-03-02T09:00:00Z">Monday</time><a href="tag/care">Care</a></li>
 <li><a href="/en/two">Two homes</a> <span class=day>Published: 1 March 2026</span></li>
 <li><a href="https://other.example/three">Three</a> <span class=day>soon</span></li>
 <li>No link at all</li><li><a href="javascript:x()">Script</a></li><li><a href="#top">Up</a></li>
</ul>"""


def listed(page: str, item: str, date: str = "", within: str = "") -> Listed:
    return parse_listing(page.encode(), "text/html", URL, URL, item, date, within)


def refusal(page: str, item: str, date: str = "", within: str = "") -> str:
    with pytest.raises(FeedError) as caught:
        listed(page, item, date, within)
    return str(caught.value)


def test_boxes_give_link_title_and_date() -> None:
    found = listed(PAGE, "ul.news > li", "time, .day")

    assert [(one.url, one.title, one.published) for one in found.entries] == [
        ("https://board.example/en/one", "Beds and care", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("https://board.example/en/two", "Two homes", datetime(2026, 3, 1, tzinfo=UTC)),
        ("https://other.example/three", "Three", None),
        ("https://board.example/en/", "Up", None),
    ]
    assert (found.title, found.note) == ("News | The Board", "items=6 stories=4 dates=2")


def test_links_themselves_may_be_selected_and_a_card_is_a_link() -> None:
    found = listed("<a class=card href=/1><h2>One</h2><time>2 Mar 2026</time> Read more</a>", "a")

    assert [(one.url, one.title) for one in found.entries] == [("https://board.example/1", "One")]
    assert found.entries[0].published == datetime(2026, 3, 2, tzinfo=UTC)


def test_a_link_announced_twice_is_one_entry_with_its_words() -> None:
    found = listed("<a href=/1><img></a><a href=/1#more>One</a>", "a")

    assert [(one.url, one.title) for one in found.entries] == [("https://board.example/1", "One")]


def test_within_keeps_what_begins_so() -> None:
    found = listed(PAGE, "li", within="/en/t")

    assert [one.title for one in found.entries] == ["Two homes"]


@pytest.mark.parametrize(
    ("item", "date", "within", "told"),
    [
        ("li.story", "", "", "item = 'li.story' matches nothing on a page titled 'News | The B"),
        ("li >", "", "", "item = 'li >': CSS parser error"),
        ("li", "time..", "", "date = 'time..': CSS parser error"),
        ("nav", "", "/x/", "item = 'nav' leads to no story that within = '/x/' lets pass: items=1"),
    ],
)
def test_what_selects_nothing_is_named(item: str, date: str, within: str, told: str) -> None:
    assert refusal(PAGE, item, date, within).startswith(f"nothing_selected: {told}")


def test_a_date_selector_that_gives_nothing_is_told_beside_the_entries() -> None:
    found = listed(PAGE, "ul.news > li", ".published")

    assert found.note == "items=6 stories=4 dates=0; date = '.published' gives no date"


MARKS = st.sampled_from(
    ["<li>", "</li>", "<a href=", "/x", ">", "'", '"', "<base href=", "<time datetime=", "2026-03",
     "http://[", "\\", "\0", "<h2>", "<script>", "<!--", "<svg>", "<template>", "é", "&#0;", "//"]
)  # fmt: skip


@given(
    st.binary() | st.lists(MARKS, max_size=40).map(lambda marks: "".join(marks).encode()),
    st.sampled_from(["a", "li", "*", "a[href", ""]),
)
def test_any_bytes_give_entries_or_a_feed_error(content: bytes, item: str) -> None:
    told, found = "", None
    try:
        found = parse_listing(content, "", URL, URL, item)
    except FeedError as error:
        told = error.outcome

    assert (found and found.entries) or told == "nothing_selected"
