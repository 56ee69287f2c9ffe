"""What child processes that hang, die, grow or outlive their parent cost: one piece each."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from pickle import PicklingError

import pytest

from ingest.errors import RunFailed
from ingest.workers import AHEAD, Workers

ROOT = Path(__file__).parents[2]
Lost = tuple[str, str]


def lost(fault: str, evidence: str) -> Lost:
    return fault, evidence


def evaluating(*, seconds: float = 20.0, memory: int = 1_000_000_000) -> Workers[object]:
    """Children that evaluate Python source: the shortest way to every kind of misfortune."""
    return Workers[object](eval, lost, count=2, seconds=seconds, memory=memory)


def calls(*sources: str) -> list[tuple[str]]:
    return [(source,) for source in sources]


def test_results_come_in_the_order_of_the_calls() -> None:
    with evaluating() as workers:
        got = list(workers.map(calls("__import__('time').sleep(0.3)", *map(str, range(1, 20)))))

    assert got == [None, *range(1, 20)]


@pytest.mark.parametrize(
    ("source", "evidence"),
    [
        ("sum(iter(int, 1))", "over 1 s"),  # of processor time
        ("__import__('time').sleep(60)", "over 6 s"),  # by the clock
    ],
)
def test_a_piece_that_hangs_costs_only_itself(source: str, evidence: str) -> None:
    with evaluating(seconds=1.0) as workers:
        got = list(workers.map(calls("1", source, "2", "3")))

    assert got == [1, ("extract_timeout", evidence), 2, 3]


def test_a_piece_that_only_waits_is_not_given_up_at_once() -> None:
    with evaluating(seconds=0.5) as workers:
        got = list(workers.map(calls("__import__('time').sleep(1) or 'done'")))

    assert got == ["done"]


@pytest.mark.parametrize(
    ("source", "evidence"),
    [
        ("__import__('os').abort()", "worker died: SIGABRT"),
        ("__import__('os')._exit(3)", "worker died: exit status 3"),
        ("__import__('os').kill(__import__('os').getpid(), 9)", "worker died: SIGKILL"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("[0] * 10 ** 9", "MemoryError: "),
    ],
)
def test_a_piece_that_breaks_its_child_costs_only_itself(source: str, evidence: str) -> None:
    with evaluating() as workers:
        got = list(workers.map(calls("1", source, "2", "3")))

    assert got == [1, ("extract_crashed", evidence), 2, 3]


def test_a_child_that_has_grown_is_replaced() -> None:
    grow = "(globals().__setitem__('kept', b'x' * 20_000_000), __import__('os').getpid())[1]"

    with Workers[object](eval, lost, count=1, memory=50_000_000) as workers:
        grown, fresh = workers.map(calls(grow, "__import__('os').getpid()"))

    assert grown != fresh


def test_a_child_that_died_idle_is_replaced_without_loss() -> None:
    with Workers[object](eval, lost, count=1) as workers:
        (child,) = workers.map(calls("__import__('os').getpid()"))
        os.kill(int(str(child)), signal.SIGKILL)
        time.sleep(0.2)

        assert list(workers.map(calls("1", "2"))) == [1, 2]


def test_where_the_process_that_children_are_forked_from_has_died_there_is_another() -> None:
    with Workers[object](eval, lost, count=1) as workers:
        (server,) = workers.map(calls("__import__('os').getppid()"))
        os.kill(int(str(server)), signal.SIGKILL)
        last, broken, fresh = workers.map(calls("1", "__import__('os')._exit(3)", "2"))

    assert (last, fresh) == (1, 2)
    assert broken == ("extract_crashed", "worker died: together with those it was forked from")


def test_what_was_made_ready_is_ready_in_every_child(tmp_path: Path) -> None:
    prepared = partial(os.mkdir, tmp_path / "prepared")  # a second time would raise

    with Workers[object](eval, lost, ready=prepared, count=2) as workers:
        there = list(workers.map(calls(*[f"__import__('os').listdir({str(tmp_path)!r})"] * 9)))

    assert there == [["prepared"]] * 9


def test_only_a_little_is_taken_in_ahead_of_what_is_given_out() -> None:
    taken = 0

    def source() -> Iterator[tuple[str]]:
        nonlocal taken
        for taken in range(1, 1000):
            yield (str(taken),)

    with evaluating() as workers:
        first = next(results := workers.map(source()))
        results.close()  # type: ignore[attr-defined]

    assert first == 1
    assert taken <= AHEAD * 2 + 2


def test_what_was_left_in_hand_does_not_answer_the_next_call() -> None:
    with evaluating() as workers:
        unfinished = workers.map(calls("1", "__import__('time').sleep(60)", "3", "4"))
        next(unfinished)
        unfinished.close()  # type: ignore[attr-defined]

        assert list(workers.map(calls("'new'"))) == ["new"]


def test_work_that_cannot_be_sent_is_refused_at_once() -> None:
    with pytest.raises((AttributeError, PicklingError), match="lambda"):
        Workers(lambda: None, lost)


def test_work_of_a_module_that_children_cannot_import_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passing.py").write_text("def work(x): return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import passing  # type: ignore[import-not-found]

    (tmp_path / "passing.py").unlink()
    with (
        Workers[object](passing.work, lost, count=1) as workers,
        pytest.raises(RunFailed) as caught,
    ):
        list(workers.map(calls("1")))

    assert "passing" in str(caught.value)


def test_children_end_with_the_context() -> None:
    with evaluating() as workers:
        children = list(workers.map(calls(*["__import__('os').getpid()"] * 4)))

    assert not any(alive(int(str(child))) for child in children)


def _in_daemon(answer: "Callable[[object], None]") -> None:
    with evaluating() as workers:
        answer(list(workers.map(calls("1", "2"))))


def test_a_daemonic_process_may_have_workers() -> None:
    context = get_context("spawn")
    queue = context.SimpleQueue()

    process = context.Process(target=_in_daemon, args=(queue.put,), daemon=True)
    process.start()
    process.join(30)

    assert queue.get() == [1, 2]


def test_threads_may_each_have_workers() -> None:
    got: list[list[object]] = []

    def work() -> None:
        with evaluating() as workers:
            got.append(list(workers.map(calls("1", "__import__('os').abort()", "2"))))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert got == [[1, ("extract_crashed", "worker died: SIGABRT"), 2]] * 3


PARENT = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # some shells have it ignored
from ingest.workers import Workers
with Workers(eval, lambda fault, evidence: None, count=2) as workers:
    spin = "__import__('os').write(2, b'%7d' % __import__('os').getpid()) and " \\
           "__import__('re').match('(a+)+b', 'a' * 60)"
    list(workers.map([(spin,), (spin,)]))
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_children_die_with_their_parent_though_they_hold_the_interpreter(end: int) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert parent.stderr
    children = [int(parent.stderr.read(7)) for _ in range(2)]  # one write each, so none is torn
    assert all(map(alive, children))

    parent.send_signal(end)
    parent.wait(10)
    parent.stderr.close()

    for _ in range(50):
        if not any(map(alive, children)):
            return
        time.sleep(0.1)
    pytest.fail("children outlived their parent")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
