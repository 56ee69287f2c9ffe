"""The four kinds of feed there are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import escape


@dataclass(frozen=True)
class Listed:
    url: str
    title: str
    day: datetime


def rss(title: str, listed: Sequence[Listed]) -> str:
    entries = "".join(
        f"<item><title>{escape(one.title)}</title><link>{escape(one.url)}</link>"
        f'<guid isPermaLink="false">{escape(one.url)}</guid>'
        f"<pubDate>{format_datetime(one.day, usegmt=True)}</pubDate></item>\n"
        for one in listed
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>'
        f"<title>{escape(title)}</title><ttl>60</ttl>\n{entries}</channel></rss>"
    )


def rdf(title: str, listed: Sequence[Listed]) -> str:
    entries = "".join(
        f'<item rdf:about="{escape(one.url)}"><title>{escape(one.title)}</title>'
        f"<link>{escape(one.url)}</link><dc:date>{one.day.isoformat()}</dc:date></item>\n"
        for one in listed
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>{escape(title)}</title></channel>\n{entries}</rdf:RDF>"
    )


def atom(title: str, listed: Sequence[Listed]) -> str:
    entries = "".join(
        f'<entry><id>{escape(one.url)}</id><title type="html">{escape(escape(one.title))}</title>'
        f'<link rel="alternate" href="{escape(one.url)}"/>'
        f"<published>{one.day.isoformat()}</published><updated>{one.day.isoformat()}</updated>"
        "</entry>\n"
        for one in listed
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>urn:demo</id><title>{escape(title)}</title>\n{entries}</feed>"
    )


def json_feed(title: str, listed: Sequence[Listed]) -> str:
    entries = [
        {"id": one.url, "url": one.url, "title": one.title, "date_published": one.day.isoformat()}
        for one in listed
    ]
    version = "https://jsonfeed.org/version/1.1"
    return json.dumps({"version": version, "title": title, "items": entries}, indent=1)
