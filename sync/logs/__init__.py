"""Logs: one event a line, with the run and the source it belongs to, and never with a secret.

Modules take their logger from ``get`` and say ``log.info("page read", offset=490)``. Nothing here is set up on import,
and structlog (which brings half a terminal library along) is imported only by ``configure``.
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TextIO

from sync.logs.redaction import mask, mask_foreign, mask_value, protect, wraps_secret
from sync.logs.rendering import as_json, as_text, escape

if TYPE_CHECKING:
    from structlog.typing import Processor

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
    "wraps_secret",
]

# They print headers, connection strings, every byte or every step below this level.
_TALKATIVE = ("httpx", "httpcore", "hpack", "h2", "urllib3", "psycopg", "alembic", "apscheduler")
_FIELDS = "fields"
_bound: ContextVar[dict[str, object] | None] = ContextVar("bound", default=None)


class Log:
    """A logger that takes an event and its fields."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **fields: object) -> None:
        """What helps to find a fault."""
        self._logger.debug("%s", event, extra={_FIELDS: fields}, stacklevel=2)

    def info(self, event: str, /, **fields: object) -> None:
        """What an operator likes to know."""
        self._logger.info("%s", event, extra={_FIELDS: fields}, stacklevel=2)

    def warning(self, event: str, /, **fields: object) -> None:
        """What an operator should look at."""
        self._logger.warning("%s", event, extra={_FIELDS: fields}, stacklevel=2)

    def error(self, event: str, /, **fields: object) -> None:
        """What went wrong."""
        self._logger.error("%s", event, extra={_FIELDS: fields}, stacklevel=2)

    def exception(self, event: str, /, **fields: object) -> None:
        """What went wrong, with the traceback of the exception that is being handled."""
        self._logger.exception("%s", event, extra={_FIELDS: fields}, stacklevel=2)  # noqa: LOG004 - the caller handles it


def get(name: str) -> Log:
    """The logger of a module."""
    return Log(name)


@contextmanager
def bind(**fields: object) -> Iterator[None]:
    """Put these fields on every line that this context logs meanwhile."""
    token = _bound.set({**(_bound.get() or {}), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def extend(**fields: object) -> None:
    """Put these fields, too, on every further line of the innermost ``bind``; outside of one, do nothing."""
    if (bound := _bound.get()) is not None:
        _bound.set({**bound, **fields})


def configure(level: str = "info", format: str = "auto", stream: TextIO | None = None) -> None:
    """Send all logs of the process to ``stream`` and nowhere else.

    Args:
        level: debug, info, warning or error.
        format: text, json, or auto: text on a terminal, else json.
        stream: standard error if not given.
    """
    target = stream if stream is not None else sys.stderr
    for_people = format == "text" or (format == "auto" and target.isatty())
    handler = _Handler(target)
    handler.for_programs = not for_people
    handler.setFormatter(_formatter(for_people=for_people))
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
    """Whether the lines are set up for programs, so that nothing else should stand between them."""
    return any(isinstance(handler, _Handler) and handler.for_programs for handler in logging.getLogger().handlers)


class _Handler(logging.StreamHandler[TextIO]):
    for_programs = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the library's
        """Say that a line was lost. The library would print its raw arguments, secrets and all."""
        problem = sys.exc_info()[0]
        try:
            self.stream.write(f"a log line of {escape(record.name)} was lost: {problem and problem.__name__}\n")
        except (OSError, ValueError):
            return  # the stream itself is gone; the run goes on


def _is_wanted(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in _TALKATIVE


def _formatter(*, for_people: bool) -> logging.Formatter:
    import structlog  # noqa: PLC0415 - 110 ms, and most commands log nothing before they have it

    before: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    after: list[Processor] = [
        _add_fields,
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _redact,
        as_text if for_people else as_json,
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*before, structlog.stdlib.ExtraAdder()], processors=after
    )


def _add_fields(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    own = event.pop(_FIELDS) if hasattr(event.get("_record"), _FIELDS) else {}
    for name, value in {**(_bound.get() or {}), **own}.items():
        event[name if name not in event else f"{name}_"] = value
    return event


def _redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    redacted = mask_value(event)
    return redacted if isinstance(redacted, dict) else {"event": redacted}
