"""fundus on the feeds of benchmarks.origin; runs under fundus's Python: `FEEDS OUT`.

It has parsers for the publishers it knows, made by hand. For these sites it is given one that
takes every paragraph for the body, and all else by its generic helpers.
"""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from fundus import Crawler, RSSFeed
from fundus.parser import ArticleBody, BaseParser, ParserProxy, attribute
from fundus.parser.utility import extract_article_body_with_selector, generic_date_parsing
from fundus.publishers.base_objects import Publisher, PublisherGroup
from lxml.etree import XPath


class AnyParser(ParserProxy):
    """For any site."""

    class V1(BaseParser):
        """Its only version."""

        _paragraphs = XPath("//p")

        @attribute
        def body(self) -> ArticleBody | None:
            """Return all paragraphs."""
            return extract_article_body_with_selector(
                self.precomputed.doc, paragraph_selector=self._paragraphs
            )

        @attribute
        def publishing_date(self) -> object:
            """Return the date of the page's JSON-LD."""
            return generic_date_parsing(self.precomputed.ld.bf_search("datePublished"))

        @attribute
        def title(self) -> str | None:
            """Return the title."""
            return self.precomputed.meta.get("og:title") or "untitled"


def main() -> None:
    """Crawl all."""
    feeds, out = Path(sys.argv[1]).read_text().split(), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    by_host: dict[str, list[str]] = {}
    for feed in feeds:
        by_host.setdefault(urlsplit(feed).netloc, []).append(feed)
    publishers = {
        f"Site{n}": Publisher(
            name=f"Site{n}",
            domain=f"http://{host}/",
            parser=AnyParser,
            sources=[RSSFeed(feed, languages={"en"}) for feed in mine],
        )
        for n, (host, mine) in enumerate(by_host.items())
    }
    group = PublisherGroup("Bench", (), {"default_language": "en", **publishers})
    crawler = Crawler(group, delay=0.0)
    for n, story in enumerate(crawler.crawl(only_complete=False, timeout=30)):
        (out / f"{n:06}.txt").write_text(f"{story.title}\n\n{story.body or ''}")


if __name__ == "__main__":
    main()
