"""What the DAGs share: on sys.path of all of Airflow, which a module beside them is not."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, ExceptionRetryPolicy, RetryAction, RetryRule

CORPUS = Asset("news_corpus")


def attend(context: Any) -> None:
    """Before a task: have what it runs noted as its DAG run's."""
    from ingest import runs  # inside: reading a DAG must stay cheap

    runs.OCCASION.set(occasion(context))


def occasion(context: Any) -> str:
    """Return the name by which the catalog knows a DAG run."""
    return f"{context['dag'].dag_id}/{context['run_id']}"


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
