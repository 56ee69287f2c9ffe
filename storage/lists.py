"""What the catalog lists for people, a screenful at a time, and what it counts of some days.

Every list goes on from the last row of the one before (keyset paging), and every question stands
on an index, so that a screen takes as long with a million stories as with a hundred.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, text

from storage import schema, search
from storage.answers import FETCHED, NEW, Answers
from storage.model import KEPT

NEAR = 4000  # stories; of a word that fewer than one in a hundred has, all are soon looked up
_S, _E, _V = schema.story.c, schema.entry.c, schema.verdict.c
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
        before: int | None = None,
        most: int = 30,
    ) -> list[dict[str, Any]]:
        """Return the newest stories, going on from the row whose `place` is `before`.

        They have all words and "phrases" of `said`, are of one of the sources, and appeared on
        those days, both included. The newest have the highest number; of one source, the entry
        that was seen last.
        """
        wanted, words = None if sources is None else list(sources), search.phrases(said)
        if wanted == []:
            return []
        query = select(_S.number, _S.name, _S.title, _S.url, _S.published, _S.words, _S.added)
        query = query.add_columns(_E.source, _E.id.label("entry"))
        query = query.outerjoin_from(schema.story, schema.entry, _E.id == _S.entry)
        query = query.where(_S.withdrawn.is_(None))
        query = query if wanted is None else query.where(_E.source.in_(wanted))
        query = query if since is None else query.where(_S.published >= since)
        query = query if until is None else query.where(_S.published <= until)
        of_one = wanted is not None and len(wanted) == 1 and not words
        order: ColumnElement[int] = _E.id if of_one else _S.number
        query = query if before is None else query.where(order < before)
        query = query.add_columns(order.label("place")).order_by(order.desc()).limit(most)
        with self._read() as connection:
            if not words:
                return [dict(row) for row in connection.execute(query).mappings()]
            # A common word has a screenful among the latest. Of a rarer one all are looked up,
            # from the index and not by going through the stories as PostgreSQL would.
            index = search.having(said, connection.dialect.name)
            number = index.selected_columns.number
            top = before or (connection.scalar(select(func.max(_S.number))) or 0) + 1
            near = index.where(number >= top - NEAR, number < top).cte("found")
            every = index.cte("found").prefix_with("MATERIALIZED", dialect="postgresql")
            for found in (near, every):
                had = query.join(found, found.c.number == _S.number)
                rows = [dict(row) for row in connection.execute(had).mappings()]
                if len(rows) == most:
                    break
            return rows

    def list_entries(
        self,
        *,
        reason: str = "",
        source: str = "",
        before: int | None = None,
        most: int = 30,
        oldest: bool = False,
    ) -> list[dict[str, Any]]:
        """Return entries with their verdict, newest first: of a source, or that were not kept.

        `before` is the entry of the row to go on from. `oldest` turns the list round.
        """
        number = _E.id if source else _V.entry
        query = select(*_NAMED, _E.title, _V.reason, _V.evidence, _V.score, _V.at, _V.words)
        query = query.join_from(schema.verdict, schema.entry)
        if reason:
            query = query.where(_V.reason == reason)
        elif not source:
            query = query.where(_V.reason != KEPT)
        if source:
            query = query.where(_E.source == source)
        if before is not None:
            query = query.where(number > before if oldest else number < before)
        return self._rows(query.order_by(number if oldest else number.desc()).limit(most))

    def waiting_for(self, reason: str, most: int = 1000) -> int:
        """Return how many entries have that reason, counted up to `most`."""
        some = select(_V.entry).where(_V.reason == reason).limit(most).subquery()
        with self._read() as connection:
            return connection.scalar(select(func.count()).select_from(some)) or 0

    def outcomes(self, since: datetime, until: datetime) -> dict[str, int]:
        """Return how many entries got their verdict in that time, by its reason."""
        query = select(_V.reason, func.count()).where(_V.at >= since, _V.at < until)
        with self._read() as connection:
            rows = connection.execute(query.group_by(_V.reason))
            return {str(reason): n for reason, n in rows}

    def days(self, since: date, until: date) -> list[tuple[date, str | None, int]]:
        """Return how many stories of each source appeared on each of these days."""
        query = select(_S.published, _E.source, func.count())
        query = query.outerjoin_from(schema.story, schema.entry, _E.id == _S.entry)
        query = query.where(_S.published.between(since, until), _S.withdrawn.is_(None))
        with self._read() as connection:
            rows = connection.execute(query.group_by(_S.published, _E.source))
            return [(day, source, n) for day, source, n in rows]

    def delays(
        self, since: datetime, until: datetime, most: int = 2000
    ) -> list[tuple[timedelta, timedelta]]:
        """Return of the last stories taken in then how long after they appeared, and were seen."""
        query = select(_S.added, _E.published, _E.first_seen)
        query = query.join_from(schema.story, schema.entry, _E.id == _S.entry)
        query = query.where(_S.added >= since, _S.added < until, _E.published.is_not(None))
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

    def bytes(self) -> int:
        """Return what the catalog takes on disk."""
        sizes = {
            "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            "postgresql": "SELECT pg_database_size(current_database())",
        }
        with self._read() as connection:
            return int(connection.scalar(text(sizes[connection.dialect.name])) or 0)
