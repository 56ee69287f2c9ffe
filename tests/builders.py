"""Nouns for tests, each ready to be changed with dataclasses.replace."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.model import Entry, Fingerprint, Page, Story

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SHARED = Path(__file__).resolve().parents[1].parent / "shared"  # real data, on some machines

ENTRY = Entry(
    url="http://news.example/a",
    link="http://news.example/a?utm_source=feed",
    title="Board and council agree one budget",
    source="http://news.example/feed",
    published=NOON - timedelta(hours=3),
)
STORY = Story(title="Board and council agree one budget", text="They shook hands.\n\nIt is signed.")
FINGERPRINT = Fingerprint(exact=b"one", sketch=(1, 2, 3), words=7)
PAGE = Page(
    url="http://news.example/a",
    final_url="http://news.example/a",
    status=200,
    headers=(("Content-Type", "text/html; charset=utf-8"),),
    payload=b"<html><body>They shook hands.</body></html>",
    content=b"<html><body>They shook hands.</body></html>",
    fetched=NOON,
    hops=("http://news.example/a",),
)


def shared(*parts: str) -> Path:
    """Return a path in the folder of real data, or skip the test that asks for it."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no real data beside the checkout: {'/'.join(parts)}")
    return path
