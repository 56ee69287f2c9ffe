"""Tell by the exit status whether a component of this Airflow is healthy; for docker-compose.

    python scripts/healthy.py metadatabase|scheduler|dag_processor|triggerer|worker

Asks the API server, which takes 0.1 s, or the worker of this host through the broker, 0.5 s;
`airflow jobs check` and `celery inspect ping` would start an Airflow, 3 s each time.
"""

import json
import os
import shlex
import subprocess
import sys
from urllib.request import ProxyHandler, build_opener


def component(name: str) -> str:
    """Return what the API server says of a component."""
    api = os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].removesuffix("/execution/")
    with build_opener(ProxyHandler({})).open(f"{api}/api/v2/monitor/health", timeout=8) as answer:
        return str(json.load(answer)[name]["status"])


def worker() -> str:
    """Return whether the worker of this host answers."""
    from celery import Celery

    command = shlex.split(os.environ["AIRFLOW__CELERY__BROKER_URL_CMD"])
    broker = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    app = Celery(broker=broker, broker_connection_timeout=5)
    name = f"celery@{os.environ['HOSTNAME']}"
    return "healthy" if app.control.ping([name], timeout=4) else f"{name} does not answer"


try:
    status = worker() if sys.argv[1] == "worker" else component(sys.argv[1])
except OSError as error:
    sys.exit(str(error))
print(status)
sys.exit(status != "healthy")
