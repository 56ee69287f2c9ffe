"""A clock that processes share, and that moves only when everyone waits for it."""

import gc
import mmap
import sys
import threading
import time
from concurrent.futures import thread as pools
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from math import ceil
from pathlib import Path

from ingest.web.robots import Robots
from tests.builders import NOON

LANE = "host"  # how ingest.abreast names its threads
# Where a lane stands that has no work, or waits for another lane's robots.txt: it is not busy.
IDLE = {pools._worker.__code__, Robots._of.__code__}


class SharedClock:
    """True time, in microseconds since START, and how far our own clock is from it.

    Lies in a file, so that the origin knows what time it is in a worker. `sleep` waits until
    every lane of its process sleeps or idles; then time jumps to the first that wakes. So no
    time passes while somebody works, and what the origin notes is when the request was made.
    """

    START = NOON

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(16))
        with path.open("r+b") as file:
            self._cells = memoryview(mmap.mmap(file.fileno(), 16)).cast("q")
        self._sleepers: list[tuple[int, int, int, threading.Event]] = []
        self._someone, self._numbers = threading.Condition(), count()
        self._ticker: threading.Thread | None = None

    @property
    def passed(self) -> int:
        """Microseconds of true time since START."""
        return self._cells[0]

    @property
    def seconds(self) -> float:
        return self._cells[0] / 1e6

    def now(self) -> datetime:
        """Return what our own clock says, right or wrong."""
        return self.START + timedelta(microseconds=self._cells[0] + self._cells[1])

    def true(self) -> datetime:
        return self.START + timedelta(microseconds=self._cells[0])

    def wind_to(self, seconds: float) -> None:
        """Let true time pass; never backwards."""
        self._cells[0] = max(self._cells[0], round(seconds * 1e6))

    def set_wrong(self, seconds: float) -> None:
        """Set our own clock that far ahead of true time, or behind it."""
        self._cells[1] = round(seconds * 1e6)

    def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        woken = threading.Event()
        with self._someone:
            if self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True, name="clock")
                self._ticker.start()
            until = self._cells[0] + ceil(seconds * 1e6)
            heappush(self._sleepers, (until, next(self._numbers), threading.get_ident(), woken))
            self._someone.notify()
        woken.wait()

    def _tick(self) -> None:
        while True:
            with self._someone:
                while not self._sleepers:
                    self._someone.wait()
                if self._all_wait():
                    until = self._cells[0] = max(self._cells[0], self._sleepers[0][0])
                    while self._sleepers and self._sleepers[0][0] <= until:
                        heappop(self._sleepers)[3].set()
            time.sleep(0.001)

    def _all_wait(self) -> bool:
        asleep = {ident for _, _, ident, _ in self._sleepers}
        gc.disable()  # a collection in there can let other threads run and wait for one for ever
        try:
            frames = sys._current_frames()  # (CPython gh-106883)
        finally:
            gc.enable()
        for lane in threading.enumerate():
            if lane.name.startswith(LANE) and lane.ident not in asleep:
                frame = frames.get(lane.ident or 0)
                if frame is not None and frame.f_code not in IDLE:
                    return False
        return True


class RealClock:
    """Time as it passes, some days into a world: for workers that run at once."""

    START, DAYS = NOON, 3

    def __init__(self, epoch: float) -> None:
        self._epoch = epoch  # of time.time()

    @property
    def seconds(self) -> float:
        return self.DAYS * 86400 + time.time() - self._epoch

    def now(self) -> datetime:
        return self.START + timedelta(seconds=self.seconds)

    def true(self) -> datetime:
        return self.now()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
