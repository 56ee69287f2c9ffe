"""WARC files -> pages in the archive, entries in the catalog; then `sift` judges.

A file is read in pieces, side by side in child processes, and taken in one piece after the other:
its pages into the archive, then their entries and where the next piece begins, in one
transaction. So a run that is killed goes on where it was, and what it had shelved is not there
twice. A piece must begin where the one before it ended: one that seems to begin elsewhere found
a record within another's payload, and is read anew. A file given by its URL is fetched first, and
deleted when it was read; nobody else is asked anything.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import structlog

from ingest.desk import Desk
from ingest.errors import RunFailed, SettingsError
from ingest.stretch import Find, Stretch, look, lost
from ingest.workers import Workers
from storage.errors import made
from storage.model import Entry, Shelved, Slice
from storage.slices import DONE, PLANNED, RUNNING

log = structlog.get_logger(__name__)

WAY = "warc"
PIECE = 4_000_000  # bytes: a hundred pages; with their records, what a child sends back at once
SECONDS = 60.0  # for one piece; measured 0.1 to 2
LEASE = timedelta(seconds=90)  # more than a piece takes
PAUSE = timedelta(seconds=5)  # before a file is looked at again that another run reads
_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15})")
UNREADABLE = ("corrupt", "too_large", "lost")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file was read, and what became of its records up to there."""

    file: str  # digest of its first bytes: another file may bear its name
    at: int = 0
    counts: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        """Return it as a slice's cursor."""
        return json.dumps([self.file, self.at, self.counts])

    @classmethod
    def of(cls, cursor: str, file: str) -> "Progress":
        """Read a cursor; nothing was read yet when it is another file's."""
        known, at, counts = json.loads(cursor or '["", 0, []]')
        return cls(file, at, tuple(map(tuple, counts))) if known == file else cls(file)


def scan(
    desk: Desk,
    name: str,
    since: date = date.min,
    until: date = date.max,
    *,
    piece: int = PIECE,
    workers: Workers[Stretch] | None = None,
) -> dict[str, int]:
    """Read a file from where it was left; return what became of its records, of all of them.

    `records` is the sum of `pages`, those that the archive now has, and of each reason why
    others are none: `no_word` of the topic, `not_html`, `corrupt` and so on. `found` are entries.
    The window, whole days in UTC and half open, is for the stories' own dates; `piece` is in
    bytes; `workers` are another's to close, one call at a time. Raises
    SettingsError without a file, RunFailed when no record can be read or another run reads it.
    """
    source, known = f"warc:{Path(name).name}", list[Slice]()
    if is_far := "://" in name:
        known = desk.catalog.slices([source], date.min, date.max)
    if known and known[0].state == DONE:
        path, size, begin = Path(name), 0, str(json.loads(known[0].cursor)[0])
    else:
        path = fetched(desk, name) if is_far else Path(name)
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                begin = sha256(file.read(4096)).hexdigest()[:16]
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error

    def plan(have: list[Slice]) -> Iterable[Slice]:
        """One slice reads the file; of others the days count."""
        asked = Slice(source=source, way=WAY, since=since, until=until)
        if not have:
            return [asked]
        first = min(have, key=lambda one: one.id)
        planned = []
        if first.state == DONE and Progress.of(first.cursor, begin).at < size:
            planned.append(replace(first, state=PLANNED))  # another file, or it has grown
        if (since, until) not in {(one.since, one.until) for one in have}:
            planned.append(replace(asked, state=DONE, reason=f"read as slice {first.id}"))
        return planned

    desk.catalog.plan(source, plan)
    one = min(desk.catalog.slices([source], date.min, date.max), key=lambda one: one.id)
    holder = uuid4().hex
    if one.state != DONE:
        one = _taken(desk, one, holder)
        try:
            with ExitStack() as ours:
                workers = workers or ours.enter_context(Workers(look, lost, seconds=SECONDS))
                one = _read(desk, workers, path, size, one, holder, begin, piece)
        finally:
            if one.state == RUNNING:
                _step(desk, replace(one, state=PLANNED), holder)
    if is_far and one.state == DONE:
        path.unlink(missing_ok=True)
    counts = dict(Progress.of(one.cursor, begin).counts)
    if counts.get("records", 0) == sum(counts.get(why, 0) for why in UNREADABLE):
        raise RunFailed(
            f"{path}: not one record can be read ({counts}); unpack a file that was packed whole"
        )
    return {**counts, "found": one.found}


def fetched(desk: Desk, url: str) -> Path:
    """Fetch a file beside the archive, in ranges of NEWS_MAX_PAGE_BYTES; return where it lies.

    One that was broken off goes on where it was, unless it has another size by now. Raises
    FetchError; RunFailed when the site gives no ranges.
    """
    folder = made(desk.archive.scratch, "NEWS_ARCHIVE")
    path = folder / f"{sha256(url.encode()).hexdigest()[:16]}.warc.gz"
    if path.exists():
        return path
    most, total, part = desk.settings.max_page_bytes, -1, path.with_suffix(".part")
    with part.open("ab") as file:
        while (at := file.tell()) != total:
            page = desk.web.get(url, begin=at, max_bytes=most, may_ask=desk.may_ask)
            said = _RANGE.fullmatch(page.header("content-range") or "")
            if page.status != 206 or not said or int(said[1]) != at or not page.payload:
                raise RunFailed(f"{url}: the site gives no ranges: download it, scan the file")
            if total not in (-1, int(said[2])):
                file.truncate(0)
                raise RunFailed(f"{url}: it has changed meanwhile: run again")
            total = int(said[2])
            file.write(page.payload)
            file.flush()
            desk.watch("fetch", file.tell(), total)
    return part.rename(path)


def _taken(desk: Desk, one: Slice, holder: str) -> Slice:
    """Take a slice; wait for one that a killed run has left, until its lease is over."""
    for _ in range(LEASE // PAUSE + 2):
        now = desk.now()
        if taken := desk.catalog.take_slice(one.id, holder, now, now + LEASE):
            return taken
        desk.sleep(PAUSE.total_seconds())
    raise RunFailed(f"{one.source}: another run reads it")


def _read(
    desk: Desk,
    workers: Workers[Stretch],
    path: Path,
    size: int,
    one: Slice,
    holder: str,
    begin: str,
    piece: int,
) -> Slice:
    """Read a file to its end, piece by piece; return its slice."""
    progress, again = Progress.of(one.cursor, begin), -1
    topic, most = desk.settings.topic, desk.settings.max_page_bytes
    while progress.at < size:
        starts = range(progress.at, size, piece)
        calls = ((path, at, min(at + piece, size), at == starts[0], topic, most) for at in starts)
        for start, stretch in zip(starts, workers.map(calls), strict=True):
            after = min(start + piece, size)
            if after <= progress.at:  # within the last piece's last record
                continue
            counts = Counter(dict(progress.counts))
            if stretch.fault:
                if again != progress.at:  # once may be chance
                    again = progress.at
                    break
                log.warning("piece_lost", file=path.name, offset=progress.at, detail=stretch.fault)
                counts.update({"records": 1, "lost": 1})
                stretch = replace(stretch, ended=after)
            elif stretch.began != progress.at:
                break
            counts.update(stretch.counts)
            progress = Progress(begin, stretch.ended, tuple(counts.items()))
            state = RUNNING if progress.at < size else DONE
            one = replace(one, cursor=str(progress), steps=one.steps + 1, state=state)
            one = _shelve(desk, one, holder, stretch.finds)
            told = f"scan {counts['records']:,} records {counts['pages']:,} pages"
            desk.watch(told, progress.at, size)
            if stretch.fault:
                break
    return one


def _shelve(desk: Desk, one: Slice, holder: str, finds: Iterable[Find]) -> Slice:
    """Put pages into the archive that it has not, then their entries into the catalog."""
    now, summary = desk.now(), "kept in {} on {}"
    by_url = {find.url: find for find in reversed(list(finds))}
    had = desk.catalog.had(list(by_url)) if by_url else set()
    new = [find for url, find in by_url.items() if url not in had]
    places = desk.archive.add((find.record for find in new), now)
    pages = {
        find.url: Shelved(page=find.page, place=place, sha256=find.sha256, marks=find.marks)
        for find, place in zip(new, places, strict=True)
    }
    entries = [
        Entry(
            url=find.url,
            link=find.page.url,
            title="",
            source=one.source,
            summary=summary.format(one.source, find.page.fetched.isoformat()),
            date_source=WAY,
        )
        for find in by_url.values()
    ]
    return _step(desk, one, holder, entries, pages)


def _step(
    desk: Desk,
    one: Slice,
    holder: str,
    entries: Iterable[Entry] = (),
    pages: dict[str, Shelved] | None = None,
) -> Slice:
    now = desk.now()
    then = desk.catalog.stepped(
        one.id, holder, list(entries), now, now + LEASE, lambda found, fresh: one, pages
    )
    if then is None:
        raise RunFailed(f"{one.source}: another run reads it by now")
    return then
