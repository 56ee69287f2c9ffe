"""`make run`: what it says, what it starts, and that nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.local_airflow import end, free_port, session
from tests.newssite import NewsSite

ROOT = Path(__file__).resolve().parents[2]
# A group of its own that will not be told to stop, under a leader that will.
STUBBORN = """
import signal, subprocess, time
subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], process_group=0)
print("started", flush=True)
time.sleep(60)
"""


@contextmanager
def running(folder: Path, news: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run scripts/run.py in a folder, with these NEWS_* settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEWS_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.run"],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **news},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def sessions(process: subprocess.Popen[str]) -> list[int]:
    """Return the leaders of the sessions that a process has started; proc(5)."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(child) for child in children.split()]


def living(leaders: list[int]) -> list[int]:
    """Return every process that lives in these sessions."""
    return [pid for leader in leaders for pid, _ in session(leader)]


def test_without_a_user_agent_it_says_what_to_set_and_starts_nothing(tmp_path: Path) -> None:
    with running(tmp_path, {}) as process:
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 2
    assert said.startswith("NEWS_USER_AGENT is not set")
    assert list(tmp_path.iterdir()) == []


def test_a_group_that_ignores_the_signal_ends_with_its_session() -> None:
    leader = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True
    )
    assert leader.stdout is not None
    with leader.stdout:
        leader.stdout.readline()
        members = list(session(leader.pid))

        end([leader])

    assert len({group for _, group in members}) == 2
    assert list(session(leader.pid)) == []


def test_a_port_that_is_taken_is_left_alone() -> None:
    with NewsSite() as site:
        port = free_port(site.port)

        assert port != site.port
        assert free_port(port) == port


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_ctrl_c_in_the_middle_of_a_poll_leaves_no_process_behind(tmp_path: Path) -> None:
    with NewsSite() as site:
        feed = site.misbehave("/feed", "hang")
        (tmp_path / "feeds.toml").write_text(f'[[feed]]\nurl = "{feed}"\ntitle = "One"\n')
        news = {
            "NEWS_FEEDS": str(tmp_path / "feeds.toml"),
            "NEWS_USER_AGENT": "newsdesk-tests (+https://example.org)",
            "NEWS_ALLOW_NETWORKS": "127.0.0.0/8",
            "NEWS_FETCH_DEADLINE": "300",
        }
        with running(tmp_path, news) as process:
            assert process.stdout is not None
            said = ""
            while "Ctrl-C stops everything" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            until = time.monotonic() + 120
            while not site.asked:  # now a task waits for an answer that never comes
                assert time.monotonic() < until
                time.sleep(0.2)
            leaders = sessions(process)
            alive = living(leaders)

            process.send_signal(signal.SIGINT)
            process.wait(60)

    assert process.returncode == 0
    assert "http://127.0.0.1:" in said
    assert str(tmp_path / "corpus") in said
    assert len(leaders) == 4  # the components
    assert len(alive) > len(leaders)  # and their children, among them the task
    assert living(leaders) == []
    assert (tmp_path / "state/airflow/passwords.json").stat().st_mode & 0o777 == 0o600
