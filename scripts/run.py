"""`make run`: Newsdesk on this machine, polling until Ctrl-C; see scripts/local_airflow.py."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from ingest.errors import SettingsError
from ingest.settings import read
from scripts.local_airflow import Airflow, LocalAirflowError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Turn the first signal into an orderly stop; those that follow change nothing."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def box(lines: Mapping[str, str]) -> str:
    """Return lines as a box for the terminal."""
    texts = [f"{name:<8}  {value}" for name, value in lines.items()]
    width = max(map(len, texts))
    edge = "+" + "-" * (width + 4) + "+"
    return "\n".join([edge, *(f"|  {text:<{width}}  |" for text in texts), edge])


def main() -> int:
    """Run until a signal comes; return 0 after Ctrl-C, 1 when Airflow broke, 2 for settings."""
    for each in SIGNALS:
        signal.signal(each, interrupt)
    try:
        settings = read()
        settings.identity()
        print("starting Airflow (half a minute; a minute the first time) ...", flush=True)
        with Airflow(Path("state/airflow"), os.environ) as airflow:
            airflow.unpause("poll")
            login = {"Airflow": airflow.address, "login": f"admin / {airflow.password}"}
            where = settings.corpus
            corpus = where if "://" in where else str(Path(where).absolute())
            shown = {"corpus": corpus, "logs": str(airflow.home)}
            print(box(login | shown), flush=True)
            print("The first poll is under way. Ctrl-C stops everything.", flush=True)
            while True:
                airflow.check()
                time.sleep(1)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except LocalAirflowError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", flush=True)
        return 0


if __name__ == "__main__":
    sys.exit(main())
