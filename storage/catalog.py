"""What was seen, fetched and decided: SQLite beside the corpus, or PostgreSQL by URL.

Every method is one transaction; but for `release` and `unchanged` nobody waits on SQLite: they are
done with what is next waited for, or by `flush`.

On SQLite a writing transaction takes the write lock at its start (BEGIN IMMEDIATE), on PostgreSQL
the admission of a story takes one advisory lock, so that copies that arrive at several workers at
once end as one (measured with 16 workers on PostgreSQL: without a lock 243 of 250 stories came in
more than once, with it none).
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    bindparam,
    create_engine,
    delete,
    event,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from storage import intake, leases, schema, search
from storage.admission import Admission
from storage.answers import DECIDED, FETCHED, LOST, NEW, REFETCHED, last_fetch
from storage.errors import StorageError
from storage.intake import Taken
from storage.lists import Lists, pages_after
from storage.model import (
    KEPT,
    Decision,
    Entry,
    Feed,
    FeedState,
    Fingerprint,
    HostState,
    InFeed,
    Judgement,
    Page,
    Place,
    Shelved,
    Story,
    Verdict,
    Waiting,
    columns,
)
from storage.prepared import Prepared, inserted, updated
from storage.slices import Slices
from storage.together import Together

TRIES = 30  # to upgrade, some 3 seconds each
_HELD_UP = ("55P03", "40P01")  # PostgreSQL: lock_not_available, deadlock_detected
PATIENCE = 60_000  # milliseconds to wait for another writer, on SQLite
FARTHEST = timedelta(days=3)  # no page waits so long: see ingest.fetch.LONGEST_WAIT
_LOCK = 0x6E657773  # "news": the one advisory lock that admissions and upgrades share
LEARNT = 16  # pages whose lines are remembered of each site; half of them is no chance
OPEN = ("review", "out_of_range")  # verdicts that a person, or a backfill, may yet change
LATE = 1000  # fetches; more than workers write before one that began earlier has committed
PAST = 30  # polls remembered of each feed: as many as rss-fetcher keeps


def _is_due(now: Any, far: Any) -> ColumnElement[bool]:
    """Tell whether a page's time has come, or was set by a clock that has been set back since."""
    c = schema.entry.c.next_try
    return or_(c <= now, c > far)


def _is_free(now: Any, far: Any) -> ColumnElement[bool]:
    """Tell whether nobody is at work on an entry, or not any longer."""
    c = schema.entry.c
    return or_(c.holder.is_(None), c.leased <= now, c.leased > far)


# Built once: for what runs at every request, building them took longer than running them.
_LINE_UP = Prepared(select(func.pg_advisory_xact_lock(_LOCK)))
_KNOWN = tuple(field.name for field in fields(HostState))
_HOST = Prepared(
    select(*(schema.host.c[name] for name in _KNOWN))
    .where(schema.host.c.host == bindparam("at"))
    .with_for_update()
)
_AT_HOST = schema.host.c.host == bindparam("at")
_SET_HOST = Prepared(updated(schema.host, _KNOWN).where(_AT_HOST))
_FREE_HOST = Prepared(
    updated(schema.host, ("holder", "until", "rest_until", "refusals")).where(
        _AT_HOST, schema.host.c.holder == bindparam("by")
    )
)
_LINE = schema.line.c
_LINES = select(_LINE.marks).where(_LINE.host == bindparam("at")).order_by(_LINE.rank.desc())
_OLD_LINES = _LINES.with_only_columns(_LINE.rank).offset(LEARNT)
_PRUNE = Prepared(
    delete(schema.line).where(_LINE.host == bindparam("at"), _LINE.rank.in_(_OLD_LINES))
)
_ADD_LINE = {
    name: Prepared(
        insert(schema.line)
        .values({one.name: bindparam(one.name) for one in _LINE})
        .on_conflict_do_nothing()
    )
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_FEED = schema.feed.c.url == bindparam("at")
_STATE = tuple(field.name for field in fields(FeedState))
_SET_FEED = Prepared(updated(schema.feed, _STATE).where(_FEED))
_STATES = Prepared(select(*(schema.feed.c[name] for name in _STATE)).where(schema.feed.c.listed))
_SAID = ("title", "nation", "kind", "enabled")  # in the feeds file
_ROW = ("url", "listed", "moved_to", "address", *_SAID)
_LISTED = Prepared(select(*(schema.feed.c[name] for name in _ROW)))
_STORY = schema.story.c
_ENTRY = schema.entry.c.id == bindparam("at")
_SET_STORY = update(schema.story).where(_STORY.number == bindparam("at"))
_ENTER_STORY = Prepared(_SET_STORY.where(~_STORY.entered).values(pending=None, entered=True))
_LET_GO: dict[str, None] = {"holder": None, "leased": None}
_SET_DECIDED = update(schema.entry).where(_ENTRY, schema.entry.c.state != DECIDED)
_SET_DECIDED = _SET_DECIDED.values(state=bindparam("to"), **_LET_GO)
_DECIDED = {  # kept or not
    True: Prepared(_SET_DECIDED),
    False: Prepared(_SET_DECIDED.values(next_try=bindparam("next_try", type_=schema.Moment))),
}
_FREE = update(schema.entry).where(schema.entry.c.holder.in_(bindparam("by", expanding=True)))
_FREE = _FREE.values(_LET_GO)
_NOW, _FAR = (bindparam(name, type_=schema.Moment) for name in ("now", "far"))
_HOLD = {  # who is at it on PostgreSQL is not waited for
    verb: Prepared(
        updated(schema.entry, ("holder", "leased")).where(
            schema.entry.c.id.in_(
                select(schema.entry.c.id)
                .where(_ENTRY, waits)
                .where((schema.entry.c.holder == bindparam("holder")) | _is_free(_NOW, _FAR))
                .with_for_update(skip_locked=True)
            )
        )
    )
    for verb, waits in (
        ("fetch", _is_due(_NOW, _FAR)),
        ("sift", schema.entry.c.state == FETCHED),
    )
}
_ANNOUNCED = Prepared(
    select(*(schema.entry.c[name] for name in ("state", "published", "url")))
    .where(_ENTRY)
    .with_for_update()
)
_REASON = Prepared(select(schema.verdict.c.reason).where(schema.verdict.c.entry == bindparam("at")))
_UNDECIDE = Prepared(delete(schema.verdict).where(schema.verdict.c.entry == bindparam("at")))
_FETCH = Prepared(inserted(schema.fetch, but=("id", "pruned")))
_SET_FETCHED = Prepared(
    updated(schema.entry, ("state",))
    .values(attempts=schema.entry.c.attempts + 1, next_try=None, **_LET_GO)
    .where(_ENTRY)
)
_IN_FEED = Prepared(
    select(schema.content.c.html, schema.feed.c.shares)
    .join_from(schema.content, schema.entry)
    .outerjoin(schema.feed, schema.feed.c.url == schema.entry.c.source)
    .where(schema.content.c.entry == bindparam("at"))
)
_FORGET = Prepared(delete(schema.content).where(schema.content.c.entry == bindparam("at")))
_GIVE = Prepared(inserted(schema.verdict))
_NAMED = select(_STORY.name).where(_STORY.name.in_(bindparam("names", expanding=True)))

_One = TypeVar("_One")
_Result = TypeVar("_Result")
_Claim = tuple[str, Callable[[HostState], tuple[HostState, timedelta]]]
_Act = Callable[[Connection, _One], _Result]


def _tune(connection: Any, _record: object) -> None:
    """Set up one SQLite connection; we begin transactions ourselves."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={PATIENCE}",
        "journal_mode=WAL",
        "synchronous=NORMAL",  # a kill loses nothing; a power cut at most the last commits
        "foreign_keys=ON",
        "wal_autocheckpoint=16000",  # measured: p95 of an insert 8.7 -> 5.4 ms
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(driver: Any) -> None:
    """Begin to write to SQLite; raises OperationalError when others do for longer than PATIENCE.

    SQLite by itself looks again after 1 ms, then 2, 5 and so on to 100, while each of our
    transactions takes 1: of two processes that fetch, each slept a quarter of the time.
    """
    until = monotonic() + PATIENCE / 1000
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(0.0005)
        else:
            return


@contextmanager
def _told() -> Iterator[None]:
    """Turn what a database says when it is lost, locked or full into an error of ours."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        said = getattr(error, "orig", error)
        raise StorageError(f"the catalog cannot be used: {said}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An entry with its verdict, where its page lies, and its story if it was kept."""

    waiting: Waiting
    verdict: Verdict
    score: float | None
    number: int | None
    name: str
    sha256: str


class Catalog(Lists, Slices):
    """The shelf of decisions."""

    def __init__(self, url: str) -> None:
        """Open the catalog and bring it to the newest version; raises StorageError."""
        try:
            where = make_url(url)
            if where.get_backend_name() == "sqlite" and where.database:
                Path(where.database).parent.mkdir(parents=True, exist_ok=True)
            self._sqlite = where.get_backend_name() == "sqlite"
            self._engine: Engine = create_engine(where, pool_pre_ping=not self._sqlite)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise StorageError(
                "NEWS_CATALOG is no URL of a database we can open: use "
                "sqlite:////folder/catalog.sqlite or postgresql+psycopg://user:password@host/name"
            ) from error
        # SQLite lets one write at a time, and lets others sleep and try again: threads line up
        self._line: AbstractContextManager[Any] = Lock() if self._sqlite else nullcontext()
        self._acts = Together(self._run, self._line)
        self._in_run: int | None = None  # in which verdicts are given
        self._holder = leases.holder()
        if self._sqlite:
            event.listen(self._engine, "connect", _tune)
        try:
            self._upgrade()
        except StorageError as error:
            self.close()
            raise StorageError(f"{where.render_as_string()}: {error}") from error

    def _upgrade(self) -> None:
        """Bring the catalog to the newest version while others work with it.

        On PostgreSQL whoever reads a table for long holds up what changes it, and that in turn
        holds up all others: so it gives way, and tries again.
        """
        with self._read() as connection:
            if schema.is_current(connection):
                return
        for _ in range(TRIES):
            try:
                with self._write() as connection:
                    self._lock(connection)
                    if not self._sqlite:
                        connection.execute(text("SET LOCAL lock_timeout = '1s'"))
                    schema.upgrade(connection)
            except StorageError as error:
                if getattr(getattr(error.__cause__, "orig", None), "sqlstate", "") not in _HELD_UP:
                    raise
                sleep(2)
            else:
                return
        raise StorageError(
            "the catalog cannot be upgraded: its tables are in use all the time; stop what reads "
            "them for long (an export?) and start again"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what nobody waited for and close every connection."""
        try:
            self.flush()
        finally:
            if "_writer" in vars(self):
                self._writer.close()
            self._engine.dispose()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._line, self._begun() as connection:
            yield connection

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        if not self._sqlite:
            with _told(), self._engine.begin() as connection:
                yield connection
            return
        driver: Any = self._writer.connection.driver_connection
        with _told():
            try:  # not by SQLAlchemy, nor an event of the engine: those cost at each statement
                _begin(driver)
                yield self._writer
                driver.commit()
            except BaseException:
                driver.rollback()
                raise

    def _together(self, act: _Act[_One, _Result], one: _One) -> _Result:
        """Return what `act` makes of `one`, once it is committed.

        Threads in line for SQLite share a transaction: the first acts for those behind it.
        """
        if not self._sqlite:
            with self._begun() as connection:
                return act(connection, one)
        result: _Result = self._acts((act, one))
        return result

    def _later(self, act: _Act[_One, None], one: _One) -> None:
        """Have `act` done with what any thread next waits for, or by `flush`; raised there.

        To stand in line for SQLite takes more of a processor than what is done there.
        """
        if self._sqlite:
            self._acts.later((act, one))
        else:
            self._together(act, one)

    def flush(self) -> None:
        """Write what nobody waited for, if no other transaction has."""
        self._acts.flush()

    def _run(self, jobs: Sequence[tuple[_Act[Any, Any], Any]]) -> list[Any]:
        with self._begun() as connection:
            return [act(connection, one) for act, one in jobs]

    @cached_property
    def _writer(self) -> Connection:
        """The one connection of those who line up: to take one from a pool costs 50 us."""
        writer = self._engine.connect()
        # for the upper pages of an index of a million stories: 86 -> 63 reads a story
        writer.exec_driver_sql("PRAGMA cache_size=-8000")  # kB
        writer.exec_driver_sql("PRAGMA busy_timeout=0")  # see _begin
        return writer

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with _told(), self._engine.connect() as connection:
            if self._sqlite:
                connection.exec_driver_sql("BEGIN")
            yield connection

    def _lock(self, connection: Connection) -> None:
        if not self._sqlite:
            _LINE_UP.run(connection)

    def _add(self, connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows that are not there yet."""
        insert = sqlite.insert if self._sqlite else postgresql.insert
        if rows:
            connection.execute(insert(table).on_conflict_do_nothing(), list(rows))

    # feeds

    def list_feeds(self, feeds: Iterable[Feed]) -> None:
        """Take over what the feeds file says; what we remember of each feed stays.

        A feed that is new there, but known as where another moved to, goes on from what we
        remember of that one, whose entries are now its own and whose row stays as an alias.
        """
        feeds = list(feeds)
        stay, c = {feed.url for feed in feeds}, schema.feed.c
        with self._write() as connection:
            known, moved = {}, dict[str, str]()
            for url, listed, moved_to, address, *as_said in _LISTED.rows(connection):
                known[url] = (*as_said, listed)
                if url not in stay:
                    moved |= {moved_to: url, address: url}
                    if listed:
                        gone = update(schema.feed).where(c.url == url).values(listed=False)
                        connection.execute(gone)
            for feed in feeds:
                said = {**{name: getattr(feed, name) for name in _SAID}, "listed": True}
                new = feed.url not in known
                if new and feed.url in moved:
                    before = select(schema.feed).where(c.url == moved[feed.url])
                    state = connection.execute(before).mappings().one()
                    said = {**state, "address": None, "moved_to": None, **said}
                    for table in (schema.entry, schema.slice):
                        ours = table.c.source == moved[feed.url]
                        connection.execute(update(table).where(ours).values(source=feed.url))
                if new:
                    self._add(connection, schema.feed, [{**said, "url": feed.url}])
                elif known[feed.url] != tuple(said.values()):
                    connection.execute(update(schema.feed).where(c.url == feed.url).values(said))

    def disabled(self) -> dict[str, tuple[str, datetime]]:
        """Return the feeds that a person disabled: who, and when."""
        c = schema.feed.c
        query = select(c.url, c.disabled_by, c.disabled_at).where(c.disabled_by.is_not(None))
        with self._read() as connection:
            return {url: (by, at) for url, by, at in connection.execute(query)}

    def disable(self, url: str, by: str | None, at: datetime) -> None:
        """Have a feed asked no more, whatever the feeds file says; by nobody: asked again."""
        said = {"disabled_by": by, "disabled_at": at if by else None}
        with self._write() as connection:
            feed = update(schema.feed).where(schema.feed.c.url == url)
            connection.execute(feed.values(said))

    def feed_states(self) -> dict[str, FeedState]:
        """Return what we remember of each feed that is in the feeds file, by URL."""
        with self._read() as connection:
            rows = _STATES.rows(connection)
        states = (FeedState(**dict(zip(_STATE, row, strict=True))) for row in rows)
        return {state.url: state for state in states}

    def polled(
        self,
        state: FeedState,
        entries: Sequence[Entry],
        now: datetime,
        refused: Sequence[tuple[Entry, Verdict]] = (),
    ) -> Taken:
        """Take in a poll's entries, then its state, in one transaction.

        The outcome "listed" becomes "new" or "nothing_new". The refused ones are no news, but
        are rows as well, with their verdict from the beginning.
        Validators are never kept without the entries they cover: losing the one and not the
        other would lose stories for good.
        """
        with self._write() as connection:
            self._lock(connection)
            taken = intake.take(connection, self._add, entries, now)
            for entry, verdict in refused:
                self._refuse(connection, entry, verdict, now)
            _set_feed(connection, (state, taken, now))
        return taken

    def unchanged(self, state: FeedState, now: datetime) -> None:
        """Keep the state after a poll that brought nothing."""
        self._later(_set_feed, (state, Taken(), now))

    def _refuse(
        self, connection: Connection, entry: Entry, verdict: Verdict, now: datetime
    ) -> None:
        e = schema.entry.c
        row = {**columns(entry), "hash": "", "first_seen": now}  # no hash: never taken for another
        del row["content"]
        self._add(connection, schema.entry, [row])
        number = connection.scalar(select(e.id).where(e.url == entry.url, e.hash == ""))
        if number is not None:
            self._decide(connection, number, verdict, Judgement(), now)

    def reschedule(self, state: FeedState) -> None:
        """Keep what was found of a feed after its poll was taken in: an overrun, when to ask."""
        names = ("overrun_at", "missed_since", "span", "next_poll", "reason")
        said = {name: getattr(state, name) for name in names}
        with self._write() as connection:
            connection.execute(
                update(schema.feed).where(schema.feed.c.url == state.url).values(said)
            )

    # entries on their way

    def to_fetch(self, now: datetime, limit: int, live: bool = True) -> list[Waiting]:
        """Return entries whose page is due, the ones seen first first, edited ones last.

        They are `live`, which polls saw, or else known by their source's past alone.
        """
        in_feed = exists().where(schema.content.c.entry == schema.entry.c.id)
        query = (
            select(schema.entry, in_feed.label("in_feed"))
            .where(_is_due(now, now + FARTHEST), schema.entry.c.live == live)
            .order_by(schema.entry.c.state != NEW, schema.entry.c.next_try, schema.entry.c.id)
            .limit(limit)
        )
        with self._read() as connection:
            return [_waiting(row) for row in connection.execute(query).mappings()]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Hold entries in this block: at its end they are free, unless they were let go before.

        At its beginning those are free that a worker of this machine held until it was killed.
        """
        e = schema.entry.c
        with self._read() as connection:
            holders = connection.scalars(select(e.holder).where(e.holder.is_not(None)).distinct())
            gone = [holder for holder in holders if leases.is_gone(holder)]
        if gone:
            with self._write() as connection:
                connection.execute(_FREE, {"by": gone})
        try:
            yield
        finally:
            with suppress(StorageError), self._write() as connection:
                connection.execute(_FREE, {"by": [self._holder]})

    def hold(self, verb: str, numbers: Sequence[int], now: datetime) -> set[int]:
        """Take those entries on that still wait for "fetch" or "sift" and nobody else is at.

        They are ours for LEASE; those that were are so again. Nobody waits for anybody.
        """
        return self._together(self._hold, (verb, numbers, now))

    def _hold(self, connection: Connection, ask: tuple[str, Sequence[int], datetime]) -> set[int]:
        verb, numbers, now = ask
        ours = {"holder": self._holder, "leased": now + leases.LEASE}
        asked = {**ours, "now": now, "far": now + FARTHEST}
        hold = _HOLD[verb]
        return {n for n in numbers if hold.run(connection, at=n, **asked).rowcount}

    def held(self, now: datetime) -> tuple[int, datetime | None]:
        """Return how many fetched entries others are at, and when the last of them is free."""
        e = schema.entry.c
        query = select(e.holder, func.count(), func.max(e.leased)).group_by(e.holder)
        query = query.where(e.holder != self._holder, ~_is_free(now, now + FARTHEST))
        with self._read() as connection:
            found = connection.execute(query.where(e.state == FETCHED)).all()
        others = [(many, until) for holder, many, until in found if not leases.is_gone(holder)]
        return sum(many for many, _ in others), max((until for _, until in others), default=None)

    def had(self, urls: Sequence[str]) -> set[str]:
        """Return those of a few URLs whose entries want no page any more."""
        e, other = schema.entry.c, schema.other_url
        known = select(e.url).where(e.url.in_(urls), e.state != NEW)
        named = select(other.c.url).join(schema.entry).where(other.c.url.in_(urls), e.state != NEW)
        with self._read() as connection:
            return {*connection.scalars(known), *connection.scalars(named)}

    def in_feed(self, number: int) -> InFeed | None:
        """Return the text that came with an undecided entry in its feed, if any did."""
        with self._read() as connection:
            rows = _IN_FEED.rows(connection, at=number)
        return InFeed(content=rows[0][0], shares=tuple(rows[0][1] or ())) if rows else None

    def save_shares(self, source: str, shares: Iterable[float]) -> None:
        """Keep which shares of its pages' words a feed held itself."""
        with self._write() as connection:
            connection.execute(
                update(schema.feed).where(schema.feed.c.url == source).values(shares=list(shares))
            )

    def fetched(
        self, number: int, page: Page, place: Place, sha256: str, marks: bytes = b""
    ) -> None:
        """Record that an entry's page lies in the archive, and remember its lines' `marks`.

        Of a kept story its outcome is "refetched": the page that was judged stays the last one
        "fetched". Where another verdict stood the page is to be judged anew.
        """
        shelved = Shelved(page=page, place=place, sha256=sha256, marks=marks)
        self._together(lambda connection, one: self._fetched(connection, *one), (number, shelved))

    def _fetched(self, connection: Connection, number: int, shelved: Shelved) -> None:
        page = shelved.page
        ((state, published, url),) = _ANNOUNCED.rows(connection, at=number)
        if state == DECIDED and _REASON.rows(connection, at=number) != [(KEPT,)]:
            _UNDECIDE.run(connection, at=number)
            state = NEW
        decided = state == DECIDED
        _FETCH.run(
            connection,
            entry=number,
            at=page.fetched,
            outcome=REFETCHED if decided else FETCHED,
            detail="",
            status=page.status,
            final_url=page.final_url,
            hops=page.hops,
            sha256=shelved.sha256,
            **columns(shelved.place),
        )
        _SET_FETCHED.run(connection, at=number, state=DECIDED if decided else FETCHED)
        if decided:
            self._forget(connection, number)
        elif shelved.marks:
            rank = f"{published or ''} {url}".encode()
            self._remember(connection, page.final_url, rank, shelved.marks)

    def _remember(self, connection: Connection, url: str, rank: bytes, marks: bytes) -> None:
        """Keep a page's marks while it is among its site's newest, by day and URL as announced.

        So what is kept depends on which pages were had, not on when, how often or in what order.
        """
        host = urlsplit(url).hostname
        add = _ADD_LINE[connection.dialect.name]
        add.run(connection, host=host, rank=rank, marks=marks)
        _PRUNE.run(connection, at=host)

    def lines(self, url: str) -> list[bytes]:
        """Return the marks of the lines of each of the newest pages of a URL's site."""
        with self._read() as connection:
            return list(connection.scalars(_LINES.limit(LEARNT), {"at": urlsplit(url).hostname}))

    def faulted(
        self,
        number: int,
        at: datetime,
        fault: str,
        detail: str,
        next_try: datetime | None,
        is_verdict: bool = False,
    ) -> None:
        """Record a fault; the page is to be had at next_try, or else the fault is the verdict.

        It may be the verdict meanwhile, too. Where a page was had before, that one is judged, and
        a fault is no verdict.
        """
        with self._write() as connection:
            state = self._state(connection, number)
            connection.execute(
                schema.fetch.insert().values(entry=number, at=at, outcome=fault, detail=detail)
            )
            if state == NEW and (is_verdict or next_try is None):
                self._decide(connection, number, Verdict(fault, detail), Judgement(), at)
            elif state == DECIDED and next_try is None:
                self._forget(connection, number)
            connection.execute(
                update(schema.entry)
                .where(schema.entry.c.id == number)
                .values(attempts=schema.entry.c.attempts + 1, next_try=next_try, **_LET_GO)
            )

    def lost(self, number: int, at: datetime, detail: str, place: Place) -> None:
        """Record that an entry's page is no longer in the archive: it is to be fetched anew.

        Not where it lies elsewhere by now: see `prune`.
        """
        f = schema.fetch.c
        with self._write() as connection:
            lies = select(f.file, f.offset).where(f.id == last_fetch(literal(number)))
            if connection.execute(lies).first() != (place.file, place.offset):
                return
            connection.execute(
                schema.fetch.insert().values(entry=number, at=at, outcome=LOST, detail=detail)
            )
            connection.execute(
                update(schema.entry)
                .where(schema.entry.c.id == number, schema.entry.c.state == FETCHED)
                .values(state=NEW, next_try=at, **_LET_GO)
            )

    def _state(self, connection: Connection, number: int) -> str | None:
        state = select(schema.entry.c.state).where(schema.entry.c.id == number)
        return connection.scalar(state.with_for_update())

    def _forget(self, connection: Connection, number: int) -> None:
        _FORGET.run(connection, at=number)

    def postpone(self, number: int, next_try: datetime) -> None:
        """Leave a page alone until then; nobody asked for it, so it is no attempt."""
        with self._write() as connection:
            connection.execute(
                update(schema.entry)
                .where(schema.entry.c.id == number, schema.entry.c.next_try.is_not(None))
                .values(next_try=next_try, **_LET_GO)
            )

    def to_sift(self, now: datetime, limit: int) -> list[Waiting]:
        """Return fetched entries without a verdict that nobody is at, oldest story first.

        The order is by what a story says of itself, not by when we saw it: so a run that was
        killed and taken up again numbers its stories as one that was not.
        """
        query = (
            select(schema.entry, schema.fetch.c.file, schema.fetch.c.offset, schema.fetch.c.length)
            .select_from(schema.entry)
            .join(schema.fetch, schema.fetch.c.id == last_fetch(schema.entry.c.id))
            .where(schema.entry.c.state == FETCHED, _is_free(now, now + FARTHEST))
            .order_by(schema.entry.c.published.asc().nulls_last(), schema.entry.c.url)
            .limit(limit)
        )
        with self._read() as connection:
            return [_waiting(row) for row in connection.execute(query).mappings()]

    # verdicts

    def decide(
        self,
        number: int,
        verdict: Verdict,
        grounds: Judgement,
        now: datetime,
        next_try: datetime | None = None,
    ) -> bool:
        """Give an entry its verdict; False when it has one already, which then stays.

        At `next_try` its page is asked for again, and judged anew.
        """
        with self._write() as connection:
            return self._decide(connection, number, verdict, grounds, now, next_try)

    def decide_all(
        self,
        verdicts: Iterable[tuple[int, Verdict, Judgement, datetime | None]],
        now: datetime,
    ) -> None:
        """Give entries their verdicts in one transaction; each as `decide` does."""
        with self._write() as connection:
            self._lock(connection)  # two that count in another order would wait for each other
            for number, verdict, grounds, next_try in verdicts:
                self._decide(connection, number, verdict, grounds, now, next_try)

    def _decide(
        self,
        connection: Connection,
        number: int,
        verdict: Verdict,
        grounds: Judgement,
        now: datetime,
        next_try: datetime | None = None,
    ) -> bool:
        again = {} if verdict.keep else {"next_try": next_try}
        if not _DECIDED[verdict.keep].run(connection, at=number, to=DECIDED, **again).rowcount:
            return False
        said = {"entry": number, "reason": verdict.reason, "evidence": verdict.evidence, "at": now}
        _GIVE.run(connection, **said, run=self._in_run, **columns(grounds))
        self._forget(connection, number)
        return True

    def expire(self, since: datetime, now: datetime) -> int:
        """Refuse what has waited for a person's review since then or longer; return how many."""
        c = schema.verdict.c
        late = update(schema.verdict).where(c.reason == "review", c.at < since)
        with self._write() as connection:
            self._lock(connection)
            done = connection.execute(
                late.values(reason="expired", evidence="undecided: " + c.evidence, at=now)
            )
            return done.rowcount

    @contextmanager
    def admission(self) -> Iterator[Admission]:
        """Let one story at a time be compared with all others and taken in."""
        with self._write() as connection:
            self._lock(connection)
            yield Admission(connection, self._decide)

    def alike(
        self, urls: Iterable[str], fingerprint: Fingerprint
    ) -> list[tuple[int, str, str, bytes | None]]:
        """Return what an admission would; more may have come in once it begins."""
        with self._read() as connection:
            return Admission(connection, self._decide).alike(urls, fingerprint)

    def next_number(self) -> int:
        """Return the number that the next story would have."""
        with self._read() as connection:
            return Admission(connection, self._decide).next_number()

    def pending(self) -> list[tuple[int, str, bytes]]:
        """Return number, name and bytes of stories taken in whose file may not be there yet."""
        query = select(schema.story.c.number, schema.story.c.name, schema.story.c.pending)
        query = query.where(schema.story.c.pending.is_not(None)).order_by(schema.story.c.number)
        with self._read() as connection:
            return [(row.number, row.name, row.pending) for row in connection.execute(query)]

    def settle(self, number: int, story: Story) -> None:
        """Forget a story's pending bytes: its file is in the corpus, durably; enter its words.

        Those are entered here and not where a story is admitted, which all others wait for.
        """
        with self._write() as connection:
            if _ENTER_STORY.run(connection, at=number).rowcount:
                search.add(connection, number, story.title, story.text)
            else:  # restored
                connection.execute(_SET_STORY, {"at": number, "pending": None})

    def names(self, withdrawn: bool = False) -> dict[str, int]:
        """Return the name and number of every story in the corpus, or of those taken out of it."""
        c = schema.story.c
        gone = c.withdrawn.is_not(None) if withdrawn else c.withdrawn.is_(None)
        with self._read() as connection:
            rows = connection.execute(select(c.name, c.number).where(gone))
            return {row.name: row.number for row in rows}

    def unknown(self, names: Sequence[str]) -> list[str]:
        """Return those of the files' names that no story in the corpus has, in their order."""
        new: list[str] = []
        with self._read() as connection:
            for start in range(0, len(names), 500):
                chunk = names[start : start + 500]
                known = set(connection.scalars(_NAMED, {"names": chunk}))
                new += [name for name in chunk if name not in known]
        return new

    def mark(self, new: str = "") -> str:
        """Return the corpus folder's mark when all its files were known, or note a new one."""
        c = schema.meta.c
        if not new:
            with self._read() as connection:
                return connection.scalar(select(c.value).where(c.key == "corpus")) or ""
        with self._write() as connection:
            self._note(connection, "corpus", new)
        return new

    def _note(self, connection: Connection, key: str, value: str) -> None:
        c = schema.meta.c
        self._add(connection, schema.meta, [{"key": key, "value": value}])
        connection.execute(update(schema.meta).where(c.key == key).values(value=value))

    # decisions of people

    def record(self, decision: Decision) -> None:
        """Add what a person said."""
        with self._write() as connection:
            connection.execute(schema.decision.insert().values(columns(decision)))

    def decisions(self) -> list[Decision]:
        """Return what people said, in that order."""
        query = select(*(c for c in schema.decision.c if c.name != "id"))
        with self._read() as connection:
            rows = connection.execute(query.order_by(schema.decision.c.id)).mappings()
            return [Decision(**row) for row in rows]

    def decided(self, after: int, limit: int, only: int | None = None) -> list[Decided]:
        """Return entries with a verdict and a page, by number, from after that one."""
        e, f, v, s = schema.entry.c, schema.fetch.c, schema.verdict.c, schema.story.c
        query = (
            select(schema.entry, f.file, f.offset, f.length, v.reason, v.evidence, v.score)
            .add_columns(s.number, s.name, s.sha256)
            .join_from(schema.entry, schema.verdict)
            .join(schema.fetch, f.id == last_fetch(e.id))
            .outerjoin(schema.story, s.entry == e.id)
            .where(e.state == DECIDED, e.id > after, *([e.id == only] if only else []))
            .order_by(e.id)
            .limit(limit)
        )
        with self._read() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Decided(
                waiting=_waiting(row),
                verdict=Verdict(row["reason"], row["evidence"]),
                score=row["score"],
                number=row["number"],
                name=row["name"] or "",
                sha256=row["sha256"] or "",
            )
            for row in rows
        ]

    # hosts

    def claim(
        self, host: str, decide: Callable[[HostState], tuple[HostState, timedelta]]
    ) -> timedelta:
        """Let one worker at a time take its turn at a host, or learn how long it has to wait.

        `decide` is called while nobody else can change what is remembered of that host: it reads
        the clock itself, and returns what to remember from now on, and the wait.
        """
        return self._together(self._claim, (host, decide))

    def _claim(self, connection: Connection, claim: _Claim) -> timedelta:
        host, decide = claim
        if not (found := _HOST.rows(connection, at=host)):
            self._add(connection, schema.host, [{"host": host}])
            found = _HOST.rows(connection, at=host)
        state, wait = decide(HostState(**dict(zip(_KNOWN, found[0], strict=True))))
        _SET_HOST.run(connection, at=host, **columns(state))
        return wait

    def crawl_delays(self) -> dict[str, float]:
        """Return the seconds that each host's robots.txt asks for between two requests."""
        c = schema.host.c
        with self._read() as connection:
            rows = connection.execute(select(c.host, c.delay))
            return {row.host: row.delay for row in rows}

    def release(
        self, host: str, holder: str, now: datetime, rest: datetime | None, refusals: int = 0
    ) -> None:
        """Give a turn back; a `rest` leaves the host alone until then, after so many 429s.

        Changes nothing when the lease is over and somebody else has the turn.
        """
        kept = {"holder": None, "until": now, "rest_until": rest, "refusals": refusals}
        self._later(_free_host, {"at": host, "by": holder, **kept})

    def load_robots(self, origin: str) -> tuple[str, int, datetime] | None:
        """Return the text, status and time of an origin's robots.txt as last fetched."""
        c = schema.robots.c
        query = select(c.text, c.status, c.fetched).where(c.origin == origin)
        with self._read() as connection:
            row = connection.execute(query).first()
        return (row.text, row.status, row.fetched) if row else None

    def save_robots(self, origin: str, robots: str, status: int, fetched: datetime) -> None:
        """Keep an origin's robots.txt."""
        kept = {"text": robots, "status": status, "fetched": fetched}
        with self._write() as connection:
            self._add(connection, schema.robots, [{"origin": origin, **kept}])
            connection.execute(
                update(schema.robots).where(schema.robots.c.origin == origin).values(kept)
            )

    # what goes

    def pages_in(self, file: str, before: datetime) -> tuple[dict[int, Place], dict[int, Place]]:
        """Return by fetch which pages of a file in the archive are needed, and which are not.

        Not needed are those that were fetched, and judged for good, before then.
        """
        with self._read() as connection:
            return _pages_in(connection, file, before)

    def prune(self, file: str, before: datetime, moved: Mapping[int, Place], now: datetime) -> bool:
        """Forget where a file's pages lie, but for the needed ones, which have `moved`.

        False, and nothing is changed, when others are needed by now.
        """
        f = schema.fetch.c
        with self._write() as connection:
            self._lock(connection)  # as does who takes a verdict back
            if _pages_in(connection, file, before)[0].keys() != moved.keys():
                return False
            for number, place in moved.items():
                lies = update(schema.fetch).where(f.id == number)
                connection.execute(lies.values(columns(place)))
            gone = dict.fromkeys(("file", "offset", "length"))
            rest = update(schema.fetch).where(f.file == file)
            connection.execute(rest.values(**gone, pruned=now))
            self._note(connection, "archive", "0 0")  # weighed anew at the end of the run
        return True

    def forget_runs(self, before: datetime) -> int:
        """Delete the runs that began before then; return how many."""
        with self._write() as connection:
            old = delete(schema.run).where(schema.run.c.started < before)
            return connection.execute(old).rowcount

    # runs

    def begin_run(self, verb: str, now: datetime, occasion: str | None = None) -> int:
        """Note that a run began, and for what; the verdicts we give from now on are its own.

        Returns its number.
        """
        row = {"verb": verb, "started": now, "occasion": occasion}
        with self._write() as connection:
            done = connection.execute(schema.run.insert().values(row))
            self._in_run = int((done.inserted_primary_key or (0,))[0])
        return self._in_run

    def end_run(
        self,
        number: int,
        now: datetime,
        counts: Mapping[str, int],
        failed: str | None,
        alerts: Mapping[str, str] | None = None,
    ) -> None:
        """Note how a run ended; `alerts` gives each one's evidence by its name."""
        with self._write() as connection:
            connection.execute(
                update(schema.run)
                .where(schema.run.c.id == number)
                .values(ended=now, counts=dict(counts), failed=failed, alerts=dict(alerts or {}))
            )
            self._weigh(connection)

    def _weigh(self, connection: Connection) -> None:
        """Add up the pages had since this was last done, but for those of workers not done yet."""
        last, pages = self._weighed(connection)
        upto = (connection.scalar(select(func.max(schema.fetch.c.id))) or 0) - LATE
        if upto > last:
            pages += connection.scalar(pages_after(last).where(schema.fetch.c.id <= upto)) or 0
            self._note(connection, "archive", f"{upto} {pages}")


def _pages_in(
    connection: Connection, file: str, before: datetime
) -> tuple[dict[int, Place], dict[int, Place]]:
    f, v = schema.fetch.c, schema.verdict.c
    done = (schema.entry.c.state == DECIDED) & v.reason.not_in(OPEN)
    query = (
        select(f.id, f.file, f.offset, f.length)
        .add_columns((done & (v.at < before) & (f.at < before)).label("spare"))
        .join_from(schema.fetch, schema.entry)
        .outerjoin(schema.verdict, v.entry == schema.entry.c.id)
        .where(f.file == file)
    )
    found: tuple[dict[int, Place], dict[int, Place]] = {}, {}
    for number, name, offset, length, spare in connection.execute(query):
        found[bool(spare)][number] = Place(file=name, offset=offset, length=length)
    return found


def _set_feed(connection: Connection, poll: tuple[FeedState, Taken, datetime]) -> None:
    state, taken, now = poll
    kept = columns(state)
    if state.outcome == "listed":
        kept["outcome"] = "new" if taken.new else "nothing_new"
    polled = (now.isoformat(), kept["outcome"], taken.new)
    kept["past"] = [*state.past, polled][-PAST:]
    _SET_FEED.run(connection, at=state.url, **kept)


def _free_host(connection: Connection, row: Mapping[str, Any]) -> None:
    _FREE_HOST.run(connection, **row)


def _waiting(row: RowMapping) -> Waiting:
    names = [field.name for field in fields(Entry) if field.name in row]
    entry = Entry(**{name: row[name] for name in names})
    place = None
    if row.get("file"):  # else it was pruned, or never had
        place = Place(file=row["file"], offset=row["offset"], length=row["length"])
    return Waiting(
        id=row["id"],
        entry=entry,
        attempts=row["attempts"],
        first_seen=row["first_seen"],
        live=row["live"],
        in_feed=row.get("in_feed", False),
        place=place,
    )
