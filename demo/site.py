"""Five outlets on five loopback hosts: feeds of every kind, copies, off-topic and broken pages."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Self

from demo.dress import BOT_WALL, CONSENT, courier, newsroom, paywall, weekly, wire
from demo.feedkinds import Listed, atom, json_feed, rdf, rss
from demo.texts import Text, text
from tests.newssite import NewsSite


class Outlet:
    """One news site: a host, a feed, and pages in its own dress."""

    def __init__(
        self,
        site: NewsSite,
        title: str,
        feed: tuple[str, str, Callable[[str, Sequence[Listed]], str]],
        dress: Callable[[Text, datetime], str],
        today: datetime,
    ) -> None:
        self.site, self.title, self._dress, self._today = site, title, dress, today
        self._path, self._type, self._render = feed
        self._listed: list[Listed] = []
        self.feed = site.url(self._path)

    def show(self, path: str, text: Text, days_ago: int) -> str:
        """Publish a story and announce it."""
        day = self._today - timedelta(days=days_ago)
        self.site.publish(path, self._dress(text, day), gzip=days_ago % 2 == 0)
        return self.announce(self.site.url(path), text.title, days_ago)

    def announce(self, url: str, title: str, days_ago: int) -> str:
        day = self._today - timedelta(days=days_ago)
        self._listed.insert(0, Listed(url, title, day))
        feed = self._render(self.title, self._listed)
        self.site.publish(self._path, feed, content_type=self._type)
        return url


class DemoSite:
    """The five outlets, open until closed; `feeds` is what a feeds file would list."""

    def __init__(self, today: datetime | None = None) -> None:
        self._open = ExitStack()
        self._today = (today or datetime.now(UTC)).replace(microsecond=0)
        self.sites: list[NewsSite] = []
        self.courier = self._outlet(
            "127.0.0.2",
            "The Calder Courier",
            ("/rss.xml", "application/rss+xml; charset=utf-8", rss),
            courier,
        )
        self.weekly = self._outlet(
            "127.0.0.3", "Care Sector Weekly", ("/feed/", "application/atom+xml", atom), weekly
        )
        self.newsroom = self._outlet(
            "127.0.0.4", "Northgate Newsroom", ("/news.rdf", "application/rdf+xml", rdf), newsroom
        )
        self.wire = self._outlet(
            "127.0.0.5", "Union Wire", ("/feed.json", "application/feed+json", json_feed), wire
        )
        self.broken = self._outlet(
            "127.0.0.6", "The Broken Herald", ("/rss", "application/rss+xml", rss), courier
        )
        self._tell_stories()
        self._tell_others()
        self._tell_copies()
        self._break()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def feeds(self) -> list[tuple[str, str]]:
        """URL and title of each feed, the one that is a web page included."""
        outlets = (self.courier, self.weekly, self.newsroom, self.wire, self.broken)
        listed = [(outlet.feed, outlet.title) for outlet in outlets]
        return [*listed, (self.broken.site.url("/old-feed"), "The Broken Herald (old address)")]

    def asked(self) -> int:
        """Return how many requests all hosts have had so far."""
        return sum(len(site.asked) for site in self.sites)

    def go_on(self) -> str:
        """Let a day pass: one outlet has one more story; return its URL."""
        return self.weekly.show("/social-workers-transfer", text("social-workers-transfer"), 0)

    def _outlet(
        self,
        host: str,
        title: str,
        feed: tuple[str, str, Callable[[str, Sequence[Listed]], str]],
        dress: Callable[[Text, datetime], str],
    ) -> Outlet:
        site = self._open.enter_context(NewsSite(host))
        self.sites.append(site)
        rules = "User-agent: *\nDisallow: /members/\nCrawl-delay: 0\n"
        site.publish("/robots.txt", rules, content_type="text/plain")
        return Outlet(site, title, feed, dress, self._today)

    def _tell_stories(self) -> None:
        """Fifteen stories on health and social care integration; the sixteenth comes later."""
        told = {
            self.courier: [
                "discharge-hub-ledworth",
                "care-home-team-saltby",
                "carers-strategy-orrin",
                "shared-record-tilbeck",
            ],
            self.weekly: [
                "joint-board-savings",
                "better-care-fund-dispute",
                "lead-agency-review",
                "pharmacists-reablement",
            ],
            self.newsroom: [
                "pooled-budget-westmere",
                "neighbourhood-teams-ashcombe",
                "chief-officer-marrick",
            ],
            self.wire: [
                "auditors-warn-reserves",
                "hospital-at-home-dunmarrow",
                "regional-board-pen-y-ffrith",
                "partnership-carrowbeg",
            ],
        }
        for outlet, names in told.items():
            for age, name in enumerate(names, start=2):
                outlet.show(f"/{name}", text(name), age)

    def _tell_others(self) -> None:
        """What else a newspaper prints."""
        for age, name in enumerate(("off-bakery", "off-football", "off-flood-wall"), start=1):
            self.courier.show(f"/{name.removeprefix('off-')}", text(name), age)
        self.newsroom.show("/car-park", text("off-car-park"), 1)

    def _tell_copies(self) -> None:
        # the same text in another outlet's dress
        self.weekly.show("/news/pooled-budget", text("pooled-budget-westmere"), 1)
        # an agency's story, cut from the end, under a headline of the paper's own
        agency = text("auditors-warn-reserves")
        short = Text("Care bodies 'living on their savings', say auditors", agency.paragraphs[:-2])
        self.courier.show("/auditors", short, 1)
        # the same outlet's later version: a new headline and one paragraph more
        early = text("joint-board-savings")
        more = "UPDATE: The council said on Wednesday that it would meet carers next week."
        later = Text(f"UPDATED: {early.title}", (*early.paragraphs, more))
        self.weekly.show("/joint-board-savings-update", later, 1)
        # the very same page, announced once more with a tracking parameter
        twice = self.newsroom.site.url("/chief-officer-marrick?utm_source=wire&utm_medium=feed")
        self.wire.announce(twice, text("chief-officer-marrick").title, 1)

    def _break(self) -> None:
        """Pages as the web has them on a bad day, each announced like any other."""
        outlet, site, today = self.broken, self.broken.site, self._today
        brief = Text("Care board to meet", ("The integration joint board meets on Monday at ten.",))
        moved = Text("We have moved", ("Have a look around our new home.",))
        pdf = {"content_type": "application/pdf"}
        paid = paywall(text("social-workers-transfer"), today)
        urls = {
            "Gone": site.url("/404"),
            "Server trouble": site.publish("/500", "oops", status=500),
            "Hangs": site.misbehave("/hang", "hang"),
            "Unpacks to a hundred megabytes": site.misbehave("/bomb", "gzip_bomb"),
            "Leads in a circle": site.misbehave("/circle", "redirect_loop"),
            "Leads into a private network": site.redirect("/inside", "http://10.0.0.1/admin"),
            "For members": site.publish("/members/1", "<p>secret</p>"),
            "A report": site.publish("/report.pdf", b"%PDF-1.7", **pdf),
            "Are you human?": site.publish("/wall", BOT_WALL),
            "Cookies first": site.publish("/consent", CONSENT),
            "For subscribers": site.publish("/paid", paid),
            "In brief": site.publish("/brief", courier(brief, today)),
        }
        for title, url in urls.items():
            outlet.announce(url, title, 1)
        site.publish("/old-feed", courier(moved, today))
