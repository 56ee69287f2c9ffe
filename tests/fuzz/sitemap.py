"""Any bytes are a sitemap whose every place can be kept, or end in a FeedError."""

import gzip
from datetime import timedelta

from ingest.errors import FeedError
from ingest.feeds import MAX_TITLE
from ingest.sitemaps import read_sitemap
from tests.fuzz.feeds import is_plain
from tests.fuzz.samples import real, said_in

SITEMAP = (
    b'<urlset xmlns:n="http://www.google.com/schemas/sitemap-news/0.9"><url>'
    b"<loc>https://a.example/1</loc><lastmod>2026-03-02</lastmod>%s</url></urlset>"
)
NEWS = b"<n:news><n:publication_date>2026-03-02T09:00Z</n:publication_date>%s</n:news>"


def seeds() -> list[bytes]:
    said = said_in("test_sitemaps")
    whole = [SITEMAP % one for one in (NEWS % b"<n:title>One &amp; two</n:title>", *said)]
    return [*said, *whole, gzip.compress(whole[0], mtime=0), *real("data", "feeds", most=4)]


def run(data: bytes) -> None:
    places, told = [], ""
    try:
        places += read_sitemap(data, "", "https://a.example/s.xml", 1_000_000).places
    except FeedError as error:
        told = error.outcome

    assert told in {"", "not_a_feed", "unparseable", "too_large", "bad_encoding", "bot_wall"}
    for place in places:
        assert place.url
        assert is_plain(place.title, MAX_TITLE)
        assert is_plain(place.keywords, MAX_TITLE)
        for moment in (place.changed, place.published):
            assert moment is None or moment.utcoffset() == timedelta(0)
