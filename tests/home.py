"""Shelves and settings of a test's own, for verbs in this process and commands in others."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingest import reading
from ingest.desk import Desk
from ingest.settings import read
from ingest.workers import Workers
from tests.builders import NOON

READERS = Workers(reading.read, reading.nothing_read)  # for all tests: starting takes them a second
PROCESSES = multiprocessing.get_context("forkserver")  # children of a clean one, with all imported
PROCESSES.set_forkserver_preload(["ingest.sift"])
ANYTHING = Path(__file__).parent / "data" / "anything.toml"  # a topic: English prose of any kind


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self, start: datetime = NOON) -> None:
        self.time = start

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Home:
    """A folder with a corpus, a catalog, an archive and a feeds file."""

    def __init__(self, folder: Path, feeds: Path | Iterable[str] = (), **news: str) -> None:
        self.corpus = folder / "corpus"
        self.corpus.mkdir(parents=True)
        if not isinstance(feeds, Path):
            lines = [f'[[feed]]\nurl = "{url}"\ntitle = "{url}"\n' for url in feeds]
            feeds = folder / "feeds.toml"
            feeds.write_text("\n".join(lines))
        self.feeds = feeds
        self.news = {
            "NEWS_CORPUS": str(self.corpus),
            "NEWS_CATALOG": f"sqlite:///{folder / 'catalog.sqlite'}",
            "NEWS_ARCHIVE": str(folder / "archive"),
            "NEWS_FEEDS": str(feeds),
            "NEWS_TOPIC": str(ANYTHING),
            "NEWS_USER_AGENT": "newsdesk-test (+https://newsdesk.example)",
            "NEWS_HOST_GAP": "0",
            "NEWS_ALLOW_NETWORKS": "127.0.0.0/8",
            **news,
        }

    def desk(self, clock: Clock | None = None) -> Desk:
        clock = clock or Clock()
        return Desk(read(self.news), now=clock.now, sleep=clock.sleep, readers=READERS)

    @property
    def environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NEWS_")}
        return {**kept, **self.news}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.python("from ingest import cli; cli.main()", *arguments)

    def python(self, text: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", text, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def told(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command; return its status, output and errors."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def newsdesk(self, *arguments: str, status: int = 0) -> Any:
        """Run a command that ends with that status; return its JSON."""
        code, out, err = self.told(*arguments, "--json")
        assert code == status, out + err
        return json.loads(out)

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.corpus.iterdir()}


def rss(entries: Iterable[tuple[str, str]], date: Callable[[int], str] | None = None) -> str:
    """Return a feed of (URL, title); `date` gives each its pubDate."""
    shown = "".join(
        f"<item><title>{title}</title><link>{url}</link><guid>{url}</guid>"
        + (f"<pubDate>{date(place)}</pubDate>" if date else "")
        + "</item>"
        for place, (url, title) in enumerate(entries)
    )
    return f'<rss version="2.0"><channel><title>Feed</title>{shown}</channel></rss>'
