"""Hosts side by side, one host in turn: threads, because waiting is all that the verbs do there."""

import ctypes
import gc
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")

# Hosts asked at the same time; a thread that sleeps costs 50 kB, and only as many start as there
# are hosts. Where more than this answer slowly, the others wait for one to be done.
LANES = 256
_ARENAS, FEW_ARENAS = -8, 2  # M_ARENA_MAX in glibc's malloc.h
LOOK = 20_000  # new objects before Python looks for cycles; at its own 700 a poll takes 1.15 times
AHEAD = 16  # objects asked of a store before the first is used: 30 ms each, and a page takes 30


def abreast(
    things: Iterable[Thing], host: Callable[[Thing], str], act: Callable[[Thing], Result]
) -> Iterator[Result]:
    """Yield act(thing) for every thing, as they end; things of one host follow each other.

    An error in `act`, and an end of the iteration, let each host finish the thing it is at;
    then the error is raised here.
    """
    lanes: defaultdict[str, list[Thing]] = defaultdict(list)
    for thing in things:
        lanes[host(thing)].append(thing)
    # the longest lane first: it sets how long all of this takes
    ordered = sorted(lanes.values(), key=len, reverse=True)
    return together([(act(thing) for thing in lane) for lane in ordered])


def together(lanes: Sequence[Generator[Result, None, None]]) -> Iterator[Result]:
    """Yield what the lanes give, as it comes; each runs in a thread of its own.

    An error in one, and an end of the iteration, stop the others at what they give next, and
    close them; then the error is raised here.
    """
    _allocator("mallopt", _ARENAS, FEW_ARENAS)
    gc.set_threshold(LOOK)
    stop: Event = Event()
    results: SimpleQueue[tuple[bool, Result | BaseException | None]] = SimpleQueue()

    def run(lane: Generator[Result, None, None]) -> None:
        try:
            with closing(lane):
                for result in () if stop.is_set() else lane:
                    results.put((True, result))
                    if stop.is_set():
                        break
        except BaseException as error:  # noqa: BLE001  # raised again below, in the caller's thread
            results.put((False, error))
        else:
            results.put((False, None))

    with ThreadPoolExecutor(LANES, thread_name_prefix="host") as pool:
        for lane in lanes:
            pool.submit(run, lane)
        running = len(lanes)
        try:
            while running:
                is_result, value = results.get()
                if is_result:
                    yield value  # type: ignore[misc]
                    continue
                running -= 1
                if isinstance(value, BaseException):
                    raise value
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            _allocator("malloc_trim", 0)


def _allocator(name: str, *args: int) -> None:
    """Tell the C library's allocator, where that is glibc's.

    It gives each thread its own arena and keeps what they free: measured with 200 lanes, 360 MB
    where 240 do, for no time.
    """
    with suppress(AttributeError):
        getattr(ctypes.CDLL(None), name)(*args)


def ahead(
    act: Callable[[Thing], Result], things: Iterable[Thing], local: bool = False
) -> Iterator[Result]:
    """Yield act(thing) for every thing, in order; a few ahead of whoever takes them.

    What is `local` is had in turn, as it is asked for.
    """
    if local:
        yield from map(act, things)
        return
    coming: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(AHEAD, thread_name_prefix="ahead") as pool:
        for thing in things:
            coming.append(pool.submit(act, thing))
            if len(coming) >= AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
