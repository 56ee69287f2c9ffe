"""
### Upkeep: old pages leave the archive, once a week

Pages that were fetched, and judged for good, 90 days ago or earlier are taken out; what waits for
a person's review stays. No story, no verdict and no later verdict changes. It runs beside polling:
a file to which a process is writing is left for the next week.

| task | does | reads | writes |
|---|---|---|---|
| `prune` | takes old pages out, and forgets runs older than a year | the catalog | the archive |

**When it is red.** Read the last lines of its log. A full disk, or a lost database, was tried three
times: mend it and clear the task. Stopped anywhere, it leaves every page that is needed where the
catalog says, and the next run ends what it began. Pause this DAG to keep every page for ever.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task
from newsdesk_dags import ARGS, TOLD


@dag(
    schedule=CronDataIntervalTimetable("30 3 * * 0", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=13),
    params={
        "older_than": Param(90, type="integer", minimum=1, title="Days since a page was judged"),
        "dry_run": Param(False, type="boolean", title="Dry run: only tell what would go"),
    },
    default_args=ARGS | {"execution_timeout": timedelta(hours=4)},
    tags=["newsdesk"],
    doc_md=__doc__,
    **TOLD,
)
def upkeep() -> None:
    """Prune the archive."""

    @task(multiple_outputs=False)
    def prune(params: Any = None) -> dict[str, Any]:
        from ingest import runs

        return runs.prune(params["older_than"], params["dry_run"])

    prune()


upkeep()
