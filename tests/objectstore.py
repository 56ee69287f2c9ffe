"""An S3 server on loopback, a process of its own."""

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import s3fs


class ObjectStore:
    """A server, and what the environment of those who use it must hold."""

    def __init__(self, port: int) -> None:
        self.environment: Mapping[str, str] = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "newsdesk",
            "AWS_SECRET_ACCESS_KEY": "a secret of no account",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def files(self) -> s3fs.S3FileSystem:
        """Return another client than the one that is tested."""
        return s3fs.S3FileSystem(
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            key=self.environment["AWS_ACCESS_KEY_ID"],
            secret=self.environment["AWS_SECRET_ACCESS_KEY"],
            use_listings_cache=False,
        )

    def bucket(self) -> str:
        """Make a bucket of a test's own."""
        name = f"news-{uuid.uuid4().hex}"
        self.files().mkdir(name)
        return name


@contextmanager
def running() -> Iterator[ObjectStore]:
    """Start a server; end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "from moto.server import ThreadedMotoServer as Server\n"
        f"server = Server('127.0.0.1', {port}, verbose=False)\n"
        "server.start()\n"
        "print('ready', flush=True)\n"
        "input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a line a request
        env={**os.environ, "MOTO_S3_CUSTOM_ENDPOINTS": ""},
    ) as server:
        try:
            assert server.stdout
            assert server.stdout.readline() == b"ready\n"
            yield ObjectStore(port)
        finally:
            server.kill()


@dataclass
class Shelf:
    """A place for files, and another way to it than the one that is tested."""

    where: str  # as in NEWS_CORPUS
    fs: Any  # of fsspec

    def at(self, name: str) -> str:
        return f"{self.where}/{name}"

    def names(self) -> list[str]:
        return sorted(path.rpartition("/")[2] for path in self.fs.find(self.where))

    def read(self, name: str) -> bytes:
        return bytes(self.fs.cat_file(self.at(name)))

    def put(self, name: str, data: bytes) -> None:
        if "://" not in self.where:
            self.fs.makedirs(self.where, exist_ok=True)
        self.fs.pipe_file(self.at(name), data)

    def open(self, name: str) -> BinaryIO:
        file: BinaryIO = self.fs.open(self.at(name), "rb")
        return file

    def spoil(self) -> None:
        """Let the place be one that cannot be had: in a file, in a bucket that is not there."""
        if "://" in self.where:
            self.where = "s3://no-such-bucket/shelf"
        else:
            self.fs.touch(self.where)
            self.where += "/in-a-file"
