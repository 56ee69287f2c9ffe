"""Threads in line for one thing: the first of them acts for all that stand behind it."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

One = TypeVar("One")
Result = TypeVar("Result")


class Together(Generic[One, Result]):
    """What many threads ask for one at a time, done for several at once: a commit, an fsync."""

    def __init__(
        self, act: Callable[[Sequence[One]], Sequence[Result]], line: AbstractContextManager[Any]
    ) -> None:
        """Take what gives a result for each, in their order, and the lock to stand in line for."""
        self._act, self._line = act, line
        self._waiting: list[tuple[One, Future[Result]]] = []

    def __call__(self, one: One) -> Result:
        """Return the result for `one`, once it is done; raises what the act for all raised."""
        mine = self.later(one)
        with self._line:
            if not mine.done():
                self._catch_up()
        return mine.result()

    def later(self, one: One) -> Future[Result]:
        """Have it done with, or before, the next that somebody waits for."""
        mine: Future[Result] = Future()
        self._waiting.append((one, mine))
        return mine

    def flush(self) -> None:
        """Do what was left for later; raises what the act for all raised."""
        with self._line:
            if self._waiting:
                self._catch_up()

    def _catch_up(self) -> None:
        waiting = self._waiting[:]
        del self._waiting[: len(waiting)]  # more may have come since
        try:
            results = self._act([one for one, _ in waiting])
        except BaseException as error:
            for _, future in waiting:
                future.set_exception(error)
            raise
        for (_, future), result in zip(waiting, results, strict=True):
            future.set_result(result)
