"""The databases, and the places for files, that a contract holds on."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tests.databases import SERVER, database
from tests.objectstore import Shelf


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catalog.sqlite'}"
        return
    if not SERVER:
        pytest.skip("NEWS_TEST_POSTGRES is not set; .ci/run starts a server and sets it")
    with database() as url:
        yield url


@pytest.fixture(params=["folder", "object_store", "seaweedfs"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Return an empty place for the files of a corpus or an archive."""
    if request.param == "folder":
        return Shelf(str(tmp_path / "shelf"), fsspec.filesystem("file"))
    store = request.getfixturevalue(request.param)
    return Shelf(f"s3://{store.lend(monkeypatch)}/news/shelf", store.files())
