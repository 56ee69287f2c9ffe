"""What holds for every test."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import objectstore
from tests.home import READERS
from tests.objectstore import ObjectStore

# A busy machine is no fault of the code: speed is measured in benchmarks/, not in tests. What
# fails here fails everywhere: chance is for `pytest --hypothesis-profile=default` and tests.fuzz.
settings.register_profile("newsdesk", deadline=None, derandomize=True)
settings.load_profile("newsdesk")


@pytest.fixture(scope="session", autouse=True)
def _readers() -> Iterator[None]:
    """End the child processes that all tests share."""
    with READERS:
        yield


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    with objectstore.running() as store:
        yield store


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with objectstore.composed(tmp_path_factory.mktemp("seaweedfs") / "home") as store:
        yield store


@pytest.fixture
def bucket(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> str:
    return object_store.lend(monkeypatch)
