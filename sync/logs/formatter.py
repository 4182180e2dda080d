"""How a line is written: as JSON for programs or as human-readable text, with nothing that a terminal would obey."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime

from sync.logs.redaction import mask_fields

FIELDS = "_sync_fields"  # the attribute of a record that holds the fields of our own loggers
bound: ContextVar[dict[str, object] | None] = ContextVar("bound", default=None)
_FIRST = ("time", "level", "event")
_LAST = ("exception", "stack")
_STANDARD = {*vars(logging.makeLogRecord({})), FIELDS}


def escape(text: str) -> str:
    """``text`` with control characters, terminal sequences and marks that reverse text made visible."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class LineFormatter(logging.Formatter):
    """Writes a record and its context as one line, without secrets.

    Attributes:
        as_json: whether to write one JSON object in ASCII, for programs; else human-readable text.
    """

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The line; in text, a traceback follows, indented so that no part of it looks like a line of its own."""
        fields = mask_fields(self._fields(record))
        first = {name: fields.pop(name, None) for name in _FIRST}
        if self.as_json:
            return json.dumps(first | fields)
        traces = [part for name in _LAST for part in str(fields.pop(name, None) or "").splitlines()]
        pairs = "".join(f" {escape(name)}={_quoted(value)}" for name, value in fields.items())
        line = f"{first['time']} {first['level']:<8} {escape(str(first['event']))}{pairs}"
        return "\n".join([line, *(f"    {escape(part)}" for part in traces)])

    def _fields(self, record: logging.LogRecord) -> dict[str, object]:
        """The fields of the record itself, those that another library gave as ``extra``, the context's, and our own."""
        fields: dict[str, object] = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        for name, value in {**(bound.get() or {}), **getattr(record, FIELDS, {})}.items():
            fields[name if name not in fields else f"{name}_"] = value
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = self.formatException(record.exc_info)
        return fields


def _quoted(value: object) -> str:
    """A value, quoted if blanks, quotes or ``=`` in it would hide where it ends."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    plain = text and not any(char.isspace() or char in "\"'=" for char in text)
    return escape(text if plain or not isinstance(value, str) else json.dumps(text, ensure_ascii=False))
