"""The past as the product tells it: ``as-of`` and ``diff``, held against what was noted when it was the present."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from machine_clouds import canonical
from machine_tables import Tables

from sync.domain.fields import FIELDS
from sync.store.connect import Target
from sync.store.reading import Inventory, Row, inventory


@dataclass(frozen=True)
class Moment:
    """What was stored of a source right after a run of it took effect; content by id."""

    source: str
    at: datetime
    stored: dict[str, str]


def check_past(tables: Tables, past: Sequence[Moment]) -> list[str]:
    """13: the past never changes after it was committed."""
    return [
        f"source {moment.source} at {moment.at} is no longer as it was"
        for moment in past
        if tables.as_of(moment.source, moment.at) != moment.stored
    ]


def check_told_past(target: Target, past: Sequence[Moment]) -> list[str]:
    """13: what the product tells of the past is what was noted, and its differences lead from one to the next."""
    flaws: list[str] = []
    with inventory(target) as found:
        for moment in past:
            told = {row["id"]: _known(row) for row in found.as_of(moment.at, moment.source)}
            if told != {name: _without_extra(text) for name, text in moment.stored.items()}:
                flaws.append(f"as-of tells another story of source {moment.source} at {moment.at}")
            if list(found.diff(moment.at, moment.at, moment.source)):
                flaws.append(f"diff finds a difference between {moment.at} and itself")
        for source in {moment.source for moment in past}:
            for before, after in pairwise(moment for moment in past if moment.source == source):
                flaws += _differences(found, before, after)
    return flaws


def _differences(found: Inventory, before: Moment, after: Moment) -> Iterator[str]:
    changes = list(found.diff(before.at, after.at, after.source))
    there = {row["id"]: dict(row) for row in found.as_of(before.at, before.source)}
    later = {row["id"]: dict(row) for row in found.as_of(after.at, after.source)}
    for change in changes:
        name = change["id"]
        if change["change"] == "deleted":
            there.pop(name)
        elif change["change"] == "updated" and change["field"] != "extra":
            if there[name][change["field"]] != change["old"]:
                yield f"diff tells a wrong old value of {name}"
            there[name][change["field"]] = change["new"]
        elif change["change"] in {"created", "restored"}:
            if name in there:
                yield f"diff tells that {name} was {change['change']}, and it was there"
            there[name] = later[name]
    if there != later:
        yield f"what changed from {before.at} to {after.at} does not lead there"


def _known(row: Row) -> str:
    return canonical({each.api: row[each.column] for each in FIELDS})


def _without_extra(text: str) -> str:
    names = {each.api for each in FIELDS}
    document: dict[str, Any] = json.loads(text)
    return json.dumps({name: value for name, value in document.items() if name in names}, sort_keys=True)
