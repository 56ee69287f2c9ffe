"""A small world that fails in every way there is, for ten days: nothing is lost, nobody is hurt."""

from pathlib import Path

import pytest

from tests.chaos.__main__ import both
from tests.chaos.world import World, planned

SMALL = {"seed": 1, "hosts": 8, "feeds": 30, "days": 10, "tick": 6}


@pytest.mark.slow
def test_whatever_fails_every_story_ends_as_if_nothing_had(tmp_path: Path) -> None:
    rig, _, violations = both(tmp_path, SMALL)

    assert {name: against for name, against in violations.items() if against} == {}
    assert len(rig.told.faults) >= 25


def test_a_world_is_the_same_for_the_same_seed_and_fails_in_every_way() -> None:
    one, other = World(**SMALL), World(**SMALL)

    assert one.stories == other.stories
    assert [feed.windows for feed in one.feeds] == [feed.windows for feed in other.feeds]
    assert len(planned(one)) >= 38
