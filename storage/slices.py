"""What of the past was asked for: the slices of days, how far each is, and what it gave."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, fields, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, delete, func, or_, select, update

from storage import intake, schema
from storage.answers import FETCHED, NEW, WAITS_FOR, Answers
from storage.model import Entry, Shelved, Slice

PLANNED, RUNNING, DONE, PARTIAL, SPLIT = "planned", "running", "done", "partial", "split"
_S, _F, _E, _V = schema.slice.c, schema.found.c, schema.entry.c, schema.verdict.c
_FOUND = select(func.count()).where(_F.slice == _S.id).scalar_subquery().label("found")
_KEPT = [_S[field.name] for field in fields(Slice) if field.name != "found"]
_SLICE = select(*_KEPT, _FOUND)
_SHOWN = _S.state != SPLIT
_WAITING = select(_E.id, _E.url).where(
    _E.url.in_(bindparam("urls", expanding=True)), _E.state == bindparam("state")
)


class Slices(Answers):
    """The part of a catalog that remembers which days of which source were walked through."""

    @abstractmethod
    def _write(self) -> AbstractContextManager[Connection]:
        """Open a transaction."""

    @abstractmethod
    def _lock(self, connection: Connection) -> None:
        """Let one worker at a time pass, until its transaction ends."""

    @abstractmethod
    def _add(self, connection: Connection, table: Any, rows: Sequence[Any]) -> None:
        """Insert the rows that are not there yet."""

    @abstractmethod
    def _fetched(self, connection: Connection, number: int, shelved: Shelved) -> None:
        """Record that an entry's page lies in the archive."""

    def ways(self) -> dict[str, dict[str, str]]:
        """Return the ways into the past of each feed, address by name; "": asked, and not there."""
        with self._read() as connection:
            rows = connection.execute(select(schema.feed.c.url, schema.feed.c.ways))
            return {row.url: row.ways for row in rows}

    def save_way(self, source: str, name: str, address: str) -> None:
        """Keep the address at which a feed offers a way, "" for nowhere."""
        feed = schema.feed.c
        with self._write() as connection:
            query = select(feed.ways).where(feed.url == source).with_for_update()
            ways = {**(connection.scalar(query) or {}), name: address}
            connection.execute(update(schema.feed).where(feed.url == source).values(ways=ways))

    def plan(self, source: str, make: Callable[[list[Slice]], Iterable[Slice]]) -> None:
        """Put down what `make` makes of a source's slices, while nobody else plans any.

        Those with an id replace the ones that have it, and are nobody's from then on.
        """
        with self._write() as connection:
            self._lock(connection)
            for one in make(_read(connection, _SLICE.where(_S.source == source))):
                if one.id:
                    row = {**_row(one), "holder": None}
                    connection.execute(update(schema.slice).where(_S.id == one.id).values(row))
                else:
                    connection.execute(schema.slice.insert().values(_row(one)))

    def slices(self, sources: Iterable[str], since: date, until: date) -> list[Slice]:
        """Return the slices of the sources with a day in the window, by source and day."""
        query = _SLICE.where(_S.source.in_(list(sources)), _S.since < until, _S.until > since)
        with self._read() as connection:
            return _read(connection, query.order_by(_S.source, _S.since, _S.id))

    def calendar(self, sources: Iterable[str] | None = None) -> list[tuple[date, date, str, int]]:
        """Return how many slices of these days, half open, are in which state.

        Without split ones, and those of no days in particular, as of a file that was scanned.
        """
        days = (_S.since, _S.until, _S.state)
        query = select(*days, func.count()).where(_SHOWN, _S.since > date.min).group_by(*days)
        query = query if sources is None else query.where(_S.source.in_(list(sources)))
        with self._read() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def list_slices(
        self,
        *,
        since: date = date.min,
        until: date = date.max,
        sources: Iterable[str] | None = None,
        state: str = "",
        before: int | None = None,
        most: int = 30,
    ) -> list[dict[str, Any]]:
        """Return slices with a day in that window, the last first; `before` is an id."""
        query = select(schema.slice).where(_SHOWN, _S.since < until, _S.until > since)
        query = query if sources is None else query.where(_S.source.in_(list(sources)))
        query = query.where(_S.state == state) if state else query
        query = query if before is None else query.where(_S.id < before)
        return self._rows(query.order_by(_S.id.desc()).limit(most))

    def take_slice(self, number: int, holder: str, now: datetime, leased: datetime) -> Slice | None:
        """Take a slice that is planned, or whose lease is over; None where it is neither."""
        free = (_S.state == PLANNED) | ((_S.state == RUNNING) & (_S.leased <= now))
        with self._write() as connection:
            taken = connection.execute(
                update(schema.slice)
                .where(_S.id == number, free)
                .values(state=RUNNING, holder=holder, leased=leased)
            )
            return _read(connection, _SLICE.where(_S.id == number))[0] if taken.rowcount else None

    def stepped(
        self,
        number: int,
        holder: str,
        entries: Sequence[Entry],
        now: datetime,
        leased: datetime,
        after: Callable[[int, int], Slice],
        pages: Mapping[str, Shelved] | None = None,
    ) -> Slice | None:
        """Take in a step's entries, and what the slice is `after` it, in one transaction.

        `after` is given how many entries the slice has found, and how many of these by this step.
        `pages`, by their entries' URLs, are the ones that came along and lie in the archive.
        Returns None, and changes nothing, when somebody else has the slice by now.
        """
        with self._write() as connection:
            self._lock(connection)
            mine = select(_S.id).where(_S.id == number, _S.holder == holder).with_for_update()
            if connection.scalar(mine) is None:
                return None
            many = select(func.count()).where(_F.slice == number)
            before = connection.scalar(many) or 0
            entered = intake.gather(connection, self._add, entries, now)
            self._add(connection, schema.found, [{"slice": number, "entry": n} for n in entered])
            wait = {"urls": list(pages or ()), "state": NEW}
            for at, url in connection.execute(_WAITING, wait).all():
                self._fetched(connection, at, (pages or {})[url])
            found = connection.scalar(many) or 0
            one = replace(after(found, found - before), found=found)
            if one.state not in (PLANNED, RUNNING):
                one = replace(one, ended=now)
            held = (
                {"holder": holder, "leased": leased} if one.state == RUNNING else {"holder": None}
            )
            row = {**_row(one), **held}
            connection.execute(update(schema.slice).where(_S.id == number).values(row))
            return one

    def given(self, numbers: Sequence[int]) -> dict[int, dict[str, int]]:
        """Return how many of each slice's entries ended with which reason, or wait for which verb.

        Out of range is what is not of these days, even where it is of others that were asked for.
        """
        outside = (_V.published < _S.since) | (_V.published >= _S.until)
        reason = case((outside, "out_of_range"), else_=func.coalesce(_V.reason, WAITS_FOR))
        query = (
            select(_S.id, reason, func.count())
            .select_from(
                schema.slice.join(schema.found).join(schema.entry).outerjoin(schema.verdict)
            )
            .where(_S.id.in_(numbers))
            .group_by(_S.id, reason)
        )
        told: dict[int, dict[str, int]] = {number: {} for number in numbers}
        with self._read() as connection:
            for number, why, many in connection.execute(query):
                told[number][why] = many
        return told

    def windows(self, entry: int) -> tuple[tuple[date, date], ...] | None:
        """Return the days that were asked for of an entry's sources; None when a poll saw it."""
        sources = select(_S.source).join(schema.found).where(_F.entry == entry)
        asked = select(_S.since, _S.until).where(_S.source.in_(sources), _S.state != SPLIT)
        with self._read() as connection:
            if connection.scalar(select(_E.live).where(_E.id == entry)):
                return None
            return tuple((since, until) for since, until in connection.execute(asked.distinct()))

    def reopen(self, since: date, until: date) -> None:
        """Take back verdicts "out of range" that hold no more, within a topic's days.

        Days of its source may have been asked for since then, or a poll may have seen it. So it
        does not matter in which order a range is walked, nor in how many parts.
        """
        other = schema.slice.alias("other")
        asked = (
            select(other.c.id)
            .join_from(schema.found, schema.slice)
            .join(other, other.c.source == _S.source)
            .where(_F.entry == _E.id, other.c.state != SPLIT)
            .where(other.c.since <= _V.published, _V.published < other.c.until)
        )
        of_topic = _V.published.is_(None) | ((_V.published >= since) & (_V.published < until))
        query = (
            select(_E.id)
            .join_from(schema.entry, schema.verdict)
            .where(_V.reason == "out_of_range", of_topic, or_(_E.live, asked.exists()))
        )
        with self._write() as connection:
            self._lock(connection)
            for number in list(connection.scalars(query)):
                connection.execute(delete(schema.verdict).where(_V.entry == number))
                entry = update(schema.entry).where(_E.id == number)
                connection.execute(entry.values(state=FETCHED))


def _read(connection: Connection, query: Select[Any]) -> list[Slice]:
    return [Slice(**row) for row in connection.execute(query).mappings()]


def _row(one: Slice) -> dict[str, Any]:
    row = asdict(one)
    del row["id"], row["found"]
    return row
