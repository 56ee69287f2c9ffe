"""Statements of every request and every story: compiled once, and run on the driver as they are.

SQLAlchemy takes 16 to 50 us to bring one to its driver and the rows back, SQLite 2 to run it.
All values are parameters: a column's default is not filled in, a list in a value's place not known.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Dialect,
    Insert,
    Select,
    Table,
    Update,
    UpdateBase,
    bindparam,
    update,
)
from sqlalchemy.exc import DBAPIError

_Turn = Callable[[Any], Any] | None  # what a value of some type goes through, if anything


class _Made(NamedTuple):
    sql: str
    asked: list[tuple[str, _Turn]]  # its parameters, in the order in which it has them
    given: dict[str, Any]  # those that have their value from the statement
    by_place: bool


def updated(table: Table, names: Iterable[str]) -> Update:
    """Return an update of those columns, each from a parameter of its name."""
    return update(table).values({name: bindparam(name) for name in names})


def inserted(table: Table, but: Sequence[str] = ()) -> Insert:
    """Return an insert of all columns but those, each from a parameter of its name."""
    names = (one.name for one in table.c if one.name not in but)
    return table.insert().inline().values({name: bindparam(name) for name in names})


class Prepared:
    """A statement as SQLAlchemy compiles it for each database, with what its types do to values."""

    def __init__(self, statement: Select[Any] | UpdateBase) -> None:
        self._statement: Any = statement
        self._made: dict[str, _Made] = {}
        self._outs: dict[str, list[_Turn]] = {}

    def run(self, connection: Connection, **values: Any) -> Any:  # a cursor of the driver's own
        """Run it; raises as SQLAlchemy does, and KeyError for a value that is missing."""
        dialect: Any = connection.dialect
        made = self._made.get(dialect.name) or self._make(dialect)
        if made.given:
            values = made.given | values
        each: Any = [turn(values[name]) if turn else values[name] for name, turn in made.asked]
        if not made.by_place:
            each = {name: one for (name, _), one in zip(made.asked, each, strict=True)}
        driver: Any = connection.connection.driver_connection
        base = dialect.loaded_dbapi.Error
        try:
            return driver.execute(made.sql, each)
        except base as error:
            raise DBAPIError.instance(made.sql, None, error, base, dialect=dialect) from error

    def rows(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Run it and return all rows."""
        cursor, dialect = self.run(connection, **values), connection.dialect
        outs = self._outs.get(dialect.name)
        if outs is None:
            described = zip(self._statement.selected_columns, cursor.description, strict=True)
            outs = self._outs[dialect.name] = [
                column.type.dialect_impl(dialect).result_processor(dialect, one[1])
                for column, one in described
            ]
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        if not any(outs):
            return rows
        return [tuple([t(v) if t else v for v, t in zip(row, outs, strict=True)]) for row in rows]

    def _make(self, dialect: Dialect) -> _Made:
        compiled: Any = self._statement.compile(dialect=dialect)
        turns = {
            name: one.type.dialect_impl(dialect).bind_processor(dialect)
            for name, one in compiled.binds.items()
        }
        made = self._made[dialect.name] = _Made(
            sql=str(compiled),
            asked=[(name, turns[name]) for name in compiled.positiontup or turns],
            given={n: one.value for n, one in compiled.binds.items() if not one.required},
            by_place=bool(compiled.positiontup),
        )
        return made
