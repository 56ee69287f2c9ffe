"""Loopback origins whose archives are asked through APIs, each as its own manual describes it.

with WordPress() as site:
    site.posts = [Post(1, datetime(2024, 2, 29, 23, 30), title="Leap &amp; bound")]
    site.before = lambda number: site.posts.pop(0)   # before it answers its n-th question
"""

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from ingest.sources.past import Way, Window
from ingest.web.client import Web
from storage.model import Entry, Feed
from tests.newssite import NewsSite, Reply

LONDON = ZoneInfo("Europe/London")
JSON = "application/json; charset=UTF-8"


def day(text: str) -> Window:
    """Return the window of one day."""
    return window(text, str(date.fromisoformat(text) + timedelta(days=1)))


def window(since: str, until: str) -> Window:
    return Window(date.fromisoformat(since), date.fromisoformat(until))


def way(kind: type[Way], web: Web, url: str, key: str = "", **row: Any) -> Way:
    """Return a way as its feed's site offers it; its address is "" where it does not."""
    made = kind(
        Feed(url=url, title="F", **row),
        web,
        lambda url: nullcontext(lambda page: None),
        frozenset({"from"}),
        key=key,
    )
    return replace(made, address=made.offered() or "")


def walk(way: Way, window: Window, steps: int = 500) -> list[Entry]:
    """Follow the cursors to the end; return all entries in the order in which they came."""
    found: list[Entry] = []
    cursor = ""
    for _ in range(steps):
        step = way.step(window, cursor)
        found += step.entries
        cursor = step.cursor
        if not cursor:
            return found
    raise AssertionError(f"no end after {steps} steps")


class Origin(NewsSite):
    """A site that computes its answers; `before` is told the number of each question, from 1."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.before: Callable[[int], object] = lambda number: None
        self.questions = 0
        self.refuses: Mapping[str, Reply] = {}  # by the path without its query
        super().__init__(host)

    def shown(self, path: str) -> Any:
        parts = urlsplit(path)
        self.questions += 1
        self.before(self.questions)
        if parts.path in self.refuses:
            return self.refuses[parts.path]
        return self.answer(parts.path, parse_qs(parts.query)) or super().shown(path)

    def answer(self, path: str, asked: Mapping[str, list[str]]) -> Reply | None:
        raise NotImplementedError


def told(said: object, status: int = 200, **headers: str) -> Reply:
    return Reply(body=json.dumps(said), status=status, content_type=JSON, headers=headers)


# --- WordPress: wp-includes/rest-api/endpoints/class-wp-rest-posts-controller.php ----------------


@dataclass(frozen=True)
class Post:
    """A post; its date is local to the site."""

    id: int
    local: datetime
    title: str = "A post"
    category: int = 1
    public: bool = True
    content: str = "<p>Short.</p>"


class WordPress(Origin):
    """/wp-json/wp/v2/posts and /categories."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.posts: list[Post] = []
        self.zone = LONDON
        self.categories = {"scotland": (7, None), "highland": (8, 7)}  # slug: id, parent
        super().__init__(host)

    def answer(self, path: str, asked: Mapping[str, list[str]]) -> Reply | None:
        one = {name: values[0] for name, values in asked.items()}
        if path == "/wp-json/wp/v2/categories":
            found = self.categories.get(one["slug"])
            return told([{"id": found[0]}] if found else [])
        if path != "/wp-json/wp/v2/posts":
            return None
        posts = sorted(self.posts, key=lambda post: (post.local, post.id))
        if one.get("order", "desc") == "desc":
            posts.reverse()
        for bound, keep in (("after", datetime.__gt__), ("before", datetime.__lt__)):
            if bound in one:
                moment = datetime.fromisoformat(one[bound])
                posts = [post for post in posts if keep(post.local, moment)]
        if category := one.get("categories[terms]"):
            wanted = {int(category)} | {
                number
                for number, parent in self.categories.values()
                if one.get("categories[include_children]") and parent == int(category)
            }
            posts = [post for post in posts if post.category in wanted]
        size, page = int(one.get("per_page", "10")), int(one.get("page", "1"))
        assert size <= 100
        pages = -(-len(posts) // size)
        if page > max(pages, 1):
            return told({"code": "rest_post_invalid_page_number", "data": {"status": 400}}, 400)
        here = posts[(page - 1) * size : page * size]
        headers = {"X-WP-Total": str(len(posts)), "X-WP-TotalPages": str(pages)}
        return told([self._told(post) for post in here if post.public], **headers)

    def link(self, post: Post) -> str:
        return self.url(f"/{post.local:%Y/%m/%d}/{post.id}/")

    def _told(self, post: Post) -> dict[str, Any]:
        utc = post.local.replace(tzinfo=self.zone).astimezone(UTC)
        return {
            "id": post.id,
            "date": f"{post.local:%Y-%m-%dT%H:%M:%S}",
            "date_gmt": f"{utc:%Y-%m-%dT%H:%M:%S}",
            "modified_gmt": f"{utc:%Y-%m-%dT%H:%M:%S}",
            "guid": {"rendered": self.url(f"/?p={post.id}&#038;a=b")},
            "link": self.link(post),
            "title": {"rendered": post.title},
            "excerpt": {"rendered": "<p>In short [&hellip;]</p>\n", "protected": False},
            "content": {"rendered": post.content, "protected": False},
        }
