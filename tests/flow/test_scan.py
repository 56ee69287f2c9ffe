"""What is in a WARC file is found, whatever else is in it, however it is read and how often."""

import gzip
import time
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import brotli
import pytest

from ingest import scan as verb
from ingest.errors import FetchError, RunFailed, SettingsError
from ingest.settings import HERE
from ingest.sift import sift
from ingest.stretch import look, lost
from ingest.workers import Workers
from storage.warc import Piece
from tests.builders import NOON
from tests.home import Clock, Home
from tests.newssite import NewsSite, Reply

TOPIC = HERE / "topics" / "health-social-care-integration.toml"
TEXTS = HERE / "demo" / "texts"
ON, OFF = "joint-board-savings", "off-bakery"
WORKERS = Workers(look, lost)  # for all tests: starting takes them a second
scan = partial(verb.scan, workers=WORKERS)
DOCTYPE = b"<!DOCTYPE html>"


@pytest.fixture(autouse=True, scope="module")
def _workers() -> Iterator[None]:
    with WORKERS:
        yield


def page(name: str = ON, extra: str = "", day: str = "2019-03-04") -> str:
    title, *lines = (TEXTS / f"{name}.txt").read_text("utf-8").split("\n")
    text = "".join(f"<p>{line}</p>" for line in lines if line.strip())
    meta = f'<meta property="article:published_time" content="{day}T09:00:00Z">'
    head = f"<head><title>{title}</title>{meta}</head>"
    return f"<!DOCTYPE html><html lang=en>{head}<body><h1>{title}</h1>{text}{extra}</body></html>"


def record(
    url: str,
    body: bytes,
    *headers: str,
    kind: str = "response",
    status: int = 200,
    said: str = "",
    longer: int = 0,
) -> bytes:
    lines = [f"HTTP/1.1 {status} OK", *(headers or ["Content-Type: text/html"])]
    answer = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Date: 2019-03-05T10:00:00Z\r\n{said}"
        f"WARC-Target-URI: {url}\r\nContent-Length: {len(answer) + longer}\r\n\r\n"
    )
    return head.encode() + answer + b"\r\n\r\n"


def packed(*records: bytes) -> bytes:
    return b"".join(gzip.compress(one, mtime=0) for one in records)


def on_topic(number: int, extra: str = "") -> bytes:
    """A story of its own: copies of one are refused."""
    names = sorted(one.stem for one in TEXTS.glob("[!o]*.txt"))
    return record(f"http://a.example/{number}", page(names[number], extra).encode())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, NEWS_TOPIC=str(TOPIC))


def file(home: Home, data: bytes, name: str = "CC-NEWS-1.warc.gz") -> str:
    path = home.corpus.parent / name
    path.write_bytes(data)
    return str(path)


def sifted(home: Home, *names: str, piece: int = 4_000_000) -> tuple[dict[str, int], set[str]]:
    """Scan and sift; return the last one's counts, and the URLs of what was kept."""
    with home.desk(Clock(datetime.now(UTC))) as desk:
        counts = [scan(desk, name, piece=piece) for name in names][-1]
        sift(desk)
        return counts, kept(home)


def kept(home: Home) -> set[str]:
    with home.desk() as desk:
        every = desk.catalog.decided(0, 1000)
        return {one.waiting.entry.url for one in every if one.verdict.keep}


def test_a_file_gives_its_pages_on_the_topic_and_tells_what_all_others_are(home: Home) -> None:
    image = record("http://a.example/i", b"\x89PNG", "Content-Type: image/png")
    name = file(
        home,
        packed(
            record("", b"", kind="warcinfo"),
            record("http://a.example/0", b"", kind="request"),
            on_topic(0),
            record("http://a.example/off", page(OFF).encode() * 20),
            record("http://a.example/0", b"", kind="revisit"),
            record("http://a.example/gone", page().encode(), status=404),
            record("http://a.example/cut", page().encode(), said="WARC-Truncated: length\r\n"),
            image,
            on_topic(1),
        ),
    )

    counts, urls = sifted(home, name)

    assert urls == {"http://a.example/0", "http://a.example/1"}
    assert counts == {
        "records": 9, "pages": 2, "found": 2, "not_responses": 2, "no_word": 1, "revisits": 1,
        "not_200": 1, "truncated": 1, "not_html": 1,
    }  # fmt: skip
    with home.desk() as desk:
        life = desk.catalog.decided(0, 1)[0].waiting
        assert life.place
        assert desk.archive.read(life.place).fetched == datetime(2019, 3, 5, 10, tzinfo=UTC)
        assert life.entry.source == "warc:CC-NEWS-1.warc.gz"


WHOLE = packed(on_topic(1))
DAMAGE = {
    "cut": WHOLE[: len(WHOLE) // 2],
    "a bit turned": WHOLE[:400] + bytes([WHOLE[400] ^ 8]) + WHOLE[401:],
    "a wrong checksum": WHOLE[:-8] + b"\0\0\0\0" + WHOLE[-4:],
    "noise": Random(1).randbytes(5000),
    "too long": packed(record("http://a.example/x", page().encode(), longer=10_000)),
    "too short": packed(record("http://a.example/x", page().encode(), longer=-100)),
    "no length": packed(b"WARC/1.0\r\nWARC-Type: response\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
    "no date": packed(on_topic(1).replace(b"2019-03-05T10:00:00Z", b"soon")),
    "no record": gzip.compress(b"something else"),
    "empty": gzip.compress(b""),
    "a bomb": packed(record("http://a.example/x", b"<" * 50_000_000)),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("piece", [700, 4_000_000])
def test_damage_costs_itself(home: Home, damage: str, piece: int) -> None:
    name = file(home, packed(on_topic(0)) + DAMAGE[damage] + packed(on_topic(2), on_topic(3)))

    with home.desk() as desk:
        counts = scan(desk, name, piece=piece)

    assert counts["pages"] == counts["found"] == 3
    assert counts["records"] == 3 + sum(
        counts.get(why, 0) for why in ("corrupt", "wrong_length", "too_large")
    )
    assert counts["records"] > 3


def test_a_file_that_ends_within_a_record_gives_the_ones_before_it(home: Home) -> None:
    whole = packed(on_topic(0), on_topic(1))

    counts, urls = sifted(home, file(home, whole[:-40]))

    assert urls == {"http://a.example/0"}
    assert counts["corrupt"] == 1


HTML = "Content-Type: text/html"
CODED: dict[str, tuple[bytes, list[str]]] = {
    "utf-16": (page().encode("utf-16"), ["Content-Type: text/html; charset=utf-16"]),
    "latin-1": (page().encode("latin-1", "xmlcharrefreplace"), [HTML]),
    "soft hyphens": (page().replace("tegr", "te\u00adgr").replace("oci", "o\u00adci").encode(), []),
    "gzip": (gzip.compress(page().encode()), [HTML, "Content-Encoding: gzip"]),
    "br": (brotli.compress(page().encode()), [HTML, "Content-Encoding: br"]),
    "deflate": (zlib.compress(page().encode()), [HTML, "Content-Encoding: deflate"]),
    "raw deflate": (zlib.compress(page().encode(), wbits=-15), [HTML, "Content-Encoding: deflate"]),
    "undone already": (
        page().encode(), [HTML, "Content-Encoding: gzip", "Transfer-Encoding: chunked"],
    ),
    "chunked": (b"f\r\n" + DOCTYPE + b"\r\n%x;a=b\r\n" % len(page().encode()) + page().encode()
        + b"\r\n0\r\n\r\n", [HTML, "Transfer-Encoding: chunked"]),
}  # fmt: skip


@pytest.mark.parametrize("coding", CODED)
def test_a_page_is_read_in_whatever_coding_it_lies(home: Home, coding: str) -> None:
    body, headers = CODED[coding]

    _, urls = sifted(home, file(home, packed(record("http://a.example/1", body, *headers))))

    assert urls == {"http://a.example/1"}
    assert "savings" in next(iter(home.files().values())).decode()


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(page().encode())[:-20], "gzip"),
        (brotli.compress(b"<" * 50_000_000), "br"),
        (gzip.compress(b"<" * 50_000_000), "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
    ],
)
def test_what_cannot_be_decoded_or_is_too_large_is_counted(
    home: Home, body: bytes, coding: str
) -> None:
    bad = record("http://a.example/x", body, HTML, f"Content-Encoding: {coding}")

    with home.desk() as desk:
        counts = scan(desk, file(home, packed(bad, on_topic(0))))

    assert (counts["undecodable"], counts["pages"]) == (1, 1)


def test_a_plain_file_and_members_of_many_records_are_read(home: Home) -> None:
    plain = file(home, b"".join(on_topic(n) for n in range(4)), "a.warc")
    whole = file(home, gzip.compress(on_topic(4) + on_topic(5)), "b.warc.gz")

    _, urls = sifted(home, plain, whole, piece=900)

    assert len(urls) == 6


def test_a_record_within_a_payload_is_no_record(home: Home) -> None:
    inner = packed(*(record(f"http://forged.example/{n}", page().encode()) for n in range(9)))
    noise = Random(2).randbytes(3000)  # so that the member holds the others' bytes as they are
    outer = record("http://a.example/x.warc.gz", noise + inner + noise, "Content-Type: x/y")
    stored = zlib.compressobj(0, wbits=31)
    name = file(home, stored.compress(outer) + stored.flush() + packed(on_topic(0)))

    with home.desk() as desk:
        counts = scan(desk, name, piece=2000)

    assert (counts["records"], counts["pages"]) == (2, 1)


@pytest.mark.parametrize("size", [300, 1000, 5000, 70_000])
def test_pieces_of_any_size_have_every_record_once(tmp_path: Path, size: int) -> None:
    draw, path = Random(3), tmp_path / "x.warc.gz"
    bodies = [draw.randbytes(draw.randrange(9000)).hex().encode() for _ in range(40)]
    path.write_bytes(packed(*(record(f"http://a.example/{n}", b) for n, b in enumerate(bodies))))
    total, urls, at = path.stat().st_size, list[str](), 0

    for start in range(0, total, size):
        piece = Piece(path, start, min(start + size, total), exact=start == 0, most=10**7)
        urls += [one.url for one in piece.responses()]
        if urls and piece.ended > at:
            assert piece.began in (at, piece.ended)
            at = max(at, piece.ended)

    assert urls == [f"http://a.example/{n}" for n in range(40)]


def padded(numbers: Iterable[int]) -> bytes:
    """Records large enough for many pieces."""
    draw = Random(4)
    return packed(*(on_topic(n, f"<!-- {draw.randbytes(40_000).hex()} -->") for n in numbers))


def test_a_killed_run_goes_on_where_it_was(home: Home) -> None:
    many = b"".join(padded(range(8)) for _ in range(40)) + packed(on_topic(9))
    name = file(home, many)
    process = home.start("scan", name)

    with home.desk() as desk:
        while not (read := desk.catalog.slices(["warc:CC-NEWS-1.warc.gz"], date.min, date.max)) or (
            not read[0].cursor
        ):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
    process.kill()
    process.communicate()
    with home.desk(Clock(datetime.now(UTC))) as desk:
        counts = scan(desk, name)
        sift(desk)

    assert counts["records"] == counts["pages"] == 321
    assert counts["found"] == 9
    assert kept(home) == {f"http://a.example/{n}" for n in (*range(8), 9)}
    assert home.newsdesk("verify") == []


def test_a_file_read_twice_adds_nothing_and_one_that_grew_what_is_new(home: Home) -> None:
    name = file(home, packed(on_topic(0)))
    first = sifted(home, name)

    again = sifted(home, name)
    with Path(name).open("ab") as grown:
        grown.write(packed(on_topic(1)))
    counts, urls = sifted(home, name)
    other = sifted(home, file(home, packed(on_topic(2)) + packed(on_topic(0))))

    assert again == first
    assert (counts["records"], len(urls)) == (2, 2)
    assert (other[0]["records"], len(other[1])) == (2, 3)


def test_two_files_at_once_give_every_page_once(home: Home) -> None:
    names = [
        file(home, packed(*(on_topic(n) for n in numbers)), f"{numbers.start}.warc.gz")
        for numbers in (range(6), range(4, 10))
    ]

    def read(turn: int) -> dict[str, int]:
        clock = Clock(NOON + timedelta(hours=turn))  # by which the archive names its files
        with home.desk(clock) as desk, Workers(look, lost, count=1) as workers:
            return verb.scan(desk, names[turn], piece=900, workers=workers)

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(read, range(2)))
    with home.desk() as desk:
        sift(desk)

    assert [one["pages"] for one in counts] == [6, 6]
    assert kept(home) == {f"http://a.example/{n}" for n in range(10)}


def test_of_a_window_the_stories_own_dates_decide(home: Home) -> None:
    old = record("http://a.example/old", page(day="2016-02-29").encode())
    name = file(home, packed(old, on_topic(0)))

    with home.desk() as desk:
        scan(desk, name, date(2016, 1, 1), date(2016, 3, 1))
        sift(desk)
        first = kept(home)
        then = scan(desk, name, date(2019, 3, 1), date(2019, 4, 1))
        sift(desk)

    assert first == {"http://a.example/old"}
    assert then["records"] == 2
    assert kept(home) == {"http://a.example/old", "http://a.example/0"}


class Store(NewsSite):
    """Gives the bytes that were asked for of one file, and breaks off at the turn it is told."""

    def __init__(self, data: bytes) -> None:
        self.data, self.breaks = data, 0
        super().__init__()

    def shown(self, path: str) -> Any:
        asked = self.asked[-1].headers.get("range", "")
        if path != "/a.warc.gz" or not asked:
            return super().shown(path)
        self.breaks -= 1
        if self.breaks == 0:
            return Reply(status=503)
        first, last = map(int, asked.removeprefix("bytes=").split("-"))
        said = f"bytes {first}-{min(last, len(self.data) - 1)}/{len(self.data)}"
        return Reply(body=self.data[first : last + 1], status=206, headers={"Content-Range": said})


def test_a_file_is_fetched_in_ranges_and_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    noise = Random(1).randbytes(30_000)
    data = packed(*(record(f"http://a.example/{n}", on_topic(n)) for n in range(2)), noise)
    home = Home(tmp_path, NEWS_TOPIC=str(TOPIC), NEWS_MAX_PAGE_BYTES="10000")
    with Store(data) as store, home.desk() as desk:
        url = store.url("/a.warc.gz")
        store.breaks = 3
        with pytest.raises(FetchError, match="503"):
            scan(desk, url)
        first = scan(desk, url)
        asked = [one.headers["range"] for one in store.asked if one.path == "/a.warc.gz"]
        again = scan(desk, url)
        sift(desk)

        assert first["pages"] == 2
        assert asked[:4] == [f"bytes={at}-{at + 9999}" for at in (0, 10_000, 20_000, 20_000)]
        assert again == first
        assert len(asked) == sum(one.path == "/a.warc.gz" for one in store.asked)
        assert kept(home) == {"http://a.example/0", "http://a.example/1"}
        assert list((desk.archive.folder / "scan").iterdir()) == []


def test_a_site_without_ranges_is_told(home: Home) -> None:
    with NewsSite() as site, home.desk() as desk, pytest.raises(RunFailed, match="no ranges"):
        scan(desk, site.publish("/a.warc.gz", b"x"))


def test_what_is_no_file_of_records_is_told(home: Home, tmp_path: Path) -> None:
    with home.desk() as desk:
        with pytest.raises(SettingsError, match="cannot be read"):
            scan(desk, str(tmp_path / "none.warc.gz"))
        with pytest.raises(RunFailed, match="not one record"):
            scan(desk, file(home, b"no records here" * 99))
