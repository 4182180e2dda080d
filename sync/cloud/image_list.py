"""The image list of one source: read as a whole, or looked up by id."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from urllib.parse import parse_qsl

from sync import logs
from sync.cloud.client import Client
from sync.cloud.errors import request_id_of
from sync.cloud.lookup import look_up
from sync.cloud.workers import Workers
from sync.domain.answer import Answer, read_answer
from sync.domain.proof.list_scan import ListScan
from sync.domain.proof.marker import MarkerScan
from sync.domain.proof.page import PageRequest, Piece
from sync.domain.proof.parts import PartsScan
from sync.domain.proof.scan import Scan
from sync.domain.run import Confirmation, PageEvidence, Reading
from sync.domain.scope import Scope
from sync.errors import (
    CloudError,
    DeadlineError,
    ForbiddenError,
    RejectedError,
    TransientError,
    UnauthorizedError,
)
from sync.transport import Response

OnPage = Callable[[Answer], None]
_log = logs.get(__name__)
_REFUSES_MARKER = (400, 403, 404)  # the answers of clouds whose marker is gone or no longer visible
# After these, a lookup of another id would fail too; after DeadlineError because the wait goes beyond the deadline.
_HOPELESS = (TransientError, UnauthorizedError, ForbiddenError, DeadlineError)


class ImageList:
    """The image list of one source.

    Args:
        client: sends the requests.
        filter: the filter, as a query string.
        concurrency: requests in flight.
        max_images: a longer list is given up.
        max_gap_requests: pages that are requested, at most, to close the gaps that the first pages of a list leave.
        scope: logs in, and returns what the credentials reach.
        progress: called with the images read so far, and the total or None.

    Attributes:
        scope: as given.
        stats: the requests of the run so far.
    """

    def __init__(
        self,
        client: Client,
        filter: str,
        *,
        scope: Callable[[], Scope] = Scope,
        concurrency: int = 4,
        max_images: int = 5_000_000,
        max_gap_requests: int = 500,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> None:
        self._client, self._filter = client, dict(parse_qsl(filter))
        self._api, self.scope = client.api, scope
        self._policy, self.stats = client.policy, client.policy.stats
        self._concurrency, self._max_images, self._max_gap_requests = concurrency, max_images, max_gap_requests
        self._progress = progress or (lambda _done, _total: None)

    def read(self, take: OnPage, reading: int, starts: Collection[str] = ()) -> Reading:
        """Page through the whole list once, several pages at a time.

        Args:
            take: called with each answer, in the order in which they come.
            reading: the number of this reading within the run.
            starts: ids that a list by marker may be read from at the same time.

        Raises:
            CloudError: a page can't be read.
        """
        return self._read(take, reading, self._filter, starts)

    def read_all(self, take: OnPage, starts: Collection[str] = ()) -> Reading:
        """Page through the list without the filter, to see which images are gone rather than outside the filter.

        Raises:
            CloudError: a page can't be read, or the cloud asks for a wait beyond the deadline.
        """
        try:
            return self._read(take, 0, self._api.unfiltered(self._filter), starts)
        except DeadlineError as error:
            self._policy.remaining()  # raises if the deadline has really come
            raise CloudError(str(error)) from error

    def peek(self) -> Answer:
        """Request only the first image, to see whether the list can be read.

        Raises:
            CloudError: it can't, or may not.
        """
        query = self._api.page_query(self._filter, PageRequest()) | {"limit": "1"}
        return self._client.get(self._api.path, query, lambda response: read_answer(response.content))

    def _read(self, take: OnPage, reading: int, filter: dict[str, str], starts: Collection[str]) -> Reading:
        scan = self._scan(filter, starts)
        evidence: list[PageEvidence] = []
        received, began = 0, time.monotonic()
        with Workers(partial(self._page, filter), self._concurrency, self._policy.remaining) as workers:
            _ask_more(scan, workers)
            while not scan.done:
                question, page = workers.next()
                if isinstance(page, CloudError) and _refuses_marker(question, page):
                    scan.refused(question, str(page))
                    _ask_more(scan, workers)
                    continue
                if isinstance(page, BaseException):
                    raise page
                answer, response = page
                piece = scan.answer(answer)
                _ask_more(scan, workers)  # the next pages are on their way while this one is compared
                take(answer)
                evidence.append(_evidence(reading, answer, piece, response))
                received += answer.count
                self._progress(received, answer.total)
        read = Reading(scan.verdict(), evidence)
        seconds = time.monotonic() - began
        self.stats.add_phase("read" if reading else "confirm", seconds)
        _log_reading(read, reading, received, seconds)
        return read

    def _scan(self, filter: dict[str, str], starts: Collection[str]) -> ListScan:
        bounds = {
            "limit": self._api.limit,
            "max_images": self._max_images,
            "max_gap_requests": self._max_gap_requests,
        }
        if not self._api.by_marker:
            return Scan(**bounds)
        parts = self._api.parts_of(filter)
        return PartsScan([MarkerScan(starts=() if p.query else tuple(starts), part=p.name, **bounds) for p in parts])

    def ask(self, ids: Sequence[str], take: OnPage) -> Confirmation:
        """Look up each image by its id, without the filter: an image that left the filter is not gone.

        Args:
            ids: the images.
            take: called with each answer that has its image.

        Raises:
            DeadlineError, InterruptedRunError: see ``RetryPolicy.remaining``.
        """
        gone: set[str] = set()
        there: set[str] = set()
        failures: list[CloudError | DeadlineError] = []
        waiting, began = list(reversed(ids)), time.monotonic()
        with Workers(
            partial(look_up, self._client, self._filter), self._concurrency, self._policy.remaining
        ) as workers:
            while waiting or workers.busy:
                while waiting and workers.free:
                    workers.ask(waiting.pop())
                image, answer = workers.next()
                if isinstance(answer, CloudError | DeadlineError):
                    _log.warning("image not confirmed", image=image, reason=str(answer), **answer.facts())
                    failures.append(answer)
                    if isinstance(answer, _HOPELESS):
                        waiting.clear()
                elif isinstance(answer, BaseException):
                    raise answer
                elif answer.images:
                    there.add(image)
                    take(answer)
                else:
                    gone.add(image)
        self._policy.remaining()
        self.stats.add_phase("confirm", time.monotonic() - began)
        unconfirmed = len(ids) - len(gone) - len(there)
        _log.info("images looked up", ids=len(ids), gone=len(gone), still_there=len(there), unconfirmed=unconfirmed)
        return Confirmation(frozenset(gone), frozenset(there), str(failures[0]) if failures else "")

    def _page(self, filter: dict[str, str], question: PageRequest) -> tuple[Answer, Response]:
        def read(response: Response) -> tuple[Answer, Response]:
            return read_answer(response.content, **question._asdict()), response

        return self._client.get(self._api.path, self._api.page_query(filter, question), read)


def _ask_more(scan: ListScan, workers: Workers[PageRequest, tuple[Answer, Response]]) -> None:
    while workers.free and (question := scan.ask()) is not None:
        workers.ask(question)


def _refuses_marker(question: PageRequest, error: CloudError) -> bool:
    """Whether an error may say that the marker is gone: then another one is used, and without any the error counts."""
    refused = isinstance(error, RejectedError | ForbiddenError) and error.status in _REFUSES_MARKER
    return refused and question.marker is not None


def _log_reading(read: Reading, reading: int, received: int, seconds: float) -> None:
    """Log a reading, as a warning if it does not prove the list."""
    total = read.pages[-1].total if read.pages else None
    log = _log.info if read.verdict.complete else _log.warning
    log(
        "list read",
        reading=reading,
        complete=read.verdict.complete,
        proof=read.verdict.reason,
        pages=len(read.pages),
        gap_requests=read.verdict.gap_requests,
        refused_markers=read.verdict.refused_markers,
        received=received,
        total=total,
        seconds=round(seconds, 3),
    )


def _evidence(reading: int, answer: Answer, piece: Piece, response: Response) -> PageEvidence:
    return PageEvidence(
        reading=reading,
        offset=answer.offset,
        descending=answer.descending,
        marker=answer.marker,
        part=answer.part,
        rows=answer.count,
        first_id=answer.rows[0].id if answer.rows else None,
        last_id=answer.rows[-1].id if answer.rows else None,
        covers=piece.interval,
        covers_ids=piece.ids,
        total=answer.total,
        request_id=request_id_of(response.headers),
        milliseconds=response.milliseconds,
    )
