"""Where in a page's tree its story is: trafilatura, and what it needs around it. Pure.

Measured on 206 marked pages, of trafilatura's own F1 of 0.9635 and ours of 0.9792: boxes that are
furniture by name are worth 0.003, layout tables 0.005, bodies in several containers 0.004,
ingest.furniture 0.008 (decision 10). trafilatura is imported on first use: it costs a process
0.4 s and 40 MB.
"""

import logging
import re
from collections import defaultdict
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from ingest.furniture import DATA, Removed

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# What it says of a page it cannot read, the page's fault says already.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
_NAMED = {kind: names.split() for kind, names in DATA["boxes"].items()}
_BOX = re.compile(
    rf"(?:^|[\s_-])(?:{'|'.join(_NAMED['starts'])}|(?:{'|'.join(_NAMED['whole'])})(?![a-z]))"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def strip(tree: "HtmlElement") -> list[Removed]:
    """Take out of a tree what cannot be story, and tell of the boxes that had words in them.

    Boxes go by their class or id. A name that holds more than two fifths of the text in the
    page's paragraphs is no furniture on that page: a gallery's story is in its captions.
    """
    from lxml.etree import strip_elements

    strip_elements(tree, *_NAMED["inert"], with_tail=False)
    whole = sum(len(p.text_content()) for p in tree.iter("p"))
    found: dict[str, list[HtmlElement]] = defaultdict(list)
    chosen: set[HtmlElement] = set()
    for box in tree.iter(*_NAMED["tags"]):
        name = _box_name(f"{box.get('class', '')} {box.get('id', '')}")
        if name and chosen.isdisjoint(box.iterancestors()):
            chosen.add(box)
            found[name].append(box)
    removed = []
    for name, boxes in found.items():
        texts = [" ".join(box.text_content().split()) for box in boxes]
        if sum(map(len, texts)) > max(0.4 * whole, 200):
            continue
        for box, text in zip(boxes, texts, strict=True):
            if box.getparent() is not None and box.find(".//h1") is None:
                box.drop_tree()
                removed += [Removed(f"box:{name}", text[:120])] if text.count(" ") > 2 else []
    return removed


def lines(tree: "HtmlElement", url: str) -> list[str]:
    """Return the lines of the page's body: paragraphs, headings, "- " list lines, table rows."""
    for cell in list(tree.iter("td")):  # a cell with several paragraphs lays out a page
        if len(cell.findall(".//p")) > 2 or len(cell.findall(".//br")) > 9:
            for box in (cell, *cell.iterancestors("tr", "tbody", "table")):
                box.tag = "div"
    found = _trafilatura(tree, url)
    frame = _wider_frame(tree, found)
    if frame is None:
        return found
    frame.set("itemprop", "articleBody")  # the first mark that trafilatura looks for
    wider = _trafilatura(tree, url)
    return wider if sum(map(len, wider)) > 1.3 * sum(map(len, found)) else found


def _trafilatura(tree: "HtmlElement", url: str) -> list[str]:
    from trafilatura import bare_extraction

    found = bare_extraction(tree, url=url, include_comments=False, include_tables=True)
    text = getattr(found, "text", None) or ""
    return [line for raw in text.splitlines() if (line := _cells(raw.strip()))]


def _cells(line: str) -> str:
    """Return a table's row as its cells parted by commas, any other line as it is."""
    if not line.startswith("|"):
        return line
    return ", ".join(filter(None, (cell.strip(" -") for cell in line.split("|"))))


def _wider_frame(tree: "HtmlElement", found: list[str]) -> "HtmlElement | None":
    """Return the element around all containers of the kinds the body was found in, or None.

    trafilatura keeps the first of several containers (its issues 85, 234, 488). None where the
    others hold little, or are other stories: with a heading of their own, or more than three
    levels away.
    """
    paragraphs = [(p, " ".join(p.text_content().split())) for p in tree.iter("p")]
    if sum(len(text) for _, text in paragraphs) < 1.3 * sum(map(len, found)):
        return None
    held = set(found)
    kinds: dict[tuple[str, str], list[tuple[HtmlElement, str]]] = defaultdict(list)
    for p, text in paragraphs:
        parent = p.getparent()
        if len(text) > 60 and parent is not None and parent.get("class"):
            kinds[parent.tag, parent.get("class")].append((p, text))
    ours = [pair for kind in kinds.values() if any(t in held for _, t in kind) for pair in kind]
    missing = sum(len(text) for _, text in ours if text not in held)
    if missing < 0.5 * sum(len(text) for _, text in ours if text in held) or not missing:
        return None
    for frame in islice(ours[0][0].iterancestors(), 1, 4):
        if all(frame in p.iterancestors() for p, _ in ours):
            return frame if all(len(list(frame.iter(t))) < 2 for t in ("h1", "article")) else None
    return None


@lru_cache(maxsize=20_000)
def _box_name(names: str) -> str:
    found = _BOX.search(_CAMEL.sub("-", names).lower()) if len(names) > 1 else None
    return found[0].strip(" _-") if found else ""
