"""Corpus and archive in an object store: S3 or whatever else fsspec opens by URL.

What is put there is put whole, by one request that the store refuses where an object has that
name already, and never changed. Listings are never remembered, because others write, too.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import uuid4

from botocore.exceptions import BotoCoreError
from fsspec.core import url_to_fs

from storage.archive import STAMP, Archive, record
from storage.corpus import NAME, in_order
from storage.errors import Lost, StorageError
from storage.model import Page, Place

KEPT_IN_MEMORY = 1000  # stories: a few MB


class Objects:
    """The objects below one URL."""

    def __init__(self, url: str, setting: str) -> None:
        """Open the place; raises StorageError, with what to set, when it cannot be had."""
        self.url, self._setting = url.rstrip("/"), setting
        with self._told(self.url):
            if not urlsplit(url).netloc:
                raise ValueError("it names no bucket")
            self._fs, root = url_to_fs(self.url, use_listings_cache=False)
            self._root = root.rstrip("/")
            self.sizes("-")  # one request, and no name: it says whether any could be had

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Return the objects whose names begin so, and their bytes; in no order."""
        with self._told(self.url):
            found = self._fs.find(self._root, prefix=prefix, detail=True)
        below = f"{self._root}/"  # itself may be listed, where it was emptied
        return {
            path.removeprefix(below): said["size"]
            for path, said in found.items()
            if path.startswith(below + prefix) and path != below
        }

    def get(self, name: str, begin: int = 0, end: int | None = None) -> bytes:
        """Return bytes of an object, by one request; raises Lost when there are none."""
        with self._told(f"{self.url}/{name}"):
            data: bytes = self._fs.cat_file(f"{self._root}/{name}", start=begin, end=end)
        return data

    def put(self, name: str, data: bytes) -> bool:
        """Put an object there unless one has that name; tell whether it was put."""
        with self._told(f"{self.url}/{name}"):
            try:
                self._fs.pipe_file(f"{self._root}/{name}", data, mode="create")
            except OSError as error:
                if isinstance(error, FileExistsError) or _code(error) == "PreconditionFailed":
                    return False
                raise
        return True

    def remove(self, name: str) -> None:
        """Take an object away; none there changes nothing."""
        with self._told(f"{self.url}/{name}"), suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._root}/{name}")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what a store says into an error of ours."""
        try:
            yield
        except (OSError, ValueError, ImportError, BotoCoreError) as error:
            code, said = _code(error), str(error) or type(error).__name__
            missing = isinstance(error, FileNotFoundError) and code != "NoSuchBucket"
            if missing or code == "InvalidRange":
                raise Lost(f"{what} is not there: {said}") from error
            todo = f"set {self._setting} to a folder or to s3://bucket/folder"
            if code == "NotImplemented":
                todo = "a store is needed that knows PUT with If-None-Match, as S3 does"
            elif not isinstance(error, ValueError | ImportError):
                todo += (
                    " of a bucket that exists, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to who "
                    "may read, write and list there, AWS_ENDPOINT_URL if the store is not Amazon's"
                )
            raise StorageError(f"{what}: {said}: {todo}") from error


def _code(error: BaseException) -> str:
    """Return S3's own word for an error, or nothing."""
    response: dict[str, Any] = getattr(error.__cause__, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


class ObjectCorpus:
    """Story files as objects, under the names that they have in a folder."""

    local: ClassVar = False

    def __init__(self, objects: Objects) -> None:
        self._objects, self._sure = objects, False
        # never changed: what is read before the admission need not be read in it again
        self._get = lru_cache(KEPT_IN_MEMORY)(objects.get)

    def names(self) -> list[str]:
        """Return the names of all story files, by rising number."""
        # in tenths: a million at once take a gigabyte of memory while they are listed
        return in_order(name for digit in "0123456789" for name in self._objects.sizes(digit))

    def mark(self, number: int) -> str:
        """Return the day, or "" when there is a file with the `number` that should be the next.

        No store tells cheaply whether files came or went, and a listing is a request for each
        thousand: so a file that a person gives the next number is seen at once, others in a day.
        """
        there = self._objects.sizes(f"{number:03d}_")
        return "" if there else datetime.now(UTC).date().isoformat()

    def strangers(self) -> list[str]:
        """Return the names of whatever else lies there."""
        return sorted(name for name in self._objects.sizes() if not NAME.match(name))

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises Lost when there is no such file, else StorageError."""
        return self._get(name)

    def keep(self, name: str, data: bytes) -> None:
        """Put a file there; the same bytes again change nothing.

        Raises StorageError for other bytes under that name, and for a store that would have
        replaced them.
        """
        new = self._objects.put(name, data)
        if not new and self.read(name) != data:
            where = f"{self._objects.url}/{name}"
            raise StorageError(f"{where} holds another text: move it away, run again")
        if new and not self._sure and self._objects.put(name, data):
            raise StorageError(
                f"{self._objects.url}: this store replaces objects in spite of If-None-Match, so "
                "that writers could undo each other: use one that does not, or a folder"
            )
        self._sure = True

    def remove(self, name: str) -> None:
        """Take a file away that a person decided against; none there changes nothing."""
        self._objects.remove(name)
        self._get.cache_clear()


class ObjectArchive(Archive):
    """WARC files as objects, one for the pages that are added together; none grows afterwards."""

    local: ClassVar = False

    def __init__(self, objects: Objects) -> None:
        self._objects, self.where = objects, objects.url

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def append(self, page: Page) -> Place:
        """Add a page as an object of its own; nobody waits for anybody."""
        return self.add([record(page)], page.fetched)[0]

    def add(self, records: Iterable[bytes], now: datetime) -> list[Place]:
        """Add what `record` made of pages, and return their places once all are in the store."""
        stamp = now.astimezone(UTC).strftime(STAMP)
        name, data, places = f"newsdesk-{stamp}-{uuid4().hex}.warc.gz", bytearray(), []
        for one in records:
            places.append(Place(file=name, offset=len(data), length=len(one)))
            data += one
        if places:
            self._objects.put(name, bytes(data))
        return places

    def member(self, place: Place) -> bytes:
        """Return the record at a place as it lies there; raises Lost without its object."""
        return self._objects.get(place.file, place.offset, place.offset + place.length)

    def files(self) -> list[tuple[str, int, datetime]]:
        """Return name, bytes and time of every object that `add` made."""
        found = []
        for name, size in sorted(self._objects.sizes("newsdesk-").items()):
            with suppress(ValueError):  # none of ours
                made = datetime.strptime(name.split("-")[1], STAMP).replace(tzinfo=UTC)
                found.append((name, size, made))
        return found

    def is_free(self, file: str) -> bool:
        """Nobody appends to an object."""
        return True

    def remove(self, file: str) -> None:
        """Remove an object, with all records in it."""
        self._objects.remove(file)

    @property
    def scratch(self) -> Path:
        """Where to put a file for as long as it is being read."""
        return Path(tempfile.gettempdir()) / f"newsdesk-{os.getuid()}"
