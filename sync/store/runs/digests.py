"""A digest of each committed run, over what it changed and over the run before it; and whether they still hold.

What a run changed is a set: of each version that it opened the digest of the content and the id, of each that it closed
the id. Its digest is the SHA-256 of the members' SHA-256, in their order; that of the run is made from it by
``inventory.run_digest``. How to check them by hand, and what they can't tell: docs/evidence.md.
"""
# ruff: noqa: S608 - nothing but the column names of fields.py is put into these texts

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any

import psycopg

from sync.domain.fields import COLUMNS
from sync.domain.image import Reader
from sync.domain.run import Outcome, Run
from sync.store.runs.counted import agree

Connection = psycopg.Connection[Any]
_OPENED, _CLOSED = b"+", b"-"
_SIZE = 32  # bytes
_CHUNK = 2_000  # rows held in memory at a time

_OPENED_BY = """
SELECT sha256('+'::bytea || i.content_digest || convert_to(i.id, 'UTF8')) FROM {images} i
WHERE i.valid_from_run = %(run)s AND i.deleted_at IS NULL
"""
_ALL = "(SELECT * FROM inventory.images WHERE source = %(source)s)"
# OFFSET keeps the planner from looking through all images for those of this run, of which it expects one.
_STAGED = """
pg_temp.stage s CROSS JOIN LATERAL (
    SELECT * FROM inventory.images WHERE source = %(source)s AND id = s.id OFFSET 0)
"""
_CLOSED_BY = """
SELECT sha256('-'::bytea || convert_to(v.id, 'UTF8')) FROM inventory.image_versions v
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
SELECT r.run, r.source, r.ignored, r.changes_digest, r.effective_at > coalesce(s.pruned_before, '-infinity') AS kept
FROM inventory.runs r JOIN inventory.sources s ON s.name = r.source WHERE r.digest IS NOT NULL
"""
_VERSIONS = f"""
SELECT valid_from_run, valid_to_run, {", ".join(COLUMNS)}, extra::text FROM inventory.image_history
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


def seal(connection: Connection, run: Run, outcome: Outcome, *, loaded: bool) -> None:
    """Give a run its digest, in the transaction of its data, as the last that is written of it.

    Args:
        connection: within the transaction.
        run: the run.
        outcome: how it ended.
        loaded: whether it was a first load, whose images were not staged.
    """
    changes = "''::bytea"
    if outcome.plan.changes:
        changes = f"({_LOADED if loaded else _CHANGED})"
    facts = {"run": run.number, "source": run.source.name, "effective_at": outcome.effective_at}
    facts |= {"ignored": ",".join(sorted(run.source.ignore))}
    for statement in (_SEAL.format(changes=changes).encode(), _CHAIN.encode()):
        agree(connection.execute(statement, facts).rowcount, 1, "runs sealed")


def unchained(connection: Connection) -> list[int]:
    """Runs whose digest is not what their record, their changes' digest and their predecessor say."""
    return [row[0] for row in connection.execute(_UNCHAINED)]


def altered(connection: Connection) -> list[int]:
    """Runs whose changes are not those that their digest was made of; reads the whole history once."""
    sealed = {run: (ignored, digest) for run, _source, ignored, digest, kept in connection.execute(_SEALED) if kept}
    found: dict[int, bytearray] = defaultdict(bytearray)
    for run, part in _parts(connection, {run: ignored for run, (ignored, _digest) in sealed.items()}):
        found[run] += part
    return sorted(run for run, (_ignored, digest) in sealed.items() if _digest_of(found[run]) != digest)


def bearer(connection: Connection, digest: bytes) -> int | None:
    """The run that bears a digest, or None."""
    row = connection.execute(_BEARS, {"digest": digest}).fetchone()
    return None if row is None else row[0]


def unchecked(connection: Connection) -> int:
    """How many runs have nothing but their record to be checked by, as history from then was pruned."""
    row = connection.execute(_UNCHECKED).fetchone()
    return int(row[0]) if row else 0


def _parts(connection: Connection, ignored: dict[int, str]) -> Iterator[tuple[int, bytes]]:
    """What each run changed, member by member."""
    reader = cache(lambda names: Reader(tuple(filter(None, names.split(",")))))
    with connection.cursor("versions") as cursor:
        cursor.itersize = _CHUNK
        for open_connection, closed, *values, extra in cursor.execute(_VERSIONS.encode()):
            name = values[0].encode()
            if open_connection in ignored:
                content = reader(ignored[open_connection]).stored(values, extra)
                yield open_connection, sha256(_OPENED + content + name).digest()
            if closed in ignored:
                yield closed, sha256(_CLOSED + name).digest()


def _digest_of(members: bytearray) -> bytes:
    """Digest of a set."""
    return sha256(b"".join(sorted(members[n : n + _SIZE] for n in range(0, len(members), _SIZE)))).digest()
