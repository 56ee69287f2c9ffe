"""Any bytes are a feed whose every field can be kept, or end in a FeedError."""

import re
from datetime import timedelta

from ingest.errors import FeedError
from ingest.feeds import MAX_SUMMARY, MAX_TITLE, parse_feed
from ingest.lenient import MAX_ENTRIES
from ingest.urls import canonical
from tests.fuzz.samples import real, said_in

HOME = "https://board.example.org/news/feed"
RSS = b"<rss><channel><title>Board news</title><item>%s</item></channel></rss>"
JSON = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", %s}]}'


def seeds() -> list[bytes]:
    said = said_in("test_feeds")
    return [*said, *(RSS % one for one in said), JSON % b'"url": "/a"', *real("data", "feeds")]


def run(data: bytes) -> None:
    """Read a body; what stands before a first line end may be its content type."""
    kind, _, rest = data.partition(b"\n")
    labelled = b"charset" in kind and kind[:1] != b"<"
    content_type = kind.decode("latin-1") if labelled else ""
    try:
        feed = parse_feed(rest if labelled else data, content_type, HOME, HOME)
    except FeedError:
        return

    assert len(feed.entries) + len(feed.refused) <= MAX_ENTRIES
    assert is_plain(feed.title, MAX_TITLE)
    for entry in feed.entries:
        assert canonical(entry.url, frozenset(), "board.example.org") == entry.url
        assert is_plain(entry.title, MAX_TITLE)
        assert is_plain(entry.summary, MAX_SUMMARY)
        for moment in (entry.published, entry.updated):
            assert moment is None or moment.utcoffset() == timedelta(0)
        for text in (entry.link, entry.guid, entry.content, entry.date_text):
            assert "\0" not in (text or "")  # PostgreSQL takes none
            (text or "").encode()
    for one in feed.refused:
        assert is_plain(one.title, MAX_TITLE)
        assert is_plain(one.link, 2048)
    timing = feed.timing
    assert all(span is None or span > timedelta(0) for span in (timing.ttl, timing.update_every))
    assert timing.skip_hours <= set(range(24))
    assert timing.skip_days <= set(range(7))


def is_plain(text: str, most: int) -> bool:
    """Tell whether a text is one line that can be shown and kept anywhere."""
    text.encode()
    return len(text) <= most and not re.search("[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
