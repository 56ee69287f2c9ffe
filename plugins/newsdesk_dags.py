"""What the DAGs share: on sys.path of all of Airflow, which a module beside them is not.

Before a task `attend` has what it runs noted as its DAG run's, and measured. After a DAG run
`green` or `red` tells people what is new; while none succeeds for hours, `late` does. They are
told through the connection `newsdesk_alerts`: an apprise one, of mail, Slack, a webhook and more.
Nothing of that makes a run red. docs/decisions/024-airflows-screens.md
"""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import structlog
from airflow.sdk import (
    Asset,
    AssetAlias,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    Variable,
    get_current_context,
)
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from asgiref.sync import sync_to_async

log = structlog.get_logger(__name__)

CONNECTION = "newsdesk_alerts"
CORPUS = Asset("news_corpus")
SHELVES = {"fetch": ("", "archive"), "read": ("", "archive"), "sift": ("archive", "corpus")}
NEW_STORIES = AssetAlias("new_stories")  # an outlet that has an event on CORPUS, or none


def attend(context: Any) -> None:
    """Before a task: have what it runs noted as its DAG run's, and measured; say what it reads."""
    from airflow.sdk.lineage import get_hook_lineage_collector

    from ingest import runs  # inside: reading a DAG must stay cheap

    runs.OCCASION.set(_occasion(context))
    runs.MEASURED.set(_measured)
    lineage, shelves = get_hook_lineage_collector(), runs.shelves()
    read, written = SHELVES.get(context["task"].task_id, ("", ""))
    if read:
        lineage.add_input_asset(context["task"], uri=shelves[read])
    if written:
        lineage.add_output_asset(context["task"], uri=shelves[written])


def _occasion(context: Any) -> str:
    """Return the name by which the catalog knows a DAG run."""
    return f"{context['dag'].dag_id}/{context['run_id']}"


def _measured(measures: Iterable[tuple[str, str, float]]) -> None:
    """Hand what a run is measured by to Airflow's own metrics."""
    from airflow.sdk.observability import stats

    for kind, name, value in measures:
        getattr(stats, kind)(f"newsdesk.{name}", value)


def announce(**counts: dict[str, Any]) -> None:
    """Tell other DAGs of the stories that came since they were last told; no event for none.

    The event has the counts, and `first` and `last`, the numbers of the stories: of all that came
    since the last event, whoever brought them.
    """
    from ingest import runs

    context: Any = get_current_context()
    told = next(iter(context["inlet_events"][CORPUS].ascending(False).limit(1)), None)
    first, last = (told.extra.get("last", -1) if told else -1) + 1, runs.newest()
    first = first if first <= last + 1 else 0  # another corpus
    if first <= last:
        extra = {**counts, "first": first, "last": last}
        context["outlet_events"][NEW_STORIES].add(CORPUS, extra=extra)


def green(context: Any) -> None:
    """After a DAG run that succeeded: tell what is new, and what is over."""
    _tell(context, red=False)


def red(context: Any) -> None:
    """After a DAG run that failed: tell so, unless the one before had failed, and what is new."""
    _tell(context, red=True)


def _tell(context: Any, red: bool) -> None:
    from ingest import runs
    from storage.errors import NewsError

    dag, run = context["dag"].dag_id, context["run_id"]
    told = _told(dag)
    try:
        failed, lines, alerts = runs.news(_occasion(context), told["alerts"])
    except NewsError as error:  # a lost catalog is what people must hear of
        failed, lines, alerts = str(error), [], told["alerts"]
    if red and not told["red"]:
        lines.insert(0, f"{dag} is red: {failed or 'see its log'}\n  {_where(dag, run)}")
    elif told["red"] and not red:
        lines.insert(0, f"{dag} is green again")
    now = {"red": (told["red"] or run) if red else "", "alerts": alerts}
    if now != told and (not lines or _send(lines)):  # what was not sent is sent after the next run
        Variable.set(f"newsdesk_told_{dag}", now, serialize_json=True)


async def late(hours: float, context: Any) -> None:
    """At a run's deadline: tell when no poll succeeded for so long, once for all that failed.

    Runs in the triggerer: in the executor, a callback may read neither variable nor connection.
    """
    await sync_to_async(_tell_late)(hours, context)


def _tell_late(hours: float, context: Any) -> None:
    from ingest import runs
    from storage.errors import NewsError

    dag, run = context["dag_run"]["dag_id"], context["dag_run"]["dag_run_id"]
    try:
        said = runs.late(hours)
    except NewsError as error:
        said = str(error)
    if said and _told(dag)["red"] in ("", run):  # not told by the first one's deadline
        _send([f"{said}\n  {_where(dag, run)}"])


def _told(dag: str) -> dict[str, Any]:
    """Return in which run of a DAG the red ones began, if so, and what alerts were told."""
    told: dict[str, Any] = Variable.get(f"newsdesk_told_{dag}", default=None, deserialize_json=True)
    return told or {"red": "", "alerts": {}}


def _where(dag: str, run: str) -> str:
    from airflow.sdk.configuration import conf

    url = f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{dag}/runs/{quote(run)}"
    return f"Read the last lines of the first task that failed; the DAG's page says more: {url}"


def _send(lines: list[str]) -> bool:
    """Send lines to every target of the connection; tell whether one took them.

    Without the connection, or where it cannot be used, they are only logged.
    """
    from airflow.providers.apprise.hooks.apprise import AppriseHook
    from airflow.sdk.exceptions import AirflowNotFoundException
    from apprise import Apprise, NotifyFormat

    text, title = "\n".join(lines), f"Newsdesk: {lines[0].splitlines()[0]}"[:120]
    fault, took = "", 0
    try:
        hook = AppriseHook(CONNECTION)
        config = hook.get_config_from_conn(hook.get_connection(CONNECTION))
        for place, one in enumerate(config if isinstance(config, list) else [config], start=1):
            target = Apprise()
            logging.disable()  # what it says of a URL that it cannot read may hold the secret
            known = target.add(one["path"])
            logging.disable(logging.NOTSET)
            if known and target.notify(text, title, body_format=NotifyFormat.TEXT):
                took += 1
            else:
                why = "apprise says above why" if known else "apprise cannot read its URL"
                fault += f"target {place} did not take it: {why}; "
    except AirflowNotFoundException:
        fault = f"there is no connection {CONNECTION}"
    except (KeyError, TypeError, ValueError):  # its text may hold the secret
        fault = f"the connection {CONNECTION} has no config with a path"
    log.warning("people_told" if took else "people_not_told", text=text, targets=took, detail=fault)
    return took > 0


# A second try of a run in which everything failed would find nothing left to do and turn green.
RETRIES = ExceptionRetryPolicy([
    RetryRule("ingest.errors.RunFailed", RetryAction.FAIL, reason="all of it failed"),
    RetryRule("ingest.errors.SettingsError", RetryAction.FAIL, reason="a person must mend it"),
])  # fmt: skip
ARGS = {
    "owner": "newsdesk",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": RETRIES,
    "on_execute_callback": attend,
}
TOLD = {"on_success_callback": green, "on_failure_callback": red}


def deadline(hours: float) -> DeadlineAlert:
    """Return what has `late` called, so many hours after a run was queued, unless it succeeded."""
    reference, span = DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=hours)
    return DeadlineAlert(reference, span, AsyncCallback(late, {"hours": hours}))
