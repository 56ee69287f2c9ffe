import gzip
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import FeedError
from ingest.sitemaps import MAX_PLACES, Located, Sitemap, read_sitemap
from tests.home import rss

XMLNS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
NEWS = 'xmlns:n="http://www.google.com/schemas/sitemap-news/0.9"'


def sitemap(inner: str, root: str = "urlset") -> bytes:
    return f'<?xml version="1.0"?><{root} {XMLNS} {NEWS}>{inner}</{root}>'.encode()


def read(content: bytes, max_bytes: int = 10**6) -> Sitemap:
    return read_sitemap(content, "", "https://board.example/sitemap.xml", max_bytes)


def places(content: bytes) -> list[Located]:
    return list(read(content).places)


def outcome_of(content: bytes) -> str:
    with pytest.raises(FeedError) as caught:
        places(content)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-03", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-02T10:15+01:00", datetime(2026, 3, 2, 9, 15, tzinfo=UTC)),
        ("2026-03-02T10:15:30.45Z", datetime(2026, 3, 2, 10, 15, 30, 450_000, tzinfo=UTC)),
        ("yesterday", None),
    ],
)
def test_lastmod_is_read_in_any_precision(written: str, moment: datetime | None) -> None:
    content = sitemap(f"<url><loc>https://a.example/1</loc><lastmod>{written}</lastmod></url>")

    assert places(content) == [Located("https://a.example/1", moment)]


def test_a_news_sitemap_gives_title_date_and_keywords_but_no_picture_of_them() -> None:
    content = sitemap(
        "<url><loc>https://a.example/1</loc><image><loc>https://a.example/p.jpg</loc></image>"
        "<n:news><n:publication><n:name>The A</n:name></n:publication><n:title>Beds &amp; care"
        "</n:title><n:publication_date>2026-03-02T09:00:00Z</n:publication_date>"
        "<n:keywords>care, beds</n:keywords></n:news></url>"
    )

    assert places(content) == [
        Located(
            "https://a.example/1",
            published=datetime(2026, 3, 2, 9, tzinfo=UTC),
            title="Beds & care",
            keywords="care, beds",
        )
    ]


def test_an_index_says_so_and_names_its_parts() -> None:
    content = sitemap("<sitemap><loc>https://a.example/s.xml.gz</loc></sitemap>", "sitemapindex")

    assert read(content).is_index
    assert [place.url for place in places(content)] == ["https://a.example/s.xml.gz"]


@pytest.mark.parametrize(
    "content",
    [
        sitemap("<url><loc>\n https://a.example/1?b=1&amp;c=2 </loc></url>"),
        sitemap("<url><loc>https://a.example/1?b=1&c=2</loc></url>"),
        sitemap("<url><loc><![CDATA[https://a.example/1?b=1&c=2]]></loc></url>"),
        sitemap("<url><!-- x --><loc>https://a.example/1?b=1&amp;amp;c=2</loc></url>"),
        gzip.compress(sitemap("<url><loc>https://a.example/1?b=1&amp;c=2</loc></url>")),
        sitemap("<url><loc>https://a.example/1?b=1&amp;c=2</loc></url>").decode().encode("utf-16"),
        b"\xef\xbb\xbfhttps://a.example/1?b=1&c=2\r\n",
        rss([("https://a.example/1?b=1&amp;c=2", "A")]).encode(),
        b"<!-- made --><!DOCTYPE urlset>" + sitemap("<url><loc>https://a.example/1?b=1&amp;c=2"
        "</loc></url>").partition(b"?>")[2],
    ],
    ids=["plain", "bare", "cdata", "twice", "gzip", "utf16", "text", "rss", "doctype"],
)  # fmt: skip
def test_each_form_of_a_sitemap_gives_the_same_url(content: bytes) -> None:
    assert [place.url for place in places(content)] == ["https://a.example/1?b=1&c=2"]


ENTITIES = (
    b'<!DOCTYPE urlset [<!ENTITY a "https://a.example/"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
)


LAUGHS = b"<!DOCTYPE urlset [<!ENTITY l0 'ha'>%s]>" % b"".join(
    b"<!ENTITY l%d '%s'>" % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10)
)
ONE = "<url><loc>https://a.example/?post_type=news{}p=1</loc></url>"


@pytest.mark.parametrize(
    "ampersand", ["&amp;", "&", "&#038;", "&amp;#038;", "&amp;amp;", "&amp;amp;#38;", "&#x26;"]
)
@pytest.mark.parametrize("form", ["{}", "<![CDATA[{}]]>"])
def test_every_spelling_of_an_ampersand_in_a_loc_is_one(ampersand: str, form: str) -> None:
    url = form.format(f"https://a.example/?post_type=news{ampersand}p=1")

    assert [one.url for one in places(sitemap(f"<url><loc>{url}</loc></url>"))] == [
        "https://a.example/?post_type=news&p=1"
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"<br />\n<b>Notice</b>: x in <b>/a.php</b><br />\n" + sitemap(ONE.format("&amp;")),
        b"\n\n  " + sitemap(ONE.format("&amp;")),
        b"\xef\xbb\xbf\xef\xbb\xbf" + sitemap(ONE.format("&amp;")),
        b'<?xml version="1.0"?>\n' + sitemap(ONE.format("&amp;")),
        sitemap(ONE.format("&amp;")) + b"\n<script>var cached = 1;</script>",
        sitemap(ONE.format("&amp;")) + b"<!-- 0.2 s -- 12 queries -->",
        sitemap("\x0c<image:image>x</image:image>" + ONE.format("&amp;")),
        b'<!DOCTYPE urlset [<!ENTITY a "https://a.example/">]>'
        b"<urlset><url><loc>&a;?post_type=news&amp;p=1</loc></url></urlset>",
    ],
    ids=["warning", "blank", "marks", "twice", "script", "comment", "prefix", "entity"],
)
def test_what_is_not_quite_xml_is_read_to_its_end(content: bytes) -> None:
    assert [one.url for one in places(content)] == ["https://a.example/?post_type=news&p=1"]


def test_a_news_sitemap_whose_prefix_is_not_declared_has_its_days_and_titles() -> None:
    content = (
        f"<urlset {XMLNS}><url><loc>https://a.example/1</loc><news:news><news:publication_date>"
        "2026-03-02</news:publication_date><news:title>A&E</news:title></news:news></url></urlset>"
    )

    assert places(content.encode()) == [
        Located("https://a.example/1", published=datetime(2026, 3, 2, tzinfo=UTC), title="A&E")
    ]


def test_days_written_the_american_way_are_read_so() -> None:
    content = "".join(
        f"<url><loc>https://a.example/{n}</loc><lastmod>{text}</lastmod></url>"
        for n, text in enumerate(["8/7/2026 9:00:00 AM", "8/25/2026 9:00:00 AM"])
    )

    assert [f"{one.changed:%Y-%m-%d}" for one in places(sitemap(content))] == [
        "2026-08-07",
        "2026-08-25",
    ]


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (LAUGHS + b"<urlset><url><loc>&l9;</loc></url></urlset>", "unparseable: its entit"),
        (b"<html><title>Not found</title>", "not_a_feed: no sitemap: it begins '<html>"),
        (b"", "not_a_feed"),
        (gzip.compress(bytes(2_000_000)), "too_large"),
        (gzip.compress(b"<urlset/>" * 99)[:-9], "bad_encoding: gzip: ends in mid-stream"),
        (b"\x1f\x8bno", "bad_encoding"),
        (b"\n".join(b"https://a.example/%d" % n for n in range(MAX_PLACES + 1)), "too_large"),
    ],
    ids=["laughs", "html", "empty", "bomb", "cut", "not gzip", "long"],
)
def test_what_is_no_sitemap_is_refused_with_a_reason(content: bytes, outcome: str) -> None:
    assert outcome_of(content).startswith(outcome)


def test_what_came_before_a_break_is_given_first() -> None:
    content = sitemap("<url><loc>https://a.example/1</loc></url><url><loc>https://a.exam")[:-20]
    taken = read(content).places

    first = next(taken)
    with pytest.raises(FeedError, match="unparseable: not well-formed"):
        next(taken)

    assert first.url == "https://a.example/1"


TAGS = st.sampled_from(
    ["<urlset>", "</urlset>", "<url>", "</url>", "<loc>", "</loc>", "https://a.example/", "&amp;",
     "&", "<lastmod>", "2026-03-02", "</lastmod>", "<sitemapindex>", "<sitemap>", "</sitemap>",
     "<![CDATA[", "]]>", "<!--", "-->", "<!DOCTYPE urlset", "[<!ENTITY a 'b'>]>", "<n:news>", "\0",
     "<?xml version='1.0' encoding='utf-16'?>", "<rss>", "\x1f\x8b", "é"]
)  # fmt: skip


@given(st.binary() | st.lists(TAGS, max_size=40).map(lambda tags: "".join(tags).encode()))
def test_any_bytes_give_places_or_a_feed_error(content: bytes) -> None:
    told, found = "", list[Located]()
    try:
        found = places(content)
    except FeedError as error:
        told = error.outcome

    assert all(place.url for place in found)
    assert told in {"", "not_a_feed", "unparseable", "too_large", "bad_encoding"}
