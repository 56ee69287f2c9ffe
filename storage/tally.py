"""What the catalog counts as it goes, so that ten years are told as quickly as a day.

One table, kept by triggers, so that nobody who writes can forget it: how many entries were
`judged` on a day, by reason; how many stories `appeared` on a day and in a month, by source (none:
put there by hand); the `bytes` of the corpus. Days are UTC's, as 2026-03-02, months 2026-03.

On PostgreSQL, workers line up for a row until the one before has committed. Nobody waits there
holding what that one wants: verdicts are changed, and stories taken, under the catalog's lock.
"""

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, event

tally = Table(
    "tally",
    MetaData(),
    Column("what", String, primary_key=True),
    Column("day", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
# Of which table: what makes its row count anew, and what it counts for then; {n} is 1 or -1.
_SOURCE = "coalesce((SELECT source FROM entry WHERE id = {row}.entry), '')"
_COUNTED = {
    "verdict": ("reason, at", ("'judged', {at}, {row}.reason, {n} WHERE true",)),
    "story": (
        "withdrawn",
        (
            f"'appeared', {{published}}, {_SOURCE}, {{n}} WHERE {{row}}.withdrawn IS NULL",
            f"'appeared_month', substr({{published}}, 1, 7), {_SOURCE}, {{n}} "
            "WHERE {row}.withdrawn IS NULL",
        ),
    ),
}
_BYTES = (  # one that is taken in, or comes back, is pending
    "'bytes', '', 'corpus', coalesce(length({row}.pending), 0) "
    "- coalesce(length({row}.withdrawn), 0) WHERE true"
)
_DAYS = {
    "sqlite": {"at": "substr({row}.at, 1, 10)", "published": "coalesce({row}.published, '')"},
    "postgresql": {
        "at": "to_char({row}.at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        "published": "coalesce(to_char({row}.published, 'YYYY-MM-DD'), '')",
    },
}


def define(metadata: MetaData) -> None:
    """Have the table made, and kept, with the catalog's."""
    tally.to_metadata(metadata)
    event.listen(metadata, "after_create", lambda _, connection, **__: _keep(connection))


def add(connection: Connection) -> None:
    """Make and fill it in a catalog that is without; what its stories take is estimated."""
    tally.create(connection)
    _keep(connection)
    for table, (_, counts) in _COUNTED.items():
        for one in counts:
            said, where = _said(connection, one, table, "count(*)").rsplit(" WHERE ", 1)
            connection.exec_driver_sql(
                f"INSERT INTO tally SELECT {said} FROM {table} WHERE {where} GROUP BY 1, 2, 3"
            )
    connection.exec_driver_sql(  # six letters and spaces a word
        "INSERT INTO tally SELECT 'bytes', '', 'corpus', 6 * coalesce(sum(words), 0) FROM story"
    )


def _said(connection: Connection, one: str, row: str, n: object) -> str:
    days = {key: sql.format(row=row) for key, sql in _DAYS[connection.dialect.name].items()}
    return one.format(row=row, n=n, **days)


def _keep(connection: Connection) -> None:
    """Make the triggers."""
    for table, (columns, counts) in _COUNTED.items():
        also = (_BYTES,) if table == "story" else ()
        sums = {
            row: "".join(
                f"INSERT INTO tally SELECT {_said(connection, one, row, n)} "
                "ON CONFLICT (what, day, name) DO UPDATE SET n = tally.n + excluded.n; "
                for one in ones
            )
            for row, n, ones in (("old", -1, counts), ("new", 1, counts + also))
        }
        acts = {
            "INSERT": sums["new"],
            "DELETE": sums["old"],
            f"UPDATE OF {columns}": sums["old"] + sums["new"],
        }
        for act, does in acts.items():
            name = f"tally_{table}_{act[:6].lower()}"
            does = f"BEGIN {does}"
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(
                    f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
                    f"AS $$ {does} RETURN NULL; END $$"
                )
                does = f"EXECUTE FUNCTION {name}()"
            else:
                does += "END"
            connection.exec_driver_sql(
                f"CREATE TRIGGER {name} AFTER {act} ON {table} FOR EACH ROW {does}"
            )
