"""What administrators put in the way of a run besides privileges: policies, event triggers, sequences left behind."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from sync.store.event_triggers import name_event_triggers
from sync.store.queries.doctor import Inspection

_ROW_SECURITY = """
SELECT c.relname AS name FROM pg_class c
WHERE c.relnamespace = to_regnamespace('inventory') AND c.relkind = 'r' AND row_security_active(c.oid) ORDER BY 1
"""
# Those that run when a session that is no replica makes a table.
_EVENT_TRIGGERS = """
SELECT evtname AS name FROM pg_event_trigger
WHERE evtenabled IN ('O', 'A') AND evtevent LIKE 'ddl%%' AND (evttags IS NULL OR 'CREATE TABLE' = ANY(evttags))
ORDER BY 1
"""
_NUMBERS = """
SELECT has_sequence_privilege(c.oid, 'SELECT, USAGE') AS readable, coalesce(s.last_value, 0) AS drawn,
       (SELECT coalesce(max(run), 0) FROM inventory.runs) AS newest
FROM pg_class c JOIN pg_sequences s ON s.schemaname = c.relnamespace::regnamespace::text AND s.sequencename = c.relname
WHERE c.oid = pg_get_serial_sequence('inventory.runs', 'run')::regclass
"""
_TRIAL = "CREATE TEMPORARY TABLE image_sync_trial () ON COMMIT DROP"


@dataclass(frozen=True, slots=True)
class Named:
    """Something that has a name."""

    name: str


@dataclass(frozen=True, slots=True)
class Numbers:
    """The sequence of the numbers of runs: the last that was drawn, if the role may read that, and the newest run."""

    readable: bool
    drawn: int
    newest: int


def tables_with_row_security(inspection: Inspection) -> list[str]:
    """The tables of which policies may hide rows from this role."""
    return [each.name for each in inspection.all_of(Named, _ROW_SECURITY)]


def event_triggers(inspection: Inspection) -> list[str]:
    """The event triggers that run when a temporary table is made."""
    return [each.name for each in inspection.all_of(Named, _EVENT_TRIGGERS)]


def numbers(inspection: Inspection) -> Numbers:
    """The state of the sequence of runs."""
    return inspection.all_of(Numbers, _NUMBERS)[0]


def try_temporary_table(inspection: Inspection) -> None:
    """Make a temporary table, and take it back.

    Raises:
        StoreError: it can't be made; names the event trigger that is why.
    """
    with name_event_triggers(inspection.target), inspection.writing("trying a temporary table"):
        inspection.connection.execute(_TRIAL)
        raise psycopg.Rollback
