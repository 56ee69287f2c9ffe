"""Work in child processes: a piece of it that hangs, dies or grows costs itself and not the run.

Written here because no library does all of it (tried: pebble 5.2, concurrent.futures): a limit of
time and of memory for each piece; start from a daemonic process, as Airflow's may be; no import of
the parent's __main__; no child left when the parent is killed with SIGKILL. Children are forked
from a fresh interpreter, so threads of the parent do not matter, and what a child needs is imported
once. Linux and other POSIX systems; the limit of memory needs /proc.
"""

import fcntl
import gc
import os
import pickle
import resource
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from threading import Lock
from typing import Any, Generic, Self, TypeVar

from ingest.errors import RunFailed

R = TypeVar("R")

START_SECONDS = 60.0  # to import and prepare the work, on the slowest machine we know
STALLED = 6  # times its limit, by the clock: a busy machine is no fault of a page
GRACE_SECONDS = 5.0  # after its limit a child ends itself, should its parent not have done it
AHEAD = 8  # pieces taken in per child before the oldest has ended: bounds what waits in memory


class _ForkServer:
    """The process that children are forked from, so that only one imports and prepares their work.

    Raises RunFailed when it cannot start.
    """

    def __init__(self, terms: bytes) -> None:
        self._pipe, theirs = Pipe()
        self._lock = Lock()
        # stdin is the lifeline: nothing is ever written, it closes when the parent is gone.
        code = f"from ingest.workers import fork_server; fork_server({theirs.fileno()})"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            process_group=0,  # Ctrl-C is the parent's to answer
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "OPENBLAS_NUM_THREADS": "1",  # threads do not come along in a fork
            },
        )
        theirs.close()
        try:
            self._pipe.send_bytes(terms)
            in_time = self._pipe.poll(START_SECONDS)
            error = self._pipe.recv() if in_time else f"silent for {START_SECONDS:.0f} s"
        except (OSError, EOFError) as gone:
            error = repr(gone)
        if error:
            raise RunFailed(f"no worker starts: {error}; {_ended(self.end())}")

    def is_there(self) -> bool:
        """Tell whether children can be had of it."""
        return self._process.poll() is None

    def fork(self) -> tuple[int, Connection]:
        """Return a new child's process number and the pipe to it; raises OSError, EOFError."""
        pipe, theirs = Pipe()
        with self._lock, theirs:
            self._pipe.send(None)
            send_handle(self._pipe, theirs.fileno(), self._process.pid)
            return self._pipe.recv(), pipe

    def wait(self, child: int) -> int:
        """Wait for a child that ends, and return its exit code; raises OSError, EOFError."""
        with self._lock:
            self._pipe.send(child)
            return int(self._pipe.recv())

    def end(self) -> int:
        """Kill the process, and by its lifeline the children it has left; return its exit code."""
        self._process.kill()
        code = self._process.wait()
        self._pipe.close()
        if self._process.stdin:
            self._process.stdin.close()
        return code


class _Child:
    """One child process, ready for work."""

    def __init__(self, server: _ForkServer) -> None:
        self._server, self._how = server, ""
        self._number, self.pipe = server.fork()

    def kill(self) -> None:
        """Kill it, unless it has ended: then its number may be another process's."""
        if not self._how:
            with suppress(ProcessLookupError):
                os.kill(self._number, signal.SIGKILL)

    def end(self) -> str:
        """Kill the child, wait for it, and tell how it had ended."""
        if not self._how:
            self.kill()
            self.pipe.close()
            self._how = "together with those it was forked from"
            with suppress(OSError, EOFError):
                self._how = _ended(self._server.wait(self._number))
        return self._how


def _ended(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


class Workers(Generic[R]):
    """A few children that do one kind of work, as a context manager; for one thread at a time.

    `work` and its arguments are pickled by reference and value; its module must be importable.
    `ready` is called once, before the first child begins.
    What a piece's child cannot give is given by `lost(fault, evidence)`, with the fault
    "extract_timeout" or "extract_crashed".
    """

    def __init__(
        self,
        work: Callable[..., R],
        lost: Callable[[str, str], R],
        *,
        ready: Callable[[], object] = bool,
        count: int | None = None,
        seconds: float = 10.0,  # of processor time, for one piece
        memory: int = 1_500_000_000,  # bytes of address space beyond what a child starts with
    ) -> None:
        self._lost, self._seconds = lost, seconds
        self._terms = pickle.dumps((work, ready, seconds, memory))
        self._servers: list[_ForkServer] = []  # the last is there, the others have died
        self._lock = Lock()
        self._count = count or len(os.sched_getaffinity(0))
        self._threads = ThreadPoolExecutor(self._count)  # each drives one child
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._ahead: deque[Future[R]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()
        self._threads.shutdown()
        while self._idle:
            self._idle.pop().end()
        while self._servers:
            self._servers.pop().end()

    def map(self, calls: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """Yield what the work gives for each tuple of arguments, in their order.

        Takes from `calls` only a little ahead of what is yielded. Raises RunFailed when a child
        cannot start.
        """
        ahead = self._ahead
        try:
            for args in calls:
                ahead.append(self._threads.submit(self._one, args))
                if len(ahead) == AHEAD * self._count:
                    yield ahead[0].result()
                    ahead.popleft()
            while ahead:
                yield ahead[0].result()
                ahead.popleft()
        finally:
            self._drop()

    def _drop(self) -> None:
        """Give up the pieces in hand: they must not answer the next call."""
        for future in self._ahead:
            future.cancel()
        while wait(self._ahead, 0.1).not_done:
            for child in tuple(self._busy):
                child.kill()
        self._ahead.clear()

    def _one(self, args: tuple[Any, ...]) -> R:
        child, spent = None, True
        try:
            with suppress(IndexError):
                child = self._idle.pop()
            if child and child.pipe.poll(0):  # it died idle: no piece is to blame
                child.end()
                child = None
            child = child or _Child(self._server())
            self._busy.add(child)
            child.pipe.send(args)
            if not child.pipe.poll(self._seconds * STALLED):
                return self._lost("extract_timeout", f"over {self._seconds * STALLED:g} s")
            good, value, spent = child.pipe.recv()
            return value if good else self._lost("extract_crashed", value)
        except (OSError, EOFError):
            if child is None:
                raise
            how = child.end()
            if how == "SIGPROF":
                return self._lost("extract_timeout", f"over {self._seconds:g} s")
            return self._lost("extract_crashed", f"worker died: {how}")
        finally:
            if child:
                self._busy.discard(child)
                if spent:
                    child.end()
                else:
                    self._idle.append(child)

    def _server(self) -> _ForkServer:
        with self._lock:
            if not self._servers or not self._servers[-1].is_there():
                self._servers.append(_ForkServer(self._terms))
            return self._servers[-1]


def fork_server(handle: int) -> None:
    """Fork a child for each None from a pipe and wait for each that is named, until it closes.

    When the parent is gone the lifeline closes and the kernel ends this process and its children
    with SIGIO, even in the middle of a C function; SIGALRM ends a child that works on should
    another process hold the lifeline.
    """
    fcntl.fcntl(0, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:
        return  # it closed before we listened
    pipe = Connection(handle)
    try:
        work, ready, seconds, memory = pickle.loads(pipe.recv_bytes())
    except (ImportError, AttributeError) as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    ready()
    gc.freeze()  # what is there is shared with the children as long as nobody writes to it
    pipe.send("")
    with suppress(EOFError):
        while True:
            if child := pipe.recv():
                pipe.send(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                continue
            theirs = recv_handle(pipe)
            if not (child := os.fork()):
                pipe.close()
                serve(Connection(theirs), work, seconds, memory)
                return
            os.close(theirs)
            pipe.send(child)


def serve(pipe: Connection, work: Callable[..., object], seconds: float, memory: int) -> None:
    """Work off what comes through a pipe until it closes: a child's whole life."""
    size, resident = _pages()
    if size:
        resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))
    spent = False
    while not spent:
        try:
            args = pipe.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, seconds)  # SIGPROF ends the child where it is
        signal.setitimer(signal.ITIMER_REAL, seconds * STALLED + GRACE_SECONDS)
        try:
            answer = (True, work(*args))
        except Exception as error:  # noqa: BLE001 - whatever a page makes a library raise is data
            answer = (False, f"{type(error).__name__}: {error}"[:300])
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)
        spent = not answer[0] or _pages()[1] > resident + memory // 3
        pipe.send((*answer, spent))


def _pages() -> tuple[int, int]:
    """Return this process's address space and resident memory, in bytes; zeros without /proc."""
    try:
        size, resident = Path("/proc/self/statm").read_text(encoding="ascii").split()[:2]
    except OSError:
        return 0, 0
    return int(size) * resource.getpagesize(), int(resident) * resource.getpagesize()
