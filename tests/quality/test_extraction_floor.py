"""Floors for extraction on real pages, and what hostile pages cost.

The data lies beside the checkout, if anywhere; its own script measures. trafilatura 2.3.1 alone
has on it: 0.9635 on all full texts, 0.9645 on aeb, 0.9612 on fundus, 0.9494 on trafeval, titles
of fundus 0.71, days 41 of 42, 53 of 61 and 35 of 38.
"""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ingest.extract import Extract, Hints, decode, extract, lost
from ingest.feeds import parse_feed
from ingest.fulltext import page_of, worth_keeping
from ingest.furniture import marks, recurring
from ingest.workers import Workers
from tests.builders import NOON, shared

# Of the marked texts that the floors were measured on.
DIGEST = "bc93287e4bd34be45f4938f4e1508c17b973367b263f450b80f98a9228493486"


@pytest.fixture(scope="module")
def data() -> Path:
    return shared("data", "extraction")


@pytest.fixture(scope="module")
def measured(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("measured") / "out.json"
    root = str(Path(__file__).parents[2])
    subprocess.run(
        [sys.executable, data / "evaluate.py", "tests.quality.adapters_extract:extract_page",
         "--data", data, "--title-line", "drop", "--json", out],
        cwd=root, env={**os.environ, "PYTHONPATH": root}, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def pages(data: Path) -> Iterator[tuple[str, bytes]]:
    gold = json.loads((data / "gold.json").read_text(encoding="utf-8"))
    for name, one in sorted(gold.items()):
        yield one["url"], gzip.decompress((data / "html" / f"{name}.html.gz").read_bytes())


@pytest.mark.shared
def test_the_floors_stand_on_the_data_they_were_measured_on(data: Path) -> None:
    assert sha256((data / "gold.json").read_bytes()).hexdigest() == DIGEST


@pytest.mark.shared
@pytest.mark.parametrize(
    ("pages", "floor"),
    [("all-full", 0.978), ("aeb", 0.981), ("fundus", 0.971), ("trafeval", 0.958)],
)
def test_text_is_better_than_trafilatura_alone_finds_it(
    measured: dict[str, Any], pages: str, floor: float
) -> None:
    assert measured["failures"] == {}
    assert measured["sets"][pages]["f1"] >= floor


@pytest.mark.shared
@pytest.mark.parametrize(
    ("pages", "title", "day"), [("fundus", 39, 42), ("trafeval", 59, 53), ("dates", 0, 35)]
)
def test_titles_and_days_are_found(
    measured: dict[str, Any], pages: str, title: int, day: int
) -> None:
    right = measured["sets"][pages]["metadata"]

    assert right.get("title_exact", 0) >= title
    assert right["date_exact"] >= day


@pytest.mark.shared
def test_a_bad_byte_in_a_real_page_spoils_one_character(data: Path) -> None:
    tried = 0
    for _, content in pages(data):
        whole, half = content.decode(errors="ignore"), len(content) // 2
        if len(whole.encode()) != len(content) or whole.isascii():
            continue

        spoilt = decode(content[:half] + b"\xff" + content[half:], "text/html; charset=iso-8859-1")

        assert spoilt.startswith(decode(content[:half]).rstrip("\ufffd"))
        assert spoilt.endswith(content[half:].decode(errors="ignore"))
        tried += 1
    assert tried > 75


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "line", "stories"),
    [
        ("rss-parser__guardian.rss.gz", "Continue reading...", 43),
        ("feed-rs__atom_mediarss_reddit_1.xml.gz", "[link] [comments]", 22),
    ],
)
def test_what_recurs_in_a_real_feed_s_texts_goes_and_nothing_else(
    name: str, line: str, stories: int
) -> None:
    feed = gzip.decompress(shared("data", "feeds", "feeds", name).read_bytes())
    entries = parse_feed(feed, "", base_url="https://ferrynews.co.uk/", source="x").entries
    told = [page_of(e, e.content, NOON).content for e in entries if worth_keeping(e.content or "")]
    again = recurring(marks(page.decode()) for page in told)

    found = [extract(page, "", "", Hints(recurring=again)).removed for page in told]

    gone = [one.line for removed in found for one in removed if one.rule == "recurs"]
    assert gone == [line] * stories


SENTENCE = (
    b"<p>The ward in the old wing will be shut from June, and the staff were told on Monday.</p>"
)
HOSTILE = {
    "deep": b"<div>" * 50_000 + SENTENCE * 9,
    "breaks": b"word<br>" * 1_250_000,
    "table": b"<table>" + b"<tr><td>a cell of the table</td><td>1</td></tr>" * 200_000,
    "links": b"".join(b"<a href='/%d'>a link to story %d</a> " % (n, n) for n in range(300_000)),
    "attributes": b"<p " + b" ".join(b'a%d="x"' % n for n in range(200_000)) + b">" + SENTENCE,
    "text": b"<p>" + b"word " * 4_000_000,
    "script": b"<script>" + b"x" * 12_000_000 + b"</script>" + SENTENCE,
    "data": b'<script type="application/ld+json">' + b"[" * 900_000 + b"</script>" + SENTENCE,
    "title": b"<title>" + b"a | " * 400_000 + b"</title>" + SENTENCE,
    "comment": b"<!-- " + SENTENCE * 9,
    "entities": b'<!DOCTYPE html [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><p>&b;&b;&b;</p>',
    "noise": bytes(range(256)) * 2_000,
    "nothing": b"",
}


@pytest.mark.slow
def test_every_hostile_page_is_answered_and_the_next_page_is_read() -> None:
    good = b"<html><title>The ward is shut</title><body><article>" + SENTENCE * 3 + b"</article>"
    sheets = [(page, "text/html", "https://ferrynews.co.uk/a", Hints()) for page in
              [page for hostile in HOSTILE.values() for page in (hostile, good)]]  # fmt: skip

    with Workers[Extract](extract, lost, count=2, seconds=10, memory=1_000_000_000) as workers:
        found = list(workers.map(sheets))

    assert len(found) == len(sheets)
    assert all(one.blocks and not one.fault for one in found[1::2])
