"""How log lines look outside Airflow; inside, Airflow decides."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog


def harmless(text: str) -> str:
    """Return text on one line that does nothing to a terminal and forges no line of a log.

    Control characters of both sets, bidirectional marks, line ends and other characters that
    are not printable become blanks: a title may hold any of them.
    """
    return "".join(c if c.isprintable() else " " for c in text)


def _harmless(_log: Any, _level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: value if value is None else harmless(str(value)) for key, value in event.items()}


def traceback_of(error: BaseException) -> str:
    """Return an error's traceback on one line, its newest 4,000 characters, without values."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return " | ".join(line.strip() for line in lines)[-4_000:]


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return harmless(super().format(record))


def configure(verbose: bool) -> None:
    """Send events to standard error, one line each; warnings and worse unless `verbose`."""
    level = logging.INFO if verbose else logging.WARNING
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _harmless,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    of_libraries = logging.StreamHandler(sys.stderr)
    of_libraries.setFormatter(_Lines(logging.BASIC_FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[of_libraries])
