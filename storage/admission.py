"""One story at a time is compared with all that were kept, and taken in if it is new."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest

from sqlalchemy import Connection, Integer, String, bindparam, delete, func, select, update

from storage import schema, sketches
from storage.answers import FETCHED
from storage.model import Fingerprint, Judgement, Story, Verdict
from storage.prepared import Prepared, inserted

_Decide = Callable[[Connection, int, Verdict, Judgement, datetime], bool]
_STORY = schema.story.c
_TAKE = Prepared(inserted(schema.story, but=("entered", "withdrawn")).values(entered=False))
_RELATE = schema.related.insert()
_TOLD = ("title", "url", "published", "date_source", "date_text", "language")
_NUMBER = Prepared(select(func.max(_STORY.number) + 1))
_BYTES = func.coalesce(_STORY.pending, _STORY.withdrawn)
_NEAREST = 3  # likely copies looked at beside those with a story's URL or very words
_URLS, _NEAR = ("url", "other_url"), tuple(f"near_{n}" for n in range(_NEAREST))
_ALIKE = Prepared(
    select(_STORY.number, _STORY.name, _BYTES, _STORY.url, _STORY.exact).where(
        _STORY.url.in_([bindparam(name, type_=String) for name in _URLS])
        | (_STORY.exact == bindparam("exact"))
        | _STORY.number.in_([bindparam(name, type_=Integer) for name in _NEAR])
    )
)


class Admission:
    """One transaction in which a story is compared with all others and perhaps taken in."""

    def __init__(self, connection: Connection, decide: _Decide) -> None:
        self._connection, self._decide = connection, decide
        self._sketch: Sequence[int] = ()  # looked up last
        self._room: list[int] = []  # hashes under which its story may be entered

    def alike(
        self, urls: Iterable[str], fingerprint: Fingerprint
    ) -> list[tuple[int, str, str, bytes | None]]:
        """Return number, name, key ("url", "exact", "near") and pending bytes of likely copies.

        Of URLs there are two at most. Each story is named once, by the first of the keys that
        found it.
        """
        near, self._room = sketches.look(self._connection, fingerprint.sketch, _NEAREST)
        self._sketch = fingerprint.sketch
        named = {url for url in urls if url}
        asked = dict(zip_longest(_URLS, named)) | dict(zip_longest(_NEAR, near))
        found = []
        for number, name, pending, url, exact in _ALIKE.rows(
            self._connection, **asked, exact=fingerprint.exact
        ):
            how = "exact" if exact == fingerprint.exact else "near"
            found.append((number, name, "url" if url in named else how, pending))
        return sorted(found, key=lambda one: (("url", "exact", "near").index(one[2]), one[0]))

    def named(self, number: int) -> str | None:
        """Return the file name of the story that has that number, if one has."""
        query = select(_STORY.name).where(_STORY.number == number)
        return self._connection.scalar(query)

    def next_number(self) -> int:
        """Return the number of the next story: one more than the highest."""
        return int(_NUMBER.rows(self._connection)[0][0] or 0)

    def take(
        self,
        number: int,
        name: str,
        story: Story,
        fingerprint: Fingerprint,
        *,
        sha256: str,
        now: datetime,
        entry: int | None = None,
        pending: bytes | None = None,
        related: Mapping[int, float] | None = None,
    ) -> None:
        """Add a story; `pending` are its file's bytes until `Catalog.settle`.

        `related` are the numbers of stories on the same event, with their likeness.
        """
        row = {
            **{key: getattr(story, key) for key in _TOLD},
            "exact": fingerprint.exact,
            "words": fingerprint.words,
        }
        ours = {"number": number, "name": name, "entry": entry, "sha256": sha256}
        _TAKE.run(self._connection, **row, **ours, added=now, pending=pending)
        if self._sketch != fingerprint.sketch:
            self._room = sketches.look(self._connection, fingerprint.sketch)[1]
        sketches.add(self._connection, number, self._room)
        if related:
            rows = [{"number": number, "other": n, "likeness": one} for n, one in related.items()]
            self._connection.execute(_RELATE, rows)

    def reopen(self, number: int) -> None:
        """Take an entry's verdict back, to give it another in the same transaction."""
        c = schema.verdict.c
        self._connection.execute(delete(schema.verdict).where(c.entry == number))
        entry = update(schema.entry).where(schema.entry.c.id == number)
        self._connection.execute(entry.values(state=FETCHED))

    def withdraw(self, number: int, data: bytes) -> None:
        """Take a story out of the corpus; its number, sketch and bytes stay, to know copies by."""
        story = update(schema.story).where(_STORY.number == number)
        self._connection.execute(story.values(withdrawn=data, pending=None))

    def restore(self, number: int) -> None:
        """Put a story that was withdrawn back; its file is pending."""
        story = update(schema.story).where(_STORY.number == number)
        self._connection.execute(story.values(pending=_STORY.withdrawn, withdrawn=None))

    def decide(self, number: int, verdict: Verdict, grounds: Judgement, now: datetime) -> bool:
        """Give the entry its verdict; False when it has one already."""
        return self._decide(self._connection, number, verdict, grounds, now)
