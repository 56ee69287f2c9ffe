"""Arguments -> runs; what people see in a terminal.

Exit status: 0 done; 1 done, and the answer is bad (a run in which everything failed, shelves
that differ, an example that fails, nothing known); 2 not done: usage, settings, files, shelves.
"""

import getpass
import inspect
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from ingest import logs, runs
from ingest.backfill import ENDS
from ingest.errors import RunFailed
from storage.errors import NewsError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Keeps a topical news corpus.")
feeds_app = typer.Typer(no_args_is_help=True, help="The list of feeds.")
topic_app = typer.Typer(no_args_is_help=True, help="What is collected.")
app.add_typer(feeds_app, name="feeds")
app.add_typer(topic_app, name="topic")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Row = dict[str, Any]
PATIENCE = 2.0  # seconds until a bar is shown
SLICE = "source, way, from=since, to=until"
WORST = 10  # feeds named in `status`
COLOURS = {"well": "green", "new": "dim", "disabled": "dim"} | dict.fromkeys(
    ("gone", "unreachable", "unparseable"), "red"
)
KEYS = {"a": "accept", "r": "refuse", "s": "skip", "q": "quit"}
BAD = 1
NOT_DONE = 2
# How a parameter is given, by its name, wherever it stands; others are not for people.
OPTIONS: Mapping[str, Any] = {
    "ask_all": typer.Option("--all", help="Ask feeds that are not due, too."),
    "again": typer.Option(
        "--again", help="Judge every page in the archive anew; walk slices that are done."
    ),
    "mend": typer.Option(
        "--mend", help="First write files that are gone from the corpus anew, from their pages."
    ),
    "dry_run": typer.Option("--dry-run", help="Tell what would be done; ask and change nothing."),
    "since": typer.Option("--from", help="The first day, such as 2019-01-31; days are UTC's."),
    "until": typer.Option("--to", help="The day after the last."),
    "sources": typer.Option("--source", help="A feed's URL; may be repeated. Else every feed."),
    "kinds": typer.Option(
        "--kind", help="A way into the past; may be repeated. Else what each source offers."
    ),
    "reference": typer.Argument(
        help="A URL, a story's file or its number; to explain, any text file."
    ),
    "what": typer.Argument(help="accept, refuse, not_a_copy, copy_of or wrong_text"),
    "why": typer.Option(help="Your reason; it is kept."),
    "by": typer.Option(default_factory=getpass.getuser, help="Who decides.", show_default="you"),
    "like": typer.Option(help="The kept story meant by copy_of."),
    "within": typer.Option(
        "--within", help="Status 1 when no poll succeeded within so many hours.", metavar="HOURS"
    ),
    "hosts": typer.Option("--host", help="One of those to fetch from; may be repeated. Else all."),
    "settings": typer.Option("--settings", help="Show every setting."),
    "folder": typer.Argument(help="Where to write; not the corpus itself."),
    "fingerprints": typer.Option(
        metavar="FILE", help="A Parquet file to write: what others join on to find copies."
    ),
    "title": typer.Option(help="Its name; the feed's own when left out."),
    "nation": typer.Option(help="uk, england, scotland, wales ..."),
    "kind": typer.Option(help="press, government, charity ..."),
    "note": typer.Option(help="For people."),
    "url": typer.Argument(help="The feed's."),
    "urls": typer.Argument(help="When left out: all feeds to check, dead ones to rediscover."),
    "site": typer.Argument(help="One of its pages, such as its home page."),
    "add": typer.Option("--add", help="Write the best into the feeds file."),
    "apply": typer.Option("--apply", help="Write it into the feeds file."),
    "file": typer.Argument(help="An OPML file; to export, standard output when left out."),
    "topic": typer.Option(help="A topic file to try; ours if left out."),
    "older_than": typer.Option(
        min=1, metavar="DAYS", help="Days since a page was fetched, and judged."
    ),
    "paths": typer.Argument(help="WARC files, packed record by record or not at all."),
    "as_json": typer.Option("--json", help="Print one JSON value and nothing else."),
}


def main() -> None:
    """Run the command line."""
    try:
        app()
    except RunFailed as error:
        err.print(f"[red]failed:[/red] {_cell(error)}")
        sys.exit(BAD)
    except NewsError as error:
        err.print(f"[red]error:[/red] {_cell(error)}")
        sys.exit(NOT_DONE)


@app.callback()
def _common(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="One line per decision on standard error.")
    ] = False,
) -> None:
    logs.configure(verbose)


def _command(
    group: typer.Typer,
    name: str,
    run: Callable[..., Any],
    told: str,
    render: Callable[[Any], object],
    *,
    nothing: str = "",
    bad: Callable[[Any], object] = lambda answer: False,
) -> None:
    """Make a command of a function: its answer is rendered, or printed as JSON.

    `nothing` is said, with status 1, when there is no answer, and names the parameters; a `bad`
    answer ends with status 1, too.
    """

    def shown(*, as_json: bool, **given: Any) -> None:
        with _bars() as watch:
            runs.WATCH.set(watch)
            answer = run(**given)
        if as_json:
            text = json.dumps(answer, ensure_ascii=False, default=str)
            if not text.isprintable():  # the same value, with nothing in it that moves a cursor
                text = json.dumps(answer, default=str)
            sys.stdout.write(text + "\n")
        elif answer is None:
            err.print(_cell(nothing.format(**given)))
        else:
            render(answer)
        if answer is None or bad(answer):
            raise typer.Exit(BAD)

    as_json = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False)
    taken = [
        one.replace(kind=one.KEYWORD_ONLY, annotation=Annotated[one.annotation, OPTIONS[key]])
        for key, one in inspect.signature(run).parameters.items()
        if key in OPTIONS
    ]
    taken.append(as_json.replace(annotation=Annotated[bool, OPTIONS["as_json"]]))
    shown.__dict__["__signature__"] = inspect.Signature(taken)
    shown.__annotations__ = {one.name: one.annotation for one in taken}
    group.command(name, help=told)(shown)


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a watch that shows a bar for whatever takes longer than a moment, on a terminal."""
    progress = Progress(console=err, transient=True)
    began, tasks = time.monotonic(), dict[str, Any]()

    def watch(verb: str, done: int, total: int) -> None:
        if not err.is_terminal or time.monotonic() - began < PATIENCE:
            return
        name = verb.partition(" ")[0]  # what follows it changes
        if name not in tasks:
            progress.start()
            tasks[name] = progress.add_task(verb, total=total)
        progress.update(tasks[name], description=verb, completed=done, total=total)

    try:
        yield watch
    finally:
        if tasks:
            progress.stop()


# how things look


class Markup(str):
    """Safe text with markup of ours in it."""


def _cell(value: object) -> Markup:
    """Return a value as safe text: no control characters of theirs, no markup but ours."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, datetime):
        value = f"{value:%d %b %Y %H:%M}"
    return Markup(escape(logs.harmless("-" if value is None else str(value))))


def _in(style: str, value: object) -> Markup:
    return Markup(f"[{style}]{_cell(value)}[/]")


def _say(*values: object) -> None:
    out.print(*map(_cell, values), soft_wrap=True)


def _pairs(values: Row | Iterable[tuple[str, Any]], title: str = "") -> None:
    pairs = values.items() if isinstance(values, Mapping) else values
    _rows([{"": _in("dim", key), " ": value} for key, value in pairs], title=title)


def _rows(rows: Sequence[Row], columns: str = "", title: str = "", none: str = "") -> None:
    """Print rows under columns such as "entries, newest, last poll=outcome": heading=key.

    Without columns every key is one.
    """
    if not rows:
        out.print(none, end="\n" if none else "")
        return
    named = [one.split("=") for one in (columns or ", ".join(rows[0])).split(", ")]
    if title:
        out.print(f"\n[bold]{title}[/bold]")
    headings = [names[0].strip() for names in named]
    table = Table(*headings, box=None, pad_edge=False, show_header=any(headings))
    table.columns[0].overflow = "fold"
    for row in rows:
        table.add_row(*(_cell(row.get(names[-1])) for names in named))
    out.print(table)


# What people look for of all we know of a feed, the answer first.
FEED = (
    "url", "next_poll", "reason", "polled", "outcome", "detail", "failures", "newest", "usual_gap",
    "span", "overrun_at", "missed_since", "ttl", "update_every", "fresh", "skip_hours",
    "skip_days", "etag", "last_modified", "distrusted", "address",
    "moved_to", "moved_since", "disabled_by", "disabled_at", "shares",
)  # fmt: skip


def _feeds(feeds: Sequence[Row]) -> None:
    shown = "feed=name, nation, kind, health, last poll=outcome, next poll=next_poll, =told"
    _rows([{"outcome": "never_polled"} | feed | _health(feed) for feed in feeds], shown)


def _health(feed: Row) -> Row:
    told = feed["evidence"] or feed.get("detail") or feed.get("note", "")
    if to := feed.get("moved_to") or feed.get("address"):
        told = f"moved to {to} {told}"
    return {
        "name": _named(feed),
        "health": _in(COLOURS.get(feed["health"], "yellow"), feed["health"]),
        "next_poll": feed.get("next_poll") if feed.get("enabled") else None,
        "told": _in("dim", told),
    }


def _named(one: Row) -> Markup:
    return Markup(f"{_cell(one['title'])}\n{_in('dim', one['url'])}")


def _init(done: Row) -> None:
    _pairs(done)
    out.print("\nNext: [bold]newsdesk poll[/bold]")


def _verbs(done: Row) -> None:
    for verb, counts in done.items():
        _pairs({k: n for k, n in counts.items() if n} or {"nothing was due": ""}, verb)


def _sifted(done: Any) -> None:
    if not isinstance(done, list):
        _pairs(done)
        return
    changes = [
        one | {
            "name": _named(one), "now": _in("bold", one["now"]),
            "then": _score(one["score_was"]), "today": _score(one["score_now"]),
            "done": "changed" if one["done"] else _in("dim", "would change"),
            "evidence": _in("dim", one["evidence"]),
        }
        for one in done
    ]  # fmt: skip
    none = "every verdict would be the same today"
    _rows(changes, "story=name, was, score=then, now, score=today, =done, =evidence", none=none)


def _score(score: float | None) -> str | None:
    return None if score is None else f"{score:.2f}"


def _status(state: Row) -> None:
    if "tally" not in state:
        _pairs(state)
        return
    _pairs({"entries seen": state["entries"], "stories": state["stories"], "in": state["corpus"]})
    _pairs(state["tally"], "how entries ended (adds up to the entries seen)")
    if state["held"]:
        _pairs({"in the hands of workers": state["held"], "until": state["held_until"]})
    _pairs(state["feeds"], "feeds")
    ill = [feed | _health(feed) for feed in state["ill"][:WORST]]
    _rows(ill, "=health, =title, =evidence", "feeds that are not well")
    if state["late"]:
        out.print(_in("red", state["late"]))
    _pairs(state["alerts"], "[red]alerts of the last runs[/red]")
    _rows([run | _run(run) for run in state["runs"]], "verb, started, took, counts", "last runs")


def _run(run: Row) -> Row:
    took = f"{(run['ended'] - run['started']).total_seconds():.1f} s" if run["ended"] else None
    counts = "  ".join(f"{k} {n}" for k, n in (run["counts"] or {}).items() if n)
    return {"took": took, "counts": _in("red", run["failed"]) if run["failed"] else counts}


def _life(life: Row) -> None:
    if entry := life.get("entry"):
        shown = ("url", "title", "source", "published", "first_seen", "state", "attempts")
        told = [(key, entry[key]) for key in shown]
        if entry["attempts"] and entry["next_try"]:
            told.append(("asked again", entry["next_try"]))
        told += [("also", seen["source"]) for seen in life["sightings"]]
        told += [("also at", other["url"]) for other in life["other_urls"]]
        _pairs(told, "announced")
        _rows(life["versions"], "until, title, summary", "edited")
        fetches = [
            one | {"detail": one["detail"] or f"{one['status']} {one['final_url']}"}
            for one in life["fetches"]
        ]
        _rows(fetches, "when=at, outcome, detail", "fetched")
    else:
        out.print("put into the corpus by hand")
    if verdict := life.get("verdict"):
        said = {"reason": verdict["reason"], "evidence": verdict["evidence"] or None}
        if verdict["score"] is not None:
            said["topic score"] = _score(verdict["score"])
        _pairs(said | {"at": verdict["at"], "extractor": verdict["extractor"]}, "verdict")
        _points(verdict["points"] or ())
        for rule, line in verdict["removed"] or ():
            out.print(f"  [dim]left out ({_cell(rule)}):[/dim] {_cell(line)}")
    _pairs(life.get("story") or {}, "story")
    _pairs(life.get("copies") or {}, "is a copy of")
    _beside(life.get("beside", ()))
    _rows(life.get("copied_by", ()), title="refused as copies of it")
    _rows(life.get("related", ()), title="on the same event")
    _pairs([(key, life[key]) for key in ("file", "page") if key in life], "where it lies")


def _beside(rows: Sequence[tuple[bool, str, str]]) -> None:
    table = Table("the kept story", "this one", box=None, pad_edge=False, expand=True)
    table.columns[0].ratio = table.columns[1].ratio = 1
    for agree, *parts in rows:
        table.add_row(*(_in("dim" if agree else "bold", one) for one in parts), end_section=True)
    if rows:
        out.print(table)


def _points(points: Iterable[Iterable[Any]]) -> None:
    names = ("rule", "zone", "found", "value")
    rows = [dict(zip(names, one, strict=True)) for one in points]
    rows = [row | {"points": f"{row['value']:+.2f}"} for row in rows]
    _rows(rows, "points, rule, zone, found")


def _explained(score: Row) -> None:
    out.print(f"{_cell(score['title'])}\n{_in('bold', score['sentence'])}")
    _points(score["points"])


def _differences(differences: Sequence[str]) -> None:
    for line in differences or ["corpus, catalog and archive agree"]:
        _say(line)


def _checks(answers: Sequence[Row]) -> None:
    worked = [_in("green" if one["works"] else "red", one["outcome"]) for one in answers]
    rows = [
        one | {"outcome": how, "ways": ", ".join(one["ways"])}
        for one, how in zip(answers, worked, strict=True)
    ]
    _rows(rows, "feed=url, outcome, entries, newest, into its past=ways, =detail")


def _backfilled(done: Row) -> None:
    if "walk" in done:
        ends = [end for end in ENDS if any(one[end] for one in done["slices"])]
        _rows(done["slices"], ", ".join([SLICE, "state, found", *ends, "=reason"]))
        _verbs({verb: counts for verb, counts in done.items() if verb != "slices"})
        return
    none = "" if done["unknown"] else "there is nothing left to walk"
    _rows(done["slices"], f"{SLICE}, entries, requests", none=none)
    _say(f"{done['requests']} requests, {done['hours']} hours for {done['host'] or 'nobody'}")
    for url in done["no_way"]:
        _say("offers no way into its past:", url)
    for url in done["unknown"]:
        _say("not asked yet, `newsdesk feeds check` does:", url)


def _finds(found: Row) -> None:
    _rows(found["finds"], "address=url, via, outcome, entries, newest, found=how, title")
    _say(f"asked {found['asked']} URLs" + (f"; added {found['added']}" if found["added"] else ""))


def _decisions(ruled: Sequence[Row]) -> None:
    rows = [one | {"on": one["story"].partition("\n")[0]} for one in ruled]
    none = "nobody has decided anything yet"
    _rows(rows, "when=at, who=by, what, was, story=on, why", none=none)


def _review(waiting: Sequence[Row]) -> None:
    """Show one story after the other, and take a key for each."""
    for place, one in enumerate(waiting, start=1):
        life = runs.life(one["id"])
        assert life
        _rows([], none=f"\n[bold]{_cell(life['title'])}[/bold]")
        _pairs({"url": one["url"], "evidence": one["evidence"], "left": len(waiting) - place})
        _points(life["verdict"]["points"] or ())
        for paragraph in life["text"]:
            text = "".join(
                _in("black on yellow", said) if why else _cell(said) for why, said in paragraph
            )
            out.print(f"\n{text}")
        key = ""
        while key not in KEYS:
            err.print("\n" + ", ".join(f"[bold]{k}[/bold] {what}" for k, what in KEYS.items()))
            key = typer.getchar().lower()
        if KEYS[key] == "quit":
            return
        if KEYS[key] != "skip":
            done = runs.decide(one["url"], KEYS[key], by=getpass.getuser(), why="reviewed")
            _say(f"{KEYS[key]}: now {done['now']}")


def _examples(done: Row) -> None:
    failures, number = done["failures"], done["examples"] + done["decisions"]
    for line in failures:
        _say(_in("red", "fails"), line)
    run = f"{done['examples']} examples and {done['decisions']} decisions"
    _say(f"{done['topic']}: {number - len(failures)} of {run} pass")


# what is more than one call


def _sift(again: bool = False, dry_run: bool = False) -> Any:
    return runs.sift_again(dry_run) if again else runs.sift()


def _rescore(topic: Path | None = None) -> Any:
    return runs.sift_again(True, topic)


def _shown_status(settings: bool = False, within: float | None = None) -> Any:
    return runs.shown_settings() if settings else runs.status(within)


def _opml(file: Path | None = None) -> Row:
    opml = runs.export_opml()
    if file is None:
        return {"opml": opml}
    file.write_text(opml, encoding="utf-8")
    return {"file": str(file)}


@wraps(runs.backfill)
def _backfill(**given: Any) -> Row:
    try:
        return runs.backfill(**given)
    except KeyboardInterrupt:
        err.print("stopped; the same command goes on from here")
        raise


def _written(done: Row) -> None:
    sys.stdout.write(done["opml"]) if "opml" in done else _pairs(done)


_of_app, _of_feeds, _of_topic = (partial(_command, one) for one in (app, feeds_app, topic_app))
_of_app("init", runs.init, "Make the shelves; take up the stories in the corpus folder.", _init)
_of_app("poll", runs.poll, "Discover, fetch and sift, in a row.", _verbs)
_of_app("discover", runs.discover, "Ask the feeds that are due for new entries.", _pairs)
_of_app("fetch", runs.fetch, "Fetch the pages that are due into the archive.", _pairs)
_of_app("sift", _sift, "Judge the fetched pages; keep what is new. Sends no request.", _sifted)
_of_app(
    "scan", runs.scan, "Take the pages on the topic out of WARC files; goes on where it was.",
    _verbs,
)  # fmt: skip
_of_app(
    "backfill", _backfill, "Walk the days of a source's past, fetch their pages, sift.", _backfilled
)
_of_app("adopt", runs.adopt, "Take up the files that people put into the corpus folder.", _pairs)
_of_app(
    "decide", runs.decide,
    "Put a verdict right. It outranks the rules from then on, and `topic check` runs it.", _pairs,
)  # fmt: skip
_of_app("review", runs.to_review, "Accept or refuse what is uncertain, one key a story.", _review)
_of_app(
    "decisions", runs.decided, "Show what people decided.",
    _decisions,
)  # fmt: skip
_of_app(
    "status", _shown_status, "Show the tally of all entries, the feeds, the last runs.", _status,
    bad=lambda state: state.get("late"),
)  # fmt: skip
_of_app(
    "why", runs.why, "Tell the whole life of one entry: source, fetches, verdict, evidence, files.",
    _life, nothing="no feed announced {reference}, and no story has that name",
)  # fmt: skip
_of_app(
    "verify", runs.verify, "Check corpus, catalog and archive against each other; 1: they differ.",
    _differences, bad=bool,
)  # fmt: skip
_of_app(
    "prune", runs.prune,
    "Take pages out of the archive that no later verdict needs. Stories and verdicts stay.", _pairs,
)  # fmt: skip
_of_app(
    "export",
    runs.export,
    "Write texts and provenance, as JSON Lines and Parquet; or their fingerprints.",
    _pairs,
)
_of_feeds("list", runs.feeds, "Show every feed: how it does, and when it is asked next.", _feeds)
_of_feeds("add", runs.add_feed, "Ask a feed once; if it answers, add it to the feeds file.", _pairs)
_of_feeds(
    "check", runs.check_feeds, "Ask feeds and keep nothing; status 1 when one of them fails.",
    _checks, bad=lambda answers: not all(one["works"] for one in answers),
)  # fmt: skip
_of_feeds(
    "why", runs.why_feed,
    "Tell when a feed is asked next and why, how it answered last, and where it is now.",
    lambda known: _pairs({key: known.get(key) for key in FEED if known.get(key)}),
    nothing="no feed is or was at {url}: `newsdesk feeds list` shows all",
)  # fmt: skip
_of_feeds(
    "enable", runs.enable_feed,
    "Ask a feed again, at the next poll, that is gone for good or disabled.", _pairs,
)  # fmt: skip
_of_feeds(
    "disable", runs.disable_feed, "Ask a feed no more; its line in the feeds file stays.", _pairs
)
_of_feeds(
    "discover", runs.discover_feeds, "Look for a site's feeds, or else its sitemap; 1: none.",
    _finds,
    bad=lambda got: not any(one["entries"] or one["outcome"] == "known" for one in got["finds"]),
)  # fmt: skip
_of_feeds(
    "rediscover", runs.rediscover_feeds, "Look on their own sites for where dead feeds went.",
    partial(_rows, columns="feed=url, found=new, =detail", none="no feed is dead"),
)  # fmt: skip
_of_feeds("import", runs.import_opml, "Add the feeds of an OPML file to the feeds file.", _pairs)
_of_feeds("export", _opml, "Write the feeds file as OPML, to a file or standard output.", _written)
_of_topic(
    "check", runs.check_topic, "Run the topic's examples and people's decisions; 1: one fails.",
    _examples, bad=lambda done: done["failures"],
)  # fmt: skip
_of_topic("rescore", _rescore, "Show what would change, story by story; changes nothing.", _sifted)
_of_topic(
    "explain", runs.explain_topic, "Score a text and show the evidence for every point.",
    _explained, nothing="no text of {reference}: give a file, or an entry that was fetched",
)  # fmt: skip


if __name__ == "__main__":
    main()
