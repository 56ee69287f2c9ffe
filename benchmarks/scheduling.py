"""What Airflow itself takes: runs of the poll DAG that find nothing due, on a laptop and a cluster.

    python -m benchmarks.scheduling [--quick] [--json FILE]

`make run`'s Airflow (LocalExecutor, SQLite) and docker-compose.yml's (Celery, PostgreSQL, Redis,
two workers), all of it on this machine. One run comes first and asks the only feed; those that are
measured come one after the other. Wall time is from a run's start by hand to its last task's end;
CPU is of every process of Airflow, its database and broker included, with what they take anyway in
that time. `--quick` leaves the cluster out, and its idle share is still that of a start.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from benchmarks.frame import Result, arguments, resident
from scripts.local_airflow import session
from tests.airflow_home import Airflow
from tests.cluster import Cluster, missing
from tests.home import Home
from tests.newssite import NewsSite

SHARE = 0.1  # of one processor: what we would let Airflow have for itself


def cpu(airflow: Airflow) -> float:
    """Return the CPU seconds that its processes took so far, those that have ended included."""
    ticks = 0
    for leader in airflow.leaders():
        for pid, _ in session(leader):
            with suppress(OSError):  # it ended meanwhile, and its parent has its time
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))  # proc(5): utime, stime, cutime, cstime
    return ticks / os.sysconf("SC_CLK_TCK")


def took(airflow: Airflow, runs: int, idle: float) -> tuple[float, float, float, float]:
    """Return wall and CPU seconds of a run, the idle share of a processor, and megabytes."""
    airflow.wait("poll", airflow.unpause("poll"), 300)
    airflow.settle("poll", idle + runs * 20)
    before = cpu(airflow)
    time.sleep(idle)
    share = (cpu(airflow) - before) / idle
    walls, before = [], cpu(airflow)
    for _ in range(runs):
        run = airflow.run("poll", 300)
        assert run.state == "success", run
        told = airflow.ask("GET", f"/api/v2/dags/poll/dagRuns/{run.id}")
        ends = [datetime.fromisoformat(told[name]) for name in ("queued_at", "end_date")]
        walls.append((ends[1] - ends[0]).total_seconds())
    each = (cpu(airflow) - before) / runs
    held = sum(map(resident, airflow.leaders())) / 1e6
    return statistics.median(walls), each, share, held


@contextmanager
def desks(quick: bool) -> Iterator[dict[str, Airflow]]:
    """Yield each Airflow, not started yet, over one feed that has nothing new."""
    with NewsSite() as site, tempfile.TemporaryDirectory() as folder:
        feed = '<rss version="2.0"><channel><title>Quiet</title></channel></rss>'
        url = site.publish("/feed", feed, content_type="text/xml")
        home = Home(Path(folder) / "home", [url])
        several: dict[str, Airflow] = {
            "LocalExecutor, SQLite": Airflow(Path(folder) / "local", home.news)
        }
        if missing():
            print(f"without the cluster: {missing()}")
        elif not quick:
            cluster = Cluster(Path(folder) / "many", home.news, without=("s3", "flower"))
            several["Celery, PostgreSQL, two workers"] = cluster
        yield several


def main(argv: Sequence[str] | None = None) -> None:
    """Measure each Airflow and hand in what was found."""
    given = arguments(__doc__).parse_args(argv)
    result, rows = Result("Airflow's own share of a poll"), []
    with desks(given.quick) as several:
        for name, airflow in several.items():
            with airflow:
                wall, each, idle, held = took(airflow, *((3, 20) if given.quick else (6, 30)))
            rows.append([name, wall, each, f"{idle:.0%}", held, each / SHARE])
            quarter = idle + each / 900
            result.aim(
                f"{name}: polling every 15 minutes takes at most a quarter of a processor",
                f"{quarter:.0%}", quarter <= 0.25,
            )  # fmt: skip
    columns = ["", "wall s a run", "CPU s a run", "idle, of a processor", "MB", "s apart at 10 %"]
    result.table("A poll of four tasks with nothing to do", columns, rows)
    result.plot(
        "CPU seconds of a poll with nothing to do", "bar", [row[0] for row in rows],
        {"CPU s": [float(row[2]) for row in rows]},
    )  # fmt: skip
    result.hand_in(given.json)


if __name__ == "__main__":
    main()
