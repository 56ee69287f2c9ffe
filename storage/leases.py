"""Who is at work on which entries: each for a while, and no longer than its process lives.

The time is for a machine that is lost with its workers. A worker that was killed on this machine
is known by its process: what it held is free at once.
"""

import os
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

# Longer than the few pages take that are held at once, each at the extractor's limit of time.
LEASE = timedelta(minutes=5)


def holder() -> str:
    """Return a name for a worker that no other has: machine, process, its start, a mark."""
    pid = os.getpid()
    return f"{_machine()} {pid} {_started(pid)} {uuid4().hex[:8]}"


def is_gone(holder: str) -> bool:
    """Tell whether a worker of this machine has ended; of another machine's we cannot know."""
    machine, pid, started, _ = holder.split(" ")
    return machine == _machine() != "" and _started(int(pid)) != started


def _machine() -> str:
    """Return what tells this machine's or container's processes from others; "" without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process started, in ticks since the machine did; "" when it has ended."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *others = said.rpartition(")")[2].split()  # proc(5): state is field 3, start field 22
    return "" if state in "ZX" else others[18]
