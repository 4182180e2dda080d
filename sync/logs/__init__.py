"""Logs: one event per line, with the run and the source it belongs to, and never with a secret.

Modules take their logger from ``get`` and call ``log.info("page read", offset=490)``. Nothing is set up on import.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from sync.logs.formatter import FIELDS, LineFormatter, bound, escape
from sync.logs.redaction import mask, mask_foreign, protect, unexpected, wraps_secret

__all__ = [
    "Log",
    "bind",
    "configure",
    "escape",
    "extend",
    "for_programs",
    "get",
    "mask",
    "mask_foreign",
    "protect",
    "unexpected",
    "wraps_secret",
]

# Below WARNING, these log headers, connection strings, every byte or every step.
_TALKATIVE = ("httpx", "httpcore", "hpack", "h2", "urllib3", "psycopg", "alembic", "apscheduler")


class Log:
    """A logger that takes an event and its fields."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **fields: object) -> None:
        """Log what helps to find a fault."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Log what an operator wants to know."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log what an operator should look at."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Log what went wrong."""
        self._log(logging.ERROR, event, fields)

    def exception(self, event: str, /, **fields: object) -> None:
        """Log what went wrong, with the traceback of the exception that is being handled."""
        self._log(logging.ERROR, event, fields, traceback=True)

    def _log(self, level: int, event: str, fields: dict[str, object], *, traceback: bool = False) -> None:
        self._logger.log(level, event, exc_info=traceback, extra={FIELDS: fields}, stacklevel=3)


def get(name: str) -> Log:
    """The logger of a module."""
    return Log(name)


@contextmanager
def bind(**fields: object) -> Iterator[None]:
    """Put these fields on every line that this context logs inside the block."""
    token = bound.set({**(bound.get() or {}), **fields})
    try:
        yield
    finally:
        bound.reset(token)


def extend(**fields: object) -> None:
    """Add these fields to every further line of the innermost ``bind``; outside of one, do nothing."""
    if (outer := bound.get()) is not None:
        bound.set({**outer, **fields})


def configure(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Send all logs of the process to ``stream`` and nowhere else.

    Args:
        level: debug, info, warning or error.
        style: text, json, or auto: text on a terminal, else json.
        stream: where to write; None for standard error.
    """
    target = stream if stream is not None else sys.stderr
    as_text = style == "text" or (style == "auto" and target.isatty())
    handler = _Handler(target)
    handler.setFormatter(LineFormatter(as_json=not as_text))
    handler.addFilter(_is_wanted)
    root = logging.getLogger()
    for other in root.handlers[:]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    logging.captureWarnings(capture=True)


def for_programs() -> bool:
    """Whether the logs are written for programs, so that no other text should come between their lines."""
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    return any(isinstance(formatter, LineFormatter) and formatter.as_json for formatter in formatters)


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the library's
        """Write that a line was lost. The library would print its raw arguments, secrets and all."""
        problem = sys.exc_info()[0]
        try:
            self.stream.write(f"a log line of {escape(record.name)} was lost: {problem and problem.__name__}\n")
        except (OSError, ValueError):
            return  # the stream itself is gone; the run goes on


def _is_wanted(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in _TALKATIVE
