"""Floors for reading real and awkward feeds; the data lies beside the checkout, if anywhere."""

import gzip
import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.quality.adapters_feeds import feed_entries

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "feeds"
pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    if not (DATA / "expected.json").exists():
        pytest.skip(f"no real data beside the checkout: {DATA}")
    found: dict[str, Any] = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))
    return found


def bodies(documents: dict[str, Any]) -> Iterator[tuple[bytes, dict[str, str], dict[str, Any]]]:
    for one in documents.values():
        yield gzip.decompress((DATA / one["file"]).read_bytes()), one.get("http_headers", {}), one


def alike(text: str | None) -> str:
    """Compare as the data's own checker does: no tags, no entities, one kind of space."""
    words = re.sub(r"<[^>]+>", "", html.unescape(html.unescape(text or "")))
    return " ".join(words.split())


def test_entries_titles_and_links_are_those_expected(documents: dict[str, Any]) -> None:
    right: Counter[str] = Counter()
    wrong: list[tuple[str, str]] = []
    for raw, headers, one in bodies(documents):
        expected, agrees = one["expected"], one["feedparser"].get("agrees", {})
        got = feed_entries(raw, headers)
        checks = {"entries": len(got) == expected["entries"]}
        for field, key in (("titles", "title"), ("links", "link")):
            if field in expected and agrees.get(field) is not False and checks["entries"]:
                pairs = zip(expected[field], got, strict=True)
                checks[field] = all(alike(a) == alike(b[key]) for a, b in pairs)
        right.update(field for field, held in checks.items() if held)
        wrong += [(one["file"], field) for field, held in checks.items() if not held]

    assert wrong == []
    assert right == {"entries": 141, "titles": 140, "links": 136}  # feedparser's own figures


def test_dates_are_those_expected_wherever_a_feed_says_published(
    documents: dict[str, Any],
) -> None:
    differ = [
        (one["file"], wanted, entry["published"])
        for raw, headers, one in bodies(documents)
        if one["feedparser"].get("agrees", {}).get("published")
        for wanted, entry in zip(
            one["expected"].get("published", ()), feed_entries(raw, headers), strict=False
        )
        if wanted and (entry["published"] or "")[:19] != wanted[:19]
    ]

    assert differ == []
