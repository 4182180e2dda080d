"""Filters that compare: ``gte:2024-01-01T00:00:00Z``, ``in:a,b``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType

from sync.simulator.apis.behaviour import RefusedError
from sync.simulator.entry import instant

_OPERATORS: Mapping[str, Callable[[int, int], bool]] = MappingProxyType(
    {
        "gt": operator.gt,
        "gte": operator.ge,
        "lt": operator.lt,
        "lte": operator.le,
        "eq": operator.eq,
        "neq": operator.ne,
    }
)


def check_moment(name: str, expression: str, code: str = "") -> None:
    """Refuse what is no operator and time.

    Raises:
        RefusedError: that is so.
    """
    word, _, text = _parts(expression)
    if word not in _OPERATORS or instant(text) < 0:
        raise RefusedError(400, f"The parameter {name} must be an operator and a time, such as gte:2024-01-01.", code)


def fits_moment(held: object, expression: str) -> bool:
    """Whether a time in a document is before, at or after the one of the expression."""
    word, _, text = _parts(expression)
    return _OPERATORS[word](instant(held), instant(text))


def one_of(held: object, expression: str) -> bool:
    """Whether a text is the one of the expression, or one of those after ``in:``."""
    if expression.startswith("in:"):
        return held in expression.removeprefix("in:").split(",")
    return held == expression


def _parts(expression: str) -> tuple[str, str, str]:
    word, colon, text = expression.partition(":")
    return (word, colon, text) if word in _OPERATORS else ("eq", colon, expression)
