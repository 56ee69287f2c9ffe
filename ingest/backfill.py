"""Days of the past -> entries in the catalog, by slices that outlive whoever walks them."""

from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from math import ceil
from typing import Any
from uuid import uuid4

import structlog

from ingest.abreast import abreast, together
from ingest.dates import clamped
from ingest.desk import Desk
from ingest.errors import FeedError, FetchError, RunFailed, SettingsError
from ingest.sources import WAYS, Way
from ingest.sources.past import Capped, Step, Window
from ingest.urls import host_of
from ingest.web.client import redacted
from storage.answers import WAITING
from storage.model import Feed, Slice
from storage.slices import DONE, PARTIAL, PLANNED, RUNNING, SPLIT

log = structlog.get_logger(__name__)

MAX_STEPS = 2_000  # of a pass; ours: 20,000 entries where a page has ten
MAX_PASSES = 4  # ours: who publishes faster than we read four times is told, not believed
LONGEST_REST = timedelta(hours=1)  # of a slice whose source asks to be left alone
TRIES = 3  # of a slice in a run, where what hinders it may pass
PAUSE = timedelta(seconds=5)  # before slices are looked at again that failed, or another run has
ENDS = ("kept", "duplicate", "off_topic", "out_of_range", "waiting", "other")
MISSED = "missed: "  # begins the reason of a slice whose source has a part that cannot be had
LEASE = timedelta(minutes=4)  # more than a turn's wait (pace.MAX_CRAWL_DELAY) and its deadline


@dataclass(frozen=True, slots=True)
class Range:
    """What a person asks for: whole days in UTC, half open, of these feeds, by these ways."""

    since: date
    until: date
    feeds: tuple[Feed, ...]
    names: tuple[str, ...]  # of ways, the best first
    again: bool = False  # walk what is done, too


def days(since: str, until: str) -> tuple[date, date]:
    """Return the days that two ISO dates mean, half open; raises SettingsError."""
    try:
        first, last = date.fromisoformat(since), date.fromisoformat(until)
    except ValueError as error:
        raise SettingsError(f"from {since!r} to {until!r}: write days as 2019-01-31") from error
    if first >= last:
        raise SettingsError(f"from {first} to {last} is no day: `to` is the day after the last")
    return first, last


def read_range(
    desk: Desk,
    since: str,
    until: str,
    sources: Iterable[str] | None = None,
    kinds: Iterable[str] | None = None,
    again: bool = False,
) -> Range:
    """Return the range that plain values mean; it ends tomorrow at the latest.

    Without sources it is of every enabled feed, without kinds by every way that need not be
    asked for by name. Raises SettingsError.
    """
    first, last = days(since, until)
    listed = {feed.url: feed for feed in desk.feeds}
    wanted = [desk.secrets.masked(url) for url in sources or ()]
    if unknown := set(wanted) - set(listed):
        raise SettingsError(f"{min(unknown)} is not in {desk.settings.feeds}; see `feeds list`")
    named = list(kinds or ())
    if strange := set(named) - set(WAYS):
        raise SettingsError(
            f"{min(strange)!r} is no way into the past; there are: {', '.join(WAYS)}"
        )
    return Range(
        first,
        min(last, desk.now().date() + timedelta(days=1)),
        tuple(listed[url] for url in wanted) or tuple(f for f in desk.feeds if f.enabled),
        tuple(n for n, way in WAYS.items() if n in named or not (named or way.opt_in)),
        again,
    )


# what is to be walked (pure)


def cut(since: date, until: date, longest: timedelta | None) -> list[tuple[date, date]]:
    """Cut days at the ends of months and into windows no longer than that; None: not at all."""
    if longest is None:
        return [(since, until)] if since < until else []
    cuts = []
    while since < until:
        month = (since.replace(day=1) + timedelta(days=32)).replace(day=1)
        cuts.append((since, min(month, since + longest, until)))
        since = cuts[-1][1]
    return cuts


def plan(
    have: Iterable[Slice], source: str, way: str, longest: timedelta | None, wanted: Range
) -> list[Slice]:
    """Return the slices to put down: partial ones anew, new ones for days that none is of.

    A slice that was done covers the days that were over by then.
    """
    ours = [s for s in have if s.way in wanted.names and s.state != SPLIT]
    ours = [s for s in ours if s.since < wanted.until and s.until > wanted.since]
    covered = [
        (s.since, min(s.until, s.ended.date()) if s.state == DONE and s.ended else s.until)
        for s in ours
        if s.state != DONE or not wanted.again
    ]
    slices = [_afresh(one) for one in ours if one.state == PARTIAL]
    day = wanted.since
    for since, until in sorted([*covered, (wanted.until, wanted.until)]):
        slices += [
            Slice(source=source, way=way, since=first, until=last)
            for first, last in cut(day, min(since, wanted.until), longest)
        ]
        day = max(day, until)
    return slices


def _afresh(one: Slice) -> Slice:
    return Slice(source=one.source, way=one.way, since=one.since, until=one.until, id=one.id)


def after(one: Slice, step: Step, found: int, fresh: int, shifts: bool) -> Slice:
    """Return what a slice is after a step, with what it found in all and by this step.

    A pass that ended is all there is when it brought nothing new; when as many were found as the
    source said all along that there are; or when the source says nothing and nothing `shifts`.
    """
    total = one.total if one.total in (None, step.total) else -1
    total = step.total if one.steps == 0 else total
    one = replace(one, cursor=step.cursor, steps=one.steps + 1, fresh=one.fresh + fresh)
    told = one.reason if one.reason.startswith(MISSED) else ""
    told = f"{MISSED}{step.missed}" if step.missed else told
    one = replace(one, total=total, reason=told or step.detail)
    if step.cursor and one.steps < MAX_STEPS:
        return one
    if step.cursor:
        return replace(one, state=PARTIAL, reason=f"endless: {MAX_STEPS} steps and no end")
    one = replace(one, passes=one.passes + 1)
    if one.fresh == 0 or found == total or (total is None and not shifts):
        short = f"found={found} of {total}" if total not in (None, -1, found) else ""
        reason = "; ".join(filter(None, (short, one.reason)))
        return replace(one, state=PARTIAL if told else DONE, reason=reason)
    if one.passes == MAX_PASSES:
        return replace(one, state=PARTIAL, reason=f"shifted: new ones in {MAX_PASSES} passes")
    return replace(one, steps=0, fresh=0)


def halves(one: Slice) -> list[tuple[date, date]]:
    """Return the two halves of a slice's days; one day is one half."""
    middle = one.since + (one.until - one.since) // 2
    return [(a, b) for a, b in ((one.since, middle), (middle, one.until)) if a < b]


# ways


def probe(desk: Desk, feed: Feed, name: str) -> str:
    """Return the address at which a feed offers a way, "" for none, and remember it.

    Raises FetchError for what may pass.
    """
    address = ""
    try:
        address = _way(desk, feed, name).offered() or ""
    except FeedError as error:
        log.info("way_refused", source=redacted(feed.url), way=name, detail=str(error))
    except FetchError as error:
        if error.fault.passing:
            raise
    if desk.guardian_key or not WAYS[name].needs_key:
        desk.catalog.save_way(feed.url, name, address)
    return address


def _way(desk: Desk, feed: Feed, name: str, address: str = "") -> Way:
    may_ask = partial(desk.may_ask, live=False)
    topic, key = desk.topic, desk.guardian_key
    return WAYS[name](feed, desk.web, may_ask, topic.tracking, address, key, topic.languages)


def _offered(desk: Desk, feed: Feed, names: Sequence[str]) -> Way | None:
    """Return the first of these ways that a feed offers; asks where that is not known."""
    for name in names:
        known = desk.catalog.ways().get(feed.url, {})
        if address := known[name] if name in known else probe(desk, feed, name):
            return _way(desk, feed, name, address)
    return None


# the walk


def walk(desk: Desk, wanted: Range, budget: timedelta | None = None) -> dict[str, int]:
    """Plan a range's slices and walk those that are not done; return how they ended.

    The counts hold `slices`, one count per state, `steps`, `entries_found`, `no_way` (sources
    without a way into their past) and `unreached` (sources that could not be asked for one).
    What is `planned` or `running` at the end is for the next run: the budget or the network gave
    out, or another run has it. Raises RunFailed when a day holds more than its source shows, or
    when nothing could be walked.
    """
    desk.catalog.list_feeds(desk.feeds)
    desk.robots  # noqa: B018  # a missing User-Agent stops the run here, not in every thread
    end = desk.now() + budget if budget else None
    chosen = abreast(
        wanted.feeds, lambda f: host_of(f.url), lambda f: (f, _chosen(desk, f, wanted))
    )
    counts: Counter[str] = Counter(slices=0, done=0, partial=0, steps=0)
    ways: dict[str, Way] = {}
    for feed, way in desk.watched("ways", chosen, len(wanted.feeds)):
        if isinstance(way, Way):
            ways[feed.url] = way
            make = partial(
                plan, source=feed.url, way=_name(way), longest=way.longest, wanted=wanted
            )
            desk.catalog.plan(feed.url, make)
        else:
            counts["unreached" if way else "no_way"] += 1
            log.info("source_left_out", source=redacted(feed.url), detail=way or "no way")
    counts["steps"] = _rounds(desk, wanted, ways, end)
    slices = [one for one in _slices(desk, wanted) if one.state != SPLIT]
    counts["slices"] = len(slices)
    counts["entries_found"] = sum(one.found for one in slices)
    counts.update(one.state for one in slices)
    capped = [f"{one.source} {one.since}" for one in slices if one.reason.startswith("capped")]
    if capped:
        raise RunFailed(f"more on a day than its source shows: {'; '.join(capped)}: {dict(counts)}")
    if (slices or counts["unreached"]) and not end and not counts[DONE] + counts[RUNNING]:
        raise RunFailed(
            f"not one slice was walked to its end: {dict(counts)}; is the network there?"
        )
    return dict(counts)


def _slices(desk: Desk, wanted: Range) -> list[Slice]:
    found = desk.catalog.slices([feed.url for feed in wanted.feeds], wanted.since, wanted.until)
    return [one for one in found if one.way in wanted.names]


def _chosen(desk: Desk, feed: Feed, wanted: Range) -> Way | str:
    """Return the way to take, or why there is none: "" when the feed offers none."""
    try:
        return _offered(desk, feed, wanted.names) or ""
    except FetchError as error:
        return str(error)


def _name(way: Way) -> str:
    return next(name for name, kind in WAYS.items() if kind is type(way))


def _rounds(desk: Desk, wanted: Range, ways: dict[str, Way], end: datetime | None) -> int:
    """Walk all that can be walked, hosts side by side; return how many steps that took."""
    tries, steps, ended = Counter[int](), 0, 0
    feeds = {feed.url: feed for feed in wanted.feeds if feed.url in ways}
    while end is None or desk.now() < end:
        todo = [
            one
            for one in _slices(desk, wanted)
            if one.state in (PLANNED, RUNNING) and one.source in feeds and tries[one.id] < TRIES
        ]
        if not todo:
            break
        lanes: defaultdict[str, list[Slice]] = defaultdict(list)
        for one in todo:
            lanes[host_of(ways[one.source].address)].append(one)
        before, total = ended, ended + len(todo)
        lane = partial(_lane, desk, wanted, feeds, end)
        for one in together([lane(slices) for slices in lanes.values()]):
            steps += 1
            tries[one.id] += one.state == PLANNED
            ended += one.state != RUNNING
            desk.watch("walk", ended, total)
        if ended == before or any(tries[one.id] for one in todo):
            desk.sleep(PAUSE.total_seconds())
    return steps


def _lane(
    desk: Desk, wanted: Range, feeds: dict[str, Feed], end: datetime | None, slices: list[Slice]
) -> Generator[Slice, None, None]:
    """Walk the slices of one host in turn; yield each after each step."""
    for one in slices:
        holder, now = uuid4().hex, desk.now()
        if end and now >= end:
            return
        taken = desk.catalog.take_slice(one.id, holder, now, now + LEASE)
        try:
            while taken and taken.state == RUNNING and (end is None or desk.now() < end):
                taken = _stepped(desk, wanted, feeds[one.source], taken, holder)
                if taken:
                    yield taken
        finally:
            if taken and taken.state == RUNNING:
                _put(desk, taken, holder, replace(taken, state=PLANNED))


def _put(desk: Desk, one: Slice, holder: str, then: Slice) -> Slice | None:
    now = desk.now()
    return desk.catalog.stepped(one.id, holder, (), now, now + LEASE, lambda found, fresh: then)


def _stepped(desk: Desk, wanted: Range, feed: Feed, one: Slice, holder: str) -> Slice | None:
    """Ask once for a slice and take in what came; None when another run has it by now."""
    window = Window(one.since, one.until)
    try:
        try:
            address = desk.catalog.ways()[feed.url].get(one.way)
            if not address:
                raise FeedError("not_offered", "it was, when this slice was planned")
            way = _way(desk, feed, one.way, address)
            step = way.step(window, one.cursor)
        except Capped as error:
            return _parted(desk, one, f"capped: {error}", one.way, halves(one))
        except (FeedError, FetchError) as error:
            if isinstance(error, FetchError) and error.fault.passing:
                raise
            reason = f"refused: {one.way}: {error}"
            log.info("way_refused", source=redacted(feed.url), way=one.way, detail=str(error))
            other = _offered(desk, feed, wanted.names[wanted.names.index(one.way) + 1 :])
            if other is None:
                return _put(desk, one, holder, replace(one, state=PARTIAL, reason=reason))
            name, days = _name(other), cut(one.since, one.until, other.longest)
            if len(days) > 1:
                return _parted(desk, one, reason, name, days)
            then = replace(_afresh(one), way=name, state=RUNNING, reason=reason)
            return _put(desk, one, holder, then)
    except FetchError as error:
        then, now = replace(one, reason=str(error)), desk.now()
        if not error.retry_after:
            return _put(desk, one, holder, replace(then, state=PLANNED))
        until = now + min(error.retry_after, LONGEST_REST)  # nobody takes it before
        desk.catalog.stepped(one.id, holder, (), now, until, lambda found, fresh: then)
        return replace(then, state=PLANNED)
    now = desk.now()
    entries = [
        replace(entry, published=clamped(entry.published, now), updated=clamped(entry.updated, now))
        for entry in step.entries
        if window.near(entry.published)
    ]
    next_state = partial(after, one, step, shifts=way.shifts)
    return desk.catalog.stepped(one.id, holder, entries, now, now + LEASE, next_state)


def _parted(desk: Desk, one: Slice, reason: str, way: str, parts: list[tuple[date, date]]) -> Slice:
    """Put slices in the place of one, each walked by that way; a day that is one stays, partial."""
    gone = replace(one, state=SPLIT if len(parts) > 1 else PARTIAL, reason=reason)

    def make(have: Iterable[Slice]) -> list[Slice]:
        if not any(other.id == one.id and other.state == RUNNING for other in have):
            return []
        new = [replace(_afresh(one), id=0, way=way, since=a, until=b) for a, b in parts]
        return [gone, *(new if gone.state == SPLIT else [])]

    desk.catalog.plan(one.source, make)
    return gone


# what people are told


def shown(desk: Desk, wanted: Range) -> list[dict[str, Any]]:
    """Return each slice of a range in plain values: its days, its state, what it gave.

    `found` are entries within its margin; they add up to `kept`, `duplicate`, `off_topic`,
    `out_of_range`, `waiting` (to be fetched or sifted) and `other` (refused, or not to be had).
    """
    slices = [one for one in _slices(desk, wanted) if one.state != SPLIT]
    given, rows = desk.catalog.given([one.id for one in slices]), []
    for one in slices:
        counts = dict.fromkeys(ENDS, 0)
        for reason, many in given[one.id].items():
            end = "waiting" if reason in WAITING else reason
            end = "duplicate" if reason.startswith("duplicate") else end
            counts[end if end in ENDS else "other"] += many
        rows.append({**_days(one), "state": one.state, "found": one.found, **counts})
        rows[-1]["reason"] = one.reason
    return rows


def _days(one: Slice) -> dict[str, Any]:
    days = {"since": one.since.isoformat(), "until": one.until.isoformat()}
    return {"source": one.source, "way": one.way, **days}


def forecast(desk: Desk, wanted: Range) -> dict[str, Any]:
    """Return what a walk would ask, and for how long; asks nobody.

    `slices` are those to be walked, with the `entries` and `requests` to expect by each feed's
    usual gap (None where that is unknown): steps of the walk, and a page for each entry at most.
    `hours` are those of the busiest `host`, at its gap. `unknown` are the sources that were never
    asked for ways into their past, `no_way` those that have none.
    """
    desk.catalog.list_feeds(desk.feeds)
    known, states = desk.catalog.ways(), desk.catalog.feed_states()
    rows: list[dict[str, Any]] = []
    left: dict[str, list[str]] = {"unknown": [], "no_way": []}
    asked: Counter[str] = Counter()
    for feed in wanted.feeds:
        offered = known.get(feed.url, {})
        name = next((n for n in wanted.names if offered.get(n, "?")), "")
        if name not in offered:
            left["unknown" if name else "no_way"].append(feed.url)
            continue
        have = desk.catalog.slices([feed.url], wanted.since, wanted.until)
        todo = [one for one in have if one.state in (PLANNED, RUNNING) and one.way in wanted.names]
        for one in [*todo, *plan(have, feed.url, name, WAYS[name].longest, wanted)]:
            entries, steps = _expected(one, states[feed.url].usual_gap, desk.now())
            asked[host_of(offered.get(one.way) or feed.url)] += steps
            asked[host_of(feed.url)] += entries or 0
            requests = steps + entries if entries is not None else None
            rows.append({**_days(one), "entries": entries, "requests": requests})
    delays, gap = desk.catalog.crawl_delays(), desk.settings.host_gap
    hours = {host: n * max(gap, delays.get(host, 0)) / 3600 for host, n in asked.items()}
    host = max(hours, key=lambda one: hours[one], default="")
    told = {"requests": asked.total(), "hours": round(hours.get(host, 0), 2), "host": host}
    return {"slices": rows, **told, **left}


def _expected(one: Slice, gap: timedelta | None, now: datetime) -> tuple[int | None, int]:
    """Return how many entries to expect of a slice, and how many steps, one at least."""
    if not gap:
        return None, 1
    window, way = Window(one.since, one.until), WAYS[one.way]
    # a way that walks any window in one walk begins at the newest
    end = window.end if way.longest else max(window.end, now)
    steps = ceil((end - window.start) / gap / way.per_step)
    return ceil((window.end - window.start) / gap), max(1, steps)


def offers(desk: Desk, feeds: Iterable[Feed]) -> dict[str, list[str]]:
    """Ask feeds anew for each way that need not be asked for by name; return which they offer."""
    names = [name for name, way in WAYS.items() if not way.opt_in]
    asked = list(feeds)

    def ask(feed: Feed) -> tuple[str, list[str]]:
        found = []
        for name in names:
            with suppress(FetchError):  # it may pass: asked again before a walk
                found += [name] if probe(desk, feed, name) else []
        return feed.url, found

    return dict(desk.watched("ways", abreast(asked, lambda f: host_of(f.url), ask), len(asked)))
