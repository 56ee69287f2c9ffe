"""What people ask of the shelves: status, the life of one entry, and whether the shelves agree."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.abreast import ahead
from ingest.desk import Desk
from ingest.errors import Fault
from ingest.health import (
    BROKEN,
    ORDER,
    QUIET,
    TO_DO,
    WELL,
    Alert,
    changes,
    health,
    of_feeds,
    of_pages,
)  # fmt: skip
from ingest.urls import canonical
from storage.answers import FETCHED, NEW
from storage.corpus import name_of, number_of, validate
from storage.errors import Lost
from storage.model import FeedState, Place

POLL = {"discover", "fetch", "sift"}  # the verbs of a poll
SHARED = 100  # verdicts of which a feed's shares are told
LATEST = 2000  # pages looked back on for alerts: a week or two of a list of a hundred feeds


def status(desk: Desk, within: float | None = None) -> dict[str, Any]:
    """Return the state of the desk: tally, stories, feeds by health, alerts, the last runs.

    `tally` has one count per reason, `to_fetch` and `to_sift`; they add up to `entries`.
    `ill` names the feeds that are not well, the worst first; `alerts` are those of the runs.
    `held` of those to sift are in the hands of workers, until `held_until` at the latest. `late`
    says, when asked, that no poll succeeded `within` so many hours.
    """
    tally, listed, runs = desk.catalog.tally(), feeds(desk), desk.catalog.runs(10)
    held, until = desk.catalog.held(desk.now())
    ill = [feed for feed in listed if feed["health"] not in WELL]
    return {
        "entries": desk.catalog.entries_seen(),
        "tally": tally,
        "held": held,
        "held_until": until,
        "stories": desk.catalog.stories_kept(),
        "corpus": desk.settings.corpus,
        "feeds": {
            "listed": len(desk.feeds),
            "enabled": sum(feed.enabled for feed in desk.feeds),
            **Counter(sorted((feed["health"] for feed in listed), key=ORDER.index)),
        },
        "ill": sorted(
            ({key: feed[key] for key in ("title", "url", "health", "evidence")} for feed in ill),
            key=lambda feed: ORDER.index(feed["health"]),
        ),
        "alerts": {k: v for run in reversed(runs) for k, v in (run["alerts"] or {}).items()},
        "runs": runs,
        "late": "" if within is None else late(desk, within),
    }


def late(desk: Desk, hours: float) -> str:
    """Return since when no poll succeeded if that is longer; a poll is all its verbs."""
    ended = desk.catalog.succeeded()
    last = min((ended[verb] for verb in POLL), default=None) if ended.keys() >= POLL else None
    if last and desk.now() - last <= timedelta(hours=hours):
        return ""
    since = f"since {last:%d %b %Y %H:%M} UTC" if last else "yet"
    return f"no poll succeeded {since}"


def news(
    desk: Desk, occasion: str, told: Mapping[str, str]
) -> tuple[str, list[str], dict[str, str]]:
    """Return why a DAG run failed, lines on its alerts that were not `told`, and what is told now.

    See health.changes; every line on a new alert says what to do.
    """
    runs = desk.catalog.runs(1000, occasion)
    alerts = {name: one for run in reversed(runs) for name, one in (run["alerts"] or {}).items()}
    fresh, over, after = changes(told, alerts, desk.now())
    lines = [f"{name}: {evidence}\n  {TO_DO[name]}" for name, evidence in fresh.items()]
    lines += [
        f"{name} is over: not seen for {QUIET / timedelta(hours=1):.0f} hours" for name in over
    ]
    failed = {run["verb"]: run["failed"] for run in reversed(runs)}  # a later try may succeed
    return "; ".join(f"{verb}: {why}" for verb, why in failed.items() if why), lines, after


def measures(
    desk: Desk, verb: str, counts: Mapping[str, int], began: datetime
) -> Iterator[tuple[str, str, float]]:
    """Yield kind, name and value of what a run that began then is measured by.

    Kinds are `incr`, `gauge` and, in milliseconds, `timing`. The desk's own state goes with sift.
    """
    yield from (("incr", f"{verb}.{name}", n) for name, n in counts.items())
    if verb != "sift":
        return
    now, waiting = desk.now(), desk.catalog.under_way()
    yield "gauge", "entries.to_fetch", waiting.get(NEW, 0)
    yield "gauge", "entries.to_sift", waiting.get(FETCHED, 0)
    yield "gauge", "stories", desk.catalog.stories_kept()
    well = Counter(feed["health"] for feed in feeds(desk))
    yield from (("gauge", f"feeds.{name}", well[name]) for name in ORDER)
    for name, at in desk.catalog.succeeded().items():
        yield "gauge", f"seconds_since_success.{name}", (now - at).total_seconds()
    for appeared, _ in desk.catalog.delays(began, now):
        yield "timing", "latency", appeared / timedelta(milliseconds=1)


def feeds(desk: Desk, only: str = "") -> list[dict[str, Any]]:
    """Return each feed of the feeds file, what we remember of it, its `health` and `evidence`.

    `ended` counts the reasons of its last verdicts, at most SHARED. `only` is the URL of one.
    """
    states, reasons = desk.catalog.feed_states(), desk.catalog.reasons(SHARED, only)
    told: list[dict[str, Any]] = []
    for feed in desk.feeds:
        if only not in ("", feed.url):
            continue
        state = states.get(feed.url)
        ended = reasons.get(feed.url, [])
        how, evidence = health(feed, state, ended, desk.now())
        known = {**(asdict(state) if state else {}), **asdict(feed), "ended": Counter(ended)}
        told.append({**known, "health": how, "evidence": evidence})
    return told


def alerts(
    desk: Desk,
    verb: str,
    counts: Mapping[str, int],
    before: Mapping[str, FeedState],
    began: datetime,
) -> list[Alert]:
    """Return what people must hear of a run that began then, with those feed states."""
    if verb == "discover":
        return of_feeds(desk.feeds, before, desk.catalog.feed_states(), began, desk.now())
    broken = sum(counts.get(reason, 0) for reason in BROKEN)
    pages, ours = counts.get("pages", 0), counts.get(Fault.INTERNAL_ERROR, 0)
    return of_pages(desk.catalog.latest_pages(LATEST), broken, pages, began, ours)


def life(desk: Desk, reference: str | int) -> dict[str, Any] | None:
    """Return the whole life of one entry: by its URL, its story's file or number; or None.

    An int is the entry's own number. Holds `entry`, `sightings`, `fetches`, `verdict`, `story`,
    `copies` (the story it copies) and `file`, `page`: where text and page lie. A story put there
    by hand has no entry.
    """
    wanted: list[str | int] = [reference]
    if isinstance(reference, str):
        reference = desk.secrets.masked(reference)
        name = Path(reference).name
        wanted = [name if number_of(name) is not None else reference]
        if "://" in reference:
            with suppress(ValueError):
                wanted.append(canonical(reference, desk.topic.tracking))
    found = next((life for one in wanted if (life := desk.catalog.life(one))), None)
    if found is None:
        return None
    if story := found.get("story"):
        story.pop("pending", None)
        story.pop("exact", None)
        found["file"] = f"{desk.settings.corpus}/{story['name']}"
    if found.get("copies"):
        found["copies"] = {key: found["copies"][key] for key in ("number", "name", "title", "url")}
    judged = [one for one in found.get("fetches", ()) if one["outcome"] == FETCHED]
    place = judged[-1] if judged else None
    if place and place["pruned"]:
        found["page"] = f"pruned on {place['pruned']:%d %b %Y}"
        found["pruned"] = f"its page was {found['page']}"
    elif place:
        found["place"] = Place(file=place["file"], offset=place["offset"], length=place["length"])
        found["page"] = f"{desk.archive.where}/{place['file']} at byte {place['offset']}"
    return found


def verify(desk: Desk) -> list[str]:
    """Check corpus, catalog and archive against each other; return every difference."""
    return [*_corpus(desk), *desk.catalog.contradictions(), *_tally(desk), *_archive(desk)]


def _corpus(desk: Desk) -> Iterator[str]:
    rows = {row["name"]: row for row in desk.catalog.stories()}
    files, withdrawn = desk.corpus.names(), desk.catalog.names(withdrawn=True)
    for name in desk.corpus.strangers():
        yield f"corpus: {name}: no story file; move it away"
    for name in sorted(set(rows) - set(files)):
        yield f"corpus: {name}: the file is gone; `newsdesk verify --mend` may bring it back"
    for name, data in zip(files, ahead(desk.corpus.read, files, desk.corpus.local), strict=True):
        ours = name in rows and rows[name]["page_sha256"] is not None
        yield from (f"corpus: {breach}" for breach in validate(name, data, strict=ours))
        if name not in rows and name not in withdrawn:
            yield f"corpus: {name}: not in the catalog; `newsdesk adopt` takes it up"
        elif name in rows and hashlib.sha256(data).hexdigest() != rows[name]["sha256"]:
            yield f"corpus: {name}: its bytes are not those that were kept"
        elif ours and name_of(rows[name]["number"], data) != name:
            yield f"corpus: {name}: its name is not that of its bytes"
    numbers = Counter(number for name in files if (number := number_of(name)) is not None)
    yield from (f"corpus: {number:03d}: used {n} times" for number, n in numbers.items() if n > 1)
    for name in sorted(withdrawn.keys() & set(files)):
        yield f"corpus: {name}: a person refused it and it is still there; `newsdesk sift` mends it"
    if numbers:
        gaps = sorted(set(range(min(numbers), max(numbers))) - {*numbers, *withdrawn.values()})
        yield from (f"corpus: {number:03d}: no file has this number" for number in gaps)


def _tally(desk: Desk) -> Iterator[str]:
    seen, counted = desk.catalog.entries_seen(), sum(desk.catalog.tally().values())
    if seen != counted:
        yield f"catalog: {seen} entries seen, {counted} in the tally"
    for number, name, _ in desk.catalog.pending():
        yield f"catalog: story {number} ({name}) is not known to be written; sift again"


def _archive(desk: Desk) -> Iterator[str]:
    places = list(desk.catalog.places())

    def digest(one: tuple[str, Place, str]) -> str | Lost:
        try:
            return hashlib.sha256(desk.archive.read(one[1]).content).hexdigest()
        except Lost as error:
            return error

    digests = zip(places, ahead(digest, places, desk.archive.local), strict=True)
    for (url, place, sha256), found in desk.watched("verify", digests, len(places)):
        if isinstance(found, Lost):
            yield f"archive: {url}: {found}"
        elif found != sha256:
            yield f"archive: {url}: the page at {place.file}:{place.offset} is another"
