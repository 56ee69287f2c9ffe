"""How large a desk must be: entries an hour and a processor, bytes of catalog, archive and corpus.

    python -m benchmarks.sizing [--quick] [--json FILE]

`newsdesk poll` on empty shelves over benchmarks.origin: real pages at 200 hosts, one in ten on the
topic, three in ten copies; no gap between requests. Once with a catalog in SQLite and, where
NEWS_TEST_POSTGRES names a server, once in PostgreSQL, whose own processor time is not counted.
Bytes are what the shelves hold when all is decided, indexes and full-text search included.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from benchmarks import origin
from benchmarks.frame import Result, arguments, measured, need_shared
from tests.databases import SERVER, database
from tests.home import Home

HOUR = 3600
COLUMNS = (
    "catalog", "entries", "CPU s", "entries an hour and processor", "catalog bytes an entry",
    "archive bytes a page", "corpus bytes a story",
)  # fmt: skip


def held(catalog: str) -> int:
    """Return the bytes of a catalog."""
    url = make_url(catalog)
    if url.drivername == "sqlite":
        return sum(path.stat().st_size for path in Path(str(url.database)).parent.glob("*.sqlite*"))
    engine = create_engine(url)
    size = (
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    with engine.connect() as connection:
        found = connection.scalar(text(size))
    engine.dispose()
    return int(found or 0)


def row(name: str, home: Home) -> tuple[str | float, ...]:
    """Poll once and measure what it took and left."""
    newsdesk = Path(sys.executable).with_name("newsdesk")
    home.newsdesk("init")
    used = measured([newsdesk, "poll", "--json"], environment=home.news)
    told = json.loads(used.out)
    archive = [path.stat().st_size for path in Path(home.news["NEWS_ARCHIVE"]).rglob("*.gz")]
    corpus = [path.stat().st_size for path in home.corpus.iterdir()]
    pages = told["fetch"]["fetched"]
    return (
        name, pages, used.cpu, pages / used.cpu * HOUR, held(home.news["NEWS_CATALOG"]) / pages,
        sum(archive) / pages, sum(corpus) / len(corpus),
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Measure each catalog and hand in what was found."""
    given = arguments(__doc__).parse_args(argv)
    need_shared()
    pages, result = 400 if given.quick else 2000, Result("How large a desk must be")
    with ExitStack() as open_, tempfile.TemporaryDirectory() as folder, origin.running(pages):
        catalogs = {"SQLite": ""}
        if SERVER:
            catalogs["PostgreSQL"] = open_.enter_context(database())
        rows = []
        for name, catalog in catalogs.items():
            own = {"NEWS_CATALOG": catalog} if catalog else {}
            home = Home(Path(folder) / name, origin.feeds(), NEWS_TOPIC="", **own)
            rows.append(row(name, home))
    result.table("A poll of real pages, to the last verdict", COLUMNS, rows)
    result.hand_in(given.json)


if __name__ == "__main__":
    main()
