"""The fifteen invariants of the inventory, each stated here and nowhere else, and those that its tables alone can tell.

I1: After a run that was proven and held nothing back, the inventory at its ``effective_at`` is what the API returned.
I2: A run that did not commit changed no table but ``runs``.
I3: ``images`` without tombstones are the open versions, both ways.
I4: The periods of one id are not empty, do not overlap, touch while it lives, and leave a gap where it was deleted.
I5: Two versions that touch differ.
I6: Of two runs against the same state of the API the second rewrites no row.
I7: ``effective_at`` strictly rises, and is the only source of every bound in the history.
I8: A deletion implies a proven list, a confirmation, and a passed guard or a used approval; a deletion that was held
    once needs an approval.
I9: An image that was there during the whole run is never deleted by it, under any interleaving and any fault.
I10: An image that returns gets a new version; the old ones stay as they were.
I11: Sources do not touch each other's rows.
I12: received = created + updated + restored + unchanged + duplicates + quarantined.
I13: ``apply(as_of(a), diff(a, b)) = as_of(b)``, ``diff(a, a)`` is empty, and the past never changes.
I14: The exit status and the record of a run tell the same truth, after ``kill -9`` too.
I15: No secret appears in any log, table, report, error or process list.

``check`` looks at one moment (I2 to I8, I12, I14), ``Past`` compares two moments (I10, I13), ``truth`` (I1) and ``stayed``
(I9) compare the inventory with what the cloud really had, and ``story`` compares answers about the past with each other
(I13). All are fast enough to run after every step of a long walk. Checks that compare the tables before and after a run
are in ``machine_checks.py``, under the same names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import psycopg
from builders import canonical
from psycopg.rows import dict_row, tuple_row

from sync.domain.apis import IEC, Api
from sync.domain.fields import COLUMNS
from sync.domain.image import to_json
from sync.domain.values import iso
from sync.store.connection import Target
from sync.store.queries.invariants import violations
from sync.store.queries.inventory import CONTENT, inventory
from sync.store.queries.rules import CONTENTS

_MOST = 5  # rows reported per violation


def check(connection: psycopg.Connection[Any]) -> list[str]:
    """The violated invariants, one sentence each, with the ids or runs concerned."""
    return [f"{rule}: {examples}" for rule, _cases, examples in violations(connection)]


def truth(
    connection: psycopg.Connection[Any],
    source: str,
    images: Iterable[Mapping[str, Any]],
    moment: datetime,
    api: Api = IEC,
) -> list[str]:
    """The differences between the inventory at a moment and the images that the cloud returned (I1).

    Images that the cloud lists as deleted must not be in the inventory.
    """
    expected = {str(image["id"]): canonical(image, api) for image in images if not _is_dead(image)}
    stored = {row["id"]: canonical(to_json(row, row["extra"], api), api) for row in _state(connection, source, moment)}
    return [
        *(f"I1: {image_id} is not in the inventory" for image_id in sorted(expected.keys() - stored.keys())),
        *(f"I1: {image_id} is not in the cloud" for image_id in sorted(stored.keys() - expected.keys())),
        *(
            f"I1: {image_id} is {stored[image_id]} and not {expected[image_id]}"
            for image_id in sorted(stored.keys() & expected.keys())
            if stored[image_id] != expected[image_id]
        ),
    ]


def stayed(connection: psycopg.Connection[Any], run: int | None, present: Iterable[str]) -> list[str]:
    """The images that a run deleted or never stored although they were listed the whole time (I9).

    Args:
        connection: to the database.
        run: its number.
        present: the ids that were listed from before it began until after it ended.
    """
    query = """
        SELECT wanted FROM inventory.runs r CROSS JOIN unnest(%(ids)s::text[]) AS wanted
        LEFT JOIN inventory.images i ON i.source = r.source AND i.id = wanted
        WHERE r.run = %(run)s AND r.effective_at IS NOT NULL
          AND (r.run IN (i.deleted_run, i.invisible_run) OR i.id IS NULL AND r.proven)
        ORDER BY 1"""
    rows = connection.cursor(row_factory=tuple_row).execute(query, {"run": run, "ids": list(present)}).fetchall()
    return [f"I9: run {run} deleted {name} or never stored it, and it was there the whole time" for (name,) in rows]


def story(target: Target, moments: Iterable[datetime]) -> list[str]:
    """The moments between which the reported differences do not lead from one to the other (I13)."""
    wrong = []
    moments = sorted(moments)
    with inventory(target) as reading:
        states = {moment: _snapshot(reading.as_of(moment, None)) for moment in moments}
        for n, before in enumerate(moments):
            for after in moments[n:]:
                changes = list(reading.diff(before, after, None))
                if before == after and changes:
                    wrong.append(f"I13: a difference between {before} and itself")
                if not _leads(states[before], states[after], changes):
                    wrong.append(f"I13: the difference between {before} and {after} does not lead there")
    return wrong


class Past:
    """Remembers everything that was committed, and finds what has changed since (I10, I13)."""

    _LASTING = """
        SELECT 'version ' || id || md5(v::text) FROM inventory.image_versions v
        UNION ALL SELECT 'run ' || run || md5(r::text) FROM inventory.runs r
                  WHERE status NOT IN ('running', 'abandoned')
        UNION ALL SELECT 'page of run ' || run || md5(p::text) FROM inventory.run_pages p
        UNION ALL SELECT 'quarantine ' || md5(q::text) FROM inventory.quarantine q
        UNION ALL SELECT 'finding ' || md5(f::text) FROM inventory.findings f
        UNION ALL SELECT 'case ' || id || md5(h::text) FROM inventory.held_deletions h WHERE closed_at IS NOT NULL
        UNION ALL SELECT 'first seen ' || source || id || first_seen_at::text FROM inventory.images
    """

    def __init__(self) -> None:
        self._known: set[str] = set()

    def check(self, connection: psycopg.Connection[Any]) -> list[str]:
        """What has changed since the last check."""
        with connection.transaction():
            connection.execute("SET LOCAL TimeZone = 'UTC'")
            now = {str(row[0]) for row in connection.cursor(row_factory=tuple_row).execute(self._LASTING)}
        lost, self._known = self._known - now, now
        return [f"I13: the past has changed: {what}" for what in sorted(lost)[:_MOST]]


def _is_dead(image: Mapping[str, Any]) -> bool:
    return image.get("status") == "deleted" or image.get("deleted") in (True, "true")


def _state(connection: psycopg.Connection[Any], source: str, moment: datetime) -> list[dict[str, Any]]:
    """The images of a source at a moment, by an independent query."""
    query = f"""
        SELECT {CONTENTS} FROM inventory.images
        WHERE source = %(source)s AND deleted_at IS NULL AND invisible_since IS NULL AND valid_from <= %(at)s
        UNION ALL SELECT {CONTENTS} FROM inventory.image_versions
        WHERE source = %(source)s AND valid_from <= %(at)s AND valid_to > %(at)s"""
    facts = {"source": source, "at": moment}
    return connection.cursor(row_factory=dict_row).execute(query, facts).fetchall()


def _snapshot(rows: Iterable[Mapping[Any, Any]]) -> dict[tuple[str, str], dict[str, str | None]]:
    return {(row["source"], row["id"]): {name: as_text(row[name]) for name in COLUMNS} for row in rows}


def as_text(value: Any) -> str | None:
    """A value in the form of ``images_diff``."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return iso(value) if isinstance(value, datetime) else str(value)


def _leads(
    before: dict[tuple[str, str], dict[str, str | None]],
    after: dict[tuple[str, str], dict[str, str | None]],
    changes: list[Mapping[Any, Any]],
) -> bool:
    """Whether applying the changes to one state gives the other; new images are compared by id only."""
    state = {key: dict(row) for key, row in before.items()}
    for change in changes:
        key = (change["source"], change["id"])
        if change["change"] in ("deleted", "invisible"):
            del state[key]
        elif change["change"] in ("created", "restored"):
            if key in state:
                return False
            state[key] = after[key]
        elif change["field"] in CONTENT:
            if change["field"] != "extra" and state[key][change["field"]] != change["old"]:
                return False
            state[key] |= {change["field"]: change["new"]} if change["field"] != "extra" else {}
    return state == after
