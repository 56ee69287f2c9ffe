"""What there is to see and what will go wrong: hosts, feeds, stories and faults of one seed."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from tests.chaos import prose

HOUR, DAY = 3600, 86400
STAY = 10 * DAY  # a story stays in its feed so long, and among the newest NEWEST anyhow
NEWEST = 8
QUIET = 4 * DAY  # at the end nothing is published and nothing fails, so that all can be had
BACKLOG = 6 * DAY  # stories that are there before the first poll
GAP = 5.0  # seconds: NEWS_HOST_GAP
DEADLINE = 1.5  # seconds: NEWS_FETCH_DEADLINE
FORBIDDEN = "127.9.9.9"  # somebody listens there; off NEWS_ALLOW_NETWORKS
ALLOWED = "127.1.0.0/16"
NOBODY = "127.1.250.1"  # allowed, and nobody listens
DNS_LIES = "poisoned.example"

# How an answer fails. Those of SLOW last until the other side gives up.
SLOW = ("hang", "slow_drip")
WIRE = (
    "reset_in_mid_body", "hang_up", "babble", "length_too_long", "bad_chunking", "status_500",
    "status_503_until_date", "status_429_seconds", "status_429_mute", "bad_gzip", "cut_gzip",
    "gzip_chain", "notice_200", "wall_200", "wall_202",
)  # fmt: skip
PAGE_WIRE = (*WIRE, "not_there_yet", "empty_page")
PAGE_FAULTS = (*PAGE_WIRE, *SLOW)
FEED_FAULTS = (
    *WIRE, "length_too_short", "truncated_feed", "html_for_feed", "empty_body", "redirect_loop",
    "redirect_to_forbidden", "huge_headers", "status_403", "status_404", "lying_etag",
    "always_304",
)  # fmt: skip
TLS_FAULTS = ("self_signed", "expired")
HOST_FAULTS = ("dns_failure", "refused", "robots_503", "robots_reset")
DESK_FAULTS = (
    "killed_in_discover", "killed_in_fetch", "killed_in_sift", "disk_full", "catalog_locked",
    "clock_ahead", "clock_behind", "clock_40_days_ahead",
)  # fmt: skip
DNS_FAULTS = ("dns_forbidden",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time in which something fails; seconds since the start."""

    start: float
    end: float
    kind: str

    def holds(self, at: float) -> bool:
        return self.start <= at < self.end


@dataclass(slots=True, kw_only=True)
class Host:
    number: int
    name: str
    address: str
    delay: int | None = None  # Crawl-delay
    private: bool = False  # /private/ is disallowed
    windows: list[Window] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Story:
    number: int
    host: int
    path: str
    published: float
    feeds: list[int]
    seed: str  # of its text: copies have one
    expected: tuple[str, ...] = ("kept",)  # verdicts that are right
    kind: str = "plain"
    group: int | None = None  # exact copies: one of a group is kept
    faults: tuple[str, ...] = ()  # of the first requests for its page
    moved_to: int = 0  # the host that its page went to, if it did
    renamed_at: float | None = None  # from then on its feed has another link to it
    edited_at: float | None = None  # from then on it and its page say more

    @property
    def moved_path(self) -> str:
        return f"/archive/{self.number}"

    @property
    def renamed_path(self) -> str:
        return f"/news/{self.number}-as-it-is-called-now"


@dataclass(slots=True, kw_only=True)
class Feed:
    number: int
    host: int
    path: str
    format: str
    secure: bool = False
    validators: str = "both"  # both, weak, odd, etag, modified, none, liar
    ttl: int | None = None
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[str, ...] = ()
    max_age: int | None = None
    new_guids_at: float | None = None  # from then on every guid is another
    moves_at: float | None = None  # from then on a 301 to moved_path on moved_host
    moved_host: int = 0
    gone_at: float | None = None  # from then on 410
    windows: list[Window] = field(default_factory=list)
    stories: list[Story] = field(default_factory=list)  # by time of publication

    @property
    def moved_path(self) -> str:
        return f"/moved{self.path}"


class World:
    """Everything, by numbers; the same for the same arguments."""

    def __init__(
        self, *, seed: int = 1, hosts: int = 40, feeds: int = 200, days: int = 30, tick: int = 4
    ) -> None:
        self.seed, self.days, self.tick = seed, days, tick * HOUR
        self.end = days * DAY
        self.last = self.end - QUIET  # of publications and faults
        self.chance = Random(seed)
        self.hosts = [self._host(n, hosts) for n in range(hosts)]
        self.by_name = {host.name: host for host in self.hosts}
        # the last hosts only have feeds: their names may resolve to where nobody may go
        self.page_hosts = hosts - max(1, hosts // 20)
        self.feeds = [self._feed(n) for n in range(feeds)]
        self.stories: list[Story] = []
        for feed in self.feeds:
            self._publish(feed)
        self._copies()
        for feed in self.feeds:
            feed.stories.sort(key=lambda story: (story.published, story.number))
        self._faults()
        self.by_path = {(s.host, s.path): s for s in self.stories}
        renamed = [s for s in self.stories if s.renamed_at is not None]
        self.by_path |= {(s.host, s.renamed_path): s for s in renamed}
        self.feed_at = {(f.host, f.path): f for f in self.feeds}
        self.feed_at |= {(f.moved_host, f.moved_path): f for f in self.feeds if f.moves_at}
        moved = [s for s in self.stories if s.kind == "moved"]
        self.by_moved_path = {(s.moved_to, s.moved_path): s for s in moved}

    # --- what there is -------------------------------------------------------------------------

    def _host(self, number: int, hosts: int) -> Host:
        special = {1: 12, 2: 45, 3: 300}  # the last one asks for more than anyone waits
        return Host(
            number=number,
            name=f"h{number:02d}.example",
            address=f"127.1.{number + 1}.1",
            delay=special.get(number),
            private=number % 4 == 0,
        )

    def _feed(self, number: int) -> Feed:
        chance = self.chance
        formats = ("rss", "atom", "rdf", "json")
        styles = ("both", "both", "weak", "odd", "etag", "modified", "none")
        feed = Feed(
            number=number,
            host=number % len(self.hosts),
            path=f"/feeds/{number}",
            format=formats[number % 7 % 4],
            validators=styles[chance.randrange(len(styles))],
            secure=number % 5 == 2 and number < len(self.hosts),  # one a host
        )
        if number % 31 == 5:
            feed.validators = "liar"
        if feed.format == "rss":
            feed.ttl = chance.choice((None, None, 30, 90, 240))
            feed.skip_hours = chance.choice(((), (), (), (0, 1, 2, 3, 4)))
            feed.skip_days = chance.choice(((), (), (), (), ("Saturday", "Sunday")))
        feed.max_age = chance.choice((None, None, 300, 7200))
        if number % 17 == 3:
            feed.new_guids_at = chance.uniform(0.3, 0.6) * self.end
        if number % 23 == 4:
            feed.moves_at = chance.uniform(0.1, 0.3) * self.end
            feed.moved_host = (feed.host + 1) % len(self.hosts)
        elif number % 29 == 6:
            feed.gone_at = chance.uniform(0.75, 0.85) * self.last
        return feed

    def _publish(self, feed: Feed) -> None:
        chance = self.chance
        mean = chance.choice((1.4, 1.8, 2.5)) * DAY
        until = self.last if feed.gone_at is None else feed.gone_at - 5 * DAY
        at = -BACKLOG + chance.random() * mean
        while at < until:
            self._story(feed, at)
            at += mean * chance.uniform(0.4, 1.6)

    def _story(self, feed: Feed, at: float) -> Story:
        chance, number = self.chance, len(self.stories)
        host = self.hosts[feed.host if feed.host < self.page_hosts else number % self.page_hosts]
        story = Story(
            number=number,
            host=host.number,
            path=f"/news/{number}",
            published=at,
            feeds=[feed.number],
            seed=f"{self.seed}:{number}",
        )
        self.stories.append(story)
        feed.stories.append(story)
        dice = chance.random()
        if dice < 0.08:  # other feeds announce it, too
            for other in chance.sample(self.feeds, min(2, len(self.feeds))):
                # whoever is gone by then, or does not exist yet, does not
                if other.number != feed.number and (other.gone_at or self.end) > at + 5 * DAY:
                    story.feeds.append(other.number)
                    other.stories.append(story)
        elif dice < 0.10 and host.private:
            story.kind, story.expected = "private", ("robots_denied",)
            story.path = f"/private/{number}"
        elif dice < 0.11:
            story.kind, story.expected = "trap", ("blocked_address",)
        elif dice < 0.13:
            story.kind, story.expected = "gone", ("gone",)
        elif dice < 0.14:
            story.kind, story.expected = "missing", ("not_found",)
        elif dice < 0.145:
            story.kind, story.expected = "pdf", ("not_html",)
        elif dice < 0.155:
            story.kind, story.expected = "short", ("too_short", "not_story", "extract_failed")
        elif dice < 0.18:
            story.kind = "moved"
        elif dice < 0.20:
            story.kind = "tracked"
        elif dice < 0.22 and feed.format != "rdf" and feed.new_guids_at is None:
            story.kind, story.renamed_at = "renamed", max(at, 0.0) + 3 * DAY
        elif dice < 0.25:  # when it has long been kept, whatever failed before
            story.kind, story.edited_at = "edited", max(at, 0.0) + 7.5 * DAY
        if host.delay and host.delay > 120:
            story.expected = ("robots_denied",)
        return story

    def _copies(self) -> None:
        """Let some stories appear again elsewhere: word for word soon, or changed a week later."""
        chance = self.chance
        plain = [s for s in self.stories if s.kind == "plain" and s.expected == ("kept",)]
        originals = chance.sample(plain, len(plain) * 6 // 100)
        free = [f for f in self.feeds if f.gone_at is None]
        for place, old in enumerate(originals):
            near = place % 2 == 0
            at = old.published + (6.5 * DAY if near else chance.uniform(0.1, 3) * DAY)
            if not 0 < at < self.last:
                continue
            feed = chance.choice(free)
            before = len(self.stories)
            copy = self._story(feed, at)
            if copy.kind != "plain" or copy.expected != ("kept",) or len(copy.feeds) > 1:
                continue  # then it is a story of its own
            assert copy.number == before
            copy.seed, copy.kind = old.seed, "near" if near else "exact"
            if near:
                copy.expected = ("duplicate_near",)
            else:
                copy.group = old.group = old.number
                copy.expected = old.expected = ("kept", "duplicate_exact")

    # --- what goes wrong -----------------------------------------------------------------------

    def _faults(self) -> None:
        chance = self.chance
        host_kinds = _turns(HOST_FAULTS)
        for host in self.hosts[: self.page_hosts]:
            for _ in range(2 if self.days > 15 else 1):
                at = chance.choice((0.0, chance.random())) * (self.last - DAY)
                host.windows.append(Window(start=at, end=at + 9 * HOUR, kind=next(host_kinds)))
        for host in self.hosts[self.page_hosts :]:
            at = chance.uniform(0.2, 0.8) * (self.last - DAY)
            host.windows.append(Window(start=at, end=at + 20 * HOUR, kind="dns_forbidden"))
        kinds, tls = _turns(FEED_FAULTS), _turns(TLS_FAULTS)
        slow_ticks = range(0, int(self.last - DAY), self.tick)[3::24]
        for number, feed in enumerate(self.feeds):
            at = chance.uniform(-1.0, 3.0) * DAY
            while at < self.last - DAY:
                long = chance.choice((6, 12, 24, 40)) * HOUR
                if at + long > self.last:
                    break
                kind = next(tls) if feed.secure and chance.random() < 0.5 else next(kinds)
                feed.windows.append(Window(start=at, end=at + long, kind=kind))
                at += long + chance.uniform(1.5, 4.5) * DAY
            if number % 3 == 0 and slow_ticks:  # all at the same few ticks: each costs seconds
                for kind in SLOW:
                    tick = chance.choice(slow_ticks)
                    window = Window(start=tick - HOUR, end=tick + HOUR, kind=kind)
                    feed.windows.append(window)
        page_kinds, slow_kinds = _turns(PAGE_WIRE), _turns(SLOW)
        slow = set(chance.sample(range(len(self.stories)), max(2, len(self.stories) // 150)))
        for story in self.stories:
            healthy = story.kind in ("plain", "exact", "near", "tracked", "moved", "edited")
            host = self.hosts[story.host]
            near = _fails_about(host, story.published)
            if story.kind == "moved":
                other = self.hosts[(story.host + 1) % self.page_hosts]
                elsewhere = not near and not _fails_about(other, story.published)
                story.moved_to = other.number if elsewhere and not other.delay else story.host
            if not healthy or near or story.published > self.last - 2 * DAY or host.delay == 300:
                continue
            if story.number in slow:
                story.faults = (next(slow_kinds),)
            elif chance.random() < 0.3:
                story.faults = tuple(next(page_kinds) for _ in range(chance.randint(1, 3)))

    def desk_faults(self) -> dict[int, str]:
        """Return what happens to us, by tick."""
        ticks = int(self.last // self.tick)
        chance, kinds = Random(self.seed + 1), _turns(DESK_FAULTS)
        chosen = sorted(chance.sample(range(1, ticks), max(len(DESK_FAULTS), ticks * 35 // 100)))
        return {tick: next(kinds) for tick in chosen}

    # --- what follows from it ------------------------------------------------------------------

    def text(self, story: Story, at: float = 0.0) -> tuple[str, list[str]]:
        """Return a story's title and paragraphs as they are at that time."""
        title, told = _prose(story.seed)
        if story.edited_at is not None and at >= story.edited_at:
            return f"{title}, at last", ["This page was changed after it was published.", *told]
        if story.kind == "near":  # an update: a sentence more, a paragraph less
            more = "A second reading of the plan is due before the week is out, we are told."
            return title, [*told[:3], more, *told[3:-1]]
        return title, told[:1] if story.kind == "short" else told


@lru_cache(maxsize=5000)
def _prose(seed: str) -> tuple[str, list[str]]:
    title, told = prose.story(seed)
    return title, told


def _fails_about(host: Host, at: float) -> bool:
    """Tell whether a host fails when a page of that time is likely to be asked for."""
    at = max(at, 0.0)
    return any(w.start - 4.5 * DAY < at < w.end for w in host.windows)


def _turns(kinds: tuple[str, ...]) -> Iterator[str]:
    while True:
        yield from kinds


def planned(world: World) -> dict[str, int]:
    """Return how often each fault is planned, by kind."""
    counts: defaultdict[str, int] = defaultdict(int)
    for thing in (*world.hosts, *world.feeds):
        for window in thing.windows:
            counts[window.kind] += 1
    for story in world.stories:
        for kind in story.faults:
            counts[kind] += 1
    for kind in world.desk_faults().values():
        counts[kind] += 1
    return dict(counts)
