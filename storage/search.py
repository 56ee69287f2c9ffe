"""The full-text index in the catalog: from words to the numbers of the stories that have them.

SQLite keeps it in FTS5 without the texts, which lie in the corpus; PostgreSQL in a tsvector with
a GIN index. Both know words by their English stems. A story is entered when its file is in the
corpus, and stays when it is withdrawn: who asks looks at that.
"""

import re
from collections.abc import Callable
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
_MADE = (
    ("sqlite", "CREATE VIRTUAL TABLE story_words USING fts5(words, content='', columnsize=0, "
     "tokenize='porter unicode61 remove_diacritics 2')"),
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


def having(said: str, dialect: str) -> Select[tuple[int]]:
    """Return the query for the numbers of the stories that have all words and phrases."""
    index, asked = _INDEX.c, phrases(said)
    if dialect == "sqlite":
        return select(index.rowid.label("number")).where(
            literal_column("story_words").bool_op("MATCH")(asked)
        )
    words = func.websearch_to_tsquery(_ENGLISH, asked)
    return select(index.number).where(index.words.bool_op("@@")(words))
