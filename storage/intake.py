"""A poll's entries -> the catalog: which are new, known by another name, or edited.

An entry is known by its URL, over all sources. Within its own source it is known, too, under a
new URL: by its guid, when title and date or the content agree (feeds reuse guids, so that a
guid alone says nothing), or by its content alone (a site that moved gives new links and new
guids at once); by few words only with its moment, and where the links differ in nothing but what
may be a visit's token. So a feed that changes all its guids, or all its links, needs no threshold
to be noticed: each of its entries is linked anew by itself. In doubt an entry is new: a story
taken in twice is found by its text (docs/decisions/008), one not taken in is lost.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import datetime, time, timedelta
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    func,
    literal,
    select,
    update,
)

from storage import schema
from storage.answers import NEW
from storage.model import KEPT, Entry, columns
from storage.tokens import without_tokens

MAX_VERSIONS = 24  # of an entry, as reader has it: some feeds count views in their summaries
MAX_URLS = 24  # of an entry besides its own: some links hold a session's number
SETTLED = timedelta(hours=1)  # after an edit: corrections come in bursts, one fetch sees them all
FEW_WORDS = 20  # fewer say too little to tell an entry: "Apply now", "Minutes of the meeting"
CHUNK = 300  # things a statement, up to three bound values each: older SQLite takes 999
_MARKUP = re.compile(r"<[^>]*>")
_Name = tuple[object, ...]
_Thing = TypeVar("_Thing")
_Add = Callable[[Connection, Any, Sequence[Any]], None]  # inserts the rows that are not there


_KNOWN = [
    schema.entry.c[name]
    for name in ("id", "url", "source", "guid", "title", "hash", "published", "versions", "live")
]
_OTHER = schema.other_url


def _among(name: str) -> ColumnElement[bool]:
    return schema.entry.c[name].in_(bindparam(name, expanding=True))


_BY_URL = [  # by an entry's other URLs, then by its own; built once, which took longer than to ask
    select(url.label("known_as"), *_KNOWN)
    .select_from(table)
    .where(url.in_(bindparam("urls", expanding=True)))
    for url, table in (
        (_OTHER.c.url, _OTHER.join(schema.entry)),
        (schema.entry.c.url, schema.entry),
    )
]
_BY_NAME = [
    select(*_KNOWN)
    .where(_among("source"), schema.entry.c.hash != "", where)
    .order_by(schema.entry.c.id.desc())
    for where in (_among("guid") & _among("title"), _among("hash"))  # a guid says little alone
]


class Taken(NamedTuple):
    """What became of a poll's entries; those that are none of it were known as they are."""

    new: int = 0
    relinked: int = 0  # known, with another guid or link than before
    edited: int = 0
    shared: int = 0  # seen in this source before


def digest(entry: Entry) -> str:
    """Return the digest of what an entry says: title, summary, words of the content.

    Without `updated`, which some feeds move at every poll, and without markup, in which they
    count and sign. An edit is another digest, whatever `updated` says (reader's rule).
    """
    content = _MARKUP.sub(" ", entry.content or "").split()
    said = "\0".join((entry.title, entry.summary, " ".join(content)))
    return sha256(said.encode(errors="replace")).hexdigest()


def _names(one: Any, digest: str) -> list[_Name]:
    """Return by what an entry, or its row, is known in its source; the last is the content."""
    with_guid: list[_Name] = []
    if one.guid:
        with_guid = [(one.source, one.guid, digest)]
        if one.title and one.published:
            with_guid.append((one.source, one.guid, one.title, one.published))
    return [*with_guid, (one.source, digest, one.published)]


def take(connection: Connection, add: _Add, entries: Sequence[Entry], now: datetime) -> Taken:
    """Bring a poll's entries into the catalog, in the caller's transaction.

    Of two mentions of one entry in a poll the first counts. A known entry keeps its number,
    verdict and story file; its page is asked for at its new URL from now on, and its old ones
    lead to it, too.
    """
    digests = {entry.url: digest(entry) for entry in reversed(entries)}
    announced = list({entry.url: entry for entry in reversed(entries)}.values())[::-1]
    known = _by_url(connection, list(digests))
    named = _by_name(connection, [one for one in announced if one.url not in known], digests)
    listed = {row.id for row in known.values()}
    fresh: dict[str, Entry] = {}
    found: dict[int, tuple[Row[Any], Entry]] = {}
    moved: defaultdict[int, list[str]] = defaultdict(list)  # new URLs of known entries
    for entry in announced:
        one = known.get(entry.url) or _recognised(entry, digests[entry.url], named, listed)
        if one is None:
            fresh[entry.url] = entry
            named |= dict.fromkeys(_names(entry, digests[entry.url])[:-1], entry)
        elif not isinstance(one, Entry):
            listed.add(one.id)
            found.setdefault(one.id, (one, entry))
            if entry.url not in known:
                moved[one.id].append(entry.url)
    _insert(connection, add, list(fresh.values()), digests, now)
    relinked = edited = 0
    sightings = []
    for row, entry in found.values():
        changed: dict[str, Any] = {}
        if row.source == entry.source:
            changed = _renamed(connection, add, row, entry, moved[row.id])
            relinked += bool(changed)
        else:
            sightings.append({"entry": row.id, "source": entry.source, "seen": now})
        if not row.live:  # an archive tells it in other words than the feed: that is no edit
            changed |= {"live": True}
            changed |= {"hash": digests[entry.url]} if row.source == entry.source else {}
        elif row.source != entry.source:
            continue
        elif row.hash != digests[entry.url] and row.versions < MAX_VERSIONS:
            edited += 1
            changed |= _edited(connection, row, entry, now) | {"hash": digests[entry.url]}
        if changed:
            which = schema.entry.c.id == row.id
            connection.execute(update(schema.entry).where(which).values(changed))
    shared = len(found) - len(sightings)
    if sightings and not shared:
        shared = _seen_before(connection, sightings)
    add(connection, schema.sighting, sightings)
    return Taken(len(fresh), relinked, edited, shared)


def gather(connection: Connection, add: _Add, entries: Sequence[Entry], now: datetime) -> set[int]:
    """Bring entries of the past in, and return the numbers of all; the known ones stay as they are.

    They come in parts, in any order and more than once: so an entry is known by its URL or guid,
    and not by its content, which tells two links of one poll apart and no others.
    """
    digests = {entry.url: digest(entry) for entry in reversed(entries)}
    known = _by_url(connection, list(digests))
    new = [entry for entry in entries if entry.url not in known]
    named = _by_name(connection, new, digests)
    numbers, fresh = {row.id for row in known.values()}, dict[str, Entry]()
    for entry in new:
        names = _names(entry, digests[entry.url])[:-1]
        one = next((named[name] for name in names if name in named), None)
        if one is None:
            fresh.setdefault(entry.url, entry)
            named |= dict.fromkeys(names, entry)
        elif not isinstance(one, Entry):
            numbers.add(one.id)
    _insert(connection, add, list(fresh.values()), digests, now, live=False)
    return numbers | {row.id for row in _by_url(connection, list(fresh)).values()}


def _seen_before(connection: Connection, sightings: Sequence[Mapping[str, Any]]) -> int:
    """Return how many of these sightings are there already; they are of one source."""
    s = schema.sighting.c
    query = select(func.count()).where(s.source == sightings[0]["source"])
    chunks = _chunks([row["entry"] for row in sightings])
    return sum(connection.scalar(query.where(s.entry.in_(chunk))) or 0 for chunk in chunks)


def _recognised(
    entry: Entry, digest: str, named: Mapping[_Name, Row[Any] | Entry], listed: Set[int]
) -> Row[Any] | Entry | None:
    """Return what an entry with an unknown URL is known as, or None."""
    *with_guid, content = _names(entry, digest)
    for name in with_guid:
        if name in named:
            return named[name]
    one = named.get(content)
    if one is None or isinstance(one, Entry) or one.id in listed:
        return None  # two links in one poll are two entries
    words = len(f"{entry.title} {entry.summary} {_MARKUP.sub(' ', entry.content or '')}".split())
    to_the_second = entry.published is not None and entry.published.time() != time.min
    same_page = to_the_second and without_tokens(entry.url) == without_tokens(one.url)
    return one if words >= FEW_WORDS or same_page else None


def _by_url(connection: Connection, urls: Sequence[str]) -> dict[str, Row[Any]]:
    rows: dict[str, Row[Any]] = {}
    for chunk in _chunks(urls):
        for query in _BY_URL:
            rows |= {row.known_as: row for row in connection.execute(query, {"urls": chunk})}
    return rows


def _by_name(
    connection: Connection, entries: Sequence[Entry], digests: Mapping[str, str]
) -> dict[_Name, Row[Any] | Entry]:
    named: dict[_Name, Row[Any] | Entry] = {}
    for chunk in _chunks(entries):
        asked = {
            "source": list({one.source for one in chunk}),
            "guid": [one.guid for one in chunk if one.guid],
            "title": [one.title for one in chunk],
            "hash": [digests[one.url] for one in chunk],
        }
        for query in _BY_NAME:
            for row in connection.execute(query, asked):
                named |= dict.fromkeys(_names(row, row.hash), row)
    return named


def _insert(
    connection: Connection,
    add: _Add,
    fresh: Sequence[Entry],
    digests: Mapping[str, str],
    now: datetime,
    live: bool = True,
) -> None:
    ours = {"first_seen": now, "next_try": now, "live": live}
    rows = [{**columns(entry), "hash": digests[entry.url], **ours} for entry in fresh]
    contents = {row["url"]: html for row in rows if (html := row.pop("content"))}
    add(connection, schema.entry, rows)
    numbers = {url: row.id for url, row in _by_url(connection, list(contents)).items()}
    add(connection, schema.content, [{"entry": numbers[u], "html": h} for u, h in contents.items()])


def _renamed(
    connection: Connection, add: _Add, row: Row[Any], entry: Entry, urls: Sequence[str]
) -> dict[str, Any]:
    """Keep further URLs of an entry; return what is to change in its row, if anything."""
    guid = entry.guid or row.guid
    changed = {} if guid == row.guid and not urls else {"guid": guid}
    if entry.url in urls:  # the old link may be dead
        changed |= {"url": entry.url, "link": entry.link}
        urls = [row.url if url == entry.url else url for url in urls]
    if urls:
        other = schema.other_url
        have = select(func.count()).select_from(other).where(other.c.entry == row.id)
        room = max(0, MAX_URLS - (connection.scalar(have) or 0))
        add(connection, other, [{"url": url, "entry": row.id} for url in urls[:room]])
    return changed


def _edited(connection: Connection, row: Row[Any], entry: Entry, now: datetime) -> dict[str, Any]:
    """Keep what an entry said as a version; return what is to change in its row.

    A story that was kept, or waits to be judged, has its page fetched again.
    """
    e, v, content = schema.entry.c, schema.verdict.c, schema.content
    # locked before all else, in the order in which verdicts lock
    state = connection.scalar(select(e.state).where(e.id == row.id).with_for_update())
    before = select(e.id, e.versions + 1, literal(now), e.title, e.summary, e.updated)
    names = ["entry", "number", "until", "title", "summary", "updated"]
    connection.execute(schema.version.insert().from_select(names, before.where(e.id == row.id)))
    changed = {name: getattr(entry, name) for name in ("title", "summary", "updated")}
    changed["versions"] = row.versions + 1
    if connection.scalar(select(v.reason).where(v.entry == row.id)) not in (None, KEPT):
        return changed
    connection.execute(delete(content).where(content.c.entry == row.id))
    if entry.content:
        connection.execute(content.insert().values(entry=row.id, html=entry.content))
    if state != NEW:
        changed |= {"attempts": 0, "next_try": func.coalesce(e.next_try, now + SETTLED)}
    return changed


def _chunks(things: Sequence[_Thing]) -> Iterator[Sequence[_Thing]]:
    return (things[start : start + CHUNK] for start in range(0, len(things), CHUNK))
