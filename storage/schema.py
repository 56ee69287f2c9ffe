"""The catalog's tables and their numbered upgrades, for SQLite and PostgreSQL alike."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.schema import CreateColumn

from storage import search, sketches, tally
from storage.errors import StorageError
from storage.model import Timing, columns


class Moment(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite has no zones, so it is stored without and read with one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn to UTC; a naive datetime is a mistake of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value)


class TimingColumn(TypeDecorator[Timing]):
    """A Timing as JSON: seconds and sorted lists; what it does not say is left out."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Timing | None, dialect: Dialect) -> Any:
        """Turn to JSON."""
        said = columns(value or Timing())
        return {
            name: one.total_seconds() if isinstance(one, timedelta) else sorted(one)
            for name, one in said.items()
            if one
        }

    def process_result_value(self, value: Any, dialect: Dialect) -> Timing:
        """Turn back."""
        said: dict[str, Any] = {
            name: frozenset(one) if isinstance(one, list) else timedelta(seconds=one)
            for name, one in (value or {}).items()
        }
        return Timing(**said)


METADATA = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by INTEGER only

meta = Table(
    "meta",
    METADATA,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

feed = Table(
    "feed",
    METADATA,
    Column("url", String, primary_key=True),
    Column("title", String, nullable=False, default=""),
    Column("nation", String, nullable=False, default=""),
    Column("kind", String, nullable=False, default=""),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("disabled_by", String),  # a person, not by the feeds file
    Column("disabled_at", Moment),
    Column("listed", Boolean, nullable=False, default=True),  # still in the feeds file
    Column("address", String),
    Column("moved_to", String),
    Column("moved_since", Moment),
    Column("etag", String),
    Column("last_modified", String),
    Column("answered_at", String),
    Column("digest", String),
    Column("whole", Moment),
    Column("distrusted", Boolean, nullable=False, default=False),
    Column("made_by", String, nullable=False, default=""),
    Column("timing", TimingColumn),
    Column("usual_gap", Interval),
    Column("newest", Moment),
    Column("span", Interval),
    Column("overrun_at", Moment),
    Column("missed_since", Moment),
    Column("polled", Moment),
    Column("next_poll", Moment),
    Column("reason", String, nullable=False, default=""),
    Column("outcome", String, nullable=False, default="never_polled"),
    Column("detail", String, nullable=False, default=""),
    Column("failures", Integer, nullable=False, default=0),
    Column("shares", JSON),  # of its pages' words that it held itself: ingest.fulltext
    Column("past", JSON, nullable=False, default=[]),  # the last polls: [when, outcome, new]
    Column("ways", JSON, nullable=False, default={}),  # into its past: {name: address or ""}
)

entry = Table(
    "entry",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("url", String, nullable=False, unique=True),
    Column("link", String, nullable=False),
    Column("guid", String),
    Column("source", String, nullable=False),
    Column("title", String, nullable=False),
    Column("summary", String, nullable=False),
    Column("published", Moment),
    Column("updated", Moment),
    Column("date_source", String, nullable=False, default=""),
    Column("date_text", String, nullable=False, default=""),
    Column("first_seen", Moment, nullable=False),
    Column("state", String, nullable=False, default="new"),  # new, fetched, decided
    Column("hash", String, nullable=False),  # of what it says: storage.intake.digest
    Column("versions", Integer, nullable=False, default=0),  # before this one
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_try", Moment),  # when its page is asked for next; none: not again
    Column("live", Boolean, nullable=False, default=True),  # a poll saw it; else a backfill alone
    Column("holder", String),  # who fetches or sifts it: storage.leases
    Column("leased", Moment),  # until then
    Index("entry_by_state", "state", "next_try"),
    Index("entry_by_next_try", "next_try"),
    Index("entry_by_guid", "source", "guid"),
    Index("entry_by_hash", "source", "hash"),
    Index("entry_by_source", "source", "id"),
)
_HOLDER = entry.c.holder.is_not(None)  # of few: those on which somebody is at work
entry_by_holder = Index(
    "entry_by_holder", entry.c.holder, sqlite_where=_HOLDER, postgresql_where=_HOLDER,
)  # fmt: skip
_LIVE = entry.c.live.is_(True)
# A feed's latest, however much of its past came after: see Answers.reasons.
Index(
    "entry_by_poll", entry.c.source, entry.c.id,
    sqlite_where=_LIVE, postgresql_where=_LIVE,
)  # fmt: skip

# Under which other URLs its own source announced an entry: before or after a move.
other_url = Table(
    "other_url",
    METADATA,
    Column("url", String, primary_key=True),
    Column("entry", _ID, ForeignKey("entry.id"), nullable=False, index=True),
)

# What an entry said before it was edited.
version = Table(
    "version",
    METADATA,
    Column("entry", _ID, ForeignKey("entry.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("until", Moment, nullable=False),  # when we saw it replaced
    Column("title", String, nullable=False),
    Column("summary", String, nullable=False),
    Column("updated", Moment),
)

# The text that came with an entry in its feed, until the entry is decided.
content = Table(
    "content",
    METADATA,
    Column("entry", _ID, ForeignKey("entry.id"), primary_key=True),
    Column("html", String, nullable=False),
)

# Which feeds announced an entry besides the first.
sighting = Table(
    "sighting",
    METADATA,
    Column("entry", _ID, ForeignKey("entry.id"), primary_key=True),
    Column("source", String, primary_key=True),
    Column("seen", Moment, nullable=False),
)

# Days of a source that are walked through, by one way into its past.
slice = Table(
    "slice",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("source", String, nullable=False),
    Column("way", String, nullable=False),
    Column("since", Date, nullable=False),
    Column("until", Date, nullable=False),  # half open
    Column("state", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("cursor", String, nullable=False),
    Column("passes", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("fresh", Integer, nullable=False),
    Column("total", Integer),
    Column("holder", String),  # who walks it
    Column("leased", Moment),  # until then
    Column("ended", Moment),
    Index("slice_by_source", "source", "since"),
    Index("slice_by_day", "since", "until", "state", "source"),
)

# Which entries a slice gave, within its margin.
found = Table(
    "found",
    METADATA,
    Column("slice", _ID, ForeignKey("slice.id"), primary_key=True),
    Column("entry", _ID, ForeignKey("entry.id"), primary_key=True, index=True),
)

# One row for each time a page was asked for.
fetch = Table(
    "fetch",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("entry", _ID, ForeignKey("entry.id"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("outcome", String, nullable=False),  # fetched, refetched (once decided) or a fault
    Column("detail", String, nullable=False, default=""),
    Column("status", Integer),
    Column("final_url", String),
    Column("hops", JSON),  # every URL asked on the way
    Column("sha256", String, index=True),  # of the decoded content
    Column("file", String),
    Column("offset", BigInteger),
    Column("length", BigInteger),
    Column("pruned", Moment),  # when its page was taken out of the archive
)
_LIES = fetch.c.file.is_not(None)  # in the archive
fetch_by_file = Index("fetch_by_file", fetch.c.file, sqlite_where=_LIES, postgresql_where=_LIES)

# What to remember of the lines of a site's newest pages: ingest.furniture learns from it.
line = Table(
    "line",
    METADATA,
    Column("host", String, primary_key=True),
    Column("rank", LargeBinary, primary_key=True),  # bytes: sorts alike on every database
    Column("marks", LargeBinary, nullable=False),
)

# One row an entry: the primary key is the promise that each has exactly one verdict.
verdict = Table(
    "verdict",
    METADATA,
    Column("entry", _ID, ForeignKey("entry.id"), primary_key=True),
    Column("reason", String, nullable=False),
    Column("evidence", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("run", _ID),  # in which it was given; none: by a person
    Column("like", Integer, index=True),  # the number of the kept story it copies
    Column("kind", String, nullable=False, default=""),  # of copy
    Column("score", Float),  # topic, 0.0 to 1.0
    Column("points", JSON),  # the topic's evidence: [rule, zone, found, points]
    Column("removed", JSON),  # furniture: [rule, line]
    Column("words", Integer),  # of the text; none when the page gave none
    Column("extractor", String, nullable=False, default=""),
    Column("topic", String, nullable=False, default=""),  # digest of the topic file
    Column("canonical", String, nullable=False, default="", index=True),
    Column("published", Date),  # the day by which it was judged
    Index("verdict_by_reason", "reason", "at", "entry"),
    Index("verdict_by_day", "at", "entry", "reason", "run"),
)

# What people said of verdicts; rows are added and never changed.
decision = Table(
    "decision",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("entry", _ID, ForeignKey("entry.id"), nullable=False, index=True),
    Column("what", String, nullable=False),
    Column("by", String, nullable=False),
    Column("why", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("was", String, nullable=False),
    Column("story", String, nullable=False),
    Column("like", Integer),
    Column("beside", String, nullable=False),
)

# One row a file of the corpus. `pending` holds the bytes until the file is known to be there.
story = Table(
    "story",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False, unique=True),
    Column("entry", _ID, ForeignKey("entry.id"), index=True),  # none: put there by hand
    Column("title", String, nullable=False),
    Column("url", String, nullable=False, default="", index=True),
    Column("published", Date),
    Column("date_source", String, nullable=False, default=""),
    Column("date_text", String, nullable=False, default=""),
    Column("language", String, nullable=False, default=""),
    Column("sha256", String, nullable=False),
    Column("exact", LargeBinary, nullable=False, index=True),
    Column("words", Integer, nullable=False),
    Column("added", Moment, nullable=False, index=True),
    Column("pending", LargeBinary),
    Column("entered", Boolean, nullable=False, default=False),  # among the words: storage.search
    Column("withdrawn", LargeBinary),  # the bytes of a file that a person's decision took away
)
# The few stories with bytes here: every sift asks for them, however large the corpus is.
_HELD = story.c.pending.is_not(None) | story.c.withdrawn.is_not(None)
Index("story_held", story.c.number, sqlite_where=_HELD, postgresql_where=_HELD)
_THERE = story.c.withdrawn.is_(None)
Index(
    "story_by_day", story.c.published, story.c.number,
    sqlite_where=_THERE, postgresql_where=_THERE,
)  # fmt: skip

# Stories on one event that are no copies of each other.
related = Table(
    "related",
    METADATA,
    Column("number", Integer, ForeignKey("story.number"), primary_key=True),
    Column("other", Integer, ForeignKey("story.number"), primary_key=True, index=True),
    Column("likeness", Float, nullable=False),
)

host = Table(
    "host",
    METADATA,
    Column("host", String, primary_key=True),
    Column("holder", String),  # whose turn it is
    Column("until", Moment),  # the end of the latest request; the lease's, while one is held
    Column("delay", Float, nullable=False, default=0.0),  # seconds, as robots.txt asks
    Column("rest_until", Moment),  # as a 429 asked
    Column("refusals", Integer, nullable=False, default=0, server_default="0"),
    Column("live_until", Moment),  # until then backfill makes way
)

robots = Table(
    "robots",
    METADATA,
    Column("origin", String, primary_key=True),  # scheme, host and port: RFC 9309 section 2.3
    Column("text", String, nullable=False),
    Column("status", Integer, nullable=False),  # 0: no answer
    Column("fetched", Moment, nullable=False),
)

run = Table(
    "run",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("verb", String, nullable=False),
    Column("started", Moment, nullable=False),
    Column("ended", Moment),
    Column("failed", String),
    Column("counts", JSON),
    Column("alerts", JSON),  # name -> evidence
    Column("occasion", String, index=True),  # for which, as `poll/manual__2026...`; none: by hand
)

sketches.define(METADATA)
search.define(METADATA)
tally.define(METADATA)


def _add(connection: Connection, *new: Column[Any]) -> None:
    """Add columns to their tables; those that may not be empty need a `server_default`."""
    quoted = connection.dialect.identifier_preparer.format_table  # `fetch` is a word of SQL's
    for one in new:
        said = CreateColumn(one).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {quoted(one.table)} ADD COLUMN {said}")


def _to_two(connection: Connection) -> None:
    _add(connection, entry.c.holder, entry.c.leased)
    entry_by_holder.create(connection)
    _add(connection, fetch.c.pruned)
    fetch_by_file.create(connection)
    _add(connection, verdict.c.run, run.c.occasion)
    for index in run.indexes:
        index.create(connection)
    _add(connection, feed.c.disabled_by, feed.c.disabled_at)
    tally.add(connection)
    anew = ("verdict_by_reason", "verdict_by_day", "story_by_day")
    for index in (*verdict.indexes, *story.indexes, *slice.indexes):
        if index.name in anew:
            connection.exec_driver_sql(f"DROP INDEX {index.name}")
        if index.name in (*anew, "slice_by_day"):
            index.create(connection)


def _to_three(connection: Connection) -> None:
    _add(connection, feed.c.span, feed.c.overrun_at, feed.c.missed_since, host.c.refusals)


# Version -> what brings a catalog from the version before to it. An upgrade only adds what those
# who know the version before do not miss: workers that run go on while it is done, and after.
UPGRADES: Mapping[int, Callable[[Connection], None]] = {2: _to_two, 3: _to_three}


def is_current(connection: Connection) -> bool:
    """Tell whether the catalog is of the version that we know."""
    return inspect(connection).has_table(meta.name) and _version(connection) == max(UPGRADES)


def _version(connection: Connection) -> int:
    return int(connection.scalar(select(meta.c.value).where(meta.c.key == "version")) or 0)


def upgrade(connection: Connection) -> None:
    """Make the tables, or bring them to the newest version, in the caller's transaction.

    Version 1 is the tables as they were first released; METADATA are the newest. Raises
    StorageError for a catalog that a newer Newsdesk made.
    """
    newest = max(UPGRADES)
    if not inspect(connection).has_table(meta.name):
        METADATA.create_all(connection)
        connection.execute(insert(meta).values(key="version", value=str(newest)))
        return
    found = _version(connection)
    if found > newest:
        raise StorageError(
            f"the catalog is of version {found}, this Newsdesk knows {newest}: upgrade Newsdesk"
        )
    for number in range(found + 1, newest + 1):
        UPGRADES[number](connection)
    if found != newest:
        connection.execute(update(meta).where(meta.c.key == "version").values(value=str(newest)))
