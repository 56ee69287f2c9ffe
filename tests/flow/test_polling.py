"""Feeds polled over simulated weeks: spacing, validators, moves and ends; nothing is lost."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import pytest

from ingest.desk import Desk
from ingest.discover import discover
from ingest.errors import RunFailed
from ingest.schedule import FLOOR
from storage.model import FeedState
from tests.builders import NOON  # a Monday
from tests.home import Clock, Home, rss
from tests.newssite import NewsSite, Reply

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TICK = 15 * MINUTE  # of dags/poll.py


def http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def gaps(times: Iterable[datetime]) -> list[timedelta]:
    return [later - earlier for earlier, later in pairwise(times)]


@pytest.fixture
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


@dataclass
class Asked:
    """One request for the feed, as it came, at simulated time."""

    at: datetime
    path: str
    etag: str | None
    last_modified: str | None


@dataclass
class World:
    """A feed on a site, the clock, and every request for it."""

    site: NewsSite
    home: Home
    clock: Clock = field(default_factory=Clock)
    asked: list[Asked] = field(default_factory=list)
    seen: int = 0
    stories: set[int] = field(default_factory=set)  # all that the feed ever had

    @property
    def url(self) -> str:
        return self.site.url("/feed")

    def show(
        self,
        gap: timedelta,
        extra: str = "",
        path: str = "/feed",
        keep: int = 10,
        **reply: object,
    ) -> None:
        """Show the feed as it is at this moment: an entry every gap, the last ones of them."""
        last = int((self.clock.time - NOON) / gap)
        numbers = range(max(last - keep, -keep), last + 1)
        self.stories |= set(range(min(self.stories, default=numbers[0]), last + 1))
        body = rss(
            ((self.site.url(f"/{n}"), f"Story {n}") for n in reversed(numbers)),
            lambda place: http_date(NOON + gap * (last - place)),
        ).replace("<title>Feed</title>", f"<title>Feed</title>{extra}")
        reply = {"content_type": "text/xml", "modified": http_date(NOON + gap * last), **reply}
        self.site.publish(path, body, **reply)

    def poll(self) -> dict[str, int]:
        with self.home.desk(self.clock) as desk:  # opened anew: every poll is a restart
            return self._polled(desk)

    def _polled(self, desk: Desk) -> dict[str, int]:
        at = self.clock.time
        try:
            return discover(desk)
        except RunFailed:
            return {"feeds": 1}
        finally:
            for one in self.site.asked[self.seen :]:
                tag, since = one.headers.get("if-none-match"), one.headers.get("if-modified-since")
                self.asked.append(Asked(at, one.path, tag, since))
            self.seen = len(self.site.asked)

    def live(self, length: timedelta, change: Callable[[], object] = lambda: None) -> None:
        """Poll at every tick at which the feed is due; `change` the site before each poll.

        At the other ticks nothing is asked (a test of its own), so that they are passed over.
        Every third day is a restart.
        """
        end = self.clock.time + length
        while self.clock.time < end:
            with self.home.desk(self.clock) as desk:
                for tick in self._due(desk, min(end, self.clock.time + 3 * DAY)):
                    change()
                    self._polled(desk)
                    self.clock.time = tick + TICK

    def _due(self, desk: Desk, end: datetime) -> Iterator[datetime]:
        while self.clock.time < end:
            due = self.state(desk) if self.asked else FeedState(url=self.url)
            wait = (due.next_poll or self.clock.time) - self.clock.time
            if due.outcome == "gone":
                wait = TICK  # that it is not asked is for discover to say
            self.clock.time += max(0, -(-wait // TICK)) * TICK
            if self.clock.time < end:
                yield self.clock.time

    def state(self, desk: Desk | None = None) -> FeedState:
        if desk:
            return desk.catalog.feed_states()[self.url]
        with self.home.desk(self.clock) as desk:
            return desk.catalog.feed_states()[self.url]

    def lost(self) -> int:
        """Return how many stories were shown, if only between two polls, and never seen."""
        with self.home.desk(self.clock) as desk:
            return len(self.stories) - desk.catalog.entries_seen()

    def gaps(self) -> list[timedelta]:
        return gaps(one.at for one in self.asked)


@pytest.fixture
def world(site: NewsSite, tmp_path: Path) -> World:
    return World(site, Home(tmp_path, [site.url("/feed")]))


@pytest.mark.parametrize(
    ("length", "gap", "extra", "headers", "most", "least"),
    [
        (28 * DAY, 7 * DAY, "", {}, 60, FLOOR),
        (3 * DAY, HOUR, "", {"Expires": "0"}, 3 * 24, FLOOR),
        (3 * DAY, HOUR, "<ttl>180</ttl>", {}, 3 * 8, 3 * HOUR),
        (3 * DAY, HOUR, "", {"Cache-Control": "max-age=9000", "Age": "1800"}, 3 * 12, 2 * HOUR),
    ],
    ids=["weekly", "hourly", "ttl", "cache"],
)
def test_nothing_is_lost_and_no_request_comes_too_soon_or_a_day_late(
    world: World,
    length: timedelta,
    gap: timedelta,
    extra: str,
    headers: dict[str, str],
    most: int,
    least: timedelta,
) -> None:
    world.live(length, lambda: world.show(gap, extra, headers=headers))

    assert world.lost() == 0
    assert length // DAY <= len(world.asked) <= most
    assert min(world.gaps()) >= least
    assert max(world.gaps()) <= DAY + TICK


def test_a_feed_that_says_it_moves_fast_is_asked_every_ten_minutes_or_so(world: World) -> None:
    world.live(6 * HOUR, lambda: world.show(10 * MINUTE, "<ttl>5</ttl>", keep=6))

    assert world.lost() == 0
    assert set(world.gaps()) <= {TICK}


def test_no_request_falls_into_hours_and_days_that_the_feed_skips(world: World) -> None:
    skips = "<skipHours>" + "".join(f"<hour>{hour}</hour>" for hour in range(7)) + "</skipHours>"
    skips += "<skipDays><day>Saturday</day><day>Sunday</day></skipDays>"

    world.live(8 * DAY, lambda: world.show(3 * HOUR, skips, keep=30))

    later = [one.at for one in world.asked]
    assert {moment.hour for moment in later} <= set(range(7, 24))
    assert {moment.weekday() for moment in later} == set(range(5))
    assert world.lost() == 0


def test_both_validators_go_back_as_they_came_until_a_whole_answer_brings_others(
    world: World,
) -> None:
    odd, date = 'W/"odd \'one"', "Someday, 32 Foo 2026 25:61 BST"
    feed = rss([("http://a.example/1", "A")])
    world.site.script(
        "/feed",
        Reply(body=feed, etag=odd, modified=date),
        Reply(status=304),
        Reply(status=503),
        Reply(status=304, etag='"new"'),
        Reply(body=feed + " ", etag="", modified=""),
        Reply(body=feed + "  ", etag="", modified="then"),
        Reply(status=304),
    )

    world.live(2 * DAY)

    sent = [(one.etag, one.last_modified) for one in world.asked][:7]
    assert sent == [
        (None, None), (odd, date), (odd, date), (odd, date), ('"new"', date), (None, None),
        (None, "then"),
    ]  # fmt: skip


def test_a_feed_that_says_not_modified_when_it_was_is_found_out(world: World) -> None:
    """An entry every three hours, twenty of them shown, one ETag and date for ever."""
    world.live(5 * DAY, lambda: world.show(3 * HOUR, keep=20, etag='"1"', modified="same"))

    unconditional = [one.at for one in world.asked if one.etag is None]
    assert unconditional[1] - unconditional[0] >= DAY
    assert world.state().distrusted
    assert world.lost() == 0


def test_an_honest_quiet_feed_is_asked_without_validators_once_a_week(world: World) -> None:
    world.show(30 * DAY)

    world.live(28 * DAY)

    whole = [one.at for one in world.asked if one.etag is None]
    assert [gap >= 7 * DAY for gap in gaps(whole)] == [True] * 3
    assert not world.state().distrusted
    assert len(world.asked) >= 27


def test_another_topic_reads_the_same_body_anew(world: World, tmp_path: Path) -> None:
    world.show(DAY)
    world.poll()
    topic = tmp_path / "other.toml"
    topic.write_text(Path(world.home.news["NEWS_TOPIC"]).read_text() + "\n# another\n")
    world.home.news["NEWS_TOPIC"] = str(topic)
    world.clock.time += 2 * DAY

    counts = world.poll()

    assert world.asked[-1].etag is None
    assert counts["nothing_new"] == 1


@pytest.mark.parametrize(
    ("value", "first_wait"),
    [
        ("0", 30 * MINUTE),
        ("120", 30 * MINUTE),
        ("10800", 3 * HOUR),
        ("date", 5 * HOUR),
        ("999999", 24 * HOUR),
    ],
)
def test_retry_after_is_waited_for_and_a_feed_recovers_by_itself(
    world: World, value: str, first_wait: timedelta
) -> None:
    world.show(2 * HOUR)
    good = world.site.shown("/feed")
    assert isinstance(good, Reply)
    asked = http_date(datetime.now(UTC) + first_wait) if value == "date" else value
    busy = Reply(status=503, headers={"Retry-After": asked})
    world.site.script("/feed", busy, good)

    world.live(2 * DAY)

    assert first_wait <= world.gaps()[0] <= first_wait * 1.1 + TICK
    assert world.state().failures == 0
    assert min(world.gaps()[1:]) >= FLOOR


def test_a_week_of_failures_is_asked_through_ever_less_often_and_nothing_is_lost(
    world: World,
) -> None:
    def change() -> None:
        if DAY <= world.clock.time - NOON < 8 * DAY:
            world.site.publish("/feed", "", status=503)
        else:
            world.show(12 * HOUR, keep=20)

    world.live(14 * DAY, change)

    failing = [one.at for one in world.asked if DAY <= one.at - NOON < 8 * DAY]
    waits = gaps(failing)
    assert waits[0] < HOUR
    assert waits == sorted(waits, key=lambda wait: wait // (30 * MINUTE))
    assert max(waits) <= DAY + TICK
    assert world.lost() == 0
    assert world.state().failures == 0


@pytest.mark.parametrize("status", [301, 308])
def test_a_move_counts_after_a_week_and_the_old_url_stays_the_feeds_name(
    world: World, status: int
) -> None:
    world.site.redirect("/feed", world.site.url("/new"), status)
    states: list[FeedState] = []

    def change() -> None:
        world.show(12 * HOUR, path="/new")
        if world.asked:
            states.append(world.state())

    world.live(9 * DAY, change)

    old = [one.at for one in world.asked if one.path == "/feed"]
    stored = next(state for state in states if state.address)
    assert old[-1] - old[0] >= 7 * DAY
    assert world.asked[-1].at - old[-1] > DAY
    assert states[0].moved_to == stored.address == world.site.url("/new")
    assert world.state().url == world.site.url("/feed")
    assert world.lost() == 0


@pytest.mark.parametrize(
    ("status", "target"),
    [(302, "feed"), (307, "feed"), (301, "page"), (301, "late")],
)
def test_what_is_no_move_for_good_to_a_feed_is_not_one(
    world: World, status: int, target: str
) -> None:
    world.site.redirect("/feed", world.site.url("/new"), status)
    if target == "page":
        world.site.publish("/new", "<html><title>Home</title></html>")
    else:
        world.show(DAY, path="/new")

    world.live(6 * DAY)
    if target == "late":
        world.show(DAY)
    world.live(3 * DAY)

    assert world.state().address is None
    assert world.asked[-1].path == "/new" if target != "late" else "/feed"
    assert len([one for one in world.asked if one.path == "/feed"]) >= 9


def test_a_move_counts_at_once_when_the_old_url_is_no_more(world: World) -> None:
    world.site.redirect("/feed", world.site.url("/new"), 301)
    world.show(DAY, path="/new")
    world.live(DAY)
    world.site.publish("/feed", "", status=410)

    world.live(2 * DAY)

    assert world.state().address == world.site.url("/new")
    assert world.asked[-1].path == "/new"


def test_a_feed_that_moved_and_is_lost_there_is_asked_at_its_old_url_again(world: World) -> None:
    world.site.redirect("/feed", world.site.url("/new"), 301)
    world.live(9 * DAY, lambda: world.show(DAY, path="/new"))
    moved = world.state()
    world.site.withdraw("/new")
    world.live(DAY, lambda: world.show(DAY))

    assert moved.address == world.site.url("/new")
    assert (world.state().address, world.state().failures) == (None, 0)
    assert world.lost() == 0


def test_validators_of_the_old_url_say_nothing_of_the_new_one(world: World) -> None:
    """Both give the same ETag, as servers do that count from 1."""
    world.show(DAY, etag='"1"', modified="same")
    world.live(DAY)
    world.site.redirect("/feed", world.site.url("/new"), 301)
    world.clock.time += 5 * DAY
    world.show(DAY, path="/new", etag='"1"', modified="same")

    world.live(3 * DAY)

    assert world.lost() == 0
    assert world.state().answered_at == world.site.url("/new")


def test_a_feed_written_under_its_new_url_goes_on_where_it_was(world: World) -> None:
    world.site.redirect("/feed", world.site.url("/new"), 301)
    world.live(8 * DAY, lambda: world.show(DAY, path="/new"))
    before = world.state()
    text = world.home.feeds.read_text()
    world.home.feeds.write_text(text.replace(world.url, world.site.url("/new")))

    with world.home.desk(world.clock) as desk:
        desk.catalog.list_feeds(desk.feeds)
        (after,) = desk.catalog.feed_states().values()
        alias = desk.catalog.feed(world.url)

    assert after.url == before.address
    assert (after.etag, after.next_poll) == (before.etag, before.next_poll)
    assert alias
    assert (alias["address"], alias["listed"]) == (after.url, False)


def test_a_feed_that_is_gone_is_asked_no_more_until_a_person_says_so(world: World) -> None:
    world.show(DAY)
    world.live(DAY)
    world.site.publish("/feed", "", status=410)
    world.live(3 * DAY)
    asked = len(world.asked)
    with world.home.desk(world.clock) as desk:
        counts = discover(desk, ask_all=True)
        told = desk.catalog.feed(world.url) or {}
    listed = world.home.told("feeds", "list")[1]
    world.home.newsdesk("feeds", "enable", world.url)
    world.show(DAY)

    again = world.poll()

    assert counts["feeds"] == 0
    assert len([one for one in world.asked if one.at > NOON + DAY]) <= 3
    assert len(world.asked) == asked + 1
    assert "gone" in listed
    assert "feeds enable" in told["reason"]
    assert again["new"] == 1


def test_a_feed_that_a_person_disabled_is_asked_no_more_whatever_the_file_says(
    world: World,
) -> None:
    world.home.newsdesk("feeds", "disable", world.url, "--by", "Ada")
    world.home.feeds.write_text(world.home.feeds.read_text() + 'note = "read again"\n')

    counts = world.poll()
    told = world.home.newsdesk("feeds", "why", world.url)
    twice = world.home.told("feeds", "disable", world.url)
    world.home.newsdesk("feeds", "enable", world.url)

    assert counts["feeds"] == 0
    assert told["reason"].startswith("disabled by Ada on ")
    assert "`newsdesk feeds enable` undoes it" in told["reason"]
    assert told["next_poll"] is None
    assert (twice[0], "disabled already" in twice[2]) == (2, True)
    assert world.poll()["feeds"] == 1


def test_a_restart_never_polls_early_and_a_clock_set_back_never_stops_a_feed(world: World) -> None:
    world.show(DAY)
    counts = [world.poll()["feeds"] for _ in range(3)]
    world.clock.time -= 365 * DAY

    assert counts == [1, 0, 0]
    assert world.poll()["feeds"] == 1


def test_adding_a_feed_costs_one_request_and_why_tells_when_the_next_one_is_due(
    site: NewsSite, tmp_path: Path
) -> None:
    home = Home(tmp_path, [])
    url = site.publish(
        "/feed",
        rss(
            ((site.url(f"/{n}"), f"Story {n}") for n in range(9)),
            lambda n: http_date(datetime.now(UTC) - n * 10 * HOUR),
        ),
        content_type="text/xml",
    )

    home.newsdesk("feeds", "add", url, "--title", "Mine")
    with home.desk(Clock(datetime.now(UTC))) as desk:
        counts = discover(desk)
        state = desk.catalog.feed_states()[url]
    _, told, _ = home.told("feeds", "why", url)

    assert (counts["feeds"], site.paths()) == (0, ["/feed"])
    assert (state.outcome, state.reason) == ("new", "usual_gap: new entries every 10.0 h")
    assert state.polled
    assert state.next_poll
    assert 5 * HOUR <= state.next_poll - state.polled <= 5.5 * HOUR
    assert f"{state.next_poll:%d %b %Y %H:%M}" in told
    assert state.reason in told


# --- what a feed loses between two polls ---------------------------------------------------------


A_MONTH = {"Cache-Control": "public, max-age=2592000"}


def test_a_busy_feed_behind_a_long_cache_time_loses_nothing(world: World) -> None:
    """An entry every half hour, ten of them shown, and a cache that says a month."""
    world.live(3 * DAY, lambda: world.show(HOUR / 2, "<ttl>1440</ttl>", headers=A_MONTH))

    assert world.lost() == 0
    assert max(world.gaps()) <= 2.5 * HOUR + TICK
    assert min(world.gaps()) >= FLOOR


def test_an_overrun_is_noted_and_the_feed_asked_twice_as_often(world: World) -> None:
    world.show(HOUR / 2, headers=A_MONTH)
    world.poll()
    before = world.state()
    world.clock.time += 2 * DAY  # nobody polled
    world.show(HOUR / 2, headers=A_MONTH)

    world.poll()

    after = world.state()
    assert (after.overrun_at, after.missed_since) == (world.clock.time, before.newest)
    assert after.next_poll
    assert after.next_poll - world.clock.time <= 1.25 * HOUR
    assert "missed lately" in after.reason
    world.clock.time = after.next_poll
    world.show(HOUR / 2, headers=A_MONTH)
    world.poll()
    assert world.state().overrun_at == after.overrun_at  # the next look shares entries with it


def test_a_feed_that_changes_all_its_links_is_no_overrun(world: World) -> None:
    world.show(HOUR)
    world.poll()
    world.clock.time += HOUR
    last = int((world.clock.time - NOON) / HOUR)
    moved = [(world.site.url(f"/new/{n}"), f"Story {n}") for n in range(last, last - 10, -1)]
    date = lambda place: http_date(NOON + HOUR * (last - place))  # noqa: E731
    world.site.publish("/feed", rss(moved, date), content_type="text/xml")

    world.poll()

    assert world.state().overrun_at is None


def test_a_feed_that_left_its_new_place_is_found_where_it_was(world: World) -> None:
    with NewsSite("127.0.0.2") as new:
        world.site.redirect("/feed", new.url("/feed"), status=301)
        new.publish("/feed", rss([(world.site.url("/1"), "One")]), content_type="text/xml")
        world.live(9 * DAY)
        assert world.state().address == new.url("/feed")
    world.site.publish("/feed", rss([(world.site.url("/2"), "Two")]), content_type="text/xml")

    world.live(4 * DAY)

    assert world.state().address is None
    assert world.state().failures == 0
    with world.home.desk() as desk:
        assert desk.catalog.entries_seen() == 2


def test_a_feed_that_is_nowhere_any_more_is_not_taken_for_gone_by_its_old_place(
    world: World,
) -> None:
    with NewsSite("127.0.0.2") as new:
        world.site.redirect("/feed", new.url("/feed"), status=301)
        new.publish("/feed", rss([(world.site.url("/1"), "One")]), content_type="text/xml")
        world.live(9 * DAY)
    world.site.publish("/feed", "", status=410)

    world.live(6 * DAY)

    state = world.state()
    assert state.outcome in ("connection", "not_found")
    assert state.next_poll


def test_a_server_that_refuses_validators_is_asked_without(world: World) -> None:
    def feed(asked: object) -> Reply:
        return Reply(body=body, content_type="text/xml", etag=f'"{len(body)}"')

    body = rss([(world.site.url("/1"), "One")])
    world.site.script("/feed", feed(0), Reply(status=412), feed(0))
    world.live(3 * DAY)

    assert world.state().distrusted
    assert [one.etag is None for one in world.asked[:2]] == [True, False]
    assert all(one.etag is None for one in world.asked[2:])


def test_a_mistake_of_ours_in_one_feed_stops_no_other(
    site: NewsSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = site.publish("/good", rss([(site.url("/1"), "One")]), content_type="text/xml")
    bad = site.publish("/bad", rss([(site.url("/2"), "Two")]), content_type="text/xml")
    home = Home(tmp_path, [bad, good])
    from ingest.sources import feed as module

    parse = module.parse_feed

    def broken(*args: object, **named: object) -> object:
        if bad in args:
            raise RecursionError("too deep")
        return parse(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "parse_feed", broken)
    with home.desk() as desk:
        counts = discover(desk)
        states = desk.catalog.feed_states()

    assert (counts["internal_error"], counts["entries_new"]) == (1, 1)
    assert states[bad].detail == "RecursionError: too deep"
    assert states[bad].next_poll
    assert states[bad].next_poll > NOON
