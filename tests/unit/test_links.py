"""Which of an entry's links is the story's: the rules of ingest.links, as a table."""

import json
from urllib.parse import quote

import pytest

from ingest.feeds import ParsedFeed, parse_feed

FEED = "https://feeds.example/board/rss.xml"
SITE = "https://board.example/"
PAGE = "https://board.example/news/ward"
OTHER = "https://board.example/news/clinic"
FILE = "https://board.example/media/ward.mp3"


def read(body: str, *languages: str, source: str = FEED) -> ParsedFeed:
    return parse_feed(body.encode(), "", source, source, languages=languages)


def rss(*items: str, channel: str = "") -> str:
    shown = "".join(f"<item><title>T</title>{item}</item>" for item in items)
    return f"<rss version='2.0'><channel><title>C</title>{channel}{shown}</channel></rss>"


def atom(*entries: str, head: str = "", attributes: str = "") -> str:
    shown = "".join(f"<entry><title>T</title>{entry}</entry>" for entry in entries)
    return f'<feed xmlns="http://www.w3.org/2005/Atom" {attributes}>{head}{shown}</feed>'


def urls(body: str, *languages: str, source: str = FEED) -> list[str]:
    return [entry.url for entry in read(body, *languages, source=source).entries]


@pytest.mark.parametrize(
    "item",
    [
        f"<link>{PAGE}</link>",
        f"<link>\n  {PAGE}\n</link><guid>{OTHER}</guid>",
        f"<link>{PAGE}</link><link>{OTHER}</link>",
        f"<link>{SITE}</link><link>{PAGE}</link>",
        f"<link/><link>{PAGE}</link>",
        f'<link>&lt;a href="{PAGE}"&gt;Read more&lt;/a&gt;</link>',
        f"<link><![CDATA[<a class='x' href='{PAGE}'>Read</a>]]></link>",
        f"<link><a href='{PAGE}'>Read</a></link>",
        f"<link href='{PAGE}'/>",
        f"<link>{PAGE}</link><link rel='enclosure' type='image/jpeg'>{FILE}</link>",
        f"<link rel='enclosure'>{FILE}</link><link>{PAGE}</link>",
        f"<link>{PAGE}</link><enclosure url='{FILE}' type='audio/mpeg' length='1'/>",
        # the permalink, where the link says nothing or is refused
        f"<guid>{PAGE}</guid>",
        f"<link></link><guid>{PAGE}</guid>",
        f"<link/><guid isPermaLink='true'>{PAGE}</guid>",
        f"<link> </link><guid isPermaLink='TRUE'>{PAGE}</guid>",
        f"<guid>{PAGE}</guid><link></link>",
        f"<link>{SITE}</link><guid>{PAGE}</guid>",
        f"<link>{SITE}index.html</link><guid>{PAGE}</guid>",
        f"<link>N/A</link><guid>{PAGE}</guid>",
        f"<link>#</link><guid>{PAGE}</guid>",
        f"<link>javascript:void(0)</link><guid>{PAGE}</guid>",
        f"<link>mailto:a@board.example</link><guid>{PAGE}</guid>",
        f"<link>https://me:pass@board.example/x</link><guid>{PAGE}</guid>",
        f"<link>https://news.google.com/rss/articles/CBMi</link><guid>{PAGE}</guid>",
        f"<link>{FEED}</link><guid>{PAGE}</guid>",
        f"<link>{FILE}</link><enclosure url='{FILE}'/><guid>{PAGE}</guid>",
        f"<link rel='enclosure'>{FILE}</link><guid>{PAGE}</guid>",
    ],
)
def test_an_rss_item_leads_to_its_story(item: str) -> None:
    assert urls(rss(item)) == [PAGE]


@pytest.mark.parametrize(
    ("item", "reason", "link"),
    [
        ("<guid>1234</guid>", "no_link", "1234"),
        (f"<guid isPermaLink='false'>{PAGE}</guid>", "no_link", ""),
        (f"<guid isPermaLink='False'>{PAGE}</guid>", "no_link", ""),
        ("<guid>/news/ward</guid>", "no_link", "/news/ward"),
        (f"<guid>{FILE}</guid>", "no_link", FILE),
        (f"<guid>{PAGE}</guid><enclosure url='{PAGE}'/>", "no_link", PAGE),
        (f"<link/><enclosure url='{FILE}'/>", "no_link", ""),
        (f"<link>{SITE}</link><guid isPermaLink='false'>{PAGE}</guid>", "home_page", SITE),
        (f"<link>{SITE}</link><guid>{SITE}</guid>", "home_page", SITE),
        ("<link>https://[broken/</link><guid>x</guid>", "bad_link", "https://[broken/"),
    ],
)
def test_a_guid_that_is_no_permalink_is_no_link(item: str, reason: str, link: str) -> None:
    feed = read(rss(item))

    assert (feed.entries, [(one.reason, one.link) for one in feed.refused]) == (
        (),
        [(reason, link)],
    )


def test_items_that_all_link_to_one_list_are_found_at_their_permalinks() -> None:
    items = [f"<link>{SITE}news/</link><guid>{SITE}news/{n}</guid>" for n in range(3)]

    channel = read(rss(*items, channel=f"<link>{SITE}news/</link>"))
    others = read(rss(*items, channel=f"<link>{SITE}</link>"))

    assert [one.url for one in channel.entries] == [f"{SITE}news/{n}" for n in range(3)]
    assert [one.url for one in others.entries] == [f"{SITE}news/", f"{SITE}news/1", f"{SITE}news/2"]


def test_a_link_that_says_little_counts_where_there_is_no_permalink() -> None:
    item = f"<link>{SITE}news/</link><guid isPermaLink='false'>{PAGE}</guid>"

    assert urls(rss(item, channel=f"<link>{SITE}news/</link>")) == [f"{SITE}news/"]


ALTERNATE = f"<link rel='alternate' type='text/html' href='{PAGE}'/>"


@pytest.mark.parametrize(
    "entry",
    [
        ALTERNATE,
        f"<link href='{PAGE}'/>",
        f"<link rel='' href='{PAGE}'/>",
        f"<link type='' href='{PAGE}'/>",
        f"<link rel='Alternate' type='Text/HTML; charset=UTF-8' href='{PAGE}'/>",
        f"<link type='text/html;charset=utf-8' href='{PAGE}'/>",
        f"<link type='application/xhtml+xml; q=1' href='{PAGE}'/>",
        f"<link rel='http://www.iana.org/assignments/relation/alternate' href='{PAGE}'/>",
        f"<link rel='alternate nofollow' href='{PAGE}'/>",
        f"<link rel='self' type='application/atom+xml' href='{OTHER}'/>{ALTERNATE}",
        f"{ALTERNATE}<link rel='alternate' type='application/json' href='{OTHER}.json'/>",
        f"<link rel='alternate' type='application/rss+xml' href='{OTHER}'/>{ALTERNATE}",
        f"{ALTERNATE}<link rel='alternate' type='text/html' href='{OTHER}'/>",
        f"<link rel='replies' type='text/html' href='{OTHER}'/>{ALTERNATE}",
        f"<link rel='edit' href='{OTHER}'/><link rel='via' href='{OTHER}'/>{ALTERNATE}",
        f"{ALTERNATE}<link rel='related' type='text/html' href='{OTHER}'/>",
        f"{ALTERNATE}<link rel='enclosure' type='image/jpeg'>{OTHER}</link>",
        f"{ALTERNATE}<link rel='enclosure' type='text/html' href='{OTHER}'/>",
        f"<link rel='alternate' href='{SITE}'/><link rel='alternate' href='{PAGE}'/>",
        f"<id>{PAGE}</id>",
        f"<id>{PAGE}</id><link rel='self' href='{OTHER}'/><link rel='replies' href='{OTHER}'/>",
        f"<id>{PAGE}</id><link rel='alternate' href='{SITE}'/>",
        f"<id>{OTHER}</id>{ALTERNATE}",
        f"<id>tag:board,1</id><content type='text/html' src='{PAGE}'/>",
        f"<id>tag:board,1</id><link rel='alternate' type='text/plain' href='{PAGE}'/>",
        f"<id>{PAGE}</id><link rel='alternate' type='text/plain' href='{OTHER}'/>",
    ],
)
def test_an_atom_entry_leads_to_its_story(entry: str) -> None:
    assert urls(atom(entry)) == [PAGE]


def test_no_other_relation_is_ever_followed() -> None:
    links = "".join(
        f"<link rel='{rel}' type='text/html' href='{OTHER}'/>"
        for rel in ("self", "edit", "replies", "via", "related", "enclosure", "license", "hub")
    )

    assert [one.reason for one in read(atom(f"<id>tag:x</id>{links}")).refused] == ["no_link"]


def in_languages(*codes: str) -> str:
    return "".join(
        f"<link rel='alternate' type='text/html' href='{SITE}{code}/1'"
        f"{f' hreflang={code!r}' if code else ''}/>"
        for code in codes
    )


@pytest.mark.parametrize(
    ("codes", "wanted", "chosen"),
    [
        (("en", "cy"), ("en",), "en"),
        (("cy", "en"), ("en",), "en"),
        (("cy", "en-GB"), ("en",), "en-GB"),
        (("cy", "EN_us"), ("en",), "EN_us"),
        (("en", "cy", "gd"), ("cy", "en"), "cy"),
        (("gd", "en", "fr"), ("cy", "en"), "en"),
        (("cy", ""), ("en",), ""),
        (("", "en"), ("en",), "en"),
        (("cy", "gd"), ("en",), "cy"),
        (("cy", "en"), (), "cy"),
    ],
)
def test_of_a_page_in_several_languages_that_of_the_topic_counts(
    codes: tuple[str, ...], wanted: tuple[str, ...], chosen: str
) -> None:
    assert urls(atom(in_languages(*codes)), *wanted) == [f"{SITE}{chosen}/1"]


@pytest.mark.parametrize(
    ("body", "url"),
    [
        (rss("<link>/news/1</link>"), "https://feeds.example/news/1"),
        (rss("<link>news/1</link>"), "https://feeds.example/board/news/1"),
        (rss("<link>/news/1</link>", channel=f"<link>{SITE}</link>"), f"{SITE}news/1"),
        (rss("<link>1</link>", channel=f"<link>{SITE}news/</link>"), f"{SITE}news/1"),
        (rss("<link>../2</link>", channel=f"<link>{SITE}news/a/b</link>"), f"{SITE}news/2"),
        (rss("<link>?id=1</link>", channel=f"<link>{SITE}news</link>"), f"{SITE}news?id=1"),
        (rss("<link>//c.example/1</link>", channel=f"<link>{SITE}</link>"), "https://c.example/1"),
        (rss("<link>/1</link>", channel="<link>/</link>"), "https://feeds.example/1"),
        (rss("<link>/1</link>", channel="<link>ftp://x/</link>"), "https://feeds.example/1"),
        (
            rss(
                "<link>/1</link>",
                channel=f"<image><link>https://pic.example/</link></image><link>{SITE}</link>",
            ),
            f"{SITE}1",
        ),
        (
            rss(
                "<link>/1</link>",
                channel='<atom:link rel="self" href="https://feeds.example/board/rss.xml"/>'
                f"<link>{SITE}</link>",
            ),
            f"{SITE}1",
        ),
        (rss("<link>www.board.example/1</link>"), "https://www.board.example/1"),
        (
            rss("<link xml:base='https://x.example/a/'>1</link>", channel=f"<link>{SITE}</link>"),
            "https://x.example/a/1",
        ),
        (
            atom("<link href='/1'/>", head=f"<link href='{SITE}'/>"),
            f"{SITE}1",
        ),
        (
            atom("<link href='1'/>", head="<link href='https://feeds.example/'/>"),
            "https://feeds.example/board/1",
        ),
        (
            atom("<link href='1'/>", head=f"<link href='{SITE}'/>", attributes="xml:base='/en/'"),
            "https://feeds.example/en/1",
        ),
    ],
)
def test_a_relative_link_is_joined_to_base_channel_or_feed(body: str, url: str) -> None:
    assert urls(body) == [url]


def test_an_entrys_own_base_leaves_the_others_to_the_channel() -> None:
    body = rss(
        "<link>/1</link>", "<link xml:base='https://x.example/'>/2</link>", "<link>/3</link>",
        channel=f"<link>{SITE}</link>",
    )  # fmt: skip

    assert urls(body) == [f"{SITE}1", "https://x.example/2", f"{SITE}3"]


@pytest.mark.parametrize(
    ("item", "url"),
    [
        ({"url": "/1"}, f"{SITE}1"),
        ({"url": PAGE, "id": OTHER}, PAGE),
        ({"url": None, "external_url": PAGE}, PAGE),
        ({"url": SITE, "external_url": PAGE}, PAGE),
        ({"url": "", "id": PAGE}, PAGE),
        ({"url": "https://board.example/?a=1&#038;b=2"}, "https://board.example/?a=1&b=2"),
    ],
)
def test_a_json_feeds_item_leads_to_its_story(item: dict[str, str | None], url: str) -> None:
    body = {
        "version": "https://jsonfeed.org/version/1.1",
        "home_page_url": SITE,
        "items": [item],
    }

    assert urls(json.dumps(body)) == [url]


@pytest.mark.parametrize(
    "ampersand",
    ["&amp;", "&#38;", "&#038;", "&#x26;", "&amp;amp;", "&amp;#038;", "&amp;#38;", "&amp;#X26;",
     "&amp;amp;amp;", "&amp;amp;#038;", "&"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["text", "cdata", "attribute", "guid"])
def test_every_spelling_of_an_ampersand_in_a_link_is_one(ampersand: str, form: str) -> None:
    link = f"https://board.example/?post_type=news{ampersand}p=11{ampersand}lang=en"
    forms = {
        "text": rss(f"<link>{link}</link>"),
        "cdata": rss(f"<link><![CDATA[{link}]]></link>"),
        "attribute": atom(f'<link href="{link}"/>'),
        "guid": rss(f"<guid>{link}</guid>"),
    }

    assert urls(forms[form]) == ["https://board.example/?post_type=news&p=11&lang=en"]


@pytest.mark.parametrize(
    "link",
    [
        f"https://www.google.com/url?rct=j&sa=t&url={PAGE}&ct=ga&cd=CAE1&usg=AO1",
        f"https://www.google.co.uk/url?q={quote(PAGE, safe='')}&sa=U",
        f"http://google.com/url?sa=t&url={quote(PAGE, safe='')}%3Futm_source%3Dalert",
        f"https://news.google.com/news/url?sa=t&fd=R&url={PAGE}",
        f"https://www.bing.com/news/apiclick.aspx?ref=Fex&url={quote(PAGE, safe='').lower()}&c=1",
        f"https://l.facebook.com/l.php?u={quote(PAGE, safe='')}&h=AT1",
        f"https://eur02.safelinks.protection.outlook.com/?url={quote(PAGE, safe='')}&data=05%7C",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__board.example_news_ward&d=DwM",
        f"https://urldefense.com/v3/__{PAGE}__;!!Nyu6ZXf5!abc$",
        "https://www.google.com/url?url="
        + quote(f"https://www.google.com/url?q={quote(PAGE, safe='')}", safe=""),
        f"https://l.facebook.com/l.php?u={quote(f'https://www.google.com/url?q={PAGE}', safe='')}",
    ],
)
def test_a_redirector_is_taken_off_and_its_link_is_still_told(link: str) -> None:
    feed = read(rss(f"<link>{link.replace('&', '&amp;')}</link>"))

    assert [(entry.url, entry.link) for entry in feed.entries] == [(PAGE, link)]


@pytest.mark.parametrize(
    "link",
    [
        "https://www.google.com/url?sa=t",
        "https://www.google.com/url?url=javascript:alert(1)",
        "https://www.google.com/url?url=//board.example/1",
        "https://www.google.com/url?url=https://me:pass@board.example/1",
        "https://www.google.com/url?url=https://www.google.com/1",
        f"https://www.google.com/search?url={PAGE}",
        f"https://google.example/url?url={PAGE}",
        f"https://www.google.com.evil.example/url?url={PAGE}",
        f"https://board.example/url?url={PAGE}2",
        f"https://board.example/share?u={PAGE}",
    ],
)
def test_what_is_no_redirector_or_has_no_target_stays(link: str) -> None:
    assert urls(rss(f"<link>{link.replace('&', '&amp;')}</link>")) == [link]


@pytest.mark.parametrize(
    "prefix", ["xmlns:feedburner='http://rssnamespace.org/feedburner/ext/1.0'", ""]
)
def test_what_a_feed_proxy_put_aside_is_the_story(prefix: str) -> None:
    proxied = "http://feedproxy.example/~r/board/~3/Ab12/"
    body = rss(
        f"<link>{proxied}</link><feedburner:origLink>{PAGE}?utm_source=f</feedburner:origLink>",
        f"<link>{OTHER}</link><feedburner:origLink>{SITE}</feedburner:origLink>",
        f"<feedburner:origLink>{SITE}three</feedburner:origLink>",
    ).replace("<rss", f"<rss {prefix}")

    feed = read(body)

    assert [entry.url for entry in feed.entries] == [PAGE, OTHER, f"{SITE}three"]
    assert feed.entries[0].link == proxied


def test_a_link_is_cleaned_before_it_is_measured() -> None:
    long = f"{PAGE}?utm_content={'x' * 2_100}&amp;fbclid={'y' * 2_100}"

    assert urls(rss(f"<link>{long}</link>", f"<link>{OTHER}?x={'x' * 2_100}</link>")) == [PAGE]
