"""The obvious script: feedparser, httpx, trafilatura and datasketch around a pool of threads.

    python script.py FEEDS OUT [--pages N]

What an able programmer writes in an afternoon for a topical corpus without copies. It keeps no
record, obeys no robots.txt, bounds nothing, and when it is killed it begins again.
"""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import feedparser
import httpx
import trafilatura
from datasketch import MinHash, MinHashLSH

ABOUT = re.compile(
    r"health and (?:social )?care (?:integration|partnership|board|trust)|integrat\w+|joined[- ]up"
    r"|joint (?:board|working|team|commissioning|committee)|pooled (?:budget|fund)|care trusts?"
    r"|better care fund|section 75|whole person care|health (?:and|&) wellbeing board|devo manc"
    r"|(?:shared|single) (?:budget|care record)|social care",
    re.IGNORECASE,
)
NHS = re.compile(r"\b(?:nhs|health|hospitals?|ccg|gps?)\b", re.IGNORECASE)
THREADS, HASHES, ALIKE, SHINGLE = 32, 128, 0.6, 4


def entries(client: httpx.Client, feed: str) -> list[tuple[str, str]]:
    """Return title and link of what a feed lists."""
    found = feedparser.parse(client.get(feed).content)
    return [(entry.title, entry.link) for entry in found.entries]


class Corpus:
    """Texts in a folder, no two alike."""

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self.folder, self.number, self.lock = folder, 0, Lock()
        self.known = MinHashLSH(threshold=ALIKE, num_perm=HASHES)

    def add(self, title: str, text: str) -> None:
        """Write a text, unless one like it is there."""
        words, sign = text.lower().split(), MinHash(num_perm=HASHES)
        shingles = {" ".join(words[n : n + SHINGLE]) for n in range(len(words) - SHINGLE + 1)}
        sign.update_batch([one.encode() for one in shingles])
        with self.lock:
            if self.known.query(sign):
                return
            self.known.insert(str(self.number), sign)
            name, self.number = f"{self.number:06}.txt", self.number + 1
        (self.folder / name).write_text(f"{title}\n\n{text}")


def main() -> None:
    """Fill the folder."""
    feeds, out = Path(sys.argv[1]).read_text().split(), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    corpus, limits = Corpus(out), httpx.Limits(max_keepalive_connections=THREADS)
    with httpx.Client(timeout=30, limits=limits) as client, ThreadPoolExecutor(THREADS) as pool:

        def take(entry: tuple[str, str]) -> None:
            title, link = entry
            try:
                page = client.get(link, follow_redirects=True)
            except httpx.HTTPError as error:
                print(f"{link}: {error}", file=sys.stderr)
                return
            text = trafilatura.extract(page.text, url=link, include_comments=False)
            if page.is_success and text and ABOUT.search(text) and NHS.search(text):
                corpus.add(title, text)

        found = [entry for some in pool.map(lambda f: entries(client, f), feeds) for entry in some]
        for _ in pool.map(take, dict.fromkeys(found)):
            pass


if __name__ == "__main__":
    main()
