"""The nouns that pass between verbs and shelves; all frozen, none does I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from typing import Any

KEPT = "kept"


def columns(noun: Any) -> dict[str, Any]:  # Any: each noun has its own fields
    """Return a noun's fields by name, as they are: dataclasses.asdict takes 10 times as long."""
    return {one.name: getattr(noun, one.name) for one in fields(noun)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One source as a person wrote it down in the feeds file."""

    url: str
    title: str
    nation: str = "uk"  # uk, england, scotland, wales, northern-ireland, international
    kind: str = "press"
    enabled: bool = True
    note: str = ""
    via: str = "feed"  # feed, listing (a page for people) or sitemap
    item: str = ""  # a listing's CSS selector of its items, or of their links
    date: str = ""  # a listing's CSS selector of the date within an item
    within: str = ""  # where stories are: the beginning of their path or URL, "*" for anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What a feed and its server say about when to ask again; what made no sense is left out."""

    ttl: timedelta | None = None  # RSS 2.0: may be kept that long
    update_every: timedelta | None = None  # sy:updatePeriod over sy:updateFrequency
    fresh: timedelta | None = None  # the server's Cache-Control or Expires, less Age
    skip_hours: frozenset[int] = frozenset()  # 0 to 23, in GMT
    skip_days: frozenset[int] = frozenset()  # Monday is 0, in GMT


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """What we remember of a feed between two polls."""

    url: str  # as in the feeds file; what the feed is known by, wherever it is asked
    address: str | None = None  # where it is asked since it moved for good
    moved_to: str | None = None  # where it seems to have moved to, not yet for good
    moved_since: datetime | None = None  # first seen there
    etag: str | None = None  # as received, byte for byte
    last_modified: str | None = None  # as received, byte for byte
    answered_at: str | None = None  # the URL that gave them, after redirects
    digest: str | None = None  # SHA-256 of the last decoded body, hex
    whole: datetime | None = None  # when a whole body last came
    distrusted: bool = False  # it said "not modified" when it was
    made_by: str = ""  # the parser and the topic that read the body
    timing: Timing = field(default_factory=Timing)
    usual_gap: timedelta | None = None  # between its entries
    newest: datetime | None = None  # when its newest entry appeared
    span: timedelta | None = None  # from its oldest entry to its newest; None: too few, undated
    overrun_at: datetime | None = None  # when it last shared no entry with the poll before
    missed_since: datetime | None = None  # from when on entries were missed then
    polled: datetime | None = None
    next_poll: datetime | None = None
    reason: str = ""  # why then: a code and figures, see ingest.schedule
    outcome: str = "never_polled"
    detail: str = ""
    failures: int = 0  # in a row
    past: Sequence[tuple[str, str, int]] = ()  # the last polls: when (ISO 8601), outcome, new


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What all workers together remember of a host; moments are aware UTC."""

    holder: str | None = None  # whose turn it is
    until: datetime | None = None  # the end of the latest request; the lease's, while one is held
    delay: float = 0.0  # seconds: the Crawl-delay that robots.txt last asked of us
    rest_until: datetime | None = None  # as a 429 asked
    refusals: int = 0  # answers of 429, less one for each other answer since
    live_until: datetime | None = None  # until then backfill makes way


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item announced by a source; its page is not fetched yet."""

    url: str  # canonical: see ingest.urls.canonical
    link: str  # as announced, made absolute
    title: str
    source: str  # the URL of the feed that announced it
    guid: str | None = None
    published: datetime | None = None  # aware, UTC; None when the source gave none
    updated: datetime | None = None  # aware, UTC
    summary: str = ""  # plain text
    content: str | None = None  # HTML, when the source gave more than a few lines; never trusted
    date_source: str = "feed"  # or "listing": where `published` and `updated` come from
    date_text: str = ""  # what the source wrote for `published`


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Days of a source, walked through by one way into its past, and how far that has come."""

    source: str
    way: str
    since: date
    until: date  # half open
    id: int = 0  # 0: not in the catalog yet
    state: str = "planned"  # planned, running, done, partial, or split into two others
    reason: str = ""  # why it is so
    cursor: str = ""  # where the walk goes on; "" at the beginning
    passes: int = 0  # that came to their end
    steps: int = 0  # of this pass
    fresh: int = 0  # entries that this pass found first
    total: int | None = None  # entries there are, as said in all of this pass; -1: it changed
    ended: datetime | None = None
    found: int = 0  # entries; read only


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One response as it came."""

    url: str  # as asked
    final_url: str  # the one that answered, after redirects
    status: int  # 0: no answer of a site, made of what its feed holds
    headers: tuple[tuple[str, str], ...]  # as received, in order
    payload: bytes  # as received, the content coding still on
    content: bytes  # decoded; the same object when no coding was used
    fetched: datetime  # aware, UTC
    hops: tuple[str, ...] = ()  # every URL asked on the way, the first included
    moved: str | None = None  # where an unbroken chain of 301 and 308 led, from the first URL

    def header(self, name: str) -> str | None:
        """Return the first header of that name, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page lies in the archive."""

    file: str  # relative to the archive's folder
    offset: int  # bytes
    length: int  # bytes, compressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """A page that lies in the archive."""

    page: Page  # its bytes are not needed any more
    place: Place
    sha256: str  # of its content
    marks: bytes = b""  # of its lines: see ingest.furniture


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An entry on its way, with what the next verb needs of it."""

    id: int
    entry: Entry
    attempts: int = 0  # how often its page was asked for
    first_seen: datetime | None = None  # aware, UTC
    live: bool = True  # a poll saw it; else its source's past alone
    in_feed: bool = False  # a text came with it in its feed; told of those to be fetched
    place: Place | None = None  # where its page lies, once fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class InFeed:
    """The text that came with an entry in its feed, and how far that feed is to be trusted."""

    content: str  # HTML
    shares: tuple[float, ...]  # of its last pages' words that the feed held, 0.0 to 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The clean text of one page.

    Two stories are equal when their words are: what is said *about* the text (where it
    was, when it appeared) lies in the catalog and does not take part.
    """

    title: str  # one line
    text: str  # paragraphs parted by one blank line, as the corpus file has them; no title
    url: str = field(default="", compare=False)  # canonical
    published: date | None = field(default=None, compare=False)
    date_source: str = field(default="", compare=False)
    date_text: str = field(default="", compare=False)  # as it stood there
    language: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What finds a story's copies: an exact digest and a winnowed sketch."""

    exact: bytes  # digest of the normal form
    sketch: tuple[int, ...]  # distinct winnowed hashes, signed 64-bit
    words: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookalike:
    """A kept story that may be the same as the one being judged."""

    number: int
    name: str  # its file in the corpus
    how: str  # "url", "exact" or "near": by which key it was found
    story: Story


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict's grounds, kept so that it can be read, repeated and questioned."""

    score: float | None = None  # topic, 0.0 to 1.0; None when it was not asked
    points: tuple[tuple[str, str, str, float], ...] = ()  # rule, zone, words found, points
    removed: tuple[tuple[str, str], ...] = ()  # furniture: rule, line
    words: int | None = None  # of the text; None when the page gave none
    like: int | None = None  # the number of the kept story it copies
    kind: str = ""  # of copy: exact, reissue, abridged, updated or reprint
    extractor: str = ""
    topic: str = ""  # digest of the topic file
    canonical: str = ""  # the page's canonical link, where it was believed
    published: date | None = None  # the day by which it was judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What became of a page the last time somebody looked at it."""

    url: str
    reason: str  # the verdict's, or else how the last try to fetch it ended
    at: datetime  # aware, UTC
    words: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person said of an entry's verdict; it outranks the rules from then on."""

    what: str  # accept, refuse, not_a_copy, copy_of, wrong_text
    entry: int
    by: str
    why: str
    at: datetime
    was: str  # the verdict's reason at that time
    story: str  # what was decided on, in the form of a corpus file
    like: int | None = None  # the number of the kept story it does or does not copy
    beside: str = ""  # that story


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one entry: kept, or the reason why not, and the evidence for it."""

    reason: str
    evidence: str = ""

    @property
    def keep(self) -> bool:
        """Tell whether the story goes into the corpus."""
        return self.reason == KEPT
