"""Any bytes are a page that lists stories, or end in a FeedError; so is any selector."""

from datetime import timedelta

from ingest.errors import FeedError
from ingest.feeds import MAX_TITLE
from ingest.listing import MAX_ENTRIES, parse_listing
from ingest.urls import canonical
from tests.fuzz.feeds import is_plain
from tests.fuzz.samples import real, said_in

URL = "https://board.example/news"


def seeds() -> list[bytes]:
    said = said_in("test_listing")
    pages = [*said, *real("data", "extraction", "html", most=10)]
    return [*pages, *(b"ul.news > li | .day\n" + page for page in pages)]


def run(data: bytes) -> None:
    """Read a page; a first line with a bar names its selectors, of items and of dates."""
    first, _, rest = data.partition(b"\n")
    item, bar, date = first.decode("ascii", "replace").partition("|")
    try:
        if bar:
            found = parse_listing(rest, "", URL, URL, item.strip(), date.strip())
        else:
            found = parse_listing(data, "", URL, URL, "a")
    except FeedError as error:
        found, told = None, error.outcome
    if not found:
        assert told == "nothing_selected"
        return

    assert 0 < len(found.entries) <= MAX_ENTRIES
    for entry in found.entries:
        assert canonical(entry.url) == entry.url
        assert is_plain(entry.title, MAX_TITLE)
        assert entry.published is None or entry.published.utcoffset() == timedelta(0)
