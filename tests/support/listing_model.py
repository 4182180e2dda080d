"""A model of a cloud whose list changes between two answers, and of a reader with several requests in flight."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from random import Random

from sync.domain.proof.page import Page, PageRequest, Row
from sync.domain.proof.scan import Scan
from sync.domain.proof.verdict import Verdict

CLAIMS = {
    "missing": lambda _true: None,
    "zero": lambda _true: 0,
    "one less": lambda true: true - 1,
    "half": lambda true: true // 2,
    "never above a page": lambda true: min(true, 50),
    "one more": lambda true: true + 1,
    "double": lambda true: true * 2,
    "huge": lambda _true: 10**12,
}
START = datetime(2024, 1, 1, tzinfo=UTC)


def at(minute: int) -> datetime:
    """Return a creation time."""
    return START + timedelta(minutes=minute)


def rows(text: str) -> list[Row]:
    """Return rows from ids and minutes, such as "a0 b1"; "?" is an unreadable time."""
    return [Row(word[0], None if word[1:] == "?" else at(int(word[1:]))) for word in text.split()]


class Seen:
    """The ids that came in a reading."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids = frozenset(ids)

    @property
    def distinct(self) -> int:
        """Return the number of distinct ids."""
        return len(self._ids)

    def fingerprint(self) -> int:
        """Return a value that depends only on the ids."""
        return hash(self._ids)


def chance(seed: int) -> Random:
    """Return a random generator with this seed."""
    return Random(seed)


@dataclass
class Cloud:
    """Rows sorted by creation time; each answer shows them as they are at that moment.

    Attributes:
        minutes: creation times of the first rows, in minutes.
        rng: shuffles ties in each answer; None keeps them in the order of their ids.
        cap: draws the most rows of each answer.
        claim: turns the true total into the claimed one.
        order: "as asked"; "asc", "desc", "id" or "shuffled" for a cloud that always sorts so.
        heeds_offset: False for a cloud that always answers with the first page.
    """

    minutes: Iterable[int]
    rng: Random | None = None
    cap: Callable[[], int] = lambda: 10**9
    claim: Callable[[int], int | None] = lambda total: total
    order: str = "as asked"
    heeds_offset: bool = True
    rows: list[Row] = field(default_factory=list)
    alive: set[Row] = field(default_factory=set)
    born: int = 0
    requests: int = 0

    def __post_init__(self) -> None:
        for minute in self.minutes:
            self.insert(minute)
        self.watch()

    def watch(self) -> None:
        """Start to track in ``alive`` the rows that exist the whole time."""
        self.alive = set(self.rows)

    def insert(self, minute: int) -> None:
        """Create an image; its id does not depend on its time."""
        self.born += 1
        self.rows.append(Row(f"{self.born * 7919 % 10007:05}-{self.born}", at(minute)))

    def delete(self, place: int) -> None:
        """Delete the image at this place."""
        self.alive.discard(self.rows.pop(place))

    def answer(self, request: PageRequest, limit: int) -> Page:
        """Answer one request."""
        self.requests += 1
        offset = request.offset
        start = offset if self.heeds_offset else 0
        rows = self._sorted(descending=request.descending)[start : start + min(limit, self.cap())]
        end, true = offset + len(rows), len(self.rows)
        claimed = self.claim(true)
        lies, cut = claimed != true, start + len(rows) < true and len(rows) < limit
        if claimed is not None and lies and cut and claimed == end:
            claimed += 1  # a page cut exactly at a wrong total looks like the end of the list
        return Page(offset, rows, claimed, descending=request.descending)

    def _sorted(self, *, descending: bool) -> list[Row]:
        rows = sorted(self.rows, key=attrgetter("id"))
        if self.rng and self.order != "id":
            self.rng.shuffle(rows)
        if self.order in ("as asked", "asc", "desc"):
            descending = descending if self.order == "as asked" else self.order == "desc"
            rows.sort(key=lambda row: row.created_at or START, reverse=descending)
        return rows


def read(
    cloud: Cloud,
    *,
    limit: int,
    overlap: int,
    window: int = 1,
    pick: Callable[[int], int] = lambda _flying: 0,
    change: Callable[[int], object] = lambda _answers: None,
    max_images: int = 2000,
    max_gap_requests: int = 500,
) -> tuple[Verdict, set[Row]]:
    """Read the whole list once: up to ``window`` requests in flight, answered in the order that ``pick`` draws.

    Returns:
        The verdict, and the rows that were seen. ``change`` is called after each answer.
    """
    scan = Scan(limit=limit, overlap=overlap, max_images=max_images, max_gap_requests=max_gap_requests)
    flying: list[PageRequest] = []
    seen: set[Row] = set()
    answers = 0
    while True:
        while len(flying) < window and (request := scan.ask()) is not None:
            flying.append(request)
        if not flying:
            break
        page = cloud.answer(flying.pop(pick(len(flying))), limit)
        seen.update(page.rows)
        scan.answer(page)
        answers += 1
        change(answers)
    assert scan.done, "the scan wants nothing and is not done"
    return scan.verdict(), seen


@dataclass(frozen=True)
class Weather:
    """Everything that varies about a cloud and its reader.

    Attributes:
        count: images at the start.
        span: in how many different minutes they were created.
        limit: rows requested per page.
        overlap: of neighbouring pages.
        window: requests in flight.
        churn: chance of changes after an answer.
        cap: "none", "fixed" or "varying".
        claim: the total: "true", "missing", or how far it is off.
        steady_ties: ties keep their order.
        seed: of the random generator.
    """

    count: int
    span: int
    limit: int
    overlap: int
    window: int
    churn: float
    cap: str
    claim: str | int
    steady_ties: bool
    seed: int


def cloud_of(weather: Weather, rng: Random) -> Cloud:
    """Make the cloud for these conditions."""
    minutes = [rng.randrange(weather.span) for _ in range(weather.count)]
    least = weather.overlap + 1
    fixed = rng.randint(least, weather.limit)
    caps = {"none": lambda: weather.limit, "fixed": lambda: fixed, "varying": lambda: rng.randint(least, weather.limit)}

    def claim(true: int) -> int | None:
        if isinstance(weather.claim, int):
            return max(0, true + weather.claim)
        return true if weather.claim == "true" else None

    return Cloud(minutes, None if weather.steady_ties else rng, caps[weather.cap], claim)


def maybe_change(cloud: Cloud, rng: Random, weather: Weather) -> None:
    """Create or delete up to two images."""
    for _ in range(rng.choice((0, 1, 1, 2)) if rng.random() < weather.churn else 0):
        if cloud.rows and rng.random() < 0.5:
            cloud.delete(rng.randrange(len(cloud.rows)))
        else:
            cloud.insert(rng.randrange(weather.span))
