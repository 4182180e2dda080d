"""Facts about a run that people may want to be notified of; read after it is over, by any process.

No notice is remembered: whether a run is the first of its kind follows from the runs before it.
"""
# ruff: noqa: S608 - nothing but constants is put into these texts

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Cursor
from psycopg.rows import dict_row

from sync.domain.notices import RunFacts, Sample
from sync.domain.status import Status
from sync.store.connection import Target, connect, transaction

_GOOD = "('done', 'withheld')"
_FAILED = "('failed', 'interrupted', 'abandoned')"
_NOTIFYING = "('done', 'withheld', 'failed')"  # a run that ended otherwise had no time to notify, or no reason
_TIMEOUT = 5.0  # seconds of a statement, and of a wait for a lock: it is not worth more
_EXAMPLES = 5

_OWN = (  # the facts that are columns of the query below
    *("run", "source", "started_at", "finished_at", "proven", "proof", "reason", "proven_before"),
    *("unconfirmed", "unconfirmed_before"),
)
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
           WHERE t.source = r.source AND t.status IN {_NOTIFYING} AND t.run <> r.run AND t.finished_at < r.finished_at
             AND t.run >= (SELECT max(p.run) FROM inventory.runs p
                           WHERE p.source = r.source AND p.status IN {_NOTIFYING} AND p.run < r.run)
             AND (t.finished_at AT TIME ZONE 'UTC')::date = (r.finished_at AT TIME ZONE 'UTC')::date
       ) AS first_of_day
FROM inventory.runs r
LEFT JOIN LATERAL (
    SELECT g.proven FROM inventory.runs g
    WHERE g.source = r.source AND g.status IN {_GOOD} AND g.run < r.run ORDER BY g.run DESC LIMIT 1
) AS before ON true
WHERE r.run = %(run)s AND r.finished_at IS NOT NULL
"""
# Counted in the order in which they ended, since concurrent runs may end in any order; not counted at all if a later
# run took effect meanwhile.
_STREAK = f"""
SELECT count(*) AS failed,
       coalesce(max(place) FILTER (WHERE status = 'failed' AND run <> %(run)s), 0) AS failed_notified
FROM (
    SELECT f.run, f.status, row_number() OVER (ORDER BY f.finished_at, f.run) AS place FROM inventory.runs f
    WHERE f.source = %(source)s AND f.status IN {_FAILED} AND f.finished_at <= %(finished_at)s
      AND least(f.run, %(run)s) > coalesce((
          SELECT max(g.run) FROM inventory.runs g WHERE g.source = %(source)s AND g.status IN {_GOOD}), 0)
) AS streak
"""
_STREAK_BEFORE = f"""
SELECT count(*) AS failed FROM inventory.runs f
WHERE f.source = %(source)s AND f.status IN {_FAILED} AND f.run < %(run)s
  AND f.run > coalesce((
      SELECT max(g.run) FROM inventory.runs g
      WHERE g.source = %(source)s AND g.status IN {_GOOD} AND g.run < %(run)s), 0)
"""
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
       coalesce(sum(r.invisible), 0)::bigint AS invisible,
       f.live, f.held, f.quarantined,
       CASE WHEN f.proven_at IS NOT NULL
            THEN greatest(extract(epoch FROM %(finished_at)s - f.proven_at)::bigint, 0) END AS proven_seconds_ago
FROM inventory.freshness f
LEFT JOIN inventory.runs r ON r.source = f.source
     AND r.finished_at >= (%(day)s::date - 1)::timestamp AT TIME ZONE 'UTC'
     AND r.finished_at < %(day)s::date::timestamp AT TIME ZONE 'UTC'
WHERE f.source = %(source)s GROUP BY f.live, f.held, f.quarantined, f.proven_at
"""


def facts_of(target: Target, run: int, kinds: Collection[str]) -> RunFacts | None:
    """The facts about a run; None if there is no such run, or it has not recorded yet how it ended.

    Args:
        target: the database.
        run: its number.
        kinds: kinds of notices; facts that only other kinds need are not read.

    Raises:
        StoreError: the database can't be asked.
    """
    brief = replace(target, lock_timeout=_TIMEOUT, statement_timeout=_TIMEOUT, margin=1.0)
    with connect(brief) as connection, transaction(connection, brief, "reading the facts about the run"):
        query = _RunQuery(connection.cursor(row_factory=dict_row), kinds, {"run": run, "most": _EXAMPLES})
        rows = query.rows(_RUN)
        return query.facts(rows[0]) if rows else None


@dataclass(frozen=True, slots=True)
class _RunQuery:
    """Asks no more than the run's own record makes necessary: for a run without changes, two questions."""

    cursor: Cursor[dict[str, Any]]
    kinds: Collection[str]
    values: dict[str, Any]

    def rows(self, query: str) -> list[dict[str, Any]]:
        return self.cursor.execute(query.encode(), self.values).fetchall()

    def facts(self, run: dict[str, Any]) -> RunFacts:
        """The facts about a run, given its record."""
        self.values.update(run)
        streak = self.rows(_STREAK if run["effective_at"] is None else _STREAK_BEFORE)[0]
        return RunFacts(
            **{name: run[name] for name in _OWN},
            status=Status(run["status"]),
            **streak,
            held=self._sample("held", _HELD, run["held"]),
            waiting=self.rows(_WAITING)[0]["waiting"] if run["held"] else 0,
            exposed=self._sample("exposure", _EXPOSED, run["changed"]),
            quarantined=self._sample("quarantined", _QUARANTINED, run["quarantined"]),
            day=self.rows(_DAY)[0] if run["first_of_day"] and "daily" in self.kinds else None,
        )

    def _sample(self, kind: str, query: str, most: int) -> Sample:
        rows = self.rows(query) if most and kind in self.kinds else []
        count = rows[0]["count"] if rows else 0
        return Sample(count, tuple({name: row[name] for name in row if name != "count"} for row in rows))
