"""The Newsdesk page in Airflow: read and decide, behind Airflow's own login and roles.

Whoever may read the DAG `poll` may read here, whoever may edit it may decide. A request that
decides must come from a page of this site: a browser says where a request comes from, in
Sec-Fetch-Site (Fetch Metadata, W3C) or in Origin (RFC 6454), and a stranger's page cannot forge
either. All text is escaped, no script or style stands in a page, and the policy forbids both.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode, urlsplit

import pygal
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, Form, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from lxml import etree
from markupsafe import Markup
from starlette.exceptions import HTTPException as StarletteHTTPException

from ingest import runs
from ingest.health import ORDER, WELL
from storage.errors import NewsError

DAG = "poll"
HERE = Path(__file__).resolve().parent
DAYS = 14  # shown when no dates are asked for
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

Day = Annotated[date | None, Query()]
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
    return (
        told
        if len(told) <= 300
        else f"{told[:140].rpartition(' ')[0]} … {told[-140:].partition(' ')[2]}"
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
}
PAGES.filters |= {
    "ago": _ago,
    "span": _span,
    "bytes": _bytes,
    "web": _web,
    "words": _words,
    "ends": _ends,
}
PAGES.globals |= {"link": _link, "WELL": WELL}


def _page(name: str, status: int = 200, **told: object) -> HTMLResponse:
    return HTMLResponse(PAGES.get_template(name).render(told), status_code=status)


def _plot(days: Mapping[date, Mapping[str, int]], begin: date, end: date, months: bool) -> Markup:
    """Return the stories of each day or month as an SVG image without style and script."""
    labels = [begin + timedelta(days=n) for n in range((end - begin).days + 1)]
    if months:
        labels = sorted({day.replace(day=1) for day in labels})
    every = -(-len(labels) // 12)
    bars = pygal.StackedBar(
        width=900, height=300, margin=4, spacing=6, js=(), css=(), show_minor_x_labels=False,
        truncate_legend=24, legend_at_bottom=True, legend_at_bottom_columns=4, legend_box_size=12,
        no_data_text="no stories appeared on these days", order_min=0, truncate_label=-1,
    )  # fmt: skip
    bars.x_labels = [f"{day:%b %Y}" if months else f"{day:%d %b}" for day in labels]
    bars.x_labels_major = bars.x_labels[::every]
    groups = sorted({group for counts in days.values() for group in counts})
    for group in groups:
        bars.add(_words(group), [days.get(day, {}).get(group, 0) or None for day in labels])
    tree = bars.render_tree()
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
def overview(since: Day = None, until: Day = None, by: str = "nation") -> Response:
    """Stories per day, what became of entries, how long it took, disk."""
    until = until or datetime.now(UTC).date()
    since = min(since or until - timedelta(days=DAYS - 1), until)
    told = runs.overview(since, until, "kind" if by == "kind" else "nation")
    plot = _plot(told["days"], since, until, told["months"])
    return _page("overview.html", since=since, until=until, by=by, plot=plot, **told)


@app.get("/sources")
def sources() -> Response:
    """Every source: how it does, and when it is asked next."""
    told = sorted(runs.feeds(), key=lambda one: (ORDER.index(one["health"]), one["title"].lower()))
    return _page("sources.html", feeds=told)


@app.get("/source")
def source(url: Text, before: int | None = None) -> Response:
    """One source: what is known of it, its last polls, its entries."""
    feed = next((one for one in runs.feeds() if one["url"] == url), None)
    known = runs.why_feed(url)
    if known is None:
        raise HTTPException(404)
    return _page("source.html", feed=feed or known, known=known, **runs.entries("", url, before))


@app.get("/stories")
def stories(
    q: Text = "",
    nation: Text = "",
    source: Text = "",
    since: str = "",
    until: str = "",
    before: int | None = None,
) -> Response:
    """Stories, the newest first: found by words, nation, source and day."""
    begin, end = _day(since), _day(until)
    asked = {"q": q, "nation": nation, "source": source, "since": begin, "until": end}
    told = runs.stories(q, nation, source, begin, end, before)
    return _page("stories.html", asked=asked, before=before, **told)


def _day(said: str) -> date | None:
    try:
        return date.fromisoformat(said) if said else None
    except ValueError:
        raise HTTPException(422, f"{said!r} is no day: write 2026-11-22") from None


@app.get("/story")
def story(number: int) -> Response:
    """One story of the corpus."""
    return _life(str(number))


@app.get("/entry")
def entry(id: int) -> Response:
    """One entry, kept or not."""
    return _life(id)


def _life(reference: str | int) -> Response:
    life = runs.life(reference)
    if life is None:
        raise HTTPException(404)
    return _page("life.html", life=life)


@app.get("/refused")
def refused(reason: Text = "", source: Text = "", before: int | None = None) -> Response:
    """What was not kept, by reason, and why not."""
    asked = {"reason": reason, "source": source}
    told = runs.entries(reason, source, before)
    return _page("refused.html", asked=asked, before=before, **told)


@app.get("/review")
def review(after: int | None = None) -> Response:
    """The oldest entry that waits for a person's word."""
    return _page("review.html", life=runs.review(after))


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
    """Put a verdict right; then show the entry, or the next to review."""
    runs.decide(url, what, by=user.get_name(), why=why or "reviewed", like=like or None)
    page = _link("review", after=entry) if then == "review" else _link("entry", id=entry)
    return RedirectResponse(page, status_code=303)


@app.post("/ask", dependencies=[*MAY_DECIDE, MAY_START])
def ask(user: GetUserDep, url: Said) -> Response:
    """Have a source asked now, in a run of the DAG; one that was given up is tried again."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.utils.types import DagRunTriggeredByType

    runs.enable_feed(url)
    trigger_dag(DAG, triggered_by=DagRunTriggeredByType.UI, triggering_user_name=user.get_name())
    return RedirectResponse(_link("source", url=url), status_code=303)


class NewsdeskPlugin(AirflowPlugin):
    """Puts the page into Airflow's menu."""

    name = "newsdesk"
    fastapi_apps = [{"app": app, "url_prefix": "/newsdesk", "name": "newsdesk"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Newsdesk",
            "href": "/newsdesk/",
            "destination": "nav",
            "url_route": "newsdesk",
            "nav_top_level": True,
        },
        {
            "name": "Newsdesk",
            "href": "/newsdesk/run?occasion={DAG_ID}/{RUN_ID}",
            "destination": "dag_run",
            "url_route": "newsdesk_run",
        },
    ]
