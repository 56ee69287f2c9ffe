"""Any text is one canonical URL or none, and all that reads URLs sees the same host in it."""

from contextlib import suppress

from httpx import URL

from ingest.declared import believable
from ingest.secrets import Secrets
from ingest.urls import (
    MAX_LENGTH,
    canonical,
    host_of,
    is_home_page,
    lies_within,
    refusal,
    same_site,
)
from ingest.web.client import _joined, redacted
from ingest.web.guard import Refusal, admitted
from tests.fuzz.samples import said_in

KEY = "s3cr3t-0f-a"
SECRETS = Secrets([f"https://a.example/feed?key={KEY}"])
MARKED = SECRETS.masked(KEY).encode()
BASE = "https://board.example.org/news/1?page=2"


def seeds() -> list[bytes]:
    said = [one for one in said_in("test_urls", "test_guard") if len(one) < 300]
    keyed = [b"https://a.example/?" + MARKED, b"https://b.example/?key=" + MARKED, MARKED]
    return [*said, *keyed, *(b"https://a.example/" + one for one in said)]


def run(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    redacted(text)
    with suppress(Refusal):
        admitted(text)
    with suppress(Refusal):  # a redirect leads to what may be asked, or nowhere
        admitted(_joined(URL(BASE), data.decode("latin-1")))
    try:
        url = canonical(text, frozenset({"session"}), "a.example")
    except ValueError:
        return

    assert url.isascii()
    assert len(url) <= MAX_LENGTH
    assert canonical(url, frozenset({"session"}), "a.example") == url
    assert same_site(url, url)
    with suppress(Refusal):
        assert host_of(str(admitted(url))) == host_of(url)
    is_home_page(url)
    refusal(url)
    lies_within(url, text)
    link = believable(text, BASE)
    assert link in ("", canonical(link or BASE))
    if host_of(url).removeprefix("www.") != "a.example" or url.startswith("http:"):
        assert KEY not in SECRETS.revealed(url.replace(KEY, ""))
    assert KEY not in SECRETS.masked(url)
