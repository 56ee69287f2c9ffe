"""The full-text index in the catalog: from words to the numbers of the stories that have them.

SQLite keeps it in FTS5 without the texts, which lie in the corpus; PostgreSQL in a tsvector with
a GIN index. Both know words by their English stems. A story is entered when its file is in the
corpus, and stays when it is withdrawn: who asks looks at that.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from sqlalchemy import (
    DDL,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Select,
    column,
    event,
    func,
    literal_column,
    select,
    table,
    text,
)

MOST = 100_000  # characters entered of a story: a tsvector holds 1 MB, and no news is longer
_ENGLISH: ColumnElement[str] = literal_column("'english'::regconfig")
_INDEX = table("story_words", column("rowid", Integer), column("number", Integer), column("words"))
_STEMS = "tokenize='porter unicode61 remove_diacritics 2'"
_FOUND = "\x1f"  # parts what was found from what was not; in no story
_MADE = (
    ("sqlite", "CREATE VIRTUAL TABLE story_words USING fts5(words, content='', columnsize=0, "
     f"{_STEMS})"),
    ("postgresql", "CREATE TABLE story_words (number INTEGER PRIMARY KEY, words TSVECTOR)"),
    ("postgresql", "CREATE INDEX story_by_words ON story_words USING gin (words)"),
)  # fmt: skip
_ENTER = {
    "sqlite": text("INSERT INTO story_words (rowid, words) VALUES (:number, :said)"),
    "postgresql": text("INSERT INTO story_words VALUES (:number, to_tsvector('english', :said))"),
}


def define(metadata: MetaData) -> None:
    """Have the index made with the catalog's tables."""
    made: Callable[[str], Any] = DDL  # which has no types of its own
    for dialect, ddl in _MADE:
        event.listen(metadata, "after_create", made(ddl).execute_if(dialect=dialect))


def add(connection: Connection, number: int, title: str, story: str) -> None:
    """Enter a story under its words. One statement."""
    said = f"{title}\n{story}"[:MOST]
    connection.execute(_ENTER[connection.dialect.name], {"number": number, "said": said})


def phrases(said: str) -> str:
    """Return what a person asked for as both databases read it: each word or "phrase" quoted.

    So nothing in it is syntax; stories must have all of them. Empty when there is no word in it.
    """
    found = (quoted or bare for quoted, bare in re.findall(r'"([^"]*)"?|([^\s"]+)', said))
    return " ".join(f'"{one}"' for one in found if re.search(r"\w", one)).replace("\0", " ")


def passages(
    said: str, stories: Iterable[tuple[int, str, str]]
) -> dict[int, tuple[list[str], list[str]]]:
    """Return title and a passage of the stories (number, title, text) in which the words stand.

    Each in pieces, of which every second is what was found. It is looked for in an index made here
    and now, for neither database keeps texts; so a word that only PostgreSQL takes for the same, as
    one that it passes over, shows nothing.
    """
    query = "SELECT rowid, highlight(told, 0, ?1, ?1), snippet(told, 1, ?1, ?1, '…', 32) FROM told"
    with closing(sqlite3.connect(":memory:")) as made:
        made.execute(f"CREATE VIRTUAL TABLE told USING fts5(title, text, {_STEMS})")
        made.executemany("INSERT INTO told (rowid, title, text) VALUES (?, ?, ?)", stories)
        rows = made.execute(f"{query} WHERE told MATCH ?2", (_FOUND, phrases(said))).fetchall()
    return {number: (title.split(_FOUND), text.split(_FOUND)) for number, title, text in rows}


def having(said: str, dialect: str) -> Select[tuple[int]]:
    """Return the query for the numbers of the stories that have all words and phrases."""
    index, asked = _INDEX.c, phrases(said)
    if dialect == "sqlite":
        return select(index.rowid.label("number")).where(
            literal_column("story_words").bool_op("MATCH")(asked)
        )
    words = func.websearch_to_tsquery(_ENGLISH, asked)
    return select(index.number).where(index.words.bool_op("@@")(words))
