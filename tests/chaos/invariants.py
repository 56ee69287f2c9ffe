"""What must hold of a run, whatever failed: each a function that lists what speaks against it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from urllib.parse import urlsplit

from sqlalchemy import create_engine, text

from ingest.urls import canonical
from tests.chaos.origin import Origin
from tests.chaos.rig import Rig
from tests.chaos.world import GAP, Story

EPSILON = 0.001  # seconds: times are kept in microseconds
FLOOR = 55 * 60.0  # seconds; a feed that answered is left alone for an hour, give or take jitter
MOST_KEPT_WAITING = 86400.0  # a Retry-After is obeyed up to there


def rows(rig: Rig, query: str) -> list[tuple[str, ...]]:
    engine = create_engine(rig.home.news["NEWS_CATALOG"])
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def one_verdict_each(rig: Rig) -> Iterator[str]:
    """Every story ever offered is in the catalog with exactly one verdict, the right one."""
    decided = rows(rig, "SELECT e.url, v.reason FROM entry e LEFT JOIN verdict v ON v.entry = e.id")
    verdicts: defaultdict[str, list[str]] = defaultdict(list)
    for url, reason in decided:
        verdicts[url].append(reason)
    expected = {canonical(rig.origin.story_url(story)): story for story in rig.world.stories}
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for url, story in expected.items():
        found = verdicts.pop(url, [])
        if story.renamed_at is not None:  # it is one entry, under either name
            found += verdicts.pop(canonical(rig.origin.story_url(story, renamed=True)), [])
        if len(found) != 1 or found[0] not in story.expected:
            yield f"{_shown(story)}: verdicts {found}, wanted one of {story.expected}"
        if story.group is not None:
            groups[story.group] += found
    for group, found in groups.items():
        if found.count("kept") != 1:
            yield f"copies of story {group}: verdicts {found}, wanted one kept"
    yield from (f"{url}: never offered, yet {found}" for url, found in verdicts.items())


def _shown(story: Story) -> str:
    day = story.published / 86400
    return f"story {story.number} ({story.kind}, day {day:.2f}, feeds {story.feeds})"


def none_twice(rig: Rig) -> Iterator[str]:
    """No text is in the corpus twice, and no entry has two stories."""
    for words, times in Counter(rig.told.texts).items():
        if times > 1:
            yield f"{times} times in the corpus: {words[:60]!r}"
    for entry, times in Counter(rows(rig, "SELECT entry FROM story")).items():
        if times > 1:
            yield f"entry {entry} has {times} stories"


def tally_adds_up(rig: Rig) -> Iterator[str]:
    """As many entries are seen as have a verdict; as many kept as there are files."""
    seen = rows(rig, "SELECT count(*) FROM entry")[0][0]
    if sum(rig.told.verdicts.values()) != seen:
        yield f"{seen} entries, tally {rig.told.verdicts}"
    if rig.told.verdicts.get("kept", 0) != len(rig.told.texts):
        yield f"{rig.told.verdicts.get('kept')} kept, {len(rig.told.texts)} files"
    waiting = {key: rig.told.verdicts.get(key, 0) for key in ("to_fetch", "to_sift")}
    if any(waiting.values()):
        yield f"left over: {waiting}"


def gaps_kept(rig: Rig) -> Iterator[str]:
    """No host was asked sooner than its gap, nor a page sooner than robots.txt asks for."""
    yield from sooner_than(rig.origin, GAP)


def sooner_than(origin: Origin, least: float) -> Iterator[str]:
    """Yield the requests that came sooner after the last one to their host than they may."""
    by_host: defaultdict[str, list[int]] = defaultdict(list)
    asked = origin.asked
    for number, one in enumerate(asked):
        by_host[one.host].append(number)
    for name, numbers in by_host.items():
        host = origin.world.by_name.get(name)
        delay = float(host.delay or 0) if host else 0.0
        for before, after in pairwise(numbers):
            gap = asked[after].at - asked[before].at
            wanted = max(least, delay) if asked[after].kind == "page" else least
            if gap < wanted - EPSILON:
                yield f"{name}{asked[after].path}: {gap:.3f} s after the last, wanted {wanted:g}"


def validators_verbatim(rig: Rig) -> Iterator[str]:
    """What a feed was sent as validators is a pair that it gave, byte for byte."""
    for one in rig.origin.asked:
        pair = (one.etag, one.modified)
        if one.kind == "feed" and pair != (None, None):
            if pair not in rig.origin.issued[one.number]:
                yield f"feed {one.number} at {one.at:.0f}: {pair} was never given"
        elif pair != (None, None) and urlsplit(one.path).path.startswith("/news"):
            yield f"{one.path}: validators for a page: {pair}"


def nothing_forbidden(rig: Rig) -> Iterator[str]:
    """Nobody connected to the address that is off the allowed networks."""
    yield from (f"connected from {peer}" for peer in rig.origin.forbidden)


def robots_obeyed(rig: Rig) -> Iterator[str]:
    """No page was asked for that robots.txt denies, or whose host wants longer gaps than ours."""
    for one in rig.origin.asked:
        host = rig.world.by_name.get(one.host)
        slow = host is not None and host.delay is not None and host.delay > 120
        if one.path.startswith("/private/") or (one.kind == "page" and slow):
            yield f"{one.host}{one.path} at {one.at:.0f}"


def not_too_early(rig: Rig) -> Iterator[str]:
    """A feed that answered is left alone for an hour; one that names a wait, for that long.

    Not looked at where our own side failed: whoever is killed before it can note an answer has
    to ask again.
    """
    last: dict[int, tuple[float, float, str]] = {}
    for one in rig.origin.asked:
        if one.kind != "feed" or one.status in (301, 410):
            continue
        before = last.get(one.number)
        if before and not _troubled(rig, before[0], one.at) and one.at - before[0] < before[1]:
            waited = one.at - before[0]
            yield (
                f"feed {one.number} at {one.at:.0f}: {waited:.0f} s after {before[2]}, "
                f"wanted {before[1]:.0f}"
            )
        well = one.status in (200, 304) and not one.fault
        wait = FLOOR if well else min(one.wait, MOST_KEPT_WAITING)
        last[one.number] = (one.at, wait - EPSILON, one.fault or str(one.status))


def _troubled(rig: Rig, start: float, end: float) -> bool:
    return any(a <= end and start <= b for a, b in rig.troubled)


def verify_clean(rig: Rig) -> Iterator[str]:
    """`newsdesk verify` has nothing to say."""
    yield from rig.differences


def nothing_raised(rig: Rig) -> Iterator[str]:
    """No verb raised but what it is there to raise: all failed, the disk full, the catalog held."""
    yield from rig.errors


INVARIANTS: Mapping[str, Callable[[Rig], Iterator[str]]] = {
    "every story has exactly one verdict, the right one": one_verdict_each,
    "nothing is kept twice": none_twice,
    "the tally adds up": tally_adds_up,
    "no host was asked sooner than its gap": gaps_kept,
    "validators were verbatim": validators_verbatim,
    "no forbidden address was connected to": nothing_forbidden,
    "what robots.txt denies was never asked": robots_obeyed,
    "no feed was asked too early": not_too_early,
    "newsdesk verify is clean": verify_clean,
    "no verb raised what it should not": nothing_raised,
}
SAME = "the corpus equals that of a fault-free run"


def check(rig: Rig, calm_texts: Sequence[str] | None = None) -> dict[str, list[str]]:
    """Return what speaks against each invariant; nothing does when all is well."""
    found = {name: list(look(rig)) for name, look in INVARIANTS.items()}
    if calm_texts is not None:
        ours, theirs = set(rig.told.texts), set(calm_texts)
        found[SAME] = [f"only in the fault-free run: {text[:60]!r}" for text in theirs - ours]
        found[SAME] += [f"only in the run with faults: {text[:60]!r}" for text in ours - theirs]
    return found
