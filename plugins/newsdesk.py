"""Puts the Newsdesk page into Airflow: the app, and where it stands in the navigation.

Every process of Airflow reads this file, with Celery each task as well; only the API server needs
the app, whose imports cost 1.5 s of a processor and 68 MB.
"""

from typing import Any

from airflow.plugins_manager import AirflowPlugin


class NewsdeskPlugin(AirflowPlugin):
    """Puts the page into Airflow's menu."""

    name = "newsdesk"
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

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """Return the app, read when the API server asks for it."""
        from newsdesk_page import app  # type: ignore[import-not-found]  # of the plugins folder

        return [{"app": app, "url_prefix": "/newsdesk", "name": "newsdesk"}]
