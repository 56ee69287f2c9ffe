"""
### Poll: from the feeds to the corpus, every 15 minutes

| task | does | reads | writes |
|---|---|---|---|
| `discover` | asks the feeds that are due what is new | the feeds | entries, in the catalog |
| `fetch` | gets the pages of new entries, politely | the web | pages, in the archive |
| `sift` | takes text from pages and judges it | the archive | stories, in the corpus |
| `tally` | adds it up; is red when one above is | their counts | an event, if stories came |

Each task may stop anywhere and run again: it takes up what is left and does nothing twice. When
one fails, those after it still work off what lies ready. One poll runs at a time; ticks that pass
meanwhile are not made up for, because feeds hold only what is recent.

**When it is red.** Open the first task that failed and read the last lines of its log. *Newsdesk*,
a tab of the run, shows what it did. People are told by the connection `newsdesk_alerts`, once until
a poll is green again, and once more when none has succeeded for three hours.

* `RunFailed`: every feed, or every page, failed; or an alert was grave: `feeds_failing` (more than
  half of the feeds that worked before), `feeds_unreadable`, `pages_unreadable` (a fifth of what
  came: our parser). It is the network, the name server or a proxy, not one site. It is not tried
  again at once; mend the cause and the next poll carries on.
* `SettingsError`: a `NEWS_*` variable, the feeds file or the topic file is wrong. The message
  says what to set. Put it right; a variable needs a restart of Airflow, a file does not.
* Anything else (a full disk, a lost database) was tried three times, with growing pauses. Mend
  it, then clear the task here or wait for the next poll.
* A task that stays `scheduled`: its pool is missing. `airflow pools import scripts/pools.json`.

**Alerts that only warn** stand in the task's log and in what it returns, and `newsdesk status`
shows them: `feeds_failing` (a quarter), `feeds_ill` (feeds that turned so), `host_failing` (all
pages of a host, for one reason), `texts_shrunk` (a host's texts have half the words: its template
changed).

One article that is missing, off topic or a copy never makes a poll red. Ask `newsdesk why URL`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, TriggerRule, dag, task
from newsdesk_dags import ARGS, CORPUS, NEW_STORIES, TOLD, announce, deadline


@dag(
    schedule=CronDataIntervalTimetable("*/15 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    deadline=deadline(hours=3),  # eleven polls failed in a row, or one is stuck
    default_args=ARGS | {"execution_timeout": timedelta(minutes=30)},  # fetch ends after 20
    tags=["newsdesk"],
    doc_md=__doc__,
    **TOLD,
)
def poll() -> None:
    """Discover, fetch, sift: one task each, one after the other."""

    @task(pool="web", multiple_outputs=False)
    def discover() -> dict[str, Any]:
        from ingest import runs

        return runs.discover()

    @task(pool="web", multiple_outputs=False, trigger_rule=TriggerRule.ALL_DONE)
    def fetch() -> dict[str, Any]:
        from ingest import runs

        return runs.fetch()

    @task(pool="corpus", multiple_outputs=False, trigger_rule=TriggerRule.ALL_DONE)
    def sift() -> dict[str, Any]:
        from ingest import runs

        return runs.sift()

    @task(inlets=[CORPUS], outlets=[NEW_STORIES])
    def tally(discovered: dict[str, int], fetched: dict[str, int], sifted: dict[str, int]) -> None:
        announce(discover=discovered, fetch=fetched, sift=sifted)

    found, pages, stories = discover(), fetch(), sift()
    found >> pages >> stories
    tally(found, pages, stories)


poll()
