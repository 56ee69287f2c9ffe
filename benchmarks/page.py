"""How long each page of Newsdesk takes, by how many stories there are.

    python -m benchmarks.page [--quick] [--sizes 5000 50000] [--json FILE]

Fills a catalog (SQLite; PostgreSQL where NEWS_TEST_POSTGRES names a server) with so many made-up
stories, as many refusals, 200 sources, ten years of slices, and asks for each page in turn as a
browser does, from the route to the last byte, logging in left out. A story has 50 words of 20,000
that are as frequent as words of English are. Each run opens and closes its desk, as in Airflow.
"""

import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, create_engine, insert, text

from benchmarks.frame import Result, arguments
from storage import schema, search
from storage.archive import Archive
from storage.catalog import Catalog
from storage.corpus import name_of, render
from storage.model import Feed, Place, Story
from tests.builders import PAGE
from tests.databases import SERVER, database
from tests.home import Home

SOURCES, YEARS, WORDS, CHUNK, ROUNDS = 200, 10, 50, 5000, 15
AIM = 0.3  # seconds
KINDS = ("government", "press", "trade-press", "charity", "regulator")
NATIONS = ("uk", "england", "scotland", "wales", "northern-ireland")
WHY = ("off_topic",) * 6 + ("duplicate_near",) * 3 + ("not_found", "too_short", "review")
NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.date()


def feeds() -> list[Feed]:
    """Return the sources; one alone is international, and tells of little."""
    made = [
        Feed(url=f"http://s{n}.example/feed", title=f"Source {n}", nation=NATIONS[n % 5],
             kind=KINDS[n // 5 % 5]) for n in range(SOURCES)
    ]  # fmt: skip
    return [*made, Feed(url="http://rare.example/feed", title="Rare", nation="international")]


def vocabulary() -> tuple[list[str], list[float]]:
    """Return words, and the share that each and those before it have (Zipf's law)."""
    words = [f"w{n}x" for n in range(20_000)]
    words[5], words[800], words[9000] = "care", "budget", "penguin"
    total, sums = 0.0, []
    for rank in range(1, len(words) + 1):
        total += 1 / rank
        sums.append(total)
    return words, sums


def fill(url: str, size: int, place: Place, kept: Story) -> None:
    """Put so many stories and as many refusals in; the story's file is that of them all."""
    with Catalog(url) as catalog:
        catalog.list_feeds(feeds())
    engine, chance, listed = create_engine(url), Random(7), feeds()
    words, sums = vocabulary()
    data = render(kept)
    if engine.dialect.name == "sqlite":
        fast = "PRAGMA synchronous=OFF"
    else:
        fast = "SET synchronous_commit = off"
    with engine.connect() as connection:
        connection.execute(text(fast))
        for start in range(0, 2 * size, CHUNK):
            rows: dict[str, list[dict[str, Any]]] = {
                name: [] for name in ("entry", "verdict", "fetch", "story")
            }
            said = []
            for number in range(start, min(start + CHUNK, 2 * size)):
                at = NOW - timedelta(days=365 * YEARS) * (1 - number / (2 * size))
                source = listed[-1] if number % 50_000 == 3 else listed[chance.randrange(SOURCES)]
                why = "kept" if number % 2 else WHY[chance.randrange(len(WHY))]
                like = chance.randrange(number // 2 + 1)
                own = {"entry": number + 1, "at": at}
                link = f"{source.url[:-4]}{number}"
                rows["entry"].append({
                    "id": number + 1, "url": link, "link": link, "source": source.url,
                    "title": f"Council plans number {number}", "summary": "", "first_seen": at,
                    "published": at - timedelta(hours=number % 30), "state": "decided",
                    "hash": f"{number:064}", "live": True,
                })  # fmt: skip
                rows["verdict"].append(
                    own
                    | {
                        "reason": why,
                        "evidence": "x" * 40,
                        "words": 400,
                        "like": like if why == "duplicate_near" else None,
                    }
                )
                rows["fetch"].append(own | {
                    "outcome": "fetched", "status": 200, "final_url": link, "file": place.file,
                    "offset": place.offset, "length": place.length, "sha256": f"{number:064}",
                    "hops": [link],
                })  # fmt: skip
                if why == "kept":
                    story = number // 2
                    rows["story"].append({
                        "number": story, "name": name_of(story, data), "entry": number + 1,
                        "title": f"Council plans number {number}", "url": link, "added": at,
                        "published": (at - timedelta(hours=number % 30)).date(), "words": 400,
                        "sha256": sha256(data).hexdigest(), "exact": str(number).encode(),
                        "entered": True,
                    })  # fmt: skip
                    chosen = chance.choices(words, cum_weights=sums, k=WORDS)
                    said.append((story, " ".join(chosen)))
            for name, some in rows.items():
                connection.execute(insert(schema.METADATA.tables[name]), some)
            for story, told in said:
                search.add(connection, story, "", told)
            connection.commit()
        _slices(connection, listed)
        if engine.dialect.name == "postgresql":  # which does so by itself, later
            connection.execute(text("ANALYZE"))
            connection.commit()
    engine.dispose()
    with Catalog(url) as catalog:
        catalog.end_run(catalog.begin_run("fetch", NOW), NOW, {}, None)


def _slices(connection: Connection, listed: Sequence[Feed]) -> None:
    states = ("done",) * 30 + ("partial", "planned", "running", "split")
    months = [date(TODAY.year - 1 - n // 12, 12 - n % 12, 1) for n in range(12 * YEARS)]
    connection.execute(insert(schema.slice), [
        {"source": feed.url, "way": "wordpress", "since": month, "reason": "",
         "until": (month + timedelta(days=32)).replace(day=1), "cursor": "", "passes": 1,
         "steps": 3, "fresh": 3, "state": states[(n + m) % len(states)]}
        for n, feed in enumerate(listed) for m, month in enumerate(months)
    ])  # fmt: skip
    connection.commit()


def pages(size: int) -> Mapping[str, str]:
    """Return what is asked for, by what people call it."""
    old, older = TODAY - timedelta(days=2000), TODAY - timedelta(days=1990)

    def since(days: int) -> str:
        return f"?since={TODAY - timedelta(days=days)}"

    source = "http%3A%2F%2Fs7.example%2Ffeed"
    return {
        "overview, 14 days": "/",
        "overview, 3 months": "/" + since(91),
        "overview, a year by kind": "/" + since(365) + "&by=kind",
        "overview, ten years": "/" + since(3660),
        "sources": "/sources",
        "a source": f"/source?url={source}",
        "slices": "/slices",
        "slices of a month and kind": f"/slices?month={TODAY.year - 3}-04&kind=press",
        "stories": "/stories",
        "stories, far down": f"/stories?before={size // 3}",
        "stories of a source": f"/stories?source={source}",
        "stories of a nation": "/stories?nation=wales",
        "stories of a rare nation": "/stories?nation=international",
        "stories of ten days long ago": f"/stories?since={old}&until={older}",
        "stories of a nation, long ago": f"/stories?nation=wales&until={older}",
        "search, a common word": "/stories?q=care",
        "search, two words": "/stories?q=care+budget",
        "search, a rare word": "/stories?q=penguin",
        "search, no hit": "/stories?q=nosuchword",
        "search, common word, rare nation": "/stories?q=care&nation=international",
        "search, common word, long ago": f"/stories?q=care&until={old}",
        "a story": f"/story?number={size // 2}",
        "refused": "/refused",
        "refused, a reason": "/refused?reason=not_found",
        "refused, ten days long ago": f"/refused?reason=off_topic&since={old}&until={older}",
        "refused, of a source": f"/refused?source={source}",
        "a refused entry": "/entry?id=1",
        "review": "/review",
    }


def timed(
    home: Home, asked: Mapping[str, str], rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Return how long each page took, and its CPU without children, in seconds, by rounds."""
    os.environ |= home.news
    os.environ["AIRFLOW_HOME"] = str(home.corpus.parent / "airflow")
    from starlette.testclient import TestClient  # Airflow's: it looks at its home when imported

    from plugins import newsdesk_page as page

    logging.disable()
    page.app.dependency_overrides[page.MAY_READ.dependency] = lambda: None
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    with TestClient(page.app) as client:
        for turn in range(rounds + 1):
            for name, path in asked.items():
                began, cpu = time.perf_counter(), time.process_time()
                answer = client.get(path)
                took = time.perf_counter() - began, time.process_time() - cpu
                if answer.status_code != 200:
                    raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:2000]}")
                if turn:  # the first reads the templates
                    taken[name].append(took)
    return taken


def homes(folder: Path) -> Iterator[tuple[str, Home]]:
    """Yield a home on each database there is."""
    file = folder / "feeds.toml"
    file.write_text("\n".join(
        f'[[feed]]\nurl = "{f.url}"\ntitle = "{f.title}"\nnation = "{f.nation}"\nkind = "{f.kind}"'
        for f in feeds()
    ))  # fmt: skip
    yield "SQLite", Home(folder / "sqlite", file)
    if SERVER:
        with database() as url:
            yield "PostgreSQL", Home(folder / "postgresql", file, NEWS_CATALOG=url)


def main(argv: Sequence[str] | None = None) -> None:
    """Fill, ask, hand in."""
    parser = arguments(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", help="stories; as many were refused")
    parser.add_argument("--under", type=Path, help="where to put the catalogs")
    options = parser.parse_args(argv)
    sizes = options.sizes or ([2_000, 10_000] if options.quick else [5_000, 50_000])
    rounds, result = 3 if options.quick else ROUNDS, Result("The Newsdesk page")
    medians: dict[str, dict[int, dict[str, float]]] = {}
    for size in sizes:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.under)))
            for name, home in homes(folder):
                kept = Story(title="Council plans", text="One budget for health and social care.")
                file = home.corpus / name_of(size // 2, render(kept))
                file.write_bytes(render(kept))
                with Archive(home.corpus.parent / "archive") as archive:
                    place = archive.append(PAGE)
                began = time.perf_counter()
                fill(home.news["NEWS_CATALOG"], size, place, kept)
                took = time.perf_counter() - began
                print(f"{name}, {size:,} stories: filled in {took:.0f} s", file=sys.stderr)
                taken = timed(home, pages(size), rounds)
                rows = [
                    [page, *(1000 * one for one in (
                        statistics.median(wall), sorted(wall)[-1 - len(wall) // 20],
                        statistics.median(cpu),
                    ))]
                    for page, some in taken.items() for wall, cpu in [zip(*some, strict=True)]
                ]  # fmt: skip
                medians.setdefault(name, {})[size] = {page: middle for page, middle, *_ in rows}
                what = f"{name}, {size:,} stories and as many refusals, in ms"
                result.table(what, ["page", "median", "95th percentile", "CPU"], rows)
    for name, told in medians.items():
        slowest = max(told[sizes[-1]].items(), key=lambda one: one[1])
        result.aim(
            f"each page under {1000 * AIM:.0f} ms with {sizes[-1]:,} stories, {name}",
            f"{slowest[0]}: {slowest[1]:.0f} ms", slowest[1] < 1000 * AIM,
        )  # fmt: skip
        series = {f"{size:,} stories": list(told[size].values()) for size in sizes}
        result.plot(f"Median ms a page, {name}", "bar", list(told[sizes[-1]]), series)
    result.hand_in(options.json)


if __name__ == "__main__":
    main()
