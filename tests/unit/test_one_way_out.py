"""Only ingest.web opens a connection: read from the syntax trees, for each file there is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WAYS_OUT = (
    "aiohttp", "curl_cffi", "ftplib", "h11", "h2", "http.client.HTTPConnection",
    "http.client.HTTPSConnection", "httpcore", "httpx", "niquests",
    "poplib", "pycurl", "requests", "smtplib", "socket", "socketserver", "ssl",
    "telnetlib", "trafilatura.cli", "trafilatura.downloads", "trafilatura.feeds",
    "trafilatura.fetch_response", "trafilatura.fetch_url", "trafilatura.sitemaps",
    "trafilatura.spider", "urllib.request", "urllib3", "websocket", "websockets", "xmlrpc",
    "feedparser.http", "feedparser.parse",
)  # fmt: skip
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("ingest", "storage", "dags", "plugins")
    for path in (ROOT / folder).rglob("*.py")
    if (ROOT / "ingest/web") not in path.parents
)


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield every name that is imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def ways_out(source: str) -> list[str]:
    """Return what a file imports, or names in full, that could open a connection."""
    tree = ast.parse(source)
    names = [*imported(tree), *(ast.unparse(n) for n in ast.walk(tree) if type(n) is ast.Attribute)]
    return [name for name in names for way in WAYS_OUT if f"{name}.".startswith(f"{way}.")]


@pytest.mark.parametrize("file", FILES)
def test_no_file_but_the_web_can_open_a_connection(file: str) -> None:
    assert ways_out((ROOT / file).read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import httpx",
        "import urllib.request as u",
        "from urllib import request",
        "def f():\n    from trafilatura import fetch_url",
        "from trafilatura.sitemaps import sitemap_search",
        "import trafilatura\ntrafilatura.downloads.fetch_response('x')",
        "import feedparser\nfeedparser.parse('http://a.example/')",
    ],
)
def test_each_way_out_would_be_noticed(source: str) -> None:
    assert ways_out(source)
