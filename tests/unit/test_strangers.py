"""Whatever strangers send, each reader of it ends as it promises; see also test_fuzz.py."""

import gzip
import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from lxml.html import document_fromstring

from ingest import topics, walls
from ingest.declared import believable, credible, day, headline, read
from ingest.errors import Fault, SettingsError
from ingest.feedlist import from_opml
from ingest.logs import harmless
from ingest.secrets import Secrets
from ingest.urls import same_site
from ingest.web.client import _read, redacted
from ingest.web.guard import Refusal
from tests.builders import PAGE

URL = "https://a.example/news/1"
CODED = replace(PAGE, headers=(("Content-Encoding", "gzip"),))
MEMBERS = st.lists(st.binary(max_size=60), max_size=4)
KINDS = st.sampled_from(["NewsArticle", "LiveBlogPosting", ["WebPage", "NewsArticle"], 1, None])
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.fixed_dictionaries(
            {},
            optional={
                "@type": KINDS, "@graph": inner, "mainEntity": inner, "name": inner,
                "headline": inner, "datePublished": inner, "publisher": inner, "author": inner,
                "isAccessibleForFree": inner, "wordCount": inner, "articleBody": inner,
            },
        )
    ),
    max_leaves=12,
)  # fmt: skip
MARKS = st.sampled_from(
    ["<meta property=", "og:title", "og:url", "datePublished", " content=", "2026-03-02", "\"", ">",
     "<link rel=canonical href=", "http://[", "<h1>", "<title>", "Flood | The Board", "</title>",
     "<html lang=", "cy-GB", "<script type=application/ld+json>", "[{", "</script>", "&#0;", "é"]
)  # fmt: skip
OUTLINES = st.sampled_from(
    ["<opml>", "</opml>", "<body>", "</body>", "<outline ", "text='Wales' ", "xmlUrl='", "=",
     "isComment", "https://a.example/f", "http://[", "='true'", "'", ">", "/>", "</outline>",
     "<!DOCTYPE opml>", "<!--", "-->", "&#1;", "&amp;", "\0",
     "<?xml version='1.0' encoding='utf-16'?>"]
)  # fmt: skip
TOML = st.sampled_from(
    ["name = 'x'\n", "digest = 'x'\n", "threshold = 0.5\n", "review = [0.1, 0.5]\n", "[groups]\n",
     "water = 'flood*, (a) b'\n", "water = ''\n", "[strong]\n", "3 = 'x'\n", "[weights]\n",
     "[[yes]]\n", "bias = nan\n", "since = 2026-01-01\n", "prefilter = 'é'\n", "x = ", "[", "]",
     "\n", "\xff"]
)  # fmt: skip


@given(MEMBERS, st.integers(1, 40), st.integers(0, 120))
def test_gzip_in_any_pieces_is_read_whole_or_is_too_large(
    members: list[bytes], size: int, most: int
) -> None:
    sent, body = b"".join(gzip.compress(m, mtime=0) for m in members), b"".join(members)
    told = None
    try:
        found = _read(CODED, pieces(sent, size), most)
    except Refusal as refusal:
        told = refusal.fault

    if max(len(sent), len(body)) > most:
        assert told is Fault.TOO_LARGE
    else:
        assert found == (sent, body)


@given(MEMBERS, st.integers(0, 100), st.binary(max_size=4), st.integers(1, 40))
def test_gzip_that_was_damaged_is_refused_or_stays_within_the_cap(
    members: list[bytes], place: int, damage: bytes, size: int
) -> None:
    sent = b"".join(gzip.compress(m, mtime=0) for m in members)
    sent = sent[:place] + damage + sent[place + len(damage) :]
    content = b""
    try:
        _, content = _read(CODED, pieces(sent, size), 150)
    except Refusal as refusal:
        told = refusal.fault

        assert told in (Fault.BAD_ENCODING, Fault.TOO_LARGE)  # either end is right

    assert len(content) <= 150


def pieces(sent: bytes, size: int) -> list[bytes]:
    return [sent[n : n + size] for n in range(0, len(sent), size)]


@given(VALUES)
def test_any_linked_data_gives_a_title_and_days_or_none(value: object) -> None:
    script = json.dumps(value).replace("<", "\\u003c")
    page = f"<title>News</title><script type='application/ld+json'>{script}</script>"
    judged(page)


@given(st.lists(MARKS, max_size=30).map("".join))
def test_any_heap_of_statements_gives_a_title_and_days_or_none(page: str) -> None:
    judged(f"<html>{page}<p>")


def judged(page: str) -> None:
    declared = read(document_fromstring(page), URL)

    assert isinstance(headline(declared, "Flood"), str)
    assert isinstance(credible(next((day(raw) for _, raw in declared.days), None), None), bool)
    link = believable(declared.canonical, URL)
    assert not link or same_site(link, URL)
    assert all(isinstance(one, str) for one in (*declared.names, *declared.body))


@given(st.text(), st.text(), st.sampled_from(["cf-mitigated", "CF-Mitigated", "x", ""]))
def test_any_page_and_header_shows_a_wall_or_does_not(text: str, title: str, name: str) -> None:
    assert walls.by_words(text, title).partition("=")[0] in ("", "title", "says")
    assert walls.by_header([(name, text)]) in ("", f"header={name}: {text[:40]}")


@given(st.lists(OUTLINES, max_size=30).map("".join))
def test_any_heap_of_outlines_is_feeds_or_a_settings_error(text: str) -> None:
    try:
        feeds, left_out = from_opml(f"<opml>{text}".encode())
    except SettingsError:
        return

    assert all(feed.url for feed in feeds)
    assert all(left_out)


@given(st.binary(max_size=80) | st.lists(TOML, max_size=20).map(lambda t: "".join(t).encode()))
def test_any_bytes_are_a_topic_or_a_settings_error_that_names_the_file(source: bytes) -> None:
    told = ""
    try:
        topics.parse(source, "floods.toml")
    except SettingsError as error:
        told = str(error)

    assert told.startswith("floods.toml")


@given(st.text())
def test_any_text_is_shown_on_one_line_that_does_nothing(text: str) -> None:
    assert harmless(text).isprintable()
    assert len(harmless(text)) == len(text)


@given(st.text(), st.text("abc012", min_size=1).map("{}9".format), st.text())
def test_no_key_and_no_password_is_shown_in_any_url(before: str, key: str, after: str) -> None:
    shown = redacted(f"https://me:{key}@a.example/{before}?api_key={key}")

    assert not shown.endswith(key)
    assert shown.startswith("https://***@a.example/")


@given(st.text(), st.from_regex("[a-z0-9]{12}[0-9]", fullmatch=True), st.text())
def test_a_known_key_is_masked_in_any_text(before: str, key: str, after: str) -> None:
    secrets = Secrets([f"https://a.example/feed?key={key}"])

    masked = secrets.masked(f"{before}{key}{after}")

    assert key not in masked
    assert secrets.masked(masked) == masked
    assert secrets.masked_bytes(f"{before}{key}".encode(errors="replace")).count(key.encode()) == 0
