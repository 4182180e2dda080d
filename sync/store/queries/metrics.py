"""Numbers about sources and their runs, for who watches them: cheap to ask often, and the same after a restart.

Runs that have ended do not change any more, so their sums are kept up to the first that has not, and only later ones
are summed up afresh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import psycopg
from psycopg.rows import dict_row

from sync.domain.metrics import CHANGES, SourceMetrics
from sync.store.connection import Target, connect, transaction

_SUMMED = (*CHANGES, "requests", "retries", "throttled_ms")
# Of the last minute, a run of a lower number may still become visible. One that was killed, and is never buried since
# its source is synced no more, must not have all later ones summed up afresh for ever.
_SETTLED = """
SELECT coalesce(least(
    (SELECT min(run) - 1 FROM inventory.runs WHERE status = 'running' AND deadline_at > now() - interval '1 hour'),
    (SELECT run FROM inventory.runs WHERE started_at < now() - interval '1 minute' ORDER BY run DESC LIMIT 1)
), 0) AS settled
"""
_SUMS = """
SELECT source, status, count(*) AS runs, sum(created)::bigint AS created, sum(updated)::bigint AS updated,
       sum(restored)::bigint AS restored, sum(deleted)::bigint AS deleted, sum(requests)::bigint AS requests,
       sum(retries)::bigint AS retries, sum(throttled_ms)::bigint AS throttled_ms
FROM inventory.runs
WHERE run > %(above)s AND run <= %(upto)s AND status <> 'running'
  AND (%(only)s::text[] IS NULL OR source = ANY(%(only)s)) GROUP BY 1, 2
"""
_STATES = """
SELECT s.name AS source, s.proven_at, last.status, last.ended_at,
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
    SELECT r.status, coalesce(r.effective_at, r.finished_at) AS ended_at FROM inventory.runs r
    WHERE r.source = s.name AND r.status NOT IN ('running', 'skipped') ORDER BY r.run DESC LIMIT 1
) AS last ON true
WHERE %(only)s::text[] IS NULL OR s.name = ANY(%(only)s)
ORDER BY s.name
"""
_LAST = 2**63 - 1
_STEP = 500_000  # runs that are summed up in one statement


class MetricsQuery:
    """Asks for the figures, and keeps what can't change any more.

    Args:
        target: where the database is.
        only: names of sources; None is all of them.
    """

    def __init__(self, target: Target, only: Collection[str] | None = None) -> None:
        self._target, self._only = target, None if only is None else list(only)
        self._settled = 0
        self._runs: dict[str, Counter[str]] = {}
        self._sums: dict[str, Counter[str]] = {}

    def figures(self) -> list[SourceMetrics]:
        """One a source.

        Raises:
            StoreError: the database can't say.
        """
        with connect(self._target) as connection, transaction(connection, self._target, "reading the figures"):
            cursor = connection.cursor(row_factory=dict_row)
            settled = int((cursor.execute(_SETTLED).fetchone() or {})["settled"])
            # In steps, each of them kept: after years, all at once would take longer than anyone waits.
            for upto in [*range(self._settled + _STEP, settled, _STEP), settled]:
                if upto > self._settled:
                    runs, sums = self._added(self._runs, self._sums, self._rows(cursor, self._settled, upto))
                    self._settled, self._runs, self._sums = upto, runs, sums
            runs, sums = self._added(self._runs, self._sums, self._rows(cursor, self._settled, _LAST))
            states = cursor.execute(_STATES, {"only": self._only}).fetchall()
        return [
            SourceMetrics(**state, runs=runs.get(state["source"], Counter()), sums=sums.get(state["source"], Counter()))
            for state in states
        ]

    def _rows(self, cursor: psycopg.Cursor[dict[str, object]], above: int, upto: int) -> list[dict[str, object]]:
        return cursor.execute(_SUMS, {"above": above, "upto": upto, "only": self._only}).fetchall()

    @staticmethod
    def _added(
        runs: Mapping[str, Counter[str]], sums: Mapping[str, Counter[str]], rows: Collection[Mapping[str, object]]
    ) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
        """The sums with these rows, as new ones."""
        all_runs = {source: Counter(counts) for source, counts in runs.items()}
        all_sums = {source: Counter(counts) for source, counts in sums.items()}
        for row in rows:
            source, status = str(row["source"]), str(row["status"])
            all_runs.setdefault(source, Counter())[status] += _int(row["runs"])
            for name in _SUMMED:
                all_sums.setdefault(source, Counter())[name] += _int(row[name])
        return all_runs, all_sums


def _int(value: object) -> int:
    return int(str(value))
