import io
import json
import socket
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import lenient
from ingest.errors import FeedError
from ingest.feeds import MAX_SUMMARY, ParsedFeed, Refused, parse_feed
from ingest.plain import decoded, mended, plain
from storage.model import Entry, Timing

HOME = "https://board.example.org/news/feed"
RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Board news</title>{}</channel></rss>"""
ITEM = """<item><title>Ward reopens</title><link>https://board.example.org/ward</link>
<guid isPermaLink="false">ward-1</guid><pubDate>Tue, 05 Aug 2025 10:00:00 BST</pubDate>
<description>&lt;p&gt;The ward &lt;b&gt;reopens&lt;/b&gt; on Monday.&lt;/p&gt;</description>
</item>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Council news</title>{}</feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">
<channel rdf:about="https://board.example.org/"><title>Journal</title>{}</channel>
<item rdf:about="https://board.example.org/paper"><title>Paper</title>
<link>https://board.example.org/paper</link><dc:date>2025-08-05T09:00Z</dc:date></item></rdf:RDF>"""
TEN = datetime(2025, 8, 5, 9, 0, tzinfo=UTC)


def read(body: str | bytes, content_type: str = "", url: str = HOME) -> ParsedFeed:
    content = body.encode() if isinstance(body, str) else body
    return parse_feed(content, content_type, url, HOME)


def outcome_of(body: str | bytes, content_type: str = "") -> FeedError:
    with pytest.raises(FeedError) as caught:
        read(body, content_type)
    return caught.value


def item(link: str = "", title: str = "", more: str = "") -> str:
    return RSS.format(f"<item><title>{title}</title><link>{link}</link>{more}</item>")


# --- what is read -----------------------------------------------------------------------------


def test_an_rss_item_becomes_an_entry() -> None:
    feed = read(RSS.format(ITEM))

    assert (feed.title, feed.format, feed.note, feed.refused) == ("Board news", "rss20", "", ())
    assert feed.entries == (
        Entry(
            url="https://board.example.org/ward",
            link="https://board.example.org/ward",
            title="Ward reopens",
            source=HOME,
            guid="ward-1",
            published=TEN,
            summary="The ward reopens on Monday.",
            date_text="Tue, 05 Aug 2025 10:00:00 BST",
        ),
    )


def test_an_atom_entry_keeps_published_and_updated_apart() -> None:
    entry = """<entry><title type="html">Care &amp;amp; repair</title><id>tag:council,1</id>
    <link rel="alternate" href="https://council.example/1"/><link rel="edit" href="/edit/1"/>
    <updated>2025-08-06T09:00:00Z</updated><summary>Help at home.</summary>{}</entry>"""

    dated = read(ATOM.format(entry.format("<published>2025-08-05T09:00:00Z</published>")))
    undated = read(ATOM.format(entry.format("")))

    assert dated.format == "atom10"
    assert dated.entries[0].title == "Care & repair"
    assert dated.entries[0].guid == "tag:council,1"
    assert dated.entries[0].url == "https://council.example/1"
    assert dated.entries[0].published == TEN
    assert dated.entries[0].updated == TEN + timedelta(days=1)
    assert undated.entries[0].published is None


def test_an_rdf_item_is_dated_by_dublin_core() -> None:
    feed = read(RDF.format(""))

    assert feed.format == "rss10"
    assert [entry.published for entry in feed.entries] == [TEN]


@pytest.mark.parametrize("version", ["0.91", "0.92", "2.0"])
def test_every_rss_of_the_userland_line_is_read(version: str) -> None:
    assert len(read(f'<rss version="{version}"><channel>{ITEM}</channel></rss>').entries) == 1


LONG = "<p>" + "The board met and agreed. " * 40 + "</p>"
CODED = LONG.replace("<", "&lt;")


@pytest.mark.parametrize(
    ("item", "content"),
    [
        (f"<description>Short.</description><content:encoded>{CODED}</content:encoded>", LONG),
        (f"<content:encoded>{CODED}</content:encoded><description>Short.</description>", LONG),
        (f"<description>{CODED}</description>", LONG),
        ("<description>Short.</description>", None),
        ("<description>Short.</description><content:encoded>Less.</content:encoded>", None),
    ],
)
def test_the_longest_text_of_an_rss_item_is_its_content(item: str, content: str | None) -> None:
    feed = read(
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
        f"<item><link>https://board.example.org/a</link>{item}</item></channel></rss>"
    )

    assert [entry.content for entry in feed.entries] == [content]


@pytest.mark.parametrize(
    "content",
    [
        f'<content type="html">{CODED}</content>',
        f'<content type="text">{LONG[3:-4]}</content>',
        f'<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">{LONG}</div></content>',
    ],
)
def test_an_atom_entrys_content_is_kept_as_html(content: str) -> None:
    feed = read(
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><summary>Short.</summary>'
        f'<link href="https://board.example.org/a"/>{content}</entry></feed>'
    )

    (entry,) = feed.entries
    assert entry.content
    assert "".join(entry.content.split()) in {
        "".join(markup.split()) for markup in (LONG, f"<div>{LONG}</div>")
    }
    assert entry.summary == "Short."


@pytest.mark.parametrize("kind", ["content_html", "content_text"])
def test_a_json_feeds_content_is_kept_as_html(kind: str) -> None:
    text = LONG if kind == "content_html" else LONG[3:-5] + "\n\nA < B"
    item = {"url": "https://board.example.org/a", kind: text}
    feed = read(json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": [item]}))

    assert [entry.content for entry in feed.entries] == [
        LONG if kind == "content_html" else f"{LONG[:-5]}</p><p>A &lt; B</p>"
    ]


def test_a_json_feed_is_read_with_numbers_for_ids() -> None:
    feed = read(
        json.dumps(
            {
                "version": "https://jsonfeed.org/version/1.1",
                "title": "Hub",
                "items": [
                    {
                        "id": 7,
                        "url": "/seven",
                        "title": "Seven <b>wards</b>",
                        "content_html": "<p>All seven.</p>",
                        "date_published": "2025-08-05T10:00:00+01:00",
                    },
                    {"id": "https://board.example.org/eight"},
                    {"id": "9", "title": None},
                    "no object",
                ],
            }
        ),
        "application/feed+json",
    )

    assert (feed.format, feed.title) == ("json11", "Hub")
    assert [entry.url for entry in feed.entries] == [
        "https://board.example.org/seven",
        "https://board.example.org/eight",
    ]
    assert feed.entries[0].guid == "7"
    assert feed.entries[0].title == "Seven wards"
    assert feed.entries[0].summary == "All seven."
    assert feed.entries[0].published == TEN
    assert [one.reason for one in feed.refused] == ["no_link", "no_link"]


def test_what_a_feed_says_about_its_pace_is_kept_with_all_hours_and_days() -> None:
    feed = read(
        RSS.replace("<rss", '<rss xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"').format(
            "<ttl>90</ttl><skipHours><hour>0</hour><hour>5</hour><hour>24</hour><hour>x</hour>"
            "</skipHours><skipDays><day>Saturday</day><day>sunday</day><day>Feast</day></skipDays>"
            "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>"
            + ITEM
        )
    )

    assert feed.timing == Timing(
        ttl=timedelta(minutes=90),
        update_every=timedelta(hours=6),
        skip_hours=frozenset({0, 5}),
        skip_days=frozenset({5, 6}),
    )


@pytest.mark.parametrize(
    "junk",
    [
        "<ttl>soon</ttl><sy:updatePeriod>always</sy:updatePeriod>",
        "<ttl>-5</ttl><sy:updatePeriod>dayly</sy:updatePeriod>",
        "<ttl>99999999999</ttl><sy:updateFrequency>0.1</sy:updateFrequency>",
        "<ttl x='1'>60</ttl><sy:updateFrequency>0</sy:updateFrequency>",
    ],
)
def test_hints_that_make_no_sense_are_left_out(junk: str) -> None:
    assert read(RDF.format(junk)).timing == Timing()


def test_a_well_formed_feed_without_entries_is_no_error() -> None:
    feed = read(RSS.format(""))

    assert (feed.entries, feed.note, feed.format) == ((), "", "rss20")


# --- links ------------------------------------------------------------------------------------


def test_links_are_resolved_from_the_url_that_answered_and_from_xml_base_first() -> None:
    plainly = read(item("../ward?id=1&amp;utm_source=rss"), url="https://www.example.org/a/b/feed")
    based = read(
        ATOM.replace("<feed", '<feed xml:base="/wards/"').format(
            '<entry xml:base="south/"><link href="one"/></entry><entry><link href="two"/></entry>'
        )
    )

    assert plainly.entries[0].link == "https://www.example.org/a/ward?id=1&utm_source=rss"
    assert plainly.entries[0].url == "https://www.example.org/a/ward?id=1"
    assert [entry.url for entry in based.entries] == [
        "https://board.example.org/wards/south/one",
        "https://board.example.org/wards/two",
    ]


def test_a_guid_is_a_link_only_when_it_is_a_whole_one() -> None:
    feed = read(
        RSS.format(
            "<item><guid>https://board.example.org/a</guid></item><item><guid>1234</guid></item>"
        )
    )

    assert [entry.url for entry in feed.entries] == ["https://board.example.org/a"]
    assert feed.refused == (Refused(place=1, title="", link="1234", reason="no_link"),)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("", "no_link"),
        ("javascript:alert(1)", "bad_link"),
        ("ftp://example.org/a", "bad_link"),
        ("mailto:desk@example.org", "bad_link"),
        ("https://[broken/", "bad_link"),
        ("https://news.google.com/rss/articles/CBMi0?oc=5", "google_news"),
    ],
)
def test_an_entry_that_leads_nowhere_is_kept_aside_with_its_reason(link: str, reason: str) -> None:
    feed = read(item(link, "A title"))

    assert feed.entries == ()
    assert feed.refused == (Refused(place=0, title="A title", link=link, reason=reason),)


def test_a_refused_link_is_shown_without_its_credentials() -> None:
    feed = read(item("https://reader:secret@example.org/a"))

    assert [(one.link, one.reason) for one in feed.refused] == [
        ("https://example.org/a", "bad_link")
    ]


def test_xml_base_cannot_lead_off_the_web() -> None:
    feed = read(ATOM.format('<entry xml:base="file:///etc/"><link href="hosts"/></entry>'))

    assert [one.reason for one in feed.refused] == ["bad_link"]


def test_a_topics_tracking_parameters_and_the_feeds_own_ref_are_removed() -> None:
    body = item("https://example.org/a?ref=board.example.org&amp;visit=9&amp;id=1").encode()

    feed = parse_feed(body, "", HOME, HOME, tracking=frozenset({"visit"}))

    assert feed.entries[0].url == "https://example.org/a?id=1"


# --- titles -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("Beds &amp;amp; budgets", "Beds & budgets"),
        ("Beds &amp;amp;amp; budgets", "Beds & budgets"),
        ("<![CDATA[The <i>Herald</i>&nbsp;says&#8217;]]>", "The Herald says’"),
        ("&lt;p&gt;One&lt;/p&gt;&lt;p&gt;two&lt;/p&gt;", "One two"),
        ("Waits &lt; 4 hours, 5 &gt; 3", "Waits < 4 hours, 5 > 3"),
        ("A\n   wrapped\t title", "A wrapped title"),
        ("Soft&#173;hyphen, zero&#8203;width &#xFEFF;mark", "Softhyphen, zerowidth mark"),
        ("Right &#8238;left&#8236; &#8294;x&#8297;", "Right left x"),
        ("Red &#27;[31malert&#27;[0m &#155;0m&#7;", "Red alert ›0m"),
        ("Smile &#55357;&#56832; &#x1F600;", "Smile 😀 😀"),
        ("&lt;script&gt;steal()&lt;/script&gt;Ward", "Ward"),
        ("Waits in A&E & R&D; M&S, Q&A", "Waits in A&E & R&D; M&S, Q&A"),
        ("Law&amp;copyright, care&amp;notice &amp;copy; 1", "Law&copyright, care&notice © 1"),
        ("It\x92s a \x93first\x94\x85 &#x85;&#146;", "It’s a “first”… …’"),
        ("&pound;2m for caf&eacute;s & wards", "£2m for cafés & wards"),
        ("", ""),
    ],
)
def test_a_title_is_plain_text_on_one_line(written: str, read_as: str) -> None:
    assert read(item("/a", written)).entries[0].title == read_as


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_plain_text_is_one_line_within_its_limit(markup: str, limit: int) -> None:
    text = plain(markup, limit)

    assert len(text) <= limit
    assert text == " ".join(text.split())
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text)


def test_a_summary_without_end_is_cut() -> None:
    feed = read(item("/a", more=f"<description>{'care ' * 100_000}</description>"))

    assert 0 < len(feed.entries[0].summary) <= MAX_SUMMARY


# --- charsets ---------------------------------------------------------------------------------

CAFE = "<rss><channel><title>Café – größer</title></channel></rss>"
DECLARED = '<?xml version="1.0" encoding="{}"?>'


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (CAFE.encode(), ""),
        (CAFE.encode("utf-8-sig"), "text/xml; charset=windows-1252"),
        (CAFE.encode("utf-16"), ""),
        (CAFE.encode("utf-16-le"), "text/xml"),
        (CAFE.encode("utf-16-be"), "text/xml"),
        (CAFE.encode("utf-32"), ""),
        (CAFE.encode("windows-1252"), "text/xml; charset=windows-1252"),
        (CAFE.encode("windows-1252"), 'application/rss+xml;CHARSET="Windows-1252"'),
        ((DECLARED.format("utf-8") + CAFE).encode("windows-1252"), "a/b; charset=windows-1252"),
        ((DECLARED.format("windows-1252") + CAFE).encode("windows-1252"), "text/xml"),
        ((DECLARED.format("utf-8") + CAFE).encode("windows-1252"), "text/xml"),
        ((DECLARED.format("iso-8859-1") + CAFE).encode(), "text/xml; charset=iso-8859-1"),
        ((DECLARED.format("utf-16") + CAFE).encode(), ""),
        (CAFE.encode(), "text/xml; charset=no-such-set"),
        (CAFE.encode(), "text/xml; charset=idna"),
        (CAFE.encode(), "text/xml; charset=cp037"),
    ],
)
def test_the_title_survives_whatever_is_said_of_its_charset(body: bytes, content_type: str) -> None:
    assert read(body, content_type).title == "Café – größer"


def test_a_body_cut_in_mid_character_stays_utf_8() -> None:
    text = decoded("Ysbyty Tŷ’r Coed – yn ôl ŷ".encode()[:-1], "")

    assert text.startswith("Ysbyty Tŷ’r Coed – yn ôl")


@given(st.binary(), st.text())
def test_any_bytes_can_be_decoded_and_mended(content: bytes, content_type: str) -> None:
    mended(decoded(content, content_type)).encode()


# --- bodies that are no feed, or a broken one -------------------------------------------------


@pytest.mark.parametrize(
    ("body", "evidence"),
    [
        ("", "empty body"),
        (" \n\t ", "empty body"),
        ("\ufeff", "empty body"),
        ("<!DOCTYPE html><html><title>Our news</title></html>", "Our news"),
        ("<html><body><feed>not one</feed></body></html>", "<html>"),
        ("Too many requests", "Too many requests"),
        ("<urlset><url><loc>https://x.example/</loc></url></urlset>", "<urlset>"),
        ('{"error": "gone"}', "version"),
        ('{"version": "https://jsonfeed.org/version/1.1", "items": {}}', "ValidationError"),
        ("{" * 100, "JSON"),
        ('{"a":' + "[" * 200_000, "JSON"),
    ],
)
def test_what_is_no_feed_says_what_it_is(body: str, evidence: str) -> None:
    error = outcome_of(body)

    assert error.outcome == "not_a_feed"
    assert evidence in error.detail


@pytest.mark.parametrize(
    ("body", "sign"),
    [
        ("<!DOCTYPE html><html><title>Just a moment...</title></html>", "title='Just a moment...'"),
        ("<html><p>Please verify you are human.</p></html>", "says='verify you are human'"),
    ],
)
def test_a_challenge_where_a_feed_was_expected_is_a_bot_wall(body: str, sign: str) -> None:
    error = outcome_of(body)

    assert (error.outcome, error.detail) == ("bot_wall", sign)


def test_a_feed_that_breaks_off_gives_what_came() -> None:
    feed = read(RSS.format(ITEM + ITEM.replace("ward", "clinic"))[:-60])

    assert feed.entries[0].url == "https://board.example.org/ward"
    assert feed.note.startswith("no element found, line 6")


@pytest.mark.parametrize("end", ["<item><title>Cli", "<item><title>Clinic</title><link>https://bo"])
def test_an_entry_that_a_feed_broke_off_in_is_not_refused_but_left_for_next_time(end: str) -> None:
    feed = read(RSS.format(ITEM + end).partition("</channel>")[0])

    assert [entry.url for entry in feed.entries] == ["https://board.example.org/ward"]
    assert [one.reason for one in feed.refused] == ["cut_off"]


@pytest.mark.parametrize(
    "broken",
    [
        RSS.format(ITEM.replace("Ward", "Ward & clinic")),
        RSS.format(ITEM.replace("Ward", "Caf&eacute; ward")),
        RSS.format(ITEM.replace("</guid>", "")),
        "\n\n " + RSS.format(ITEM),
        "<br />\n<b>Warning</b>: deprecated" + RSS.format(ITEM),
        RSS.format(ITEM) + "<!-- cached --> <script>x</script>",
        RSS.format(ITEM.replace("Ward", "Ward\x0c\x00")),
        RSS.format("<media:thumbnail/>" + ITEM),
    ],
)
def test_an_ill_formed_feed_still_gives_its_entry(broken: str) -> None:
    feed = read(broken)

    assert [entry.url for entry in feed.entries] == ["https://board.example.org/ward"]
    assert feed.entries[0].published == TEN
    assert feed.note or broken[0] == "\n"


@pytest.mark.parametrize("title", ["A&E; R&D", "AT&T &lang= &copy2", "Beds < 40 & rising"])
@pytest.mark.parametrize(
    "broken", ["", "<br>", "<enclosure url=x>", "<item>"], ids=["&", "tag", "attribute", "nested"]
)
def test_a_title_stays_as_written_however_ill_formed_its_feed_is(title: str, broken: str) -> None:
    feed = read(RSS.format(ITEM.replace("Ward reopens", title).replace("<guid", f"{broken}<guid")))

    assert feed.entries[0].title == title


def test_a_lone_entry_is_a_feed_of_one() -> None:
    entry = """<?xml version="1.0"?><entry xmlns="http://www.w3.org/2005/Atom"><id>tag:x</id>
    <title>A&amp;E</title><link href="https://council.example/1"/></entry>"""

    feed = read(entry)

    assert [(one.url, one.title) for one in feed.entries] == [("https://council.example/1", "A&E")]
    assert feed.format == "atom10"


AMERICAN = ["8/25/2026 9:00:00 AM", "8/7/2026 12:00:00 PM", "7/9/2026 10:15:00 AM"]


@pytest.mark.parametrize(
    ("texts", "head", "days"),
    [
        (AMERICAN, "", ["2026-08-25", "2026-08-07", "2026-07-09"]),
        (["25/8/2026", "8/7/2026"], "", ["2026-08-25", "2026-07-08"]),
        (["08/07/2026", "09/07/2026"], "", ["2026-07-08", "2026-07-09"]),
        (["08/09/2026"], "", ["2026-08-09"]),  # else it had been announced before its day
        (["08/07/2026"], "<language>en-us</language>", ["2026-08-07"]),
        (["08/07/2026"], "<language>en-gb</language>", ["2026-07-08"]),
        (["Fri, 08/07/2026 - 14:30", "Fri, 07/08/2026"], "", ["2026-08-07", "2026-08-07"]),
    ],
)
def test_a_feeds_days_are_read_in_its_own_order(
    texts: list[str], head: str, days: list[str]
) -> None:
    items = "".join(
        f"<item><link>/{n}</link><pubDate>{text}</pubDate></item>" for n, text in enumerate(texts)
    )
    now = datetime(2026, 9, 1, tzinfo=UTC)
    body = RSS.format(head + items).encode()

    american = parse_feed(body, "", HOME, HOME, now=now)
    british = parse_feed(body, "", HOME, "https://board.org.uk/feed", now=now)

    assert [f"{entry.published:%Y-%m-%d}" for entry in american.entries] == days
    if "en-us" not in head:
        assert [entry.published for entry in british.entries] == [
            entry.published for entry in american.entries
        ]
    else:  # the language of the template that it came with
        assert [f"{entry.published:%Y-%m-%d}" for entry in british.entries] == ["2026-07-08"]


def test_a_feed_with_nothing_usable_is_unparseable() -> None:
    assert outcome_of('<rss version="2.0"><channel><ti').outcome == "unparseable"


# --- hostile bodies ---------------------------------------------------------------------------


def test_entities_of_a_dtd_are_resolved_within_bounds_and_nothing_is_fetched() -> None:
    few = '<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>' + RSS[39:].format(
        item("/a", "&b;")
    )
    laughs = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    many = f"<!DOCTYPE rss [<!ENTITY l0 'ha'>{laughs}]>" + RSS[39:].format(item("/a", "&l9;"))
    stolen = (
        '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/hosts">]><rss><channel>'
        "<item><link>http://a.example/1</link><title>[&a;]</title></item></channel></rss>"
    )
    hidden = '<!-- <rss> --><!DOCTYPE rss [<!ENTITY a "ha">]><rss><channel/></rss>'
    deeper = '<!DOCTYPE rss [<!-- <rss> --><!ENTITY a "ha">]>' + RSS[39:].format("&a;")

    assert [entry.title for entry in read(few).entries] == ["hahaha"]
    assert outcome_of(many).outcome == "unparseable"
    assert [entry.title for entry in read(stolen.encode("utf-16")).entries] == ["[]"]
    assert read(hidden).entries == read(deeper).entries == ()


def test_a_plain_doctype_is_no_offence() -> None:
    doctype = (
        '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" '
        '"http://my.netscape.com/publish/formats/rss-0.91.dtd">'
    )

    assert len(read(f'{doctype}<rss version="0.91"><channel>{ITEM}</channel></rss>').entries) == 1


def test_a_body_over_the_limit_is_too_large() -> None:
    error = outcome_of(b"<rss>" + b" " * 10_000_000)

    assert error.outcome == "too_large"
    assert "wanted=10000000" in error.detail


def test_a_body_of_nothing_but_tags_is_too_large() -> None:
    assert outcome_of("<rss>" + "<a/>" * 400_000).outcome == "too_large"


def dated(places: range, form: str = "%a, %d %b %Y %H:%M:%S GMT") -> str:
    days = (TEN - timedelta(days=3_000 - place) for place in places)
    return "".join(
        f"<item><link>/{place}</link><pubDate>{day.strftime(form)}</pubDate></item>"
        for place, day in zip(places, days, strict=True)
    )


@pytest.mark.parametrize(
    ("items", "first", "last"),
    [
        (dated(range(2_300)), "/300", "/2299"),
        (dated(range(2_300), "%m/%d/%Y %I:%M:%S %p"), "/300", "/2299"),
        (dated(range(2_299, -1, -1)), "/2299", "/300"),
        (dated(range(2_299, 2_290, -1)) + dated(range(2_291)), "/2299", "/2290"),
        (dated(range(1_500)) + "<item><link>/x</link></item>" * 1_500, "/1000", "/x"),
        ("<item><link>/x</link></item>" + dated(range(2_300)), "/300", "/2299"),
        (dated(range(9_000)), "/7000", "/8999"),
        ("& " + dated(range(2_300)), "/300", "/2299"),
    ],
    ids=["up", "American", "down", "pinned", "some", "one", "long", "ill-formed"],
)
def test_of_too_many_entries_the_newest_are_kept(items: str, first: str, last: str) -> None:
    feed = read(RSS.format(items))
    kept = [entry.url.removeprefix("https://board.example.org") for entry in feed.entries]

    assert (len(kept), kept[0], kept[-1]) == (2_000, first, last)
    assert "2000 entries were read" in feed.note


def test_of_a_json_feeds_too_many_items_the_newest_are_kept() -> None:
    items = [
        {"url": f"/{n}", "date_published": (TEN + timedelta(days=n)).isoformat()}
        for n in range(2_100)
    ]
    version = "https://jsonfeed.org/version/1"

    up = read(json.dumps({"version": version, "items": items}))
    down = read(json.dumps({"version": version, "items": [7, *items[::-1]]}))

    assert up.entries[-1].url.endswith("/2099")
    assert (len(up.entries), len(down.entries)) == (2_000, 1_999)
    assert down.entries[0].url.endswith("/2099")


@pytest.mark.parametrize("items", ["null", "[]"])
def test_a_json_feed_without_items_is_no_error(items: str) -> None:
    feed = read(f'{{"version": "https://jsonfeed.org/version/1.1", "items": {items}}}')

    assert (feed.entries, feed.refused, feed.format) == ((), (), "json11")


def test_only_so_many_entries_are_read_and_the_note_says_so() -> None:
    many = "".join(f"<item><link>/{number}</link></item>" for number in range(2_100))
    objects = [{"id": str(number), "url": f"/{number}"} for number in range(2_100)]
    body = json.dumps({"version": "https://jsonfeed.org/version/1", "items": objects})

    for feed in (read(RSS.format(many)), read(RSS.format("& " + many)), read(body)):
        assert len(feed.entries) == 2_000
        assert "only the first 2000 entries" in feed.note


@pytest.mark.parametrize(
    "body",
    [
        RSS.format(f"<item><author>{'a' * 300_000}</author></item>"),
        RSS.format(f"<item><author>a@{'a.' * 150_000}</author></item>"),
        RSS.format("<item>" + "".join(f"<category>{n}</category>" for n in range(5_000))),
        RSS.format("<a xml:base='a/'>" * 20_000).replace(
            "<rss", "<rss xml:base='http://x.example/'"
        ),
        RSS.format("<a " + " ".join(f"a{n}=''" for n in range(20_000)) + "/>"),
        RSS.format(
            "<a " + " ".join(f"xmlns:a{n}='u{n}'" for n in range(5_000)) + "/>" + "<b/>" * 9
        ),
        "<!--" + "\n" * 300_000 + "<!DOCTYPE" + "<rss><channel/></rss>",
        "<?xml " + 'encoding="' * 30_000 + "<rss><channel/></rss>",
        RSS.format(f"<item><title>{'&lt;a' * 50_000}{'a' * 90_000}</title></item>"),
        RSS.format(f"<item><title>{'&lt;script' * 30_000}</title></item>"),
        RSS.format(f"<item><pubDate>{'1 ' * 100_000}</pubDate></item>"),
        RSS.format(f"<item><link>http://x.example/{'é' * 100_000}</link></item>"),
        "<rss>" + "&" * 300_000,
    ],
    ids=range(13),
)
@pytest.mark.timeout(20)  # seconds; feedparser.parse needs minutes to hours for some of them
def test_a_body_made_to_take_for_ever_ends_in_seconds(body: str) -> None:
    with suppress(FeedError):
        read(body)


def test_a_body_that_names_a_file_or_a_url_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "feed.xml"
    trap.write_text(RSS.format(ITEM))
    opened: list[object] = []

    def refuse(*args: object, **_: object) -> Any:
        opened.append(args)
        raise AssertionError("something was opened")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(io, "open", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(feedparser, "parse", refuse)

    for body in (str(trap), f"file://{trap}", "http://127.0.0.1:9/feed", "/etc/hosts"):
        assert outcome_of(body).outcome == "not_a_feed"
    assert opened == []


# --- properties -------------------------------------------------------------------------------

FRAGMENTS = st.sampled_from(
    ["<rss>", "<feed xmlns='http://www.w3.org/2005/Atom'>", "<item>", "</item>", "<entry>",
     "<link>", "</link>", "<link href='a'/>", "<title type='xhtml'>", "<div>", "</div>", "<guid>",
     "<source>", "</source>", "<pubDate>", "<image>", "<width>x</width>",
     "<textInput>", "<georss:point>1",
     "<media:player>x</media:player>", "<dc:subject/>", "<hour>", "<ttl>", "&", "&#xD800;",
     "&#99999999999;", "&nbsp;", "<![CDATA[", "]]>", "<!--", "-->", "<!DOCTYPE x>", "<?x?>",
     "xml:base='http://['", "\x00", "\x1b[0m", "é", "😀",
     "</channel>", "</rss>", "'", '"', "<", ">", "<!DOCTYPE rss [<!ENTITY a 'b'>]>", "&a;",
     "<link rel='enclosure'>", "<x:y>", "<feedburner:origLink>", "8/7/2026 9:00 AM", "&#038;"]
)  # fmt: skip


@given(st.binary(), st.text(max_size=40), st.text(max_size=20))
def test_any_bytes_end_in_entries_or_a_feed_error(body: bytes, kind: str, base: str) -> None:
    try:
        feed = parse_feed(body, kind, base, base)
    except FeedError:
        return

    assert all(entry.url for entry in feed.entries)


@given(st.lists(FRAGMENTS, max_size=40).map("".join))
def test_any_heap_of_tags_ends_in_entries_or_a_feed_error(body: str) -> None:
    try:
        feed = read("<rss>" + body)
    except FeedError:
        return

    places = [one.place for one in feed.refused]
    assert len(feed.entries) + len(places) <= lenient.MAX_ENTRIES
    assert places == sorted(set(places))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=8))
def test_any_value_in_a_json_feed_is_read_or_refused(value: object) -> None:
    body = json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": value,
            "items": [{"id": value, "url": value, "title": value, "date_published": value}, value],
        }
    )

    feed = read(body)

    assert len(feed.entries) + len(feed.refused) == 2
