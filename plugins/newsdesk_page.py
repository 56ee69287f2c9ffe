"""The Newsdesk page in Airflow: read and decide, behind Airflow's own login and roles.

Whoever may read the DAG `poll` may read here, whoever may edit it may decide. A request that
decides must come from a page of this site: a browser says where a request comes from, in
Sec-Fetch-Site (Fetch Metadata, W3C) or in Origin (RFC 6454), and a stranger's page cannot forge
either. All text is escaped, no script or style stands in a page, and the policy forbids both.
"""

import re
from calendar import month_abbr
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, ParamSpec, TypeVar
from urllib.parse import urlencode, urlsplit

import pygal
from airflow.api.common.trigger_dag import trigger_dag
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models import DagModel, DagRun
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType
from fastapi import Depends, FastAPI, Form, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from lxml import etree
from markupsafe import Markup
from starlette.exceptions import HTTPException as StarletteHTTPException

from ingest import runs
from ingest.health import ORDER, WELL
from ingest.workers import Workers
from storage.errors import NewsError

DAG = "poll"
HERE = Path(__file__).resolve().parent
P = ParamSpec("P")
R = TypeVar("R")
TURN = Lock()  # at the reader
DAYS = 14  # shown when no dates are asked for
FIRST, LAST = date(1900, 1, 1), date(2200, 1, 1)  # all stories are between
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def same_site(request: Request) -> None:
    """Refuse what another site had a browser send: cookies alone are no proof of a wish."""
    told = request.headers.get("sec-fetch-site")
    origin = urlsplit(request.headers.get("origin", "")).netloc
    if not (told == "same-origin" if told else origin and origin == request.headers.get("host")):
        raise HTTPException(403, "this must be sent from a page of Newsdesk itself")


MAY_READ = Depends(requires_access_dag("GET", param_dag_id=DAG))
MAY_DECIDE = [Depends(requires_access_dag("PUT", param_dag_id=DAG)), Depends(same_site)]
MAY_START = Depends(requires_access_dag("POST", DagAccessEntity.RUN, param_dag_id=DAG))
app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[MAY_READ])

Text = Annotated[str, Query(max_length=2000)]
Said = Annotated[str, Form(max_length=2000)]


@app.middleware("http")
async def _guard(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    answer = await go_on(request)
    answer.headers.update(HEADERS)
    return answer


@app.exception_handler(NewsError)
def _sorry(request: Request, error: Exception) -> Response:
    return _page("sorry.html", status=409, told=str(error), login=False)


@app.exception_handler(StarletteHTTPException)
def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    status = error.status_code
    told = {401: "Only those who are logged in see this.", 404: "There is nothing of that name."}
    login = status == 401
    return _page("sorry.html", status, told=told.get(status, str(error.detail)), login=login)


# how things look


def _ago(moment: datetime | None) -> str:
    if moment is None:
        return "never"
    gone = datetime.now(UTC) - moment
    return f"in {_span(-gone)}" if gone < timedelta(0) else f"{_span(gone)} ago"


def _due(moment: datetime) -> str:
    return _ago(moment) if moment > datetime.now(UTC) else "due: at the next run"


def _span(one: timedelta | None) -> str:
    seconds = (one or timedelta(0)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _web(url: str | None) -> str:
    """Return a URL that may stand in a link; strangers' schemes may not."""
    return url if url and url.startswith(("http://", "https://")) else ""


def _link(page: str, **asked: object) -> str:
    return f"{page}?{urlencode({key: one for key, one in asked.items() if one})}"


def _ends(told: str) -> str:
    """Return a passage that agrees, without its middle when it is long."""
    if len(told) <= 300:
        return told
    return f"{told[:140].rpartition(' ')[0]} … {told[-140:].partition(' ')[2]}"


def _evidence(said: str) -> str:
    """Return the evidence of a verdict as people read it: what is said of a copy, in words."""
    found = re.fullmatch(r"like=(\S+) kind=(\S+) containment=(\S+) swaps=\S+", said)
    return (
        f"{_words(found[2])} of {found[1]}, {float(found[3]):.0%} of the words" if found else said
    )


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


PAGES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
PAGES.filters |= {
    "source_pair": lambda one: (one["url"], one["title"] or one["url"]),
    "words_pair": lambda one: (one, _words(one)),
    "ago": _ago,
    "due": _due,
    "span": _span,
    "bytes": _bytes,
    "web": _web,
    "words": _words,
    "ends": _ends,
    "evidence": _evidence,
    "before": lambda day, days: day - timedelta(days=days),
    "month": lambda number: month_abbr[number],
}
PAGES.globals |= {"link": _link, "WELL": WELL}


def _page(name: str, status: int = 200, **told: object) -> HTMLResponse:
    return HTMLResponse(PAGES.get_template(name).render(told), status_code=status)


def _plot(bars: Mapping[date, Mapping[str, int]], shown: str) -> Markup:
    """Return stories by day, month or year as an SVG image without style and script."""
    labels = [day.strftime(shown) for day in bars]
    plot = pygal.StackedBar(
        width=900, height=300, margin=4, spacing=6, js=(), css=(), show_minor_x_labels=False,
        truncate_legend=24, legend_at_bottom=True, legend_at_bottom_columns=4, legend_box_size=12,
        order_min=0, truncate_label=-1, y_title="stories",
    )  # fmt: skip
    plot.x_labels = labels
    plot.x_labels_major = labels[:: -(-len(labels) // 12)]
    for group in sorted({group for counts in bars.values() for group in counts}):
        plot.add(_words(group), [counts.get(group) for counts in bars.values()])
    tree = plot.render_tree()
    etree.strip_elements(tree, "{*}script", "{*}style", "{*}title", etree.Comment, with_tail=False)
    etree.strip_attributes(tree, "style")
    tree.set("viewBox", "0 0 900 340")  # its legend hangs out below what it says is its height
    tree.set("role", "img")
    tree.set("aria-label", "Stories by the day they appeared; the table below has the figures")
    return Markup(etree.tostring(tree, encoding="unicode"))  # pygal escapes


# what is shown


@app.get("/{name}.{kind}")
def piece(name: str, kind: str) -> Response:
    """Return one of the page's own files."""
    if (name, kind) not in (("page", "css"), ("page", "js"), ("theme", "js")):
        raise HTTPException(404)
    return FileResponse(HERE / "templates" / f"{name}.{kind}")


@app.get("/")
def overview(since: str = "", until: str = "", by: str = "nation") -> Response:
    """Stories per day, what became of entries, how long it took, slices of the past, disk."""
    today = datetime.now(UTC).date()
    end = _day(until) or today
    begin = min(_day(since) or end - timedelta(days=DAYS - 1), end)
    told = runs.overview(begin, end, "kind" if by == "kind" else "nation")
    shown = {"day": "%d %b", "month": "%b %Y", "year": "%Y"}[told["unit"]]
    plot = _plot(told["bars"], shown) if any(told["bars"].values()) else None
    return _page("overview.html", since=begin, until=end, by=by, plot=plot, shown=shown, **told)


@app.get("/slices")
def slices(
    month: str = "", kind: Text = "", source: Text = "", state: Text = "", before: int | None = None
) -> Response:
    """What of the past was asked for: a calendar, and the slices of one month."""
    asked = {"month": month, "kind": kind, "source": source, "state": state}
    told = runs.slices_of(_day(month and f"{month}-01"), kind, source, state, before)
    return _page("slices.html", asked=asked, **told)


@app.get("/sources")
def sources() -> Response:
    """Every source: how it does, and when it is asked next."""
    told = sorted(runs.feeds(), key=lambda one: (ORDER.index(one["health"]), one["title"].lower()))
    return _page("sources.html", feeds=told)


@app.get("/source")
def source(url: Text, session: SessionDep, before: str = "", done: str = "") -> Response:
    """One source: what is known of it, its last polls, its slices, its entries."""
    known = runs.why_feed(url)
    if known is None:
        raise HTTPException(404)
    told = runs.feed_page(url, before)
    said = _of_runs(session) if done == "asked" else done
    return _page("source.html", known=known, said=said, before=before, **told)


def _of_runs(session: SessionDep) -> str:
    """Return what becomes of a run of the DAG that was asked for now."""
    dag = DagModel.get_dagmodel(DAG, session=session)
    if dag and dag.is_paused:
        return f"A run waits: the DAG {DAG} is paused. It begins when somebody lets the DAG go on."
    if running := DagRun.find(dag_id=DAG, state=DagRunState.RUNNING, session=session):
        return f"A run waits for the end of {running[0].run_id}, then it begins."
    return "A run begins in a moment."


@app.get("/run")
def run(occasion: Text, reason: Text = "", before: str = "") -> Response:
    """What one run of a DAG did, verb by verb, and the entries that got their verdict in it."""
    asked = {"occasion": occasion, "reason": reason}
    return _page("run.html", asked=asked, **runs.run_page(occasion, reason, before))


@app.get("/stories")
def stories(
    q: Text = "",
    nation: Text = "",
    source: Text = "",
    since: str = "",
    until: str = "",
    before: str = "",
) -> Response:
    """Stories, the newest first: found by words, nation, source and day."""
    begin, end = _day(since), _day(until)
    asked = {"q": q, "nation": nation, "source": source, "since": begin, "until": end}
    told = runs.stories(q, nation, source, begin, end, before)
    return _page("stories.html", asked=asked, before=before, **told)


def _day(said: str) -> date | None:
    try:
        day = date.fromisoformat(said) if said else None
    except ValueError:
        raise HTTPException(422, f"{said!r} is no day: write 2026-11-22") from None
    if day and not FIRST <= day < LAST:
        raise HTTPException(422, f"{said} is too far away: there is nothing")
    return day


@cache
def _reader() -> Workers[Any]:
    from ingest.reading import nothing_read, read  # numpy and more

    return Workers(read, nothing_read, count=1)


def _reading(run: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call what may read a page anew, with a child process that stays: to start one takes a second.

    One at a time: it serves one thread.
    """
    with TURN:
        runs.READERS.set(_reader())
        return run(*args, **kwargs)


@app.get("/story")
def story(number: int) -> Response:
    """One story of the corpus."""
    return _life(str(number))


@app.get("/entry")
def entry(id: int) -> Response:
    """One entry, kept or not."""
    return _life(id)


def _life(reference: str | int) -> Response:
    life = _reading(runs.life, reference)
    if life is None:
        raise HTTPException(404)
    return _page("life.html", life=life)


@app.get("/refused")
def refused(
    reason: Text = "", source: Text = "", since: str = "", until: str = "", before: str = ""
) -> Response:
    """What was not kept, by reason, source and day of the verdict, and why not."""
    begin, end = _day(since), _day(until)
    asked = {"reason": reason, "source": source, "since": begin, "until": end}
    told = runs.entries(reason, source, begin, end, before)
    return _page("refused.html", asked=asked, before=before, **told)


@app.get("/review")
def review(after: str = "", done: int | None = None) -> Response:
    """The entry that has waited longest for a person's word; and what became of the one before."""
    last = runs.known(done) if done is not None else None
    return _page("review.html", life=_reading(runs.review, after), last=last)


@app.post("/decide", dependencies=MAY_DECIDE)
def decide(
    user: GetUserDep,
    url: Said,
    entry: Annotated[int, Form()],
    what: Said,
    why: Said = "",
    like: Said = "",
    then: Said = "",
) -> Response:
    """Put a verdict right; then show the entry, or the next to review after the place `then`."""
    said = why or "reviewed"
    _reading(runs.decide, url, what, by=user.get_name(), why=said, like=like or None)
    page = _link("review", after=then, done=entry) if then else _link("entry", id=entry)
    return RedirectResponse(page, status_code=303)


@app.post("/enable", dependencies=MAY_DECIDE)
def enable(url: Said) -> Response:
    """Have a source asked at the next poll again."""
    runs.enable_feed(url)
    return RedirectResponse(_link("source", url=url), status_code=303)


@app.post("/disable", dependencies=MAY_DECIDE)
def disable(user: GetUserDep, url: Said) -> Response:
    """Have a source asked no more, until somebody enables it."""
    runs.disable_feed(url, by=user.get_name())
    return RedirectResponse(_link("source", url=url), status_code=303)


@app.post("/ask", dependencies=[*MAY_DECIDE, MAY_START])
def ask(user: GetUserDep, url: Said, session: SessionDep) -> Response:
    """Have a source asked now, in a run of the DAG; one that was given up is tried again.

    A run that waits already does for both.
    """
    runs.ask_feed(url)
    if not DagRun.find(dag_id=DAG, state=DagRunState.QUEUED, session=session):
        by = user.get_name()
        trigger_dag(DAG, triggered_by=DagRunTriggeredByType.UI, triggering_user_name=by)
    return RedirectResponse(_link("source", url=url, done="asked"), status_code=303)
