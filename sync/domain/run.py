"""The values that the parts of a run hand on to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import NamedTuple
from urllib.parse import parse_qsl

from sync.domain.apis import IEC
from sync.domain.apis.api import Api
from sync.domain.comparison import Comparison, Spool
from sync.domain.guard import Limits
from sync.domain.proof.cover import Interval
from sync.domain.proof.id_cover import IdInterval
from sync.domain.proof.verdict import Proof, Verdict
from sync.domain.scope import Scope

Progress = Callable[[int, int | None], None]  # takes the images read so far, and the total or None
_SMALL = 10_000  # images; a list up to this length may grow by any factor


@dataclass(frozen=True, slots=True)
class Source:
    """One cloud account and endpoint with one fixed filter.

    Attributes:
        name: its name in the settings; rows are keyed by (source, id).
        endpoint: URL of the API.
        filter: the filter, as a canonical query string; "" selects everything.
        api: the API that it is read by.
        limits: how much may be deleted without approval.
        max_gap_requests: pages that one reading requests, at most, to close gaps.
        max_single_confirms: if more images than this are missing, a second proven listing may replace single requests.
        grace: seconds after an image was first listed, or listed again, in which it is not believed gone.
        ignore: API names of fields whose change alone makes no new version.
        deadline: seconds that a run may take.
        max_images: the longest list that is believed, in images.
        max_growth: a list of over 10,000 images may be at most this many times as long as the inventory.
    """

    name: str
    endpoint: str
    filter: str = ""
    api: Api = IEC
    limits: Limits = field(default_factory=Limits)
    max_gap_requests: int = 500
    max_single_confirms: int = 200
    grace: float = 300.0
    ignore: tuple[str, ...] = ()
    deadline: float = 900.0
    max_images: int = 5_000_000
    max_growth: int = 100

    def is_gone(self, scope: Scope, owner: str | None) -> bool:
        """Whether an image of this owner that the cloud does not find is gone, rather than no longer visible.

        Args:
            scope: of the credentials that asked for it.
            owner: id of the project that owns it; None if that is not known.
        """
        narrowed = self.api.narrowed(dict(parse_qsl(self.filter)))
        return not narrowed and scope.owns(owner, admins_see_all=self.api.admins_see_all)

    def max_list_length(self, live: int) -> int:
        """The longest list that is believed while this many images are live."""
        return min(self.max_images, max(_SMALL, live * self.max_growth)) if live else self.max_images


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to sync one source.

    Attributes:
        number: its number in ``inventory.runs``, or None for a dry run, which is not recorded.
        source: the source to sync.
        epoch: number of runs of the source that had committed when it began; the fence.
        started_at: when it began, by the database's clock.
        scope: project and roles of the credentials that the inventory was made with, as a canonical query; "" for no
            project; None: not known yet. Once it is claimed, those of this run's.
    """

    number: int | None
    source: Source
    epoch: int
    started_at: datetime
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class PageEvidence:
    """One answer as evidence; a row of ``inventory.run_pages``.

    Attributes:
        reading: number of the reading in its run, from 1; 0 for a second list that confirms missing images.
        offset: offset that was requested.
        descending: whether the newest image was requested first.
        rows: number of rows that came.
        first_id: id of the first row, or None if no row came.
        last_id: id of the last row, or None if no row came.
        covers: the keys of which it shows every image, or None; see ``sync.domain.proof.cover``.
        total: the number of all matches as the answer gave it, or None if it gave no usable one.
        request_id: the gateway's id of the request, or None.
        milliseconds: time from the request to the end of the answer.
        marker: id of the image after which it begins, in lists by marker; None for the beginning.
        part: the part-list, where a list has several.
        covers_ids: in lists by marker, the ids of which it shows every image, or None.
    """

    reading: int
    offset: int
    descending: bool
    rows: int
    first_id: str | None
    last_id: str | None
    covers: Interval | None
    total: int | None
    request_id: str | None
    milliseconds: int
    marker: str | None = None
    part: str = ""
    covers_ids: IdInterval | None = None


class StoredImage(NamedTuple):
    """A live image, as the database has it.

    Attributes:
        id: its id.
        created_at: when it was created, by the cloud; None if that was not readable.
        grace_until: end of its grace, in which it is not believed gone; None if that is over.
        owner: id of the project that owns it; None if that is not known.
    """

    id: str
    created_at: datetime | None
    grace_until: datetime | None
    owner: str | None = None


@dataclass(slots=True)
class RequestStats:
    """The requests of a run to the cloud, and the time its phases took; thread-safe.

    Attributes:
        requests: requests sent, retries included.
        retries: requests that repeated a failed one.
        bytes: bytes of bodies received.
        throttled_seconds: seconds spent waiting because the cloud asked for fewer requests.
        phases: seconds by name of the phase.
    """

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    throttled_seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def count(self, *, requests: int = 0, retries: int = 0, received: int = 0, throttled_seconds: float = 0.0) -> None:
        """Add to the counts; ``received`` is in bytes."""
        with self._lock:
            self.requests += requests
            self.retries += retries
            self.bytes += received
            self.throttled_seconds += throttled_seconds

    @property
    def throttled_ms(self) -> int:
        """Milliseconds that the cloud had the run wait."""
        return round(self.throttled_seconds * 1000)

    def add_phase(self, phase: str, seconds: float) -> None:
        """Add seconds to the time of a phase."""
        with self._lock:
            self.phases[phase] = self.phases.get(phase, 0.0) + seconds


@dataclass(frozen=True, slots=True)
class Reading:
    """One pass over the whole list.

    Attributes:
        verdict: whether it proves the list complete.
        pages: the evidence, one item per answer.
    """

    verdict: Verdict
    pages: list[PageEvidence]


@dataclass(frozen=True, slots=True)
class Listing:
    """The list that a run read, and how complete it is.

    Attributes:
        comparison: its images, compared with the stored ones.
        distinct: number of distinct ids in the list; the comparison also has images that were confirmed by id later.
        proof: whether it is proven complete, by one reading or by two.
        pages: the evidence of all readings.
        lacking: the live images that it lacks, by id.
        read_attempts: number of readings: one, or two that prove the list together.
    """

    comparison: Comparison
    distinct: int
    proof: Proof
    pages: list[PageEvidence]
    lacking: Mapping[str, StoredImage]
    read_attempts: int

    @property
    def total(self) -> int | None:
        """The number of images by the cloud's last answer."""
        return self.pages[-1].total if self.pages else None


@dataclass(frozen=True, slots=True)
class Staged:
    """The changes of a listing, ready to be planned and written.

    Attributes:
        listing: the list they come from.
        spool: the changed images.
        first_load: whether the source has no images yet, so that the changed ones go straight to their table.
    """

    listing: Listing
    spool: Spool
    first_load: bool


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The cloud's answers about images that its list lacks.

    Attributes:
        gone: ids that the cloud no longer has, or no longer shows.
        still_there: ids that the cloud still has.
        failure: why there is no answer about the others, or "".
        pages: the evidence of the second listing, if one was read.
        invisible: ids of other projects' images that are no longer visible: gone, or not shared any more.
    """

    gone: frozenset[str] = frozenset()
    still_there: frozenset[str] = frozenset()
    failure: str = ""
    pages: tuple[PageEvidence, ...] = ()
    invisible: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Missing:
    """Live images that a listing lacks; each is in exactly one of the first five attributes.

    Attributes:
        gone: ids that were confirmed gone.
        invisible: ids of another project's images that the cloud no longer shows: they are no longer shared, or gone.
        still_there: ids that the cloud still has: these images left the filter.
        unconfirmed: ids that were confirmed neither gone nor still there.
        pending: ids that were listed too recently to be believed gone, each with the end of its grace.
        doubt: why this run may not delete anything, or "".
        failure: why some are unconfirmed, or "".
        pages: the evidence of the second listing, if one was read.
    """

    gone: tuple[str, ...] = ()
    invisible: tuple[str, ...] = ()
    still_there: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    pending: Mapping[str, datetime] = field(default_factory=dict)
    doubt: str = ""
    failure: str = ""
    pages: tuple[PageEvidence, ...] = ()

    def __len__(self) -> int:
        return len(self.removed) + len(self.still_there) + len(self.unconfirmed) + len(self.pending)

    @property
    def reason(self) -> str:
        """Why deletions are withheld, or ""."""
        return self.doubt or self.failure

    @property
    def removed(self) -> tuple[str, ...]:
        """The ids that were confirmed gone or no longer visible."""
        return (*self.gone, *self.invisible)

    @property
    def unseen(self) -> list[str]:
        """The ids that this run did not see and may not believe gone."""
        return [*self.unconfirmed, *self.pending]
