"""The databases that a contract holds on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import SERVER, database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catalog.sqlite'}"
        return
    if not SERVER:
        pytest.skip("NEWS_TEST_POSTGRES is not set; .ci/run starts a server and sets it")
    with database() as url:
        yield url
