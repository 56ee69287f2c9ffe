"""Real pages, where they are at hand, on loopback hosts of our own, listed by feeds of ours."""

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from storage.corpus import parse
from tests.builders import shared
from tests.newssite import NewsSite

HOSTS = 12


@dataclass(frozen=True)
class RealPage:
    """One page: where it is shown, and what is known to be right about it."""

    url: str
    gold: dict[str, Any]
    body: bytes

    @property
    def is_free_story(self) -> bool:
        """Tell whether its publisher calls it free, and no live blog, and its text is known."""
        return (
            len(self.gold.get("text", "").split()) >= 80
            and not re.search(rb'"isAccessibleForFree"\s*:\s*"?false', self.body, re.IGNORECASE)
            and b"LiveBlogPosting" not in self.body
        )


@dataclass
class RealSites:
    sites: list[NewsSite]
    feeds: list[str]
    pages: list[RealPage]
    copies: list[str]  # pages whose text the seeds hold

    def asked(self) -> int:
        return sum(len(site.asked) for site in self.sites)

    def feeds_file(self, path: Path) -> Path:
        lines = [
            f'[[feed]]\nurl = "{url}"\ntitle = "Feed {n}"\n' for n, url in enumerate(self.feeds)
        ]
        path.write_text("\n".join(lines))
        return path


@contextmanager
def real_sites(every: int = 1, net: int = 1) -> Iterator[RealSites]:
    """Show every nth gold page and the seeds, wrapped as pages; one feed a host, of every kind.

    The hosts are of 127.0.`net`.0.
    """
    folder = shared("data", "extraction")
    gold: dict[str, Any] = json.loads((folder / "gold.json").read_text())
    seeds = sorted(shared("seeds").iterdir())
    with ExitStack() as stack:
        sites = [stack.enter_context(NewsSite(f"127.0.{net}.{n + 1}")) for n in range(HOSTS)]
        listed: list[list[tuple[str, str, str]]] = [[] for _ in sites]
        shown = RealSites(sites, [], [], [])
        for place, name in enumerate(sorted(gold)[::every]):
            site = sites[place % HOSTS]
            page = gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes())
            url = site.publish(f"/{name}", page, content_type="text/html", gzip=place % 2 == 0)
            shown.pages.append(RealPage(url, gold[name], page))
            listed[place % HOSTS].append((url, gold[name].get("title") or "", _date(gold[name])))
        for place, seed in enumerate(seeds):
            site = sites[place % HOSTS]
            url = site.publish(f"/seed/{place}", _wrapped(seed))
            shown.copies.append(url)
            listed[place % HOSTS].append((url, parse(seed.read_bytes()).title, "2019-01-01"))
        for place, site in enumerate(sites):
            make, kind = KINDS[place % len(KINDS)]
            shown.feeds.append(site.publish("/feed", make(listed[place]), content_type=kind))
            site.publish("/robots.txt", "User-agent: *\nAllow: /\n", content_type="text/plain")
        yield shown


def _date(gold: dict[str, Any]) -> str:
    return str(gold.get("date") or "2020-05-04")[:10]


def _wrapped(seed: Path) -> str:
    """Return a seed as the page of another outlet."""
    story = parse(seed.read_bytes())
    body = "".join(f"<p>{escape(line.strip(' •'))}</p>" for line in story.text.splitlines() if line)
    return (
        f"<html lang=en><head><title>{escape(story.title)} | The Other Paper</title></head><body>"
        f"<nav><a href=/>Home</a> <a href=/news>News</a></nav><article><h1>{escape(story.title)}"
        f"</h1>{body}</article><footer>About us</footer></body></html>"
    )


Listed = Sequence[tuple[str, str, str]]  # URL, title, day


def _rss(listed: Listed) -> str:
    entries = "".join(
        f"<item><title>{escape(title)}</title><link>{escape(url)}</link><guid>{escape(url)}</guid>"
        f"<pubDate>{day}T08:00:00Z</pubDate></item>"
        for url, title, day in listed
    )
    return f'<rss version="2.0"><channel><title>RSS</title>{entries}</channel></rss>'


def _atom(listed: Listed) -> str:
    entries = "".join(
        f"<entry><id>{escape(url)}</id><title>{escape(title)}</title>"
        f'<link href="{escape(url)}"/><published>{day}T08:00:00Z</published></entry>'
        for url, title, day in listed
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Atom</title>{entries}</feed>'


def _rdf(listed: Listed) -> str:
    entries = "".join(
        f'<item rdf:about="{escape(url)}"><title>{escape(title)}</title><link>{escape(url)}</link>'
        f"<dc:date>{day}T08:00:00Z</dc:date></item>"
        for url, title, day in listed
    )
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>RDF</title></channel>{entries}</rdf:RDF>"
    )


def _json(listed: Listed) -> str:
    entries = [
        {"id": url, "url": url, "title": title, "date_published": f"{day}T08:00:00Z"}
        for url, title, day in listed
    ]
    version = "https://jsonfeed.org/version/1.1"
    return json.dumps({"version": version, "title": "JSON", "items": entries})


KINDS = (
    (_rss, "application/rss+xml"),
    (_atom, "application/atom+xml"),
    (_rdf, "application/rdf+xml"),
    (_json, "application/feed+json"),
)
