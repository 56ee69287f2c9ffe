"""RSS, RDF, Atom and JSON feeds."""

from dataclasses import replace

from ingest.feeds import Refused, parse_feed
from ingest.sources.source import Listing, Source, ask
from storage.model import Entry, FeedState, Verdict

ACCEPT = (
    "application/atom+xml,application/rss+xml,application/rdf+xml;q=0.9,"
    "application/feed+json;q=0.9,application/xml;q=0.8,text/xml;q=0.8,*/*;q=0.5"
)


class FeedSource(Source):
    """One feed of the feeds file."""

    def entries(self, state: FeedState) -> Listing:
        """Ask the feed once; raises FetchError or FeedError when it gives nothing."""
        page, listing = ask(self.web, state, ACCEPT, self.may_ask)
        if not listing.read:
            return listing
        content_type = page.header("content-type") or ""
        feed = parse_feed(
            page.content, content_type, page.final_url, self.feed.url, self.tracking,
            languages=self.languages, now=page.fetched,
        )  # fmt: skip
        refused = tuple(
            _refused(one, self.feed.url) for one in feed.refused if one.reason != "cut_off"
        )
        told = [feed.note] if feed.note else []
        if refused:
            entry, verdict = refused[0]
            told += [f"refused {len(refused)}, such as {entry.url}: {verdict.reason}"]
        return replace(
            listing,
            outcome="listed" if feed.entries else "empty_valid",
            detail="; ".join(told),
            title=feed.title,
            entries=feed.entries,
            refused=refused,
            timing=replace(feed.timing, fresh=listing.timing.fresh),
        )


def _refused(one: Refused, source: str) -> tuple[Entry, Verdict]:
    """Return what stands for a refused entry; one without a link is named by its title."""
    url = one.link or f"{source}#{one.title}"
    entry = Entry(url=url, link=one.link, title=one.title, source=source, published=one.published)
    return entry, Verdict(one.reason, f"link={one.link!r}")
