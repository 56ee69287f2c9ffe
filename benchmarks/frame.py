"""What every benchmark shares: its arguments, what it hands in, and how a process is measured.

A benchmark is a module here with `main(argv)`. It takes `--quick` (a minute at most, fewer
and smaller inputs) and `--json FILE`, prints its tables, and hands in what benchmarks.__main__
makes docs/performance.md of.
"""

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.builders import SHARED

EVERY = 0.5  # seconds between two looks at the memory of what is measured


@dataclass
class Result:
    """What a benchmark found; its form is that of the JSON file."""

    title: str
    tables: list[dict[str, Any]] = field(default_factory=list)
    aims: list[dict[str, Any]] = field(default_factory=list)
    plots: list[dict[str, Any]] = field(default_factory=list)

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add a table."""
        self.tables.append({"name": name, "columns": list(columns), "rows": list(map(list, rows))})

    def aim(self, aim: str, measured: str, met: bool) -> None:
        """Add an aim, what was measured, and whether that meets it."""
        self.aims.append({"aim": aim, "measured": measured, "met": bool(met)})

    def plot(
        self,
        name: str,
        kind: Literal["line", "bar"],
        x: Sequence[Any],
        series: Mapping[str, Sequence[float | None]],
    ) -> None:
        """Add a plot: each series has a value for each of `x`."""
        told = {key: list(values) for key, values in series.items()}
        self.plots.append({"name": name, "kind": kind, "x": list(x), "series": told})

    def hand_in(self, file: Path | None) -> None:
        """Print all, and write it into a file if one is given."""
        for table in self.tables:
            print(f"\n{table['name']}\n")
            print("\n".join(markdown(table["columns"], table["rows"])))
        for aim in self.aims:
            print(f"{'met ' if aim['met'] else 'MISSED'} {aim['aim']}: {aim['measured']}")
        if file:
            file.write_text(json.dumps({**asdict(self), "machine": machine()}, indent=1))


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows `--quick` and `--json`."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a minute at most")
    parser.add_argument("--json", type=Path, help="a file for what was found")
    return parser


def need_shared() -> None:
    """End, with a word, when the folder of real data is not beside the checkout."""
    if not SHARED.is_dir():
        print("no real data beside the checkout: nothing to measure")
        sys.exit(0)


def machine() -> str:
    """Return what this ran on, in a line."""
    cpu = Path("/proc/cpuinfo")
    name = re.search(r"model name\s*:\s*(.+)", cpu.read_text()) if cpu.exists() else None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{name[1] if name else platform.machine()}, {len(os.sched_getaffinity(0))} processors, "
        f"{memory:.0f} GiB, {platform.system()}, CPython {platform.python_version()}"
    )


def markdown(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return a table's lines, numbers to the right."""
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        first, *others = (
            cell.ljust(wide) if not n else cell.rjust(wide)
            for n, (cell, wide) in enumerate(zip(row, widths, strict=True))
        )
        return f"| {' | '.join([first, *others])} |"

    rule = ["-" * widths[0], *("-" * (wide - 1) + ":" for wide in widths[1:])]
    return [line(columns), line(rule), *map(line, cells)]


def shown(value: Any) -> str:
    """Return a value as tables show it: three digits that count, nothing for None."""
    if value is None:
        return ""
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Used:
    """What a command took, its children included."""

    wall: float  # seconds
    cpu: float  # seconds, user and system
    peak: float  # MB: the most that its processes held together, each shared page counted once
    out: str


def measured(
    command: Sequence[Any],
    *,
    cores: int = 2,
    environment: Mapping[str, str] | None = None,
    most: float | None = None,
    folder: Path | None = None,
    may_fail: bool = False,
    quiet: bool = False,
) -> Used:
    """Run a command on the first few processors; return what it and its children took.

    After `most` seconds it is ended, with its children. Raises CalledProcessError.
    """
    # without bytecode each start of ours would compile half of our code anew
    said = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    said |= environment or {}
    some, peak, used, ended = set(sorted(os.sched_getaffinity(0))[:cores]), 0.0, None, False
    with tempfile.TemporaryFile("w+") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=out,
            stderr=subprocess.DEVNULL if quiet else None,
            cwd=folder,
            env=said,
            preexec_fn=lambda: os.sched_setaffinity(0, some),
            start_new_session=True,
        )
        while used is None:
            peak = max(peak, resident(process.pid))
            pid, status, rusage = os.wait4(process.pid, os.WNOHANG)
            took = time.perf_counter() - began
            if pid:
                used, process.returncode = rusage, os.waitstatus_to_exitcode(status)
            elif most and took > most and not ended:
                ended = True
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
            else:
                time.sleep(min(EVERY, took / 20))
        out.seek(0)
        told = out.read()
    if process.returncode and not ended and not may_fail:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return Used(took, used.ru_utime + used.ru_stime, peak / 1e6, told)


def resident(pid: int) -> int:
    """Return the bytes that a process and all below it hold, a shared page split among its users.

    0 for one that has ended meanwhile.
    """
    total, proc = 0, Path("/proc") / str(pid)
    with suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+)", (proc / "smaps_rollup").read_text(), re.M)
        total += 1024 * int(found[1]) if found else 0
        for task in (proc / "task").iterdir():
            with suppress(OSError):
                total += sum(resident(int(one)) for one in (task / "children").read_text().split())
    return total


def in_turn(turns: int, rows: Mapping[str, Callable[[], Used]]) -> dict[str, list[Used]]:
    """Run each row once, then all again, so that what else the machine does falls on all.

    A turn that fails is left out, with a word.
    """
    taken: dict[str, list[Used]] = {name: [] for name in rows}
    for _ in range(turns):
        for name, run in rows.items():
            try:
                taken[name].append(run())
            except subprocess.CalledProcessError as error:
                print(f"without a turn of {name}: {error}", file=sys.stderr)
    return {name: runs for name, runs in taken.items() if runs}


def median(runs: Iterable[Used], what: str) -> float:
    """Return the median of `wall`, `cpu` or `peak`."""
    return statistics.median(getattr(run, what) for run in runs)
