"""A catalog of version 1 comes along while others work with it, and nobody fails."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, create_engine, inspect, make_url, select, text

from storage import schema
from storage.catalog import Catalog
from storage.errors import StorageError
from tests.builders import NOON
from tests.home import PROCESSES

DATA = Path(__file__).parents[1] / "data"
OPENING = 8
NEW_IN_ONE = text(  # what a worker of version 1 writes
    "INSERT INTO entry (url, link, source, title, summary, date_source, date_text, first_seen, "
    "state, hash, versions, attempts, live) "
    "VALUES (:url, '', '', '', '', '', '', :now, 'new', '', 0, 0, true)"
)


@pytest.fixture
def old(url: str) -> str:
    """A catalog of version 1: three entries, one fetched and one kept."""
    backend = make_url(url).get_backend_name()
    made = (DATA / f"catalog-1-{backend}.sql").read_text()
    if backend == "sqlite":
        with sqlite3.connect(make_url(url).database or "") as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # which a file keeps
            connection.executescript(made)
    else:
        server = make_url(url).set(drivername="postgresql")
        with psycopg.connect(server.render_as_string(hide_password=False)) as session:
            session.execute(made.encode())
    return url


def version(connection: Connection) -> str | None:
    return connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "version"))


def shape(url: str) -> dict[str, object]:
    """Return each table's columns and indexes."""
    engine = create_engine(url)
    told = inspect(engine)
    tables = [name for name in told.get_table_names() if not name.startswith("story_words")]
    found: dict[str, object] = {
        name: (
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in told.get_columns(name)),
            sorted(str(index["name"]) for index in told.get_indexes(name)),
        )
        for name in tables
    }
    engine.dispose()
    return found


def test_an_old_catalog_becomes_like_a_new_one_and_keeps_what_is_in_it(
    old: str, tmp_path: Path
) -> None:
    with Catalog(old) as catalog:
        assert catalog.tally() == {"kept": 1, "to_fetch": 1, "to_sift": 1}
        (waiting,) = catalog.to_sift(NOON, 9)
        assert catalog.hold("sift", [waiting.id], NOON) == {waiting.id}
        with catalog.admission() as admission:
            assert admission.next_number() == 1
        assert catalog.contradictions() == []
    upgraded = shape(old)
    engine = create_engine(old)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    new = old if "postgresql" in old else f"sqlite:///{tmp_path / 'new.sqlite'}"
    Catalog(new).close()

    assert upgraded == shape(new)


def _open(url: str, start: "threading.Barrier") -> str:
    start.wait()
    try:
        with Catalog(url) as catalog:
            catalog.begin_run("sift", NOON)
    except StorageError as error:
        return str(error)
    return ""


def test_many_open_it_at_once_while_workers_of_the_old_version_go_on(old: str) -> None:
    stop, wrote = threading.Event(), list[str]()
    patience = {"connect_args": {"timeout": 60}} if old.startswith("sqlite") else {}
    engine = create_engine(old, **patience)

    def work(name: int) -> int:
        rounds = 0
        with engine.connect() as connection:  # one session, as a worker's: statements get prepared
            while not stop.is_set() or rounds < 20:
                url = f"https://old.example/{name}/{rounds}"
                connection.execute(NEW_IN_ONE, {"url": url, "now": NOON})
                connection.execute(text("SELECT id, url, state FROM entry ORDER BY id")).all()
                connection.commit()
                wrote.append(url)
                rounds += 1
        return rounds

    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(2))
        manager = stack.enter_context(PROCESSES.Manager())
        them = stack.enter_context(PROCESSES.Pool(OPENING))
        working = [pool.submit(work, name) for name in range(2)]
        start = manager.Barrier(OPENING)
        errors = them.starmap(_open, [(old, start)] * OPENING, chunksize=1)
        stop.set()
        assert all(one.result() >= 20 for one in working)

    with engine.connect() as connection:
        found = version(connection)
        runs = connection.scalar(text("SELECT count(*) FROM run WHERE ended IS NULL"))
        entries = set(connection.scalars(select(schema.entry.c.url)))
    engine.dispose()
    assert errors == [""] * OPENING
    assert found == str(max(schema.UPGRADES))  # once: a column cannot be added twice
    assert runs == OPENING
    assert entries >= set(wrote)


def test_an_upgrade_behind_a_long_reader_lets_others_pass(
    old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "postgresql" not in old:
        pytest.skip("readers and writers do not wait for each other on SQLite")
    engine, waited = create_engine(old), threading.Event()
    monkeypatch.setattr("storage.catalog.sleep", lambda seconds: waited.set())
    with engine.connect() as reader, ThreadPoolExecutor(1) as pool:
        reader.execute(text("SELECT count(*) FROM entry")).all()  # and its transaction stays open
        upgrading = pool.submit(lambda: Catalog(old).close())
        assert waited.wait(60)
        with engine.begin() as other:  # between two tries, or it waits for one to give way
            other.execute(NEW_IN_ONE, {"url": "https://old.example/", "now": NOON})
        reader.rollback()
        upgrading.result(60)

    with engine.connect() as connection:
        assert version(connection) == str(max(schema.UPGRADES))
    engine.dispose()


def test_a_reader_that_never_ends_is_named(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "postgresql" not in old:
        pytest.skip("readers and writers do not wait for each other on SQLite")
    engine = create_engine(old)
    monkeypatch.setattr("storage.catalog.TRIES", 1)
    monkeypatch.setattr("storage.catalog.sleep", lambda seconds: None)
    with engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM entry")).all()

        with pytest.raises(StorageError, match=r"cannot be upgraded: .*stop what reads"):
            Catalog(old)
    with engine.connect() as connection:
        assert version(connection) == "1"
    engine.dispose()
