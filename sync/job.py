"""The whole run, on one screen: start, read and prove, confirm, and write in one short transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sync.domain.answer import Answer
from sync.domain.compare import Comparison, Spool
from sync.domain.image import Reader
from sync.domain.known import Known
from sync.domain.plan import Plan
from sync.domain.proof import judge
from sync.domain.run import Listing, Missing, Outcome, PageEvidence, Reading, Run, Source, Traffic
from sync.errors import ImageSyncError

Take = Callable[[Answer], None]


class Cloud(Protocol):
    """What a run asks of a cloud."""

    traffic: Traffic

    def read(self, take: Take, reading: int) -> Reading:
        """Page through the whole list once, hand over each answer, and judge what came."""

    def read_all(self, take: Take) -> Reading:
        """The same without the filter, to see what is gone and not just outside of it."""

    def ask(self, ids: Sequence[str]) -> Mapping[str, Answer]:
        """Ask for each id by name: an answer without images if it is gone; no entry if no one can say."""


class Tables(Protocol):
    """The writing transaction of a run; what it wrote is there, or is not, as a whole."""

    def stage(self, spool: Spool, listing: Listing) -> None:
        """Bring what changed to the database."""

    def plan(self, missing: Missing) -> Plan:
        """See what the run would do, deletions guarded."""

    def write(self, plan: Plan) -> None:
        """Do it."""

    def finish(self, plan: Plan, listing: Listing, missing: Missing, traffic: Traffic) -> Outcome:
        """Complete the record of the run."""


class Store(Protocol):
    """What a run asks of the database."""

    def start(self, source: Source, trigger: str) -> Run:
        """Put a new run on record, at once."""

    def known(self, run: Run) -> Known:
        """The digests of what is stored."""

    def live_ids(self, run: Run, raw_digests: Iterable[bytes]) -> Iterable[str]:
        """The ids of the live images with these digests."""

    def writing(self, run: Run) -> AbstractContextManager[Tables]:
        """The transaction, fenced: it fails if another run of the source committed since this one began."""

    def fail(self, run: Run, error: BaseException, traffic: Traffic) -> None:
        """Put on record why a run ended."""


def run_sync(source: Source, cloud: Cloud, store: Store, spool: Spool, trigger: str) -> Outcome:
    """Make the inventory of one source match its cloud.

    Raises:
        ImageSyncError: it could not; the run is on record with the reason, and nothing else was written.
    """
    run = store.start(source, trigger)
    try:
        listing = read_listing(run, cloud, store, spool)
        missing = find_missing(run, listing, cloud, store)
        with store.writing(run) as tables:
            tables.stage(spool, listing)
            plan = tables.plan(missing)
            tables.write(plan)
            return tables.finish(plan, listing, missing, cloud.traffic)
    except BaseException as error:
        store.fail(run, error, cloud.traffic)
        if isinstance(error, ImageSyncError):
            error.run = run.number
        raise


def read_listing(run: Run, cloud: Cloud, store: Store, spool: Spool) -> Listing:
    """Read the list, afresh up to ``source.readings`` times, until it is proven complete."""
    known, reader = store.known(run), Reader(run.source.ignore)
    before = None
    pages = []
    for attempt in range(1, run.source.readings + 1):
        comparison = Comparison(known.fresh(), spool, reader, run.source.most(known.live))
        spool.clear()
        reading = cloud.read(comparison.take, attempt)
        pages += reading.pages
        fingerprint = 0 if reading.verdict.complete else comparison.fingerprint()
        proof, before = judge(reading.verdict, comparison.distinct, fingerprint, before)
        if proof.proven:
            break
    return Listing(comparison, proof, reading.verdict, pages, attempt)


def find_missing(run: Run, listing: Listing, cloud: Cloud, store: Store) -> Missing:
    """Find what is live in the database and not in the list, and ask for it before believing it."""
    comparison = listing.comparison
    unlisted = store.live_ids(run, comparison.known.unlisted())
    ids = [wanted for wanted in unlisted if not comparison.lists(wanted)]
    if not ids:
        return Missing()
    if reason := _doubt(listing):
        return Missing(kept=tuple(ids), unsure=tuple(ids), reason=reason)
    if len(ids) > max(run.source.confirm_limit, len(listing.pages)):  # what takes fewer requests
        return _absent(ids, comparison, cloud)
    answers = cloud.ask(ids)
    for answer in answers.values():
        comparison.take(answer)
    return _missing(ids, {wanted for wanted in answers if not answers[wanted].images}, set(ids).difference(answers))


def _doubt(listing: Listing) -> str:
    """Why a missing image may not be believed to be gone, or ""."""
    if not listing.proof.proven:
        return f"the list is not proven complete: {listing.proof.reason}"
    nameless = sum(record.id is None for record in listing.comparison.unreadable.values())
    return f"{nameless} records bear no readable id, so any image might be one of them" if nameless else ""


def _missing(ids: Sequence[str], gone: set[str], unsure: set[str], pages: Iterable[PageEvidence] = ()) -> Missing:
    kept = tuple(wanted for wanted in ids if wanted not in gone)
    return Missing(tuple(sorted(gone)), kept, tuple(sorted(unsure)), pages=tuple(pages))


def _absent(ids: Sequence[str], comparison: Comparison, cloud: Cloud) -> Missing:
    """Many are missing: a second proven listing says of each whether it is gone."""
    wanted, absent = frozenset(ids), set(ids)

    def take(answer: Answer) -> None:
        found = answer.only(wanted)
        absent.difference_update(row.id for row in found.page.rows)
        comparison.take(found)

    reading = cloud.read_all(take)
    complete = reading.verdict.complete
    return _missing(ids, absent if complete else set(), set() if complete else absent, reading.pages)
