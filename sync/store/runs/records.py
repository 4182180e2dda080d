"""The record of a run: begun at once, finished with its data, and told the truth about whatever happens."""

from __future__ import annotations

import os
import socket
from dataclasses import astuple
from typing import Any

from sync import __version__, logs
from sync.domain.guard import Plan
from sync.domain.run import Listing, Missing, Outcome, RequestStats, Run, Source
from sync.domain.status import Status, status_of
from sync.errors import FilterChangedError, StoreError, SupersededError
from sync.store.connection import Target, transaction
from sync.store.runs.counted import agree, counted_copy
from sync.store.waiting import Connection

_log = logs.get(__name__)

# To begin a run, and to put on record how it ended, waits for no other run: not for one that is writing, which holds
# the row of its source, nor for one that stands still. ON CONFLICT alone would wait for the row.
_REGISTER = """
INSERT INTO inventory.sources (name, endpoint, filter)
SELECT %(name)s, %(endpoint)s, %(filter)s WHERE NOT EXISTS (SELECT FROM inventory.sources WHERE name = %(name)s)
ON CONFLICT (name) DO NOTHING
"""
_READ_SOURCE = "SELECT epoch, filter, clock_timestamp() FROM inventory.sources WHERE name = %(name)s"
_BEGIN = """
INSERT INTO inventory.runs (source, status, trigger, deadline_at, epoch, version, host)
VALUES (%(name)s, 'running', %(trigger)s, clock_timestamp() + make_interval(secs => %(seconds)s), %(epoch)s,
        %(version)s, %(host)s)
RETURNING run, started_at
"""
_SKIP = """
INSERT INTO inventory.runs (source, status, trigger, reason, deadline_at, finished_at, epoch, version, host)
SELECT name, 'skipped', 'schedule', %(reason)s, clock_timestamp(), clock_timestamp(), epoch, %(version)s, %(host)s
FROM inventory.sources WHERE name = %(name)s
"""
# A run that is past its deadline by so much is no longer alive, and may not take effect: `_FINISH` sees to that.
_MARK_ABANDONED = """
UPDATE inventory.runs SET status = 'abandoned', finished_at = clock_timestamp(),
       reason = 'the run never said how it ended; its process was killed, or its host went down'
WHERE source = %(name)s AND run IN (
    SELECT run FROM inventory.runs WHERE source = %(name)s AND status = 'running'
    AND deadline_at < clock_timestamp() - interval '10 minutes' FOR UPDATE SKIP LOCKED)
"""
_FAIL = """
UPDATE inventory.runs SET status = %(status)s, reason = %(reason)s, error = %(error)s,
       finished_at = coalesce(finished_at, clock_timestamp()),
       requests = %(requests)s, retries = %(retries)s, bytes = %(bytes)s, throttled_ms = %(throttled_ms)s
WHERE source = %(name)s AND run = %(run)s AND status IN ('running', 'abandoned')
"""


def start(connection: Connection, target: Target, source: Source, trigger: str) -> Run:
    """Put a new run on record, at once.

    Raises:
        FilterChangedError: the filter is not the one the inventory was made with; the run is on record as failed.
    """
    seconds = {"seconds": source.deadline}
    facts = {"name": source.name, "endpoint": source.endpoint, "filter": source.filter, "trigger": trigger} | seconds
    with transaction(connection, target, "starting the run"):
        connection.execute(_REGISTER, facts)
        connection.execute(_MARK_ABANDONED, facts)
        epoch, filter, _now = _one(connection, _READ_SOURCE, facts)
        facts |= {"epoch": epoch, "version": __version__, "host": f"{socket.gethostname()}/{os.getpid()}"}
        number, started_at = _one(connection, _BEGIN, facts)
    run = Run(number, source, epoch, started_at)
    logs.extend(run=number)
    _log.info("run started", trigger=trigger, endpoint=source.endpoint, filter=source.filter)
    if filter != source.filter:
        error = filter_changed(source, filter)
        error.run = number
        fail(connection, target, run, error, RequestStats())
        raise error
    return run


def look(connection: Connection, target: Target, source: Source) -> Run:
    """Make a run that is not on record, for a plan; it writes nothing."""
    with transaction(connection, target, "reading the source"):
        row = connection.execute(_READ_SOURCE, {"name": source.name}).fetchone()
        if row is None:
            row = (0, source.filter, _one(connection, "SELECT clock_timestamp()", {})[0])
    if row[1] != source.filter:
        raise filter_changed(source, row[1])
    return Run(None, source, row[0], row[2])


def fail(connection: Connection, target: Target, run: Run, error: BaseException, stats: RequestStats) -> None:
    """Put on record why a run ended."""
    facts = {
        "name": run.source.name,
        "run": run.number,
        "status": status_of(error).value,
        "reason": pg_text(str(error)) or type(error).__name__,
        "error": type(error).__name__,
        "requests": stats.requests,
        "retries": stats.retries,
        "bytes": stats.bytes,
        "throttled_ms": round(stats.throttled_seconds * 1000),
    }
    with transaction(connection, target, "recording how the run ended"):
        connection.execute(_FAIL, facts)


def skip(connection: Connection, target: Target, source: Source, reason: str) -> None:
    """Put on record a run that was due and did not begin."""
    facts: dict[str, Any] = {
        "name": source.name,
        "endpoint": source.endpoint,
        "filter": source.filter,
        "reason": reason,
    }
    facts |= {"version": __version__, "host": f"{socket.gethostname()}/{os.getpid()}"}
    with transaction(connection, target, "recording a skipped run"):
        connection.execute(_REGISTER, facts)
        connection.execute(_SKIP, facts)


_FINISH = """
UPDATE inventory.runs SET
    status = %(status)s, reason = %(reason)s, finished_at = clock_timestamp(), effective_at = %(effective_at)s,
    proven = %(proven)s, proof = %(proof)s, read_attempts = %(read_attempts)s, pages = %(pages)s,
    received = %(received)s, listed = %(listed)s, total = %(total)s,
    created = %(created)s, updated = %(updated)s, restored = %(restored)s, deleted = %(deleted)s,
    approved = %(approved)s, held = %(held)s, unchanged = %(unchanged)s, duplicates = %(duplicates)s,
    quarantined = %(quarantined)s, missing = %(missing)s, still_there = %(still_there)s,
    unconfirmed = %(unconfirmed)s, pending = %(pending)s, type_mismatches = %(type_mismatches)s,
    requests = %(requests)s, retries = %(retries)s, bytes = %(bytes)s, throttled_ms = %(throttled_ms)s
WHERE source = %(name)s AND run = %(run)s AND status = 'running'
  AND clock_timestamp() < deadline_at + interval '10 minutes'
"""
_PROVEN = """
UPDATE inventory.sources SET proven_at = effective_at, endpoint = %(endpoint)s,
       seen_at = CASE WHEN %(accounted)s THEN effective_at ELSE seen_at END
WHERE name = %(name)s
"""
# The fence keeps every run that began earlier from committing: whoever of them is still marked as running is either
# dead, or will soon say itself that it was superseded.
_MARK_OVERTAKEN = """
UPDATE inventory.runs SET status = 'abandoned', finished_at = clock_timestamp(),
       reason = 'the run never said how it ended, and a later one committed'
WHERE source = %(name)s AND run IN (
    SELECT run FROM inventory.runs WHERE source = %(name)s AND status = 'running' AND epoch <= %(epoch)s
    AND run <> %(run)s FOR UPDATE SKIP LOCKED)
"""


def finish(connection: Connection, run: Run, outcome: Outcome, **more: int) -> None:
    """Complete the record, in the transaction of its data.

    Args:
        connection: within the transaction.
        run: the run.
        outcome: how it ended.
        more: what the outcome does not tell: ``approved``, ``pages``, and whether all images are ``accounted`` for.
    """
    facts = outcome.as_json() | more | {"effective_at": outcome.effective_at}
    facts |= {"throttled_ms": round(outcome.stats.throttled_seconds * 1000)}
    facts |= {"run": run.number, "name": run.source.name, "epoch": run.epoch, "endpoint": run.source.endpoint}
    if not connection.execute(_FINISH, facts).rowcount:
        raise StoreError("the run went on for so long past its deadline that it was given up; it wrote nothing")
    if outcome.proven:
        agree(connection.execute(_PROVEN, facts).rowcount, 1, "sources proven")


def overtake(connection: Connection, target: Target, run: Run) -> None:
    """Mark earlier runs that never said how they ended, once this one has committed.

    Not in its transaction, which would keep their records locked until it ends: they may be about to say it themselves.
    """
    facts = {"name": run.source.name, "epoch": run.epoch, "run": run.number}
    with transaction(connection, target, "marking runs that never ended"):
        connection.execute(_MARK_OVERTAKEN, facts)


def evidence(connection: Connection, run: Run, listing: Listing, missing: Missing) -> None:
    """Write what each answer showed."""
    anchors = listing.verdict.anchors
    columns = "source, run, page, anchor_id"
    columns += ", reading, row_offset, row_count, first_id, last_id, total, request_id, milliseconds"
    pages = [*listing.pages, *missing.pages]
    statement = f"COPY inventory.run_pages ({columns}) FROM STDIN"
    with counted_copy(connection, statement, len(pages), "pages of evidence") as copy:
        for n, page in enumerate(pages, 1):
            anchor = anchors.get(page.offset) or None if page.reading == listing.read_attempts else None
            row = (run.source.name, run.number, n, anchor, *astuple(page))
            copy.write_row([pg_text(value) if isinstance(value, str) else value for value in row])


def pg_text(text: str | None) -> str | None:
    """Text as PostgreSQL takes it: without NUL and lone surrogates."""
    return None if text is None else text.replace("\0", "").encode("utf-8", "replace").decode()


def outcome_of(run: Run, plan: Plan, listing: Listing, missing: Missing, stats: RequestStats) -> Outcome:
    """Sum up a run, up to the moment at which it takes effect."""
    comparison = listing.comparison
    counts = comparison.counts
    quarantined = len(comparison.unreadable) + plan.quarantined
    reason = "; ".join(filter(None, (plan.reason, missing.reason))) or _withheld(listing)
    same = counts.changed - plan.created - plan.updated - plan.restored - plan.quarantined
    return Outcome(
        run=run.number,
        source=run.source.name,
        status=Status.WITHHELD if reason else Status.DONE,
        reason=reason,
        proven=listing.proof.proven,
        proof=listing.proof.reason,
        effective_at=None,
        received=counts.received,
        listed=counts.received - counts.duplicates,
        total=listing.total,
        plan=plan,
        unchanged=counts.unchanged + same,
        duplicates=counts.duplicates,
        quarantined=quarantined,
        missing=len(missing),
        still_there=len(missing.still_there),
        unconfirmed=len(missing.unconfirmed),
        pending=len(missing.pending),
        type_mismatches=counts.type_mismatches,
        stats=stats,
        read_attempts=listing.read_attempts,
    )


def _withheld(listing: Listing) -> str:
    return "" if listing.proof.proven else f"the list is not proven complete: {listing.proof.reason}"


def filter_changed(source: Source, stored: str) -> FilterChangedError:
    """What is said of a source whose filter is not the one that is stored."""
    now, before = source.filter or "no filter", stored or "no filter"
    return FilterChangedError(
        f"the filter of source {source.name} changed from {before} to {now}, so images outside it would seem to be "
        f"gone; if that is meant: image-sync sources accept-filter {source.name}"
    )


def _one(connection: Connection, statement: str, facts: dict[str, Any]) -> tuple[Any, ...]:
    row = connection.execute(statement, facts).fetchone()
    if row is None:
        raise SupersededError("the source vanished from the database while the run began; run again")
    return tuple(row)
