"""Dates, URLs and walls from end to end: what the catalog says of them after a whole run."""

import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ingest.discover import discover
from ingest.fetch import fetch
from ingest.report import life, verify
from ingest.sift import sift
from tests.builders import NOON
from tests.home import Home, rss
from tests.newssite import NewsSite

LISTED = """<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title>{}</feed>"""
TODAY = NOON.date()


@pytest.fixture
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


def page(seed: int, title: str, head: str = "", shown: str = "") -> str:
    """Return a page whose words are its own, so that it is no copy of another."""
    draw = random.Random(seed)
    told = ""
    for _ in range(6):
        names = ["".join(draw.choices("aeioulnrstdm", k=6)) for _ in range(12)]
        told += f"<p>It was said of the {' and the '.join(names)} that they were in this.</p>"
    body = f"<article><h1>{title}</h1>{shown}{told}</article>"
    return f"<html lang=en><head><title>{title}</title>{head}</head><body>{body}</body></html>"


def run(home: Home) -> dict[str, Any]:
    """Poll once; return the tally and the life of every entry by its title."""
    with home.desk() as desk:
        discover(desk)
        fetch(desk)
        sift(desk)
        found: dict[str, Any] = {"tally": desk.catalog.tally()}
        assert verify(desk) == []
        with desk.catalog._read() as connection:
            rows = connection.exec_driver_sql("SELECT url, title FROM entry").all()
        for url, title in rows:
            found[title] = life(desk, url)
    return found


def test_each_story_is_dated_by_the_best_source_it_has(site: NewsSite, tmp_path: Path) -> None:
    data = (
        '<script type="application/ld+json">{"@type":"NewsArticle","datePublished":"%s"}</script>'
    )
    meta = '<meta property="article:published_time" content="%s">'
    published = "<published>2026-02-03T10:00:00Z</published>"
    updated = "<updated>2026-02-04T10:00:00Z</updated>"
    day_shown = "<p>7 February 2026</p>"
    stories = [  # path, what the page says, what the feed says, what is to be believed
        ("/json-ld", data % "2026-02-01T08:00:00Z" + meta % "2026-02-02", published),
        ("/meta", meta % "2 Feb 2026", published + updated),
        ("/feed", "", published + updated),
        ("/updated", "", updated),
        ("/2026/02/05/url", "", ""),
        ("/page", "", ""),
        ("/first_seen", "", ""),
        ("/future", "", "<published>2027-01-01T00:00:00Z</published>"),
    ]
    entries = ""
    for seed, (path, head, said) in enumerate(stories):
        url = site.publish(path, page(seed, path, head, day_shown if path == "/page" else ""))
        entries += f'<entry><id>{path}</id><title>{path}</title><link href="{url}"/>{said}</entry>'
    feed = site.publish("/atom", LISTED.format(entries), content_type="application/atom+xml")

    told = run(Home(tmp_path, [feed]))

    shown = {path: told[path]["story"] for path, *_ in stories}
    assert {path: (one["date_source"], one["published"]) for path, one in shown.items()} == {
        "/json-ld": ("json-ld", date(2026, 2, 1)),
        "/meta": ("meta", date(2026, 2, 2)),
        "/feed": ("feed", date(2026, 2, 3)),
        "/updated": ("updated", date(2026, 2, 4)),
        "/2026/02/05/url": ("url", date(2026, 2, 5)),
        "/page": ("page", date(2026, 2, 7)),
        "/first_seen": ("first_seen", TODAY),
        "/future": ("first_seen", TODAY),
    }
    assert shown["/meta"]["date_text"] == "2 Feb 2026"
    assert shown["/feed"]["date_text"] == "2026-02-03T10:00:00Z"
    assert told["/future"]["entry"]["date_text"] == "2027-01-01T00:00:00Z"


def test_an_hour_ahead_is_now_and_updated_alone_never_moves_a_date(
    site: NewsSite, tmp_path: Path
) -> None:
    def announce(updated: str) -> str:
        said = f"<published>2026-03-02T13:00:00Z</published><updated>{updated}</updated>"
        url = site.url("/story")
        entry = f'<entry><id>1</id><title>Story</title><link href="{url}"/>{said}</entry>'
        return site.publish("/atom", LISTED.format(entry), content_type="application/atom+xml")

    site.publish("/story", page(1, "Story"))
    home = Home(tmp_path, [announce("2026-03-02T11:00:00Z")])

    first = run(home)["Story"]
    announce("2026-03-05T11:00:00Z")
    with home.desk() as desk:
        discover(desk, ask_all=True)
        later = life(desk, site.url("/story"))

    assert first["entry"]["published"] == NOON  # it was 13:00, an hour to come
    assert first["story"]["published"] == TODAY
    assert later
    assert later["entry"]["published"] == NOON


def test_an_amp_page_and_its_story_are_one_story_under_the_canonical_url(
    site: NewsSite, tmp_path: Path
) -> None:
    link = f'<link rel="canonical" href="{site.url("/News/a?utm_source=amp")}">'
    site.publish("/News/a/amp", page(1, "Alpha", link))
    site.publish("/News/a", page(1, "Alpha", link))
    site.redirect("/News/b/amp", site.url("/News/b"))
    site.publish("/News/b", page(2, "Beta"))
    listed = [
        (site.url("/News/a/amp"), "Alpha by AMP"),
        (site.url("/News/a?utm_source=rss"), "Alpha"),
        (site.url("/News/b/amp"), "Beta"),
    ]

    told = run(Home(tmp_path, [site.publish("/feed", rss(listed), content_type="text/xml")]))

    assert told["tally"] == {"kept": 2, "duplicate_url": 1}
    kept = told["Alpha by AMP"]["story"] or told["Alpha"]["story"]
    assert kept["url"] == site.url("/News/a")
    assert told["Alpha by AMP"]["verdict"]["canonical"] == site.url("/News/a")
    assert told["Alpha by AMP"]["entry"]["url"] == site.url("/News/a/amp")
    assert told["Alpha"]["entry"]["link"] == site.url("/News/a?utm_source=rss")
    beta = told["Beta"]
    assert beta["story"]["url"] == site.url("/News/b")
    assert beta["fetches"][0]["hops"] == [site.url("/News/b/amp"), site.url("/News/b")]


def test_an_entry_that_leads_nowhere_is_a_row_with_its_reason_and_is_never_asked(
    site: NewsSite, tmp_path: Path
) -> None:
    listed = [
        ("https://news.google.com/rss/articles/CBMiX?oc=5", "By Google"),
        (site.url("/"), "Front page"),
        ("javascript:void(0)", "No page"),
        ("", "No link"),
    ]
    feed = site.publish("/feed", rss(listed), content_type="text/xml")

    told = run(Home(tmp_path, [feed]))

    assert {title: told[title]["verdict"]["reason"] for _, title in listed} == {
        "By Google": "google_news",
        "Front page": "home_page",
        "No page": "bad_link",
        "No link": "no_link",
    }
    assert sum(told["tally"].values()) == 4
    assert site.paths() == ["/feed"]


def test_each_wall_has_its_verdict_and_is_asked_once(site: NewsSite, tmp_path: Path) -> None:
    shell = f"<html><body><p>{'Wait for us here, we are looking at you. ' * 20}</p></body></html>"
    walls = {
        "/challenge": ("", 403, {"cf-mitigated": "challenge"}),
        "/waf": ("<p>Hm</p>", 202, {"x-amzn-waf-action": "challenge"}),
        "/same/1": (shell, 200, {}),
        "/same/2": (shell, 200, {}),
        "/same/3": (shell, 200, {}),
        "/gone": ("<html><title>Page not found</title><p>Try the search.</p></html>", 200, {}),
        "/teaser": (page(3, "T").split("</p>")[0] + "</p><p>Continue reading</p>", 200, {}),
    }
    for path, (body, status, headers) in walls.items():
        site.publish(path, body, status=status, headers=headers)
    site.redirect("/moved", site.url("/"))
    site.publish("/", page(5, "Front page"))
    listed = [(site.url(path), f"Story {path}") for path in [*walls, "/moved"]]
    home = Home(tmp_path, [site.publish("/feed", rss(listed), content_type="text/xml")])

    told = run(home)
    asked = [path for path in site.paths() if path in walls]

    assert told["tally"] == {"bot_wall": 5, "home_page": 1, "soft_404": 1, "teaser": 1}
    same = told["Story /same/2"]["verdict"]["evidence"]
    assert same == "the same bytes for 3 titles of its host"
    assert sorted(asked) == sorted(walls)


def test_the_same_story_under_three_urls_is_no_wall(site: NewsSite, tmp_path: Path) -> None:
    whole = page(1, "Alpha")
    listed = [(site.publish(f"/a/{n}", whole), "Alpha") for n in range(3)]

    told = run(Home(tmp_path, [site.publish("/feed", rss(listed), content_type="text/xml")]))

    assert told["tally"] == {"duplicate_exact": 2, "kept": 1}
