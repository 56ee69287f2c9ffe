"""What people look at, put together from the shelves: plain values, a screenful at a time."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from ingest import report
from ingest.desk import Desk
from ingest.errors import Fault
from ingest.likeness import side_by_side
from ingest.sift import reread
from storage.corpus import parse
from storage.errors import Lost
from storage.model import KEPT, Story

SCREEN = 30  # rows
SAMPLE = 50  # stories whose files are measured to tell what the corpus takes
Piece = tuple[str, str]  # why it is marked, or nothing; the words


def overview(desk: Desk, since: date, until: date, by: str = "nation") -> dict[str, Any]:
    """Return what came in on these days, both included: UTC days.

    `days` counts stories by the day they appeared and by the `nation` or `kind` of their source,
    by month when there are many; `reasons` are the verdicts given then and their count, `had` how
    many of them on a page; `delays` the median and the 95th percentile of how long after they
    appeared, and were seen, stories came in; `disk` the bytes of each shelf that is on one.
    """
    begin, end = (datetime.combine(day, time(), UTC) for day in (since, until + timedelta(days=1)))
    groups = {row["url"]: row[by] for row in desk.catalog.sources()}
    months = (until - since).days > 92
    days: dict[date, Counter[str]] = {}
    for day, source, count in desk.catalog.days(since, until):
        day = day.replace(day=1) if months else day
        days.setdefault(day, Counter())[groups.get(source or "") or "by hand"] += count
    reasons = desk.catalog.outcomes(begin, end)
    delays = desk.catalog.delays(begin, end)
    return {
        "days": days,
        "months": months,
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
        "disk": _disk(desk),
    }


def _spread(some: Sequence[timedelta]) -> tuple[timedelta, timedelta] | None:
    """Return median and 95th percentile; None when there is nothing to tell."""
    in_order = sorted(some)
    last = len(some) - 1
    return (in_order[last // 2], in_order[last * 95 // 100]) if some else None


def _disk(desk: Desk) -> dict[str, int]:
    taken = {"catalog": desk.catalog.bytes()}
    if desk.archive.local:
        taken["archive"] = desk.archive.size()
    if desk.corpus.local:
        sizes = []
        for one in desk.catalog.list_stories(most=SAMPLE):
            with suppress(Lost):  # a file that is gone is for `newsdesk verify` to tell
                sizes.append(len(desk.corpus.read(one["name"])))
        taken["corpus, about"] = desk.catalog.stories_kept() * sum(sizes) // max(len(sizes), 1)
    return taken


def stories(
    desk: Desk,
    said: str = "",
    nation: str = "",
    source: str = "",
    since: date | None = None,
    until: date | None = None,
    before: int | None = None,
) -> dict[str, Any]:
    """Return a screen of `stories`, the newest first, and `more`: what to go on before."""
    known = desk.catalog.sources()
    wanted = [
        one["url"] for one in known
        if (not nation or one["nation"] == nation) and (not source or one["url"] == source)
    ]  # fmt: skip
    found = desk.catalog.list_stories(
        said=said, sources=wanted if nation or source else None, since=since, until=until,
        before=before, most=SCREEN + 1,
    )  # fmt: skip
    return {
        "stories": found[:SCREEN],
        "more": found[SCREEN - 1]["place"] if len(found) > SCREEN else None,
        "sources": known,
    }


def entries(
    desk: Desk, reason: str = "", source: str = "", before: int | None = None
) -> dict[str, Any]:
    """Return a screen of `entries`: of a source, or those not kept; `more` as for stories.

    `reasons` are those of the last 30 days, with their count.
    """
    now = desk.now()
    lately = desk.catalog.outcomes(now - timedelta(days=30), now)
    found = desk.catalog.list_entries(reason=reason, source=source, before=before, most=SCREEN + 1)
    return {
        "entries": found[:SCREEN],
        "more": found[SCREEN - 1]["id"] if len(found) > SCREEN else None,
        "sources": desk.catalog.sources(),
        "reasons": sorted(lately.items(), key=lambda one: -one[1]),
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


def review(desk: Desk, after: int | None = None) -> dict[str, Any] | None:
    """Return the life of the oldest entry that waits for a person's word, and how many do.

    `after` passes over that entry and those before it. None when no entry waits.
    """
    found = desk.catalog.list_entries(reason="review", before=after, most=1, oldest=True)
    told = life(desk, found[0]["id"]) if found else None
    return told and told | {"waiting": desk.catalog.waiting_for("review")}
