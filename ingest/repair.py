"""XML as strangers write it -> XML that a parser takes: feeds, sitemaps and OPML alike. Pure.

What is well formed stays as it is, byte for byte: expat judges first, and only what it refuses
is changed. CDATA sections, comments and processing instructions keep each "&" they hold. What is
still ill-formed afterwards (unclosed tags, attributes without quotation marks) is for the reader.
"""

import re
from dataclasses import dataclass, field
from html import escape
from html.entities import html5
from xml.parsers.expat import ErrorString, ExpatError, ParserCreate

from ingest.errors import FeedError
from ingest.plain import character, without_controls

MAX_TOKENS = 500_000  # of one text: references, CDATA sections ...; 1 s (measured)
MAX_DTD = 200_000  # characters: XHTML's three sets of entities in full have 60,000
MAX_VALUE = 10_000  # characters of one declared entity, those in it expanded
MAX_EXPANDED = 1_000_000  # characters that declared entities may come to in one text
MAX_DEPTH = 8  # of entities in entities
MAX_PREFIXES = 100  # undeclared ones; feedparser walks through all at every element

_MISC = re.compile(r"(?:[\s\ufeff]++|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)
_DTD = re.compile(r"<!doctype(?!\s+html)", re.IGNORECASE)
_DOCTYPE = re.compile(
    r"<!DOCTYPE\b[^\[<>]*+(?:\[(?P<subset>(?:[^]<\"']++|<!--.*?-->|<\?.*?\?>|\"[^\"]*+\"|'[^']*+'"
    r"|<(?!!--|\?))*+)\]\s*+)?>",
    re.DOTALL | re.IGNORECASE,
)
_ENTITY = re.compile(
    r"<!--.*?-->|<!ENTITY\s+(?P<name>[\w.:-]+)\s+(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'"
    r"|(?P<outside>(?:SYSTEM|PUBLIC)\b))",
    re.DOTALL,
)
_HTML = re.compile(r"<(?:!doctype\s+)?html\b", re.IGNORECASE)
_TAG = re.compile(r"<[a-z]", re.IGNORECASE)
_ATOM = "http://www.w3.org/2005/Atom"
_TOKEN = re.compile(
    r"(?P<cdata><!\[CDATA\[.*?(?:\]\]>|\Z))"
    r"|<!--(?P<comment>.*?)(?:-->|\Z)"
    r"|<\?(?P<target>[\w.:-]*).*?(?:\?>|\Z)"
    r"|(?P<doctype><!DOCTYPE\b[^<>]*+>?)"
    r"|&\#(?P<number>[xX][0-9a-fA-F]+|[0-9]+);?"
    r"|&(?!(?:amp|lt|gt|quot|apos);)(?P<name>[A-Za-z_][\w.-]{0,60});"
    r"|(?P<bare>&(?!(?:amp|lt|gt|quot|apos);)|\]\]>"
    r"|<(?!/?[A-Za-z_:\x80-\U0010ffff]|/?\Z|!--|!\[CDATA\[|\?))",
    re.DOTALL,
)
_BARE = {"&": "&amp;", "<": "&lt;", "]]>": "]]&gt;"}
_PREDEFINED = {"amp", "lt", "gt", "quot", "apos"}  # XML 1.0 section 4.6
_NAMED = re.compile(r"&([A-Za-z_][\w.-]{0,60});")
_NUMBER = re.compile(r"&#([xX][0-9a-fA-F]+|[0-9]+);")
_PREFIX = re.compile(
    r"<(?:!\[CDATA\[.*?(?:\]\]>|\Z)|!--.*?(?:-->|\Z)|/?(?P<tag>[A-Za-z_][\w.-]{0,60}):[A-Za-z_])"
    r"|\s(?P<attribute>[A-Za-z_][\w.-]{0,60}):[A-Za-z_][\w.-]*+\s*+=\s*+[\"']",
    re.DOTALL,
)
_NAMESPACES = {  # of prefixes that are often used and not declared
    "a10": _ATOM,  # of .NET's SyndicationFeed
    "admin": "http://webns.net/mvcb/",
    "atom": _ATOM,
    "atom10": _ATOM,
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
    "fh": "http://purl.org/syndication/history/1.0",
    "georss": "http://www.georss.org/georss",
    "image": "http://www.google.com/schemas/sitemap-image/1.1",
    "itunes": "http://www.itunes.com/DTDs/PodCast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "news": "http://www.google.com/schemas/sitemap-news/0.9",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
    "thr": "http://purl.org/rss/1.0/modules/threading/",
    "wfw": "http://wellformedweb.org/commentAPI/",
    "xhtml": "http://www.w3.org/1999/xhtml",
}
_WRAPS = {  # a document of entries alone -> what stands around them: RFC 4287 section 2
    "entry": (f'<feed xmlns="{_ATOM}">', "</feed>"),
    "item": ('<rss version="2.0"><channel>', "</channel></rss>"),
}


@dataclass(frozen=True, slots=True)
class Document:
    """The outermost element of a text, as well formed as it could be made."""

    root: str  # its name in lower case, without its prefix
    text: str  # from its "<" on, without the prologue and any DTD
    whole: bool  # its end tag is there
    note: str  # what was wrong; "" for a text that was well formed
    wrong: str = ""  # what is so still


def document(text: str, roots: re.Pattern[str]) -> Document | None:
    """Return the first element that `roots` finds (see `named`), or None: where there is none,
    or where a page in HTML begins before it.

    Text before it (a program's warnings, a second declaration, byte order marks) and behind its
    end is cut off. In what is ill-formed, a bare "&" or "<" is escaped, references by HTML's
    names are resolved, undeclared prefixes are declared, control characters are removed. A lone
    Atom entry gets its feed around it. Entities that the DTD declares are resolved within bounds;
    nothing that it names outside is ever read, and stands for nothing.

    Raises FeedError("unparseable") where entities expand beyond MAX_EXPANDED or MAX_VALUE.
    """
    misc = _MISC.match(text)
    start = misc.end() if misc else 0
    root, subset = _outermost(text, start, roots), ""
    begins = _DTD.search(text, start, root.start()) if root else None
    if begins and (dtd := _DOCTYPE.match(text, begins.start(), begins.start() + MAX_DTD)):
        root, subset = _outermost(text, dtd.end(), roots), dtd["subset"] or ""
        text = f"{text[: dtd.start()]}{' ' * len(dtd[0])}{text[dtd.end() :]}"
    if root is None or _HTML.search(text, 0, root.start()):
        return None
    name = root["name"].lower()
    notes = ["text stood before it"] if text[start : root.start()].strip() else []
    body = text[root.start() :]
    closed = body.rfind(f"</{root['tag']}")
    end = body.find(">", closed) + 1 if closed > 0 else 0
    if name in _WRAPS:
        if not _stands_alone(name, text[start : root.start()], body):
            return None
        before, after = _WRAPS[name]
        body, name = f"{before}{body[: end or None]}{after}", before[1:].split()[0]
        notes.append("its entries have no feed around them")
    entities = _Entities.of(subset)
    wrong = _complaint(body)
    if wrong and end and body[end:].strip() and name == root["name"].lower():
        body = body[:end]
        if not (still := _complaint(body)):
            notes.append("text stood behind it")
        wrong = still
    if entities.declared or wrong:
        repaired = _repaired(body, entities)
        notes += [f"repaired: {wrong}"] if repaired != body and wrong else []
        body, wrong = repaired, _complaint(repaired)
    return Document(name, body, bool(end), "; ".join(notes), wrong)


def named(*names: str) -> re.Pattern[str]:
    """Return what finds the start of an element of one of these names, in any case or prefix, and
    comments, which may hold anything.
    """
    return re.compile(
        r"<(?:!--.*?(?:-->|\Z)|"
        rf"(?P<tag>(?:[\w.-]+:)?(?P<name>{'|'.join(names)}))(?=[\s>/]))",
        re.IGNORECASE | re.DOTALL,
    )


def _outermost(text: str, start: int, roots: re.Pattern[str]) -> re.Match[str] | None:
    return next((found for found in roots.finditer(text, start) if found["tag"]), None)


def _stands_alone(name: str, before: str, body: str) -> bool:
    """Tell whether entries without a feed are meant as such, and not a part of something else."""
    tag = body[: body.find(">") + 1]
    if name == "entry" and _ATOM in tag:
        return True
    links = "<link" in body or "<guid" in body or "<id>" in body
    return links and not _TAG.search(before)


def _complaint(text: str) -> str:
    """Return what expat has against a text, "" for what is well formed."""
    parser = ParserCreate("utf-8", " ")
    try:
        parser.Parse(text.encode(), True)
    except ExpatError as error:
        return f"{ErrorString(error.code)}, line {error.lineno}"
    except UnicodeEncodeError:
        return "half a character"
    return ""


@dataclass(slots=True)
class _Entities:
    """What a DTD declares; resolved when it is first referred to."""

    declared: dict[str, str]  # name: text, its references by number resolved
    resolved: dict[str, str] = field(default_factory=dict)
    left: int = MAX_EXPANDED  # characters that may still be put into the text

    @classmethod
    def of(cls, subset: str) -> "_Entities":
        """Read a DTD's internal subset; of two declarations the first counts (XML 1.0 4.2)."""
        declared: dict[str, str] = {}
        for found in _ENTITY.finditer(subset):
            if found["name"] and found["name"] not in _PREDEFINED:
                value = found["double"] or found["single"] or ""
                declared.setdefault(found["name"], _NUMBER.sub(lambda n: character(n[1]), value))
        return cls(declared)

    def text(self, name: str) -> str:
        """Return what to put in a reference's place; raises FeedError where it is too much."""
        text = self._resolve(name, 0)
        self.left -= len(text)
        if self.left < 0:
            detail = f"its entities expand to over {MAX_EXPANDED} characters"
            raise FeedError("unparseable", detail)
        return text

    def _resolve(self, name: str, depth: int) -> str:
        if name in self.resolved:
            return self.resolved[name]
        if depth > MAX_DEPTH:
            detail = f"its entities lie over {MAX_DEPTH} deep in each other"
            raise FeedError("unparseable", detail)
        pieces, size, last = list[str](), 0, 0
        value = self.declared[name]
        for reference in _NAMED.finditer(value):
            if reference[1] in self.declared and size <= MAX_VALUE:
                text = self._resolve(reference[1], depth + 1)
                pieces += (value[last : reference.start()], text)
                size, last = size + len(text), reference.end()
        pieces.append(value[last:])
        text = "".join(pieces)
        if len(text) > MAX_VALUE:
            raise FeedError(
                "unparseable", f"its entity {name[:40]} has over {MAX_VALUE} characters"
            )
        self.left -= len(text)
        self.resolved[name] = text
        return text


def _repaired(text: str, entities: _Entities) -> str:
    def token(found: re.Match[str]) -> str:
        match found.lastgroup:
            case "bare":
                return _BARE[found["bare"]]
            case "number":
                known = character(found["number"])
                lawful = known and known == without_controls(known)
                return f"&#{found['number']};" if lawful else known
            case "name" if found["name"] in entities.declared:
                return _TOKEN.sub(inner, entities.text(found["name"]))
            case "name":
                known = html5.get(f"{found['name']};", "")
                return escape(known) if known else f"&amp;{found['name']};"
            case "comment":  # XML 1.0 section 2.5: without "--", nor "-" at its end
                said = found["comment"]
                return "" if "--" in said or said.endswith("-") else found[0]
            case "target":
                return "" if found["target"].lower() == "xml" else found[0]
            case "doctype":
                return ""
            case _:
                return found[0]

    def inner(found: re.Match[str]) -> str:
        """Repair within an entity's text, in which none is left to be resolved."""
        return f"&amp;{found[0][1:]}" if found["name"] in entities.declared else token(found)

    text = _TOKEN.sub(token, without_controls(text), count=MAX_TOKENS)
    return _with_prefixes(without_controls(text))


def _with_prefixes(text: str) -> str:
    """Declare at the outermost element what is used and not declared there."""
    end = text.find(">")
    root = re.match(r"<[\w.:-]+", text)
    used = _PREFIX.finditer(text)
    prefixes = {found["tag"] or found["attribute"] for found in used if found.lastgroup}
    prefixes -= {"xml", "xmlns", *re.findall(r"\sxmlns:([\w.-]+)\s*=", text[:end])}
    if root is None or not prefixes or len(prefixes) > MAX_PREFIXES:
        return text
    declared = "".join(
        f' xmlns:{prefix}="{_NAMESPACES.get(prefix.lower(), f"urn:undeclared:{prefix}")}"'
        for prefix in sorted(prefixes)
    )
    return text[: root.end()] + declared + text[root.end() :]
