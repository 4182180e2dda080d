"""A digest of each committed run, over what it changed and over the run before it; and whether they still hold.

The changes of a run are a set: for each version that it opened the digest of the content and the id, for each that it
closed the id, with a sign of its own where the image is no longer visible. Its digest is the SHA-256 of the members'
SHA-256 in sorted order; that of the run is made from it by ``inventory.run_digest``. How to check them by hand, and
what they can't show: docs/evidence.md.
"""
# ruff: noqa: S608 - nothing but the column names of fields.py is put into these texts

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any

import psycopg

from sync.domain.apis import APIS, Api
from sync.domain.fields import COLUMNS
from sync.domain.image import Reader
from sync.domain.outcome import Outcome
from sync.domain.run import Run
from sync.errors import SchemaVersionError
from sync.store.runs.counted import agree
from sync.store.runs.statements import live

Connection = psycopg.Connection[Any]
_SIZE = 32  # bytes of a SHA-256
_CHUNK = 2_000  # rows held in memory at a time

_OPENED_BY = """
SELECT sha256('+'::bytea || i.content_digest || convert_to(i.id, 'UTF8')) FROM {images} i
WHERE i.valid_from_run = %(run)s AND i.deleted_at IS NULL AND i.invisible_since IS NULL
"""
_ALL = "(SELECT * FROM inventory.images WHERE source = %(source)s)"
# OFFSET keeps the planner from scanning all images for those of this run, of which it expects one.
_STAGED = """
pg_temp.stage s CROSS JOIN LATERAL (
    SELECT * FROM inventory.images WHERE source = %(source)s AND id = s.id OFFSET 0)
"""
_CLOSED_BY = """
SELECT sha256(CASE WHEN v.invisible THEN '~'::bytea ELSE '-'::bytea END || convert_to(v.id, 'UTF8'))
FROM inventory.image_versions v
WHERE v.source = %(source)s AND v.valid_to = %(effective_at)s AND v.valid_to_run = %(run)s
"""
_CHANGES = "SELECT coalesce(string_agg(part, '' ORDER BY part), '') FROM ({parts}) AS changes (part)"
_LOADED = _CHANGES.format(parts=_OPENED_BY.format(images=_ALL))
_CHANGED = _CHANGES.format(parts=f"{_OPENED_BY.format(images=_STAGED)} UNION ALL {_CLOSED_BY}")
_SEAL = """
UPDATE inventory.runs SET ignored = %(ignored)s, changes_digest = sha256({changes})
WHERE source = %(source)s AND run = %(run)s
"""
_CHAIN = """
UPDATE inventory.runs r SET digest = inventory.run_digest(r, (
    SELECT p.digest FROM inventory.runs p WHERE p.source = r.source AND p.effective_at < r.effective_at
    ORDER BY p.effective_at DESC LIMIT 1))
WHERE source = %(source)s AND run = %(run)s
"""
_SEALED = """
SELECT r.run, r.ignored, r.changes_digest, r.effective_at > coalesce(s.pruned_before, '-infinity') AS kept
FROM inventory.runs r JOIN inventory.sources s ON s.name = r.source WHERE r.digest IS NOT NULL
"""
_CONTENT = ", ".join(f"v.{column}" for column in COLUMNS) + ", v.extra::text"
_VERSIONS = f"""
SELECT v.valid_from_run, v.valid_to_run, v.invisible, s.api, {_CONTENT}
FROM inventory.image_versions v JOIN inventory.sources s ON s.name = v.source
UNION ALL
SELECT v.valid_from_run, NULL, false, s.api, {_CONTENT}
FROM inventory.images v JOIN inventory.sources s ON s.name = v.source WHERE {live("v")}
"""
_UNCHAINED = """
SELECT run FROM (
    SELECT r.run, r.digest, inventory.run_digest(r, lag(r.digest) OVER w) AS due, lag(r.digest) OVER w AS before
    FROM inventory.runs r WHERE r.effective_at IS NOT NULL WINDOW w AS (PARTITION BY r.source ORDER BY r.effective_at)
) AS r WHERE digest IS DISTINCT FROM due AND (digest IS NOT NULL OR before IS NOT NULL) ORDER BY run
"""
_BEARS = "SELECT run FROM inventory.runs WHERE digest = %(digest)s AND effective_at IS NOT NULL"
_UNCHECKED = """
SELECT count(*) FROM inventory.runs r JOIN inventory.sources s ON s.name = r.source
WHERE r.digest IS NOT NULL AND r.effective_at <= s.pruned_before
"""


def seal(connection: Connection, run: Run, outcome: Outcome, *, first_load: bool) -> None:
    """Give a run its digest, in the transaction of its data; nothing of the run is written after it.

    Args:
        connection: within the transaction.
        run: the run.
        outcome: how it ended.
        first_load: whether its images went straight to their table, and not by way of the stage.
    """
    changes = "''::bytea"
    if outcome.plan.changes:
        changes = f"({_LOADED if first_load else _CHANGED})"
    values = {"run": run.number, "source": run.source.name, "effective_at": outcome.effective_at}
    values |= {"ignored": ",".join(sorted(run.source.ignore))}
    for statement in (_SEAL.format(changes=changes).encode(), _CHAIN.encode()):
        agree(connection.execute(statement, values).rowcount, 1, "runs sealed")


def unchained(connection: Connection) -> list[int]:
    """The runs whose digest does not follow from their record, the digest of their changes and their predecessor."""
    return [row[0] for row in connection.execute(_UNCHAINED)]


def altered(connection: Connection) -> list[int]:
    """The runs whose changes are not those that their digest was made of; reads the whole history once."""
    sealed = {run: (ignored, digest) for run, ignored, digest, kept in connection.execute(_SEALED) if kept}
    changes: dict[int, bytearray] = defaultdict(bytearray)  # takes half the memory that a list of digests would
    for run, change in _changes(connection, {run: ignored for run, (ignored, _digest) in sealed.items()}):
        changes[run] += change
    return sorted(run for run, (_ignored, digest) in sealed.items() if _digest_of(changes[run]) != digest)


def bearer(connection: Connection, digest: bytes) -> int | None:
    """The run that has this digest, or None."""
    row = connection.execute(_BEARS, {"digest": digest}).fetchone()
    return None if row is None else row[0]


def unchecked(connection: Connection) -> int:
    """How many runs can be checked by their record only, as history from then was pruned."""
    row = connection.execute(_UNCHECKED).fetchone()
    return int(row[0]) if row else 0


def _changes(connection: Connection, ignored: dict[int, str]) -> Iterator[tuple[int, bytes]]:
    """The changes of these runs, each as a run and the SHA-256 of the change."""
    reader = cache(lambda names, api: Reader(tuple(filter(None, names.split(","))), _api(api)))
    with connection.cursor("versions") as cursor:
        cursor.itersize = _CHUNK
        for opened_by, closed_by, invisible, api, *values, extra in cursor.execute(_VERSIONS.encode()):
            name = values[0].encode()
            if opened_by in ignored:
                content = reader(ignored[opened_by], api).stored(values, extra)
                yield opened_by, sha256(b"+" + content + name).digest()
            if closed_by in ignored:
                yield closed_by, sha256((b"~" if invisible else b"-") + name).digest()


def _api(name: str) -> Api:
    """The API of this name.

    Raises:
        SchemaVersionError: this program does not know it.
    """
    if name not in APIS:
        raise SchemaVersionError(
            f"a source is read by the API {name}, which this program does not know; install a newer one"
        )
    return APIS[name]


def _digest_of(changes: bytearray) -> bytes:
    return sha256(b"".join(sorted(changes[n : n + _SIZE] for n in range(0, len(changes), _SIZE)))).digest()
