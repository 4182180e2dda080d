"""The record of a run: begun at once, completed with its data, and true whatever happens to the run."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any

from sync import __version__, logs
from sync.domain.guard import Plan
from sync.domain.outcome import JSON_FIELDS, Outcome
from sync.domain.run import Listing, Missing, RequestStats, Run, Source
from sync.domain.status import Status, status_of
from sync.errors import StoreError, SupersededError
from sync.store.connection import Connection, Target, transaction
from sync.store.errors import sequence_behind
from sync.store.runs import refusals
from sync.store.runs.counted import agree
from sync.store.runs.evidence import pg_text

_log = logs.get(__name__)

# This long after its deadline a run is no longer alive, and may not take effect: `_FINISH` makes sure of that.
ABANDONED_AFTER = "interval '10 minutes'"


def _set(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} = %({column})s" for column in columns)


def _abandon(which: str, reason: str) -> str:
    return f"""
UPDATE inventory.runs SET status = 'abandoned', finished_at = clock_timestamp(), reason = '{reason}'
WHERE source = %(name)s AND run IN (
    SELECT run FROM inventory.runs WHERE source = %(name)s AND status = 'running' AND {which} FOR UPDATE SKIP LOCKED)
"""  # noqa: S608 - two constants


# To begin a run, and to record how it ended, waits for no other run: neither for one that is writing, which holds the
# row of its source, nor for one that hangs. ON CONFLICT alone would wait for the row.
_REGISTER = """
INSERT INTO inventory.sources (name, api, endpoint, filter)
SELECT %(name)s, %(api)s, %(endpoint)s, %(filter)s
WHERE NOT EXISTS (SELECT FROM inventory.sources WHERE name = %(name)s)
ON CONFLICT (name) DO NOTHING
"""
_SOURCE = "SELECT epoch, scope, api, filter FROM inventory.sources WHERE name = %(name)s"
_NEWEST = "SELECT coalesce(max(run), 0) FROM inventory.runs"
_CLOCK = "SELECT clock_timestamp()"
_BEGIN = """
INSERT INTO inventory.runs (source, status, trigger, deadline_at, epoch, version, host)
VALUES (%(name)s, 'running', %(trigger)s, clock_timestamp() + make_interval(secs => %(seconds)s), %(epoch)s,
        %(version)s, %(host)s)
RETURNING run, started_at
"""
_SKIP = """
INSERT INTO inventory.runs (source, status, trigger, reason, deadline_at, finished_at, epoch, version, host)
SELECT name, 'skipped', 'schedule', %(reason)s, clock_timestamp(), clock_timestamp(), epoch, %(version)s, %(host)s
FROM inventory.sources WHERE name = %(name)s RETURNING run
"""
_ABANDON_LATE = _abandon(
    f"deadline_at < clock_timestamp() - {ABANDONED_AFTER}",
    "the run never said how it ended; its process was killed, or its host went down",
)
# The fence keeps every run that began earlier from committing: one that is still marked as running is either dead, or
# will soon say itself that it was superseded.
_ABANDON_EARLIER = _abandon(
    "epoch <= %(epoch)s AND run <> %(run)s", "the run never said how it ended, and a later one committed"
)
_STATS = ("requests", "retries", "bytes", "throttled_ms")
_FAIL = f"""
UPDATE inventory.runs SET {_set(("status", "reason", "error", *_STATS))},
       finished_at = coalesce(finished_at, clock_timestamp())
WHERE source = %(name)s AND run = %(run)s AND status IN ('running', 'abandoned')
"""  # noqa: S608 - names of columns
# The columns that are named like the fields of an outcome, its plan and its statistics.
_OUTCOME = (*(name for name in JSON_FIELDS if name not in {"run", "source", "held_by"}), "approved", "throttled_ms")
_FINISH = f"""
UPDATE inventory.runs SET {_set((*_OUTCOME, "pages"))}, finished_at = clock_timestamp()
WHERE source = %(name)s AND run = %(run)s AND status = 'running'
  AND clock_timestamp() < deadline_at + {ABANDONED_AFTER}
"""  # noqa: S608 - names of columns, and a constant
_PROVEN = """
UPDATE inventory.sources SET proven_at = effective_at, endpoint = %(endpoint)s,
       seen_at = CASE WHEN %(unconfirmed)s + %(pending)s = 0 THEN effective_at ELSE seen_at END
WHERE name = %(name)s
"""


def start(connection: Connection, target: Target, source: Source, trigger: str) -> Run:
    """Put a new run on record, at once.

    Raises:
        ApiChangedError: the API is not the one the inventory was made with; ...
        FilterChangedError: ... nor is the filter; the run is on record as failed.
    """
    values = _values(source) | {"trigger": trigger, "seconds": source.deadline}
    with transaction(connection, target, "starting the run"):
        connection.execute(_REGISTER, values)
        connection.execute(_ABANDON_LATE, values)
        row = connection.execute(_SOURCE, values).fetchone()
        if row is None:
            raise SupersededError("the source vanished from the database while the run began; run again")
        epoch, scope, *stored = row
        (newest,) = _row(connection, _NEWEST, {})
        number, started_at = _row(connection, _BEGIN, values | {"epoch": epoch})
        _check_number(number, newest)
    run = Run(number, source, epoch, started_at, scope)
    logs.extend(run=number)
    _log.info("run started", trigger=trigger, endpoint=source.endpoint, filter=source.filter)
    if epoch and (error := refusals.changed(source, *stored)):  # else no run has committed: nothing was made with them
        error.run = number
        fail(connection, target, run, error, RequestStats())
        raise error
    return run


def start_dry(connection: Connection, target: Target, source: Source) -> Run:
    """Begin a run that is not on record; this writes nothing.

    Raises:
        ApiChangedError: the API is not the one the inventory was made with.
        FilterChangedError: the filter is not the one the inventory was made with.
    """
    with transaction(connection, target, "reading the source"):
        row = connection.execute(_SOURCE, {"name": source.name}).fetchone()
        epoch, scope, *stored = row or (0, None, source.api.name, source.filter)
        (now,) = _row(connection, _CLOCK, {})
    if epoch and (error := refusals.changed(source, *stored)):
        raise error
    return Run(None, source, epoch, now, scope)


def skip(connection: Connection, target: Target, source: Source, reason: str) -> None:
    """Put on record a run that was due and did not begin."""
    values = _values(source) | {"reason": reason}
    with transaction(connection, target, "recording a skipped run"):
        connection.execute(_REGISTER, values)
        (newest,) = _row(connection, _NEWEST, {})
        for (number,) in connection.execute(_SKIP, values):
            _check_number(number, newest)


def fail(connection: Connection, target: Target, run: Run, error: BaseException, stats: RequestStats) -> None:
    """Record why a run ended."""
    values = {name: getattr(stats, name) for name in _STATS} | {
        "name": run.source.name,
        "run": run.number,
        "status": status_of(error).value,
        "reason": pg_text(str(error)) or type(error).__name__,
        "error": type(error).__name__,
    }
    with transaction(connection, target, "recording how the run ended"):
        connection.execute(_FAIL, values)


def finish(connection: Connection, run: Run, outcome: Outcome, pages: int) -> None:
    """Complete the record, in the transaction of its data.

    Args:
        connection: within the transaction.
        run: the run.
        outcome: how it ended.
        pages: answers that it read.

    Raises:
        StoreError: it took so long that it was marked as abandoned.
    """
    values = outcome.as_json() | _values(run.source) | {"run": run.number, "pages": pages}
    values |= {"effective_at": outcome.effective_at, "approved": outcome.plan.approved}
    values |= {"throttled_ms": outcome.stats.throttled_ms}
    if not connection.execute(_FINISH, values).rowcount:
        raise StoreError("the run went on so long past its deadline that it was abandoned; it wrote nothing")
    if outcome.proven:
        agree(connection.execute(_PROVEN, values).rowcount, 1, "sources proven")


def abandon_earlier(connection: Connection, target: Target, run: Run) -> None:
    """Mark earlier runs that never said how they ended, once this one has committed.

    Not in its transaction, which would lock their records until it ends: they may be about to say it themselves.
    """
    values = {"name": run.source.name, "epoch": run.epoch, "run": run.number}
    with transaction(connection, target, "marking runs that never ended"):
        connection.execute(_ABANDON_EARLIER, values)


def outcome_of(run: Run, plan: Plan, listing: Listing, missing: Missing, stats: RequestStats) -> Outcome:
    """Sum up a run, except for when it takes effect."""
    comparison, proof = listing.comparison, listing.proof
    counts = comparison.counts
    reason = "; ".join(filter(None, (plan.reason, missing.reason)))
    if not (reason or proof.proven):
        reason = f"the list is not proven complete: {proof.reason}"
    same = counts.changed - plan.created - plan.updated - plan.restored - plan.quarantined
    return Outcome(
        run=run.number,
        source=run.source.name,
        status=Status.WITHHELD if reason else Status.DONE,
        reason=reason,
        proven=proof.proven,
        proof=proof.reason,
        proven_by=proof.by or None,
        effective_at=None,
        received=counts.received,
        listed=counts.received - counts.duplicates,
        total=listing.total,
        plan=plan,
        unchanged=counts.unchanged + same,
        duplicates=counts.duplicates,
        quarantined=len(comparison.unreadable) + plan.quarantined,
        missing=len(missing),
        still_there=len(missing.still_there),
        unconfirmed=len(missing.unconfirmed),
        pending=len(missing.pending),
        type_mismatches=counts.type_mismatches,
        stats=stats,
        read_attempts=listing.read_attempts,
    )


def _values(source: Source) -> dict[str, Any]:
    """What the statements about a source's runs need to know of the source and of this process."""
    host = f"{socket.gethostname()}/{os.getpid()}"
    return {
        "name": source.name,
        "api": source.api.name,
        "endpoint": source.endpoint,
        "filter": source.filter,
        "version": __version__,
        "host": host,
    }


def _check_number(number: int, newest: int) -> None:
    """Make sure that a run has a number above all that were there before its own was drawn.

    Only runs of one source may not have the same number; questions about "run 7", and about the last run, need more.

    Raises:
        StoreError: the sequence is behind.
    """
    if number <= newest:
        advice = sequence_behind("runs", "run")
        raise StoreError(f"the new run got the number {number}, though there is a run {newest}: {advice}")


def _row(connection: Connection, statement: str, values: dict[str, Any]) -> tuple[Any, ...]:
    return connection.execute(statement, values).fetchone() or ()
