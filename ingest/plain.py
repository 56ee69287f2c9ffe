"""Strangers' bytes -> text, and their markup -> words on one line."""

import codecs
import html
import re

_BOMS = (  # a mark, or the first "<" of a document without one (XML 1.0 appendix F)
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0<", "utf-16-be"),
    (b"<\0", "utf-16-le"),
)
# Charsets of the web only: Python has codecs that raise what they like (idna), crawl
# (punycode), or that browsers refuse (utf-7, EBCDIC). UTF-16 and 32 show in their first bytes.
_CODEC = re.compile(
    r"(?:us-)?ascii|utf-?8|cp(?:12|4|86|9)\d+|(?:iso|windows|latin|koi|mac|big|gb|euc|s\w*jis|ks|tis)"
    r"[\w-]*"
)
_ONE_BYTE = re.compile(r"iso-?8859|windows|cp12|latin|koi|mac")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_DECLARED = re.compile(rb"\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]+)")

_ESCAPE = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*)?"  # ECMA-48: CSI and OSC sequences
_NOT_XML = re.compile(_ESCAPE + "|[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_UNSEEN = re.compile(  # controls, soft hyphen, zero-width and bidirectional characters
    _ESCAPE + "|[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\ufffe\uffff]"
)
_REFERENCE = re.compile(r"&#(?:[xX]0*([0-9a-fA-F]+)|0*([0-9]+));?")
_SKIPPED = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.I | re.S)
_TAG = re.compile(r"</?([a-zA-Z][\w:-]*+)[^<>]*+>|<!\[CDATA\[|\]\]>")
_INLINE = {
    "a", "abbr", "b", "bdi", "big", "cite", "code", "del", "em", "font", "i", "ins", "kbd", "mark",
    "q", "s", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "wbr",
}  # fmt: skip


def decoded(content: bytes, content_type: str) -> str:
    """Return the text of an XML or JSON body; `content_type` is the header's value or "".

    Byte order mark, header, XML declaration, in that order (RFC 7303 section 3). A body that
    is UTF-8 throughout is UTF-8 whatever one-byte set is named, for servers name one by
    default; without a name that can be true, UTF-8 with few scars, else Windows-1252.
    """
    for start, codec in _BOMS:
        if content.startswith(start):
            return content.decode(codec, "replace")
    said, declared = _CHARSET.search(content_type), _DECLARED.match(content)
    names = [said[1] if said else "", declared[1].decode() if declared else ""]
    as_utf8 = content.decode("utf-8", "replace")
    scars = as_utf8.count("\ufffd")
    for name in map(str.lower, names):
        if not _CODEC.fullmatch(name) or (_ONE_BYTE.match(name) and not scars):
            continue
        try:
            return content.decode("gb18030" if name == "gb2312" else name)
        except (UnicodeDecodeError, LookupError):
            continue
    whole = len(as_utf8) - len(as_utf8.encode("ascii", "ignore")) - scars
    inside = as_utf8.rstrip("\ufffd").count("\ufffd")  # a body may end in mid-character
    if whole and inside * 10 <= whole:
        return as_utf8
    try:
        return content.decode("windows-1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def mended(text: str) -> str:
    """Return the text without what no XML parser takes: raw control characters, terminal
    escapes, and references to no character. Emoji written as two surrogates are joined.
    """
    text = _REFERENCE.sub(_lawful, text)
    if re.search("[\ud800-\udfff]", text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _NOT_XML.sub("", text)


def plain(markup: str, limit: int) -> str:
    """Return the words of a title or summary, on one line, at most `limit` characters.

    Markup goes and entities are resolved, twice, since many feeds escape them twice; so do
    control, zero-width and bidirectional characters and terminal escapes.
    """
    text = markup[: limit * 20]
    for _ in range(2):
        text = _TAG.sub(_gap, _SKIPPED.sub(" ", text))
        text = html.unescape(_REFERENCE.sub(_lawful, text))
    seen = _UNSEEN.sub("", " ".join(text.split()))
    return " ".join(seen.split())[:limit].strip()


def _gap(tag: re.Match[str]) -> str:
    return "" if (tag[1] or "a").lower() in _INLINE else " "


def _lawful(reference: re.Match[str]) -> str:
    digits = reference[1] or reference[2]
    code = int(digits, 16 if reference[1] else 10) if len(digits) <= 7 else 0x110000
    if code > 0x10FFFF or code in (0xFFFE, 0xFFFF):
        return ""
    if code < 9 or 13 < code < 32 or code in (11, 12) or 0xD800 <= code < 0xE000:
        return chr(code)  # for the caller to join or to take out
    return reference[0]
