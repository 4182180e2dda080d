"""The writing transaction of a run: fenced, short, and all or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

import msgspec
from psycopg.errors import LockNotAvailable

from sync.domain.comparison import Spool
from sync.domain.fields import COLUMNS, FIELDS
from sync.domain.guard import Candidates, Plan, withhold
from sync.domain.image import Unreadable, raw_digest, to_json
from sync.domain.run import Listing, Missing, Outcome, RequestStats, Run
from sync.errors import StoreError, SupersededError
from sync.store.connection import translate_errors
from sync.store.runs import digests, records, statements
from sync.store.runs.counted import agree, counted_copy
from sync.store.waiting import Connection

_LONGEST_SUBJECT = 255  # characters; a key that is indexed must be short
_TOLD = {"source", "run", "effective_at", "proven", "created", "updated", "restored", "deleted", "held", "quarantined"}
_ANALYZE_FROM = 5_000  # staged rows from which the planner's guesses cost more than looking


class RunTransaction:
    """Stages, plans, guards, writes and records; between BEGIN and COMMIT of its caller."""

    def __init__(self, connection: Connection, run: Run) -> None:
        self._connection, self._run = connection, run
        self._facts: dict[str, Any] = {"source": run.source.name, "run": run.number, "epoch": run.epoch}
        self._staged = 0
        self._loads = False
        self._differs = statements.differs(run.source.ignore)
        self._approved = 0
        self._held_by: list[int] = []

    def fence(self) -> datetime:
        """Make sure that no other run of the source committed since this one began, and that none is writing.

        Returns:
            effective_at: the one moment at which this run's changes take effect.

        Raises:
            SupersededError: one did, or is.
        """
        with translate_errors("taking the turn of this run"):
            try:
                self._do(statements.TURN)
            except LockNotAvailable as error:
                raise SupersededError("another run of this source is writing; this one wrote nothing") from error
            row = self._connection.execute(statements.FENCE, self._facts).fetchone()
        if row is None:
            self._explain_fence()
        self._facts["effective_at"] = row[0]
        return row[0]  # type: ignore[no-any-return] # timestamptz

    def _explain_fence(self) -> NoReturn:
        """Say why the fence was not taken: another run committed, or the database did not write the row."""
        found = self._row(statements.EPOCH)
        if found and found[0] == self._run.epoch:
            raise StoreError(
                "the database did not write the row of the source; nothing was written; a trigger, a rule or a policy "
                "on inventory.sources may be why"
            )
        raise SupersededError("another run of this source committed meanwhile; this one wrote nothing")

    def stage(self, spool: Spool, listing: Listing) -> None:
        """Bring what changed to the database; but for a first load, which will go straight to its place."""
        self._listing, self._spool, self._staged = listing, spool, len(spool)
        with translate_errors("staging what changed"):
            self._loads = bool(self._staged) and self._is_simple(listing) and self._row(statements.IS_EMPTY)[0]
            if self._staged and not self._loads:
                self._copy(spool)

    def plan(self, missing: Missing) -> Plan:
        """See what the run would do; the guard decides on its deletions."""
        with translate_errors("planning"):
            tied = self._settle() if self._listing.comparison.contradicted else 0
            created = updated = restored = self._closing = 0
            if self._loads:
                created = self._staged
            elif self._staged:
                created, updated, restored, self._closing = self._row(statements.PLAN.format(differs=self._differs))
            deleted, held, reason = self._plan_deletions(missing)
        return Plan(created, updated, restored, deleted, held, tied, reason)

    def write(self, plan: Plan) -> None:
        """Write images and versions, set by set."""
        with translate_errors("writing images and versions"):
            if plan.updated or plan.restored:
                closed = statements.CLOSE_UPDATED.format(differs=self._differs)
                self._expect(self._closing, "versions closed", closed)
                updated = plan.updated + plan.restored
                self._expect(updated, "images updated", statements.UPDATE.format(differs=self._differs))
            if self._loads:
                self._load()
            elif plan.created:
                self._expect(plan.created, "images created", statements.INSERT)
            if plan.held:
                self._do(statements.HOLD, reason=plan.reason, all=plan.deleted == self._approved)
                self._held_by, cases = self._row(statements.HELD_BY)
                agree(min(cases, plan.held), plan.held, "deletions held")
            if plan.deleted:
                closed_count = self._do(statements.CLOSE_GONE)
                deleted, closing = self._row(statements.DELETE)
                agree(deleted, plan.deleted, "images marked deleted")
                agree(closed_count, closing, "versions of deleted images closed")
                self._do(statements.CLOSE_DELETED)
            self._quarantine(
                [*self._listing.comparison.unreadable.values(), *(self._tied() if plan.quarantined else ())]
            )

    def finish(self, plan: Plan, listing: Listing, missing: Missing, stats: RequestStats) -> Outcome:
        """Complete the record of the run."""
        missing = self._by_their_own_word(plan, missing)
        outcome = records.outcome_of(self._run, plan, listing, missing, stats)
        outcome = replace(outcome, effective_at=self._facts["effective_at"], held_by=tuple(self._held_by))
        with translate_errors("recording the run"):
            self._tell_findings(plan, listing)
            if listing.proof.proven:
                self._record_missing(missing)
            else:
                self._end_listed(listing)
            pages = len(listing.pages) + len(missing.pages)
            more = {"approved": self._approved, "pages": pages, "accounted": not missing.unseen}
            records.finish(self._connection, self._run, outcome, **more)
            digests.seal(self._connection, self._run, outcome, loaded=self._loads)
            if plan.changes or plan.held or outcome.reason:
                records.evidence(self._connection, self._run, listing, missing)
            if plan.changes:
                told = {"version": 1} | {name: value for name, value in outcome.as_json().items() if name in _TOLD}
                self._do(statements.NOTIFY, payload=json.dumps(told))
        return outcome

    def _copy(self, spool: Spool) -> None:
        self._do(statements.CREATE_STAGE)
        with counted_copy(self._connection, statements.COPY_STAGE, self._staged, "images staged") as copy:
            copy.set_types(statements.STAGED_TYPES)
            for row in spool.rows():
                copy.write_row(row)
        if self._staged >= _ANALYZE_FROM:
            self._do("ANALYZE pg_temp.stage")

    @staticmethod
    def _is_simple(listing: Listing) -> bool:
        """Whether all that changed may be new, with nothing to settle and nothing to delete."""
        comparison = listing.comparison
        return not (len(comparison.known) or comparison.contradicted or comparison.counts.dead)

    def _load(self) -> None:
        """Write the images of a source that has none."""
        at = self._facts["effective_at"]
        before = (self._run.source.name, at, at, at, self._run.number)
        with counted_copy(self._connection, statements.COPY_IMAGES, self._staged, "images loaded") as copy:
            copy.set_types(statements.LOADED_TYPES)
            for _seq, *values, extra, raw_digest, content_digest in self._spool.rows():
                jsonb = None if extra is None else b"\1" + extra.encode()
                copy.write_row((*before, *values, jsonb, raw_digest, content_digest))
        if self._staged >= _ANALYZE_FROM:
            self._do(statements.FEW_SAMPLES)
            self._do(statements.ANALYZE_IMAGES)

    def _settle(self) -> int:
        self._do(statements.STAGE_STORED, ids=list(self._listing.comparison.as_stored))
        self._do(statements.DROP_OLDER)
        self._do(statements.CREATE_TIED)
        return int(self._row(statements.DROP_TIED)[0])

    def _tied(self) -> Iterator[Unreadable]:
        """The contents between which no one can choose, written as JSON again."""
        reason = "the list shows it with two contents of the same updated_at; this is one of them, written anew"
        for *values, extra in self._connection.execute(statements.TIED).fetchall():
            record = to_json(dict(zip(COLUMNS, values, strict=True)), json.loads(extra or "{}", parse_float=Decimal))
            yield Unreadable(_json(record), reason, values[0])

    def _plan_deletions(self, missing: Missing) -> tuple[int, int, str]:
        """How many will be deleted, how many held, and why."""
        if not self._listing.proof.proven or missing.doubt or self._loads:
            return 0, 0, ""
        if not (self._staged or missing.gone or self._row(statements.ANY_DEAD)[0]):
            return 0, 0, ""
        if not self._staged:
            self._do(statements.CREATE_STAGE)
        self._do(statements.CREATE_GONE)
        self._do(statements.FILL_GONE, gone=list(missing.gone), doubtful=self._doubtful(missing))
        gone, waiting, self._approved, day = self._row(statements.CANDIDATES)
        live = self._listing.comparison.known.live
        candidates = Candidates(live, gone, waiting, self._approved, day, self._listing.distinct)
        held, reason = withhold(candidates, self._run.source.limits)
        return self._approved + gone - held, held, reason

    def _doubtful(self, missing: Missing) -> list[str]:
        """Images of which this listing does not say for certain that they still are as stored."""
        comparison = self._listing.comparison
        unreadable = (records.pg_text(record.id) for record in comparison.unreadable.values())
        return [*missing.unseen, *comparison.contradicted, *(name for name in unreadable if name is not None)]

    def _by_their_own_word(self, plan: Plan, missing: Missing) -> Missing:
        """Count as gone what the cloud has still, but calls deleted itself, if this run deleted it."""
        if not (plan.deleted and missing.still_there):
            return missing
        rows = self._connection.execute(statements.DELETED_OF, self._facts | {"ids": list(missing.still_there)})
        deleted = {row[0] for row in rows}
        left = tuple(image for image in missing.still_there if image not in deleted)
        return replace(missing, still_there=left, gone=(*missing.gone, *sorted(deleted)))

    def _quarantine(self, unreadable: Sequence[Unreadable]) -> None:
        """Keep records that can't be read as images, each once."""
        kept = {raw_digest(record.raw): record for record in unreadable}
        for digest, record in kept.items():
            facts = {"id": records.pg_text(record.id), "raw": record.raw, "reason": records.pg_text(record.reason)}
            self._do(statements.QUARANTINE, digest=digest, **facts)
        if kept:
            found = self._connection.execute(statements.COUNT_QUARANTINED, self._facts | {"digests": list(kept)})
            agree(next(found)[0], len(kept), "records quarantined")

    def _record_missing(self, missing: Missing) -> None:
        """Put on record why each live image that the list lacks is not deleted, and what is missing no more."""
        states = dict.fromkeys(missing.still_there, "still_there")
        states |= dict.fromkeys(missing.unconfirmed, "unconfirmed") | dict.fromkeys(missing.pending, "pending")
        if not (states or missing.gone or self._open()):
            return
        kept, still_there = [*missing.gone, *missing.unseen], list(missing.still_there)
        self._do(statements.CLOSE_RETURNED, kept=kept, unlisted=still_there)
        self._do(statements.END_MISSING, kept=list(states))
        until = [missing.pending.get(image) for image in states]
        facts = {"ids": list(states), "states": list(states.values()), "until": until}
        self._do(statements.RENEW_MISSING, **facts)
        self._do(statements.BEGIN_MISSING, **facts)
        agree(self._row(statements.COUNT_MISSING)[0], len(states), "missing images on record")

    def _end_listed(self, listing: Listing) -> None:
        """Put on record what is missing no more: a list that is not proven shows what it shows all the same."""
        unlisted = [image for image in self._open() if not listing.comparison.contains(image)]
        if len(unlisted) < len(self._open()):
            self._do(statements.CLOSE_RETURNED, kept=unlisted, unlisted=[])
            self._do(statements.END_MISSING, kept=unlisted)

    def _open(self) -> set[str]:
        """Images that are missing, or whose deletion is held, since an earlier run, or since this one."""
        return {row[0] for row in self._connection.execute(statements.OPEN, self._facts)}

    def _tell_findings(self, plan: Plan, listing: Listing) -> None:
        """Tell, once each, of fields that came or went: the cloud's contract is not what it was."""
        came = "the cloud sends a field that its document does not name; it is kept in extra"
        for name in sorted(listing.comparison.unknown):
            self._do(statements.FINDING, kind="contract", subject=records.pg_text(name[:_LONGEST_SUBJECT]), detail=came)
        if plan.updated * 2 <= listing.comparison.distinct:
            return  # too few changed to say that a field went
        went = "the cloud does not send this field any more"
        for field, gone in zip(FIELDS, self._row(statements.VANISHED), strict=True):
            if gone:
                self._do(statements.FINDING, kind="contract", subject=field.api, detail=went)

    def _do(self, statement: str, **facts: object) -> int:
        """Carry out a statement; the number of rows it wrote."""
        return self._connection.execute(statement, self._facts | facts).rowcount

    def _expect(self, planned: int, what: str, statement: str) -> None:
        """Carry out a statement that writes as many rows as were planned."""
        agree(self._do(statement), planned, what)

    def _row(self, statement: str) -> tuple[Any, ...]:
        row = self._connection.execute(statement, self._facts).fetchone()
        return row or ()


class DryRunTransaction(RunTransaction):
    """Stages and plans, and then neither writes nor records."""

    def fence(self) -> datetime:
        """Take no turn, as nothing will be written."""
        moment = self._row("SELECT clock_timestamp()")[0]
        self._facts["effective_at"] = moment
        return moment  # type: ignore[no-any-return] # timestamptz

    def write(self, plan: Plan) -> None:
        """Write nothing."""

    def finish(self, plan: Plan, listing: Listing, missing: Missing, stats: RequestStats) -> Outcome:
        """Sum up what a run would have done."""
        return records.outcome_of(self._run, plan, listing, missing, stats)


_json = msgspec.json.Encoder(decimal_format="number").encode
