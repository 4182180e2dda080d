"""The writing transaction of a run: fenced, short, and all or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import msgspec
from psycopg.errors import LockNotAvailable

from sync.domain.comparison import Comparison, Spool
from sync.domain.fields import COLUMNS
from sync.domain.guard import Candidates, Plan, withhold
from sync.domain.image import Unreadable, raw_digest, to_json
from sync.domain.outcome import Outcome
from sync.domain.run import Listing, Missing, RequestStats, Run, Staged
from sync.errors import StoreError, SupersededError
from sync.store.connection import Connection
from sync.store.errors import translate_errors
from sync.store.runs import digests, evidence, records, statements
from sync.store.runs.counted import agree, counted_copy

_LONGEST_SUBJECT = 255  # characters; a key that is indexed must be short
_IN_NOTIFICATION = frozenset(
    (
        "source",
        "run",
        "effective_at",
        "proven",
        "created",
        "updated",
        "restored",
        "deleted",
        "invisible",
        "held",
        "quarantined",
    )
)
_ANALYZE_FROM = 5_000  # staged rows from which bad guesses of the planner cost more than ANALYZE


class RunTransaction:
    """Stages, plans, guards, writes and records; between BEGIN and COMMIT of its caller.

    Args:
        connection: within the transaction.
        run: the run.
        effective_at: the one moment at which this run's changes take effect.
    """

    def __init__(self, connection: Connection, run: Run, effective_at: datetime) -> None:
        self._connection, self._run, self._effective_at = connection, run, effective_at
        ignored = run.source.api.spellings(run.source.ignore)
        self._values: dict[str, Any] = {"source": run.source.name, "run": run.number, "effective_at": effective_at}
        self._values |= {"ignored": sorted(ignored)}
        self._differs = statements.differs(ignored, run.source.api)

    @classmethod
    def begin(cls, connection: Connection, run: Run) -> Self:
        """Wait until no other run of the source writes, and make sure that none committed since this one began.

        Raises:
            SupersededError: one committed, or still writes after the lock time-out.
            StoreError: the database did not write the source's row.
        """
        values = {"source": run.source.name, "epoch": run.epoch, "scope": run.scope}
        values |= {"api": run.source.api.name, "filter": run.source.filter}
        with translate_errors("waiting for this run's turn", connection):
            try:
                connection.execute(statements.TURN, values)
            except LockNotAvailable as error:
                raise SupersededError("another run of this source is writing; this one wrote nothing") from error
            row = connection.execute(statements.FENCE, values).fetchone()
        if row is None:
            check_epoch(connection, run)
            raise StoreError(
                "the database did not write the row of the source; nothing was written; a trigger, a rule or a policy "
                "on inventory.sources may be why"
            )
        return cls(connection, run, row[0])

    def stage(self, spool: Spool, listing: Listing) -> Staged:
        """Bring the changed images to the database, except on a first load: those go straight to their table."""
        with translate_errors("staging the changes", self._connection):
            comparison = listing.comparison
            all_new = not (len(comparison.known) or comparison.contradicted or comparison.counts.dead)
            first_load = bool(spool) and all_new and self._row(statements.IS_EMPTY)[0]
            if spool and not first_load:
                self._do(statements.CREATE_STAGE)
                with counted_copy(self._connection, statements.COPY_STAGE, len(spool), "images staged") as copy:
                    copy.set_types(statements.STAGED_TYPES)
                    for row in spool.rows():
                        copy.write_row(row)
                if len(spool) >= _ANALYZE_FROM:
                    self._do("ANALYZE pg_temp.stage")
        return Staged(listing, spool, first_load)

    def plan(self, staged: Staged, missing: Missing) -> Plan:
        """See what the run would do; the guard decides on its deletions."""
        if staged.first_load:
            return Plan(created=len(staged.spool))
        with translate_errors("planning", self._connection):
            plan = Plan(quarantined=self._drop_contradicted(staged.listing.comparison))
            if staged.spool:
                created, updated, restored, outdated = self._row(statements.PLAN.format(differs=self._differs))
                plan = replace(plan, created=created, updated=updated, restored=restored, outdated=outdated)
            return self._plan_removals(plan, staged, missing)

    def write(self, staged: Staged, plan: Plan) -> None:
        """Write images and versions, set by set."""
        with translate_errors("writing images and versions", self._connection):
            if plan.updated or plan.restored:
                closing = statements.CLOSE_UPDATED.format(differs=self._differs)
                agree(self._do(closing), plan.outdated, "versions closed")
                count = self._do(statements.UPDATE.format(differs=self._differs))
                agree(count, plan.updated + plan.restored, "images updated")
            if staged.first_load:
                self._load(staged.spool)
            elif plan.created:
                agree(self._do(statements.INSERT), plan.created, "images created")
            if plan.held:
                self._do(statements.HOLD, reason=plan.reason, all=plan.removed == plan.approved)
            if plan.removed:
                closed = self._do(statements.CLOSE_GONE)
                deleted, invisible, closing_count = self._row(statements.REMOVE)
                agree(deleted, plan.deleted, "images marked deleted")
                agree(invisible, plan.invisible, "images marked invisible")
                agree(closed, closing_count, "versions of removed images closed")
                self._do(statements.CLOSE_REMOVED)
            self._quarantine(staged.listing, plan)

    def finish(self, staged: Staged, plan: Plan, missing: Missing, stats: RequestStats) -> Outcome:
        """Complete the record of the run."""
        listing = staged.listing
        with translate_errors("recording the run", self._connection):
            missing = self._with_deleted(plan, missing)
            outcome = records.outcome_of(self._run, plan, listing, missing, stats)
            outcome = replace(outcome, effective_at=self._effective_at, held_by=self._held_by(plan))
            self._write_findings(plan, listing)
            if listing.proof.proven:
                self._record_missing(missing)
            else:
                self._end_missing_now_listed(listing)
            records.finish(self._connection, self._run, outcome, len(listing.pages) + len(missing.pages))
            digests.seal(self._connection, self._run, outcome, first_load=staged.first_load)
            if plan.changes or plan.held or outcome.reason:
                evidence.write(self._connection, self._run, listing, missing)
            if plan.changes:
                values = {name: value for name, value in outcome.as_json().items() if name in _IN_NOTIFICATION}
                self._do(statements.NOTIFY, payload=json.dumps({"version": 1} | values))
        return outcome

    def _load(self, spool: Spool) -> None:
        """Write the images of a source that has none."""
        at = self._effective_at
        before = (self._run.source.name, at, at, at, self._run.number)
        with counted_copy(self._connection, statements.COPY_IMAGES, len(spool), "images loaded") as copy:
            copy.set_types(statements.LOADED_TYPES)
            for _seq, *values, extra, raw, content in spool.rows():
                copy.write_row((*before, *values, None if extra is None else b"\1" + extra.encode(), raw, content))
        if len(spool) >= _ANALYZE_FROM:
            self._do(statements.FEW_SAMPLES)
            self._do(statements.ANALYZE_IMAGES)

    def _drop_contradicted(self, comparison: Comparison) -> int:
        """Leave one content of each image; the number of images of which none is believed."""
        if not comparison.contradicted:
            return 0
        last = [name for name, as_stored in comparison.contradicted.items() if as_stored]
        self._do(statements.STAGE_STORED, ids=list(comparison.as_stored), last=last)
        self._do(statements.DROP_OLDER, torn=list(comparison.torn))
        self._do(statements.CREATE_TIED)
        tied: int = self._row(statements.DROP_TIED)[0]
        return tied

    def _plan_removals(self, plan: Plan, staged: Staged, missing: Missing) -> Plan:
        """Add to a plan how many images will be removed and how many removals held, and why."""
        comparison = staged.listing.comparison
        if not staged.listing.proof.proven or missing.doubt:
            return plan
        if not (staged.spool or missing.removed or self._row(statements.ANY_DEAD)[0]):
            return plan
        if not staged.spool:
            self._do(statements.CREATE_STAGE)
        self._do(statements.CREATE_GONE)
        # This listing does not say for certain that these are still as stored.
        unreadable = (evidence.pg_text(record.id) for record in comparison.unreadable.values())
        doubtful = [*missing.unseen, *comparison.contradicted, *(name for name in unreadable if name is not None)]
        values = {"gone": list(missing.gone), "invisible": list(missing.invisible)}
        self._do(statements.FILL_GONE, **values, doubtful=doubtful)
        gone, waiting, approved, *invisible, day = self._row(statements.CANDIDATES)
        candidates = Candidates(comparison.known.live, gone, waiting, approved, day, staged.listing.distinct)
        held, reason = withhold(candidates, self._run.source.limits)
        unseen = invisible[0] if held == gone else invisible[1]
        deleted = approved + gone - held - unseen
        return replace(plan, deleted=deleted, invisible=unseen, approved=approved, held=held, reason=reason)

    def _held_by(self, plan: Plan) -> tuple[int, ...]:
        """The runs whose held deletions wait, if this one holds any."""
        if not plan.held:
            return ()
        runs, cases = self._row(statements.HELD_BY)
        agree(min(cases, plan.held), plan.held, "deletions held")
        return tuple(runs)

    def _with_deleted(self, plan: Plan, missing: Missing) -> Missing:
        """Count as gone the images that the cloud still has, but calls deleted itself, if this run deleted them."""
        if not (plan.deleted and missing.still_there):
            return missing
        rows = self._connection.execute(statements.DELETED_OF, self._values | {"ids": list(missing.still_there)})
        deleted = {row[0] for row in rows}
        still_there = tuple(image for image in missing.still_there if image not in deleted)
        return replace(missing, still_there=still_there, gone=(*missing.gone, *sorted(deleted)))

    def _quarantine(self, listing: Listing, plan: Plan) -> None:
        """Keep records that can't be read as images, each once."""
        unreadable = [*listing.comparison.unreadable.values(), *(self._tied() if plan.quarantined else ())]
        by_digest = {raw_digest(record.raw): record for record in unreadable}
        for digest, record in by_digest.items():
            values = {"id": evidence.pg_text(record.id), "raw": record.raw, "reason": evidence.pg_text(record.reason)}
            self._do(statements.QUARANTINE, digest=digest, **values)
        if by_digest:
            count = self._row(statements.COUNT_QUARANTINED, digests=list(by_digest))[0]
            agree(count, len(by_digest), "records quarantined")

    def _tied(self) -> Iterator[Unreadable]:
        """The contents of which none can be preferred, written as JSON again."""
        reason = "one answer shows it with two contents of the same updated_at; this is one of them, written anew"
        for *values, extra in self._connection.execute(statements.TIED).fetchall():
            others = json.loads(extra or "{}", parse_float=Decimal)
            record = to_json(dict(zip(COLUMNS, values, strict=True)), others, self._run.source.api)
            yield Unreadable(_json(record), reason, values[0])

    def _record_missing(self, missing: Missing) -> None:
        """Record why each live image that the list lacks is not deleted, and which ones are no longer missing."""
        states = dict.fromkeys(missing.still_there, "still_there")
        states |= dict.fromkeys(missing.unconfirmed, "unconfirmed") | dict.fromkeys(missing.pending, "pending")
        if not (states or missing.removed or self._open_cases()):
            return
        kept, still_there = [*missing.removed, *missing.unseen], list(missing.still_there)
        self._do(statements.CLOSE_RETURNED, kept=kept, unlisted=still_there)
        self._do(statements.END_MISSING, kept=list(states))
        until = [missing.pending.get(image) for image in states]
        values = {"ids": list(states), "states": list(states.values()), "until": until}
        self._do(statements.RENEW_MISSING, **values)
        self._do(statements.BEGIN_MISSING, **values)
        agree(self._row(statements.COUNT_MISSING)[0], len(states), "missing images on record")

    def _end_missing_now_listed(self, listing: Listing) -> None:
        """Record which images are no longer missing: even a list that is not proven shows what it shows."""
        before = self._open_cases()
        unlisted = [image for image in before if not listing.comparison.contains(image)]
        if len(unlisted) < len(before):
            self._do(statements.CLOSE_RETURNED, kept=unlisted, unlisted=[])
            self._do(statements.END_MISSING, kept=unlisted)

    def _open_cases(self) -> set[str]:
        """Images that are missing, or whose deletion is held, since an earlier run or this one."""
        return {row[0] for row in self._connection.execute(statements.OPEN, self._values)}

    def _write_findings(self, plan: Plan, listing: Listing) -> None:
        """Record, once each, fields that appeared or vanished: the cloud's contract has changed."""
        appeared = "the cloud sends a field that its document does not name; it is kept in extra"
        for name in sorted(listing.comparison.unknown):
            subject = evidence.pg_text(name[:_LONGEST_SUBJECT])
            self._do(statements.FINDING, kind="contract", subject=subject, detail=appeared)
        if plan.updated * 2 <= listing.comparison.distinct:
            return  # too few images changed to say that a field vanished
        vanished = self._row(statements.VANISHED)
        for place, field in self._run.source.api.stored:
            if vanished[place]:
                detail = "the cloud does not send this field any more"
                self._do(statements.FINDING, kind="contract", subject=field.api, detail=detail)

    def _do(self, statement: str, **values: object) -> int:
        """Carry out a statement; the number of rows it wrote."""
        return self._connection.execute(statement, self._values | values).rowcount

    def _row(self, statement: str, **values: object) -> tuple[Any, ...]:
        """The only row of a statement."""
        return self._connection.execute(statement, self._values | values).fetchone() or ()


def check_epoch(connection: Connection, run: Run) -> None:
    """Make sure that no other run of the source committed since this one began.

    Raises:
        SupersededError: one did.
    """
    row = connection.execute(statements.EPOCH, {"source": run.source.name}).fetchone()
    if row is None or row[0] != run.epoch:
        raise SupersededError("another run of this source committed meanwhile; this one wrote nothing")


_json = msgspec.json.Encoder(decimal_format="number").encode
