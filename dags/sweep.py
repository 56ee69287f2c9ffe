"""
### Sweep: what appeared on a day, or on any days of the past, from each source's own archive

Every night it asks for the day before, so that nothing is lost when polling was down or a feed
dropped a story before it was asked. Started by *Backfill* over past dates it fills in history: a
run a day. For a long range a single run is kinder to sites whose archive can only be walked page
by page: *Trigger*, with `since` and `until`.

| task | does | reads | writes |
|---|---|---|---|
| `plan` | says what will be asked, and for how long; asks nothing | the catalog | its log |
| `walk` | asks the sources' archives, slice by slice | the web | entries, in the catalog |
| `fetch` | gets the pages of what was found, after live polling | the web | the archive |
| `sift` | takes text from pages and judges it | the archive | stories, in the corpus |
| `tally` | adds it up | their counts | an event, if stories came |

Runs may overlap, come in any order, be cleared and run again: a slice that is done is not asked
again (but with `again`), and one that was broken off goes on where it was.

**When it is red.** Read the last lines of the first task that failed. `RunFailed` in `walk` names
the slices that are incomplete and why, such as a source that shows only a part of a single day.
Clear the task when that is mended: only what is incomplete is asked again. `SettingsError`: a
person must mend it; the text says what. What is left to fetch when time is up is fetched by the
next run: it is no fault. People are told by the connection `newsdesk_alerts`, once until a run is
green again. *Newsdesk*, a tab of the run, shows what it did.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, TriggerRule, dag, task
from newsdesk_dags import ARGS, CORPUS, NEW_STORIES, TOLD, announce

KINDS = [
    "wordpress", "paged", "govuk", "guardian", "archives", "next_url", "pages", "sitemap", "wayback"
]  # fmt: skip  # as ingest.sources.WAYS has them; a test compares
# A run that Airflow gives no interval, such as one by its API, takes the day before.
SINCE = (
    "{{ params.since or (data_interval_start if data_interval_start is defined "
    "else dag_run.run_after - macros.timedelta(days=1)) | ds }}"
)
UNTIL = (
    "{{ params.until or (data_interval_end if data_interval_end is defined "
    "else dag_run.run_after) | ds }}"
)


def asked_for(context: Any) -> bool:
    """Tell whether a run is to ask anybody."""
    return not context["params"]["dry_run"]


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    dagrun_timeout=timedelta(hours=24),
    params={
        "since": Param(
            None,
            type=["null", "string"],
            format="date",
            title="From, for a single run",
            description="The first day, UTC. Empty: the run's own, as a backfill needs it.",
        ),
        "until": Param(
            None,
            type=["null", "string"],
            format="date",
            title="To, for a single run",
            description="The day after the last. Empty: the run's own.",
        ),
        "sources": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Sources",
            description="URLs of feeds as `newsdesk feeds list` has them, one a line. None: all.",
        ),
        "kinds": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "enum": KINDS},
            examples=KINDS,
            title="Ways into the past",
            description="None: the best each source offers. wayback is used only when chosen.",
        ),
        "again": Param(False, type="boolean", title="Ask again for what is done"),
        "dry_run": Param(False, type="boolean", title="Dry run: plan only, ask nobody"),
    },
    default_args=ARGS | {"execution_timeout": timedelta(hours=6)},
    tags=["newsdesk"],
    doc_md=__doc__,
    **TOLD,
)
def sweep() -> None:
    """Plan, walk, fetch, sift: one task each, one after the other."""

    @task(multiple_outputs=False)
    def plan(since: str, until: str, params: Any = None) -> dict[str, Any]:
        from ingest import runs

        return runs.forecast(since, until, params["sources"], params["kinds"], params["again"])

    @task.run_if(asked_for)
    @task(pool="history", multiple_outputs=False)
    def walk(since: str, until: str, params: Any = None) -> dict[str, Any]:
        from ingest import runs

        return runs.walk(since, until, params["sources"], params["kinds"], params["again"])

    @task.run_if(asked_for)
    @task(pool="history", multiple_outputs=False, trigger_rule=TriggerRule.ALL_DONE)
    def fetch() -> dict[str, Any]:
        from ingest import runs

        return runs.fetch(live=False, budget=timedelta(hours=5))

    @task.run_if(asked_for)
    @task(pool="corpus", multiple_outputs=False, trigger_rule=TriggerRule.ALL_DONE)
    def sift() -> dict[str, Any]:
        from ingest import runs

        return runs.sift()

    @task(inlets=[CORPUS], outlets=[NEW_STORIES])
    def tally(walked: dict[str, Any], fetched: dict[str, Any], sifted: dict[str, Any]) -> None:
        announce(walk=walked, fetch=fetched, sift=sifted)

    planned, found = plan(SINCE, UNTIL), walk(SINCE, UNTIL)
    pages, stories = fetch(), sift()
    planned >> found >> pages >> stories
    tally(found, pages, stories)


sweep()
