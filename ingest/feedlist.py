"""The list of feeds a person keeps: feeds.toml -> feeds, and OPML in and out."""

import json
import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from lxml import etree
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from ingest.errors import FeedError, SettingsError
from ingest.plain import decoded
from ingest.repair import document, named
from ingest.urls import canonical, unescaped
from storage.model import Feed

Nation = Literal["uk", "england", "scotland", "wales", "northern-ireland", "international"]
Kind = Literal[
    "government", "regulator", "audit", "parliament", "think-tank", "trade-press", "press",
    "charity", "academic",
]  # fmt: skip

OWN = ("item", "date", "within")
USED = {"feed": (), "listing": OWN, "sitemap": ("within",)}
OURS = "https://newsdesk.example/opml"  # spec2.opml: attributes of one's own go in a namespace
_OPML = named("opml")
_CONTROLS = "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
_ONE_LINE = StringConstraints(strip_whitespace=True, pattern=f"^[^{_CONTROLS}]*$")


def _web_url(url: str) -> str:
    try:
        canonical(url)
    except ValueError as error:
        raise ValueError(f"{error}; write it in full, as https://host/path") from error
    return url


class _Row(BaseModel):
    """One [[feed]] table."""

    model_config = ConfigDict(extra="forbid", strict=True, regex_engine="python-re")

    url: Annotated[str, _ONE_LINE, AfterValidator(_web_url)]
    title: Annotated[str, _ONE_LINE, StringConstraints(min_length=1)]
    nation: Nation = "uk"
    kind: Kind = "press"
    enabled: bool = True
    note: Annotated[str, _ONE_LINE] = ""
    via: Literal["feed", "listing", "sitemap"] = "feed"
    item: Annotated[str, _ONE_LINE] = ""
    date: Annotated[str, _ONE_LINE] = ""
    within: Annotated[str, _ONE_LINE] = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name in OWN:
            if getattr(self, name) and name not in USED[self.via]:
                raise ValueError(f"{name} means nothing where via = {_quoted(self.via)}; remove it")
        if self.via == "listing" and not self.item:
            raise ValueError('via = "listing" needs item = "...", the CSS selector of its stories')
        if self.within and not self.within.startswith(("/", "http://", "https://")):
            raise ValueError('within must begin as a path or URL does; write within = "/news/"')
        return self


def load(path: Path) -> tuple[Feed, ...]:
    """Read the feeds file, in its order.

    Raises SettingsError with file, line, key and remedy, for the first thing that is wrong:
    no file, no TOML, an unknown key, a wrong value, the same feed twice (by canonical URL).
    """
    try:
        return _feeds(path.read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path}: cannot read the feeds file ({error}); "
            "set NEWS_FEEDS to a UTF-8 file of [[feed]] tables"
        ) from error


def add(path: Path, feed: Feed) -> None:
    """Append a feed to the feeds file, which is made if missing; not a byte before it changes.

    Raises SettingsError as load does, before anything is written.
    """
    title = feed.title or feed.url
    block = ["[[feed]]", f"url = {_quoted(feed.url)}", f"title = {_quoted(title)}"]
    block += [f"nation = {_quoted(feed.nation)}", f"kind = {_quoted(feed.kind)}"]
    block += [] if feed.enabled else ["enabled = false"]
    extra = {"note": feed.note, "via": feed.via.removeprefix("feed")}
    extra |= {name: getattr(feed, name) for name in OWN}
    block += [f"{name} = {_quoted(value)}" for name, value in extra.items() if value]
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    gap = "\n" if not before or before.endswith("\n") else "\n\n"
    after = gap + "\n".join(block) + "\n"
    _feeds(before + after, path)
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(after)


def move(path: Path, old: str, new: str) -> None:
    """Write a feed's new URL in place of its old one; not a byte else changes.

    Raises SettingsError as load does, or when no line sets that URL; before anything is written.
    """
    before = path.read_text(encoding="utf-8")
    line = re.compile(rf"(?m)^(\s*url\s*=\s*)([\"']){re.escape(old)}\2")
    after, found = line.subn(lambda start: start[1] + _quoted(new), before, count=1)
    if not found:
        raise SettingsError(f'{path}: no line reads url = "{old}"; write the new URL there: {new}')
    _feeds(after, path)
    path.write_text(after, encoding="utf-8", newline="")


def from_opml(content: bytes) -> tuple[tuple[Feed, ...], tuple[str, ...]]:
    """Read the feeds of an OPML file (opml.org/spec2.opml), and say what was left out.

    Names of elements and attributes count in any case and namespace; a feed is what has an
    xmlUrl (feedUrl, or a url that is no link or include). What is not quite XML is repaired as
    feeds are, and read as far as it goes. Folders named like a nation or a kind give it; other
    folders end up in the note. A commented outline, or one in a commented folder, is a feed that
    is not enabled.

    Raises SettingsError for what is not OPML.
    """
    text = decoded(content, "")
    try:
        found = document(text, _OPML)
    except FeedError as error:
        raise SettingsError(f"the OPML file is not XML: {error.detail}; remove its DTD") from error
    if found is None:
        other = re.search(r"<([A-Za-z][\w.:-]*)", text)
        if other:
            complaint = f"the file's root is <{other[1]}>, not <opml>: export it again as OPML"
            raise SettingsError(complaint)
        raise SettingsError("the OPML file is not XML: it has no tags; export it again as OPML")
    root, torn = _tree(found.text)
    feeds: dict[str, Feed] = {}
    left_out = [f"not well-formed, so that some may be missing: {torn}"] if torn else []
    for outline in filter(_is_outline, root.iter("*")):
        url = _url(outline)
        if not url:
            if len(outline) == 0:
                site = _attribute(outline, "htmlurl")
                left_out.append(f"no feed: {_name(outline)}{f' ({site})' if site else ''}")
            continue
        try:
            key = canonical(url)
        except ValueError as error:
            left_out.append(f"{error}: {_name(outline)}")
            continue
        if key in feeds:
            left_out.append(f"twice: {_name(outline)}")
            continue
        feeds[key] = _from_outline(outline, url)
    if torn and not feeds:
        raise SettingsError(f"the OPML file is not XML: {torn}; mend that line")
    return tuple(feeds.values()), tuple(left_out)


def _tree(text: str) -> tuple[etree._Element, str]:
    """Return an XML text's root, and what was wrong, where not all of it could be read."""
    options = {"resolve_entities": False, "no_network": True, "remove_comments": True}
    try:
        return etree.fromstring(text.encode(), etree.XMLParser(**options)), ""
    except etree.XMLSyntaxError as error:
        root = etree.fromstring(text.encode(), etree.XMLParser(**options, recover=True))
        if root is None:
            raise SettingsError(f"the OPML file is not XML: {error}; mend that line") from error
        return root, str(error)


def _is_outline(element: etree._Element) -> bool:
    name: str = etree.QName(element).localname
    return name.lower() == "outline"


def _attribute(outline: etree._Element, name: str) -> str:
    """Return an attribute by its name in lower case; one without a namespace counts first."""
    by_space = sorted(outline.items(), key=lambda item: ":" not in item[0])
    values = {re.split("[}:]", key)[-1].lower(): str(value) for key, value in by_space}
    return values.get(name, "").strip()


def _url(outline: etree._Element) -> str:
    """Return the address of an outline's feed; "" where it is none.

    In spec2.opml "url" is a link's or an included list's; programs write it for a feed, too.
    """
    kind = _attribute(outline, "type").lower()
    url = "" if kind in ("link", "include") else _attribute(outline, "url")
    url = unescaped(_attribute(outline, "xmlurl") or _attribute(outline, "feedurl") or url)
    return re.sub(r"(?i)^feed:(?://(?!/)|(?=https?://))", _scheme, url)


def _scheme(feed: re.Match[str]) -> str:
    """Return what "feed://host/" and "feed:https://host/" mean: both are Safari's."""
    return "http://" if feed[0].endswith("//") else ""


def to_opml(feeds: Iterable[Feed]) -> bytes:
    """Return the feeds as OPML 2.0, in order, foldered by nation and kind as from_opml reads."""
    opml = etree.Element("opml", {"version": "2.0"}, {"newsdesk": OURS})
    etree.SubElement(etree.SubElement(opml, "head"), "title").text = "Newsdesk feeds"
    body = etree.SubElement(opml, "body")
    for nation, of_nation in groupby(feeds, lambda feed: feed.nation):
        outer = etree.SubElement(body, "outline", text=nation)
        for kind, of_kind in groupby(of_nation, lambda feed: feed.kind):
            inner = etree.SubElement(outer, "outline", text=kind)
            for feed in of_kind:
                how = "rss" if feed.via == "feed" else feed.via
                outline = etree.SubElement(inner, "outline", type=how, text=feed.title)
                outline.set("xmlUrl", feed.url)
                if feed.note:
                    outline.set("description", feed.note)
                if not feed.enabled:
                    outline.set("isComment", "true")
                if feed.via != "feed":
                    for name in ("via", *OWN):
                        outline.set(f"{{{OURS}}}{name}", getattr(feed, name))
    content: bytes = etree.tostring(opml, xml_declaration=True, encoding="utf-8", pretty_print=True)
    return content


def _feeds(text: str, path: Path) -> tuple[Feed, ...]:
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: not TOML: {error}; mend that line") from error
    lines = text.split("\n")
    rows = tables.pop("feed", [])
    if tables or not isinstance(rows, list):
        key = next(iter(tables), "feed")
        line = _line_of(key, lines, 0)
        raise SettingsError(f"{path}, line {line}: {key!r} is not known here; write [[feed]]")
    starts = [n for n, line in enumerate(lines, 1) if re.match(r"\s*\[\[\s*feed\s*\]\]", line)]
    starts += [1] * (len(rows) - len(starts))  # written as inline tables
    seen: dict[str, int] = {}
    feeds: list[Feed] = []
    for row, start in zip(rows, starts, strict=False):
        try:
            feed = Feed(**_Row.model_validate(row).model_dump())
        except ValidationError as error:
            every = error.errors(include_url=False)
            wrong = next((one for one in every if one["type"] == "extra_forbidden"), every[0])
            line = _line_of(str(wrong["loc"][0]) if wrong["loc"] else "feed", lines, start)
            raise SettingsError(f"{path}, line {line}: {_complaint(wrong)}") from None
        key = canonical(feed.url)
        if key in seen:
            raise SettingsError(
                f"{path}, line {start}: url: the feed of line {seen[key]} again; remove one"
            )
        seen[key] = start
        feeds.append(feed)
    return tuple(feeds)


def _line_of(key: str, lines: list[str], start: int) -> int:
    """Return the line (from 1) that sets a key in the table that starts there, or its start."""
    for number, line in enumerate(lines[start:], start + 1):
        if re.match(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[]=]", line):
            return number
        if start and line.lstrip().startswith("[["):
            break
    return max(start, 1)


def _complaint(wrong: ErrorDetails) -> str:
    key = str(wrong["loc"][0]) if wrong["loc"] else "feed"
    match wrong["type"]:
        case "missing":
            return f'{key} is missing; add {key} = "..."'
        case "extra_forbidden":
            near = get_close_matches(key, _Row.model_fields, 1)
            return f"unknown key {key!r}; {f'write {near[0]}' if near else 'remove it'}"
        case "literal_error":
            return f"{key} = {wrong['input']!r} is not one of {wrong['ctx']['expected']}"
        case "bool_type":
            return f"{key} must be true or false, without quotation marks"
        case "value_error":
            return f"{key}: {wrong['ctx']['error']}"
        case "string_pattern_mismatch":
            return f"{key} holds control characters; write it on one line, without them"
        case _:
            return f"{key}: {wrong['msg'].lower()}; write text in quotation marks"


def _from_outline(outline: etree._Element, url: str) -> Feed:
    nation, kind, others = "uk", "press", []
    folders = [folder for folder in outline.iterancestors("*") if _is_outline(folder)]
    for folder in reversed(folders):
        name = _name(folder)
        slug = re.sub(r"\W+", "-", name.lower()).strip("-")
        if slug in get_args(Nation):
            nation = slug
        elif slug in get_args(Kind):
            kind = slug
        elif name:
            others.append(name)
    notes = [_clean(_attribute(outline, "description"))]
    notes += [f"folder: {' / '.join(others)}"] if others else []
    return Feed(
        url=url,
        title=_name(outline) or url,
        nation=nation,
        kind=kind,
        enabled=all(_attribute(o, "iscomment").lower() != "true" for o in (outline, *folders)),
        note="; ".join(note for note in notes if note),
        via=outline.get(f"{{{OURS}}}via", "feed"),
        **{name: _clean(outline.get(f"{{{OURS}}}{name}", "")) for name in OWN},
    )


def _name(outline: etree._Element) -> str:
    return _clean(_attribute(outline, "text") or _attribute(outline, "title"))


def _clean(text: str) -> str:
    return re.sub(f"[{_CONTROLS}]", " ", text).strip()


def _quoted(text: str) -> str:
    return json.dumps(_clean(text), ensure_ascii=False)  # JSON's escapes are TOML's too
