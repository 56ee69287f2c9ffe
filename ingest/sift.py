"""Archive -> corpus: extract, judge, keep. Sends no request."""

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from urllib.parse import urljoin

import structlog

from ingest import fulltext
from ingest.abreast import ahead
from ingest.dates import LONDON
from ingest.desk import Desk
from ingest.errors import RunFailed
from ingest.extract import UNREAD, Hints, Stated
from ingest.filters import ALONE, BESIDE, Case, Filters, judge
from ingest.filters.out_of_range import day_of
from ingest.furniture import recurring
from ingest.health import BROKEN
from ingest.likeness import Kin, kin, likeness
from ingest.reading import WORDLESS, Reading, Sheet, is_wordless
from ingest.responses import after_verdict
from ingest.score import VERSION, TopicScore, prefilter
from ingest.urls import host_of
from ingest.web.client import redacted
from storage.answers import FETCHED
from storage.corpus import name_of, number_of, parse, render
from storage.errors import FormatError, Lost
from storage.model import (
    KEPT,
    Fingerprint,
    Judgement,
    Lookalike,
    Page,
    Place,
    Story,
    Verdict,
    Waiting,
)

log = structlog.get_logger(__name__)

PATIENCE = timedelta(days=14)  # for a person to review what is uncertain
BATCH = 500  # entries looked up at once; bounds memory, changes no outcome
SITES = 500  # whose lines are at hand: 10 kB each
FEW = 8  # entries held at once, beside those in the readers' hands: the rest is for others
EXTRACTOR = f"trafilatura {version('trafilatura')}, newsdesk {version('newsdesk')}"
# Their pages hold a story: what its feed holds can be measured on it, unlike on a wall.
READ = {KEPT, "off_topic", "review", "duplicate_exact", "duplicate_near"}


def sift(desk: Desk, limit: int | None = None) -> dict[str, int]:
    """Judge every fetched entry and keep what is new; return how many ended with which reason.

    Takes up hand-put files first, and refuses as `expired` what nobody reviewed in time. `pages`
    counts the entries judged and equals the sum of their reasons; `held` are those left to other
    workers, which are at them. Raises RunFailed when not one page could be read.
    """
    counts: Counter[str] = Counter({**adopt(desk, every=False), "pages": 0})
    counts["expired"] = desk.catalog.expire(desk.now() - PATIENCE, desk.now())
    desk.catalog.reopen(desk.topic.since or date.min, desk.topic.until or date.max)
    total = min(desk.catalog.under_way().get(FETCHED, 0), limit or sys.maxsize)
    with desk.catalog.at_work():
        for verdict in desk.watched("sift", _verdicts(desk, total), total):
            counts["pages"] += 1
            counts[verdict.reason] += 1
            if verdict.keep:
                desk.watch(KEPT, counts[KEPT], total)
        held, until = desk.catalog.held(desk.now())
    if held:
        counts["held"] = held
        log.info("entries_held", entries=held, until=until)
    broken = sum(counts[reason] for reason in BROKEN)
    if counts["pages"] and broken == counts["pages"]:
        raise RunFailed(
            f"every page failed ({broken} of {broken}): {dict(counts)}; `newsdesk why URL` shows "
            "what the extractor said of each"
        )
    return dict(counts)


def _verdicts(desk: Desk, total: int) -> Iterator[Verdict]:
    pages: deque[tuple[Waiting, Page]] = deque()
    unread = _Unread(desk)
    for reading in desk.readers.map(_sheets(desk, _held(desk, total), pages, unread)):
        waiting, page = pages.popleft()
        if reading.extract.fault == UNREAD:
            unread.add(waiting, reading.extract.detail)
        else:
            yield _settle_one(desk, waiting, page, reading)
        yield from unread.settled()
    unread.settle()
    yield from unread.settled()


def _held(desk: Desk, most: int) -> Iterator[Waiting]:
    """Yield so many entries, oldest story first, as they become ours: a few at a time."""
    while most > 0 and (listed := desk.catalog.to_sift(desk.now(), min(BATCH, most))):
        for start in range(0, len(listed), FEW):
            few = listed[start : start + FEW]
            held = desk.catalog.hold("sift", [one.id for one in few], desk.now())
            yield from (one for one in few if one.id in held)
            most -= len(held)


def _sheets(
    desk: Desk,
    entries: Iterable[Waiting],
    pages: "deque[tuple[Waiting, Page]]",
    unread: "_Unread",
) -> Iterator[tuple[Sheet]]:
    """Yield one sheet a page, and note which page it is of; or why it need not be read."""
    known = learnt(desk)
    for waiting, page in shelved(desk, entries):
        if isinstance(page, Lost):  # fetch it anew: a page lost is not a story lost
            assert waiting.place
            desk.catalog.lost(waiting.id, desk.now(), str(page), waiting.place)
            log.warning("page_lost", url=redacted(waiting.entry.url), detail=str(page))
            continue
        if is_wordless(desk.topic, page.content):
            unread.add(waiting, WORDLESS)
            continue
        pages.append((waiting, page))
        yield (sheet_of(desk, waiting, page, known),)


class _Unread:
    """Pages that need not be taken apart: they get their verdict a few at a time."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._few: list[tuple[Waiting, Verdict]] = []
        self._settled: list[Verdict] = []

    def add(self, waiting: Waiting, why: str) -> None:
        """Take one on, and why it is off the topic."""
        self._few.append((waiting, Verdict("off_topic", why)))
        if len(self._few) == FEW:
            self.settle()

    def settle(self) -> None:
        """Give those at hand their verdict, in one transaction."""
        desk, few = self._desk, self._few
        now = desk.now()
        desk.catalog.decide_all(
            [
                (one.id, said, _grounds(desk, _day(one.entry.published)), _recheck(desk, one, said))
                for one, said in few
            ],
            now,
        )
        for one, said in few:
            url, title = redacted(one.entry.url), one.entry.title
            detail = said.evidence
            log.info("story_dropped", url=url, title=title, reason=said.reason, detail=detail)
            self._settled.append(said)
        few.clear()

    def settled(self) -> Iterator[Verdict]:
        """Yield the verdicts given since this was last asked."""
        while self._settled:
            yield self._settled.pop()


def _grounds(desk: Desk, published: date | None) -> Judgement:
    topic = f"{desk.topic.digest} scorer {VERSION}"
    return Judgement(extractor=EXTRACTOR, topic=topic, published=published)


def shelved(desk: Desk, batch: Iterable[Waiting]) -> Iterator[tuple[Waiting, Page | Lost]]:
    """Yield each fetched entry with its page, or with what is said of one that is lost."""

    def read(waiting: Waiting) -> tuple[Waiting, Page | Lost]:
        assert waiting.place
        try:
            return waiting, desk.archive.read(waiting.place)
        except Lost as error:
            return waiting, error

    return ahead(read, batch, desk.archive.local)


def learnt(desk: Desk) -> Callable[[str], frozenset[int]]:
    """Return who tells the marks of the lines that recur on a URL's site, as first asked for."""
    of_site = lru_cache(SITES)(lambda site: recurring(desk.catalog.lines(site)))
    return lambda url: of_site(urljoin(url, "/"))


def sheet_of(
    desk: Desk, waiting: Waiting, page: Page, known: Callable[[str], frozenset[int]]
) -> Sheet:
    """Return what a child process is given of an entry's page; `known` is of `learnt`."""
    entry = waiting.entry
    days = (
        Stated(_day(entry.published), entry.date_source, entry.date_text),
        Stated(_day(entry.updated), "updated", str(entry.updated)),
    )
    hints = Hints(
        title=entry.title,
        days=days,
        first_seen=_day(waiting.first_seen),
        fetched=page.fetched.date(),
        recurring=known(page.final_url),
    )
    return _sheet(desk, page, hints)


def _day(moment: datetime | None) -> date | None:
    return moment and moment.astimezone(LONDON).date()


def _sheet(desk: Desk, page: Page, hints: Hints) -> Sheet:
    return Sheet(
        content=page.content,
        content_type=page.header("content-type") or "",
        url=page.final_url,
        hints=hints,
        topic=desk.settings.topic,
    )


def reread(desk: Desk, place: Place) -> Story | None:
    """Return the story of a page in the archive as today's code extracts it; None for none."""
    page = desk.archive.read(place)
    hints = Hints(recurring=learnt(desk)(page.final_url))
    (reading,) = desk.readers.map([(_sheet(desk, page, hints),)])
    return reading.story if reading.story.text else None


def case_of(desk: Desk, waiting: Waiting, page: Page, reading: Reading) -> tuple[Case, Judgement]:
    """Return what the filters look at, and the grounds of whatever verdict they come to."""
    host = host_of(waiting.entry.url)
    same = {title for url, title in desk.catalog.same_bytes(waiting.id) if host_of(url) == host}
    case = Case(
        entry=waiting.entry,
        same_bytes=len(same),
        url=page.final_url,
        hops=page.hops,
        extract=reading.extract,
        story=reading.story,
        topic=desk.topic,
        score=reading.score,
        windows=desk.catalog.windows(waiting.id),
    )
    grounds = replace(
        _grounds(desk, day_of(case)),
        score=reading.score.score if reading.score else None,
        points=points(reading.score),
        removed=tuple((one.rule, one.line) for one in reading.extract.removed),
        words=reading.fingerprint.words if reading.fingerprint else None,
        canonical=reading.extract.canonical,
    )
    return case, grounds


def _settle_one(desk: Desk, waiting: Waiting, page: Page, reading: Reading) -> Verdict:
    """Judge one page, keep its story if it is new, and record the verdict."""
    case, grounds = case_of(desk, waiting, page, reading)
    in_feed = desk.catalog.in_feed(waiting.id) if page.status else None
    verdict = judge(case, ALONE)
    name = ""
    if verdict.keep:
        assert reading.fingerprint
        verdict, name = admit(desk, waiting.id, case, reading.fingerprint, grounds)
    else:
        next_try = None
        if page.status:
            next_try = _recheck(desk, waiting, verdict, case.story)
        desk.catalog.decide(waiting.id, verdict, grounds, desk.now(), next_try)
    text = case.story.text if verdict.reason in READ else ""
    if in_feed and text and fulltext.wanted(in_feed, waiting.id):
        shares = fulltext.measured(in_feed, text)
        desk.catalog.save_shares(waiting.entry.source, shares)
    log.info(
        "story_kept" if verdict.keep else "story_dropped",
        url=redacted(page.final_url),
        title=case.story.title or waiting.entry.title,
        reason=verdict.reason,
        detail=verdict.evidence,
        story=name,
    )
    return verdict


def _recheck(
    desk: Desk, waiting: Waiting, verdict: Verdict, story: Story | None = None
) -> datetime | None:
    """Return when a refused page is asked for again, None: never; see `ingest.responses`.

    What its source announced speaks of the topic, and its page has no word of it: perhaps
    another page answered. No `story`: its page has none.
    """
    entry = waiting.entry
    shown = f"{story.title} {story.text}" if story else ""
    contradicted = (
        verdict.reason in ("off_topic", "too_short")
        and not prefilter(desk.topic, shown.encode())
        and prefilter(desk.topic, f"{entry.title} {entry.summary}".encode())
    )
    wait = after_verdict(
        verdict.reason, waiting.attempts, live=waiting.live, contradicted=contradicted
    )
    return desk.now() + wait if wait else None


def points(score: TopicScore | None) -> tuple[tuple[str, str, str, float], ...]:
    """Return a score's evidence in plain values: rule, zone, words found, points."""
    evidence = score.evidence if score else ()
    return tuple((e.rule, e.zone, " + ".join(e.found), e.points) for e in evidence)


def admit(
    desk: Desk,
    entry: int,
    case: Case,
    found: Fingerprint,
    grounds: Judgement,
    *,
    filters: Filters = BESIDE,
    again: bool = False,
    dry: bool = False,
    said: str = "",
) -> tuple[Verdict, str]:
    """Compare a story with all that is kept and take it in if it is new; return its file's name.

    The decision is committed with the file's bytes, then the file is written, then the bytes are
    forgotten. Whoever sifts next writes what a killed worker left unwritten, so that numbers
    have no gaps. `again` replaces the verdict that the entry has; `dry` changes nothing.
    `said` is the evidence when it is kept.
    """
    data, number, name = b"", -1, ""
    urls = {case.story.url, case.entry.url}
    if not desk.corpus.local:  # had before, so that nobody waits for a store while all are locked
        deque(_lookalikes(desk, desk.catalog.alike(urls, found)), maxlen=0)
    with desk.catalog.admission() as admission:
        alike = admission.alike(urls, found)
        lookalikes = tuple(_lookalikes(desk, alike))
        case = replace(case, lookalikes=lookalikes, kin=tuple(kin(case.story, lookalikes)))
        verdict = judge(case, filters)
        if dry:
            return verdict, ""
        if verdict.keep:
            verdict = replace(verdict, evidence=said)
            data = render(case.story)
            number = admission.next_number()
            name = name_of(number, data)
        else:
            likest = case.kin[0].lookalike if case.kin else case.lookalikes[0]
            kind = likeness(likest.story, case.story).kind
            grounds = replace(grounds, like=likest.number, kind=kind)
        if again:
            admission.reopen(entry)
        if not admission.decide(entry, verdict, grounds, desk.now()):
            return Verdict("done_elsewhere"), ""
        if verdict.keep:
            admission.take(
                number,
                name,
                case.story,
                found,
                sha256=sha256(data).hexdigest(),
                now=desk.now(),
                entry=entry,
                pending=data,
                related=_related(case.kin),
            )
    if verdict.keep:
        desk.corpus.keep(name, data)
        desk.catalog.settle(number, case.story)
    return verdict, name


def _lookalikes(
    desk: Desk, alike: Iterable[tuple[int, str, str, bytes | None]]
) -> Iterator[Lookalike]:
    for number, name, how, pending in alike:
        try:
            data = pending or desk.corpus.read(name)
        except Lost as error:  # `newsdesk verify` tells people; a copy of it may come in
            log.warning("story_missing", story=name, detail=str(error))
            continue
        yield Lookalike(number=number, name=name, how=how, story=parse(data, name))


def _related(found: Iterable[Kin]) -> dict[int, float]:
    return {one.lookalike.number: one.likeness.containment for one in found}


def settle(desk: Desk) -> None:
    """Write the files of stories taken in by a worker that ended before it wrote them."""
    for number, name, data in desk.catalog.pending():
        desk.corpus.keep(name, data)
        desk.catalog.settle(number, parse(data, name))


def adopt(desk: Desk, every: bool = True) -> dict[str, int]:
    """Take up the story files that people put into the corpus; return `adopted`, `unreadable`.

    They count as existing corpus from then on: their numbers are taken, and copies of them are
    refused. A file that breaks the format, or whose number is taken, is left alone and reported.
    Unless `every` file is asked for, a folder that did not change since is not looked into.
    """
    settle(desk)
    local = desk.corpus.local
    deque(ahead(desk.corpus.remove, desk.catalog.names(withdrawn=True), local), maxlen=0)
    mark = desk.corpus.mark(desk.catalog.next_number())
    counts = {"adopted": 0, "unreadable": 0}
    if not every and mark and mark == desk.catalog.mark():
        return counts
    fresh = desk.catalog.unknown(desk.corpus.names())
    if fresh:
        from ingest.fingerprint import fingerprint  # numpy: 0.1 s that only stories need

    files = zip(fresh, ahead(desk.corpus.read, fresh, local), strict=True)
    for name, data in desk.watched("adopt", files, len(fresh)):
        number = number_of(name)
        assert number is not None
        digest = sha256(data).hexdigest()
        try:
            story = parse(data, name)
            found = fingerprint(story)
            with desk.catalog.admission() as admission:
                there = admission.named(number)
                if there and there != name:
                    raise FormatError(f"{name}: its number is taken: give it the next free one")
                if not there:
                    alike = _lookalikes(desk, admission.alike({story.url}, found))
                    admission.take(
                        number,
                        name,
                        story,
                        found,
                        sha256=digest,
                        now=desk.now(),
                        pending=data,
                        related=_related(kin(story, alike)),
                    )
        except FormatError as error:
            counts["unreadable"] += 1
            log.warning("file_not_adopted", story=name, detail=str(error))
            continue
        if there:  # another worker took it up in the meantime
            continue
        desk.catalog.settle(number, story)
        counts["adopted"] += 1
        log.info("story_adopted", story=name, title=story.title)
    if mark and not counts["unreadable"]:
        desk.catalog.mark(mark)
    return counts
