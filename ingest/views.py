"""What people look at, put together from the shelves: plain values, a screenful at a time."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from ingest import report
from ingest.abreast import ahead
from ingest.desk import Desk
from ingest.errors import Fault
from ingest.likeness import side_by_side
from ingest.sift import reread
from storage.corpus import parse
from storage.errors import Lost
from storage.model import KEPT, Story
from storage.search import passages, phrases

DAY = timedelta(days=1)
SCREEN = 30  # rows
MANY_DAYS, MANY_MONTHS = 92, 144  # of which a plot has a bar each
Piece = tuple[str, str]  # why it is marked, or nothing; the words


def overview(desk: Desk, since: date, until: date, by: str = "nation") -> dict[str, Any]:
    """Return what came in on these days, both included: UTC days.

    `bars` are the days, months or years (`unit`) with the stories that appeared then, by the
    `nation` or `kind` of their source; `reasons` are the verdicts given on these days and their
    count, `had` how many of them on a page; `delays` the median and the 95th percentile of how
    long after they appeared, and were seen, stories came in; `disk` the bytes of each shelf.
    """
    reasons = desk.catalog.outcomes(since, until)
    delays = desk.catalog.delays(_midnight(since), _midnight(until + DAY))
    unit, bars = _bars(desk, since, until, by)
    return {
        "unit": unit,
        "bars": bars,
        "first": desk.catalog.first_day(),
        "today": desk.now().date(),
        "reasons": sorted(reasons.items(), key=lambda one: (one[0] != KEPT, -one[1])),
        "judged": sum(reasons.values()),
        "had": sum(n for reason, n in reasons.items() if reason not in set(Fault)),
        "kept": reasons.get(KEPT, 0),
        "waiting": desk.catalog.under_way(),
        "stories": desk.catalog.stories_kept(),
        "delays": {
            "after they appeared": _spread([one for one, _ in delays]),
            "after we saw them": _spread([one for _, one in delays]),
        },
        "years": calendar(desk),
        "disk": desk.catalog.bytes(),
    }


def _bars(desk: Desk, since: date, until: date, by: str) -> tuple[str, dict[date, Counter[str]]]:
    """Return what a bar stands for, and each one's stories by group, the empty ones, too."""
    rows = desk.catalog.days
    if (until - since).days <= MANY_DAYS:
        unit, counts = "day", rows(since, until, by)
        days = [since + n * DAY for n in range((until - since).days + 1)]
    else:
        first = month_after(since - DAY)
        last = (until + DAY).replace(day=1)
        counts = rows(first, last - DAY, by, months=True)
        counts += rows(since, first - DAY, by) + rows(last, until, by)
        begin = max(since, min((day for day, _, _ in counts), default=since))
        unit = "month" if (until - begin).days <= MANY_MONTHS * 30 else "year"
        days = [date(begin.year + n, 1, 1) for n in range(until.year - begin.year + 1)]
        if unit == "month":
            ends = begin.month - 1, 12 * (until.year - begin.year) + until.month
            days = [date(begin.year + n // 12, n % 12 + 1, 1) for n in range(*ends)]
    bars = {day: Counter[str]() for day in days}
    for day, group, count in counts:
        day = day if unit == "day" else day.replace(day=1)
        day = day.replace(month=1) if unit == "year" else day
        bars[day][group or "by hand"] += count
    return unit, bars


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def month_after(day: date) -> date:
    """Return the first day of the month after a day's."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _spread(some: Sequence[timedelta]) -> tuple[timedelta, timedelta] | None:
    """Return median and 95th percentile; None when there is nothing to tell."""
    in_order = sorted(some)
    last = len(some) - 1
    return (in_order[last // 2], in_order[last * 95 // 100]) if some else None


def calendar(desk: Desk, sources: Iterable[str] | None = None) -> dict[int, list[Counter[str]]]:
    """Return how many slices have days in each month, by their state, the newest year first."""
    years: dict[int, list[Counter[str]]] = {}
    for since, until, state, count in desk.catalog.calendar(sources):
        last = until - DAY
        for month in range(12 * since.year + since.month - 1, 12 * last.year + last.month):
            year = years.setdefault(month // 12, [Counter() for _ in range(12)])
            year[month % 12][state] += count
    return dict(sorted(years.items(), reverse=True))


def slices(
    desk: Desk, month: date | None = None, kind: str = "", source: str = "", state: str = "",
    before: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return a screen of `slices` with days in a month, the last first, and what each gave.

    `years` are the calendar of all of that kind of source, or of that source.
    """
    known = desk.catalog.sources()
    wanted = [source] if source else [one["url"] for one in known if one["kind"] == kind]
    sources = wanted if kind or source else None
    days = {"since": month, "until": month_after(month)} if month else {}
    found = desk.catalog.list_slices(
        **days, sources=sources, state=state, before=before, most=SCREEN + 1
    )
    given = desk.catalog.given([one["id"] for one in found[:SCREEN]])
    return {
        "slices": [one | {"given": sorted(given[one["id"]].items())} for one in found[:SCREEN]],
        "more": found[SCREEN - 1]["id"] if len(found) > SCREEN else None,
        "years": calendar(desk, sources),
        "kinds": sorted({one["kind"] for one in known if one["kind"]}),
    }


def feed(desk: Desk, url: str, before: str = "") -> dict[str, Any]:
    """Return a screen of one source's entries, its health, its last slices, and their calendar.

    `feed` is None for one that is not in the feeds file.
    """
    return {
        "feed": next(iter(report.feeds(desk, url)), None),
        **{k: one for k, one in slices(desk, source=url).items() if k in ("slices", "years")},
        **entries(desk, source=url, before=before),
    }


def stories(
    desk: Desk,
    said: str = "",
    nation: str = "",
    source: str = "",
    since: date | None = None,
    until: date | None = None,
    before: str = "",
) -> dict[str, Any]:
    """Return a screen of `stories`, the newest first, and `more`: what to go on before.

    Those found by words have `passages`, see storage.search.
    """
    known = desk.catalog.sources()
    wanted = [
        one["url"] for one in known
        if (not nation or one["nation"] == nation) and (not source or one["url"] == source)
    ]  # fmt: skip
    found = desk.catalog.list_stories(
        said=said, sources=wanted if nation or source else None, since=since, until=until,
        before=before, most=SCREEN + 1,
    )  # fmt: skip
    if phrases(said):

        def read(row: dict[str, Any]) -> tuple[int, str, str]:
            with suppress(Lost):  # somebody took the file away
                story = parse(desk.corpus.read(row["name"]))
                return row["number"], story.title, story.text
            return row["number"], "", ""

        told = passages(said, ahead(read, found[:SCREEN], desk.corpus.local))
        found = [row | {"passages": told.get(row["number"])} for row in found]
    return {
        "stories": found[:SCREEN],
        "more": found[SCREEN - 1]["place"] if len(found) > SCREEN else None,
        "sources": known,
    }


def entries(
    desk: Desk,
    reason: str = "",
    source: str = "",
    since: date | None = None,
    until: date | None = None,
    before: str = "",
) -> dict[str, Any]:
    """Return a screen of `entries`: of a source, or those not kept; `more` as for stories.

    Verdicts were given on these days, both included. `reasons` are those of these days, or else
    of the last 30, with their count.
    """
    today = desk.now().date()
    lately = desk.catalog.outcomes(since or (until or today) - 30 * DAY, until or today)
    found = desk.catalog.list_entries(
        reason=reason, source=source, before=before, most=SCREEN + 1,
        since=_midnight(since) if since else None, until=_midnight(until + DAY) if until else None,
    )  # fmt: skip
    return {
        "entries": found[:SCREEN],
        "more": found[SCREEN - 1]["place"] if len(found) > SCREEN else None,
        "sources": desk.catalog.sources(),
        "reasons": sorted(lately.items(), key=lambda one: -one[1]),
    }


def run(desk: Desk, occasion: str, reason: str = "", before: str = "") -> dict[str, Any]:
    """Return what was done for an occasion, such as a run of a DAG: its `runs`, one for each verb.

    And a screen of the `entries` that got their verdict then, with the count of each reason.
    """
    runs = desk.catalog.runs(200, occasion)[::-1] if occasion else []
    if not runs:
        return {"runs": [], "reasons": [], "entries": [], "more": None}
    numbers = [one["id"] for one in runs]
    ends = [one["ended"] or desk.now() for one in runs]
    since, until = runs[0]["started"], max(ends) + timedelta(seconds=1)
    found = desk.catalog.list_entries(
        runs=numbers, reason=reason, since=since, until=until, before=before, most=SCREEN + 1
    )
    return {
        "runs": runs,
        "reasons": desk.catalog.outcomes_of(numbers, since, until),
        "entries": found[:SCREEN],
        "more": found[SCREEN - 1]["place"] if len(found) > SCREEN else None,
    }


def life(desk: Desk, reference: str | int) -> dict[str, Any] | None:
    """Return the life of a story, by its number or file, or of an entry, by its own number.

    Beside what report.life has: `text`, paragraphs of pieces with the topic's evidence marked;
    `beside`, how a copy and the story it copies differ; `title`.
    """
    found = report.life(desk, reference)
    if found is None:
        return None
    text, place, verdict = None, found.pop("place", None), found.get("verdict") or {}
    story = found.get("story")
    if story and story["withdrawn"] is None:
        text = parse(desk.corpus.read(story["name"]), story["name"])
    elif place:
        text = reread(desk, place)
    if text and found.get("copies"):
        found["beside"] = side_by_side(parse(desk.corpus.read(found["copies"]["name"])), text)
    found["title"] = (text and text.title) or (story or found["entry"])["title"]
    found["text"] = marked(text, verdict.get("points") or ()) if text else []
    return found


def marked(story: Story, points: Iterable[Sequence[Any]]) -> list[list[Piece]]:
    """Return the story's paragraphs in pieces; what earned or cost points says which rule it was.

    `points` are rows of rule, zone, words found (parted by " + ") and points. Joined again, the
    pieces of a paragraph are the paragraph.
    """
    why: dict[str, str] = {}
    for rule, _, found, value in points:
        for words in str(found).split(" + "):
            why.setdefault(" ".join(words.lower().split()), f"{rule} {value:+.2f}")
    why.pop("", None)
    longest = sorted(why, key=len, reverse=True)
    any_of = "|".join(r"\s+".join(map(re.escape, words.split())) for words in longest)
    pattern = re.compile(rf"(?<!\w)({any_of})(?!\w)" if any_of else r"(?!)()", re.IGNORECASE)
    paragraphs = []
    for paragraph in story.text.split("\n\n"):
        pieces = pattern.split(paragraph)
        paragraphs.append([
            (why.get(" ".join(one.lower().split()), "") if place % 2 else "", one)
            for place, one in enumerate(pieces) if one
        ])  # fmt: skip
    return paragraphs


def review(desk: Desk, after: str = "") -> dict[str, Any] | None:
    """Return the life of the entry that has waited longest for a person's word, and how many do.

    `after` is the `place` of an entry to pass over, and those before it. None when none waits.
    """
    found = desk.catalog.list_entries(reason="review", before=after, most=1, oldest=True)
    told = life(desk, found[0]["id"]) if found else None
    waiting = desk.catalog.waiting_for("review")
    return told and told | {"waiting": waiting, "place": found[0]["place"]}
