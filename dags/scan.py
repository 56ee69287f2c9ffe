"""
### Scan: stories out of WARC files, such as CC-NEWS or another archive's

Started by hand, with the files' paths, as the workers see them, or URLs. Each file is a task of its
own, so that many are read side by side; one that was broken off goes on where it was, and one that
was read to its end is not read again.

| task | does | reads | writes |
|---|---|---|---|
| `files` | says which files there are to read | the form | - |
| `read` | takes the pages that may be on the topic; a task a file | a file | the archive |
| `sift` | takes text from pages and judges it | the archive | stories, in the corpus |
| `tally` | adds it up | the counts of `sift` | an event, if stories came |

**When it is red.** Read the last lines of the task that failed. A file that is not there, or no
WARC file, is named there. Records that are cut off or corrupt never make it red: they are counted,
as `corrupt` and the like. Clear a task to have it go on. People are told by the connection
`newsdesk_alerts`, once until a run is green again. *Newsdesk*, a tab of the run, shows what it did.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, TriggerRule, dag, task
from newsdesk_dags import ARGS, CORPUS, NEW_STORIES, TOLD, announce


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    dagrun_timeout=timedelta(hours=48),
    params={
        "files": Param(
            [],
            type="array",
            items={"type": "string"},
            minItems=1,
            title="WARC files",
            description="Paths as the workers see them, or URLs, one a line.",
        ),
        "since": Param(
            None,
            type=["null", "string"],
            format="date",
            title="From",
            description="Keep no story of a day before; empty: as the topic file says.",
        ),
        "until": Param(
            None,
            type=["null", "string"],
            format="date",
            title="To, exclusive",
            description="Keep no story of this day or later.",
        ),
    },
    default_args=ARGS | {"execution_timeout": timedelta(hours=12)},
    tags=["newsdesk"],
    doc_md=__doc__,
    **TOLD,
)
def scan() -> None:
    """Read every file, then judge what was found."""

    @task
    def files(params: Any = None) -> list[str]:
        return list(params["files"])

    @task(pool="history", multiple_outputs=False)
    def read(file: str, params: Any = None) -> dict[str, Any]:
        from ingest import runs

        return runs.scan_file(file, params["since"], params["until"])

    @task(pool="corpus", multiple_outputs=False, trigger_rule=TriggerRule.ALL_DONE)
    def sift() -> dict[str, Any]:
        from ingest import runs

        return runs.sift()

    @task(inlets=[CORPUS], outlets=[NEW_STORIES])
    def tally(sifted: dict[str, Any]) -> None:
        announce(sift=sifted)

    stories = sift()
    read.expand(file=files()) >> stories
    tally(stories)


scan()
