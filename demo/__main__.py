"""`python -m demo`: Newsdesk on a small news site of our own, without the Internet."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.site import DemoSite
from ingest import logs, runs

TOPIC = Path(__file__).parent.parent / "topics" / "health-social-care-integration.toml"
DEADLINE = 1.5  # seconds for a page: one of the site's hangs
MEANING = {
    "kept": "on the topic and new: a file in the corpus",
    "off_topic": "bread, football, a wall and a car park",
    "duplicate_exact": "the same text in another outlet's clothes",
    "duplicate_near": "an agency's story cut short; a later version of one story",
    "will_retry": "hung, or a server error: it will be asked again, in an hour",
    "blocked_address": "led into a private network, where Newsdesk does not go",
    "bot_wall": "a page that asks whether we are human",
    "consent_page": "a page about cookies instead of a story",
    "paywall": "a first paragraph and a price",
    "not_found": "was announced, and is not there",
    "not_html": "a PDF",
    "redirect_loop": "led in a circle",
    "robots_denied": "the site's robots.txt asks us not to",
    "too_large": "16 kB that unpack to 100 MB: stopped at the limit",
    "too_short": "a line in brief, and no story",
}

out = Console(highlight=False, width=min(Console().width, 100))


def main() -> None:
    began = time.monotonic()
    logs.configure(verbose=False)
    with TemporaryDirectory(prefix="newsdesk-demo-") as folder, DemoSite() as site:
        _settle_in(Path(folder), site)
        _introduce(site)
        _first_poll(site)
        _second_poll(site)
        _show_files(Path(folder) / "corpus")
        _show_why(site)
        _verify()
    out.print(f"\n[dim]{time.monotonic() - began:.0f} seconds; everything is cleaned up.[/dim]")


def _settle_in(folder: Path, site: DemoSite) -> None:
    """Write the feeds file and the settings, as a person would."""
    feeds = folder / "feeds.toml"
    feeds.write_text("\n".join(f'[[feed]]\nurl = "{u}"\ntitle = "{t}"\n' for u, t in site.feeds))
    for name in [name for name in os.environ if name.startswith("NEWS_")]:
        del os.environ[name]
    os.environ |= {
        "NEWS_CORPUS": str(folder / "corpus"),
        "NEWS_CATALOG": f"sqlite:///{folder / 'catalog.sqlite'}",
        "NEWS_ARCHIVE": str(folder / "archive"),
        "NEWS_FEEDS": str(feeds),
        "NEWS_TOPIC": str(TOPIC),
        "NEWS_USER_AGENT": "Newsdesk-Demo/1 (+https://newsdesk.example; desk@newsdesk.example)",
        "NEWS_ALLOW_NETWORKS": "127.0.0.0/8",
        "NEWS_HOST_GAP": "0",
        "NEWS_MAX_PAGE_BYTES": "2000000",
        "NEWS_FETCH_DEADLINE": str(DEADLINE),
    }


def _introduce(site: DemoSite) -> None:
    _heading("A small news site")
    out.print(
        f"{len(site.sites)} web servers are running on this machine, on addresses that only it can "
        "reach: news outlets, with feeds in RSS, RDF, Atom and JSON. They tell 16 stories about "
        "health and social care integration, and, as real outlets do, other things besides: "
        "stories about bread and football, each other's stories in new clothes, pages that are "
        "missing, that hang, that want your cookies or your money.\n"
    )
    table = _table("feed", "where")
    for url, title in site.feeds:
        table.add_row(title, url)
    out.print(table)


def _first_poll(site: DemoSite) -> None:
    _heading("The first poll")
    out.print(
        "[bold]discover[/bold] reads the feeds, [bold]fetch[/bold] gets the pages, "
        "[bold]sift[/bold] takes the text out of each, and judges it.\n"
    )
    before = site.asked()
    _poll()
    _tally(runs.status())
    out.print(f"\n{site.asked() - before} requests were made.")


def _second_poll(site: DemoSite) -> None:
    url = site.go_on()
    _heading("The second poll")
    out.print(
        "A day later one outlet has one more story, and the rest have nothing new. Feeds that have "
        "not changed answer [italic]not modified[/italic], and no page is fetched twice.\n"
    )
    before = site.asked()
    done = _poll()
    feeds, pages, kept = done["discover"], done["fetch"], done["sift"].get("kept", 0)
    out.print(
        f"{feeds['feeds']} feeds asked, {feeds.get('not_modified', 0)} of them not modified; "
        f"{site.asked() - before} requests in all; {pages['fetched']} page fetched; "
        f"{kept} story kept: {url}"
    )


def _poll() -> Mapping[str, Mapping[str, int]]:
    with out.status("polling ..."):
        return runs.poll(ask_all=True)


def _tally(status: Mapping[str, Any]) -> None:
    table = _table("how it ended", "entries", "")
    for reason, count in sorted(status["tally"].items(), key=lambda pair: -pair[1]):
        name = f"[green]{reason}[/green]" if reason == "kept" else reason
        table.add_row(name, str(count), f"[dim]{MEANING.get(reason, '')}[/dim]")
    table.add_section()
    table.add_row("[bold]entries seen[/bold]", f"[bold]{status['entries']}[/bold]")
    out.print(table)


def _show_files(corpus: Path) -> None:
    _heading("What was kept")
    out.print("One story, one file; the first line is the title.\n")
    files = sorted(corpus.glob("*.txt"))
    table = _table("file", "words", "title")
    for file in files:
        text = file.read_text()
        table.add_row(file.name, str(len(text.split())), escape(text.partition("\n")[0]))
    out.print(table)
    if files:
        out.print(f"\n[dim]{files[0].name} begins:[/dim]\n{escape(files[0].read_text()[:420])} ...")


def _show_why(site: DemoSite) -> None:
    _heading("Why?")
    told = [
        site.weekly.site.url("/news/pooled-budget"),
        site.newsroom.site.url("/pooled-budget-westmere"),
    ]
    lives = {url: life for url in told if (life := runs.why(url))}
    # two outlets told this story; whichever was judged second is the copy
    url, life = max(lives.items(), key=lambda pair: bool(pair[1].get("copies")))
    out.print(f"Every entry can be asked about. `newsdesk why {url}`:\n")
    table = _table("", "")
    table.show_header = False
    entry, verdict = life["entry"], life["verdict"] or {}
    table.add_row("announced as", escape(entry["title"]))
    table.add_row("by", entry["source"])
    for one in life["fetches"]:
        table.add_row("fetched", f"{one['outcome']} {one['status'] or ''} {one['detail'] or ''}")
    table.add_row("verdict", f"[bold]{verdict.get('reason')}[/bold]")
    table.add_row("evidence", escape(verdict.get("evidence") or "-"))
    if copied := life.get("copies"):
        table.add_row("the story it copies", f"{copied['name']} {escape(copied['title'])}")
    if "page" in life:
        table.add_row("its page", life["page"])
    out.print(table)


def _verify() -> None:
    differences = runs.verify()
    _heading("Do the three shelves agree?")
    out.print("\n".join(differences) or "Corpus, catalog and archive agree: `newsdesk verify`.")
    if differences:
        sys.exit(1)


def _heading(words: str) -> None:
    out.print()
    out.rule(f"[bold]{words}[/bold]", align="left")


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False)


if __name__ == "__main__":
    main()
