"""A small world that fails in every way there is, for ten days: nothing is lost, nobody is hurt."""

from collections import Counter
from pathlib import Path

import pytest

from tests.chaos import workers
from tests.chaos.__main__ import both
from tests.chaos.invariants import sooner_than
from tests.chaos.world import World, planned

SMALL = {"seed": 1, "hosts": 8, "feeds": 30, "days": 10, "tick": 6}


@pytest.mark.slow
@pytest.mark.timeout(600)  # 60 s of CPU: minutes on a busy machine
def test_whatever_fails_every_story_ends_as_if_nothing_had(tmp_path: Path) -> None:
    rig, _, violations = both(tmp_path, SMALL)

    assert {name: against for name, against in violations.items() if against} == {}
    assert len(rig.told.faults) >= 25


@pytest.mark.slow
def test_workers_that_run_at_once_keep_the_gap_together_and_lose_nothing(tmp_path: Path) -> None:
    seen = workers.run(tmp_path)

    with seen.home.desk() as desk:
        tally = desk.catalog.tally()
    world = seen.origin.world
    alive = {feed.number for feed in world.feeds if feed.gone_at is None}
    offered = [story for story in world.stories if alive & set(story.feeds)]
    asked = [(one.host, one.path) for one in seen.origin.asked if one.kind == "page"]
    twice = [one for one, times in Counter(asked).items() if times > 1]
    assert seen.errors == []
    assert list(sooner_than(seen.origin, workers.GAP)) == []
    assert sum(tally.values()) == len(offered)
    assert "to_fetch" not in tally
    assert len(twice) <= len(world.hosts)  # what the one that was killed was at


def test_a_world_is_the_same_for_the_same_seed_and_fails_in_every_way() -> None:
    one, other = World(**SMALL), World(**SMALL)

    assert one.stories == other.stories
    assert [feed.windows for feed in one.feeds] == [feed.windows for feed in other.feeds]
    assert len(planned(one)) >= 38
