"""How each feed does, and what of a run people must hear of: pure judgement on what was noted.

Post-mortem of a peer: 100 % failures reported success for three days, because each one was
caught. So shares are judged, too. What makes a run fail is a broken world; the rest warns.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from ingest.errors import Fault
from ingest.urls import host_of
from storage.model import Feed, FeedState, Seen

PATIENCE = 3  # failures in a row before a feed counts as ill: miniflux's; one 503 says nothing
MANY_GAPS = 5  # of gaps that vary like chance's, one in e**5 = 150 is longer than 5 usual ones
SILENCE = timedelta(days=10)  # never stale before: Christmas to New Year is nine
LONG_SILENCE = timedelta(days=90)  # for a feed whose gap is unknown: some hold one old entry
ENOUGH = 10  # fewer feeds, pages or entries make no share
TELLING = 5  # pages of one host; with fewer, chance says as much as a median
WINDOW = 20  # pages or entries looked back on, of one host or feed
UNREAD = {"not_a_feed", "unparseable", "bad_encoding", "too_large"}  # answers that are no feed
BROKEN = {"extract_failed", "extract_timeout", "extract_crashed"}  # pages not to be read
UNBODIED = {"not_modified", "unchanged_body"}  # answers that say nothing of what the feed holds
PICKED = {
    "kept",
    "fetched",
    "off_topic",
    "review",
    "language",
    "out_of_range",
    "not_news",
}  # no fault of it
WELL = {"well", "new", "disabled"}
QUIET = timedelta(days=1)  # a run speaks only of what it asked, which may come round once a day
TO_DO = {
    "feeds_failing": "Is the network there, the name server, a proxy? See `newsdesk feeds list`.",
    "feeds_unreadable": "Our parser, or something between us and the sites: `newsdesk feeds list`.",
    "pages_unreadable": "Our extractor: `newsdesk why URL` shows what it said of a page.",
    "feeds_ill": "`newsdesk feeds why URL` shows its polls; `feeds rediscover` seeks a new URL.",
    "host_failing": "`newsdesk why URL` of one of its pages; perhaps the site refuses us.",
    "feed_overrun": "It is asked more often now, and its archive for the days that were missed.",
    "internal_error": "A mistake of ours: its traceback is in the log. Please report it.",
    "texts_shrunk": "Its template changed: compare a page with what `newsdesk why URL` shows.",
}
ORDER = (
    "gone", "unreachable", "unparseable", "empty", "stale", "all_duplicates", "all_off_topic",
    "new", "well", "disabled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alert:
    """What people must hear of; a grave one makes the run fail."""

    name: str
    evidence: str
    grave: bool = False


def health(
    feed: Feed, state: FeedState | None, reasons: Sequence[str], now: datetime
) -> tuple[str, str]:
    """Return how a feed does, one of ORDER, and the evidence for it.

    `reasons` are the verdicts of its latest entries, at most WINDOW count.
    """
    if not feed.enabled:
        return "disabled", feed.note
    if state is None or state.polled is None:
        return "new", "never asked"
    if state.outcome == "gone":
        return "gone", state.detail
    if state.failures >= PATIENCE:
        ill = "unparseable" if state.outcome in UNREAD else "unreachable"
        return ill, f"{state.outcome} {state.failures} times in a row: {state.detail}"
    read = next((o for _, o, _ in reversed(state.past) if o not in UNBODIED), "")
    if read == "empty_valid":
        return "empty", "a valid feed without entries"
    if evidence := _stale(state, now):
        return "stale", evidence
    latest = reasons[:WINDOW]
    if len(latest) >= ENOUGH:
        if all(reason.startswith("duplicate") for reason in latest):
            return "all_duplicates", f"each of the last {len(latest)} entries was a copy"
        if set(latest) == {"off_topic"}:
            return "all_off_topic", f"each of the last {len(latest)} entries was off topic"
    return "well", f"{state.outcome}: {state.detail}" if state.failures else ""


def _stale(state: FeedState, now: datetime) -> str:
    """Return the evidence that nothing new came in far longer than usual, or nothing.

    Huginn alone of our peers has it (expected_update_period_in_days).
    """
    came = [datetime.fromisoformat(at) for at, _, new in state.past if new]
    newest = max([*came, *([state.newest] if state.newest else [])], default=None)
    gap = state.usual_gap
    if newest is None or now - newest <= (max(SILENCE, gap * MANY_GAPS) if gap else LONG_SILENCE):
        return ""
    usual = f"{gap / timedelta(days=1):.1f}" if gap else "unknown"
    return f"nothing new since {newest:%d %b %Y} usual_gap_days={usual}"


def changes(
    told: Mapping[str, str], alerts: Mapping[str, str], now: datetime
) -> tuple[dict[str, str], list[str], dict[str, str]]:
    """Return what of a run's alerts is new, which alerts are over, and what is told from now on.

    `told` has when each item of an alert's evidence, figures aside, was last seen. An item is new
    once; an alert is over when none of its items was seen for as long as QUIET.
    """
    fresh, seen = dict[str, str](), dict(told)
    for name, evidence in alerts.items():
        items = {f"{name}: {re.sub(r'[0-9.]+', '#', one)}": one for one in evidence.split("; ")}
        if new := [one for key, one in items.items() if key not in told]:
            fresh[name] = "; ".join(new)
        seen |= dict.fromkeys(items, now.isoformat())
    kept = {key: at for key, at in seen.items() if now - datetime.fromisoformat(at) <= QUIET}
    before, after = ({key.partition(":")[0] for key in one} for one in (seen, kept))
    return fresh, sorted(before - after), kept


def of_feeds(
    feeds: Iterable[Feed], before: Mapping[str, FeedState], after: Mapping[str, FeedState],
    began: datetime, now: datetime,
) -> list[Alert]:  # fmt: skip
    """Return the alerts of a run of discover, given what was known of each feed at its start.

    Feeds that were ill before do not count: they say nothing of what happened now.
    """
    ill: list[str] = []
    overrun: list[str] = []
    broken: list[str] = []
    asked: list[FeedState] = []
    for feed in feeds:
        old, new = before.get(feed.url), after.get(feed.url)
        if not new or not new.polled or new.polled < began:
            continue
        asked += [new] if not old or old.failures < PATIENCE else []
        if new.overrun_at and new.missed_since and new.overrun_at >= began:
            hours = (new.overrun_at - new.missed_since) / timedelta(hours=1)
            overrun.append(f"{feed.title}: entries of up to {hours:.0f} h were missed")
        if new.outcome == Fault.INTERNAL_ERROR:
            broken.append(f"{feed.title}: {new.detail}")
        if health(feed, old, (), (old and old.polled) or began)[0] in WELL:
            state, evidence = health(feed, new, (), now)
            ill += [] if state in WELL else [f"{feed.title}: {state} ({evidence})"]
    found = [Alert("feeds_ill", _some(ill))] if ill else []
    found += [Alert("feed_overrun", _some(overrun))] if overrun else []
    found += [Alert("internal_error", _some(broken))] if broken else []
    failing = [state.outcome for state in asked if state.failures]
    share = len(failing) / max(len(asked), 1)
    unread = sum(outcome in UNREAD for outcome in failing)
    said = f"{len(failing)} of {len(asked)}: {_some(sorted(set(failing)))}"
    if share > 0.5 and len(asked) >= ENOUGH:
        found.append(Alert("feeds_failing", said, grave=True))
    elif share >= 0.25 and len(failing) > 1:
        found.append(Alert("feeds_failing", said))
    return found + _unread("feeds_unreadable", unread, len(asked))


def of_pages(
    seen: Iterable[Seen], broken: int, pages: int, began: datetime, internal_errors: int = 0
) -> list[Alert]:
    """Return the alerts of a run of fetch or sift; `broken` of its `pages` could not be read.

    `seen` are the latest pages, newest first; only hosts with one of this run are spoken of.
    """
    found = _unread("pages_unreadable", broken, pages)
    if internal_errors:
        found.append(Alert("internal_error", f"{internal_errors} of {pages} pages"))
    hosts: dict[str, list[Seen]] = {}
    for one in seen:
        hosts.setdefault(host_of(one.url), []).append(one)
    same, shrunk = [], []
    for host, all_of_it in sorted(hosts.items()):
        if all_of_it[0].at < began:
            continue
        latest = all_of_it[:ENOUGH]
        reason = latest[0].reason
        faulty = reason not in PICKED and not reason.startswith("duplicate")
        if faulty and len(latest) >= TELLING and {one.reason for one in latest} == {reason}:
            same.append(f"{host}: {reason}, {len(latest)} of {len(latest)} pages")
        words = [one.words for one in all_of_it if one.words is not None]
        new, old = words[:TELLING], words[TELLING : TELLING + WINDOW]
        if len(old) >= TELLING and median(new) * 2 <= median(old):
            shrunk.append(f"{host}: median {median(old):g} -> {median(new):g} words")
    found += [Alert("host_failing", _some(same))] if same else []
    found += [Alert("texts_shrunk", _some(shrunk))] if shrunk else []  # its template changed
    return found


def _unread(name: str, broken: int, total: int) -> list[Alert]:
    """Return a grave alert when a fifth of what came could not be read: our parser's fault."""
    if total < ENOUGH or broken * 5 < total:
        return []
    return [Alert(name, f"{broken} of {total} could not be read", grave=True)]


def _some(texts: Sequence[str], most: int = 5) -> str:
    more = f"; and {len(texts) - most} more" if len(texts) > most else ""
    return "; ".join(texts[:most]) + more
