"""What the catalog lists for people, a screenful at a time, and what it counts of some days.

Every list goes on from the last row of the one before (keyset paging), and every question stands
on an index, so that a screen takes as long with a million stories as with a hundred.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    func,
    literal,
    select,
    text,
    tuple_,
)

from storage import schema, search
from storage.answers import FETCHED, NEW, Answers
from storage.errors import StorageError
from storage.model import KEPT
from storage.tally import tally

FEW = 8  # sources, of which each is looked up by itself
FAR = 50_000  # stories
NEAR = 4000  # stories; of a word that fewer than one in a hundred has, all are soon looked up
_S, _E, _V = schema.story.c, schema.entry.c, schema.verdict.c
_T = tally.c
_KEYS: dict[str, Any] = {"entry": _E.id, "number": _S.number, "published": _S.published}
_NAMED = (_E.id, _E.url, _E.source, _E.published, _E.first_seen)


class Lists(Answers):
    """The part of a catalog that people leaf through."""

    def list_stories(
        self,
        *,
        said: str = "",
        sources: Iterable[str] | None = None,
        since: date | None = None,
        until: date | None = None,
        before: str = "",
        most: int = 30,
    ) -> list[dict[str, Any]]:
        """Return the newest stories, going on from the row whose `place` is `before`.

        They have all words and "phrases" of `said`, are of one of the sources, and appeared on
        those days, both included. The newest have the highest number; of a few sources, the entry
        that was seen last; of some days, the last of these. Of words that very many stories have,
        those of a source or day are sought among the newest FAR.
        """
        wanted, words = None if sources is None else list(sources), search.phrases(said)
        query = select(_S.number, _S.name, _S.title, _S.url, _S.published, _S.words, _S.added)
        query = query.add_columns(_E.source, _E.id.label("entry"))
        query = query.outerjoin_from(schema.story, schema.entry, _E.id == _S.entry)
        query = query.where(_S.withdrawn.is_(None))
        query = query if since is None else query.where(_S.published >= since)
        query = query if until is None else query.where(_S.published <= until)
        few = wanted is not None and len(wanted) <= FEW and not words
        keys: tuple[str, ...] = ("entry",) if few else ("number",)
        keys = ("published", "number") if (since or until) and not words and not few else keys
        order = [_KEYS[key] for key in keys]
        if before:
            query = query.where(tuple_(*order) < tuple_(*_values(before, keys)))
        query = query.order_by(*(one.desc() for one in order)).limit(most)
        with self._read() as connection:
            if few:  # the last of each, from its index
                each = [query.where(_E.source == one) for one in wanted or ()]
                rows = [row for one in each for row in connection.execute(one).mappings()]
                rows = sorted(rows, key=lambda row: -row["entry"])[:most]
            else:
                query = query if wanted is None else query.where(_E.source.in_(wanted))
                narrow = wanted is not None or since is not None or until is not None
                rows = (
                    _having(connection, query, said, before, most, FAR if narrow else 2 * most)
                    if words
                    else list(connection.execute(query).mappings())
                )
        return [{**row, "place": " ".join(str(row[key]) for key in keys)} for row in rows]

    def list_entries(
        self,
        *,
        reason: str = "",
        source: str = "",
        runs: Sequence[int] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        before: str = "",
        most: int = 30,
        oldest: bool = False,
    ) -> list[dict[str, Any]]:
        """Return entries with a verdict: of a source, of runs, or those not kept; the newest first.

        Their verdicts were given in that time, half open. `before` is the `place` of the row to go
        on from. `oldest` turns the list round. A source's entries come by when they were seen.
        """
        query = select(*_NAMED, _E.title, _V.reason, _V.evidence, _V.score, _V.at, _V.words)
        query = query.join_from(schema.verdict, schema.entry)
        query = query.where(_V.reason == reason) if reason else query
        query = query.where(_V.reason != KEPT) if not (reason or source or runs) else query
        query = query.where(_V.run.in_(runs)) if runs else query
        query = query.where(_E.source == source) if source else query
        query = query if since is None else query.where(_V.at >= since)
        query = query if until is None else query.where(_V.at < until)
        order = (_E.id,) if source else (_V.at, _V.entry)
        if before:
            at, number = _place(before)
            here = tuple_(number) if source else tuple_(literal(at, _V.at.type), number)
            query = query.where(tuple_(*order) > here if oldest else tuple_(*order) < here)
        by = order if oldest else tuple(one.desc() for one in order)
        rows = self._rows(query.order_by(*by).limit(most))
        return [row | {"place": f"{row['at'].isoformat()} {row['id']}"} for row in rows]

    def waiting_for(self, reason: str, most: int = 1000) -> int:
        """Return how many entries have that reason, counted up to `most`."""
        some = select(_V.entry).where(_V.reason == reason).limit(most).subquery()
        with self._read() as connection:
            return connection.scalar(select(func.count()).select_from(some)) or 0

    def outcomes(self, since: date, until: date) -> dict[str, int]:
        """Return how many entries got their verdict on these days, both included, by reason."""
        query = select(_T.name, func.sum(_T.n)).where(_T.what == "judged")
        query = query.where(_T.day.between(str(since), str(until))).group_by(_T.name)
        with self._read() as connection:
            rows = connection.execute(query.having(func.sum(_T.n) != 0))
            return {reason: int(n) for reason, n in rows}

    def outcomes_of(
        self, runs: Sequence[int], since: datetime, until: datetime
    ) -> list[tuple[str, int]]:
        """Return the reasons of the verdicts given by runs, which were in that time, most first."""
        count = func.count()
        query = select(_V.reason, count).where(_V.run.in_(runs), _V.at >= since, _V.at < until)
        with self._read() as connection:
            rows = connection.execute(query.group_by(_V.reason).order_by(count.desc(), _V.reason))
            return [(reason, n) for reason, n in rows]

    def days(
        self, since: date, until: date, by: str, months: bool = False
    ) -> list[tuple[date, str, int]]:
        """Return how many stories appeared on these days, both included, `by` what of their source.

        That is its "nation" or "kind", empty for what was put there by hand. Or in each of these
        `months`, by their first day.
        """
        what, length = ("appeared_month", 7) if months else ("appeared", 10)
        ends, group = (str(since)[:length], str(until)[:length]), schema.feed.c[by]
        query = select(_T.day, group, func.sum(_T.n)).where(_T.what == what, _T.day.between(*ends))
        query = query.outerjoin_from(tally, schema.feed, schema.feed.c.url == _T.name)
        query = query.group_by(_T.day, group).having(func.sum(_T.n) != 0)
        with self._read() as connection:
            rows = connection.execute(query)
            return [(date.fromisoformat(f"{day}-01"[:10]), to or "", int(n)) for day, to, n in rows]

    def first_day(self) -> date | None:
        """Return the first day that a story appeared on."""
        query = select(func.min(_T.day)).where(_T.what == "appeared", _T.day != "", _T.n != 0)
        with self._read() as connection:
            day = connection.scalar(query)
            return date.fromisoformat(day) if day else None

    def delays(
        self, since: datetime, until: datetime, most: int = 2000
    ) -> list[tuple[timedelta, timedelta]]:
        """Return of the last stories taken in then how long after they appeared, and were seen.

        Stories of the past, which a backfill found, are left out.
        """
        query = select(_S.added, _E.published, _E.first_seen)
        query = query.join_from(schema.story, schema.entry, _E.id == _S.entry)
        query = query.where(_S.added >= since, _S.added < until, _E.published.is_not(None))
        query = query.where(_E.live.is_(True))
        with self._read() as connection:
            rows = connection.execute(query.order_by(_S.added.desc()).limit(most))
            return [(added - published, added - seen) for added, published, seen in rows]

    def sources(self) -> list[dict[str, Any]]:
        """Return URL, title, nation and kind of every source there is or was."""
        c = schema.feed.c
        return self._rows(select(c.url, c.title, c.nation, c.kind))

    def under_way(self) -> dict[str, int]:
        """Return how many entries are `new`, with no page yet, and `fetched`, with no verdict."""
        states = select(_E.state, func.count()).where(_E.state.in_([NEW, FETCHED]))
        with self._read() as connection:
            rows = connection.execute(states.group_by(_E.state))
            return {str(state): n for state, n in rows}

    def bytes(self) -> dict[str, int]:
        """Return what the catalog, the archive's pages and the corpus's files take."""
        sizes = {
            "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            "postgresql": "SELECT pg_database_size(current_database())",
        }
        with self._read() as connection:
            last, pages = self._weighed(connection)
            asked = (
                text(sizes[connection.dialect.name]),
                pages_after(last),
                select(_T.n).where(_T.what == "bytes", _T.name == "corpus"),
            )
            catalog, latest, corpus = (int(connection.scalar(one) or 0) for one in asked)
        return {"catalog": catalog, "archive": pages + latest, "corpus": corpus}

    def _weighed(self, connection: Connection) -> tuple[int, int]:
        """Return the last fetch whose page was weighed, and the bytes of all up to it."""
        c = schema.meta.c
        said = connection.scalar(select(c.value).where(c.key == "archive")) or "0 0"
        last, pages = said.split()
        return int(last), int(pages)


def _having(
    connection: Connection, query: Select[Any], said: str, before: str, most: int, far: int
) -> list[RowMapping]:
    """Return the rows of a query for stories whose numbers are those of stories with words.

    A common word has a screenful among the latest. Of a rarer one all are looked up, `far` at
    most, from the index and not by going through the stories as PostgreSQL would.
    """
    index, rows = search.having(said, connection.dialect.name), list[RowMapping]()
    number = index.selected_columns.number
    top = int(before or 0) or (connection.scalar(select(func.max(_S.number))) or 0) + 1
    near = index.where(number >= top - NEAR, number < top).cte("found")
    every = index.where(number < top).order_by(number.desc()).limit(far).cte("found")
    for found in (near, every.prefix_with("MATERIALIZED", dialect="postgresql")):
        had = query.join(found, found.c.number == _S.number)
        rows = list(connection.execute(had).mappings())
        if len(rows) == most:
            break
    return rows


def _values(place: str, keys: Sequence[str]) -> list[Any]:
    """Read the `place` of a row; raises StorageError for what is none."""
    try:
        parts = zip(keys, place.split(" "), strict=True)
        return [date.fromisoformat(one) if key == "published" else int(one) for key, one in parts]
    except ValueError as error:
        raise StorageError(f"{place!r} is no place in this list: begin at its top") from error


def pages_after(last: int) -> Select[tuple[int]]:
    """Return the query for the bytes that pages take which were had after that fetch."""
    f = schema.fetch.c
    return select(func.sum(f.length)).where(f.id > last)


def _place(said: str) -> tuple[datetime, int]:
    at, _, number = said.rpartition(" ")
    try:
        return datetime.fromisoformat(at), int(number)
    except ValueError as error:
        raise StorageError(f"{said!r} is no place in this list: begin at its top") from error
