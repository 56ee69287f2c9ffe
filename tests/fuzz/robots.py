"""Any robots.txt gives rules: nothing in it raises, whatever URL is asked for."""

from contextlib import suppress
from datetime import timedelta

from ingest.web.guard import Refusal, admitted
from ingest.web.robots import Robots, _readable
from tests.builders import NOON
from tests.fuzz.samples import said_in

ORIGIN = "https://a.example"


def seeds() -> list[bytes]:
    said = said_in("test_robots")
    lines = [one for one in said if b":" in one and b"\n" not in one]
    return [*said, *(b"/a/b\n" + b"\n".join(lines[n : n + 9]) for n in range(0, len(lines), 4))]


def run(data: bytes) -> None:
    """Read a file; its first line is asked for, too, where it is part of a URL."""
    urls = [f"{ORIGIN}/", f"{ORIGIN}/a/b?c=d"]
    with suppress(Refusal):
        path = data.partition(b"\n")[0].decode("latin-1")
        urls.append(str(admitted(f"{ORIGIN}/{path}")))
    text = _readable(data)
    robots = Robots(
        None,  # type: ignore[arg-type]  # what is kept is not asked for
        "Newsdesk/1.0 (+https://newsdesk.example)",
        load=lambda origin: (text, 200, NOON),
        now=lambda: NOON,
    )

    for url in urls:
        robots.allows(url)
    delay = robots.crawl_delay(urls[0])
    assert delay is None or timedelta(0) <= delay <= timedelta(days=1)
    assert all(isinstance(one, str) for one in robots.sitemaps(urls[0]))
