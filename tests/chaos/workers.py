"""Workers that run at once, in real time, one of them killed: what the hosts see of it."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.clock import RealClock
from tests.chaos.origin import Origin
from tests.chaos.rig import SETTINGS
from tests.chaos.world import World
from tests.home import Home

SIZE = {"seed": 1, "hosts": 4, "feeds": 8, "days": 6, "tick": 6}
WORKERS = 3
GAP = 0.2  # seconds, of real time
KILLED_AT = 12  # requests


@dataclass(kw_only=True)
class Seen:
    """What came of it."""

    origin: Origin
    home: Home
    errors: list[str]


def run(folder: Path) -> Seen:
    """Let workers discover and fetch side by side; kill one on its way and start another."""
    world, epoch = World(**SIZE), time.time()
    for host in world.hosts:
        host.delay = None  # nobody has the time
    with Origin(world, RealClock(epoch), folder, calm=True) as origin:
        feeds = [origin.url(feed) for feed in world.feeds]
        settings = {**SETTINGS, "NEWS_HOST_GAP": str(GAP), "NEWS_FETCH_DEADLINE": "5"}
        home = Home(folder / "home", feeds, **settings)
        (folder / "rig.json").write_text(
            json.dumps({
                "size": SIZE, "news": home.news, "authority": origin.authority, "real": epoch,
            })
        )  # fmt: skip
        workers = [_start(folder) for _ in range(WORKERS)]

        def count() -> None:
            if len(origin.asked) == KILLED_AT:
                workers[0].kill()

        origin.on_request = count
        workers[0].wait()
        workers.append(_start(folder))
        errors = [worker.communicate()[1] for worker in workers]
        workers = [_start(folder)]  # what was in the hands of the one that was killed
        errors += [worker.communicate()[1] for worker in workers]
    return Seen(origin=origin, home=home, errors=[error for error in errors if error])


def _start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.child", str(folder), "discover", "fetch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CHAOS_MOUNTED": "1"},
    )
