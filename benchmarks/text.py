"""Cost of a page, a feed and a score beside the bare libraries: `python -m benchmarks.text`.

Ours and the bare library take turns on the same input in one run, so that what else the machine
does falls on both. Needs the folder of real data beside the checkout.
"""

import gzip
import json
import statistics
import sys
import warnings
from collections.abc import Callable
from io import BytesIO
from time import process_time

import feedparser
from trafilatura import bare_extraction

from ingest.extract import decode
from ingest.furniture import MAX_LEARNT, marks
from tests.builders import SHARED
from tests.quality.adapters import extract_page, feed_entries, topic_score


def cost(work: Callable[[], object], times: int = 3) -> float:
    """Return the CPU seconds of the cheapest of a few goes."""
    took = []
    for _ in range(times):
        began = process_time()
        work()
        took.append(process_time() - began)
    return min(took)


def extraction() -> str:
    """Compare a page's extraction, title and date included, with trafilatura's text alone."""
    folder = SHARED / "data" / "extraction"
    gold = json.loads((folder / "gold.json").read_text())
    ratios, spent, learning = [], [], []
    for name in sorted(gold)[::4]:
        html = decode(gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes()))
        url = gold[name].get("url")
        bare = cost(lambda h=html, u=url: bare_extraction(h, u, include_comments=False))
        ours = cost(lambda h=html, u=url: extract_page(h, u))
        ratios.append(ours / bare)
        spent.append(ours * 1000)
        learning.append(1000 * cost(lambda h=html: marks(h[:MAX_LEARNT])))
    return (
        f"extraction: {statistics.median(spent):.1f} ms a page, "
        f"{statistics.median(ratios):.2f} times bare trafilatura; "
        f"{statistics.median(learning):.1f} ms to learn its lines, at the fetch"
    )


def feeds() -> str:
    """Compare reading all feed documents with feedparser, its sanitiser and resolver off."""
    folder = SHARED / "data" / "feeds"
    expected = json.loads((folder / "expected.json").read_text())
    raws = [gzip.decompress((folder / one["file"]).read_bytes()) for one in expected.values()]

    def bare() -> None:
        for raw in raws:
            feedparser.parse(BytesIO(raw), sanitize_html=False, resolve_relative_uris=False)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ratio = cost(lambda: [feed_entries(raw, {}) for raw in raws]) / cost(bare)
    return f"feeds: {ratio:.2f} times bare feedparser over {len(raws)} documents"


def topic() -> str:
    """Time the score of 3,000 characters."""
    text = (min((SHARED / "seeds").glob("*.txt")).read_text("utf-8") * 2)[:3000]
    took = cost(lambda: topic_score(text.split("\n")[0], text), times=20)
    return f"topic: {took * 1000:.1f} ms for 3,000 characters"


if __name__ == "__main__":
    if not SHARED.is_dir():
        sys.exit("no real data beside the checkout: nothing to measure")
    for measured in (extraction, feeds, topic):
        print(measured(), flush=True)
