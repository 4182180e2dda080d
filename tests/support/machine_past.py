"""``as-of`` and ``diff`` compared with what was recorded when each moment was the present."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from invariants import story
from machine_tables import Tables, content_of

from sync.store.connection import Target
from sync.store.queries.inventory import inventory

_COMPARED = 4  # moments compared, each with each
_ASKED = 8  # moments checked, spread over the whole past


@dataclass(frozen=True)
class Moment:
    """What a source's cloud showed during a run, and what was stored right after it took effect.

    Attributes:
        source: its name.
        api: name of its API.
        at: when the run took effect.
        shown: the ids that its cloud had at any time during the run.
        stored: content by id.
    """

    source: str
    api: str
    at: datetime
    shown: frozenset[str | None]
    stored: dict[str, str]


def check_past(tables: Tables, past: Sequence[Moment]) -> list[str]:
    """I13: the past never changes after it was committed."""
    return [
        f"I13: source {moment.source} at {moment.at} is no longer as it was"
        for moment in past
        if tables.as_of(moment.source, moment.at) != moment.stored
    ]


def check_last_seen(tables: Tables, number: int | None, past: Sequence[Moment]) -> list[str]:
    """I7: an image that was removed was last seen by a run whose cloud had it."""
    shown = {(moment.source, moment.at): moment.shown for moment in past}
    return [
        f"I7: {row['id']} was last seen by a run at {row['last_seen_at']}, whose cloud did not have it"
        for row in tables.images.values()
        if number in (row["deleted_run"], row["invisible_run"])
        and row["id"] not in shown.get((row["source"], row["last_seen_at"]), ())
    ]


def check_told_past(target: Target, past: Sequence[Moment]) -> list[str]:
    """I13: answers about the past equal what was recorded, and differences lead from one to the next."""
    with inventory(target) as reading:
        wrong = [
            f"I13: as-of tells another story of source {moment.source} at {moment.at}"
            for moment in past[:: len(past) // _ASKED + 1]
            if {row["id"]: content_of(dict(row), moment.api) for row in reading.as_of(moment.at, moment.source)}
            != moment.stored
        ]
    return wrong + story(target, [moment.at for moment in past[-_COMPARED:]])
