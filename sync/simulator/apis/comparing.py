"""Filters that compare: ``gte:2024-01-01T00:00:00Z``, ``in:a,b``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType

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


def is_moment(expression: str) -> bool:
    """Whether it is a time, or an operator and a time."""
    word, _, text = _parts(expression)
    return word in _OPERATORS and instant(text) >= 0


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
