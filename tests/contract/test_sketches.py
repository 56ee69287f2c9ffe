"""What the index of sketches promises, on SQLite and on PostgreSQL."""

from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Connection, Engine, MetaData, create_engine, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from storage import sketches

METADATA = MetaData()
POSTING = sketches.define(METADATA)
LONG = (-(2**63), -7, 0, 11, 2**63 - 1)  # a sketch at the limits of 64 bits, signed
HOT = 5


def add(connection: Connection, number: int, sketch: Sequence[int]) -> None:
    sketches.add(connection, number, sketches.look(connection, sketch)[1])


def candidates(connection: Connection, sketch: Sequence[int], limit: int = 3) -> list[int]:
    return sketches.look(connection, sketch, limit)[0]


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


def test_a_story_is_found_by_its_own_sketch(connection: Connection) -> None:
    add(connection, 3, LONG)

    assert candidates(connection, LONG) == [3]


def test_two_hashes_in_common_are_needed(connection: Connection) -> None:
    add(connection, 3, LONG)

    assert candidates(connection, (0, 11, 12, 13)) == [3]
    assert candidates(connection, (0, 12, 13, 14)) == []


def test_one_is_enough_for_a_tiny_text(connection: Connection) -> None:
    add(connection, 3, LONG)

    assert candidates(connection, (0, 12, 13)) == [3]


def test_more_and_rarer_hashes_come_first(connection: Connection) -> None:
    for number in range(10, 20):
        add(connection, number, (1, 2, 3))
    add(connection, 4, (100, 101))
    add(connection, 5, (1, 100, 101))

    assert candidates(connection, (1, 2, 3, 100, 101)) == [5, 4, 10]
    assert candidates(connection, (1, 2, 3, 100, 101), limit=1) == [5]


def test_a_hash_that_too_many_have_finds_nothing_and_takes_no_more_rows(
    connection: Connection,
) -> None:
    for number in range(sketches.CAP + 10):
        add(connection, number, (HOT, 1000 + number))

    rows = connection.scalar(select(func.count()).where(POSTING.c.hash == HOT))

    assert rows == sketches.CAP
    assert candidates(connection, (HOT,)) == []
    assert candidates(connection, (HOT, 1000)) == [0]


def test_just_under_the_cap_a_hash_still_finds(connection: Connection) -> None:
    for number in range(sketches.CAP - 1):
        add(connection, number, (HOT,))

    assert candidates(connection, (HOT,)) == [0, 1, 2]


def test_an_empty_sketch_adds_and_finds_nothing(connection: Connection) -> None:
    add(connection, 3, ())

    assert candidates(connection, ()) == []


def test_a_long_sketch_needs_no_more_statements(connection: Connection) -> None:
    longest = tuple(range(1200))  # what the longest text that is sketched can have
    add(connection, 3, longest)

    assert candidates(connection, longest) == [3]


def test_adding_twice_is_refused(connection: Connection) -> None:
    add(connection, 3, LONG)

    with pytest.raises(IntegrityError):
        add(connection, 3, LONG)


def test_nothing_is_committed(engine: Engine) -> None:
    with engine.connect() as connection:
        add(connection, 3, LONG)

    with engine.connect() as connection:
        assert candidates(connection, LONG) == []


def test_on_sqlite_the_rows_lie_in_the_key() -> None:
    made = str(CreateTable(POSTING).compile(dialect=sqlite.dialect()))

    assert "WITHOUT ROWID" in made
