"""The fuzzer's targets keep their promises for what they begin with; see tests/fuzz."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import TARGETS, target


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_its_seeds(name: str) -> None:
    one = target(name)
    seeds = one.seeds()

    for seed in seeds:
        one.run(seed)

    assert len(seeds) > 9


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_any_bytes_and_any_heap_of_its_seeds(name: str) -> None:
    one = target(name)
    short = [seed for seed in one.seeds() if len(seed) < 500]

    @given(st.binary() | st.lists(st.sampled_from(short), max_size=6).map(b"".join))
    def holds(data: bytes) -> None:
        one.run(data)

    holds()
