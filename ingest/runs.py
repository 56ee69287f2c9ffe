"""The entry points: plain values in, plain counts out. All that Airflow and the CLI call."""

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urljoin

import structlog

from ingest import backfill as past
from ingest import decisions, feedlist, report, settings, views
from ingest.desk import Desk
from ingest.discover import answered, check, look
from ingest.discover import discover as _discover
from ingest.errors import FetchError, RunFailed, SettingsError
from ingest.fetch import BATCH
from ingest.fetch import fetch as _fetch
from ingest.likeness import side_by_side
from ingest.prune import prune as _prune
from ingest.scan import scan as _scan
from ingest.score import check as check_examples
from ingest.score import explain
from ingest.scout import Find, dead, scout
from ingest.sift import adopt as _adopt
from ingest.sift import points, reread
from ingest.sift import sift as _sift
from ingest.sources import Listing
from ingest.urls import canonical, host_of
from ingest.workers import Workers
from storage.corpus import parse
from storage.errors import NewsError
from storage.model import Feed, FeedState, Story

log = structlog.get_logger(__name__)

MANY = 1_000  # pages: with fewer, to start a process costs more than it saves
P = ParamSpec("P")
R = TypeVar("R")
# Who is told `verb, steps done, steps in all` of whatever runs.
WATCH: ContextVar[Callable[[str, int, int], None]] = ContextVar("watch", default=lambda *_: None)
# For what runs are: in Airflow `DAG/run`; none by hand.
OCCASION: ContextVar[str | None] = ContextVar("occasion", default=None)
# Child processes that read pages and outlive a run; none: each run has its own.
READERS: ContextVar[Workers[Any] | None] = ContextVar("readers", default=None)
# Who hears what a run is measured by, see report.measures; nobody by hand.
MEASURED: ContextVar[Callable[[Iterable[tuple[str, str, float]]], None] | None]
MEASURED = ContextVar("measured", default=None)


def _open(**other: Any) -> Desk:
    ours = settings.read().model_copy(update=other)
    return Desk(ours, watch=WATCH.get(), readers=READERS.get())


def _at_desk(run: Callable[Concatenate[Desk, P], R]) -> Callable[P, R]:
    """Make an entry point of what needs a desk: it is opened by the settings, and closed."""

    @wraps(run)
    def opened(*args: P.args, **kwargs: P.kwargs) -> R:
        with _open() as desk:
            return run(desk, *args, **kwargs)

    return opened


def _recorded(
    verb: str, run: Callable[Concatenate[Desk, P], dict[str, int]]
) -> Callable[P, dict[str, Any]]:
    """Make an entry point of a verb: it notes in the catalog how it went, and logs its tally.

    It returns the verb's counts and, when there is any, `alerts`: their evidence by name. It
    raises RunFailed for a grave one.
    """

    @wraps(run)
    def recorded(desk: Desk, /, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        began, counts, alerts = desk.now(), dict[str, int](), dict[str, str]()
        number = desk.catalog.begin_run(verb, began, OCCASION.get())
        try:
            before = desk.catalog.feed_states() if verb == "discover" else {}  # else of no use
            counts = run(desk, *args, **kwargs)
            found = report.alerts(desk, verb, counts, before, began)
            alerts = {one.name: one.evidence for one in found}
            for one in found:
                log.warning("alert", verb=verb, name=one.name, evidence=one.evidence)
            if grave := [f"{one.name}: {one.evidence}" for one in found if one.grave]:
                raise RunFailed("; ".join(grave))
        except NewsError as error:
            desk.catalog.end_run(number, desk.now(), counts, str(error), alerts)
            log.info("run_failed", verb=verb, detail=str(error))
            _measure(desk, verb, {**counts, "failed": 1}, began)
            raise
        desk.catalog.end_run(number, desk.now(), counts, None, alerts)
        log.info("run_ended", verb=verb, **counts)
        _measure(desk, verb, counts, began)
        return {**counts, "alerts": alerts} if alerts else counts

    return _at_desk(recorded)


def _measure(desk: Desk, verb: str, counts: dict[str, int], began: datetime) -> None:
    if heard := MEASURED.get():
        heard(report.measures(desk, verb, counts, began))


# what needs nothing but a desk is told where it is written
discover = _recorded("discover", _discover)
fetch = _recorded("fetch", _fetch)
sift = _recorded("sift", _sift)
adopt = _recorded("adopt", _adopt)
_pruned = _recorded("prune", _prune)
_would_prune = _at_desk(_prune)
decide = _at_desk(decisions.decide)
status = _at_desk(report.status)
late = _at_desk(report.late)
news = _at_desk(report.news)
feeds = _at_desk(report.feeds)
overview = _at_desk(views.overview)
stories = _at_desk(views.stories)
entries = _at_desk(views.entries)
life = _at_desk(views.life)
review = _at_desk(views.review)
slices_of = _at_desk(views.slices)
run_page = _at_desk(views.run)
feed_page = _at_desk(views.feed)


@_at_desk
def verify(desk: Desk, mend: bool = False) -> list[str]:
    """Tell how the shelves differ, see report.verify; first mend what can be, decisions.mend."""
    if mend:
        decisions.mend(desk)
    return report.verify(desk)


def poll(ask_all: bool = False) -> dict[str, dict[str, Any]]:
    """Discover, fetch and sift, in a row.

    When a verb's run fails, the ones after it still work off what lies ready; then the failure
    is raised.
    """
    done: dict[str, dict[str, Any]] = {}
    failed: list[str] = []
    verbs: dict[str, Callable[[], dict[str, Any]]]
    verbs = {"discover": lambda: discover(ask_all), "fetch": _fetch_all, "sift": sift}
    for verb, run in verbs.items():
        try:
            done[verb] = run()
        except RunFailed as error:
            failed.append(str(error))
    if failed:
        raise RunFailed("; ".join(failed))
    return done


def _fetch_all() -> dict[str, Any]:
    """Fetch as `fetch` does; of many pages, each processor takes a share of the hosts."""
    with _open() as desk:
        due = Counter(host_of(one.entry.url) for one in desk.catalog.to_fetch(desk.now(), BATCH))
    of = min(len(os.sched_getaffinity(0)), due.total() // MANY)
    if of < 2:
        return fetch()
    shares: list[Counter[str]] = [Counter() for _ in range(of)]
    for host, pages in due.most_common():
        min(shares, key=Counter.total)[host] = pages
    tells = ["--verbose"] if log.is_enabled_for(logging.INFO) else []
    command = [sys.executable, "-m", "ingest.cli", *tells, "fetch", "--json"]
    others = [
        subprocess.Popen([*command, *(f"--host={host}" for host in share)], stdout=subprocess.PIPE)
        for share in shares[1:]
    ]
    try:
        done = [fetch(hosts=list(shares[0]))]
    finally:
        told = [other.communicate()[0] for other in others]
    if any(other.returncode for other in others):
        raise RunFailed("one of the processes that fetch failed; its error stands above")
    done += map(json.loads, told)
    counts, alerts = Counter[str](), dict[str, str]()
    for one in done:
        alerts |= one.pop("alerts", {})
        counts.update(one)
    if counts["pages"] and not counts["fetched"]:
        raise RunFailed(f"every page failed: {dict(counts)}; `newsdesk status` shows the faults")
    return counts | ({"alerts": alerts} if alerts else {})


def prune(older_than: int = 90, dry_run: bool = False) -> dict[str, Any]:
    """Take old pages out of the archive, see ingest.prune; or only tell what that would free."""
    return _would_prune(older_than, dry_run) if dry_run else _pruned(older_than)


def _walk(
    desk: Desk,
    since: str,
    until: str,
    sources: list[str] | None = None,
    kinds: list[str] | None = None,
    again: bool = False,
    budget: timedelta | None = None,
) -> dict[str, int]:
    """Walk a range's slices, see backfill.read_range and backfill.walk."""
    return past.walk(desk, past.read_range(desk, since, until, sources, kinds, again), budget)


walk = _recorded("walk", _walk)


@_at_desk
def slices(
    desk: Desk,
    since: str,
    until: str,
    sources: list[str] | None = None,
    kinds: list[str] | None = None,
) -> list[dict[str, Any]]:
    """Return each slice of a range and what it gave, see backfill.shown."""
    return past.shown(desk, past.read_range(desk, since, until, sources, kinds))


@_at_desk
def forecast(
    desk: Desk,
    since: str,
    until: str,
    sources: list[str] | None = None,
    kinds: list[str] | None = None,
    again: bool = False,
) -> dict[str, Any]:
    """Return what a backfill would ask, and for how long, see backfill.forecast; asks nobody."""
    return past.forecast(desk, past.read_range(desk, since, until, sources, kinds, again))


def backfill(
    since: str,
    until: str,
    sources: list[str] | None = None,
    kinds: list[str] | None = None,
    dry_run: bool = False,
    again: bool = False,
    budget: timedelta | None = None,
) -> dict[str, Any]:
    """Walk a range, fetch its pages, sift; or tell what that would take, see `forecast`.

    `since` and `until` are days such as 2019-01-31, half open, in UTC. Returns the counts of
    `walk`, `fetch` and `sift`, and the range's `slices`. The budget is for the walk and for the
    pages, each; without one they go on until nothing is due. When a verb's run fails, those after
    it still work off what lies ready; then the failure is raised.
    """
    if dry_run:
        return forecast(since, until, sources, kinds, again)
    done: dict[str, Counter[str]] = {"walk": Counter(), "fetch": Counter(), "sift": Counter()}
    failed: list[str] = []

    def run(verb: str, call: Callable[[], dict[str, Any]]) -> int:
        try:
            counts = call()
        except RunFailed as error:
            failed.append(str(error))
            return 0
        done[verb].update({k: n for k, n in counts.items() if k != "alerts"})
        return int(counts.get("pages", 0) + counts.get("from_feed", 0))

    run("walk", lambda: walk(since, until, sources, kinds, again, budget))
    pages = 1
    while pages:
        pages = run("fetch", lambda: fetch(live=False, budget=budget))
        run("sift", sift)
        pages = 0 if budget else pages
    if failed:
        raise RunFailed("; ".join(failed))
    return {**done, "slices": slices(since, until, sources, kinds)}


_scan_file = _recorded("scan", _scan)


def scan_file(path: str, since: str | None = None, until: str | None = None) -> dict[str, Any]:
    """Read a WARC file, see ingest.scan; return its counts. Judges nothing.

    `since` and `until` are days such as 2019-01-31, half open; empty for any.
    """
    return _scan_file(path, *past.days(since or str(date.min), until or str(date.max)))


def scan(paths: list[str], since: str = "", until: str = "") -> dict[str, dict[str, Any]]:
    """Read WARC files as `scan_file` does, and sift; return each one's counts by its name.

    What became of the pages that were found stands beside what became of the records.
    """
    done = {}
    for path in paths:
        done[path] = scan_file(path, since, until)
        sift()
        done[path] |= given(f"warc:{Path(path).name}")
    return done


@_at_desk
def newest(desk: Desk) -> int:
    """Return the highest number of a story; -1 without any."""
    number = desk.catalog.newest()
    return -1 if number is None else number


@_at_desk
def given(desk: Desk, source: str) -> dict[str, int]:
    """Return what became of the entries that a file gave."""
    slices = desk.catalog.slices([source], date.min, date.max)
    counts = desk.catalog.given([min(one.id for one in slices)])
    return {why: many for told in counts.values() for why, many in told.items()}


def sift_again(dry: bool, topic: Path | None = None) -> list[dict[str, Any]]:
    """Judge every entry with a page anew; see decisions.again. `topic` is another file to try."""
    with _open(**({"topic": topic} if topic else {})) as desk:
        return [asdict(change) for change in decisions.again(desk, dry=dry or bool(topic))]


@_at_desk
def to_review(desk: Desk) -> list[dict[str, Any]]:
    """Return the entries that wait for a person's word, the oldest first, a thousand at most."""
    return desk.catalog.list_entries(reason="review", oldest=True, most=1000)


@_at_desk
def decided(desk: Desk) -> list[dict[str, Any]]:
    """Return every decision of a person, in order."""
    return [asdict(decision) for decision in desk.catalog.decisions()]


@_at_desk
def init(desk: Desk) -> dict[str, Any]:
    """Make the shelves, read every file once, take up the stories that are there."""
    taken = adopt()
    desk.catalog.list_feeds(desk.feeds)
    return {
        "corpus": desk.settings.corpus,
        "archive": desk.archive.where,
        "topic": desk.topic.name,
        "feeds": len(desk.feeds),
        "enabled": sum(feed.enabled for feed in desk.feeds),
        **taken,
    }


def shown_settings() -> dict[str, str]:
    """Return every setting as read, without passwords."""
    return settings.read().shown()


def shelves() -> dict[str, str]:
    """Return the URLs of archive and corpus."""
    ours = settings.read()
    places = {"archive": ours.archive, "corpus": ours.corpus}
    return {n: p if "://" in p else Path(p).absolute().as_uri() for n, p in places.items()}


@_at_desk
def why(desk: Desk, reference: str) -> dict[str, Any] | None:
    """Return the life of one entry, by URL, file or number; None when nothing is known."""
    life = report.life(desk, reference)
    place = life.pop("place", None) if life else None
    if life and life.get("copies") and place:
        kept = parse(desk.corpus.read(life["copies"]["name"]))
        story = reread(desk, place)
        life["beside"] = side_by_side(kept, story) if story else []
    return life


@_at_desk
def export(
    desk: Desk, folder: Path | None = None, fingerprints: Path | None = None
) -> dict[str, int]:
    """Write texts, JSON Lines and Parquet into a folder, or fingerprints into a file, or both."""
    from ingest import export as exports  # pyarrow: 0.4 s that no other verb needs

    if not (folder or fingerprints):
        raise SettingsError("nothing to write: name a folder, or a file with --fingerprints")
    done = exports.export(desk, folder) if folder else {}
    return done | (exports.fingerprints(desk, fingerprints) if fingerprints else {})


@_at_desk
def add_feed(
    desk: Desk, url: str, title: str = "", nation: str = "uk", kind: str = "press", note: str = ""
) -> dict[str, Any]:
    """Ask a new feed once and, when it answers, write it into the feeds file.

    That one request is also its first poll. Raises FetchError or FeedError, and adds nothing,
    when it is no feed.
    """
    url = desk.secrets.hide(url)
    listing = look(desk, Feed(url=url, title=title))
    feed = Feed(url=url, title=title or listing.title or url, nation=nation, kind=kind, note=note)
    feedlist.add(desk.settings.feeds, replace(feed, url=desk.secrets.revealed(url)))
    return {**asdict(feed), "entries": len(listing.entries), **_first(desk, feed, listing)}


def _first(desk: Desk, feed: Feed, listing: Listing) -> dict[str, int]:
    """Take what was asked before a feed was in the feeds file as its first poll."""
    desk.catalog.list_feeds([*desk.feeds, feed])
    after = answered(desk, feed, FeedState(url=feed.url), listing)
    taken = desk.catalog.polled(after, listing.entries, desk.now(), listing.refused)
    return {"entries_new": taken.new}


@_at_desk
def discover_feeds(
    desk: Desk, site: str, add: bool = False, nation: str = "uk", kind: str = "press"
) -> dict[str, Any]:
    """Look for a site's feeds, see ingest.scout; with `add`, the best goes into the feeds file.

    Returns `finds`, `asked` (how many URLs) and `added` (a URL or None). That request is its
    first poll, too. Raises FetchError when the site's page cannot be had.
    """
    found = scout(desk, site)
    best = found.best(site) if add else None
    if best:
        title = best.title or best.url
        feed = Feed(url=best.url, title=title, nation=nation, kind=kind, via=best.via)
        feedlist.add(desk.settings.feeds, feed)
        if best.listing:
            _first(desk, feed, best.listing)
    finds = [_shown(find) for find in found.finds]
    return {"finds": finds, "asked": found.asked, "added": best.url if best else None}


@_at_desk
def rediscover_feeds(
    desk: Desk, urls: list[str] | None = None, apply: bool = False
) -> list[dict[str, Any]]:
    """Look on their sites for the feeds of these URLs; without URLs, for those that are dead.

    Each answer has `url`, `new` (a URL or None), `detail` and, for a new one, what _shown has.
    With `apply` a new feed's URL replaces the old one in the feeds file. Raises SettingsError
    for a URL that is not in it.
    """
    states = desk.catalog.feed_states()
    listed = {feed.url: feed for feed in desk.feeds}
    if unknown := [url for url in urls or () if url not in listed]:
        raise SettingsError(f"{unknown[0]} is not in {desk.settings.feeds}; see `feeds list`")
    lost = [feed for feed in desk.feeds if dead(feed, states.get(feed.url))]
    wanted = [listed[url] for url in urls or ()] or lost
    steps = (_rediscovered(desk, feed, apply) for feed in wanted)
    return list(desk.watched("rediscover", steps, len(wanted)))


def _rediscovered(desk: Desk, feed: Feed, apply: bool) -> dict[str, Any]:
    try:
        found = scout(desk, urljoin(feed.url, "/"))
    except FetchError as error:
        return {"url": feed.url, "new": None, "detail": str(error)}
    best = found.best(feed.url)
    if best is None:
        return {"url": feed.url, "new": None, "detail": f"nothing in {found.asked} URLs"}
    detail = "proposed" if best.listing else "proposed: add it by hand, via sitemap"
    if apply and best.listing:
        feedlist.move(desk.settings.feeds, feed.url, best.url)
        _first(desk, replace(feed, url=best.url), best.listing)
        detail = "applied"
    return {**_shown(best), "url": feed.url, "new": best.url, "detail": detail}


def _shown(find: Find) -> dict[str, Any]:
    names = ("url", "via", "how", "outcome", "title", "entries", "newest")
    return {name: getattr(find, name) for name in names}


@_at_desk
def check_feeds(desk: Desk, urls: list[str] | None = None) -> list[dict[str, Any]]:
    """Ask feeds, see discover.check; without URLs all, disabled ones too.

    Keeps nothing but which ways into their past those of the feeds file offer: `ways`.
    """
    listed = {feed.url: feed for feed in desk.feeds}
    hidden = [desk.secrets.hide(url) for url in urls or ()]
    answers = check(desk, [listed.get(u, Feed(url=u, title="")) for u in hidden] or desk.feeds)
    desk.catalog.list_feeds(desk.feeds)
    works = [listed[one["url"]] for one in answers if one["works"] and one["url"] in listed]
    ways = past.offers(desk, works)
    return [{**one, "ways": ways.get(one["url"], [])} for one in answers]


@_at_desk
def why_feed(desk: Desk, url: str) -> dict[str, Any] | None:
    """Return all we know of a feed, by its URL or the one it moved to; None when nothing is.

    `next_poll` is when it is asked next and `reason` why then: see ingest.schedule. It is never
    asked while it is disabled: then the reason is who did that, and how to undo it.
    """
    desk.catalog.list_feeds(desk.feeds)
    known = desk.catalog.feed(url)
    if known is None:
        return None
    said = {name: one for name, one in asdict(known.pop("timing")).items() if one}
    for feed in desk.feeds:
        if feed.url == known["url"] and not feed.enabled:
            in_file = f"disabled in {desk.settings.feeds}; enable it there. {feed.note}".strip()
            reason = feed.note if known["disabled_by"] else in_file
            known |= {"next_poll": None, "reason": reason}
    return known | {
        name: sorted(one) if isinstance(one, frozenset) else one for name, one in said.items()
    }


@_at_desk
def enable_feed(desk: Desk, url: str) -> dict[str, Any]:
    """Have a feed asked at the next poll that is gone, fails or was disabled by a person.

    Raises SettingsError.
    """
    feed = _listed(desk, url)
    if not feed.enabled and feed.url not in desk.catalog.disabled():
        raise SettingsError(f"{feed.url}: not enabled in {desk.settings.feeds}: enable it there")
    desk.catalog.list_feeds(desk.feeds)
    desk.catalog.disable(feed.url, None, desk.now())
    state = desk.catalog.feed_states()[feed.url]
    state = replace(state, outcome="enabled", detail="", failures=0, distrusted=False)
    desk.catalog.polled(replace(state, next_poll=None, reason=""), (), desk.now())
    return {"url": feed.url, "outcome": "enabled"}


@_at_desk
def disable_feed(desk: Desk, url: str, by: str) -> dict[str, Any]:
    """Have a feed asked no more, until `enable_feed`; its line in the feeds file stays.

    Raises SettingsError.
    """
    feed = _listed(desk, url)
    if not feed.enabled:
        raise SettingsError(f"{feed.url}: it is disabled already: {feed.note}")
    desk.catalog.list_feeds(desk.feeds)
    desk.catalog.disable(feed.url, by, desk.now())
    return {"url": feed.url, "disabled_by": by}


@_at_desk
def ask_feed(desk: Desk, url: str) -> None:
    """Have a feed asked at the next poll, be it due or not; raises SettingsError."""
    if not _listed(desk, url).enabled:
        raise SettingsError(f"{url} is disabled: enable it first")
    enable_feed(url)


@_at_desk
def known(desk: Desk, entry: int) -> dict[str, Any] | None:
    """Return the title of an entry and the reason of its verdict, by its number."""
    life = desk.catalog.life(entry)
    if not life:
        return None
    told = life["story"] or life["entry"]
    return {"title": told["title"], "reason": (life["verdict"] or {}).get("reason"), "id": entry}


def _listed(desk: Desk, url: str) -> Feed:
    url = desk.secrets.masked(url)
    for feed in desk.feeds:
        if feed.url == url:
            return feed
    raise SettingsError(f"{url} is not in {desk.settings.feeds}; see `newsdesk feeds list`")


def import_opml(file: Path) -> dict[str, Any]:
    """Add an OPML file's feeds to the feeds file; those that are there already stay as they are."""
    ours = settings.read().feeds
    known = {canonical(feed.url) for feed in feedlist.load(ours)}
    feeds, notes = feedlist.from_opml(file.read_bytes())
    new = [feed for feed in feeds if canonical(feed.url) not in known]
    for feed in new:
        feedlist.add(ours, feed)
    return {"added": len(new), "known": len(feeds) - len(new), "notes": list(notes)}


def export_opml() -> str:
    """Return the feeds file as OPML, with the keys in its URLs: other readers need them, too."""
    return feedlist.to_opml(feedlist.load(settings.read().feeds)).decode()


@_at_desk
def check_topic(desk: Desk) -> dict[str, Any]:
    """Run the topic file's examples and all that people decided; `failures` says what fails.

    Of people's decisions those on the topic and those on copies are run: what was said of which
    text is kept with each.
    """
    topic = desk.topic
    return {
        "topic": topic.name,
        "examples": len(topic.yes) + len(topic.no),
        "decisions": len({one.entry for one in desk.catalog.decisions()}),
        "failures": [*check_examples(topic), *decisions.failures(desk)],
    }


@_at_desk
def explain_topic(desk: Desk, reference: str) -> dict[str, Any] | None:
    """Score a story file, or an entry we know by URL or number; None when we have no text of it."""
    file = Path(reference)
    story = parse(file.read_bytes()) if file.is_file() else _story(desk, reference)
    if story is None:
        return None
    score = explain(desk.topic, story.title, story.text)
    return {
        "title": story.title,
        "score": score.score,
        "decision": score.decision,
        "sentence": str(score),
        "points": points(score),
    }


def _story(desk: Desk, reference: str) -> Story | None:
    """Return the text of an entry: from its corpus file, else from its page in the archive."""
    found = report.life(desk, reference) or {}
    if found.get("story"):
        name = found["story"]["name"]
        return parse(desk.corpus.read(name), name)
    if "pruned" in found:
        raise SettingsError(f"{reference}: {found['pruned']}, so there is no text of it to score")
    return reread(desk, found["place"]) if found.get("place") else None
