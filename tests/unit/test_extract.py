"""What is made of a page's bytes: text, title, day, language, canonical link, faults."""

import json
import pickle
import re
from datetime import date
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.extract import MAX_CHARS, Extract, Hints, Stated, decode, extract, lost
from storage.corpus import compose
from tests.builders import shared

URL = "https://www.ferrynews.example/news/2024/03/11/one-budget-for-care"
TITLE = "Council and board agree one budget for care"
STORY = (
    "The council and the health board have agreed to share one budget for care at home, “after"
    " years of talks”, the leader of the council said on Monday.",
    "Some 4,200 people in the islands are looked after at home, and the number has grown by a"
    " third since the two services were told to work together.",
    "Morag Ross, who runs the partnership, said: “We have had two sets of books and two sets of"
    " managers for the same person’s breakfast. That ends in April.”",
    "The money, £61 million in the first year, will be held by a joint board on which carers and"
    " patients have four seats, though no vote.",
    "Union officials gave the plan a cautious welcome, but warned that home helps on the outer"
    " isles were still paid less than those in the town.",
)


def html(body: str, head: str = "", lang: str = "en-GB") -> bytes:
    return (
        f'<!DOCTYPE html><html lang="{lang}"><head><meta charset="utf-8"><title>{TITLE} | Ferry'
        f" News</title>{head}</head><body><header><nav><a href='/'>Home</a> <a href='/health'>"
        f"Health</a></nav></header><main>{body}</main><footer><p>About us. Cookies. Terms.</p>"
        f"</footer></body></html>"
    ).encode()


def linked_data(kind: str = "NewsArticle", **fields: object) -> str:
    data = json.dumps({"@type": kind, **fields})
    return f'<script type="application/ld+json">{data}</script>'


def told(*blocks: str) -> str:
    return "".join(f"<p>{block}</p>" for block in blocks)


def article(*blocks: str) -> str:
    return f"<article><h1>{TITLE}</h1><div class='entry-content'>{told(*blocks)}</div></article>"


def read(content: bytes, url: str = URL, **hints: object) -> Extract:
    return extract(content, "text/html; charset=utf-8", url, Hints(**hints))  # type: ignore[arg-type]


PLAIN = html(article(*STORY))


def test_a_plain_page_gives_its_title_and_paragraphs() -> None:
    found = read(PLAIN)

    assert (found.title, found.blocks, found.fault) == (TITLE, STORY, "")
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_page_of_no_known_url_is_read_and_no_link_of_its_own_believed() -> None:
    found = read(html(article(*STORY), f'<link rel="canonical" href="{URL}">'), url="")

    assert (found.blocks, found.canonical) == (STORY, "")


# The layouts of the five files the corpus began with, told anew.


def test_a_tabloid_page_loses_its_list_in_the_middle_and_its_phone_in_line() -> None:
    standfirst = "The watchdog said that two sets of books had cost the islands dear for years"
    page = html(
        f"<article><h1>{TITLE}</h1><div class='article__content'>"
        f"<p class='article__kicker'>{standfirst}</p>"
        "<figure><img src='/ferry.jpg?w=620' alt='Pier'><figcaption>The pier in June</figcaption>"
        f"</figure>{told(*STORY[:3])}<div class='rail'><h3>most read in politics</h3><ul>"
        "<li><a href='/a'>Ferry refloated at dawn</a></li><li><a href='/b'>Bridge shut</a></li>"
        f"</ul></div>{told(*STORY[3:])}<ul><li>GOT a news story? RING us on 0800 000 000 or TEXT"
        " on 07000 000000 or EMAIL [email&#160;protected]</li></ul></div></article>"
    )

    found = read(page)

    assert found.blocks == (standfirst, *STORY)
    assert {"list_heading", "asks_reader"} <= {one.rule for one in found.removed}


def test_an_agency_page_keeps_its_copyright_line() -> None:
    credit = "Copyright (c) Isles Press Ltd. 2018, All Rights Reserved. Picture (c) Ferry Board."
    page = html(
        f"<div class='news-item'><h1>{TITLE}</h1><div class='text'>{told(*STORY, credit)}</div>"
        "<div class='share-links'><a href='https://twitter.example/'>Tweet</a></div></div>"
    )

    assert read(page).blocks == (*STORY, credit)


def test_a_charity_page_keeps_its_list_and_loses_labels_and_suggestions() -> None:
    points = ("- One budget for care at home from April.", "- Four seats for carers and patients.")
    page = html(
        f"<article><h1>{TITLE}</h1><p><span>Section: Care at Home</span><span>Type: News Item"
        f" </span> <span>Date Published: 15th November 2018</span></p>{told(*STORY[:2])}"
        "<p>The two bodies have agreed on these two points, which the leaders signed on Monday:</p>"
        f"<ul>{''.join(f'<li>{p[2:]}</li>' for p in points)}</ul>{told(*STORY[2:])}"
        "<h3>We thought you might also like:</h3><ul><li><a href='/a'>Ferry refloated</a></li></ul>"
        "</article>"
    )

    found = read(page)

    announced = (
        "The two bodies have agreed on these two points, which the leaders signed on Monday:"
    )
    assert found.blocks == (*STORY[:2], announced, *points, *STORY[2:])


def test_a_trade_page_loses_its_date_its_question_and_its_buttons() -> None:
    page = html(
        f"<div class='content'><h1>{TITLE}</h1><p>28 Jun 16</p>{told(*STORY)}<p>Did you enjoy this"
        " article?</p><p><a href='https://addtoany.example'>AddToAny</a></p>"
        "<p><a href='#'>Top</a></p></div>"
    )

    assert read(page).blocks == STORY


# The five files themselves, in pages of the same layout: what was furniture in them is named here.

FURNITURE = (
    ("most read in politics", "GOT a news story? RING us on 0207 782 4104 or WHATSAPP on"),
    (),
    (),
    ("Section: Health and Social Care IntegrationType", "We thought you might also like:"),
    ("28 Jun 16", "Did you enjoy this article?", "AddToAny", "Top"),
)


@pytest.mark.shared
@pytest.mark.parametrize("number", range(5))
def test_a_seed_shown_as_a_page_comes_back_whole_and_without_its_furniture(number: int) -> None:
    (path,) = shared("seeds").glob(f"{number:03d}_*.txt")
    title, *lines = (line.strip() for line in path.read_text("utf-8").split("\n") if line.strip())
    shown = [
        f"<ul><li>{escape(line[2:])}</li></ul>"
        if line.startswith(("• ", "- "))
        else f"<p><img src='{line[4:-1]}' alt=''></p>"
        if line.startswith("![](")
        else f"<p>{escape(line)}</p>"
        for line in lines
    ]
    around = "<p><a href='#'>Top</a></p><p>AddToAny</p><p>Did you enjoy this article?</p>"

    page = f"<div class='body'><h1>{escape(title)}</h1>{''.join(shown)}{around}</div>"
    found = read(html(page.replace("health", "he&shy;alth", 1)).replace(TITLE.encode(), b"News"))

    told = [
        line
        for line in lines
        if not line.removeprefix("- ").startswith(FURNITURE[number] or "\n")
        and not line.startswith("![")
    ]
    story = compose(found.title, found.blocks)
    whole = compose(title, [re.sub("^• ", "- ", line) for line in told])
    assert (story.title, story.text) == (whole.title, whole.text)


@pytest.mark.parametrize(
    ("page", "url", "fault"),
    [
        (article(*STORY, *STORY), "https://a.example/news/live-updates/budget", "live_blog"),
        (
            article(STORY[0]) + "<figure><img src=a.jpg><figcaption>The pier</figcaption></figure>",
            "https://a.example/in-pictures/budget",
            "gallery",
        ),
        (article(STORY[0]) + "<video src=a.mp4></video>", "https://a.example/av/uk-1", "video"),
        ("<div id=root></div><p>You need to enable JavaScript.</p>", URL, "needs_javascript"),
        (article(*STORY, *STORY), "https://a.example/news/video-games-museum-opens", ""),
        (article(*STORY, *STORY), "https://a.example/watch/budget-in-full", ""),
    ],
)
def test_a_page_of_another_kind_is_a_verdict_and_a_story_beside_pictures_is_none(
    page: str, url: str, fault: str
) -> None:
    assert read(html(page), url).fault == fault


def test_the_corpus_form_takes_what_is_found() -> None:
    story = compose(read(PLAIN).title, read(PLAIN).blocks)

    assert story.text == "\n\n".join(STORY)


def test_boxes_that_are_furniture_by_name_go_and_are_told_of() -> None:
    box = "<div class='newsletter-signup'><p>Our best stories, every Friday, for nothing.</p></div>"

    found = read(html(article(*STORY[:2]).replace("</p><p>", f"</p>{box}<p>")))

    assert found.blocks == STORY[:2]
    assert ("box:newsletter", "Our best stories, every Friday, for nothing.") in [
        (one.rule, one.line) for one in found.removed
    ]


def test_a_class_named_for_social_care_is_no_share_box() -> None:
    page = html(f"<div class='node section-social-care'><h1>{TITLE}</h1>{told(*STORY)}</div>")

    assert read(page).blocks == STORY


def test_a_body_in_several_containers_is_put_together() -> None:
    long = [f"{one} {two}" for one in STORY for two in STORY]
    chunks = "".join(
        f"<div class='row'><div class='body__container'>{told(*long[n : n + 5])}</div></div>"
        for n in range(0, 25, 5)
    )

    found = read(html(f"<article><h1>{TITLE}</h1><div class='chunks'>{chunks}</div></article>"))

    assert found.blocks == tuple(long)


def test_a_page_laid_out_by_a_table_gives_its_paragraphs() -> None:
    page = html(f"<table><tr><td><a href='/'>Home</a></td><td>{told(*STORY)}</td></tr></table>")

    assert read(page).blocks == STORY


def test_a_table_of_figures_gives_a_line_for_each_row() -> None:
    table = (
        "<table><tr><th>Island</th><th>People</th></tr><tr><td>Bute</td><td>410</td></tr></table>"
    )

    found = read(html(article(*STORY[:4]).replace("</div></article>", f"{table}</div></article>")))

    assert found.blocks[-2:] == ("Island, People", "Bute, 410")


def test_json_ld_stands_in_where_the_page_shows_nothing() -> None:
    in_lines, in_tags = "\n".join(STORY), told(*STORY)

    for body in (in_lines, in_tags):
        assert read(html("<div id='root'></div>", linked_data(articleBody=body))).blocks == STORY


def test_what_is_not_free_is_not_taken_from_json_ld() -> None:
    head = linked_data(isAccessibleForFree="False", articleBody=" ".join(STORY))

    found = read(html("<p>Subscribe to read this story.</p>", head))

    assert STORY[0] not in " ".join(found.blocks)
    assert found.signals.free is False


@pytest.mark.parametrize(
    ("selectors", "tier"),
    [
        ([".gone"], "absent"),
        (["#gone, div.away", ".gone"], "absent"),
        (["section.paid"], ""),
        ([".gone", "#body"], ""),
        (["article"], ""),
        ([None], ""),
        ([], ""),
    ],
)
def test_a_part_that_is_not_free_is_told_from_what_is_on_the_page(
    selectors: list[str | None], tier: str
) -> None:
    parts = [{"isAccessibleForFree": False, "cssSelector": one} for one in selectors]
    head = linked_data(isAccessibleForFree=False, hasPart=parts[0] if len(parts) == 1 else parts)

    found = read(html(f"<section class='a paid' id='body'>{told(*STORY)}</section>", head))

    assert found.signals.content_tier == tier


# Title


@pytest.mark.parametrize(
    ("head", "h1", "feed"),
    [
        ("<meta property='og:title' content='{t} - Ferry News'>", "{t}", ""),
        ("<meta property='og:title' content='{t}'>", "Ferry News", ""),
        ("<meta property='og:site_name' content='Ferry News'>", "", ""),
        (linked_data(headline=TITLE).replace("{", "{{").replace("}", "}}"), "", ""),
        ("", "Health news: {t}", "{t}"),
        ("", "{t}", "{t} - Ferry News"),
        ("", "{t}", "Council and board agree …"),
        ("<meta property='og:title' content='{t} &amp;amp; more'>", "{t}", "{t}"),
    ],
)
def test_the_title_is_what_most_of_the_page_agrees_on(head: str, h1: str, feed: str) -> None:
    page = html(f"<h1>{h1.format(t=TITLE)}</h1>{told(*STORY)}", head.format(t=TITLE))

    assert read(page, title=feed.format(t=TITLE)).title == TITLE


def test_a_headline_keeps_its_own_colon_and_dash() -> None:
    title = "Care at home: one budget – at last"

    page = PLAIN.replace(TITLE.encode(), title.encode())

    assert read(page).title == title


# Day


@pytest.mark.parametrize(
    ("head", "url", "hint", "expected"),
    [
        ("ld 2024-03-11T09:00:00+00:00 meta 2024-03-12", URL, None, (date(2024, 3, 11), "json-ld")),
        (
            "meta 2024-03-12T23:30:00+01:00",
            "https://x.example/a",
            None,
            (date(2024, 3, 12), "meta"),
        ),
        ("", URL, date(2024, 3, 10), (date(2024, 3, 10), "feed")),
        ("", URL, None, (date(2024, 3, 11), "url")),
        ("", "https://x.example/a", None, (None, "")),
        ("ld 2031-01-01", URL, None, (date(2024, 3, 11), "url")),
        ("ld tomorrow", URL, None, (date(2024, 3, 11), "url")),
        ("ld 2024-03-12T02:10:00Z", URL, None, (date(2024, 3, 11), "json-ld")),
        ("ld 2024-03-12T11:00:00Z", URL, None, (date(2024, 3, 12), "json-ld")),
    ],
)
def test_the_day_and_where_it_stands(
    head: str, url: str, hint: date | None, expected: tuple[date | None, str]
) -> None:
    made = ""
    for name, stated in re.findall(r"(ld|meta) (\S+)", head):
        meta = f"<meta property='article:published_time' content='{stated}'>"
        made += linked_data(datePublished=stated) if name == "ld" else meta

    days = (Stated(hint, "feed"),)
    found = read(html(article(*STORY), made), url, days=days, fetched=date(2026, 1, 1))

    assert (found.published, found.date_source) == expected


DAYS = {
    "json-ld": linked_data(datePublished="2024-02-01T08:00:00Z"),
    "meta": "<meta name='article:published_time' content='2 February 2024'>",
    "feed": date(2024, 2, 3),
    "updated": date(2024, 2, 4),
    "url": "https://x.example/2024/02/05/a",
    "listing": date(2024, 2, 6),
    "page": "<p>7 February 2024</p>",
    "first_seen": date(2024, 2, 8),
}


@pytest.mark.parametrize("first", range(len(DAYS) + 1))
def test_the_day_is_had_from_the_first_of_its_sources_that_is_there(first: int) -> None:
    left = dict(list(DAYS.items())[first:])
    days = tuple(Stated(left.get(one), one, f"as {one}") for one in ("updated", "listing", "feed"))

    found = read(
        html(
            left.get("page", "") + article(*STORY), left.get("json-ld", "") + left.get("meta", "")
        ),
        left.get("url", "https://x.example/a"),
        days=days,
        first_seen=left.get("first_seen"),
    )

    source = next(iter(left), "")
    assert found.date_source == source
    assert found.published == (date(2024, 2, first + 1) if source else None)
    assert found.date_text == {
        "json-ld": "2024-02-01T08:00:00Z",
        "meta": "2 February 2024",
        "page": "7 February 2024",
    }.get(source, f"as {source}" if source in ("feed", "updated", "listing") else "")


def test_an_archives_date_is_believed_as_a_feeds_is() -> None:
    days = (Stated(date(2024, 2, 4), "updated"), Stated(date(2024, 2, 3), "wordpress"))

    found = read(html(article(*STORY)), "https://x.example/2024/02/05/a", days=days)

    assert (found.published, found.date_source) == (date(2024, 2, 3), "wordpress")


def test_a_date_that_stands_alone_below_the_heading_is_the_last_resort() -> None:
    page = html(f"<p>Friday 2 January 2026</p><h1>{TITLE}</h1><p>11 March 2024</p>{told(*STORY)}")

    found = read(page, "https://x.example/a")

    assert (found.published, found.date_source) == (date(2024, 3, 11), "page")


# Language, canonical link, faults


def test_the_language_is_that_of_the_text() -> None:
    welsh = (
        "Mae’r cyngor a’r bwrdd iechyd wedi cytuno i rannu un gyllideb ar gyfer gofal yn y cartref,"
        " ar ôl blynyddoedd o drafod, meddai arweinydd y cyngor ddydd Llun. Mae tua phedair mil o"
        " bobl yn cael gofal gartref yn yr ardal, ac mae’r nifer wedi tyfu ers i’r ddau wasanaeth"
        " ddechrau gweithio gyda’i gilydd bum mlynedd yn ôl."
    )

    assert read(PLAIN).language == "en"
    assert read(html(article(welsh, welsh.replace("Mae", "Roedd")))).language == "cy"


@pytest.mark.parametrize(
    ("canonical", "url", "believed"),
    [
        ("/news/one-budget", "https://a.example/news/one-budget/amp", True),
        ("https://ferrynews.co.uk/one-budget", "https://www.ferrynews.co.uk/one-budget?x=1", True),
        ("https://b.example/news/one-budget", "https://a.example/news/one-budget", False),
        ("https://a.example/", "https://a.example/news/one-budget", False),
        ("https://a.example/news", "https://a.example/news/one-budget", False),
        ("https://a.example/news/one-99999", "https://a.example/news/one-12345", False),
        ("https://a.example/news.aspx", "https://a.example/news.aspx?id=7", False),
        ("javascript:void(0)", "https://a.example/news/one-budget", False),
        ("http://[", "https://a.example/news/one-budget", False),
    ],
)
def test_a_canonical_link_is_believed_when_it_may_be_this_page(
    canonical: str, url: str, believed: bool
) -> None:
    found = read(html(article(*STORY), f"<link rel=canonical href='{canonical}'>"), url)

    assert bool(found.canonical) is believed


@pytest.mark.parametrize(
    ("page", "url", "fault"),
    [
        (html(article(*STORY), linked_data("LiveBlogPosting")), URL, "live_blog"),
        (PLAIN, "https://a.example/live/2024/mar/11/budget", "live_blog"),
        (PLAIN, "https://a.example/news/live-music-returns", ""),
        (html(article(STORY[0]), linked_data("ImageGallery")), URL, "gallery"),
        (html(article(*STORY, *STORY), linked_data("ImageGallery")), URL, ""),
        (html(article(STORY[0])), "https://a.example/videos/budget", "video"),
        (
            html("<noscript>Please enable JavaScript to read on.</noscript>"),
            URL,
            "needs_javascript",
        ),
        (b"<html><body><div></div></body></html>", URL, "extract_failed"),
        (b"", URL, "extract_failed"),
    ],
)
def test_a_page_without_a_story_has_a_fault(page: bytes, url: str, fault: str) -> None:
    found = read(page, url)

    assert found.fault == fault
    assert bool(found.detail) is bool(fault)


def test_a_lost_page_has_its_fault_and_nothing_else() -> None:
    assert lost("extract_timeout", "over 10 s") == Extract(
        fault="extract_timeout", detail="over 10 s"
    )


# Decoding

QUOTED = "Mae’r £61m – “one budget” – i Ŵyl yr Eglwys"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (QUOTED.encode(), "text/html; charset=iso-8859-1"),
        (b"\xef\xbb\xbf" + QUOTED.encode(), ""),
        (QUOTED.encode("utf-16"), ""),
        (b"<meta charset='latin1'>" + QUOTED.encode(), "text/html"),
    ],
)
def test_text_is_read_whatever_its_label_says(content: bytes, content_type: str) -> None:
    assert decode(content, content_type).endswith(QUOTED)


@pytest.mark.parametrize(
    "label", ["iso-8859-1", "windows-1252", "latin-1", "hex", "utf-7", "utf-8", ""]
)
def test_latin_1_is_read_as_windows_1252(label: str) -> None:
    text = "the board’s £61m – “one budget”"

    assert decode(text.encode("cp1252"), f"text/html; charset={label}") == text


def test_a_page_may_name_its_charset_itself() -> None:
    content = (
        b'<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">'
        + "Ветер".encode("koi8-r")
    )

    assert decode(content, "text/html").endswith("Ветер")


@given(
    st.integers(0, len(PLAIN)), st.sampled_from([b"\xff", b"\x80", b"\xc3", b"\xe2\x80", b"\x00"])
)
def test_one_bad_byte_spoils_one_character(place: int, bad: bytes) -> None:
    text = decode(PLAIN[:place] + bad + PLAIN[place:], "text/html; charset=iso-8859-1")

    assert abs(len(text) - len(PLAIN.decode())) <= 4
    assert text.count("“") >= PLAIN.decode().count("“") - 1
    assert "â€" not in text


def test_text_beyond_two_million_characters_is_cut_off() -> None:
    assert len(decode(b"a" * (MAX_CHARS + 10))) == MAX_CHARS


@given(st.binary(max_size=400))
def test_any_bytes_decode(content: bytes) -> None:
    decode(content, "text/html; charset=utf-8")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                PLAIN[:60],
                PLAIN[60:300],
                PLAIN[300:900],
                b"</div>",
                b"<td>",
                b"&#1;",
                b"\x01",
                b"<h1>",
                b'<script type="application/ld+json">[{',
                b"\xff",
            ]
        )
    )
)
def test_no_page_makes_extraction_raise(parts: list[bytes]) -> None:
    read(b"".join(parts))
