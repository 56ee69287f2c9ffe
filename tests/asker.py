"""A worker that asks a list of URLs in turn: `python -m tests.asker URL ...`, set by NEWS_*."""

import sys

from ingest.desk import Desk
from ingest.settings import read

if __name__ == "__main__":
    with Desk(read()) as desk:
        for url in sys.argv[1:]:
            desk.web.get(url, may_ask=desk.wait_turn)
