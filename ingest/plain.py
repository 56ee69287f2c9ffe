"""Strangers' bytes -> text, and their markup -> words on one line."""

import html
import re
from contextlib import suppress
from html.entities import html5

from resiliparse.parse.encoding import map_encoding_to_html5

_BEGINS = (  # with a byte order mark, or the first "<" of XML without one (XML 1.0 appendix F)
    (rb"\xef\xbb\xbf", "utf-8-sig"),
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", "utf-32"),
    (rb"\xff\xfe|\xfe\xff", "utf-16"),
    (rb"\0\0\0<", "utf-32-be"),
    (rb"<\0\0\0", "utf-32-le"),
    (rb"\0<\0", "utf-16-be"),
    (rb"<\0.\0", "utf-16-le"),
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_DECLARED = re.compile(
    rb"""<(?:meta[^>]{1,200}?charset|\?xml[^>]{1,100}?encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.I
)

_ESCAPE = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*)?"  # ECMA-48: CSI and OSC sequences
_NOT_XML = re.compile(_ESCAPE + "|[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_UNSEEN = re.compile(  # controls, soft hyphen, zero-width and bidirectional characters
    _ESCAPE + "|[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\ufffe\uffff]"
)
_REFERENCE = re.compile(r"&#(?:[xX]0*([0-9a-fA-F]+)|0*([0-9]+));?")
_ENTITY = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|([A-Za-z][A-Za-z0-9]{1,31};))")
_WINDOWS = {
    code: known for code in range(0x80, 0xA0) if (known := bytes([code]).decode("cp1252", "ignore"))
}
_MARKED = re.compile(r"[<&]|\]\]>")
_SKIPPED = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.I | re.S)
_TAG = re.compile(r"</?([a-zA-Z][\w:-]*+)[^<>]*+>|<!\[CDATA\[|\]\]>")
_INLINE = {
    "a", "abbr", "b", "bdi", "big", "cite", "code", "del", "em", "font", "i", "ins", "kbd", "mark",
    "q", "s", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "wbr",
}  # fmt: skip


def decoded(content: bytes, content_type: str) -> str:
    """Return a body's text however it is labelled; `content_type` is the header's value or "".

    In order: byte order mark; UTF-8, unless the bytes that break it outnumber its sequences, so
    that a bad byte spoils one character and not the whole; the header's charset, then the
    document's own (RFC 7303 section 3), by its WHATWG label, so that Latin-1 is Windows-1252 and
    utf-7 or a codec of Python's that is no charset is nothing; Windows-1252.
    """
    for begins, codec in _BEGINS:
        if re.match(begins, content, re.DOTALL):
            return content.decode(codec, "replace")
    with suppress(UnicodeDecodeError):
        return content.decode()
    text = content.decode(errors="replace")
    scars = text.count("\ufffd") - content.count(b"\xef\xbf\xbd")  # less those that were sent
    if not scars or len(re.findall(r"[^\x00-\x7f]", text)) >= 2 * scars:
        return text
    said, declared = _CHARSET.search(content_type), _DECLARED.search(content, 0, 4096)
    labels = [said[1] if said else "", declared[1].decode() if declared else ""]
    codecs = [map_encoding_to_html5(label, False) or "utf" for label in labels]
    named = next((codec for codec in codecs if not codec.startswith("utf")), "cp1252")
    return content.decode(named, "replace")


def is_html(content_type: str, content: bytes) -> bool:
    """Tell whether a body is HTML by its content type, or by its first bytes without one."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind:
        return kind in ("text/html", "application/xhtml+xml")
    return content.lstrip()[:200].lower().startswith((b"<!doctype html", b"<html"))


def mended(text: str) -> str:
    """Return the text without what no XML parser takes: raw control characters, terminal
    escapes, and references to no character. Emoji written as two surrogates are joined.
    """
    return without_controls(_REFERENCE.sub(_lawful, text))


def without_controls(text: str) -> str:
    """Return the text without characters that XML 1.0 section 2.2 excludes, nor terminal escapes.

    Two surrogates are joined to the character that they stand for.
    """
    if re.search("[\ud800-\udfff]", text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _NOT_XML.sub("", text)


def plain(markup: str, limit: int) -> str:
    """Return the words of a title or summary, on one line, at most `limit` characters.

    Markup goes and entities are resolved, twice, since many feeds escape them twice; so do
    control, zero-width and bidirectional characters and terminal escapes. A name without its
    semicolon is no entity: "Law&copyright" stays. C1 controls are what Windows-1252 has there,
    as in HTML (section 13.2.5.80, numeric character references).
    """
    text = markup[: limit * 20]
    for _ in range(2 if _MARKED.search(text) else 0):
        text = _TAG.sub(_gap, _SKIPPED.sub(" ", text))
        text = _ENTITY.sub(_resolved, _REFERENCE.sub(_lawful, text))
    if not text.isascii():
        text = text.translate(_WINDOWS)
    seen = _UNSEEN.sub("", " ".join(text.split()))
    return " ".join(seen.split())[:limit].strip()


def _resolved(reference: re.Match[str]) -> str:
    if reference[1]:
        return html5.get(reference[1], reference[0])
    return html.unescape(reference[0])


def _gap(tag: re.Match[str]) -> str:
    return "" if (tag[1] or "a").lower() in _INLINE else " "


def character(number: str) -> str:
    """Return the character of a reference's number ("8217", "x2019"); "" where there is none.

    Control characters and halves of a pair of surrogates are returned for `without_controls`.
    """
    digits = number[1:].lstrip("0") if number[:1] in "xX" else number.lstrip("0")
    code = int(digits or "0", 16 if number[:1] in "xX" else 10) if len(digits) <= 7 else 0x110000
    return "" if code > 0x10FFFF or code in (0xFFFE, 0xFFFF) else chr(code)


def _lawful(reference: re.Match[str]) -> str:
    """Return a reference as it is, or in its place what stands for no character of XML."""
    known = character(f"x{reference[1]}" if reference[1] else reference[2])
    return known if not known or _NOT_XML.match(known) else reference[0]
