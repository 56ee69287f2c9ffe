"""From feeds to a corpus: Newsdesk beside trafilatura, news-please, fundus and an obvious script.

    python -m benchmarks.pipeline [--quick] [--pages 20000] [--turns 2]

benchmarks.origin stands for 200 hosts with 400 feeds on loopback addresses, 20 ms away; its
processor time is in no figure. Ours is `newsdesk poll` on empty shelves, until nothing is left to
fetch; there is no gap between requests to a host. Ours and the script take turns on 2,000 pages,
then ours takes 20,000, to see how it grows. The slow ones get fewer, and are run once: pages a
CPU second compare.

A story is found when a kept text bears the sign of a page; each story counts once, so that a copy
kept beside its original is as wrong as one off the topic. Those that know no topic keep
everything; their precision is what is left to do.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median as middle

from benchmarks import origin, peers
from benchmarks.frame import Result, Used, arguments, in_turn, measured, median, need_shared

HERE = Path(__file__).parent
A_POLL = 5_000  # pages: ingest.fetch.BATCH
NEWS_PLEASE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import feedparser, logging
from newsplease import NewsPlease
logging.disable(logging.CRITICAL)
feeds, out, most = Path(sys.argv[1]).read_text().split(), Path(sys.argv[2]), int(sys.argv[3])
out.mkdir(parents=True)
with ThreadPoolExecutor(32) as pool:
    links = [e.link for found in pool.map(feedparser.parse, feeds) for e in found.entries]
found = NewsPlease.from_urls(links[:most], request_args={"timeout": 30}, fetch_images=False)
for n, one in enumerate(found.values()):
    if one:
        (out / f"{n:06}.txt").write_text(f"{one.title}\\n\\n{one.maintext}")
"""


@dataclass(frozen=True)
class Kept:
    """How good what was kept is."""

    texts: int
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Return the harmonic mean."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def judged(texts: Iterable[str], pages: int) -> Kept:
    """Compare the kept texts with what is true of the pages."""
    told, kept, right = origin.told(pages), 0, set[int]()
    for text in texts:
        kept += 1
        if (sign := origin.SIGN.search(text)) and (one := told[int(sign[1])]).on_topic:
            right.add(one.story)
    wanted = {one.story for one in told if one.on_topic}
    return Kept(kept, len(right) / max(kept, 1), len(right) / max(len(wanted), 1))


class Bench:
    """The runs, each on shelves of its own."""

    def __init__(self, folder: Path) -> None:
        """Take a folder for the shelves."""
        self.folder, self.runs = folder, 0
        self.kept: dict[str, list[Kept]] = {}
        self.verdicts = ""

    def _fresh(self) -> Path:
        self.runs += 1
        folder = self.folder / str(self.runs)
        folder.mkdir()
        (folder / "feeds.txt").write_text("\n".join(origin.feeds()))
        return folder

    def _judge(self, name: str, out: Path, pages: int) -> None:
        texts = (one.read_text(errors="replace") for one in out.rglob("*.txt"))
        self.kept.setdefault(name, []).append(judged(texts, pages))

    def ours(self, pages: int, name: str = "newsdesk") -> Used:
        """Poll until nothing is left to fetch."""
        folder = self._fresh()
        feeds = "".join(f'[[feed]]\nurl = "{one}"\ntitle = "{one}"\n' for one in origin.feeds())
        (folder / "feeds.toml").write_text(feeds)
        settings = {
            "NEWS_CORPUS": str(folder / "corpus"),
            "NEWS_CATALOG": f"sqlite:///{folder / 'catalog.sqlite'}",
            "NEWS_ARCHIVE": str(folder / "archive"),
            "NEWS_FEEDS": str(folder / "feeds.toml"),
            "NEWS_USER_AGENT": "newsdesk-benchmark (+https://newsdesk.example)",
            "NEWS_HOST_GAP": "0",
            "NEWS_ALLOW_NETWORKS": "127.0.0.0/8",
        }
        poll = f"{Path(sys.executable).with_name('newsdesk')} poll --json"
        command = ["sh", "-ec", "; ".join([poll] * -(-pages // A_POLL))]
        used = measured(command, environment=settings)
        self.verdicts = used.out
        self._judge(name, folder / "corpus", pages)
        return used

    def script(self, pages: int) -> Used:
        """Run the obvious script."""
        return self._peer("script", "script", [HERE / "script.py"], pages)

    def trafilatura(self, pages: int) -> Used:
        """Run trafilatura's own command, with no rest between requests."""
        settings = Path(
            peers.python("trafilatura") or ""
        ).parent.parent  # its own settings, but for two
        (default,) = settings.glob("lib/python3*/site-packages/trafilatura/settings.cfg")
        config = self.folder / "trafilatura.cfg"
        text = default.read_text().replace("SLEEP_TIME = 5.0", "SLEEP_TIME = 0")
        config.write_text(text.replace("SSRF_PROTECTION = on", "SSRF_PROTECTION = off"))
        tool = Path(peers.python("trafilatura") or "").with_name("trafilatura")
        folder = self._fresh()
        out = folder / "out"
        command = [
            tool, "--feed", "--input-file", folder / "feeds.txt", "--output-dir", out,
            "--parallel", "16", "--config-file", config, "--no-comments",
        ]  # fmt: skip
        used = measured(command, may_fail=True, most=900, quiet=True)
        self._judge("trafilatura", out, pages)
        return used

    def fundus(self, pages: int) -> Used:
        """Run fundus with a parser that takes all paragraphs."""
        return self._peer("fundus", "fundus", [HERE / "with_fundus.py"], pages)

    def news_please(self, pages: int, most: int) -> Used:
        """Run news-please on the first so many pages."""
        return self._peer("news-please", "news-please", ["-c", NEWS_PLEASE], pages, [str(most)])

    def _peer(
        self, name: str, peer: str, what: Sequence[object], pages: int, more: Sequence[str] = ()
    ) -> Used:
        folder = self._fresh()
        out = folder / "out"
        command = [peers.python(peer), "-W", "ignore", *what, folder / "feeds.txt", out, *more]
        used = measured(command, most=900, quiet=True)
        self._judge(name, out, pages)
        return used


def main(argv: Sequence[str] | None = None) -> None:
    """Run all and hand in."""
    parser = arguments(__doc__)
    parser.add_argument("--pages", type=int, help="of the longest run of ours")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--of", nargs="+", help="only these rows")
    options = parser.parse_args(argv)
    need_shared()
    few, some = (400, 40) if options.quick else (2_000, 120)
    many = options.pages or (few if options.quick else 20_000)
    result, turns = Result("From feeds to a corpus"), 1 if options.quick else options.turns
    with tempfile.TemporaryDirectory(dir=origin.FOLDER if origin.FOLDER.exists() else None) as at:
        bench = Bench(Path(at))
        taken: dict[str, list[Used]] = {}
        counts = dict.fromkeys(("newsdesk", "script", "trafilatura", "fundus"), few)
        counts["news-please"] = some
        with origin.running(few):
            paired = {"newsdesk": partial(bench.ours, few), "script": partial(bench.script, few)}
            once: dict[str, Callable[[], Used]] = {
                "fundus": partial(bench.fundus, few),
                "trafilatura": partial(bench.trafilatura, few),
                "news-please": partial(bench.news_please, few, some),
            }
            if options.quick:  # they judge nothing
                once.clear()
            for rows, times in ((paired, turns), (once, 1)):
                here = {
                    name: run
                    for name, run in rows.items()
                    if (not options.of or name in options.of)
                    and (name == "newsdesk" or peers.python(name))
                    and (name != "trafilatura" or origin.PORT == 80)
                }
                taken |= in_turn(times, here)
        if many > few:
            with origin.running(many):
                name = f"newsdesk, {many:,}"
                taken[name], counts[name] = [bench.ours(many, name)], many
        report(result, taken, counts, bench, few)
    result.hand_in(options.json)


def report(
    result: Result,
    taken: dict[str, list[Used]],
    counts: dict[str, int],
    bench: Bench,
    few: int,
) -> None:
    """Make the table, the aims and the plots."""
    cores = min(2, len(os.sched_getaffinity(0)))
    rows, rates = [], dict[str, float]()
    for name, runs in taken.items():
        kept = bench.kept[name][-1]
        wall, cpu, peak = (median(runs, what) for what in ("wall", "cpu", "peak"))
        rates[name] = counts[name] / cpu
        # news-please had the first pages alone, so that what it found is not compared
        found = (None, None) if name == "news-please" else (kept.precision, kept.recall)
        rows.append(
            (name, counts[name], wall, cpu, rates[name], counts[name] / wall,
             wall * cores / cpu, peak, kept.texts, *found)
        )  # fmt: skip
    columns = (
        "", "pages", "wall s", "CPU s", "pages a CPU s", "pages a s", "wall / limit",
        "peak MB", "texts kept", "precision", "recall",
    )  # fmt: skip
    result.table("Cold shelves; the limit is the CPU seconds over two processors", columns, rows)
    mine = [name for name in taken if name.startswith("newsdesk")]
    others = {name: rate for name, rate in rates.items() if name not in mine}
    last = mine[-1]
    if others:
        best = max(others, key=others.__getitem__)
        ratio = rates[mine[0]] / rates[best]
        f1, theirs = bench.kept[mine[0]][-1].f1, bench.kept[best][-1].f1
        result.aim(
            "pages a CPU second: 5 times the best peer, kept stories no worse",
            f"{ratio:.1f} times {best}, F1 of kept stories {f1:.2f} and {theirs:.2f}",
            ratio >= 5 and f1 >= theirs,
        )
        ratios = [round(rate / rates[mine[0]], 3) for rate in rates.values()]
        result.plot(
            "Pages a CPU second, ours being 1", "bar", list(rates), {"pages a CPU second": ratios}
        )
    limits = {name: middle(u.wall * cores / u.cpu for u in taken[name]) for name in mine}
    result.aim("wall time: 1.25 times the limit", f"{limits[last]:.2f}", limits[last] <= 1.25)
    peaks = {name: median(taken[name], "peak") for name in mine}
    result.aim(
        "peak memory: 600 MB, flat from 2,000 to 20,000 pages",
        ", ".join(f"{counts[name]:,} pages: {peak:.0f} MB" for name, peak in peaks.items()),
        len(mine) > 1 and max(peaks.values()) <= 600 and peaks[last] <= 1.2 * peaks[mine[0]],
    )
    if len(mine) > 1:
        x = [counts[name] for name in mine]
        grown = {
            "CPU ms a page": [1000 / rates[name] for name in mine],
            "peak, 10 MB": [peaks[name] / 10 for name in mine],
        }
        result.plot("How ours grows with the pages", "line", x, grown)


if __name__ == "__main__":
    main()
