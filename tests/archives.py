"""Loopback origins whose archives are asked through APIs, each as its own manual describes it.

with WordPress() as site:
    site.posts = [Post(1, datetime(2024, 2, 29, 23, 30), title="Leap &amp; bound")]
    site.before = lambda number: site.posts.pop(0)   # before it answers its n-th question
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit
from zoneinfo import ZoneInfo

from ingest.sources.past import Way, Window
from ingest.web.client import Web
from storage.model import Entry, Feed, Page
from tests.newssite import NewsSite, Reply

LONDON = ZoneInfo("Europe/London")
JSON = "application/json; charset=UTF-8"


def day(text: str) -> Window:
    """Return the window of one day."""
    return window(text, str(date.fromisoformat(text) + timedelta(days=1)))


def window(since: str, until: str) -> Window:
    return Window(date.fromisoformat(since), date.fromisoformat(until))


def asking(url: str) -> AbstractContextManager[Callable[[Page], None]]:
    """Let everything be asked at once."""
    return nullcontext(lambda page: None)


def way(kind: type[Way], web: Web, url: str, key: str = "", **row: Any) -> Way:
    """Return a way as its feed's site offers it; its address is "" where it does not."""
    made = kind(
        Feed(url=url, title="F", **row),
        web,
        asking,
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
        return told([self.told(post) for post in here if post.public], **headers)

    def link(self, post: Post) -> str:
        return self.url(f"/{post.local:%Y/%m/%d}/{post.id}/")

    def told(self, post: Post) -> dict[str, Any]:
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


# --- GOV.UK: search-api's docs/using-the-search-api.md, content-store's content items ------------


@dataclass(frozen=True)
class Item:
    """A content item; its moments are UTC."""

    path: str
    first: datetime
    major: datetime  # the last major update: public_timestamp
    body: object = "<p>Short.</p>"
    groups: Mapping[str, str] = field(
        default_factory=lambda: {"organisations": "dhsc", "content_purpose_subgroup": "news"}
    )


class GovUk(Origin):
    """/api/search.json and /api/content/…; strict about its parameters."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.items: list[Item] = []
        super().__init__(host)

    def answer(self, path: str, asked: Mapping[str, list[str]]) -> Reply | None:
        if path == "/api/search.json":
            return self._search(asked)
        for item in self.items:
            if path == f"/api/content{item.path}":
                return told({
                    "base_path": item.path,
                    "title": f"Item {item.path}",
                    "description": "In short",
                    "first_published_at": f"{item.first:%Y-%m-%dT%H:%M:%S}Z",
                    "public_updated_at": f"{item.major:%Y-%m-%dT%H:%M:%S}Z",
                    "details": {"body": item.body},
                })  # fmt: skip
        return None

    def _search(self, asked: Mapping[str, list[str]]) -> Reply:
        found, count, start = self.items, 10, 0
        for name, values in asked.items():
            if name in ("count", "start") and values[0].isdigit():
                count = int(values[0]) if name == "count" else count
                start = int(values[0]) if name == "start" else start
            elif name == "filter_public_timestamp":
                bounds = dict(part.split(":") for part in values[0].split(","))
                since, until = (date.fromisoformat(bounds[one]) for one in ("from", "to"))
                found = [one for one in found if since <= one.major.date() <= until]
            elif name.startswith(("filter_", "reject_")):
                kind, _, key = name.partition("_")
                found = [
                    one for one in found if (one.groups.get(key) in values) == (kind == "filter")
                ]
            elif name == "q":
                found = [one for one in found if values[0] in one.path]
            elif (
                not (name == "fields" and set(values) <= {"link", "public_timestamp"})
                and name != "order"
            ):
                return told({"error": f"Unexpected parameters: {name}"}, 422)
        if count > 1500 or start > 900_000:
            return told({"error": "too large"}, 422)
        found = sorted(found, key=lambda one: (one.major, one.path))
        here = [
            {"link": one.path, "public_timestamp": one.major.astimezone(LONDON).isoformat()}
            for one in found[start : start + count]
        ]
        return told({"results": here, "total": len(found), "start": start})


# --- The Guardian: open-platform.theguardian.com/documentation/search ----------------------------


@dataclass(frozen=True)
class Piece:
    path: str
    at: datetime  # UTC
    tag: str = "society/social-care"
    body: str = "<p>Short.</p>"


class Guardian(Origin):
    """/search, for who has the key; pages beyond `deepest` are not shown."""

    def __init__(self, key: str, host: str = "127.0.0.1") -> None:
        self.key, self.deepest = key, 190
        self.pieces: list[Piece] = []
        super().__init__(host)

    def answer(self, path: str, asked: Mapping[str, list[str]]) -> Reply | None:
        if path != "/search":
            return None
        one = {name: values[0] for name, values in asked.items()}
        if one.get("api-key") != self.key:
            return told({"message": f"Unauthorized {one.get('api-key')}"}, 401)
        found = [piece for piece in self.pieces if one.get("tag", piece.tag) == piece.tag]
        found = [p for p in found if p.tag.startswith(one.get("section", ""))]
        if "from-date" in one:  # days of London
            since, until = (date.fromisoformat(one[name]) for name in ("from-date", "to-date"))
            found = [p for p in found if since <= p.at.astimezone(LONDON).date() <= until]
        found.sort(
            key=lambda piece: (piece.at, piece.path), reverse=one.get("order-by") != "oldest"
        )
        size, page = int(one.get("page-size", "10")), int(one.get("page", "1"))
        pages = -(-len(found) // size)
        if size > 200 or page > max(pages, 1) or page > self.deepest:
            return told({"response": {"status": "error", "message": "beyond"}}, 400)
        results = [
            {
                "id": piece.path,
                "webUrl": f"https://www.theguardian.com/{piece.path}",
                "webTitle": "Care &amp; cost",
                "webPublicationDate": f"{piece.at:%Y-%m-%dT%H:%M:%S}Z",
                "fields": {"body": piece.body, "trailText": f"<b>key {self.key}</b>"},
            }
            for piece in found[(page - 1) * size : page * size]
        ]
        return told(
            {
                "response": {
                    "status": "ok",
                    "total": len(found),
                    "pages": pages,
                    "currentPage": page,
                    "results": results,
                }
            }
        )


# --- the Wayback Machine: wayback-cdx-server's README --------------------------------------------


@dataclass(frozen=True)
class Capture:
    """What the archive has of a URL."""

    moment: str  # 14 digits, UTC
    url: str
    body: str = "<p>page</p>"
    kind: str = "text/html"
    status: str = "200"


class Wayback(Origin):
    """/cdx/search/cdx and /web/<moment>id_/<url>; an answer of the index holds `most` rows."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.captures: list[Capture] = []
        self.most = 1000
        super().__init__(host)

    def shown(self, path: str) -> Any:
        if path.startswith("/web/") and path not in self.refuses:
            moment, _, url = path.removeprefix("/web/").partition("id_/")
            found = [one for one in self.captures if (one.moment, one.url) == (moment, url)]
            self.questions += 1
            self.before(self.questions)
            if not found:
                return Reply(status=404)
            return Reply(body=found[0].body, content_type=found[0].kind)
        return super().shown(path)

    def answer(self, path: str, asked: Mapping[str, list[str]]) -> Reply | None:
        if path != "/cdx/search/cdx":
            return None
        one = {name: values[0] for name, values in asked.items()}
        assert one["output"] == "json"
        assert one["fl"] == "timestamp,original"
        rows = sorted(self.captures, key=lambda c: (_surt(c.url), c.moment))
        rows = [c for c in rows if one.get("from", "") <= c.moment]
        rows = [c for c in rows if c.moment[:8] <= one.get("to", "9")]
        wanted = _surt(one["url"])
        matches = str.startswith if one.get("matchType") == "prefix" else str.__eq__
        rows = [c for c in rows if matches(_surt(c.url), wanted)]
        for name, value in (each.split(":") for each in asked["filter"]):
            rows = [c for c in rows if {"statuscode": c.status, "mimetype": c.kind}[name] == value]
        by = [c.body if one["collapse"] == "digest" else _surt(c.url) for c in rows]
        rows = [c for n, c in enumerate(rows) if not n or by[n] != by[n - 1]]  # adjacent ones
        keys = [quote_plus(f"{_surt(c.url)} {c.moment}!") for c in rows]
        if "resumeKey" in one:  # as parse_qs gives it, unescaped once
            rows = rows[keys.index(quote_plus(one["resumeKey"])) + 1 :]
            keys = keys[-len(rows) :] if rows else []
        most = min(int(one["limit"]), self.most)
        said = [["timestamp", "original"], *([c.moment, c.url] for c in rows[:most])]
        if len(rows) > most and one.get("showResumeKey") == "true":
            said += [[], [keys[most - 1]]]
        return told(said if rows else [])


def _surt(url: str) -> str:
    """Return the key by which the index sorts: no scheme, no default port."""
    return url.partition("://")[2].replace(":80/", "/").lower()
