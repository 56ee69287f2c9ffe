"""Hosts side by side, one host in turn."""

import threading
from collections import Counter, defaultdict

import pytest

from ingest.abreast import abreast


def test_everything_is_done_once_and_each_host_in_order() -> None:
    things = [(host, n) for n in range(20) for host in "abc"]
    done: defaultdict[str, list[int]] = defaultdict(list)

    def act(thing: tuple[str, int]) -> tuple[str, int]:
        done[thing[0]].append(thing[1])
        return thing

    results = list(abreast(things, lambda thing: thing[0], act))

    assert Counter(results) == Counter(things)
    assert all(order == list(range(20)) for order in done.values())


def test_a_slow_host_holds_up_no_other() -> None:
    others_done = threading.Event()

    def act(thing: str) -> str:
        if thing == "slow":
            assert others_done.wait(10)
        return thing

    results = abreast(["slow", "a", "b"], str, act)
    first = {next(results), next(results)}
    others_done.set()

    assert first == {"a", "b"}
    assert list(results) == ["slow"]


def test_two_hundred_slow_hosts_hold_up_no_other() -> None:
    other_done = threading.Event()

    def act(host: int) -> int:
        if host < 200:
            assert other_done.wait(10)
        return host

    results = abreast(range(201), str, act)

    assert next(results) == 200
    other_done.set()
    assert sorted(results) == list(range(200))


def test_one_host_is_never_asked_twice_at_a_time() -> None:
    busy, most = Counter[str](), Counter[str]()
    lock = threading.Lock()

    def act(host: str) -> None:
        with lock:
            busy[host] += 1
            most[host] = max(most[host], busy[host])
        with lock:
            busy[host] -= 1

    list(abreast(["a", "b"] * 50, str, act))

    assert set(most.values()) == {1}


def test_an_error_ends_the_run_and_is_raised() -> None:
    def act(thing: int) -> int:
        if thing == 3:
            raise ZeroDivisionError
        return thing

    with pytest.raises(ZeroDivisionError):
        list(abreast(range(1000), lambda _: "one host", act))
