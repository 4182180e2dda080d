"""JSON read strictly: no key twice in an object, no NaN, no Infinity."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sync.errors import ContractError


def strict_json(text: bytes, number: Callable[[str], object] | None = None) -> Any:
    """Decode JSON in which no object has a key twice: which of the two holds is anyone's guess.

    Args:
        text: the JSON.
        number: what to make of a number; Python's int or float if not given.

    Raises:
        ContractError: one has.
        ValueError: it is no JSON; NaN and Infinity are none.
    """
    return json.loads(
        text, object_pairs_hook=_without_twins, parse_constant=_no_constant, parse_int=number, parse_float=number
    )


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ContractError("the answer has an object with the same key twice, so no one can say which value holds")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
