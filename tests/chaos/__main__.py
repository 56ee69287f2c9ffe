"""python -m tests.chaos: 40 hosts, 200 feeds, 30 days, everything fails; prints what came of it.

The run without faults goes on beside it, in a process of its own. Ends with status 1 when an
invariant does not hold. --days and the like make it smaller; --seed makes it another.
"""

import argparse
import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from tests.chaos.invariants import check
from tests.chaos.rig import Rig, calm, new_folder, remove
from tests.chaos.world import planned

SIZES = {"seed": 1, "hosts": 40, "feeds": 200, "days": 30, "tick": 6}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    for name, default in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--calm", type=Path, metavar="FOLDER", help="only the run without faults")
    parser.add_argument("--keep", action="store_true", help="leave the folder there")
    told = parser.parse_args()
    size = {name: getattr(told, name) for name in SIZES}
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if told.calm:
        calm(told.calm, size, check)
        return 0
    folder = new_folder()
    try:
        rig, well, found = both(folder, size, lambda line: print(line, flush=True))
    finally:
        if told.keep:
            print("kept in", folder)
        else:
            remove(folder)
    return report(rig, well, found)


def both(
    folder: Path, size: dict[str, int], say: Callable[[str], None] = lambda line: None
) -> tuple[Rig, dict[str, Any], dict[str, list[str]]]:
    """Run a world with its faults, and beside it, in another process, without.

    Returns the rig, what is told of the fault-free run, and what speaks against the invariants.
    """
    still = folder / "calm"
    still.mkdir()
    numbers = [f"--{name}={value}" for name, value in size.items()]
    beside = subprocess.Popen([sys.executable, "-m", "tests.chaos", "--calm", str(still), *numbers])
    try:
        with Rig(folder, False, **size) as rig:
            rig.run(say)
            beside.wait()
            well = json.loads((still / "calm.json").read_text())
            found = check(rig, well["texts"])
            shutil.copytree(folder / "disk/home", folder / "home")
    finally:
        beside.kill()
        beside.wait()
    found |= {f"fault-free: {name}": said for name, said in well["violations"].items() if said}
    return rig, well, found


def report(rig: Rig, well: dict[str, Any], found: dict[str, list[str]]) -> int:
    """Print the table; return 1 when an invariant does not hold."""
    ours = rig.told
    print(f"\n{'fault':28} {'planned':>8} {'happened':>9}")
    for kind, times in sorted(planned(rig.world).items()):
        print(f"{kind:28} {times:8} {ours.faults.get(kind, 0):9}")
    print(f"{len(planned(rig.world))} kinds; {sum(ours.faults.values())} happened")
    print()
    print(f"requests                {ours.requests} (fault-free: {well['requests']})")
    print(f"stories offered         {ours.offered}")
    print(f"stories kept            {len(ours.texts)}")
    print(f"verdicts                {ours.verdicts}")
    print(f"fault-free              {well['verdicts']}")
    print(f"verbs that turned red   {ours.red}; ended by disk or lock {ours.lost}")
    print(f"seconds                 {ours.seconds:.0f} (fault-free: {well['seconds']:.0f})")
    print(f"peak memory             {ours.megabytes:.0f} MB, origin included\n")
    for name, against in found.items():
        print(f"{name:55} {f'{len(against)} VIOLATIONS' if against else 'ok'}")
        for one in against[:8]:
            print(f"    {one}")
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main())
