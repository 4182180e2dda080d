"""The whole run: start, read and prove, confirm, and write in one short transaction; ``run_sync`` tells it all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from sync.domain.answer import Answer
from sync.domain.comparison import Comparison, Spool
from sync.domain.guard import Plan
from sync.domain.image import Reader
from sync.domain.outcome import Outcome
from sync.domain.proof.verdict import prove
from sync.domain.run import (
    Confirmation,
    Listing,
    Missing,
    PageEvidence,
    Reading,
    RequestStats,
    Run,
    Source,
    Staged,
    StoredImage,
)
from sync.domain.scope import Scope
from sync.domain.search import Search
from sync.domain.stored_digests import StoredDigests
from sync.errors import CloudError, ImageSyncError, UnexpectedError
from sync.logs import unexpected

OnPage = Callable[[Answer], None]
READINGS = 2  # at most, per list


class Cloud(Protocol):
    """The cloud, as a run needs it."""

    stats: RequestStats

    def scope(self) -> Scope:
        """Log in, and return what the credentials reach."""

    def read(self, take: OnPage, reading: int, starts: Collection[str]) -> Reading:
        """Page through the whole list once, hand over each answer, and judge whether it is complete.

        A list by marker may be read from several known ids on at the same time.
        """

    def read_all(self, take: OnPage, starts: Collection[str]) -> Reading:
        """The same without the filter, to distinguish images that are gone from those that only left the filter."""

    def ask(self, ids: Sequence[str], take: OnPage) -> Confirmation:
        """Ask for each image by its id, and hand over each answer that has the image."""


class Transaction(Protocol):
    """The writing transaction of a run: it takes effect as a whole, or not at all."""

    def stage(self, spool: Spool, listing: Listing) -> Staged:
        """Bring the changes to the database."""

    def plan(self, staged: Staged, missing: Missing) -> Plan:
        """Plan what the run will do; the guard may hold its deletions."""

    def write(self, staged: Staged, plan: Plan) -> None:
        """Carry out the plan."""

    def finish(self, staged: Staged, plan: Plan, missing: Missing, stats: RequestStats) -> Outcome:
        """Complete the record of the run."""


class Store(Protocol):
    """The database, as a run needs it."""

    def start(self, source: Source, trigger: str) -> Run:
        """Record a new run, at once."""

    def claim(self, run: Run, scope: str) -> Run:
        """Refuse a scope that is not the one of the inventory; the run with its scope."""

    def known(self, run: Run) -> StoredDigests:
        """The digests of the stored images."""

    def live_images(self, run: Run, raw_digests: Iterable[bytes]) -> Iterable[StoredImage]:
        """The live images with these digests of their bytes."""

    def created_at(self, run: Run, ids: Collection[str]) -> Iterable[tuple[str, datetime | None]]:
        """When these images were created, those of them that are stored."""

    def transaction(self, run: Run) -> AbstractContextManager[Transaction]:
        """The transaction, fenced: it fails if another run of the source committed since this one began."""

    def fail(self, run: Run, error: BaseException, stats: RequestStats) -> None:
        """Record why a run failed."""


def run_sync(source: Source, cloud: Cloud, store: Store, spool: Spool, trigger: str) -> Outcome:
    """Make the inventory of one source match its cloud.

    Raises:
        ImageSyncError: it failed; the run is on record with the reason, and the inventory is unchanged.
    """
    run = store.start(source, trigger)
    try:
        scope = cloud.scope()
        run = store.claim(run, scope.text())
        listing = read_listing(run, cloud, store, spool)
        missing = find_missing(run, listing, cloud, scope)
        with store.transaction(run) as transaction:
            staged = transaction.stage(spool, listing)
            plan = transaction.plan(staged, missing)
            transaction.write(staged, plan)
            return transaction.finish(staged, plan, missing, cloud.stats)
    except BaseException as error:  # noqa: BLE001 - raised again
        problem = to_ours(error) if isinstance(error, Exception) else error
        store.fail(run, problem, cloud.stats)
        if isinstance(problem, ImageSyncError):
            problem.run = run.number
        raise problem from problem.__cause__


def to_ours(error: Exception) -> ImageSyncError:
    """The error itself if it is ours; any other becomes one of ours, with a sentence, and stays as its cause."""
    if isinstance(error, ImageSyncError):
        return error
    problem = UnexpectedError(unexpected(error))
    problem.__cause__ = error
    return problem


def read_listing(run: Run, cloud: Cloud, store: Store, spool: Spool) -> Listing:
    """Read the list, and once more if the first reading proves it only together with a second one."""
    known, reader = store.known(run), Reader(run.source.ignore, run.source.api)
    before = None
    pages: list[PageEvidence] = []
    order_doubt = ""
    for attempt in range(1, READINGS + 1):
        most = run.source.max_list_length(known.live)
        comparison = Comparison(known.unmark_all(), spool, reader, most, order_doubt=order_doubt)
        spool.clear()
        reading = cloud.read(comparison.add_page, attempt, known.starts)
        pages += reading.pages
        lacking = _find_lacking(run, comparison, store)
        order_doubt = comparison.order_doubt
        proof, before = prove(reading.verdict, comparison, before, order_doubt=order_doubt)
        if proof.proven or before is None:
            break
    distinct = comparison.distinct  # of the list, before images are looked up by id
    _settle_contents(run.source, comparison, cloud)
    return Listing(comparison, distinct, proof, pages, lacking, attempt)


def _find_lacking(run: Run, comparison: Comparison, store: Store) -> dict[str, StoredImage]:
    """Find the live images that a reading lacks, and note where one that it shows was created at another time."""
    lacking = {}
    for image in store.live_images(run, comparison.known.unlisted()):
        if not comparison.contains(image.id):
            lacking[image.id] = image
        comparison.check_created(image.id, image.created_at)
    for name, created_at in store.created_at(run, comparison.contradicted):
        comparison.check_created(name, created_at)
    return lacking


def _settle_contents(source: Source, comparison: Comparison, cloud: Cloud) -> None:
    """Ask for each image that changed while the list was read, so that it is clear which content is the last."""
    if ids := sorted(comparison.contradicted)[: source.max_single_confirms]:
        cloud.ask(ids, comparison.add_page)


def find_missing(run: Run, listing: Listing, cloud: Cloud, scope: Scope) -> Missing:
    """Find which of the live images that the list lacks are gone.

    No image is believed gone while the list is in doubt, nor within its grace; the cloud is asked about the others. One
    of another project that it does not show either may only be no longer shared.
    """
    if doubt := _doubt(listing):
        return Missing(unconfirmed=tuple(listing.lacking), doubt=doubt if listing.lacking else "")
    pending = {name: image.grace_until for name, image in listing.lacking.items() if image.grace_until is not None}
    ids = [image for image in listing.lacking if image not in pending]
    answer = _confirm(run, ids, listing, cloud)
    answered = answer.gone | answer.still_there
    unconfirmed = tuple(image for image in ids if image not in answered)
    gone = {name for name in answer.gone if run.source.is_gone(scope, listing.lacking[name].owner)}
    return Missing(
        gone=tuple(sorted(gone)),
        invisible=tuple(sorted(answer.gone - gone)),
        still_there=tuple(sorted(answer.still_there)),
        unconfirmed=unconfirmed,
        pending=pending,
        failure=f"{_images(len(unconfirmed))} could not be confirmed gone: {answer.failure}" if unconfirmed else "",
        pages=answer.pages,
    )


def _images(count: int) -> str:
    return "1 missing image" if count == 1 else f"{count} missing images"


def _doubt(listing: Listing) -> str:
    """Why no missing image may be believed gone, or ""."""
    if not listing.proof.proven:
        return f"the list is not proven complete: {listing.proof.reason}"
    nameless = sum(record.id is None for record in listing.comparison.unreadable.values())
    return f"records without a readable id: {nameless}; any image might be one of them" if nameless else ""


def _confirm(run: Run, ids: Sequence[str], listing: Listing, cloud: Cloud) -> Confirmation:
    """Ask the cloud for the missing images: one by one, or by a second list where that takes fewer requests."""
    if not ids:
        return Confirmation()
    if len(ids) <= max(run.source.max_single_confirms, len(listing.pages)):
        return cloud.ask(ids, listing.comparison.add_page)
    return _confirm_by_list(run.source, ids, listing, cloud)


def _confirm_by_list(source: Source, ids: Sequence[str], listing: Listing, cloud: Cloud) -> Confirmation:
    """Read a second list, which needs a proof of its own; once it is proven, the images that it lacks are gone.

    Not so those without a ``created_at``, if the list is sorted by it: a cloud may put them last in both orders, where
    no cover shows them.
    """
    search = Search(frozenset(ids), listing.comparison)
    before = None
    pages: list[PageEvidence] = []
    for _ in range(READINGS):
        search.begin()
        try:
            reading = cloud.read_all(search.add_page, listing.comparison.known.starts)
        except CloudError as error:
            return Confirmation(frozenset(), search.found, f"the second list can't be read: {error}", tuple(pages))
        pages += reading.pages
        proof, before = prove(reading.verdict, search, before, order_doubt=listing.comparison.order_doubt)
        if proof.proven or before is None:
            break
    doubt = search.doubt(proof, source.limits)
    gone = frozenset() if doubt else search.lacking
    undated = {name for name in gone if listing.lacking[name].created_at is None and not source.api.by_marker}
    if proof.by == "cover" and undated:
        gone -= undated
        doubt = f"without a readable created_at, only an answer about its id shows that one of {len(undated)} is gone"
    return Confirmation(gone, search.found, doubt, tuple(pages))
