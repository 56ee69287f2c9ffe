"""A desk in a world that fails: what is run when, in this process and in others that get killed."""

import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from ingest.desk import Desk
from ingest.discover import discover
from ingest.errors import RunFailed
from ingest.fetch import fetch
from ingest.report import verify
from ingest.settings import read
from ingest.sift import sift
from ingest.web.client import Web
from storage.errors import StorageError
from tests.chaos.clock import RealClock, SharedClock
from tests.chaos.origin import Origin
from tests.chaos.world import (
    ALLOWED,
    DAY,
    DEADLINE,
    DNS_LIES,
    FORBIDDEN,
    GAP,
    HOUR,
    NOBODY,
    World,
)
from tests.home import Home

VERBS: dict[str, Callable[[Desk], dict[str, int]]] = {
    "discover": discover, "fetch": fetch, "sift": sift,
}  # fmt: skip
AGAIN = 300.0  # seconds until a verb that was killed is started anew, as Airflow does
BALLAST = "ballast"


class WorldDesk(Desk):
    """A desk whose resolver and whose trusted authority are the world's."""

    def __init__(
        self, home: Home, clock: SharedClock | RealClock, world: World, authority: str, calm: bool
    ) -> None:
        super().__init__(read(home.news), now=clock.now, sleep=clock.sleep)
        self._world, self._clock, self._authority, self._calm = world, clock, authority, calm
        self.faults: Counter[str] = Counter()  # names that did not resolve, or to a wrong place

    @cached_property
    def web(self) -> Web:
        web: Web = Desk.web.func(self)  # type: ignore[attr-defined]
        web._transport._tls.load_verify_locations(cadata=self._authority)
        web._guard = replace(web._guard, resolve=self._resolved)
        return web

    def _resolved(self, name: str, port: int) -> Sequence[str]:
        host = self._world.by_name.get(name)
        if name == DNS_LIES:
            return ["127.1.1.1", FORBIDDEN]
        if host is None:  # an address, in any spelling; no name of this world
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM,
                                       flags=socket.AI_NUMERICHOST)  # fmt: skip
            return [str(address[0]) for *_, address in found]
        now = self._clock.seconds
        kinds = {w.kind for w in host.windows if w.holds(now)} if not self._calm else set()
        self.faults.update(kinds & {"dns_failure", "dns_forbidden", "refused"})
        if "dns_failure" in kinds:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if "dns_forbidden" in kinds:
            return [FORBIDDEN]
        return [NOBODY if "refused" in kinds else host.address]


@dataclass
class Told:
    """What came of a run."""

    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    offered: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)  # the corpus, sorted
    violations: dict[str, list[str]] = field(default_factory=dict)
    red: int = 0  # verbs that turned red, as they should when all of a run failed
    lost: int = 0  # verbs ended by a full disk or a locked catalog
    seconds: float = 0.0
    megabytes: float = 0.0  # of memory, at the most


class Rig:
    """One world, one origin, one home; `run` is the whole story."""

    def __init__(self, folder: Path, calm: bool, **size: int) -> None:
        self.folder, self.calm, self.size = folder, calm, size
        self.world = World(**size)
        self.clock = SharedClock(folder / "clock")
        self.origin = Origin(self.world, self.clock, folder, calm)
        disk = folder / "disk"
        disk.mkdir()
        # a file system of its own can be filled; where that is not allowed, files may not grow
        mounted = ["mount", "-t", "tmpfs", "-o", "size=300m", "chaos", str(disk)]
        self.mounted = subprocess.run(mounted, capture_output=True, check=False).returncode == 0
        feeds = [self.origin.url(feed) for feed in self.world.feeds]
        self.home = Home(disk / "home", feeds, **SETTINGS)
        (folder / "rig.json").write_text(
            json.dumps({"size": size, "news": self.home.news, "authority": self.origin.authority})
        )
        self.chance = random.Random(size.get("seed", 1))
        self.told = Told()
        self.desk_faults: Counter[str] = Counter()
        self.restarts: list[float] = []  # true time at which a killed verb was started anew
        self.troubled: list[tuple[float, float]] = []  # when our own side failed
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        self.origin.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.origin.__exit__(*error)
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder / "disk")], check=False)

    def desk(self) -> WorldDesk:
        return WorldDesk(self.home, self.clock, self.world, self.origin.authority, self.calm)

    # --- the days ----------------------------------------------------------------------------

    def run(self, say: Callable[[str], None] = lambda line: None) -> Told:
        began, world = time.monotonic(), self.world
        planned = {} if self.calm else world.desk_faults()
        a_day = DAY // world.tick
        right = -1
        for tick in range(world.end // world.tick):
            self.clock.wind_to(tick * world.tick)
            if tick == right:
                self.clock.set_wrong(0)
            fault = planned.get(tick, "")
            start = self.clock.seconds
            if fault:
                self.desk_faults[fault] += 1
                right = max(right, self._strike(fault, tick))
            if not fault.startswith("clock"):
                self.troubled += [(start, self.clock.seconds)] if fault else []
            else:
                self.troubled.append((start, (right + 1) * world.tick))
            if not self.calm or tick % a_day == 0:
                self.verb("discover")
                self.verb("fetch")
            if tick % (a_day * (5 if self.calm else 3)) == a_day - 1:
                self.verb("sift")
            if not self.calm and self.chance.random() < 0.15:  # nothing may be asked too early
                self.clock.wind_to(self.clock.seconds + 20 * 60)
                self.verb("discover")
                self.verb("fetch")
            if tick % a_day == a_day - 1:
                say(
                    f"day {tick // a_day + 1:2d} of {world.days}: {len(self.origin.asked)} requests"
                    f", {time.monotonic() - began:.0f} s"
                )
        self.verb("fetch")
        self.verb("sift")
        self._sum_up()
        self.told.seconds = time.monotonic() - began
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.told.megabytes = usage / 1024
        return self.told

    def verb(self, name: str, excused: bool = False) -> None:
        """Run a verb here; what it raises must be what it is there to raise."""
        try:
            with self.desk() as desk:
                try:
                    VERBS[name](desk)
                finally:
                    self.desk_faults += desk.faults
        except RunFailed:
            self.told.red += 1
        except StorageError as error:
            self.told.lost += 1
            if not excused:
                self.errors.append(f"{name} at {self.clock.true()}: {error}")

    def _strike(self, fault: str, tick: int) -> int:
        """Let something happen to us; return the tick at which it is over."""
        if fault == "clock_ahead":
            self.clock.set_wrong(5 * HOUR)
            return tick + 2
        if fault == "clock_behind":
            self.clock.set_wrong(-3 * HOUR)
            return tick + 2
        if fault == "clock_40_days_ahead":
            self.clock.set_wrong(40 * DAY)
            return tick + 1
        if fault.startswith("killed_in_"):
            self._kill(fault.removeprefix("killed_in_"))
        elif fault == "disk_full":
            self._fill()
        elif fault == "catalog_locked":
            long = 63 if self.world.days > 15 and self.desk_faults[fault] == 1 else 0.7
            self._lock(long)
        return -1

    def _kill(self, name: str) -> None:
        """Start a verb in another process and kill that at a point nobody chose."""
        if name == "sift":
            self.verb("discover")
            self.verb("fetch")
        after, wait = self.chance.choice((1, 2, 5, 12, 30)), self.chance.uniform(0.0, 2.0)
        by_request = name != "sift" and self.chance.random() < 0.6
        asked = len(self.origin.asked)
        process = self._child(name)
        timer = threading.Timer(wait, process.kill)

        def count() -> None:
            if len(self.origin.asked) - asked >= after:
                process.kill()

        if by_request:
            self.origin.on_request = count
            timer = threading.Timer(20, process.kill)  # it asked for less than that
        timer.start()
        process.communicate()
        timer.cancel()
        self.origin.on_request = lambda: None
        self.clock.wind_to(self.clock.seconds + AGAIN)
        self.restarts.append(self.clock.seconds)

    def _fill(self) -> None:
        """Leave little room on the disk, or none, for a run of all verbs."""
        ballast = self.folder / "disk" / BALLAST
        room = self.chance.choice((0, 0, 30_000, 150_000))
        if self.mounted:
            with ballast.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(1_000_000)):
                    pass
            with ballast.open("ab", buffering=0) as file, suppress(OSError):
                while file.write(bytes(4096)):
                    pass
            os.truncate(ballast, max(0, ballast.stat().st_size - room))
        process = self._child("discover", "fetch", "sift")
        out, err = process.communicate()
        ballast.unlink(missing_ok=True)
        self.told.lost += out.count("StorageError")
        if process.returncode:
            self.errors.append(f"disk_full: {err[-600:]}")
        self.clock.wind_to(self.clock.seconds + AGAIN)

    def _lock(self, seconds: float) -> None:
        """Let another process hold the catalog while we discover and fetch."""
        catalog = self.home.news["NEWS_CATALOG"].removeprefix("sqlite:///")
        code = (
            "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None, "
            "timeout=60); c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); "
            "time.sleep(float(sys.argv[2])); c.execute('ROLLBACK')"
        )
        holder = subprocess.Popen(
            [sys.executable, "-S", "-c", code, catalog, str(seconds)], stdout=subprocess.PIPE
        )
        assert holder.stdout
        with holder.stdout:
            holder.stdout.readline()
            for name in ("discover", "fetch"):
                self.verb(name, excused=seconds > 60)
        holder.wait()

    def _child(self, *verbs: str) -> subprocess.Popen[str]:
        """Start verbs in another process; returns when it is ready to."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.child", str(self.folder), *verbs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "CHAOS_MOUNTED": str(int(self.mounted))},
        )
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(process.communicate()[1])
        return process

    def _sum_up(self) -> None:
        self.told.requests = len(self.origin.asked)
        self.told.faults = Counter(self.origin.faults) + self.desk_faults
        self.told.offered = len(self.world.stories)
        self.told.texts = sorted(
            path.read_text() for path in self.home.corpus.iterdir() if path.is_file()
        )
        with self.desk() as desk:
            self.told.verdicts = desk.catalog.tally()
            self.differences = verify(desk)


SETTINGS = {
    "NEWS_HOST_GAP": str(GAP),
    "NEWS_ALLOW_NETWORKS": ALLOWED,
    "NEWS_FETCH_DEADLINE": str(DEADLINE),
}


def child(folder: Path, verbs: Sequence[str]) -> int:
    """Run verbs in this process, on the shelves of a rig in another; print how each ended."""
    rig: dict[str, Any] = json.loads((folder / "rig.json").read_text())
    home = object.__new__(Home)
    home.news = rig["news"]
    world = World(**rig["size"])
    clock = RealClock(rig["real"]) if "real" in rig else SharedClock(folder / "clock")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if len(verbs) > 1 and os.environ["CHAOS_MOUNTED"] == "0":
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    print("ready", flush=True)
    for verb in verbs:
        try:
            with WorldDesk(home, clock, world, rig["authority"], calm=False) as desk:
                VERBS[verb](desk)
        except (RunFailed, StorageError) as error:
            print(type(error).__name__, error, flush=True)
    return 0


def calm(folder: Path, size: dict[str, int], check: Callable[[Rig], dict[str, list[str]]]) -> None:
    """Run a world in which nothing fails; its corpus, tally and violations go into a file."""
    with Rig(folder, True, **size) as rig:
        told = rig.run()
        found = {"texts": told.texts, "verdicts": told.verdicts, "requests": told.requests}
        found |= {"seconds": told.seconds, "violations": check(rig)}
        (folder / "calm.json").write_text(json.dumps(found))


def new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="chaos-"))


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
