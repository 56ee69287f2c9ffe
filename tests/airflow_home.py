"""A real Airflow for tests: api-server, scheduler and dag-processor, in a folder of their own.

    with Airflow(tmp_path / "airflow", {"NEWS_CORPUS": ...}) as airflow:
        first = airflow.wait("poll", airflow.unpause("poll"))
        again = airflow.run("poll")
        assert again.state == "success"
        assert again.counts["sift"]["kept"] == 0

It is the Airflow of `make run` (scripts/local_airflow.py) on any free port, without the triggerer,
which only deadlines need. All of it has stopped when the block ends, tasks included.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from scripts import local_airflow
from scripts.local_airflow import ROOT, session


@dataclass(frozen=True, kw_only=True)
class Run:
    """How one run of a DAG ended."""

    id: str
    state: str  # success or failed
    states: Mapping[str, str]  # of each task
    tries: Mapping[str, int]
    counts: Mapping[str, Any]  # the XCom each task returned
    events: list[dict[str, Any]]  # the extra of each asset event


class Airflow(local_airflow.Airflow):
    pause = 0.3  # seconds between two looks

    def __init__(
        self,
        home: Path,
        news: Mapping[str, str],
        dags: Path = ROOT / "dags",
        database: str = "",
        components: Sequence[str] = ("api-server", "dag-processor", "scheduler"),
    ) -> None:
        """Give tasks the NEWS_* settings of `news` and no others."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NEWS_")}
        super().__init__(
            home,
            {**kept, "PYTHONPATH": str(ROOT), **news},
            components=components,
            dags=dags,
            port=0,
            database=database,
        )

    def run(self, dag: str, seconds: float = 120) -> Run:
        """Start a run by hand and wait for its end; the DAG must be unpaused."""
        return self.wait(dag, self.trigger(dag), seconds)

    def wait(self, dag: str, run: str, seconds: float = 120) -> Run:
        """Wait for the end of a run; return how it ended."""
        ended = self.until(lambda: self._state(dag, run) in ("success", "failed"), seconds)
        assert ended, f"waited {seconds} s for {self.look(dag, run)}; logs are in {self.home}"
        return self.look(dag, run)

    def look(self, dag: str, run: str) -> Run:
        """Return how a run is doing now."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}"
        tasks = self.ask("GET", f"{path}/taskInstances")["task_instances"]
        xcoms = self.ask("GET", f"{path}/taskInstances/~/xcomEntries")["xcom_entries"]
        entry = f"{path}/taskInstances/%s/xcomEntries/return_value?stringify=false"
        events = self._events(dag)
        return Run(
            id=run,
            state=self._state(dag, run),
            states={task["task_id"]: task["state"] for task in tasks},
            tries={task["task_id"]: task["try_number"] for task in tasks},
            counts={
                task: self.ask("GET", entry % task)["value"]
                for task in sorted({x["task_id"] for x in xcoms if x["key"] == "return_value"})
            },
            events=[e["extra"] for e in events if e["source_run_id"] == run],
        )

    def _events(self, dag: str) -> list[dict[str, Any]]:
        """Return its asset events; Airflow answers 500 until a run that follows has started."""
        told: list[dict[str, Any]] = []

        def had() -> bool:
            try:
                path = f"/api/v2/assets/events?source_dag_id={dag}&limit=100"
                told.extend(self.ask("GET", path)["asset_events"])
            except local_airflow.LocalAirflowError as error:
                if ": 500 " not in str(error):
                    raise
                return False
            return True

        assert self.until(had, 60)
        return told

    def log(self, dag: str, run: str, task: str, number: int = 1) -> str:
        """Return what the web interface shows of a task's log, one JSON event after the other."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{number}"
        return "\n".join(map(str, self.ask("GET", path)["content"]))

    def settle(self, dag: str, seconds: float = 90) -> None:
        """Wait until no run is under way and none will start by itself for so many seconds.

        The scheduler makes a tick's run some seconds after the tick: only when it says when the
        next one is due is the last one sure to be made.
        """
        path = f"/api/v2/dags/{dag}"

        def quiet() -> bool:
            due = datetime.fromisoformat(self.ask("GET", path)["next_dagrun_run_after"])
            under_way = self.ask("GET", f"{path}/dagRuns?state=running&state=queued")["dag_runs"]
            return due.timestamp() - time.time() > seconds and not under_way

        assert self.until(quiet, seconds + 120)

    def until(self, reached: Callable[[], bool], seconds: float = 120) -> bool:
        """Wait until something is so; False when it took too long. Fails if a component died."""
        deadline = time.monotonic() + seconds
        while not reached():
            self.check()
            if time.monotonic() > deadline:
                return False
            time.sleep(self.pause)
        return True

    def leaders(self) -> list[int]:
        """Return the processes that were started, each the leader of a session."""
        return [process.pid for process in self._processes.values()]

    def listening(self) -> set[str]:
        """Return the addresses at which any of its processes takes TCP connections; proc(5)."""
        files: set[str] = set()
        for leader in self._processes.values():
            for pid, _ in session(leader.pid):
                files |= {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
        found = set()
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, _, _, _, _, _, inode, *_ = line.split()
                if state == "0A" and f"socket:[{inode}]" in files:
                    address, port = local.split(":")
                    raw = bytes.fromhex(address)[::-1]  # of IPv6, word by word: still telling
                    found.add(f"{ip_address(raw)}:{int(port, 16)}")
        return found

    def _state(self, dag: str, run: str) -> str:
        return str(self.ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run}")["state"])
