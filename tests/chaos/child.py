"""python -m tests.chaos.child FOLDER VERB...: a worker that may be killed."""

import logging
import sys
from pathlib import Path

import structlog

from tests.chaos.rig import child

if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.exit(child(Path(sys.argv[1]), sys.argv[2:]))
