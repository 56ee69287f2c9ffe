"""The fuzzer's targets keep their promises for what they begin with; see tests/fuzz."""

import pytest

from tests.fuzz import TARGETS, target


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_its_seeds(name: str) -> None:
    one = target(name)
    seeds = one.seeds()

    for seed in seeds:
        one.run(seed)

    assert len(seeds) > 9
