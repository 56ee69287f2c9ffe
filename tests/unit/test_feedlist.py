from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import SettingsError
from ingest.feedlist import Kind, Nation, add, from_opml, load, to_opml
from ingest.urls import canonical
from storage.model import Feed

OURS = Path(__file__).resolve().parents[2] / "feeds.toml"
TWO = """# Feeds of the north.

[[feed]]
url = "https://board.example.org/feed"
title = "Board"
nation = "scotland"
kind = "government"

[[feed]]   # asked again in spring
url = "https://weekly.example.org/rss?id=1"
title = "The Weekly"
enabled = false
note = "paywall"
"""
LINES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufffe\uffff"),
    max_size=30,
).map(str.strip)
FEEDS = st.lists(
    st.builds(
        Feed,
        url=st.integers(0, 99).map("https://example.org/feed/{}?a=1&b=ü".format),
        title=LINES.filter(bool),
        nation=st.sampled_from(get_args(Nation)),
        kind=st.sampled_from(get_args(Kind)),
        enabled=st.booleans(),
        note=LINES,
    )
    | st.builds(
        Feed,
        url=st.integers(100, 199).map("https://example.org/list/{}".format),
        title=LINES.filter(bool),
        via=st.just("listing"),
        item=LINES.filter(bool),
        date=LINES,
        within=st.sampled_from(["", "/news/", "https://example.org/*/news"]),
    ),
    unique_by=lambda feed: feed.url,
    max_size=8,
).map(tuple)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "feeds.toml"
    path.write_text(TWO, encoding="utf-8")
    return path


def complaint_about(file: Path, text: str) -> str:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(file)
    return str(caught.value)


# --- feeds.toml -------------------------------------------------------------------------------


def test_a_feeds_file_is_read_in_its_order(file: Path) -> None:
    assert load(file) == (
        Feed(
            url="https://board.example.org/feed",
            title="Board",
            nation="scotland",
            kind="government",
        ),
        Feed(
            url="https://weekly.example.org/rss?id=1",
            title="The Weekly",
            enabled=False,
            note="paywall",
        ),
    )


def test_a_file_without_feeds_is_an_empty_list(file: Path) -> None:
    file.write_text("# none yet\n", encoding="utf-8")

    assert load(file) == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "evidence"),
    [
        ('title = "Board"\n', "", 3, "title is missing; add title"),
        ('title = "Board"', 'tittle = "Board"', 5, "unknown key 'tittle'; write title"),
        ('title = "Board"', 'title = "Board"\ntittle = "B"', 6, "write title"),
        ('title = "Board"', 'title = "Board"\ncolour = "red"', 6, "remove it"),
        ('kind = "government"', 'kind = "goverment"', 7, "'goverment' is not one of"),
        ('nation = "scotland"', 'nation = "narnia"', 6, "'narnia' is not one of"),
        ("enabled = false", 'enabled = "no"', 12, "true or false"),
        ('note = "paywall"', "note = 5", 13, "note: input should be a valid string"),
        ('title = "The Weekly"', r'title = "The\u0007 Weekly"', 11, "control characters"),
        ('title = "The Weekly"', 'title = " "', 11, "title"),
        ("https://weekly.example.org", "weekly.example.org", 10, "https://host/path"),
        ("https://weekly.", "https://me:secret@weekly.", 10, "credentials"),
        ("https://weekly.example.org/rss?id=1", "HTTPS://Board.example.org:443/feed", 9, "line 3"),
        ("# Feeds of the north.", 'title = "North"', 1, "'title' is not known here"),
        ('note = "paywall"', 'item = "li a"', 9, 'item means nothing where via = "feed"; remove'),
        ('note = "paywall"', 'via = "sitemap"\ndate = "time"', 9, "date means nothing where via"),
        ('note = "paywall"', 'via = "listing"', 9, 'needs item = "...", the CSS selector'),
        ('note = "paywall"', 'via = "sitemap"\nwithin = "news"', 9, 'write within = "/news/"'),
        ('note = "paywall"', 'via = "page"', 13, "'page' is not one of"),
        ("[[feed]]   #", "[[feeds]]   #", 9, "'feeds' is not known here"),
    ],
)
def test_a_mistake_is_named_with_file_line_key_and_remedy(
    file: Path, old: str, new: str, line: int, evidence: str
) -> None:
    complaint = complaint_about(file, TWO.replace(old, new))

    assert complaint.startswith(f"{file}, line {line}: ")
    assert evidence in complaint
    assert "secret" not in complaint


@pytest.mark.parametrize("text", ["[[feed]", "[[feed]]\nurl = ", "feed = 3", "[feed]\nurl = 'x'"])
def test_what_is_no_list_of_feeds_is_named_with_the_file(file: Path, text: str) -> None:
    assert str(file) in complaint_about(file, text)


def test_a_missing_file_names_the_setting_that_points_at_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="NEWS_FEEDS"):
        load(tmp_path / "none.toml")


def test_a_file_in_another_charset_names_the_setting_that_points_at_it(file: Path) -> None:
    file.write_bytes(TWO.encode("utf-16"))

    with pytest.raises(SettingsError, match="UTF-8"):
        load(file)


@given(text=st.text(st.sampled_from("[]feed url=\"'\n.#{},1")))
def test_any_text_is_a_list_or_a_settings_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, encoding="utf-8")

    try:
        assert load(path) == ()
    except SettingsError as error:
        assert "any.toml" in str(error)  # noqa: PT017  # either end is right


# --- add --------------------------------------------------------------------------------------


def test_a_feed_is_added_without_touching_a_byte_before_it(file: Path) -> None:
    before = TWO.rstrip("\n").encode() + b"\r\n# kept \xc3\xa9"
    file.write_bytes(before)
    feed = Feed(url="https://new.example.org/", title='The "New"\\', note="é\n[[x]]", enabled=False)

    add(file, feed)

    assert file.read_bytes().startswith(before + b"\n")
    assert load(file)[2] == Feed(
        url=feed.url, title=feed.title, note="é [[x]]", enabled=False, nation="uk", kind="press"
    )


def test_the_first_feed_makes_the_file(tmp_path: Path) -> None:
    add(tmp_path / "feeds.toml", Feed(url="https://new.example.org/", title=""))

    assert [feed.title for feed in load(tmp_path / "feeds.toml")] == ["https://new.example.org/"]


@pytest.mark.parametrize("url", ["HTTPS://board.example.org/feed#again", "ftp://example.org/"])
def test_a_feed_that_is_there_or_is_none_is_refused_and_nothing_is_written(
    file: Path, url: str
) -> None:
    with pytest.raises(SettingsError):
        add(file, Feed(url=url, title="Again"))

    assert file.read_text(encoding="utf-8") == TWO


@given(FEEDS)
def test_feeds_added_are_the_feeds_loaded(
    tmp_path_factory: pytest.TempPathFactory, feeds: tuple[Feed, ...]
) -> None:
    path = tmp_path_factory.mktemp("list") / "feeds.toml"
    path.touch()

    for feed in feeds:
        add(path, feed)

    assert load(path) == feeds


# --- OPML -------------------------------------------------------------------------------------


@given(FEEDS)
def test_feeds_survive_the_way_through_opml(feeds: tuple[Feed, ...]) -> None:
    assert from_opml(to_opml(feeds)) == (feeds, ())


def test_folders_give_nation_and_kind_and_else_a_note() -> None:
    feeds, left_out = from_opml(
        b"""<?xml version="1.0" encoding="UTF-8"?><opml version="1.0"><body>
        <outline text="Health"><outline text="Northern Ireland"><outline title="Think tank">
          <outline text="A &amp; B" xmlUrl=" https://a.example/feed " description="weekly"/>
        </outline></outline></outline>
        <outline text="Old" isComment="true"><outline xmlUrl="http://b.example/"/></outline>
        <outline text="Again" xmlUrl="https://a.example/feed#x"/>
        <outline text="Notes"/><outline text="File" xmlUrl="file:///etc/hosts"/>
        </body></opml>"""
    )

    assert feeds == (
        Feed(
            url="https://a.example/feed",
            title="A & B",
            nation="northern-ireland",
            kind="think-tank",
            note="weekly; folder: Health",
        ),
        Feed(url="http://b.example/", title="http://b.example/", enabled=False, note="folder: Old"),
    )
    assert left_out == ("twice: Again", "no feed: Notes", "not an absolute http(s) URL: File")


@pytest.mark.parametrize(
    ("content", "evidence"),
    [
        (b"<!DOCTYPE opml [<!ENTITY a '&b;'><!ENTITY b '&a;'>]><opml>&a;</opml>", "DTD"),
        (b"<opml><body><outline text='a'></body></opml>", "line"),
        (b"<rss/>", "<rss>"),
        (b"", "not XML"),
        (b"<opml>" + b"<outline>" * 5_000, "not XML"),
    ],
)
def test_what_is_no_plain_opml_is_refused(content: bytes, evidence: str) -> None:
    with pytest.raises(SettingsError, match=evidence):
        from_opml(content)


@pytest.mark.parametrize(
    "text",
    [
        '<outline text="Trust & council" xmlUrl="http://a.example/feed?kind=news&lang=en"/>',
        '<outline title="Trust &amp; council" XMLURL="http://a.example/feed?kind=news&amp;lang=en"/>',
        '<OUTLINE TEXT="Trust & council" TYPE="RSS" XmlUrl="http://a.example/feed?kind=news&lang=en"/>',
        "<outline text='Trust &#038; council' xmlurl='http://a.example/feed?kind=news&#038;lang=en'/>",
        "<outline text='Trust & council' feedUrl='http://a.example/feed?kind=news&amp;amp;lang=en'/>",
        "<outline text='Trust & council' type='rss' url='http://a.example/feed?kind=news&lang=en'/>",
        "<outline text='Trust & council' url='http://a.example/feed?kind=news&lang=en'/>",
        "<outline text='Trust & council' xmlUrl='feed://a.example/feed?kind=news&lang=en'/>",
        "<outline text='Trust & council' xmlUrl='feed:http://a.example/feed?kind=news&lang=en'/>",
        "<outline text='Trust & council' o:xmlUrl='http://a.example/feed?kind=news&lang=en'/>",
        "<outline text='Trust & council'  xmlUrl='http://a.example/feed?kind=news&lang=en'>x</outline>",
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "<opml version='1.0'><head/><body>{}</body></opml>",
        "\ufeff\n<?xml version='1.0' encoding='utf-16'?><opml><body>{}</body></opml>",
        "Warning: x\n<?xml?><!DOCTYPE opml SYSTEM 'x'><OPML><body>{}</body></OPML>\n-",
        "<opml xmlns='urn:x' xmlns:o='urn:y'><body>{}</body></opml>",
        "<opml><body>{}</body>",
    ],
)
def test_lists_of_other_programs_are_read(form: str, text: str) -> None:
    feeds, _ = from_opml(form.format(text).encode())

    assert [(feed.url, feed.title) for feed in feeds] == [
        ("http://a.example/feed?kind=news&lang=en", "Trust & council")
    ]


def test_what_is_no_feed_is_left_out_with_its_reason() -> None:
    feeds, left_out = from_opml(
        b"<opml><body><outline text='Site' htmlUrl='https://a.example/'/><outline text='List' "
        b"type='include' url='https://a.example/l.opml'/><outline text='Page' type='link' "
        b"url='https://a.example/p'/><OUTLINE text='Folder'><OUTLINE text='F' "
        b"xmlurl='https://a.example/f' ISCOMMENT='TRUE'/></OUTLINE></body></opml>"
    )

    assert [(feed.url, feed.enabled, feed.note) for feed in feeds] == [
        ("https://a.example/f", False, "folder: Folder")
    ]
    assert left_out == ("no feed: Site (https://a.example/)", "no feed: List", "no feed: Page")


def test_a_torn_list_gives_what_it_has_and_says_so() -> None:
    feeds, left_out = from_opml(
        b"<opml><body><outline text='A' xmlUrl='https://a.example/'></body>"
        b"<outline text='B' xmlUrl=https://b.example/>"
    )

    assert [feed.url for feed in feeds] == ["https://a.example/"]
    assert left_out[0].startswith("not well-formed, so that some may be missing: ")


@given(st.binary())
def test_any_bytes_are_opml_or_a_settings_error(content: bytes) -> None:
    with pytest.raises(SettingsError):
        from_opml(content)


# --- the list that comes with the product -----------------------------------------------------


def test_our_list_has_the_sources_of_every_nation_and_kind() -> None:
    feeds = load(OURS)

    assert len(feeds) >= 60
    assert {feed.nation for feed in feeds} == set(get_args(Nation))
    assert {feed.kind for feed in feeds} == set(get_args(Kind))
    assert sum(feed.enabled for feed in feeds) >= 40


def test_our_list_says_why_a_feed_is_not_asked() -> None:
    reasons = ("unverified: ", "blocked: ", "listing page only: ")

    for feed in load(OURS):
        assert feed.note.startswith(reasons) is not feed.enabled, feed.url


def test_our_list_is_spelt_canonically_and_sorted() -> None:
    feeds = load(OURS)
    nations, kinds = list(get_args(Nation)), list(get_args(Kind))
    places = [(nations.index(feed.nation), kinds.index(feed.kind)) for feed in feeds]

    assert [feed.url for feed in feeds] == [canonical(feed.url) for feed in feeds]
    assert all(feed.url.startswith("https://") for feed in feeds)
    assert places == sorted(places)
