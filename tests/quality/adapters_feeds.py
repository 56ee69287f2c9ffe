"""What the feed evaluation calls: the product's own functions, in plain values."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from ingest.errors import FeedError
from ingest.feeds import parse_feed


def feed_entries(raw: bytes, headers: Mapping[str, str]) -> list[dict[str, str | None]]:
    """Return title, link and date of each entry, refused ones included, in the feed's order.

    Without the URL that answered, relative links stay as they are. No feed: no entries.
    """
    content_type = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
    try:
        feed = parse_feed(raw, content_type, base_url="", source="")
    except FeedError:
        return []
    found = [_plainly(entry.title, entry.link, entry.published) for entry in feed.entries]
    for one in feed.refused:
        found.insert(one.place, _plainly(one.title, one.link, one.published))
    return found


def _plainly(title: str, link: str, published: datetime | None) -> dict[str, str | None]:
    try:
        urlsplit(link)
    except ValueError:  # no parser takes it for a link, feedparser's neither
        link = ""
    return {
        "title": title,
        "link": link,
        "published": published.isoformat() if published else None,
    }
