import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.urls import MAX_LENGTH, canonical, host_of, is_home_page, refusal, same_site, unwrapped

HOSTS = st.sampled_from(["news.example.org", "Example.COM", "bücher.example", "[2001:DB8::1]"])
PIECES = st.sampled_from(
    [
        "sid=0123456789abcdef0123456789abcdef",
        "PHPSESSID=x",
        "cfid=1",
        "cftoken=2",
        "s=1",
        "utm_source=x",
        "id=3",
        "p=7",
        "at_medium=RSS",
        "q=%C3%A9",
        "CMP=share",
        "a=b=c",
        "",
        "ref=x",
    ]
)
WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_characters="?#\\\x7f"))
WEB_URLS = st.builds(
    "{}://{}{}/{}?{}#{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    HOSTS,
    st.sampled_from(["", ":80", ":443", ":8080", ":"]),
    WORDS,
    st.lists(PIECES).map("&".join),
    WORDS,
)


@given(WEB_URLS)
def test_canonical_is_idempotent(url: str) -> None:
    assert canonical(canonical(url)) == canonical(url)


@given(st.text())
def test_canonical_gives_an_ascii_http_url_or_a_value_error(url: str) -> None:
    try:
        found = canonical(url)
    except ValueError:
        return

    assert found.isascii()
    assert found.startswith(("http://", "https://"))
    assert canonical(found) == found


@pytest.mark.parametrize(
    "url",
    [
        "https://news.example.org/Society/2025/Aug/05/Care_Boards?page_id=3&b=2&a=1",
        "http://example.org:8080/%7Epaper/a%20b?NewsID=9&&empty=&q=%20+x",
        "https://example.org/?p=123",
        "https://example.org/a;b=c/../d,e?x=/y?z",
    ],
)
def test_a_url_with_nothing_wrong_stays_byte_for_byte(url: str) -> None:
    assert canonical(url) == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://Example.ORG:443/Path", "https://example.org/Path"),
        ("http://example.org:80", "http://example.org/"),
        ("http://example.org./a", "http://example.org/a"),
        ("https://example.org/a?#top", "https://example.org/a"),
        ("https://example.org/a b/café", "https://example.org/a%20b/caf%C3%A9"),
        (" https://example.org/long\n-link ", "https://example.org/long-link"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://[2001:DB8:0::1]:8443/", "https://[2001:db8::1]:8443/"),
    ],
)
def test_spellings_of_one_page_become_one(url: str, expected: str) -> None:
    assert canonical(url) == expected


@pytest.mark.parametrize(
    "parameter",
    ["utm_source=rss", "UTM_Medium=x", "mtm_campaign=x", "pk_kwd=x", "fbclid=x", "gclid=x",
     "mc_eid=x", "at_medium=RSS", "at_campaign=KARANGA", "ns_mchannel=rss", "CMP=share_btn",
     "ito=1490", "xtor=ES-211", "utm%5Fsource=x", "_hsenc=x", "mkt_tok=x"],
)  # fmt: skip
def test_tracking_parameters_go_and_their_neighbours_stay(parameter: str) -> None:
    assert (
        canonical(f"https://example.org/a?b=2&{parameter}&a=1") == "https://example.org/a?b=2&a=1"
    )
    assert canonical(f"https://example.org/a?{parameter}") == "https://example.org/a"


@given(
    st.lists(st.sampled_from(["p=7", "id=3", "page_id=9", "NewsID=4", "q=%C3%A9", "a=b=c", ""])),
    st.integers(0, 7),
    st.sampled_from(["utm_id=1", "mtm_kwd=x", "itm_source=x", "fbclid=Iw", "At_Medium=RSS", "ito"]),
)
def test_what_stands_beside_a_tracking_parameter_keeps_its_bytes_and_order(
    pieces: list[str], place: int, tracking: str
) -> None:
    kept = "&".join(pieces)
    traced = "&".join([*pieces[:place], tracking, *pieces[place:]])

    found = canonical(f"https://example.org/Care_Home/A%7e?{traced}")

    assert found == f"https://example.org/Care_Home/A%7e{'?' if kept else ''}{kept}"


TOKEN = "9f86d081884c7d659a2feaa0c55ad015"
PAGE = "https://example.org/news/story-1"


@pytest.mark.parametrize(
    ("visit", "page"),
    [
        (f"{PAGE};jsessionid=8F3A90C1", PAGE),
        (f"{PAGE};JSESSIONID=A1B2.node1?id=3", f"{PAGE}?id=3"),
        (f"{PAGE};jsessionid=?id=3", f"{PAGE}?id=3"),
        ("https://example.org/a;jsessionid=1/b", "https://example.org/a/b"),
        (f"https://example.org/(S({TOKEN[:24]}))/news/1.aspx", "https://example.org/news/1.aspx"),
        ("https://example.org/(A(x)F(y)S(z))/news.aspx?id=1", "https://example.org/news.aspx?id=1"),
        ("https://example.org/(S(abc))", "https://example.org/"),
        (f"{PAGE}?PHPSESSID=abc", PAGE),
        (f"{PAGE}?id=3&phpsessid={TOKEN}", f"{PAGE}?id=3"),
        (f"{PAGE}?ASPSESSIONIDQQBDTCRA={TOKEN}&id=3", f"{PAGE}?id=3"),
        (f"{PAGE}?CFID=123&CFTOKEN=456", PAGE),
        (f"{PAGE}?p_auth=Xy12Ab", PAGE),
        (f"{PAGE}?sid={TOKEN}", PAGE),
        (
            f"https://example.org/viewtopic.php?t=12&sid={TOKEN}",
            "https://example.org/viewtopic.php?t=12",
        ),
        (f"{PAGE}?session={TOKEN}&s={TOKEN}", PAGE),
        (f"{PAGE}?sid=123e4567-e89b-12d3-a456-426614174000", PAGE),
    ],
)
def test_a_session_names_a_visit_and_no_page(visit: str, page: str) -> None:
    assert canonical(visit) == page
    assert canonical(page) == page


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/modules.php?name=News&file=article&sid=42",
        "https://example.org/news?sid=20260805123456789012",
        "https://example.org/news?id=1&sid=care-board-2026-08-05-meets",
        "https://example.org/news?id=1&sid=budget2026and2027planofthecouncil",
        f"https://example.org/story.php?sid={TOKEN}",  # nothing else names it
        f"https://example.org/?s={TOKEN}",
        "https://example.org/?s=care+homes",
        f"https://example.org/news?id={TOKEN}",
        "https://example.org/news?cfid=77&id=1",
        "https://example.org/a;b=c/d",
        "https://example.org/wiki/Ward_(S(mall))",
        "https://example.org/(Board)/1",
        "https://example.org/web/-/journal?doAsGroupId=12225&refererPlid=13919",
    ],
)
def test_what_may_name_a_story_stays(url: str) -> None:
    assert canonical(url) == url


def test_a_url_is_cleaned_before_it_is_measured() -> None:
    assert canonical(f"{PAGE}?utm_content={'x' * 9_000}&id=3") == f"{PAGE}?id=3"


@given(st.text(), st.sampled_from(["/url?q=", "/l.php?u=", "/v3/__"]), st.text())
def test_what_is_unwrapped_is_a_web_url_or_stays(host: str, path: str, target: str) -> None:
    for name in (host, "www.google.com", "l.facebook.com", "urldefense.com"):
        url = f"https://{name}{path}{target}"
        opened = unwrapped(url)

        assert opened == url or canonical(opened)


def test_a_topics_own_parameters_go_as_well() -> None:
    url = "https://example.org/a?id=1&session=9"

    assert canonical(url, frozenset({"session"})) == "https://example.org/a?id=1"
    assert canonical(url) == url


def test_ref_goes_only_when_it_names_the_feeds_own_host() -> None:
    url = "https://example.org/a?ref=briefing.example"

    assert canonical(url, from_host="www.briefing.example") == "https://example.org/a"
    assert canonical(url, from_host="other.example") == url
    assert canonical(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/a",
        "//example.org/a",
        "www.example.org/a",
        "ftp://example.org/",
        "file:///etc/hosts",
        "javascript:alert(1)",
        "https://",
        "https:///a",
        "https://example..org/",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://example.org:http/",
        "https://[::1/",
        "https://[::zz]/",
        "https://good.example\\@bad.example/",
        "https://exa mple.org/",
        "https://example.org/\x00",
        "https://example.org/" + "a" * MAX_LENGTH,
        "https://example.org/?utm_source=" + "a" * 20_000,
        "https://example.org?" + "a" * (MAX_LENGTH - 20),  # with its "/" it is too long
        "https://" + "a." * 200 + "org/",
    ],
)
def test_anything_but_an_absolute_web_url_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical(url)


def test_credentials_are_refused_and_not_repeated_in_the_error() -> None:
    with pytest.raises(ValueError, match="credentials") as caught:
        canonical("https://reader:hunter2@example.org/feed")

    assert "hunter2" not in str(caught.value)


def test_host_of_leaves_port_and_case_out() -> None:
    assert host_of("HTTPS://News.Example.ORG:8443/a?b#c") == "news.example.org"
    assert host_of("http://[::1]:8080/") == "[::1]"
    with pytest.raises(ValueError, match="http"):
        host_of("mailto:desk@example.org")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://www.england.nhs.uk/a", "http://england.nhs.uk:8080/", True),
        ("https://feeds.bbci.co.uk/", "https://bbci.co.uk/", True),
        ("https://one.co.uk/", "https://two.co.uk/", False),
        ("https://ukhsa.blog.gov.uk/", "https://www.gov.uk/", False),
        ("https://one.github.io/", "https://two.github.io/", False),
        ("http://127.0.0.1:8001/", "http://127.0.0.1:8002/", True),
        ("http://127.0.0.1/", "http://127.0.0.2/", False),
        ("http://desk.internal/", "http://news.internal/", False),
    ],
)
def test_one_site_is_one_registered_domain(one: str, other: str, same: bool) -> None:
    assert same_site(one, other) is same


def test_the_list_of_suffixes_is_read_without_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "socket", None)

    assert same_site("https://a.council.gov.uk/", "https://b.council.gov.uk/")


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/en/", "/cy", "/gd/", "/en/index.php", "/home"]
)
def test_a_front_page_in_any_language_is_a_home_page(path: str) -> None:
    assert is_home_page(f"https://example.org{path}")


@pytest.mark.parametrize(
    "path", ["/?p=12", "/news", "/care", "/en/care", "/index.html/a", "/a.html"]
)
def test_a_short_path_or_a_query_is_no_home_page(path: str) -> None:
    assert not is_home_page(f"https://example.org{path}")


def test_google_news_links_are_refused_by_name() -> None:
    assert refusal("https://news.google.com/rss/articles/CBMiabc?oc=5") == "google_news"
    assert refusal("https://news.example.org/google") is None


def test_a_home_page_is_refused_and_a_story_told_by_a_query_is_not() -> None:
    assert refusal("https://news.example.org/") == "home_page"
    assert refusal("https://news.example.org/?p=7") is None
