"""What is well formed stays byte for byte; what is not is repaired, and nothing else is touched."""

import time
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError, ParserCreate

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingest.errors import FeedError
from ingest.repair import MAX_EXPANDED, Document, document, named

ROOTS = named("rss", "feed", "rdf", "channel", "entry", "item", "opml", "urlset")


def read(text: str) -> Document:
    found = document(text, ROOTS)
    assert found is not None
    return found


def words(text: str) -> str:
    """Return all character data of a text, as a parser sees it."""
    return "".join(ElementTree.fromstring(read(text).text).itertext())


def parses(text: str) -> bool:
    try:
        ParserCreate(namespace_separator=" ").Parse(text.encode(), True)
    except (ExpatError, UnicodeEncodeError):
        return False
    return True


# --- what stays ---------------------------------------------------------------------------------

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="<&>")
)
LEAVES = st.one_of(
    TEXT,
    st.sampled_from(
        ["&amp;", "&lt;", "&#038;", "&#x1F600;", "&amp;lang=", "&amp;amp;", "&apos;", "\n", "\t",
         "<![CDATA[A&E <b> &nbsp; &#0; &copy]]>", "<!-- R&D & <rss> &#1; -->", "<?php a & b ?>",
         "<x:y/>", "<link href='/a?b=1&amp;copy=2'/>"]
    ),
)  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        "<{0}{1}>{2}</{0}>".format,
        st.sampled_from(["item", "title", "x:z", "b"]),
        st.sampled_from(["", " a='&#38;'", ' x:q="A &amp; B"', " xml:base='/a'"]),
        st.lists(inner, max_size=4).map("".join),
    ),
    max_leaves=12,
)
ROOTED = st.builds("<rss xmlns:x='urn:x'>{}</rss>".format, st.lists(TREES, max_size=5).map("".join))
BEFORE = st.sampled_from(
    ["", "\ufeff", "\n ", '<?xml version="1.0"?>', "<!-- <rss> & -->", "<?style a & b?>",
     '<!DOCTYPE rss SYSTEM "rss.dtd">', "<!DOCTYPE rss [<!ELEMENT a (#PCDATA)>]>\n"]
)  # fmt: skip
BEHIND = st.sampled_from(["", "\n", "<!-- cached & <b> -->", "<!-- </rss> -->", "<?end & ?>"])
HEAPS = st.lists(
    st.sampled_from(
        ["<a>", "</a>", "<x:b/>", "A&E", "&amp;", "&nbsp;", "&#38;", "<![CDATA[", "]]>", "<!--",
         "-->", "<?x", "?>", " & ", "--", "]]", ">", "'", '"', "é", "\x07", "\ud800"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(BEFORE, ROOTED, BEHIND)
def test_what_is_well_formed_stays_as_it_is(before: str, text: str, behind: str) -> None:
    found = read(before + text + behind)

    assert found == Document("rss", text + behind, True, "")


@given(HEAPS)
def test_whatever_a_parser_takes_comes_through_identical(inner: str) -> None:
    text = f"<rss xmlns:x='urn:x'>{inner}</rss>"
    assume(parses(text))

    assert read(text) == Document("rss", text, True, "")


@given(st.text() | HEAPS)
def test_any_text_is_repaired_or_is_no_document(inner: str) -> None:
    found = document(f"<rss>{inner}</rss>", ROOTS)

    assert found is None or found.text.startswith("<rss")


@given(HEAPS)
def test_what_was_repaired_into_xml_needs_no_further_repair(inner: str) -> None:
    once = read(f"<rss xmlns:x='urn:x'>{inner}</rss>").text
    assume(parses(once))

    assert read(once).text == once


# --- what is repaired ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Waits in A&E, Q&A, R&D; M&S", "Waits in A&E, Q&A, R&D; M&S"),
        ("B&NES and P&O & co", "B&NES and P&O & co"),
        ("?id=7&lang=en&copy=2&copy2=3&sect", "?id=7&lang=en&copy=2&copy2=3&sect"),
        ("?a=1&para=2&not=3&amp=4&lt=5&", "?a=1&para=2&not=3&amp=4&lt=5&"),
        ("&nbsp;&eacute;&pound;5m &hellip; & more", "\u00a0é£5m … & more"),
        ("&nosuch; & &A;", "&nosuch; & &A;"),
        ("&amp;amp; &amp;lang= & x", "&amp; &lang= & x"),
        ("fish &#38; chips & peas", "fish & chips & peas"),
        ("5 < 6 & <3 hearts", "5 < 6 & <3 hearts"),
        ("<![CDATA[A&E <b>]]> & <!-- R&D -->B", "A&E <b> & B"),
        ("<![CDATA[a <![CDATA[b]]> c]]> & d", "a <![CDATA[b c]]> & d"),
        ("a<!-- b -- c -->d", "ad"),
        ("bell\x07 form\x0c feed\x1b[0m", "bell form feed"),
        ("no&#0; such&#xFFFE; one&#99999999;", "no such one"),
        ("&#55357;&#56832; &#39s and &#8217s", "😀 's and ’s"),
    ],
)  # fmt: skip
def test_text_is_read_as_it_was_meant(written: str, meant: str) -> None:
    assert words(f"<rss><title>{written}</title></rss>") == meant


def test_an_attribute_is_repaired_as_text_is() -> None:
    text = read("<opml><outline text='Health & care' xmlUrl='/f?a=1&lang=en&pound;'/></opml>").text

    assert ElementTree.fromstring(text)[0].attrib == {
        "text": "Health & care",
        "xmlUrl": "/f?a=1&lang=en£",
    }


@pytest.mark.parametrize(
    "before",
    [
        "<br />\n<b>Warning</b>:  x in <b>/a.php</b> on line <b>3</b><br />\n",
        "Notice: Undefined index <?xml version='1.0'?>\n<?xml version='1.0'?>",
        "Warning <!-- <rss> --> <p>",
        "\ufeff\ufeff<?xml version='1.0' encoding='iso-8859-1'?>\ufeff\n",
        "<font size='1'><table class='xdebug-error'><tr><td>a & b</td></tr></table></font>",
    ],
)
def test_what_stands_before_it_goes_and_is_told(before: str) -> None:
    assert read(f"{before}<rss><title>A&amp;E</title></rss>") == Document(
        "rss",
        "<rss><title>A&amp;E</title></rss>",
        True,
        "text stood before it" if before.strip("\ufeff\n")[:5] != "<?xml" else "",
    )


@pytest.mark.parametrize(
    "behind", ["<script>x</script>", "\0\0", "<!-- 1 -- 2 -->", "</body></html>"]
)
def test_what_stands_behind_it_goes_and_is_told(behind: str) -> None:
    assert read(f"<rss>A&amp;E</rss>\n{behind}") == Document(
        "rss", "<rss>A&amp;E</rss>", True, "text stood behind it"
    )


def test_what_cannot_be_repaired_is_told_and_all_else_is_repaired() -> None:
    found = read("<rss>\n<title>A & E</titel></rss>")

    assert found.text == "<rss>\n<title>A &amp; E</titel></rss>"
    assert found.wrong == "mismatched tag, line 2"


def test_a_note_tells_what_was_wrong() -> None:
    assert read("<rss>\n<title>A & E</title></rss>").note == (
        "repaired: not well-formed (invalid token), line 2"
    )


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("<rss><dc:date>1</dc:date></rss>", "{http://purl.org/dc/elements/1.1/}date"),
        ("<rss><news:news/></rss>", "{http://www.google.com/schemas/sitemap-news/0.9}news"),
        ("<rss><no-such:x/></rss>", "{urn:undeclared:no-such}x"),
        ("<rss><a no:b='1'/></rss>", "a"),
        ("<rss xmlns:q='urn:q'><q:a xmlns:w='urn:w'/><w:b/></rss>", "{urn:q}a"),
        ("<RDF:rdf><RDF:li/></RDF:rdf>", "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"),
    ],
)
def test_a_prefix_that_is_not_declared_is(text: str, element: str) -> None:
    assert ElementTree.fromstring(read(text).text)[0].tag == element


def test_a_lone_atom_entry_gets_a_feed() -> None:
    entry = '<entry xmlns="http://www.w3.org/2005/Atom"><title>A & E</title></entry>'
    found = read(f'<?xml version="1.0"?>{entry}\n<!-- x -->')

    assert found.root == "feed"
    assert ElementTree.fromstring(found.text)[0].tag == "{http://www.w3.org/2005/Atom}entry"


def test_lone_items_get_a_channel_and_those_of_another_language_do_not() -> None:
    items = "<item><link>/1</link></item><item><link>/2</link></item>"

    assert len(ElementTree.fromstring(read(items).text)[0]) == 2
    assert document("<answer><item><link>/1</link></item></answer>", ROOTS) is None
    assert document("<item><price>1</price></item>", ROOTS) is None


def test_a_page_with_a_feed_somewhere_in_it_is_none() -> None:
    assert document("<!DOCTYPE html><p>Write <rss> first</p>", ROOTS) is None
    assert document("<html><rss></rss></html>", ROOTS) is None


# --- declared entities --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subset", "inner", "meant"),
    [
        ('<!ENTITY pound "&#163;"><!ENTITY nbsp "&#160;">', "&pound;2m&nbsp;", "£2m\u00a0"),
        (
            "<!ENTITY who 'the board'><!ENTITY all '&who; &amp; staff'>",
            "&all;",
            "the board & staff",
        ),
        ("<!ENTITY b '<b>bold</b>'>", "is &b;", "is bold"),
        ("<!ENTITY a 'first'><!ENTITY a 'second'>", "&a;", "first"),
        ("<!ENTITY and '&#38;#38;'><!ENTITY et '&#38;'>", "&and;&et;", "&&"),
        ("<!ENTITY x 'R&D'>", "&x;", "R&D"),
        ('<!ENTITY out SYSTEM "file:///etc/passwd"><!ENTITY % p SYSTEM "x">', "[&out;]", "[]"),
        ('<!ENTITY out PUBLIC "a" "http://127.0.0.1:9/">', "[&out;]", "[]"),
        ("<!-- <!ENTITY a 'no'> --><!ENTITY a ']'>", "&a;", "]"),
        ("<!ENTITY eacute 'E'>", "<![CDATA[&eacute;]]>&eacute;", "&eacute;E"),
        ('<!ENTITY % HTML PUBLIC "-//W3C//ENTITIES" "http://x/"> %HTML;', "&eacute;", "é"),
    ],
)
@pytest.mark.parametrize("before", ["", "<?xml version='1.0'?>\n", "Warning: x\n"])
def test_entities_of_the_document_are_resolved(
    before: str, subset: str, inner: str, meant: str
) -> None:
    assert words(f"{before}<!DOCTYPE rss [{subset}]><rss><t>{inner}</t></rss>") == meant


LAUGHS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))


@pytest.mark.parametrize(
    ("subset", "inner"),
    [
        (f"<!ENTITY l0 'ha'>{LAUGHS}", "&l9;"),
        (f"<!ENTITY l0 'ha'>{LAUGHS}", "&l4;"),
        ("<!ENTITY a '&b;'><!ENTITY b '&a;'>", "&a;"),
        (f"<!ENTITY a '{'a' * 9_000}'>", "&a;" * 200),
        (f"<!ENTITY a '{'a' * 20_000}'>", "&a;"),
        ("".join(f"<!ENTITY e{n} '&e{n - 1};'>" for n in range(2_000)), "&e1999;"),
    ],
)
def test_entities_that_grow_without_bounds_are_refused(subset: str, inner: str) -> None:
    with pytest.raises(FeedError, match="unparseable: its entit"):
        read(f"<!DOCTYPE rss [{subset}]><rss>{inner}</rss>")


def test_what_is_declared_and_not_used_costs_nothing() -> None:
    text = f"<!DOCTYPE rss [<!ENTITY l0 'ha'>{LAUGHS}]><rss>A&amp;E</rss>"

    assert read(text).text == "<rss>A&amp;E</rss>"


@pytest.mark.parametrize(
    "text",
    [
        "<rss>" + "&" * 3_000_000,
        "<rss>" + "<![CDATA[" * 500_000,
        "<rss>" + "<!--" * 500_000,
        "<rss>" + "<!-- -- -->" * 300_000,
        "<rss>" + "<?" * 1_000_000,
        "<rss>" + "<a:b" * 500_000,
        "<rss>" + " a:b" * 1_000_000 + " & </rss>",
        "<rss>" + "".join(f"<p{n}:a/>" for n in range(200_000)) + "</rss>",
        "<rss>" + "&a" * 1_000_000,
        "<!DOCTYPE rss [" + "<!ENTITY a '&a;'>" * 10_000 + "]><rss>&a</rss>",
        "<!DOCTYPE rss [" + '"' * 1_000_001 + "<rss></rss>",
        "<!DOCTYPE rss [" + "<" * 1_000_000 + "<rss></rss>",
        "<!DOCTYPE a[" * 200_000 + "<rss></rss>",
        "<!--" + "-" * 3_000_000 + "<rss>&</rss>",
        "<rss>" + "<a>" * 300_000 + "&",
        "<rss>" + "<a b='" * 500_000,
        "<rss " + "xmlns:a='b' " * 100_000 + ">&</rss>",
        "<!DOCTYPE rss [<!ENTITY a '" + "&amp;" * 1_900 + "'>]><rss>" + "&a;" * 100 + "</rss>",
    ],
    ids=range(18),
)
def test_a_hostile_text_is_done_with_in_seconds(text: str) -> None:
    began = time.process_time()
    try:
        found = document(text, ROOTS)
    except FeedError:
        found = None

    assert time.process_time() - began < 10
    assert found is None or len(found.text) <= 6 * len(text) + MAX_EXPANDED * 6
