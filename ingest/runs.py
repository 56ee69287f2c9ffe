"""The entry points: plain values in, plain counts out. All that Airflow and the CLI call."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import structlog

from ingest import decisions, feedlist, report
from ingest import settings as environment
from ingest.desk import Desk
from ingest.discover import answered, check, look
from ingest.discover import discover as _discover
from ingest.errors import FetchError, RunFailed, SettingsError
from ingest.fetch import fetch as _fetch
from ingest.likeness import side_by_side
from ingest.score import check as check_examples
from ingest.score import explain
from ingest.scout import Find, dead, scout
from ingest.sift import adopt as _adopt
from ingest.sift import points, reread
from ingest.sift import sift as _sift
from ingest.sources import Listing
from ingest.urls import canonical
from storage.corpus import parse
from storage.errors import NewsError
from storage.model import Feed, FeedState, Story

log = structlog.get_logger(__name__)

Watch = Callable[[str, int, int], None]


def unwatched(_verb: str, _done: int, _total: int) -> None:
    """Watch nothing."""


def discover(ask_all: bool = False, watch: Watch = unwatched) -> dict[str, Any]:
    """Ask the feeds that are due, or all enabled ones, for entries."""
    with _desk(watch) as desk:
        return _recorded(desk, "discover", lambda: _discover(desk, ask_all))


def fetch(watch: Watch = unwatched) -> dict[str, Any]:
    """Fetch the pages that are due."""
    with _desk(watch) as desk:
        return _recorded(desk, "fetch", lambda: _fetch(desk))


def sift(watch: Watch = unwatched) -> dict[str, Any]:
    """Judge the fetched pages and keep the stories that are new."""
    with _desk(watch) as desk:
        return _recorded(desk, "sift", lambda: _sift(desk))


def sift_again(
    dry: bool, topic: str | None = None, watch: Watch = unwatched
) -> list[dict[str, Any]]:
    """Judge every entry with a page anew; see decisions.again. `topic` is another file to try."""
    with _desk(watch, **({"topic": Path(topic)} if topic else {})) as desk:
        return [asdict(change) for change in decisions.again(desk, dry=dry or bool(topic))]


def decide(reference: str, what: str, by: str, why: str, like: str | None = None) -> dict[str, Any]:
    """Record what a person says of a verdict, and act on it; see decisions.decide."""
    with _desk() as desk:
        return decisions.decide(desk, reference, what, by=by, why=why, like=like)


def decided() -> list[dict[str, Any]]:
    """Return every decision of a person, in order."""
    with _desk() as desk:
        return [asdict(decision) for decision in desk.catalog.decisions()]


def poll(ask_all: bool = False, watch: Watch = unwatched) -> dict[str, dict[str, Any]]:
    """Discover, fetch and sift, in a row.

    When a verb's run fails, the ones after it still work off what lies ready; then the failure
    is raised.
    """
    done: dict[str, dict[str, Any]] = {}
    failed: list[RunFailed] = []
    verbs: dict[str, Callable[[], dict[str, Any]]] = {
        "discover": lambda: discover(ask_all, watch),
        "fetch": lambda: fetch(watch),
        "sift": lambda: sift(watch),
    }
    for verb, run in verbs.items():
        try:
            done[verb] = run()
        except RunFailed as error:
            failed.append(error)
    if failed:
        raise RunFailed("; ".join(map(str, failed)))
    return done


def adopt(watch: Watch = unwatched) -> dict[str, Any]:
    """Take up the stories that people put into the corpus folder."""
    with _desk(watch) as desk:
        return _recorded(desk, "adopt", lambda: _adopt(desk))


def init(watch: Watch = unwatched) -> dict[str, Any]:
    """Make the shelves, read every file once, take up the stories that are there."""
    with _desk(watch) as desk:
        taken = _recorded(desk, "adopt", lambda: _adopt(desk))
        desk.catalog.list_feeds(desk.feeds)
        enabled = sum(feed.enabled for feed in desk.feeds)
        return {
            "corpus": desk.settings.corpus,
            "archive": str(desk.archive.folder),
            "topic": desk.topic.name,
            "feeds": len(desk.feeds),
            "enabled": enabled,
            **taken,
        }


def settings() -> dict[str, str]:
    """Return every setting as read, without passwords."""
    return environment.read().shown()


def status() -> dict[str, Any]:
    """Return tally, stories, feeds and the last runs; see report.status."""
    with _desk() as desk:
        return report.status(desk)


def why(reference: str) -> dict[str, Any] | None:
    """Return the life of one entry, by URL, file or number; None when nothing is known."""
    with _desk() as desk:
        life = report.life(desk, reference)
        if life and life.get("copies") and life.get("place"):
            kept = parse(desk.corpus.read(life["copies"]["name"]))
            story = reread(desk, life["place"])
            life["beside"] = side_by_side(kept, story) if story else []
        if life:
            life.pop("place", None)
        return life


def verify(watch: Watch = unwatched) -> list[str]:
    """Return every way in which corpus, catalog and archive differ."""
    with _desk(watch) as desk:
        return report.verify(desk)


def export(folder: str, watch: Watch = unwatched) -> dict[str, int]:
    """Write texts, JSON Lines and Parquet into a folder."""
    from ingest.export import export as _export  # pyarrow: 0.4 s that no other verb needs

    with _desk(watch) as desk:
        return _export(desk, Path(folder))


def feeds() -> list[dict[str, Any]]:
    """Return each feed of the feeds file and how it does; see report.feeds."""
    with _desk() as desk:
        return report.feeds(desk)


def add_feed(url: str, title: str, nation: str, kind: str, note: str = "") -> dict[str, Any]:
    """Ask a new feed once and, when it answers, write it into the feeds file.

    That one request is also its first poll. Raises FetchError or FeedError, and adds nothing,
    when it is no feed.
    """
    with _desk() as desk:
        url = desk.secrets.hide(url)
        listing = look(desk, Feed(url=url, title=title))
        feed = Feed(
            url=url, title=title or listing.title or url, nation=nation, kind=kind, note=note
        )
        feedlist.add(desk.settings.feeds, replace(feed, url=desk.secrets.revealed(url)))
        return {**asdict(feed), "entries": len(listing.entries), **_first(desk, feed, listing)}


def _first(desk: Desk, feed: Feed, listing: Listing) -> dict[str, int]:
    """Take what was asked before a feed was in the feeds file as its first poll."""
    desk.catalog.list_feeds([*desk.feeds, feed])
    after = answered(desk, feed, FeedState(url=feed.url), listing)
    taken = desk.catalog.polled(after, listing.entries, desk.now(), listing.refused)
    return {"entries_new": taken.new}


def discover_feeds(site: str, add: bool, nation: str, kind: str) -> dict[str, Any]:
    """Look for a site's feeds, see ingest.scout; with `add`, the best goes into the feeds file.

    Returns `finds`, `asked` (how many URLs) and `added` (a URL or None). That request is its
    first poll, too. Raises FetchError when the site's page cannot be had.
    """
    with _desk() as desk:
        found = scout(desk, site)
        best = found.best(site) if add else None
        if best:
            feed = Feed(
                url=best.url, title=best.title or best.url, nation=nation, kind=kind, via=best.via
            )
            feedlist.add(desk.settings.feeds, feed)
            if best.listing:
                _first(desk, feed, best.listing)
        finds = [_shown(find) for find in found.finds]
        return {"finds": finds, "asked": found.asked, "added": best.url if best else None}


def rediscover_feeds(
    urls: Sequence[str] = (), apply: bool = False, watch: Watch = unwatched
) -> list[dict[str, Any]]:
    """Look on their sites for the feeds of these URLs; without URLs, for those that are dead.

    Each answer has `url`, `new` (a URL or None), `detail` and, for a new one, what _shown has.
    With `apply` a new feed's URL replaces the old one in the feeds file. Raises SettingsError
    for a URL that is not in it.
    """
    with _desk(watch) as desk:
        states = desk.catalog.feed_states()
        listed = {feed.url: feed for feed in desk.feeds}
        if unknown := [url for url in urls if url not in listed]:
            raise SettingsError(f"{unknown[0]} is not in {desk.settings.feeds}; see `feeds list`")
        lost = [feed for feed in desk.feeds if dead(feed, states.get(feed.url))]
        wanted = [listed[url] for url in urls] or lost
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
    if apply and best.listing:
        feedlist.move(desk.settings.feeds, feed.url, best.url)
        _first(desk, replace(feed, url=best.url), best.listing)
        detail = "applied"
    else:
        detail = "proposed" if best.listing else "proposed: add it by hand, via sitemap"
    return {**_shown(best), "url": feed.url, "new": best.url, "detail": detail}


def _shown(find: Find) -> dict[str, Any]:
    names = ("url", "via", "how", "outcome", "title", "entries", "newest")
    return {name: getattr(find, name) for name in names}


def check_feeds(urls: Sequence[str] = (), watch: Watch = unwatched) -> list[dict[str, Any]]:
    """Ask feeds (all of the feeds file, disabled ones too, without URLs) and keep nothing.

    Each answer has `url`, `outcome`, `detail`, `entries` and `newest`, an entry's date.
    """
    with _desk(watch) as desk:
        listed = {feed.url: feed for feed in desk.feeds}
        hidden = [desk.secrets.hide(url) for url in urls]
        asked = [listed.get(u, Feed(url=u, title="")) for u in hidden] or list(desk.feeds)
        return check(desk, asked)


def why_feed(url: str) -> dict[str, Any] | None:
    """Return all we know of a feed, by its URL or the one it moved to; None when nothing is.

    `next_poll` is when it is asked next and `reason` why then: see ingest.schedule.
    """
    with _desk() as desk:
        desk.catalog.list_feeds(desk.feeds)
        known = desk.catalog.feed(url)
        if known is None:
            return None
        said = {name: one for name, one in asdict(known.pop("timing")).items() if one}
        return known | {
            name: sorted(one) if isinstance(one, frozenset) else one for name, one in said.items()
        }


def enable_feed(url: str) -> dict[str, Any]:
    """Have a feed asked at the next poll that is gone, or fails; raises SettingsError."""
    with _desk() as desk:
        if not any(feed.url == url and feed.enabled for feed in desk.feeds):
            raise SettingsError(f"{url}: not enabled in {desk.settings.feeds}: enable it there")
        desk.catalog.list_feeds(desk.feeds)
        state = desk.catalog.feed_states()[url]
        state = replace(state, outcome="enabled", detail="", failures=0, distrusted=False)
        desk.catalog.polled(replace(state, next_poll=None, reason=""), (), desk.now())
        return {"url": url, "outcome": "enabled"}


def import_opml(path: str) -> dict[str, Any]:
    """Add an OPML file's feeds to the feeds file; those that are there already stay as they are."""
    with _desk() as desk:
        known = {canonical(feed.url) for feed in feedlist.load(desk.settings.feeds)}
        feeds, notes = feedlist.from_opml(Path(path).read_bytes())
        new = [feed for feed in feeds if canonical(feed.url) not in known]
        for feed in new:
            feedlist.add(desk.settings.feeds, feed)
        return {"added": len(new), "known": len(feeds) - len(new), "notes": list(notes)}


def export_opml() -> str:
    """Return the feeds file as OPML, with the keys in its URLs: other readers need them, too."""
    with _desk() as desk:
        return feedlist.to_opml(feedlist.load(desk.settings.feeds)).decode()


def check_topic() -> dict[str, Any]:
    """Run the topic file's examples and all that people decided; `failures` says what fails.

    Of people's decisions those on the topic and those on copies are run: what was said of which
    text is kept with each.
    """
    with _desk() as desk:
        topic, ruled = desk.topic, desk.catalog.decisions()
        return {
            "topic": topic.name,
            "examples": len(topic.yes) + len(topic.no),
            "decisions": len({one.entry for one in ruled}),
            "failures": [*check_examples(topic), *decisions.failures(desk)],
        }


def explain_topic(reference: str) -> dict[str, Any] | None:
    """Score a story file, or an entry we know by URL or number; None when we have no text of it."""
    with _desk() as desk:
        if Path(reference).is_file():
            story = parse(Path(reference).read_bytes())
        else:
            found = _story(desk, reference)
            if found is None:
                return None
            story = found
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
    return reread(desk, found["place"]) if found.get("place") else None


@contextmanager
def _desk(watch: Watch = unwatched, **other: Any) -> Iterator[Desk]:
    with Desk(environment.read().model_copy(update=other), watch=watch) as desk:
        yield desk


def _recorded(desk: Desk, verb: str, run: Callable[[], dict[str, int]]) -> dict[str, Any]:
    """Run a verb and note in the catalog how it went; one log line with its tally.

    Returns the verb's counts and, when there is any, `alerts`: their evidence by name. Raises
    RunFailed for a grave one.
    """
    began, counts, alerts = desk.now(), dict[str, int](), dict[str, str]()
    number = desk.catalog.begin_run(verb, began)
    try:
        before = desk.catalog.feed_states()
        counts = run()
        found = report.alerts(desk, verb, counts, before, began)
        alerts = {one.name: one.evidence for one in found}
        for one in found:
            log.warning("alert", verb=verb, name=one.name, evidence=one.evidence)
        if grave := [f"{one.name}: {one.evidence}" for one in found if one.grave]:
            raise RunFailed("; ".join(grave))
    except NewsError as error:
        desk.catalog.end_run(number, desk.now(), counts, str(error), alerts)
        log.info("run_failed", verb=verb, detail=str(error))
        raise
    desk.catalog.end_run(number, desk.now(), counts, None, alerts)
    log.info("run_ended", verb=verb, **counts)
    return {**counts, "alerts": alerts} if alerts else counts
