"""JSON read strictly: no key twice in an object, no NaN, no Infinity."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sync.errors import ContractError


def strict_json(text: bytes, number: Callable[[str], object] | None = None) -> Any:
    """Decode JSON, and refuse objects that have the same key twice, since either value could be the valid one.

    Args:
        text: the JSON.
        number: makes the value of a number from its digits; without it, numbers become Python's int or float.

    Raises:
        ContractError: an object has the same key twice.
        ValueError: the text is not JSON; NaN and Infinity are not either.
    """
    return json.loads(
        text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=number, parse_float=number
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ContractError("the answer has an object with the same key twice, so it is unclear which value is valid")
    return record


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
