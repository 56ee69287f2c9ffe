"""Where entries come from: each kind of source is one file here and one line in SOURCES."""

from collections.abc import Mapping

from ingest.sources.chained import Archives, Following
from ingest.sources.feed import FeedSource
from ingest.sources.govuk import GovUk
from ingest.sources.guardian import Guardian
from ingest.sources.mapped import Sitemaps
from ingest.sources.numbered import Paged, Pages
from ingest.sources.page import ListingPage
from ingest.sources.past import Way
from ingest.sources.sitemap import SitemapSource
from ingest.sources.source import Listing, Source
from ingest.sources.wayback import Wayback
from ingest.sources.wordpress import WordPress

SOURCES: Mapping[str, type[Source]] = {
    "feed": FeedSource,
    "listing": ListingPage,
    "sitemap": SitemapSource,
}

# Ways into the past of a source, the best first: what it offers is found by asking in this order.
WAYS: Mapping[str, type[Way]] = {
    "wordpress": WordPress,
    "paged": Paged,  # where it is closed
    "govuk": GovUk,
    "guardian": Guardian,
    "archives": Archives,
    "next_url": Following,
    "pages": Pages,
    "sitemap": Sitemaps,
    "wayback": Wayback,
}

__all__ = ["SOURCES", "WAYS", "Listing", "Source", "Way"]
