"""How a line looks: JSON for programs, text for people, and nothing in either that a terminal would obey."""

import json
from collections.abc import MutableMapping
from typing import Any

_FIRST = ("time", "level", "event")
_LAST = ("exception", "stack")


def escape(text: str) -> str:
    """``text`` with control characters, terminal sequences and marks that turn text around made visible."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def as_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """One JSON object on one line, ASCII only."""
    rest = {name: value for name, value in event.items() if name not in _FIRST}
    return json.dumps({name: event.get(name) for name in _FIRST} | rest)


def as_text(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """One readable line; a traceback follows it, indented so that no part of it looks like a line of its own."""
    plain = {name: value for name, value in event.items() if name not in (*_FIRST, *_LAST)}
    fields = "".join(f" {escape(name)}={_value(value)}" for name, value in plain.items())
    line = f"{event.get('time')} {event.get('level'):<8} {escape(str(event.get('event')))}{fields}"
    traces = [part for name in _LAST for part in str(event.get(name) or "").splitlines()]
    return "\n".join([line, *(f"    {escape(part)}" for part in traces)])


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    plain = text and not any(char.isspace() or char in "\"'=" for char in text)
    return escape(text if plain or not isinstance(value, str) else json.dumps(text, ensure_ascii=False))
