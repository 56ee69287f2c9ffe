"""What holds for every test."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.home import READERS

# A busy machine is no fault of the code: speed is measured in benchmarks/, not in tests. What
# fails here fails everywhere: chance is for `pytest --hypothesis-profile=default` and tests.fuzz.
settings.register_profile("newsdesk", deadline=None, derandomize=True)
settings.load_profile("newsdesk")


@pytest.fixture(scope="session", autouse=True)
def _readers() -> Iterator[None]:
    """End the child processes that all tests share."""
    with READERS:
        yield
