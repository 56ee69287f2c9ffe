"""Pages go into WARC files and come back as they were: in a folder and in an object store."""

import gzip
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from storage.archive import open_archive, record
from storage.errors import Lost, StorageError
from storage.model import Page, Place
from tests.builders import NOON, PAGE
from tests.objectstore import Shelf

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
def test_a_page_comes_back_as_it_came(shelf: Shelf, page: Page) -> None:
    with open_archive(shelf.where) as archive:
        first, second = archive.append(page), archive.append(page)

        assert archive.read(first) == archive.read(second) == page


def test_pages_of_many_threads_come_back_each_from_its_place(shelf: Shelf) -> None:
    bodies = [f"page {n}".encode() for n in range(64)]
    pages = [replace(PAGE, content=body, payload=body) for body in bodies]

    with open_archive(shelf.where) as archive, ThreadPoolExecutor(16) as threads:
        places = list(threads.map(archive.append, pages))

        assert [archive.read(place) for place in places] == pages


def test_a_disk_that_fails_fails_every_thread_in_line(tmp_path: Path) -> None:
    with open_archive(str(tmp_path / "archive")) as archive, ThreadPoolExecutor(8) as threads:
        (tmp_path / "archive").rmdir()
        tries = [threads.submit(archive.append, PAGE) for _ in range(8)]

        assert all(isinstance(one.exception(5), StorageError) for one in tries)


def test_pages_added_together_lie_in_one_file_that_other_programs_read(shelf: Shelf) -> None:
    with open_archive(shelf.where) as archive:
        places = archive.add([record(CODED), record(PAGE)], NOON)
        assert [archive.read(place) for place in places] == [CODED, PAGE]

    with shelf.open(places[0].file) as file:
        records = [
            (r.rec_type, r.http_headers.get_header("X-Odd"), r.content_stream().read())
            for r in ArchiveIterator(file, check_digests="raise")
        ]

    assert {place.file for place in places} == {*shelf.names()}
    assert records == [("response", "caf\xe9", PAGE.content), ("response", None, PAGE.content)]


def test_to_add_no_page_leaves_no_file(shelf: Shelf) -> None:
    with open_archive(shelf.where) as archive:
        assert archive.add([], NOON) == []

    assert shelf.names() == []


def test_what_came_in_a_feed_is_not_taken_for_the_sites_answer(shelf: Shelf) -> None:
    with open_archive(shelf.where) as archive:
        place = archive.append(FROM_FEED)

    with shelf.open(place.file) as file:
        (kind,) = [(r.rec_type, r.http_headers, r.content_type) for r in ArchiveIterator(file)]

    assert kind == ("conversion", None, "text/html; charset=utf-8")


def test_a_torn_record_costs_itself_only(shelf: Shelf) -> None:
    with open_archive(shelf.where) as archive:
        whole, torn = archive.add([record(PAGE)] * 2, NOON)
    shelf.put(whole.file, shelf.read(whole.file)[:-60])

    with open_archive(shelf.where) as archive:
        assert archive.read(whole) == PAGE
        with pytest.raises(Lost, match="no page at"):
            archive.read(torn)


@pytest.mark.parametrize(
    "header", ["X-Newsdesk-Hops", "WARC-Target-URI", "WARC-Date", "Content-Type"]
)
@pytest.mark.parametrize("page", [PAGE, FROM_FEED], ids=["response", "conversion"])
def test_a_record_that_another_program_wrote_is_no_page(
    shelf: Shelf, page: Page, header: str
) -> None:
    with open_archive(shelf.where) as archive:
        place = archive.append(page)
    theirs = re.sub(rf"(?m)^{header}: .*\n".encode(), b"", gzip.decompress(shelf.read(place.file)))
    shelf.put(place.file, gzip.compress(theirs))

    with open_archive(shelf.where) as archive, pytest.raises(Lost, match="no page at"):
        archive.read(replace(place, length=len(shelf.read(place.file))))


@pytest.mark.parametrize("begin", [0, 100_000])
def test_a_place_that_is_not_there_is_an_error_that_names_it(shelf: Shelf, begin: int) -> None:
    shelf.put("short.warc.gz", b"short")

    with open_archive(shelf.where) as archive:
        for name in ("gone.warc.gz", "short.warc.gz"):
            with pytest.raises(Lost, match=rf"no page at .*{name}:{begin}"):
                archive.read(Place(file=name, offset=begin, length=9))


def test_a_place_that_cannot_be_had_says_what_to_set(shelf: Shelf) -> None:
    shelf.spoil()

    with pytest.raises(StorageError, match=r"set NEWS_ARCHIVE to a folder"):
        open_archive(shelf.where)
