"""What people ask of a catalog: tally, lives, stories, and whether it agrees with itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from storage import schema
from storage.model import Place, Seen

NEW, FETCHED, DECIDED = "new", "fetched", "decided"  # the states of an entry
REFETCHED = "refetched"  # the outcome of a fetch after the verdict
LOST = "page_lost"  # what is noted when a page is no longer in the archive


# What an entry without a verdict waits for, as people are told.
WAITING = ("to_fetch", "will_retry", "to_sift")
WAITS_FOR = case(
    (schema.entry.c.state == FETCHED, literal_column("'to_sift'")),
    (schema.entry.c.attempts > 0, literal_column("'will_retry'")),
    else_=literal_column("'to_fetch'"),
)


class Answers(ABC):
    """The half of a catalog that only reads."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]:
        """Open a connection for one question."""

    def runs(self, limit: int, occasion: str = "") -> list[dict[str, Any]]:
        """Return the last runs, or those for an occasion, newest first."""
        query = select(schema.run).order_by(schema.run.c.id.desc()).limit(limit)
        return self._rows(query.where(schema.run.c.occasion == occasion) if occasion else query)

    def succeeded(self) -> dict[str, datetime]:
        """Return when a run of each verb last ended well."""
        c = schema.run.c
        query = select(c.verb, func.max(c.ended)).where(c.failed.is_(None)).group_by(c.verb)
        with self._read() as connection:
            return {verb: at for verb, at in connection.execute(query) if at}

    def newest(self) -> int | None:
        """Return the highest number of a story; none without any."""
        with self._read() as connection:
            number: int | None = connection.scalar(select(func.max(schema.story.c.number)))
            return number

    def feed(self, url: str) -> dict[str, Any] | None:
        """Return all we know of one feed: by its URL, or the one it moved to."""
        c = schema.feed.c
        named = or_(c.url == url, c.address == url, c.moved_to == url)
        return next(iter(self._rows(select(schema.feed).where(named).order_by(c.url != url))), None)

    def tally(self) -> dict[str, int]:
        """Return how many entries ended with which reason, and how many wait for which verb.

        The numbers add up to the entries seen: `to_fetch`, `will_retry` (asked for in vain, and
        to be asked for again) and `to_sift` are those without a verdict.
        """
        v = schema.verdict.c
        query = (
            select(func.coalesce(v.reason, WAITS_FOR), func.count())
            .select_from(schema.entry.outerjoin(schema.verdict))
            .group_by(func.coalesce(v.reason, WAITS_FOR))
        )
        with self._read() as connection:
            rows = [(str(reason), int(n)) for reason, n in connection.execute(query)]
        return dict(sorted(rows, key=lambda row: (-row[1], row[0])))

    def entries_seen(self) -> int:
        """Return how many entries the sources announced, each counted once."""
        with self._read() as connection:
            return int(connection.scalar(select(func.count()).select_from(schema.entry)) or 0)

    def stories_kept(self) -> int:
        """Return how many stories are in the corpus."""
        query = select(func.count()).select_from(schema.story)
        with self._read() as connection:  # counted in indexes: the rows are large
            gone = connection.scalar(query.where(schema.story.c.withdrawn.is_not(None)))
            return (connection.scalar(query) or 0) - (gone or 0)

    def life(self, reference: str | int) -> dict[str, Any] | None:
        """Return all we know of an entry or story: by entry; or URL, file name, story number."""
        s, e = schema.story.c, schema.entry.c
        story: list[dict[str, Any]] = []
        one: str | int | None = reference
        if isinstance(reference, str):
            decimal = reference.isdecimal()
            by_name = s.number == int(reference) if decimal else s.name == reference
            story = self._rows(select(schema.story).where(by_name))
            one = story[0]["entry"] if story else None
        if one is not None:
            found = self._rows(select(schema.entry).where(e.id == one))
        elif not (found := story or self._rows(select(schema.entry).where(e.url == reference))):
            asked = select(schema.fetch.c.entry).where(schema.fetch.c.final_url == reference)
            named = select(schema.verdict.c.entry).where(schema.verdict.c.canonical == reference)
            o = schema.other_url.c
            also = select(o.entry).where(o.url == reference)
            ids = asked.union(also, named)
            by_url = or_(e.link == reference, e.id.in_(ids))
            found = self._rows(select(schema.entry).where(by_url).order_by(e.id))
        beside = self._beside(story[0]["number"]) if story else {}
        if story and one is None:  # put there by hand
            return {"story": story[0], **beside}
        if not found:
            return None
        entry = found[0]
        number = entry["id"]
        t = schema
        tables = (t.sighting, t.other_url, t.version, t.fetch, t.verdict, t.story, t.decision)
        told = [self._rows(select(table).where(table.c.entry == number)) for table in tables]
        sightings, other_urls, versions, fetches, verdicts, stories, decisions = told
        verdict = next(iter(verdicts), None)
        same = select(schema.story).where(s.number == (verdict and verdict["like"]))
        if not story and (story := stories):
            beside = self._beside(story[0]["number"])
        return {
            "entry": entry,
            "sightings": sightings,
            "other_urls": other_urls,
            "versions": versions,
            "fetches": fetches,
            "verdict": verdict,
            "decisions": decisions,
            "story": next(iter(story), None),
            "copies": next(iter(self._rows(same)), None) if verdict else None,
            **beside,
        }

    def _beside(self, number: int) -> dict[str, Any]:
        """Return the entries refused as copies of a story, and the stories on the same event."""
        v, r, s = schema.verdict.c, schema.related.c, schema.story.c
        other = case((r.number == number, r.other), else_=r.number)
        e = schema.entry.c
        copies = select(e.id, e.url, e.title, e.source, v.reason, v.kind, v.evidence, v.at)
        copies = copies.join_from(schema.verdict, schema.entry).where(v.like == number)
        related = select(s.number, s.name, s.title, s.url, r.likeness)
        related = related.join_from(schema.related, schema.story, s.number == other)
        related = related.where(or_(r.number == number, r.other == number))
        return {
            "copied_by": self._rows(copies.order_by(v.at)),
            "related": self._rows(related.order_by(s.number)),
        }

    def reasons(self, most: int, only: str = "") -> dict[str, list[str]]:
        """Return the reasons of each feed's latest entries with a verdict, `most` of each.

        Or of the `only` one with that URL.
        """
        e, v, f = schema.entry.c, schema.verdict.c, schema.feed.c
        of_one = select(v.reason).join_from(schema.entry, schema.verdict)
        of_one = (
            of_one.where(e.source == bindparam("of"), e.live.is_(True))
            .order_by(e.id.desc())
            .limit(most)
        )
        found: dict[str, list[str]] = {}
        with self._read() as connection:  # feed by feed: the index gives each its latest
            for url in [only] if only else connection.scalars(select(f.url).where(f.listed)).all():
                found[url] = list(connection.scalars(of_one, {"of": url}))
        return found

    def latest_pages(self, most: int) -> list[Seen]:
        """Return what became of the pages asked for last, the newest outcome first."""
        e, v, f = schema.entry.c, schema.verdict.c, schema.fetch.c
        query = (
            select(e.url, v.reason, f.outcome, v.at, f.at.label("tried"), v.words)
            .select_from(schema.fetch.join(schema.entry).outerjoin(schema.verdict, v.entry == e.id))
            .order_by(f.id.desc())
            .limit(most)
        )
        seen: dict[str, Seen] = {}
        with self._read() as connection:
            for url, reason, outcome, at, tried, words in connection.execute(query):
                one = Seen(url=url, reason=reason or outcome, at=at or tried, words=words)
                seen.setdefault(url, one)
        return sorted(seen.values(), key=lambda one: one.at, reverse=True)

    def stories(self) -> Iterator[dict[str, Any]]:
        """Yield every story with its provenance, by number."""
        s, e, v, f = schema.story.c, schema.entry.c, schema.verdict.c, schema.fetch.c
        unseen = {"pending", "withdrawn", "exact", "entry"}
        columns: list[Any] = [c for c in s if c.name not in unseen]
        columns += [e.link, e.source, e.first_seen, e.title.label("announced_title")]
        columns += [e.published.label("announced"), v.score, v.points, v.removed, v.extractor]
        columns += [v.topic, f.final_url, f.at.label("fetched"), f.file, f.offset, f.length]
        columns += [f.sha256.label("page_sha256")]
        joined = (
            schema.story.outerjoin(schema.entry, e.id == s.entry)
            .outerjoin(schema.verdict, v.entry == s.entry)
            .outerjoin(schema.fetch, f.id == last_fetch(s.entry))
        )
        query = select(*columns).select_from(joined).where(s.withdrawn.is_(None)).order_by(s.number)
        with self._read() as connection:
            for row in connection.execute(query).mappings():
                yield dict(row)

    def same_bytes(self, number: int) -> list[tuple[str, str]]:
        """Return URL and title of every entry whose page had the bytes that this one's has."""
        with self._read() as connection:
            return [(url, title) for url, title in connection.execute(_SAME, {"at": number})]

    def places(self) -> Iterator[tuple[str, Place, str]]:
        """Yield URL, place and content digest of every page that was fetched and not found lost."""
        f, later = schema.fetch.c, schema.fetch.alias().c
        lost = exists().where(later.entry == f.entry, later.id > f.id, later.outcome == LOST)
        query = (
            select(schema.entry.c.url, f.file, f.offset, f.length, f.sha256)
            .join(schema.entry)
            .where(f.file.is_not(None), ~lost)
        )
        with self._read() as connection:
            for url, file, offset, length, sha256 in connection.execute(query):
                yield url, Place(file=file, offset=offset, length=length), sha256

    def contradictions(self) -> list[str]:
        """Return what in the catalog speaks against itself: nothing, unless it was damaged."""
        s, e, v = schema.story.c, schema.entry.c, schema.verdict.c
        state = select(e.url).outerjoin_from(schema.entry, schema.verdict)
        story = state.outerjoin(schema.story, (s.entry == e.id) & s.withdrawn.is_(None))
        speaking = {
            "state and verdict": state.where((e.state == DECIDED) != v.entry.is_not(None)),
            "verdict and story": story.where((v.reason == "kept") != s.number.is_not(None)),
        }
        with self._read() as connection:
            return [
                f"{url}: {what} differ"
                for what, query in speaking.items()
                for url in connection.scalars(query)
            ]

    def _rows(self, query: Select[Any]) -> list[dict[str, Any]]:
        with self._read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def last_fetch(entry: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Return the number of the newest fetch that gave the entry a page."""
    f = schema.fetch.alias().c
    return select(func.max(f.id)).where(f.entry == entry, f.outcome == FETCHED).scalar_subquery()


_F = schema.fetch.c  # built once: this is asked of every page that is read
_LAST = select(_F.sha256).where(_F.id == last_fetch(bindparam("at", type_=_F.entry.type)))
_SAME = select(schema.entry.c.url, schema.entry.c.title).distinct().join(schema.fetch)
_SAME = _SAME.where(_F.sha256 == _LAST.scalar_subquery())
