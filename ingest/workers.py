"""Work in child processes: a piece of it that hangs, dies or grows costs itself and not the run.

Written here because no library does all of it (tried: pebble 5.2, concurrent.futures): a limit of
time and of memory for each piece; start from a daemonic process, as Airflow's may be; no import of
the parent's __main__; no child left when the parent is killed with SIGKILL. A child is a fresh
interpreter, so threads of the parent do not matter. Linux and other POSIX systems; the limit of
memory needs /proc.
"""

import fcntl
import os
import pickle
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from ingest.errors import RunFailed

R = TypeVar("R")

START_SECONDS = 60.0  # for a child to start and import its work, on the slowest machine we know
GRACE_SECONDS = 5.0  # after its limit a child ends itself, should its parent not have done it
AHEAD = 4  # pieces taken in per child before the oldest has ended: bounds what waits in memory


class _Child:
    """One child process and the piece of work it has in hand."""

    def __init__(self, work: bytes, seconds: float, memory: int) -> None:
        self.pipe, theirs = Pipe()
        code = f"from ingest.workers import serve; serve({theirs.fileno()}, {seconds}, {memory})"
        # stdin is the lifeline: nothing is ever written, it closes when the parent is gone.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            process_group=0,  # Ctrl-C is the parent's to answer
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        theirs.close()
        self.pipe.send_bytes(work)
        self.started = False
        self.piece: int | None = None
        self.deadline = 0.0

    def hand(self, piece: int, args: tuple[Any, ...], seconds: float) -> None:
        """Give the child a piece of work. Raises OSError or EOFError when the child is gone."""
        if not self.started:
            if not self.pipe.poll(START_SECONDS):
                raise RunFailed(f"a worker did not start within {START_SECONDS:.0f} s")
            if error := self.pipe.recv():
                raise RunFailed(f"a worker cannot load its work: {error}")
            self.started = True
        self.pipe.send(args)
        self.piece, self.deadline = piece, time.monotonic() + seconds

    def end(self) -> str:
        """Kill the child, wait for it, and tell how it had ended."""
        self.process.kill()
        code = self.process.wait()
        self.pipe.close()
        if self.process.stdin:
            self.process.stdin.close()
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"


class Workers(Generic[R]):
    """A few children that do one kind of work, as a context manager; for one thread at a time.

    `work` and its arguments are pickled by reference and value; its module must be importable.
    What a piece's child cannot give is given by `lost(fault, evidence)`, with the fault
    "extract_timeout" or "extract_crashed".
    """

    def __init__(
        self,
        work: Callable[..., R],
        lost: Callable[[str, str], R],
        *,
        count: int | None = None,
        seconds: float = 10.0,  # of wall clock, for one piece
        memory: int = 1_500_000_000,  # bytes of address space beyond what a child starts with
    ) -> None:
        self._work, self._lost = pickle.dumps(work), lost
        self._count = count or len(os.sched_getaffinity(0))
        self._seconds, self._memory = seconds, memory
        self._children: list[_Child] = []

    def __enter__(self) -> Self:
        self._children = [self._new() for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        while self._children:
            self._children.pop().end()

    def map(self, calls: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """Yield what the work gives for each tuple of arguments, in their order.

        Takes from `calls` only a little ahead of what is yielded. Raises RunFailed when a child
        cannot start.
        """
        left, taken, turn = iter(calls), 0, 0
        done: dict[int, R] = {}
        try:
            while True:
                args: tuple[Any, ...] | None = ()
                for child in [c for c in self._children if c.piece is None]:
                    if taken - turn >= AHEAD * self._count or (args := next(left, None)) is None:
                        break
                    self._hand(child, taken, args)
                    taken += 1
                while turn in done:
                    yield done.pop(turn)
                    turn += 1
                if turn < taken:
                    done.update(self._collect())
                elif args is None:
                    return
        finally:  # a piece left in hand must not answer the next call
            for child in [c for c in self._children if c.piece is not None]:
                self._replace(child)

    def _new(self) -> _Child:
        return _Child(self._work, self._seconds, self._memory)

    def _replace(self, child: _Child) -> str:
        how = child.end()
        self._children[self._children.index(child)] = self._new()
        return how

    def _hand(self, child: _Child, piece: int, args: tuple[Any, ...]) -> None:
        try:
            child.hand(piece, args, self._seconds)
        except (OSError, EOFError):  # it died idle, which no piece is to blame for
            place = self._children.index(child)
            how = self._replace(child)
            try:
                self._children[place].hand(piece, args, self._seconds)
            except (OSError, EOFError) as error:
                raise RunFailed(f"workers die before they have work: {how}, {error}") from error

    def _collect(self) -> Iterator[tuple[int, R]]:
        """Yield what has ended since the last look; waits for the first end or limit."""
        busy = {child.pipe: child for child in self._children if child.piece is not None}
        first = min(child.deadline for child in busy.values())
        ended = wait(list(busy), max(0.0, first - time.monotonic()))
        for pipe, child in busy.items():
            piece = child.piece
            assert piece is not None
            if pipe in ended:
                yield piece, self._answer(child)
            elif time.monotonic() >= child.deadline:
                self._replace(child)
                yield piece, self._lost("extract_timeout", f"over {self._seconds:g} s")

    def _answer(self, child: _Child) -> R:
        try:
            good, value, spent = child.pipe.recv()
        except (OSError, EOFError):
            return self._lost("extract_crashed", f"worker died: {self._replace(child)}")
        child.piece = None
        if spent:
            self._replace(child)
        return value if good else self._lost("extract_crashed", value)


def serve(handle: int, seconds: float, memory: int) -> None:
    """Work off what comes through a pipe until it closes: the child's whole life.

    When the parent is gone the lifeline closes and the kernel ends the child with SIGIO,
    even in the middle of a C function; SIGALRM does so should another process hold the lifeline.
    """
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:
        return  # it closed before we listened
    pipe = Connection(handle)
    try:
        work = pickle.loads(pipe.recv_bytes())
    except (ImportError, AttributeError) as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    size, resident = _pages()
    if size:
        resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))
    pipe.send("")
    spent = False
    while not spent:
        try:
            args = pipe.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_SECONDS)
        try:
            answer = (True, work(*args))
        except Exception as error:  # noqa: BLE001 - whatever a page makes a library raise is data
            answer = (False, f"{type(error).__name__}: {error}"[:300])
        signal.setitimer(signal.ITIMER_REAL, 0)
        spent = not answer[0] or _pages()[1] > resident + memory // 3
        pipe.send((*answer, spent))


def _pages() -> tuple[int, int]:
    """Return this process's address space and resident memory, in bytes; zeros without /proc."""
    try:
        size, resident = Path("/proc/self/statm").read_text(encoding="ascii").split()[:2]
    except OSError:
        return 0, 0
    return int(size) * resource.getpagesize(), int(resident) * resource.getpagesize()
