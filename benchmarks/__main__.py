"""All benchmarks, one after the other -> docs/performance.md: `python -m benchmarks [--quick]`.

Each module here that has a `main` runs in a process of its own and hands in its figures, see
benchmarks.frame. One that fails, or finds no input, costs its own part. With `--quick` nothing is
written but what is printed.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pygal
from pygal.style import CleanStyle

from benchmarks.frame import arguments, markdown

HERE, DOCS = Path("benchmarks"), Path("docs")
FIRST = ("pipeline", "poll", "copies", "workers", "year", "scan", "scheduling", "page", "text")
# whose least is more than three minutes allow: other programs have to start
LONG = {"scheduling", "join"}
INTRO = """# What it costs, and beside what

Made by `make bench`. Each benchmark runs ours and others' on the same input in one run, in turn,
on the same processors; medians stand. CPU seconds count children and start; a peak is what a
run's processes held together. A module's head in `benchmarks/` tells what it does, and alone it
runs by `python -m benchmarks.NAME`.
"""


def modules() -> list[str]:
    """Return the benchmarks that are there, the ones we know of in their order."""
    there = {one.stem for one in HERE.glob("*.py") if "arguments(__doc__)" in one.read_text()}
    return [*(name for name in FIRST if name in there), *sorted(there - {*FIRST, "__main__"})]


def drawn(plot: Mapping[str, Any], file: Path) -> None:
    """Write a plot as an SVG file."""
    style = CleanStyle(font_family="sans-serif", label_font_size=12, legend_font_size=12)
    kind = pygal.Line if plot["kind"] == "line" else pygal.Bar
    chart = kind(
        style=style,
        width=760,
        height=380,
        title=plot["name"],
        js=[],
        legend_at_bottom=True,
        include_x_axis=True,
    )
    chart.x_labels = [f"{x:,}" if isinstance(x, int) else str(x) for x in plot["x"]]
    for name, values in plot["series"].items():
        chart.add(name, values)
    text = chart.render(is_unicode=True, disable_xml_declaration=True)
    # pygal gives each chart a random name; without it two runs differ in figures alone
    text = re.sub(r"chart-[0-9a-f-]{36}", f"chart-{file.stem}", text)
    file.write_text(re.sub(r"(?s)<script.*?</script>|<!--.*?-->", "", text) + "\n")


def written(results: Mapping[str, Mapping[str, Any]], seconds: float) -> None:
    """Write the page and its plots."""
    lines = [INTRO, f"{next(iter(results.values()))['machine']}; {seconds / 60:.0f} minutes.\n"]
    aims = [(aim, name) for name, one in results.items() for aim in one["aims"]]
    rows = [
        (aim["aim"], aim["measured"], "yes" if aim["met"] else "no", f"`{name}`")
        for aim, name in aims
    ]
    lines += ["## Aims\n", *markdown(("aim", "measured", "met", "by"), rows)]
    for old in DOCS.glob("performance-*.svg"):
        old.unlink()
    for name, one in results.items():
        lines.append(f"\n## {one['title']}")
        for table in one["tables"]:
            lines += [f"\n{table['name']}\n", *markdown(table["columns"], table["rows"])]
        for number, plot in enumerate(one["plots"], start=1):
            file = DOCS / f"performance-{name}-{number}.svg"
            drawn(plot, file)
            lines.append(f"\n![{plot['name']}]({file.name})")
    (DOCS / "performance.md").write_text("\n".join(lines) + "\n")


def ended(command: Sequence[str], seconds: float) -> bool:
    """Run a benchmark; tell whether it ended well, and in time. What it started ends with it."""
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            return process.wait(seconds) == 0
        except subprocess.TimeoutExpired as error:
            print(error, file=sys.stderr)
            return False
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def main(argv: Sequence[str] | None = None) -> None:
    """Run them all; ends with 1 when one failed."""
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", help="of these modules")
    options = parser.parse_args(argv)
    began, results, failed = time.monotonic(), dict[str, Any](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only or modules():
            if options.quick and name in LONG and not options.only:
                continue
            print(f"\n== {name} ({time.monotonic() - began:.0f} s)", flush=True)
            file = Path(folder) / f"{name}.json"
            command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(file)]
            quick = ["--quick"] if options.quick else []
            if not ended([*command, *quick], seconds=120 if quick else 900):
                failed.append(name)
            if file.exists():
                results[name] = json.loads(file.read_text())
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    if results and not options.quick:
        written(results, time.monotonic() - began)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
