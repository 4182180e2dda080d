"""The queries of a report: changes, runs, and what waits for a person, between two moments.

Nothing that happens after the second moment changes an answer; so a run counts from when it took effect or ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sync.store.queries.inventory import OF_SOURCE, Inventory, Row, inline_parameters

COUNTS = """
SELECT source, count(*) AS images FROM inventory.images_as_of(:moment, :source) GROUP BY source ORDER BY source
"""
SHARES = """
SELECT s.dimension, coalesce(s.value, 'not given') AS value, count(*) AS images
FROM inventory.images_as_of(:end, :source) i
CROSS JOIN LATERAL (VALUES
    ('os_type', coalesce(i.os_type, initcap(inventory.text_of(i.extra -> 'os_type')))),
    ('platform', coalesce(i.platform, inventory.text_of(i.extra -> 'os_distro'))),
    ('imagetype', i.imagetype), ('visibility', i.visibility),
    ('architecture', CASE WHEN i.support_arm OR inventory.text_of(i.extra -> 'architecture') ~ '^(aarch64|arm)'
                          THEN 'ARM'
                          WHEN i.imagetype IS NOT NULL
                            OR inventory.text_of(i.extra -> 'architecture') ~ '^(x86|i[3-6]86|amd64)' THEN 'x86'
                          ELSE inventory.text_of(i.extra -> 'architecture') END)
) AS s (dimension, value)
GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2
"""
CHANGES = f"""
SELECT source, id, name, at, not_before, run, kind, field, old, new FROM inventory.image_changes
WHERE at > :begin AND at <= :end AND {OF_SOURCE} ORDER BY at, source, id, kind, field
"""  # noqa: S608 - a constant
RUNS = f"""
SELECT run, source, status, trigger, started_at, finished_at, effective_at, proven, proof, reason,
       read_attempts, pages, listed, created, updated, restored, deleted, invisible, approved, held, quarantined,
       missing, still_there, unconfirmed, pending, requests, retries, encode(digest, 'hex') AS digest
FROM inventory.runs
WHERE coalesce(effective_at, finished_at) > :begin AND coalesce(effective_at, finished_at) <= :end AND {OF_SOURCE}
ORDER BY coalesce(effective_at, finished_at), run
"""  # noqa: S608 - a constant
HELD = f"""
SELECT h.source, h.id, h.run, h.held_at, h.last_seen_at, h.reason FROM inventory.held_deletions h
WHERE held_at <= :end AND (closed_at IS NULL OR closed_at > :end) AND (approved_at IS NULL OR approved_at > :end)
  AND {OF_SOURCE} ORDER BY source, id
"""  # noqa: S608 - a constant
EVIDENCE = """
SELECT s.name AS source, proven.run AS proven_run, proven.effective_at AS proven_at,
       s.pruned_before > :moment AS pruned, (
    SELECT count(*) FROM inventory.runs r
    WHERE r.source = s.name AND r.status NOT IN ('skipped', 'superseded')
      AND NOT (r.proven AND r.effective_at IS NOT NULL)
      AND coalesce(r.effective_at, r.finished_at) > coalesce(proven.effective_at, '-infinity')
      AND coalesce(r.effective_at, r.finished_at) <= :moment
) AS failed, last.run AS last_run, encode(last.digest, 'hex') AS digest
FROM inventory.sources s LEFT JOIN LATERAL (
    SELECT r.run, r.effective_at FROM inventory.runs r
    WHERE r.source = s.name AND r.effective_at <= :moment AND r.proven ORDER BY r.effective_at DESC LIMIT 1
) AS proven ON true
LEFT JOIN LATERAL (
    SELECT r.run, r.digest FROM inventory.runs r
    WHERE r.source = s.name AND r.effective_at <= :moment ORDER BY r.effective_at DESC LIMIT 1
) AS last ON true
WHERE (CAST(:source AS text) IS NULL OR s.name = :source)
  AND EXISTS (SELECT FROM inventory.runs r WHERE r.source = s.name AND r.started_at <= :end)
ORDER BY s.name
"""
QUARANTINED = f"""
SELECT source, id, first_run, first_seen_at, reason FROM inventory.quarantine
WHERE first_seen_at > :begin AND first_seen_at <= :end AND {OF_SOURCE} ORDER BY first_seen_at, source, id
"""  # noqa: S608 - a constant
QUERIES = {
    "Images at the end, by source": COUNTS,
    "Images at the end, by what they are": SHARES,
    "Changes": CHANGES,
    "Runs": RUNS,
    "Evidence at the end": EVIDENCE,
    "Held deletions": HELD,
    "Quarantined records": QUARANTINED,
}


class ReportQueries:
    """Asks an inventory for the parts of a report on the time after ``begin``, up to and including ``end``."""

    def __init__(self, inventory: Inventory, begin: datetime, end: datetime, source: str | None) -> None:
        self.begin, self.end, self.source = begin, end, source
        self._inventory = inventory

    def counts(self, moment: datetime) -> dict[str, int]:
        """Images by source at a moment."""
        return {row["source"]: row["images"] for row in self._rows(COUNTS, moment)}

    def shares(self) -> dict[str, dict[str, int]]:
        """Images at the end by value, by dimension; the largest first."""
        shares: dict[str, dict[str, int]] = {}
        for row in self._rows(SHARES):
            shares.setdefault(row["dimension"], {})[row["value"]] = row["images"]
        return shares

    def changes(self) -> list[Row]:
        """One row per changed field, in the order in which the changes were found."""
        return self._rows(CHANGES)

    def evidence(self, moment: datetime) -> list[Row]:
        """Per source: the last proven run up to a moment, how many unproven ones followed, and the last digest."""
        return self._rows(EVIDENCE, moment)

    def runs(self) -> list[Row]:
        """The runs that took effect in that time, or ended in it without effect."""
        return self._rows(RUNS)

    def held(self) -> list[Row]:
        """Deletions that waited for a person at the end."""
        return self._rows(HELD)

    def quarantined(self) -> list[Row]:
        """Records that came first in that time and can't be read as images."""
        return self._rows(QUARANTINED)

    def images(self) -> Iterator[Row]:
        """The images at the end, streamed."""
        return self._inventory.as_of(self.end, self.source)

    def sql(self) -> dict[str, str]:
        """The queries behind the numbers of the report, by title, in a form that anyone can carry out."""
        values = {"begin": self.begin, "end": self.end, "source": self.source, "moment": self.end}
        return {title: inline_parameters(query, values) for title, query in QUERIES.items()}

    def _rows(self, query: str, moment: datetime | None = None) -> list[Row]:
        return self._inventory.rows(query, begin=self.begin, end=self.end, source=self.source, moment=moment)
