"""S3 servers on loopback: that of moto, and the service s3 of docker-compose.yml."""

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import s3fs

from tests.cluster import SERVICES, Cluster


@dataclass(frozen=True)
class ObjectStore:
    """A server, and what the environment of those who use it must hold."""

    address: str
    secret: str
    environment: Mapping[str, str]

    def files(self) -> s3fs.S3FileSystem:
        """Return another client than the one that is tested."""
        return s3fs.S3FileSystem(
            endpoint_url=self.address, key="newsdesk", secret=self.secret, use_listings_cache=False
        )

    def lend(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """Make a bucket; this process and its children can reach it."""
        s3fs.S3FileSystem.clear_instance_cache()  # it may know another server
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        return self.bucket()

    def bucket(self, kind: str = "news") -> str:
        """Make a bucket of a test's own; of a `careless` or `old` kind, see _serve."""
        name = f"{kind}-{uuid.uuid4().hex}"
        self.files().mkdir(name)
        return name


@contextmanager
def running() -> Iterator[ObjectStore]:
    """Start moto's; end it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.objectstore"],
        stdin=subprocess.PIPE,  # it ends when this does
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a line a request
        cwd=Path(__file__).resolve().parents[1],
    ) as server:
        try:
            assert server.stdout
            address, secret = f"http://127.0.0.1:{int(server.stdout.readline())}", "of no account"
            said = {
                "ENDPOINT_URL": address, "ACCESS_KEY_ID": "newsdesk", "SECRET_ACCESS_KEY": secret,
                "DEFAULT_REGION": "us-east-1", "EC2_METADATA_DISABLED": "true",
            }  # fmt: skip
            yield ObjectStore(address, secret, {f"AWS_{name}": one for name, one in said.items()})
        finally:
            server.kill()


@contextmanager
def composed(folder: Path) -> Iterator[ObjectStore]:
    """Start what docker-compose.yml says of s3, and nothing else; it is found by the file `aws`."""
    others = tuple(name for name in SERVICES if name != "s3")
    with Cluster(folder, {}, workers=0, without=others) as cluster:
        secrets = folder / "state/secrets"
        yield ObjectStore(
            f"http://127.0.0.1:{cluster.ports['s3']}",
            (secrets / "s3_secret_key").read_text(),
            {"AWS_SHARED_CREDENTIALS_FILE": str(secrets / "aws")},
        )


@dataclass
class Shelf:
    """A place for files, and another way to it than the one that is tested."""

    where: str  # as in NEWS_CORPUS
    fs: Any  # of fsspec

    def at(self, name: str) -> str:
        return f"{self.where}/{name}"

    def names(self) -> list[str]:
        below = f"{self.where.removeprefix('s3://')}/"  # itself may be listed, once emptied
        return sorted(p.rpartition("/")[2] for p in self.fs.find(self.where) if p.startswith(below))

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


def _serve() -> None:
    """Be the server until standard input ends; say on which port."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    s3 = DomainDispatcherApplication(create_backend_app)
    refusal = b"<Error><Code>NotImplemented</Code><Message>A header is not known</Message></Error>"

    def answer(environ: Any, start: Any) -> Any:
        """Know no conditions in buckets whose names begin so; else be moto."""
        if environ["PATH_INFO"].startswith("/careless-"):
            environ.pop("HTTP_IF_NONE_MATCH", None)
        if environ["PATH_INFO"].startswith("/old-") and "HTTP_IF_NONE_MATCH" in environ:
            start("501 Not Implemented", [("Content-Type", "application/xml")])
            return [refusal]
        return s3(environ, start)

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve()
