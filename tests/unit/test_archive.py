"""Pages go into WARC files and come back as they were."""

import gzip
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from storage.archive import Archive
from storage.errors import StorageError
from storage.model import Page, Place
from tests.builders import PAGE

CODED = replace(
    PAGE,
    final_url="http://news.example/b",
    headers=(
        ("Content-Type", "text/html"),
        ("X-Odd", "caf\xe9"),
        ("X-Utf-8", "caf\xc3\xa9"),
        ("X-Empty", ""),
        ("Content-Encoding", "gzip"),
        ("Transfer-Encoding", "chunked"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
    ),
    payload=gzip.compress(PAGE.content, mtime=0),
    hops=("http://news.example/a", "http://news.example/b"),
)


FROM_FEED = replace(
    PAGE, url="http://news.example/feed", status=0, hops=("http://news.example/feed",)
)


@pytest.mark.parametrize("page", [PAGE, CODED, FROM_FEED], ids=["plain", "gzip", "from_feed"])
def test_a_page_comes_back_as_it_came(tmp_path: Path, page: object) -> None:
    with Archive(tmp_path) as archive:
        first, second = archive.append(page), archive.append(page)  # type: ignore[arg-type]

        assert archive.read(first) == archive.read(second) == page


def test_other_programs_read_the_records(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        place = archive.append(CODED)

    with (tmp_path / place.file).open("rb") as file:
        records = [
            (r.rec_type, r.http_headers.get_header("X-Odd"), r.content_stream().read())
            for r in ArchiveIterator(file, check_digests="raise")
        ]

    assert records == [("response", "caf\xe9", PAGE.content)]


def test_what_came_in_a_feed_is_not_taken_for_the_sites_answer(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        place = archive.append(FROM_FEED)

    with (tmp_path / place.file).open("rb") as file:
        (kind,) = [(r.rec_type, r.http_headers, r.content_type) for r in ArchiveIterator(file)]

    assert kind == ("conversion", None, "text/html; charset=utf-8")


def test_a_torn_record_costs_itself_only(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        whole, torn = archive.append(PAGE), archive.append(PAGE)
    path = tmp_path / whole.file
    path.write_bytes(path.read_bytes()[:-60])

    assert archive.read(whole) == PAGE
    with pytest.raises(StorageError, match="no page at"):
        archive.read(torn)


@pytest.mark.parametrize(
    "header", ["X-Newsdesk-Hops", "WARC-Target-URI", "WARC-Date", "Content-Type"]
)
@pytest.mark.parametrize("page", [PAGE, FROM_FEED], ids=["response", "conversion"])
def test_a_record_that_another_program_wrote_is_no_page(
    tmp_path: Path, page: Page, header: str
) -> None:
    with Archive(tmp_path) as archive:
        place = archive.append(page)
    path = tmp_path / place.file
    record = re.sub(rf"(?m)^{header}: .*\n".encode(), b"", gzip.decompress(path.read_bytes()))
    path.write_bytes(gzip.compress(record))

    with pytest.raises(StorageError, match="no page at"):
        Archive(tmp_path).read(replace(place, length=path.stat().st_size))


def test_a_place_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"no page at .*gone.warc.gz:5"):
        Archive(tmp_path).read(Place(file="gone.warc.gz", offset=5, length=9))


def test_a_writer_killed_at_any_moment_leaves_readable_records(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from storage.archive import Archive; "
        "from tests.builders import PAGE; import sys\n"
        f"archive = Archive(Path({str(tmp_path)!r}))\n"
        "while True: print(archive.append(PAGE).offset, flush=True)"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    written = [int(writer.stdout.readline()) for _ in range(50)]

    os.kill(writer.pid, signal.SIGKILL)
    written += [int(line) for line in writer.stdout]
    writer.wait()
    writer.stdout.close()

    (file,) = tmp_path.iterdir()
    places = [Place(file=file.name, offset=o, length=n - o) for o, n in pairwise(written)]
    assert [Archive(tmp_path).read(place) for place in places] == [PAGE] * len(places)


def test_no_file_of_the_archive_is_named_by_a_page(tmp_path: Path) -> None:
    hostile = replace(PAGE, url="http://a.example/../../x", final_url="http://../%2e%2e/CON\\..")

    with Archive(tmp_path / "archive") as archive:
        place = archive.append(hostile)

    assert re.fullmatch(r"newsdesk-\d{20}-\d+\.warc\.gz", place.file)
    assert [path.name for path in tmp_path.rglob("*.*")] == [place.file]
