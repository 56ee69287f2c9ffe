"""Arguments -> runs; what people see in a terminal.

Exit status: 0 done; 1 done, and the answer is bad (a run in which everything failed, shelves
that differ, an example that fails, nothing known); 2 not done: usage, settings, files, shelves.
"""

import getpass
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ingest import logs, runs
from ingest.errors import RunFailed
from storage.errors import NewsError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Keeps a topical news corpus.")
feeds_app = typer.Typer(no_args_is_help=True, help="The list of feeds.")
topic_app = typer.Typer(no_args_is_help=True, help="What is collected.")
app.add_typer(feeds_app, name="feeds")
app.add_typer(topic_app, name="topic")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
All = Annotated[bool, typer.Option("--all", help="Ask feeds that are not due, too.")]
Again = Annotated[
    bool, typer.Option("--again", help="Judge every page in the archive anew; tell what differs.")
]
Dry = Annotated[bool, typer.Option("--dry-run", help="With --again: tell, and change nothing.")]
PATIENCE = 2.0  # seconds until a bar is shown
WORST = 10  # feeds named in `status`
COLOURS = {"well": "green", "new": "dim", "disabled": "dim"} | dict.fromkeys(
    ("gone", "unreachable", "unparseable"), "red"
)
BAD = 1
NOT_DONE = 2


def main() -> None:
    """Run the command line."""
    try:
        app()
    except RunFailed as error:
        err.print(f"[red]failed:[/red] {_text(error)}")
        sys.exit(BAD)
    except NewsError as error:
        err.print(f"[red]error:[/red] {_text(error)}")
        sys.exit(NOT_DONE)


@app.callback()
def _common(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="One line per decision on standard error.")
    ] = False,
) -> None:
    logs.configure(verbose)


# verbs


@app.command()
def init(as_json: Json = False) -> None:
    """Make the shelves and take up the stories that are in the corpus folder."""
    with _bars() as watch:
        done = runs.init(watch)
    _show(done, as_json, _pairs)
    if not as_json:
        out.print("\nNext: [bold]newsdesk poll[/bold]")


@app.command()
def poll(ask_all: All = False, as_json: Json = False) -> None:
    """Discover, fetch and sift, in a row."""
    with _bars() as watch:
        done = runs.poll(ask_all, watch)
    _show(done, as_json, _verbs)


@app.command()
def discover(ask_all: All = False, as_json: Json = False) -> None:
    """Ask the feeds that are due for new entries."""
    with _bars() as watch:
        done = runs.discover(ask_all, watch)
    _show(done, as_json, _pairs)


@app.command()
def fetch(as_json: Json = False) -> None:
    """Fetch the pages that are due into the archive."""
    with _bars() as watch:
        done = runs.fetch(watch)
    _show(done, as_json, _pairs)


@app.command()
def sift(again: Again = False, dry_run: Dry = False, as_json: Json = False) -> None:
    """Judge the fetched pages; keep the stories that are new. Sends no request."""
    with _bars() as watch:
        if again:
            _show(runs.sift_again(dry_run, watch=watch), as_json, _changes)
        else:
            _show(runs.sift(watch), as_json, _pairs)


@app.command()
def adopt(as_json: Json = False) -> None:
    """Take up the story files that people put into the corpus folder."""
    with _bars() as watch:
        done = runs.adopt(watch)
    _show(done, as_json, _pairs)


@app.command()
def decide(
    reference: Annotated[str, typer.Argument(help="A URL, a story's file or its number.")],
    what: Annotated[str, typer.Argument(help="accept, refuse, not_a_copy, copy_of or wrong_text")],
    why: Annotated[str, typer.Option(help="Your reason; it is kept.")],
    by: Annotated[str, typer.Option(help="Who decides; you when left out.")] = "",
    like: Annotated[str | None, typer.Option(help="The kept story meant by copy_of.")] = None,
    as_json: Json = False,
) -> None:
    """Put a verdict right. It outranks the rules from then on, and `topic check` runs it."""
    _show(runs.decide(reference, what, by or getpass.getuser(), why, like), as_json, _pairs)


# questions


@app.command()
def decisions(as_json: Json = False) -> None:
    """Show what people decided."""
    _show(runs.decided(), as_json, _decisions)


@app.command()
def status(
    settings: Annotated[bool, typer.Option("--settings", help="Show every setting.")] = False,
    as_json: Json = False,
) -> None:
    """Show the tally of all entries, the feeds and the last runs."""
    if settings:
        _show(runs.settings(), as_json, _pairs)
    else:
        _show(runs.status(), as_json, _status)


@app.command()
def why(
    reference: Annotated[str, typer.Argument(help="A URL, a story's file or its number.")],
    as_json: Json = False,
) -> None:
    """Tell the whole life of one entry: source, fetches, verdict, evidence, files."""
    life = runs.why(reference)
    if life is None:
        _nothing(f"no feed announced {reference}, and no story has that name", as_json)
    else:
        _show(life, as_json, _life)


@app.command()
def verify(as_json: Json = False) -> None:
    """Check corpus, catalog and archive against each other; status 1 when they differ."""
    with _bars() as watch:
        differences = runs.verify(watch)
    _show(differences, as_json, _differences)
    if differences:
        raise typer.Exit(BAD)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write; not the corpus itself.")],
    as_json: Json = False,
) -> None:
    """Write the texts with their provenance as JSON Lines and Parquet."""
    with _bars() as watch:
        done = runs.export(str(folder), watch)
    _show(done, as_json, _pairs)


# feeds


@feeds_app.command("list")
def feeds_list(as_json: Json = False) -> None:
    """Show every feed: how it does, how its last poll ended, when it is asked next."""
    _show(runs.feeds(), as_json, _feeds)


@feeds_app.command("add")
def feeds_add(
    url: str,
    title: Annotated[str, typer.Option(help="Its name; the feed's own when left out.")] = "",
    nation: Annotated[str, typer.Option(help="uk, england, scotland, wales ...")] = "uk",
    kind: Annotated[str, typer.Option(help="press, government, charity ...")] = "press",
    note: Annotated[str, typer.Option(help="For people.")] = "",
    as_json: Json = False,
) -> None:
    """Ask a feed once and, when it answers, write it into the feeds file."""
    _show(runs.add_feed(url, title, nation, kind, note), as_json, _pairs)


@feeds_app.command("check")
def feeds_check(
    urls: Annotated[list[str] | None, typer.Argument(help="All feeds when left out.")] = None,
    as_json: Json = False,
) -> None:
    """Ask feeds and keep nothing; status 1 when one of them fails."""
    with _bars() as watch:
        answers = runs.check_feeds(urls or [], watch)
    _show(answers, as_json, _checks)
    if not all(answer["works"] for answer in answers):
        raise typer.Exit(BAD)


@feeds_app.command("why")
def feeds_why(url: str, as_json: Json = False) -> None:
    """Tell when a feed is asked next and why, how it answered last, and where it is now."""
    known = runs.why_feed(url)
    if known is None:
        _nothing(f"no feed is or was at {url}: `newsdesk feeds list` shows all", as_json)
    else:
        _show(known, as_json, lambda all_: _pairs({k: v for k, v in all_.items() if v}))


@feeds_app.command("enable")
def feeds_enable(url: str, as_json: Json = False) -> None:
    """Ask a feed again, at the next poll, that said it is gone for good."""
    _show(runs.enable_feed(url), as_json, _pairs)


@feeds_app.command("discover")
def feeds_discover(
    site: Annotated[str, typer.Argument(help="One of its pages, such as its home page.")],
    add: Annotated[bool, typer.Option("--add", help="Write the best into the feeds file.")] = False,
    nation: Annotated[str, typer.Option(help="uk, england, scotland, wales ...")] = "uk",
    kind: Annotated[str, typer.Option(help="press, government, charity ...")] = "press",
    as_json: Json = False,
) -> None:
    """Look for a site's feeds, or else its sitemap; status 1 when there is none."""
    found = runs.discover_feeds(site, add, nation, kind)
    _show(found, as_json, _finds)
    if not any(find["entries"] or find["outcome"] == "known" for find in found["finds"]):
        raise typer.Exit(BAD)


@feeds_app.command("rediscover")
def feeds_rediscover(
    urls: Annotated[list[str] | None, typer.Argument(help="Dead feeds when left out.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write it into the feeds file.")] = False,
    as_json: Json = False,
) -> None:
    """Look on their own sites for the new addresses of feeds that died."""
    with _bars() as watch:
        answers = runs.rediscover_feeds(urls or [], apply, watch)
    _show(answers, as_json, _rediscovered)


@feeds_app.command("import")
def feeds_import(file: Path, as_json: Json = False) -> None:
    """Add the feeds of an OPML file to the feeds file."""
    _show(runs.import_opml(str(file)), as_json, _pairs)


@feeds_app.command("export")
def feeds_export(
    file: Annotated[Path | None, typer.Argument(help="Standard output when left out.")] = None,
    as_json: Json = False,
) -> None:
    """Write the feeds file as OPML."""
    opml = runs.export_opml()
    if file:
        file.write_text(opml, encoding="utf-8")
        _show({"file": str(file)}, as_json, _pairs)
    elif as_json:
        _show({"opml": opml}, as_json, _pairs)
    else:
        sys.stdout.write(opml)


# topic


@topic_app.command("check")
def topic_check(as_json: Json = False) -> None:
    """Run the topic file's examples and what people decided; status 1 when one fails."""
    done = runs.check_topic()
    _show(done, as_json, _examples)
    if done["failures"]:
        raise typer.Exit(BAD)


@topic_app.command("rescore")
def topic_rescore(
    topic: Annotated[
        Path | None, typer.Option(help="A topic file to try; ours if left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show, story by story, what would change if the archive were judged now; changes nothing."""
    with _bars() as watch:
        changes = runs.sift_again(True, str(topic) if topic else None, watch)
    _show(changes, as_json, _changes)


@topic_app.command("explain")
def topic_explain(
    reference: Annotated[str, typer.Argument(help="A text file, a known URL, or a number.")],
    as_json: Json = False,
) -> None:
    """Score a text and show the evidence for every point."""
    score = runs.explain_topic(reference)
    if score is None:
        _nothing(f"no text of {reference}: give a file, or an entry that was fetched", as_json)
    else:
        _show(score, as_json, _score)


# how things look


def _show(value: Any, as_json: bool, render: Callable[[Any], None]) -> None:
    if as_json:
        text = json.dumps(value, ensure_ascii=False, default=str)
        if not text.isprintable():  # the same value, with nothing in it that moves a cursor
            text = json.dumps(value, default=str)
        sys.stdout.write(text + "\n")
    else:
        render(value)


def _nothing(text: str, as_json: bool) -> None:
    _show(None, as_json, lambda _: err.print(_text(text)))
    raise typer.Exit(BAD)


def _text(value: object) -> str:
    """Return a value as safe text: no markup of ours in it, no control characters of theirs."""
    return escape(logs.harmless(str(value)))


def _table(*columns: str, title: str | None = None) -> Table:
    if title:
        out.print(f"\n[bold]{title}[/bold]")
    table = Table(*columns, box=None, pad_edge=False)
    table.columns[0].overflow = "fold"
    return table


def _pairs(values: Mapping[str, Any], title: str | None = None) -> None:
    table = _table("", "", title=title)
    table.show_header = False
    for key, value in values.items():
        table.add_row(f"[dim]{_text(key)}[/dim]", _text(value))
    out.print(table)


def _verbs(done: Mapping[str, Mapping[str, int]]) -> None:
    for verb, counts in done.items():
        _pairs({k: n for k, n in counts.items() if n} or {"nothing was due": ""}, title=verb)


def _status(state: Mapping[str, Any]) -> None:
    _pairs({"entries seen": state["entries"], "stories": state["stories"], "in": state["corpus"]})
    _pairs(state["tally"], title="how entries ended (adds up to the entries seen)")
    _pairs(state["feeds"], title="feeds")
    table = _table("", "", "", title="feeds that are not well" if state["ill"] else None)
    table.show_header = False
    for feed in state["ill"][:WORST]:
        table.add_row(_health(feed), _text(feed["title"]), _text(feed["evidence"]))
    out.print(table)
    if state["alerts"]:
        _pairs(state["alerts"], title="[red]alerts of the last runs[/red]")
    table = _table("verb", "started", "took", "counts", title="last runs")
    for run in state["runs"]:
        took = f"{(run['ended'] - run['started']).total_seconds():.1f} s" if run["ended"] else "-"
        counts = "  ".join(f"{k} {n}" for k, n in (run["counts"] or {}).items() if n)
        ended = f"[red]{_text(run['failed'])}[/red]" if run["failed"] else _text(counts)
        table.add_row(run["verb"], f"{run['started']:%d %b %H:%M:%S}", took, ended)
    out.print(table)


def _health(feed: Mapping[str, Any]) -> str:
    colour = COLOURS.get(feed["health"], "yellow")
    return f"[{colour}]{_text(feed['health'])}[/{colour}]"


def _life(life: Mapping[str, Any]) -> None:
    if entry := life.get("entry"):
        shown = ("url", "title", "source", "published", "first_seen", "state", "attempts")
        _pairs({key: entry[key] for key in shown}, title="announced")
        for seen in life["sightings"]:
            _pairs({"also": seen["source"]})
        for other in life["other_urls"]:
            _pairs({"also at": other["url"]})
        table = _table("until", "title", "summary", title="edited" if life["versions"] else None)
        for was in life["versions"]:
            until = f"{was['until']:%d %b %H:%M:%S}"
            table.add_row(until, _text(was["title"]), _text(was["summary"]))
        if life["versions"]:
            out.print(table)
        table = _table("when", "outcome", "detail", title="fetched")
        for one in life["fetches"]:
            detail = one["detail"] or f"{one['status']} {one['final_url']}"
            table.add_row(f"{one['at']:%d %b %H:%M:%S}", _text(one["outcome"]), _text(detail))
        out.print(table)
    else:
        out.print("put into the corpus by hand")
    if verdict := life.get("verdict"):
        said = {"reason": verdict["reason"], "evidence": verdict["evidence"] or "-"}
        if verdict["score"] is not None:
            said["topic score"] = f"{verdict['score']:.2f}"
        said |= {"at": verdict["at"], "extractor": verdict["extractor"]}
        _pairs(said, title="verdict")
        _points(verdict["points"] or ())
        for rule, line in verdict["removed"] or ():
            out.print(f"  [dim]left out ({_text(rule)}):[/dim] {_text(line)}")
    for key, title in (("story", "story"), ("copies", "is a copy of")):
        if life.get(key):
            _pairs(life[key], title=title)
    _beside(life.get("beside", ()))
    for key, title in (("copied_by", "refused as copies of it"), ("related", "on the same event")):
        if life.get(key):
            table = _table(*life[key][0], title=title)
            for row in life[key]:
                table.add_row(*map(_text, row.values()))
            out.print(table)
    where = {key: life[key] for key in ("file", "page") if key in life}
    _pairs(where, title="where it lies")


def _beside(rows: Iterable[tuple[bool, str, str]]) -> None:
    table = _table("the kept story", "this one", title=None)
    table.columns[0].ratio = table.columns[1].ratio = 1
    table.expand = True
    for agree, old, new in rows:
        style = "dim" if agree else "bold"
        table.add_row(
            *(f"[{style}]{_text(part)}[/{style}]" for part in (old, new)), end_section=True
        )
    if table.row_count:
        out.print(table)


def _points(points: Iterable[Iterable[Any]]) -> None:
    table = _table("points", "rule", "zone", "found")
    for rule, zone, found, value in points:
        table.add_row(f"{value:+.2f}", _text(rule), _text(zone), _text(found))
    if table.row_count:
        out.print(table)


def _score(score: Mapping[str, Any]) -> None:
    out.print(f"{_text(score['title'])}\n[bold]{_text(score['sentence'])}[/bold]")
    _points(score["points"])


def _differences(differences: list[str]) -> None:
    for line in differences:
        out.print(_text(line), soft_wrap=True)
    if not differences:
        out.print("corpus, catalog and archive agree")


def _feeds(feeds: list[dict[str, Any]]) -> None:
    table = _table("feed", "nation", "kind", "health", "last poll", "next poll", "")
    for feed in feeds:
        due = feed.get("next_poll")
        told = feed["evidence"] or feed.get("detail") or feed["note"]
        if to := feed.get("moved_to") or feed.get("address"):
            told = f"moved to {to} {told}"
        table.add_row(
            f"{_text(feed['title'])}\n[dim]{_text(feed['url'])}[/dim]",
            feed["nation"],
            feed["kind"],
            _health(feed),
            _text(feed.get("outcome", "never_polled")),
            f"{due:%d %b %H:%M}" if due and feed["enabled"] else "-",
            f"[dim]{_text(told)}[/dim]",
        )
    out.print(table)


def _checks(answers: list[dict[str, Any]]) -> None:
    table = _table("feed", "outcome", "entries", "newest", "")
    for answer in answers:
        colour = "green" if answer["works"] else "red"
        table.add_row(
            _text(answer["url"]),
            f"[{colour}]{_text(answer['outcome'])}[/{colour}]",
            str(answer["entries"]),
            f"{answer['newest']:%d %b %Y}" if answer["newest"] else "-",
            _text(answer["detail"]),
        )
    out.print(table)


def _finds(found: Mapping[str, Any]) -> None:
    table = _table("address", "via", "outcome", "entries", "newest", "found", "title")
    for one in found["finds"]:
        newest = f"{one['newest']:%d %b %Y}" if one["newest"] else "-"
        said = (one["url"], one["via"], one["outcome"], one["entries"], newest, one["how"])
        table.add_row(*map(_text, said), _text(one["title"]))
    if table.row_count:
        out.print(table)
    added = f"; added {found['added']}" if found["added"] else ""
    out.print(_text(f"asked {found['asked']} URLs{added}"))


def _rediscovered(answers: list[dict[str, Any]]) -> None:
    for one in answers:
        out.print(_text(f"{one['url']} -> {one['new'] or '-'} ({one['detail']})"), soft_wrap=True)
    if not answers:
        out.print("no feed is dead")


def _changes(changes: list[dict[str, Any]]) -> None:
    table = _table("story", "was", "score", "now", "score", "", "")
    for one in changes:
        was, now = (
            f"{s:.2f}" if s is not None else "-" for s in (one["score_was"], one["score_now"])
        )
        done = "changed" if one["done"] else "[dim]would change[/dim]"
        title = f"{_text(one['title'])}\n[dim]{_text(one['url'])}[/dim]"
        reasons = _text(one["was"]), was, f"[bold]{_text(one['now'])}[/bold]", now
        table.add_row(title, *reasons, done, f"[dim]{_text(one['evidence'])}[/dim]")
    out.print(table if changes else "every verdict would be the same today")


def _decisions(ruled: list[dict[str, Any]]) -> None:
    table = _table("when", "who", "what", "was", "story", "why")
    for one in ruled:
        told = one["by"], one["what"], one["was"], one["story"].partition("\n")[0], one["why"]
        table.add_row(f"{one['at']:%d %b %Y}", *map(_text, told))
    out.print(table if ruled else "nobody has decided anything yet")


def _examples(done: Mapping[str, Any]) -> None:
    failures = done["failures"]
    for line in failures:
        out.print(f"[red]fails[/red] {_text(line)}", soft_wrap=True)
    number = done["examples"] + done["decisions"]
    run = f"{done['examples']} examples and {done['decisions']} decisions"
    out.print(f"{_text(done['topic'])}: {number - len(failures)} of {run} pass")


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a watch that shows a bar for whatever takes longer than a moment, on a terminal."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )
    began, tasks = time.monotonic(), dict[str, Any]()

    def watch(verb: str, done: int, total: int) -> None:
        if not err.is_terminal or time.monotonic() - began < PATIENCE:
            return
        if verb not in tasks:
            progress.start()
            tasks[verb] = progress.add_task(verb, total=total)
        progress.update(tasks[verb], completed=done, total=total)

    try:
        yield watch
    finally:
        if tasks:
            progress.stop()


if __name__ == "__main__":
    main()
