"""Tell by the exit status whether a component of this Airflow is healthy; for docker-compose.

    python scripts/healthy.py metadatabase|scheduler|dag_processor|triggerer

Asks the API server, which takes 0.1 s; `airflow jobs check` would start an Airflow, 3 s each time.
"""

import json
import os
import sys
from urllib.request import ProxyHandler, build_opener

api = os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].removesuffix("/execution/")
try:
    with build_opener(ProxyHandler({})).open(f"{api}/api/v2/monitor/health", timeout=8) as answer:
        status = json.load(answer)[sys.argv[1]]["status"]
except OSError as error:
    sys.exit(str(error))
print(status)
sys.exit(status != "healthy")
