"""A year in one evening: 400 feeds, 150,000 entries, 15,000 stories, on a clock of our own.

    python -m benchmarks.year [--full | --quick] [--json FILE]

A desk polls twice a day for twelve months of thirty days, after a fortnight in which it gets
to know its feeds. The network is an object in this process: a feed gives its 20 newest entries, or
304; a page is 40 kB of its site's own and a story, one in ten on the topic, one in thirty a copy
of a story elsewhere. All else is real: topic, catalog, archive, children that read pages. After
nine months the shelves are copied; from then on the one desk prunes each month and the other does
not, and in the end both are compared, verdict by verdict. `--full` takes all 400 feeds, without it
every 50th is taken, in months of fifteen days, by `--quick` every hundredth, in months of three.

CPU is of this process and its children, the making of pages left out.
"""

import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache, lru_cache
from pathlib import Path
from random import Random
from typing import Any, cast
from urllib.parse import urlsplit

import structlog
from sqlalchemy import create_engine, text

from benchmarks.frame import Result, arguments
from ingest import reading, runs
from ingest.desk import Desk
from ingest.settings import read
from ingest.web.client import Web
from ingest.workers import Workers
from storage.model import Page
from tests.chaos import prose
from tests.home import Clock, Home

START, DAY = datetime(2026, 1, 5, tzinfo=UTC), timedelta(days=1)
MONTHS, MONTH, FORTNIGHT = 12, 30, 14  # days
TWIN = 9  # the month after which the shelves are copied
A_DAY = 2  # polls
FEEDS, HOSTS, SHOWN = 400, 200, 20  # entries that a feed shows
# How many feeds of 100 give how many entries a day: 408 a day from 400.
RATES = ((2, 20.0), (23, 2.0), (75, 0.213))
TOPIC = Path("topics/health-social-care-integration.toml")
VERBS = {"discover": runs.discover, "fetch": runs.fetch, "sift": runs.sift}
JOINED = (
    "The council and the health board of {place} will run health and social care as one, {why}.",
    "One integrated team of nurses and social workers will call on patients in {place} {when}.",
    "{person}, {role}, said health and social care had been pulled apart in {place} for {n} years.",
    "The NHS and the council of {place} will pool {n} million pounds for joined up care at home.",
    "An integration joint board of {m} members decides how {place} spends it, {person} said.",
    "Integrated care cut delayed discharges from the hospital at {place} by {n} in a hundred.",
    "The health and social care partnership of {place} was {feel} {when}, {why}.",
    "Community nurses, home care and social work in {place} get one director {when}.",
)


def told(seed: str, on_topic: bool, near: bool) -> tuple[str, list[str]]:
    """Return a title and paragraphs; `near` ones only name a health board."""
    title, paragraphs = prose.story(seed, 16)
    if not on_topic:
        if near:
            return title, [*paragraphs, "A nurse of the health board and the NHS looked on."]
        return title, [one.replace("health board", "harbour board") for one in paragraphs]
    chance = Random(seed)
    pick = chance.choice
    sentences = [
        one.format(
            place=pick(prose.PLACES), person=pick(prose.PEOPLE), role=pick(prose.ROLES),
            when=pick(prose.WHEN), why=pick(prose.WHY), feel=pick(prose.FEEL),
            n=chance.randrange(11, 98), m=chance.randrange(3, 96),
        )
        for one in chance.sample(JOINED, 6)
    ]  # fmt: skip
    title = f"Health and social care join in {pick(prose.PLACES)}: {title[:40].lower()}"
    return title, [" ".join(sentences[:3]), *paragraphs[:5], " ".join(sentences[3:])]


@dataclass
class Internet:
    """What stands for the Web: the same for the same moment, whoever asks."""

    feeds: int
    clock: Clock
    asked: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0  # of CPU, spent on making what is shown
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @staticmethod
    def rate(feed: int) -> float:
        """Return how many entries a feed gives a day."""
        place = feed * 37 % 100  # so that any part of the feeds is like the whole
        for share, rate in RATES:
            if place < share:
                return rate
            place -= share
        raise AssertionError

    def url(self, feed: int) -> str:
        """Return where a feed is."""
        return f"http://h{feed % HOSTS}.example/feed/{feed}"

    def count(self, feed: int, now: datetime) -> int:
        """Return how many entries a feed has given by then."""
        return int((now - START) / DAY * self.rate(feed) + feed % 7 / 7)

    def appeared(self, feed: int, number: int) -> datetime:
        """Return when an entry appears."""
        return START + DAY * ((number + 1 - feed % 7 / 7) / self.rate(feed))

    def get(self, url: str, *, etag: str | None = None, may_ask: Any = None, **_: Any) -> Page:
        """Answer as Web.get does."""
        with may_ask(url) as heard:
            began = time.thread_time()
            page = self._shown(url, etag)
            heard(page)
            with self._lock:
                self.seconds += time.thread_time() - began
        return page

    def _shown(self, url: str, etag: str | None) -> Page:
        kind, *numbers = urlsplit(url).path.strip("/").split("/")
        self.asked[kind] += 1
        status, headers, content = 200, (("Content-Type", "text/html; charset=utf-8"),), b""
        if kind == "robots.txt":
            content = b"User-agent: *\nAllow: /\n"
        elif kind == "feed":
            feed = int(numbers[0])
            count = self.count(feed, self.clock.now())
            headers = (("Content-Type", "application/rss+xml"), ("ETag", f'"{count}"'))
            status = 304 if etag == f'"{count}"' else 200
            content = b"" if status == 304 else self._feed(feed, count)
        else:
            content = self._page(int(numbers[0]), int(numbers[1]))
        return Page(
            url=url, final_url=url, status=status, headers=headers, payload=content,
            content=content, fetched=self.clock.now(), hops=(url,),
        )  # fmt: skip

    def _feed(self, feed: int, count: int) -> bytes:
        items = "".join(
            f"<item><title>{self.story(feed, n)[0]}</title>"
            f"<link>http://h{feed % HOSTS}.example/story/{feed}/{n}</link><guid>{feed}-{n}</guid>"
            f"<pubDate>{format_datetime(self.appeared(feed, n), usegmt=True)}</pubDate></item>"
            for n in range(max(0, count - SHOWN), count)
        )
        shown = f'<rss version="2.0"><channel><title>Feed {feed}</title>{items}</channel></rss>'
        return shown.encode()

    def kind(self, feed: int, number: int) -> str:
        """Return topic, copy, near or other."""
        dice = Random(f"{feed}:{number}").random()
        return next(k for k, most in KINDS if dice < most)

    def original(self, feed: int, number: int) -> tuple[int, int] | None:
        """Return the story on the topic, in another feed, that this one copies."""
        other = (feed + 1) % self.feeds
        last = self.count(other, self.appeared(feed, number)) - 1
        found = (n for n in range(last, max(-1, last - 60), -1) if self.kind(other, n) == "topic")
        return next(((other, n) for n in found), None)

    def story(self, feed: int, number: int) -> tuple[str, list[str]]:
        """Return an entry's title and paragraphs."""
        return _story(self, feed, number)

    def _page(self, feed: int, number: int) -> bytes:
        title, paragraphs = self.story(feed, number)
        body = "".join(f"<p>{one}</p>" for one in paragraphs)
        site = feed % HOSTS
        return (
            f"<!doctype html><html lang=en><head><title>{title}</title>"
            f"<script>{chrome(site)}</script></head><body><nav>News of site {site}</nav>"
            f"<article><h1>{title}</h1>{body}</article></body></html>"
        ).encode()

    def __hash__(self) -> int:
        return id(self)


KINDS = (("topic", 0.1), ("copy", 0.13), ("near", 0.25), ("other", 1.0))


@lru_cache(20_000)
def _story(net: Internet, feed: int, number: int) -> tuple[str, list[str]]:
    kind, seed = net.kind(feed, number), f"{feed}:{number}"
    if kind == "copy":
        copied = net.original(feed, number)
        if copied:
            title, paragraphs = net.story(*copied)
            return title, paragraphs[:-1] if number % 2 else [*paragraphs, "It was read out twice."]
    return told(seed, kind == "topic", kind == "near")


@cache
def chrome(site: int) -> str:
    """Return 40 kB of a site's own, that pack as menus and scripts do."""
    chance, words = Random(site), []
    while sum(map(len, words)) < 36_000:
        words += [f"{chance.choice(prose.THINGS)}{chance.randrange(999)}" for _ in range(100)]
    return f'var site{site}="{" ".join(words)}"'


def cpu(pid: int | str = "self") -> float:
    """Return the CPU seconds of a process, and of its children that run."""
    proc, tick = Path("/proc") / str(pid), os.sysconf("SC_CLK_TCK")
    own = sum(map(int, (proc / "stat").read_text().rpartition(")")[2].split()[11:13])) / tick
    tasks = ((task / "children").read_text().split() for task in (proc / "task").iterdir())
    return own + sum(cpu(child) for children in tasks for child in children)


@dataclass
class Year:
    """One desk on its way through the year."""

    home: Home
    net: Internet
    clock: Clock
    readers: Workers[reading.Reading]

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """Open a desk at this moment, on this network."""
        with Desk(
            read(self.home.news), now=self.clock.now, sleep=self.clock.sleep, readers=self.readers
        ) as desk:
            vars(desk)["web"] = cast(Web, self.net)
            yield desk

    def poll(self) -> Counter[str]:
        """Discover, fetch, sift, as tasks of their own; return the CPU milliseconds of each."""
        took = Counter[str]()
        for verb, run in VERBS.items():
            began, made = cpu(), self.net.seconds
            with self.desk() as desk:
                run.__wrapped__(desk)  # type: ignore[attr-defined]  # with its own desk, by the clock
            took[verb] = round(1000 * (cpu() - began - self.net.seconds + made))
        return took

    def days(self, days: int) -> Counter[str]:
        """Poll for some days; return the CPU milliseconds of each verb."""
        took = Counter[str]()
        for _ in range(days * A_DAY):
            took += self.poll()
            self.clock.time += DAY / A_DAY
        return took

    def idle(self) -> int:
        """Poll five minutes after the last one, with nothing due; return the CPU milliseconds."""
        since = DAY / A_DAY - timedelta(minutes=5)
        self.clock.time -= since
        took = self.poll().total()
        self.clock.time += since
        return took

    def sizes(self) -> dict[str, float]:
        """Return entries, stories, and the MB of each shelf."""
        with self.desk() as desk:
            return {
                "entries": desk.catalog.entries_seen(),
                "kept": desk.catalog.stories_kept(),
                "catalog": desk.catalog.bytes()["catalog"] / 1e6,
                "archive": sum(size for _, size, _ in desk.archive.files()) / 1e6,
                "corpus": sum(file.stat().st_size for file in self.home.corpus.iterdir()) / 1e6,
            }

    def prune(self, older_than: int) -> dict[str, float]:
        """Prune; return what went, and the CPU seconds it took."""
        for file in (self.home.corpus.parent / "archive").iterdir():  # changed when it was begun
            when = datetime.strptime(file.name[9:23], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            os.utime(file, (when.timestamp(),) * 2)
        self.clock.time += timedelta(minutes=1)
        began = cpu()
        with self.desk() as desk:
            done = runs._pruned.__wrapped__(desk, older_than)  # type: ignore[attr-defined]
        self.clock.time -= timedelta(minutes=1)  # so that both desks poll in the same moments
        return {**done, "seconds": cpu() - began}

    def verdicts(self) -> dict[str, tuple[Any, ...]]:
        """Return by URL all that each entry's verdict says and rests on."""
        engine = create_engine(self.home.news["NEWS_CATALOG"])
        query = (
            "SELECT e.url, v.reason, v.evidence, v.like, v.kind, v.score, v.points, v.removed,"
            " v.words, v.canonical, v.published, s.number, s.name, s.sha256 FROM entry e"
            " LEFT JOIN verdict v ON v.entry = e.id LEFT JOIN story s ON s.entry = e.id"
        )
        with engine.connect() as connection:
            found = {row[0]: tuple(row[1:]) for row in connection.execute(text(query))}
        engine.dispose()
        return found

    def twin(self, folder: Path) -> "Year":
        """Return the same desk once more, on shelves of its own."""
        home = Home(folder, self.home.feeds, **SETTINGS)
        shutil.copytree(self.home.corpus.parent, folder, dirs_exist_ok=True)
        clock = Clock(self.clock.time)
        return Year(home, Internet(self.net.feeds, clock), clock, self.readers)


SETTINGS = {"NEWS_TOPIC": str(TOPIC.resolve())}


def year(folder: Path, feeds: int, days: int, result: Result) -> None:
    """Live through twelve months of so many days and hand in what it took."""
    clock = Clock(START)
    net = Internet(feeds, clock)
    urls = [net.url(feed) for feed in range(feeds)]
    rows, twins, pruned = list[list[Any]](), list[float](), list[list[Any]]()
    with Workers(reading.read, reading.nothing_read) as readers:
        one = Year(Home(folder / "one", urls, **SETTINGS), net, clock, readers)
        one.days(FORTNIGHT)
        other = one
        for month in range(1, MONTHS + 1):
            took, seen = one.days(days), one.sizes()
            if other is not one:
                other.days(days)
                other.idle()
            polls, before = days * A_DAY, rows[-1][1] if rows else 0
            new = int(seen["entries"]) - before
            idle = one.idle()
            rows.append([
                month, int(seen["entries"]), int(seen["kept"]), seen["catalog"], seen["archive"],
                seen["corpus"], took.total() / polls, *(took[verb] / polls for verb in VERBS),
                took.total() / max(new, 1) if before else None, idle,
            ])  # fmt: skip
            print("month", *(f"{x:.3g}" for x in rows[-1] if x is not None), flush=True)
            if month == TWIN:
                other = one.twin(folder / "other")
            if month >= TWIN:
                whole = other.sizes()["archive"]
                done = other.prune(3 * days)
                left = other.sizes()["archive"]
                pruned.append([
                    month, whole, left, done["pages"], done["files"], done["moved"],
                    done["seconds"],
                ])  # fmt: skip
            twins.append(other.sizes()["archive"])
        ours, theirs = one.verdicts(), other.verdicts()
        files = one.home.files() == other.home.files()
        with other.desk() as desk:
            damage = runs.verify.__wrapped__(desk)  # type: ignore[attr-defined]
    differ = sum(ours[url] != theirs.get(url) for url in ours)
    hand_in(result, feeds, days, rows, twins, pruned)
    since = rows[-1][1] - rows[TWIN - 1][1]
    result.aim(
        f"after nine months' pages went, {since:,} later entries have the verdicts, and the corpus "
        "the files, of the desk that never prunes",
        f"{differ} of {len(ours):,} verdicts differ, corpus {'equal' if files else 'NOT equal'}, "
        f"{len(damage)} differences between shelves",
        not differ and files and len(ours) == len(theirs) and not damage,
    )


def hand_in(
    result: Result,
    feeds: int,
    days: int,
    rows: list[list[Any]],
    twins: list[float],
    pruned: list[list[Any]],
) -> None:
    """Put down the tables, the growth of a poll, and the plots."""
    columns = (
        "month", "entries", "stories", "catalog MB", "archive MB", "corpus MB", "CPU ms a poll",
        *(f"of it {verb}" for verb in VERBS), "CPU ms a new entry", "CPU ms of an idle poll",
    )  # fmt: skip
    result.table(
        f"{feeds} feeds, {days} days a month, {A_DAY} polls a day; pages of 40 kB", columns, rows
    )
    columns = (
        "after month", "archive MB before", "after", "pages", "files", "pages moved", "CPU s",
    )  # fmt: skip
    result.table(
        "`newsdesk prune` of what is older than three months, each month from the ninth on",
        columns,
        pruned,
    )
    first, last = rows[0], rows[-1]
    result.aim(
        "CPU of a poll in month 12 beside month 1: at most 1.2",
        f"{last[6] / first[6]:.2f} ({first[6]:.0f} and {last[6]:.0f} ms)",
        last[6] <= 1.2 * first[6],
    )
    months = [row[0] for row in rows]
    result.plot(
        "CPU milliseconds of a poll, by month", "line", months,
        {verb: [row[7 + n] for row in rows] for n, verb in enumerate(VERBS)},
    )  # fmt: skip
    result.plot(
        "MB on disk, by month", "line", months,
        {
            "archive": [row[4] for row in rows], "archive, pruned": list(twins),
            "catalog": [row[3] for row in rows], "corpus": [row[5] for row in rows],
        },
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Live through a year of 4, 8 or 400 feeds."""
    parser = arguments(__doc__)
    parser.add_argument("--full", action="store_true", help="all 400 feeds, 40 minutes")
    asked = parser.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    feeds = FEEDS if asked.full else FEEDS // 100 if asked.quick else FEEDS // 50
    result = Result("A year in one evening")
    with tempfile.TemporaryDirectory(prefix="newsdesk-year-") as folder:
        days = MONTH if asked.full else MONTH // 10 if asked.quick else MONTH // 2
        year(Path(folder), feeds, days, result)
    result.hand_in(asked.json)


if __name__ == "__main__":
    main()
