"""Numbers about sources and their runs for monitoring: cheap to ask often, and the same after a restart.

Runs that have ended do not change any more, so their sums are kept up to the first that has not ended, and only those
of later runs are computed each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import psycopg
from psycopg.rows import dict_row

from sync.domain.metrics import CHANGES, SourceMetrics
from sync.store.connection import Target, connect, transaction

_SUMMED = (*CHANGES, "requests", "retries", "throttled_ms")
# A run of the last minute with a lower number may still become visible. One that was killed, and is never marked as
# abandoned because its source is no longer synced, must not have all later ones summed each time forever.
_SETTLED = """
SELECT coalesce(least(
    (SELECT min(run) - 1 FROM inventory.runs WHERE status = 'running' AND deadline_at > now() - interval '1 hour'),
    (SELECT run FROM inventory.runs WHERE started_at < now() - interval '1 minute' ORDER BY run DESC LIMIT 1)
), 0) AS settled
"""
_SUMS = f"""
SELECT source, status, count(*) AS runs, {", ".join(f"sum({name})::bigint AS {name}" for name in _SUMMED)}
FROM inventory.runs
WHERE run > %(above)s AND run <= %(upto)s AND status <> 'running'
  AND (%(only)s::text[] IS NULL OR source = ANY(%(only)s)) GROUP BY 1, 2
"""  # noqa: S608 - names of columns
_STATES = """
SELECT s.name AS source, s.proven_at, last.status, last.ended_at,
       greatest(extract(epoch FROM greatest(last.started_at, s.effective_at) - clock_timestamp()), 0)::float8
           AS in_future,
       (SELECT count(*) FROM inventory.held_deletions h
        WHERE h.source = s.name AND h.closed_at IS NULL AND h.approved_at IS NULL) AS held,
       (SELECT jsonb_build_object(
            'still_there', count(*) FILTER (WHERE m.state = 'still_there'),
            'unconfirmed', count(*) FILTER (WHERE m.state = 'unconfirmed'),
            'pending', count(*) FILTER (WHERE m.state = 'pending'))
        FROM inventory.missing_images m WHERE m.source = s.name AND m.ended_at IS NULL) AS missing,
       (SELECT count(*) FROM inventory.quarantine q WHERE q.source = s.name) AS quarantined,
       (SELECT count(*) FROM inventory.runs r
        WHERE r.source = s.name AND r.status IN ('failed', 'interrupted', 'abandoned')
          AND r.run > coalesce((SELECT g.run FROM inventory.runs g
                                WHERE g.source = s.name AND g.status IN ('done', 'withheld')
                                ORDER BY g.run DESC LIMIT 1), 0)) AS failed
FROM inventory.sources s LEFT JOIN LATERAL (
    SELECT r.status, r.started_at, coalesce(r.effective_at, r.finished_at) AS ended_at FROM inventory.runs r
    WHERE r.source = s.name AND r.status NOT IN ('running', 'skipped') ORDER BY r.run DESC LIMIT 1
) AS last ON true
WHERE %(only)s::text[] IS NULL OR s.name = ANY(%(only)s)
ORDER BY s.name
"""
_LAST = 2**63 - 1
_STEP = 500_000  # runs that are summed in one statement

_Totals = dict[str, tuple[Counter[str], Counter[str]]]  # by source: runs by status, and sums by name


class MetricsQuery:
    """Asks for the numbers, and keeps those that can't change any more.

    Args:
        target: where the database is.
        only: names of sources; None is all of them.
    """

    def __init__(self, target: Target, only: Collection[str] | None = None) -> None:
        self._target, self._only = target, None if only is None else list(only)
        self._settled, self._totals = 0, _Totals()

    def source_metrics(self) -> list[SourceMetrics]:
        """The numbers, per source.

        Raises:
            StoreError: the database can't be asked.
        """
        with connect(self._target) as connection, transaction(connection, self._target, "reading the metrics"):
            cursor = connection.cursor(row_factory=dict_row)
            (row,) = cursor.execute(_SETTLED)
            # In steps, each of them kept: after years, all at once would take longer than anyone waits.
            for upto in [*range(self._settled + _STEP, row["settled"], _STEP), row["settled"]]:
                if upto > self._settled:
                    self._totals, self._settled = self._totals_to(cursor, upto), upto
            totals = self._totals_to(cursor, _LAST)
            states = cursor.execute(_STATES, {"only": self._only}).fetchall()
        for state in states:
            state["runs"], state["sums"] = totals.get(state["source"], (Counter(), Counter()))
        return [SourceMetrics(**state) for state in states]

    def _totals_to(self, cursor: psycopg.Cursor[dict[str, Any]], upto: int) -> _Totals:
        """The kept totals and those of later runs up to one, as new ones."""
        totals = {source: (Counter(runs), Counter(sums)) for source, (runs, sums) in self._totals.items()}
        for row in cursor.execute(_SUMS, {"above": self._settled, "upto": upto, "only": self._only}):
            runs, sums = totals.setdefault(row.pop("source"), (Counter(), Counter()))
            runs[row.pop("status")] += row.pop("runs")
            sums.update(row)
        return totals
