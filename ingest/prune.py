"""Archive: takes out the pages that no later verdict needs. Never a story, nor a verdict."""

from collections import Counter
from datetime import datetime, timedelta

import structlog

from ingest.desk import Desk

log = structlog.get_logger(__name__)

QUIET = timedelta(days=1)  # a file that changed since may hold a page whose row is not written yet
RUNS = timedelta(days=365)  # are remembered that long
MOST = 2  # a file goes when no more than one part in so many is still needed


def prune(desk: Desk, older_than: int = 90, dry_run: bool = False) -> dict[str, int]:
    """Remove pages that were fetched, and judged for good, so many days ago; return what went.

    `files`, `pages` and `bytes` went; `moved` pages that are still needed lie in a new file now.
    A file goes when most of it is needed no more, so some old pages stay with their neighbours.
    Bytes are copied before rows change, and removed after: a run that is killed leaves bytes that
    no row points at, and the next one removes them.
    """
    now = desk.now()
    before = now - timedelta(days=older_than)
    counts = Counter(files=0, pages=0, bytes=0, moved=0)
    files = desk.archive.files()
    for name, size, changed in desk.watched("prune", files, len(files)):
        # an empty one was just opened, and its lock is not taken yet
        if size and changed < now - QUIET and desk.archive.is_free(name):
            counts.update(_prune(desk, name, size, before, dry_run))
    counts["runs"] = 0 if dry_run else desk.catalog.forget_runs(now - RUNS)
    return dict(counts)


def _prune(desk: Desk, name: str, size: int, before: datetime, dry: bool) -> dict[str, int]:
    needed, spare = desk.catalog.pages_in(name, before)
    stays = sum(place.length for place in needed.values())
    if stays * MOST > size or any(p.offset + p.length > size for p in needed.values()):
        return {}
    if not dry:
        now, members = desk.now(), map(desk.archive.member, needed.values())
        moved = dict(zip(needed, desk.archive.add(members, now), strict=True))
        if not desk.catalog.prune(name, before, moved, now):
            return {}  # it is needed again; the copies go with the next run
        desk.archive.remove(name)
        log.info("file_pruned", file=name, pages=len(spare), moved=len(moved))
    return {"files": 1, "pages": len(spare), "bytes": size - stays, "moved": len(needed)}
