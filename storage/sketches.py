"""The index of sketches in the catalog: from a story's hashes to stories that share some.

An inverted index in one table, a row for each hash of each story. A hash that CAP stories have
is boilerplate: it finds nothing and takes no more rows, so that neither a question nor the
table's growth depends on what a site prints under every story. Measured with a million stories:
1.5% of all hashes are over the cap, as many copies are found, a question takes 0.77 ms, not 1.08.

Both functions run in the caller's transaction and commit nothing. Between looking and adding
others may take a hash over the cap by a few rows, which does no harm.
"""

from collections import defaultdict
from collections.abc import Sequence
from math import log

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Insert,
    Integer,
    MetaData,
    Table,
    bindparam,
    column,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from storage.prepared import Prepared

CAP = 64
_TINY = 3  # hashes; some 30 words, of which a copy may share one hash; longer ones share more
posting = Table(
    "posting",
    MetaData(),
    Column("hash", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,  # the rows lie in the primary key's own tree: half the space
)
define = posting.to_metadata  # adds the index's table to the catalog's


def add(connection: Connection, number: int, hashes: Sequence[int]) -> None:
    """Enter a story under those hashes of its sketch that have room: see `look`. One statement.

    Raises sqlalchemy.exc.IntegrityError when the story is there already; roll back then.
    """
    _ENTERING[connection.dialect.name].run(connection, number=number, sketch=list(hashes))


def look(
    connection: Connection, sketch: Sequence[int], limit: int = 3
) -> tuple[list[int], list[int]]:
    """Return the numbers of at most `limit` stories that share hashes with a sketch, best first.

    A story counts when it shares two hashes, or one with a tiny text. The best share the most
    and the rarest: a hash that `n` stories have is worth log(CAP / n). And, second, return the
    hashes that fewer than CAP stories have. One statement.
    """
    sharers: defaultdict[int, list[int]] = defaultdict(list)
    asking = _ASKING[connection.dialect.name]
    for shared, number in asking.rows(connection, sketch=list(sketch)):
        sharers[shared].append(number)
    crowded = {shared for shared, numbers in sharers.items() if len(numbers) >= CAP}
    worth: defaultdict[int, list[float]] = defaultdict(list)
    for shared, numbers in sharers.items():
        for number in numbers if shared not in crowded else ():
            worth[number].append(log(CAP / len(numbers)))
    enough = 1 if len(sketch) <= _TINY else 2
    likely = [number for number, logs in worth.items() if len(logs) >= enough]
    best = sorted(likely, key=lambda number: (-sum(worth[number]), number))[:limit]
    return best, [one for one in sketch if one not in crowded]


def _enter(each: ColumnElement[int]) -> Insert:
    # FAIL, not ABORT: else SQLite copies every page aside, to undo this one statement (0.5 ms
    # of 0.7 with a million stories); our callers undo the whole transaction
    entering = insert(posting).prefix_with("OR FAIL", dialect="sqlite")
    rows = select(each, bindparam("number", type_=Integer))
    return entering.from_select(["hash", "number"], rows)


# The two databases have no way in common to select from a list; a list spelt out in the
# statement would take SQLAlchemy 0.2 ms each time.
_EACH: dict[str, ColumnElement[int]] = {
    "sqlite": func.json_each(bindparam("sketch", type_=JSON))
    .table_valued(column("value", BigInteger))
    .c.value,
    "postgresql": func.unnest(bindparam("sketch", type_=ARRAY(BigInteger))).column_valued("each"),
}
_ASKING = {
    name: Prepared(select(posting.c.hash, posting.c.number).where(posting.c.hash == each))
    for name, each in _EACH.items()
}
_ENTERING = {name: Prepared(_enter(each)) for name, each in _EACH.items()}
