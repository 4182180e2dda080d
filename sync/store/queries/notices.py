"""What a run brought about that people may want to be told of; read after it is over, by whichever process.

Nothing is remembered of what was told: whether a run is the first of its kind follows from the runs before it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.rows import dict_row

from sync.domain.notices import RunFacts, Sample
from sync.domain.status import Status
from sync.store.connection import Target, connect, transaction

_GOOD = "('done', 'withheld')"
_FAILED = "('failed', 'interrupted', 'abandoned')"
_TELLING = "('done', 'withheld', 'failed')"  # what ended otherwise had no time to tell, or nothing
_LONGEST = 5.0  # seconds of a statement, and of a wait for a lock: it is not worth more
_MOST = 5  # examples

_RUN = f"""
SELECT r.run, r.source, r.status, r.started_at, r.finished_at, r.proven, r.proof, r.reason, r.effective_at, r.held,
       r.quarantined, r.updated + r.restored AS changed, before.proven AS proven_before,
       r.unconfirmed, coalesce((
           SELECT p.unconfirmed FROM inventory.runs p
           WHERE p.source = r.source AND p.proven AND p.effective_at IS NOT NULL AND p.run < r.run
           ORDER BY p.run DESC LIMIT 1), 0) AS unconfirmed_before,
       (r.finished_at AT TIME ZONE 'UTC')::date AS day,
       NOT EXISTS (
           SELECT FROM inventory.runs t
           WHERE t.source = r.source AND t.status IN {_TELLING} AND t.run <> r.run AND t.finished_at < r.finished_at
             AND t.run >= (SELECT max(p.run) FROM inventory.runs p
                           WHERE p.source = r.source AND p.status IN {_TELLING} AND p.run < r.run)
             AND (t.finished_at AT TIME ZONE 'UTC')::date = (r.finished_at AT TIME ZONE 'UTC')::date
       ) AS first_of_day
FROM inventory.runs r
LEFT JOIN LATERAL (
    SELECT g.proven FROM inventory.runs g
    WHERE g.source = r.source AND g.status IN {_GOOD} AND g.run < r.run ORDER BY g.run DESC LIMIT 1
) AS before ON true
WHERE r.run = %(run)s AND r.finished_at IS NOT NULL
"""  # noqa: S608 - constants
# Counted in the order in which they ended, since runs at the same time may end in any; and of no matter, where a later
# run took effect meanwhile.
_STREAK = f"""
SELECT count(*) AS failed, coalesce(max(place) FILTER (WHERE status = 'failed' AND run <> %(run)s), 0) AS failed_told
FROM (
    SELECT f.run, f.status, row_number() OVER (ORDER BY f.finished_at, f.run) AS place FROM inventory.runs f
    WHERE f.source = %(source)s AND f.status IN {_FAILED} AND f.finished_at <= %(finished_at)s
      AND f.run > coalesce((
          SELECT max(g.run) FROM inventory.runs g WHERE g.source = %(source)s AND g.status IN {_GOOD}), 0)
      AND %(run)s > coalesce((
          SELECT max(g.run) FROM inventory.runs g WHERE g.source = %(source)s AND g.status IN {_GOOD}), 0)
) AS streak
"""  # noqa: S608 - constants
_STREAK_BEFORE = f"""
SELECT count(*) AS failed FROM inventory.runs f
WHERE f.source = %(source)s AND f.status IN {_FAILED} AND f.run < %(run)s
  AND f.run > coalesce((
      SELECT max(g.run) FROM inventory.runs g
      WHERE g.source = %(source)s AND g.status IN {_GOOD} AND g.run < %(run)s), 0)
"""  # noqa: S608 - constants
_HELD = """
SELECT h.id, i.name, count(*) OVER () AS count FROM inventory.held_deletions h
LEFT JOIN inventory.images i ON i.source = h.source AND i.id = h.id
WHERE h.source = %(source)s AND h.run = %(run)s ORDER BY h.id LIMIT %(most)s
"""
_WAITING = """
SELECT count(*) AS waiting FROM inventory.held_deletions
WHERE source = %(source)s AND closed_at IS NULL AND approved_at IS NULL
"""
# Found by the moment, for which there is an index, and not by the run.
_EXPOSED = """
SELECT id, name, field, old, new, count(*) OVER () AS count FROM inventory.exposure_changes
WHERE source = %(source)s AND at = %(effective_at)s AND run = %(run)s AND exposure <> 'narrowed'
ORDER BY id, field LIMIT %(most)s
"""
_QUARANTINED = """
SELECT id, reason, count(*) OVER () AS count FROM inventory.quarantine
WHERE source = %(source)s AND first_run = %(run)s ORDER BY first_seen_at, digest LIMIT %(most)s
"""
_DAY = f"""
SELECT count(*) FILTER (WHERE r.status IN {_GOOD}) AS runs, count(*) FILTER (WHERE r.status IN {_FAILED}) AS failed,
       coalesce(sum(r.created), 0)::bigint AS created, coalesce(sum(r.updated), 0)::bigint AS updated,
       coalesce(sum(r.restored), 0)::bigint AS restored, coalesce(sum(r.deleted), 0)::bigint AS deleted,
       f.live, f.held, f.quarantined,
       CASE WHEN f.proven_at IS NOT NULL
            THEN greatest(extract(epoch FROM %(finished_at)s - f.proven_at)::bigint, 0) END AS proven_seconds_ago
FROM inventory.freshness f
LEFT JOIN inventory.runs r ON r.source = f.source
     AND r.finished_at >= (%(day)s::date - 1)::timestamp AT TIME ZONE 'UTC'
     AND r.finished_at < %(day)s::date::timestamp AT TIME ZONE 'UTC'
WHERE f.source = %(source)s GROUP BY f.live, f.held, f.quarantined, f.proven_at
"""  # noqa: S608 - constants


def facts_of(target: Target, run: int, wanted: Collection[str]) -> RunFacts | None:
    """What a run brought about; None if there is no such run, or it has not said yet how it ended.

    Args:
        target: the database.
        run: its number.
        wanted: kinds of notices; what only others are about is not asked for.

    Raises:
        StoreError: the database can't be asked.
    """
    brief = replace(target, lock_timeout=_LONGEST, statement_timeout=_LONGEST, margin=1.0)
    with connect(brief) as connection, transaction(connection, brief, "reading what the run brought about"):
        asking = _Asking(connection, run, wanted)
        return asking.facts() if asking.run else None


class _Asking:
    """Asks no more than the run's own record makes necessary: of a run without changes, two questions."""

    def __init__(self, connection: psycopg.Connection[Any], run: int, wanted: Collection[str]) -> None:
        self._cursor = connection.cursor(row_factory=dict_row)
        self._values: dict[str, Any] = {"run": run, "most": _MOST}
        self._wanted = wanted
        found = self._rows(_RUN)
        self.run = found[0] if found else {}
        self._values |= self.run

    def facts(self) -> RunFacts:
        """What it brought about."""
        run, status = self.run, Status(self.run["status"])
        own = (
            *("run", "source", "started_at", "finished_at", "proven", "proof", "reason", "proven_before"),
            *("unconfirmed", "unconfirmed_before"),
        )
        took_effect = run["effective_at"] is not None
        streak = self._rows(_STREAK_BEFORE if took_effect else _STREAK)[0]
        return RunFacts(
            **{name: run[name] for name in own},
            status=status,
            **streak,
            held=self._found("held", _HELD, run["held"]),
            waiting=self._rows(_WAITING)[0]["waiting"] if run["held"] else 0,
            exposed=self._found("exposure", _EXPOSED, run["changed"]),
            quarantined=self._found("quarantined", _QUARANTINED, run["quarantined"]),
            day=self._rows(_DAY)[0] if run["first_of_day"] and "daily" in self._wanted else None,
        )

    def _found(self, kind: str, query: str, most: int) -> Sample:
        rows = self._rows(query) if most and kind in self._wanted else []
        count = rows[0]["count"] if rows else 0
        return Sample(count, tuple({name: row[name] for name in row if name != "count"} for row in rows))

    def _rows(self, query: str) -> list[dict[str, Any]]:
        return self._cursor.execute(query.encode(), self._values).fetchall()
