"""What people decide, and what today's rules would: both against the verdicts given before."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

import structlog

from ingest import report
from ingest.desk import Desk
from ingest.errors import SettingsError
from ingest.extract import Extract
from ingest.filters import ALONE, BESIDE, judge
from ingest.likeness import likeness
from ingest.reading import NOTHING, Reading, Sheet
from ingest.score import explain
from ingest.sift import BATCH, admit, case_of, learnt, settle, sheet_of, shelved
from ingest.web.client import redacted
from storage.catalog import Decided
from storage.corpus import parse, render
from storage.errors import Lost
from storage.model import Decision, Page, Verdict

log = structlog.get_logger(__name__)

WHATS = ("accept", "refuse", "not_a_copy", "copy_of", "wrong_text")
OTHER_TEXT = "other_text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How an entry's verdict would differ today, or does since it was judged again."""

    url: str
    title: str
    was: str
    now: str  # a reason; other_text when a kept story's text would be another
    evidence: str
    score_was: float | None
    score_now: float | None
    done: bool  # the verdict is the new one; a file that is in the corpus is never touched


def decide(
    desk: Desk, reference: str, what: str, *, by: str, why: str, like: str | None = None
) -> dict[str, Any]:
    """Record what a person says of an entry's verdict, and act on it; return what became of it.

    `accept` takes a refused story in, `not_a_copy` one refused as a copy; `refuse` and `copy_of`
    (with `like`, the kept story) take a kept one out of the corpus; its number stays taken, and
    copies of it stay out. `wrong_text` is only noted: today's text is in `newsdesk sift --again`.
    Raises SettingsError for what cannot be decided on, with what to do.
    """
    if what not in WHATS:
        raise SettingsError(f"no such decision {what!r}: say one of {', '.join(WHATS)}")
    life = report.life(desk, reference)
    if not life or not life.get("entry") or not life.get("verdict"):
        raise SettingsError(f"{reference}: no entry with a verdict; see `newsdesk why {reference}`")
    entry, was = life["entry"]["id"], life["verdict"]["reason"]
    found = desk.catalog.decided(entry - 1, 1, only=entry)
    if not found:
        raise SettingsError(f"{reference}: no page of it was ever had, so there is nothing to read")
    other = report.life(desk, like) if like else life.get("copies") and {"story": life["copies"]}
    if what in ("copy_of", "not_a_copy") and not (other and other.get("story")):
        raise SettingsError(f"{what} needs a kept story: give its number or file with --like")
    if what == "copy_of" and other and other["story"]["number"] == found[0].number:
        raise SettingsError(f"{reference} cannot be a copy of itself: name another with --like")
    beside = other["story"] if other and what in ("copy_of", "not_a_copy") else None
    if "pruned" not in life:
        readings = list(_readings(desk, found))
    elif story := life.get("story"):
        readings = [_reading_of(desk, found[0], story)]
    else:
        raise SettingsError(f"{reference}: {life['pruned']}, so there is nothing to read")
    if not readings:
        raise SettingsError(f"{reference}: its page is lost; `newsdesk verify` tells more")
    ((one, _, reading),) = readings
    text = render(reading.story).decode() if reading.story.text else ""
    decision = Decision(
        what=what,
        entry=entry,
        by=by,
        why=why,
        at=desk.now(),
        was=was,
        story=desk.corpus.read(one.name).decode() if one.verdict.keep else text,
        like=beside and beside["number"],
        beside=desk.corpus.read(beside["name"]).decode() if beside else "",
    )
    desk.catalog.record(decision)
    change = next(_rejudged(desk, readings, {entry: decision}, dry=False))
    log.info("decided", url=life["entry"]["url"], what=what, by=by, was=was)
    said = {key: value for key, value in asdict(decision).items() if key not in ("story", "beside")}
    return {**said, "now": change.now if change else was}


def again(desk: Desk, *, dry: bool) -> Iterator[Change]:
    """Judge every entry with a page anew, by today's code and files; yield what differs.

    Asks nothing of the web and changes no file of the corpus. A story that should now be in comes
    in, a refusal gets today's reason, what people decided outranks both; a kept story that would
    not be kept today, or with another text, is told and stays; so does an entry whose page was
    pruned. `dry` only tells.
    """
    changes = desk.watched("sift --again", _all(desk, dry), desk.catalog.entries_seen())
    yield from filter(None, changes)


def _all(desk: Desk, dry: bool) -> Iterator[Change | None]:
    ruled = {decision.entry: decision for decision in desk.catalog.decisions()}
    after = pruned = 0
    while batch := desk.catalog.decided(after, BATCH):
        after = batch[-1].waiting.id
        there = [one for one in batch if one.waiting.place]
        pruned += len(batch) - len(there)
        yield from _rejudged(desk, _readings(desk, there), ruled, dry=dry)
    if pruned:
        log.warning("pages_pruned", entries=pruned, detail="their verdicts stay as they are")


def mend(desk: Desk) -> int:
    """Write those files that are gone from the corpus anew, from their pages; return how many.

    A page must give what it gave then, byte for byte; `newsdesk verify` tells of all the others.
    """
    gone, mended, after = desk.catalog.names().keys() - {*desk.corpus.names()}, 0, 0
    while gone and (batch := desk.catalog.decided(after, BATCH)):
        after = batch[-1].waiting.id
        wanted = [one for one in batch if one.name in gone and one.waiting.place]
        for one, _, reading in _readings(desk, wanted):
            data = render(reading.story) if reading.story.text else b""
            if sha256(data).hexdigest() == one.sha256:
                desk.corpus.keep(one.name, data)
                mended += 1
                log.info("story_mended", story=one.name, url=redacted(one.waiting.entry.url))
    return mended


def failures(desk: Desk) -> list[str]:
    """Return one sentence for each recorded decision that the rules would get wrong today."""
    told = []
    for one in {d.entry: d for d in desk.catalog.decisions()}.values():
        story = parse(one.story.encode()) if one.story else NOTHING
        score = explain(desk.topic, story.title, story.text)
        wrong = {"accept": "refused", "refuse": "accepted"}.get(one.what)
        if one.was in ("kept", "review", "expired", "off_topic") and score.decision == wrong:
            told.append(f"{story.title!r}: {one.by} said {one.what} ({one.why}), but it is {score}")
        if one.beside:
            like = likeness(parse(one.beside.encode()), story)
            if like.is_copy != (one.what == "copy_of"):
                said = f"{one.by} said {one.what} of {one.like} ({one.why})"
                told.append(f"{story.title!r}: {said}, but {like}")
    return told


def _reading_of(
    desk: Desk, one: Decided, story: Mapping[str, Any]
) -> tuple[Decided, Page, Reading]:
    """Return what stands for the page of a story that is in the corpus, or was, when it is gone."""
    from ingest.fingerprint import fingerprint  # numpy: 0.1 s that only stories need

    text = parse(story["withdrawn"] or desk.corpus.read(one.name), one.name)
    text = replace(text, **{key: story[key] for key in ("url", "published", "language")})
    extract = Extract(title=text.title, published=text.published, language=text.language)
    page = Page(
        url=one.waiting.entry.url,
        final_url=text.url,
        status=200,
        headers=(),
        payload=b"",
        content=b"",
        fetched=desk.now(),
    )
    score = explain(desk.topic, text.title, text.text)
    return one, page, Reading(extract, text, fingerprint(text), score)


def _readings(desk: Desk, batch: list[Decided]) -> Iterator[tuple[Decided, Page, Reading]]:
    pages: deque[tuple[Decided, Page]] = deque()

    def sheets() -> Iterator[tuple[Sheet]]:
        had, known = shelved(desk, (one.waiting for one in batch)), learnt(desk)
        for one, (_, page) in zip(batch, had, strict=True):
            if isinstance(page, Lost):  # `newsdesk verify` tells people
                log.warning("page_lost", url=redacted(one.waiting.entry.url), detail=str(page))
                continue
            pages.append((one, page))
            yield (sheet_of(desk, one.waiting, page, known),)

    for reading in desk.readers.map(sheets()):
        yield *pages.popleft(), reading


def _rejudged(
    desk: Desk,
    readings: Iterable[tuple[Decided, Page, Reading]],
    ruled: Mapping[int, Decision],
    *,
    dry: bool,
) -> Iterator[Change | None]:
    """Yield for each entry with a page how its verdict differs, or None when it does not."""
    for one, page, reading in readings:
        now, done = _rejudge(desk, one, page, reading, ruled.get(one.waiting.id), dry)
        yield (
            None
            if now.reason == one.verdict.reason
            else Change(
                url=one.waiting.entry.url,
                title=reading.story.title or one.waiting.entry.title,
                was=one.verdict.reason,
                now=now.reason,
                evidence=now.evidence,
                score_was=one.score,
                score_now=reading.score.score if reading.score else None,
                done=done,
            )
        )


def _rejudge(
    desk: Desk, one: Decided, page: Page, reading: Reading, ruling: Decision | None, dry: bool
) -> tuple[Verdict, bool]:
    """Return today's verdict on one entry, and whether it is the entry's from now on."""
    what = ruling.what if ruling else ""
    said = f"{ruling.by}: {ruling.why}" if ruling else ""
    case, grounds = case_of(desk, one.waiting, page, reading)
    now, entry = desk.now(), one.waiting.id
    if what in ("refuse", "copy_of"):
        assert ruling
        verdict = Verdict("refused", said)
        if what == "copy_of":
            grounds = replace(grounds, like=ruling.like)
            verdict = Verdict("duplicate_near", f"like={ruling.like} {said}")
        if one.verdict.keep and not dry:
            data = desk.corpus.read(one.name)
            with desk.catalog.admission() as admission:
                admission.reopen(entry)
                admission.decide(entry, verdict, grounds, now)
                admission.withdraw(one.number or 0, data)
            desk.corpus.remove(one.name)
            return verdict, True
    elif what in ("accept", "not_a_copy") and not one.verdict.keep and one.number is not None:
        verdict = Verdict("kept", said)
        if not dry:
            with desk.catalog.admission() as admission:
                admission.reopen(entry)
                admission.decide(entry, verdict, grounds, now)
                admission.restore(one.number)
            settle(desk)
        return verdict, not dry
    else:
        verdict = judge(
            case, () if what in ("accept", "not_a_copy") and reading.story.text else ALONE
        )
    if one.verdict.reason == "expired" and verdict.reason == "review":
        return one.verdict, False
    if one.verdict.keep:
        same = sha256(render(reading.story)).hexdigest() == one.sha256 if verdict.keep else True
        return (verdict if same else Verdict(OTHER_TEXT, "today's text is another")), False
    if verdict.keep:
        assert reading.fingerprint
        filters = () if what == "not_a_copy" else BESIDE
        verdict, _ = admit(
            desk,
            entry,
            case,
            reading.fingerprint,
            grounds,
            filters=filters,
            again=True,
            dry=dry,
            said=said,
        )
    elif verdict.reason != one.verdict.reason and not dry:
        with desk.catalog.admission() as admission:
            admission.reopen(entry)
            admission.decide(entry, verdict, grounds, now)
    return verdict, not dry
