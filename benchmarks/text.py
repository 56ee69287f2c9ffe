"""Cost of a page, a feed and a score beside the bare libraries: `python -m benchmarks.text`.

Ours and the bare library take turns on the same input in one run, so that what else the machine
does falls on both. Needs the folder of real data beside the checkout.
"""

import gzip
import json
import statistics
import warnings
from collections.abc import Callable, Sequence
from io import BytesIO
from time import process_time

import feedparser
from trafilatura import bare_extraction

from benchmarks.frame import Result, arguments, need_shared
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


def extraction(result: Result, step: int) -> None:
    """Compare a page's extraction, title and date included, with trafilatura's text alone."""
    folder = SHARED / "data" / "extraction"
    gold = json.loads((folder / "gold.json").read_text())
    ratios, spent, learning = [], [], []
    for name in sorted(gold)[::step]:
        html = decode(gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes()))
        url = gold[name].get("url")
        bare = cost(lambda h=html, u=url: bare_extraction(h, u, include_comments=False))
        ours = cost(lambda h=html, u=url: extract_page(h, u))
        ratios.append(ours / bare)
        spent.append(ours * 1000)
        learning.append(
            1000 * cost(lambda h=html: marks(h[:MAX_LEARNT]), times=1)
        )  # the second time it knows them
    ratio = statistics.median(ratios)
    result.table(
        "A page taken apart",
        ("pages", "ms a page", "times bare trafilatura", "ms to learn its lines, at the fetch"),
        [(len(spent), statistics.median(spent), ratio, statistics.median(learning))],
    )


def feeds(result: Result, step: int) -> None:
    """Compare reading all feed documents with feedparser, its sanitiser and resolver off."""
    folder = SHARED / "data" / "feeds"
    expected = json.loads((folder / "expected.json").read_text())
    raws = [
        gzip.decompress((folder / one["file"]).read_bytes())
        for one in list(expected.values())[::step]
    ]

    def bare() -> None:
        for raw in raws:
            feedparser.parse(BytesIO(raw), sanitize_html=False, resolve_relative_uris=False)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ratio = cost(lambda: [feed_entries(raw, {}) for raw in raws]) / cost(bare)
    result.table("Feeds read", ("documents", "times bare feedparser"), [(len(raws), ratio)])


def topic(result: Result) -> None:
    """Time the score of 3,000 characters."""
    text = (min((SHARED / "seeds").glob("*.txt")).read_text("utf-8") * 2)[:3000]
    took = cost(lambda: topic_score(text.split("\n")[0], text), times=20)
    result.table("A text scored", ("characters", "ms"), [(3000, took * 1000)])


def main(argv: Sequence[str] | None = None) -> None:
    """Measure all three and hand in."""
    options = arguments(__doc__).parse_args(argv)
    need_shared()
    result, step = Result("A page, a feed, a score"), 40 if options.quick else 8
    extraction(result, step)
    feeds(result, 10 if options.quick else 1)
    topic(result)
    result.hand_in(options.json)


if __name__ == "__main__":
    main()
