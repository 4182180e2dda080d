"""The invariants of the inventory, as SQL on a live database: each finds what must not be there.

``check`` looks at one moment, ``Past`` holds two moments against each other, ``truth`` holds the inventory against what
the cloud really had. All are fast enough to be asked after every step of a long walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import psycopg
from builders import canonical
from psycopg.rows import dict_row, tuple_row

from sync.domain.fields import COLUMNS
from sync.domain.image import to_json
from sync.store.connect import Target
from sync.store.reading import CONTENT, inventory

_MOST = 5  # rows told of each violation
_ALL = ", ".join((*COLUMNS, "extra"))


def _dead(alias: str) -> str:
    return f"({alias}.vendor_deleted IS TRUE OR {alias}.status IS NOT DISTINCT FROM 'deleted')"


def _content(alias: str) -> str:
    return "(" + ", ".join(f"{alias}.{column}" for column in (*COLUMNS, "extra")) + ")"


# Every period in which an image had one content; the open ones end at infinity. Beside it: the period before and after.
_COMMON = f"""
WITH took AS MATERIALIZED (SELECT * FROM inventory.runs WHERE effective_at IS NOT NULL),
spans AS MATERIALIZED (
    SELECT source, {_ALL}, valid_from, valid_to, valid_from_run, valid_to_run FROM inventory.image_versions
    UNION ALL
    SELECT source, {_ALL}, valid_from, 'infinity', valid_from_run, NULL FROM inventory.images WHERE deleted_at IS NULL
),
chain AS MATERIALIZED (
    SELECT source, id, valid_from, valid_to, valid_from_run, valid_to_run, lag(valid_to) OVER w AS before,
           lag(valid_to_run) OVER w AS before_run, lead(valid_from) OVER w AS after
    FROM spans WINDOW w AS (PARTITION BY source, id ORDER BY valid_from)
),
last AS MATERIALIZED (
    SELECT DISTINCT ON (source, id) * FROM inventory.image_versions ORDER BY source, id, valid_from DESC
),
bounds AS MATERIALIZED (
    SELECT source, id, 'version from' AS what, valid_from AS at, valid_from_run AS run FROM inventory.image_versions
    UNION ALL SELECT source, id, 'version to', valid_to, valid_to_run FROM inventory.image_versions
    UNION ALL SELECT source, id, 'image from', valid_from, valid_from_run FROM inventory.images
    UNION ALL SELECT source, id, 'deleted', deleted_at, deleted_run FROM inventory.images WHERE deleted_at IS NOT NULL
    UNION ALL SELECT source, id, 'held', held_at, run FROM inventory.held_deletions
    UNION ALL SELECT source, id, 'closed', closed_at, closed_run FROM inventory.held_deletions
              WHERE closed_at IS NOT NULL
    UNION ALL SELECT source, id, 'quarantined', first_seen_at, first_run FROM inventory.quarantine
    UNION ALL SELECT source, subject, 'found', first_seen_at, first_run FROM inventory.findings
)
"""

# What each finds is a violation; the number is that of the invariant in the design.
_VIOLATIONS: dict[str, str] = {
    "2: a run that did not commit left evidence": """
        SELECT p.run::text FROM inventory.run_pages p LEFT JOIN took r USING (run) WHERE r.run IS NULL""",
    "3: a version of no image": """
        SELECT v.id FROM inventory.image_versions v LEFT JOIN inventory.images i USING (source, id)
        WHERE i.id IS NULL""",
    "3: a deleted image whose last period does not end when it was deleted": """
        SELECT i.id FROM inventory.images i LEFT JOIN last v USING (source, id)
        WHERE i.deleted_at IS NOT NULL AND v.valid_to IS DISTINCT FROM i.deleted_at
          AND (v.id IS NOT NULL OR i.valid_from <> i.deleted_at OR i.first_seen_at <> i.deleted_at)""",
    "3: a deleted image that is not as it last was": f"""
        SELECT i.id FROM inventory.images i JOIN last v USING (source, id)
        WHERE i.deleted_at IS NOT NULL AND i.valid_from < i.deleted_at AND NOT {_dead("i")}
          AND (v.valid_from <> i.valid_from OR {_content("i")} IS DISTINCT FROM {_content("v")})""",
    "4: an empty period": "SELECT id FROM spans WHERE valid_from >= valid_to",
    "4: periods that overlap": "SELECT id FROM chain WHERE before > valid_from",
    "4: periods that touch, by the word of two runs": """
        SELECT id FROM chain WHERE before = valid_from AND before_run <> valid_from_run""",
    "4: a gap that begins without a deletion": """
        SELECT id FROM chain c WHERE after IS DISTINCT FROM valid_to AND valid_to < 'infinity'
          AND NOT EXISTS (SELECT FROM took r WHERE r.run = c.valid_to_run AND r.deleted > 0)""",
    "4: a gap that ends without a return": """
        SELECT id FROM chain c WHERE before < valid_from
          AND NOT EXISTS (SELECT FROM took r WHERE r.run = c.valid_from_run AND r.restored > 0)""",
    "4: a first period that does not begin when the image was first seen": """
        SELECT c.id FROM chain c JOIN inventory.images i USING (source, id)
        WHERE c.before IS NULL AND (c.valid_from < i.first_seen_at OR c.valid_from > i.first_seen_at
          AND NOT EXISTS (SELECT FROM took r WHERE r.run = c.valid_from_run AND r.restored > 0))""",
    "5: two touching versions that are the same": f"""
        SELECT a.id FROM spans a JOIN spans b ON a.source = b.source AND a.id = b.id AND a.valid_to = b.valid_from
        WHERE {_content("a")} IS NOT DISTINCT FROM {_content("b")}""",
    "7: effective_at does not rise": """
        SELECT run::text FROM (SELECT run, effective_at <= lag(effective_at) OVER (PARTITION BY source ORDER BY run)
        AS falls FROM took) AS r WHERE falls""",
    "7, 2, 11: a bound that is not the effective_at of a committed run of its source": """
        SELECT b.what || ' ' || b.id FROM bounds b LEFT JOIN took r ON r.run = b.run AND r.source = b.source
        WHERE r.effective_at IS DISTINCT FROM b.at""",
    "7: a moment that is not the effective_at of any run of its source": """
        SELECT i.id FROM inventory.images i WHERE NOT EXISTS (
            SELECT FROM took r WHERE r.source = i.source AND r.effective_at = i.first_seen_at)
          OR i.last_seen_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM took r WHERE r.source = i.source AND r.effective_at = i.last_seen_at)""",
    "7: a deleted image that was last seen never, later, or before it was as it is": """
        SELECT id FROM inventory.images WHERE (deleted_at IS NULL) <> (last_seen_at IS NULL)
          OR last_seen_at NOT BETWEEN valid_from AND deleted_at""",
    "7: a source that does not know its last run": """
        SELECT s.name FROM inventory.sources s WHERE
            s.epoch <> (SELECT count(*) FROM took r WHERE r.source = s.name)
            OR s.effective_at IS DISTINCT FROM (SELECT max(effective_at) FROM took r WHERE r.source = s.name)
            OR s.proven_at IS DISTINCT FROM (SELECT max(effective_at) FROM took r WHERE r.source = s.name AND proven)
        """,
    "7: runs that committed though another was ahead": """
        SELECT run::text FROM (SELECT run, epoch <> row_number() OVER (PARTITION BY source ORDER BY run) - 1 AS off
        FROM took) AS r WHERE off""",
    "8: deletions without a proven list": "SELECT run::text FROM took WHERE deleted > 0 AND NOT proven",
    "8: unapproved deletions beside newly held ones": """
        SELECT run::text FROM took r WHERE deleted <> approved AND EXISTS (
            SELECT FROM inventory.held_deletions h WHERE h.run = r.run)""",
    "8: deleted though it was held, and no one approved it": """
        SELECT id FROM inventory.held_deletions WHERE outcome = 'deleted' AND approved_at IS NULL""",
    "7: a source that accounted for its images later than it proved its list": """
        SELECT name FROM inventory.sources WHERE seen_at > proven_at""",
    "8: approvals that were not used once": """
        SELECT run::text FROM took r WHERE approved <> (SELECT count(*) FROM inventory.held_deletions h
        WHERE h.closed_run = r.run AND h.outcome = 'deleted' AND h.approved_at IS NOT NULL)""",
    "8: deletions that were not confirmed": f"""
        SELECT run::text FROM took r WHERE missing - kept < (SELECT count(*) FROM inventory.images i
        WHERE i.deleted_run = r.run AND NOT {_dead("i")})""",
    "8: confirmed deletions that were neither made nor held": """
        SELECT run::text FROM took WHERE missing - kept > deleted + held""",
    "8: an open case of an image that is not live": """
        SELECT h.id FROM inventory.held_deletions h LEFT JOIN inventory.images i USING (source, id)
        WHERE h.closed_at IS NULL AND (i.id IS NULL OR i.deleted_at IS NOT NULL)""",
    "8: a case closed by a deletion that is not there": """
        SELECT h.id FROM inventory.held_deletions h WHERE h.outcome = 'deleted'
          AND NOT EXISTS (SELECT FROM inventory.images i WHERE i.source = h.source AND i.id = h.id
                          AND i.deleted_run = h.closed_run)
          AND NOT EXISTS (SELECT FROM inventory.image_versions v WHERE v.source = h.source AND v.id = h.id
                          AND v.valid_to_run = h.closed_run)""",
    "8: half an approval": """
        SELECT id FROM inventory.held_deletions WHERE (approved_at IS NULL) <> (approved_by IS NULL)""",
    "12: received is not the sum of its parts": """
        SELECT run::text FROM took
        WHERE received <> created + updated + restored + unchanged + duplicates + quarantined""",
    "12: listed is not received without duplicates": """
        SELECT run::text FROM took WHERE listed <> received - duplicates""",
    "12: a count below zero": """
        SELECT run::text FROM inventory.runs WHERE least(received, listed, created, updated, restored, deleted, approved,
        held, unchanged, duplicates, quarantined, missing, kept, misfits, requests, retries, bytes, pages) < 0
        OR kept > missing OR approved > deleted""",
    "12: created is not what was created": """
        SELECT run::text FROM took r WHERE created <> (SELECT count(*) FROM inventory.images i
        WHERE i.source = r.source AND i.first_seen_at = r.effective_at)""",
    "12: restored is not what came back": """
        SELECT run::text FROM took r WHERE restored <> (
            SELECT count(*) FROM chain c JOIN inventory.images i USING (source, id)
            WHERE c.source = r.source AND c.valid_from = r.effective_at AND c.before IS DISTINCT FROM c.valid_from
              AND i.first_seen_at < c.valid_from)""",
    "12: updated is less than what changed": """
        SELECT run::text FROM took r WHERE updated < (SELECT count(*) FROM chain c
        WHERE c.source = r.source AND c.valid_from = r.effective_at AND c.before = c.valid_from)""",
    "12: deleted is not what went": """
        SELECT run::text FROM took r WHERE deleted <> (SELECT count(*) FROM chain c
        WHERE c.source = r.source AND c.valid_to = r.effective_at AND c.after IS DISTINCT FROM c.valid_to)
        + (SELECT count(*) FROM inventory.images i WHERE i.source = r.source AND i.first_seen_at = r.effective_at
           AND NOT EXISTS (SELECT FROM chain c WHERE c.source = i.source AND c.id = i.id
                           AND c.valid_from = i.first_seen_at))""",
    "14: a run that does not say how it ended": """
        SELECT run::text FROM inventory.runs WHERE (status = 'running') <> (finished_at IS NULL)
          OR status IN ('failed', 'interrupted', 'superseded') AND (error IS NULL OR reason = '')
          OR status IN ('done', 'withheld') AND ((status = 'withheld') <> (reason <> '') OR error IS NOT NULL)""",
    "14: an eventful run without its evidence": """
        SELECT run::text FROM took r WHERE (SELECT count(*) FROM inventory.run_pages p WHERE p.run = r.run) <>
        CASE WHEN created + updated + restored + deleted + held > 0 OR status = 'withheld' THEN pages ELSE 0 END""",
    "a digest of another length": """
        SELECT id FROM inventory.images WHERE length(raw_digest) <> 16 OR length(content_digest) <> 16""",
}


def _violations() -> str:
    parts = [
        f"(SELECT '{name}', string_agg(what, ', ') FROM (SELECT * FROM ({query}) AS q (what) LIMIT {_MOST}) AS q"
        " HAVING count(*) > 0)"
        for name, query in _VIOLATIONS.items()
    ]
    return _COMMON + "\nUNION ALL\n".join(parts)


_CHECK = _violations()


def check(connection: psycopg.Connection[Any]) -> list[str]:
    """What is wrong with an inventory: one sentence a violated invariant, with the ids or runs concerned."""
    with connection.transaction():
        connection.execute("SET LOCAL jit = off")
        rows = connection.cursor(row_factory=tuple_row).execute(_CHECK).fetchall()
    return [f"{name}: {what}" for name, what in rows]


def truth(
    connection: psycopg.Connection[Any], source: str, images: Iterable[Mapping[str, Any]], moment: datetime
) -> list[str]:
    """How the inventory at a moment differs from the images that the cloud returned (invariant 1).

    Images that the cloud itself calls deleted must not be there.
    """
    wanted = {str(given["id"]): canonical(given) for given in images if not _is_dead(given)}
    found = {row["id"]: canonical(to_json(row, row["extra"])) for row in _state(connection, source, moment)}
    return [
        *(f"1: {image_id} is not in the inventory" for image_id in sorted(wanted.keys() - found.keys())),
        *(f"1: {image_id} is not in the cloud" for image_id in sorted(found.keys() - wanted.keys())),
        *(
            f"1: {image_id} is {found[image_id]} and not {wanted[image_id]}"
            for image_id in sorted(found.keys() & wanted.keys())
            if found[image_id] != wanted[image_id]
        ),
    ]


def story(target: Target, moments: Iterable[datetime]) -> list[str]:
    """Whether the differences between any two moments lead from one to the other (invariant 13)."""
    wrong = []
    moments = sorted(moments)
    with inventory(target) as reading:
        states = {moment: _snapshot(reading.as_of(moment, None)) for moment in moments}
        for n, before in enumerate(moments):
            for after in moments[n:]:
                changes = list(reading.diff(before, after, None))
                if before == after and changes:
                    wrong.append(f"13: a difference between {before} and itself")
                if not _leads(states[before], states[after], changes):
                    wrong.append(f"13: the difference between {before} and {after} does not lead there")
    return wrong


class Past:
    """Remembers all that was ever committed, and finds what of it has changed since (invariants 10 and 13)."""

    _LASTING = """
        SELECT 'version ' || id || md5(v::text) FROM inventory.image_versions v
        UNION ALL SELECT 'run ' || run || md5(r::text) FROM inventory.runs r WHERE effective_at IS NOT NULL
        UNION ALL SELECT 'page of run ' || run || md5(p::text) FROM inventory.run_pages p
        UNION ALL SELECT 'quarantine ' || md5(q::text) FROM inventory.quarantine q
        UNION ALL SELECT 'finding ' || md5(f::text) FROM inventory.findings f
        UNION ALL SELECT 'case ' || id || md5(h::text) FROM inventory.held_deletions h WHERE closed_at IS NOT NULL
        UNION ALL SELECT 'first seen ' || source || id || first_seen_at::text FROM inventory.images
    """

    def __init__(self) -> None:
        self._known: set[str] = set()

    def check(self, connection: psycopg.Connection[Any]) -> list[str]:
        """What is no longer as it was at the last check."""
        with connection.transaction():
            connection.execute("SET LOCAL TimeZone = 'UTC'")
            now = {str(row[0]) for row in connection.cursor(row_factory=tuple_row).execute(self._LASTING)}
        lost, self._known = self._known - now, now
        return [f"13: the past has changed: {what}" for what in sorted(lost)[:_MOST]]


def _is_dead(given: Mapping[str, Any]) -> bool:
    return given.get("status") == "deleted" or given.get("deleted") in (True, "true")


def _state(connection: psycopg.Connection[Any], source: str, moment: datetime) -> list[dict[str, Any]]:
    """The images of a source at a moment, by a query of the tests' own."""
    query = f"""
        SELECT {_ALL} FROM inventory.images WHERE source = %(source)s AND deleted_at IS NULL AND valid_from <= %(at)s
        UNION ALL SELECT {_ALL} FROM inventory.image_versions
        WHERE source = %(source)s AND valid_from <= %(at)s AND valid_to > %(at)s"""
    facts = {"source": source, "at": moment}
    return connection.cursor(row_factory=dict_row).execute(query, facts).fetchall()


def _snapshot(rows: Iterable[Mapping[Any, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["source"], row["id"]): {name: row[name] for name in COLUMNS} for row in rows}


def _leads(
    before: dict[tuple[str, str], dict[str, Any]],
    after: dict[tuple[str, str], dict[str, Any]],
    changes: list[Mapping[Any, Any]],
) -> bool:
    """Whether applying the changes to one state gives the other; of new images only the ids are told."""
    state = {key: dict(row) for key, row in before.items()}
    for change in changes:
        key = (change["source"], change["id"])
        if change["change"] == "deleted":
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
