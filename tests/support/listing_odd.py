"""A model of a cloud with odd times of creation, and of the inventory that its images are compared with.

Some images have no readable time, some have fractions of a second, and some get another time while they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from builders import answer, encoded, image, source
from builders import read as read_image
from listing_model import Cloud, Weather, at, cloud_of, maybe_change, read

from sync.domain.answer import Answer
from sync.domain.image import raw_digest
from sync.domain.proof.page import PageRequest, Row
from sync.domain.run import Listing, Reading, RequestStats, Run, StoredImage
from sync.domain.stored_digests import StoredDigests
from sync.job import read_listing
from sync.store.runs.spool import FileSpool

_FRACTIONS = (0, 0, 500_000, 700_000)  # microseconds


@dataclass(frozen=True)
class Oddity:
    """What is odd about the times of a cloud.

    Attributes:
        undated: where images without a readable time stand in ascending order: "first", "last" or "among" the others;
            "none" if all have one.
        fractions: whether some times have a fraction of a second, and how these are sorted: "none", "moments" or "text".
        redated: chance that an image gets another time after an answer, and before the first one.
    """

    undated: str
    fractions: str
    redated: float


class OddCloud(Cloud):
    """Answers with whole images; ``oddity`` and ``take`` are set before it is read.

    Attributes:
        oddity: what is odd about the times.
        take: is given each answer.
        ids: of the images that existed since ``watch``, and whose time did not change.
        shown: the times of each image in the answers since ``watch``.
    """

    oddity = Oddity("none", "none", 0)
    take: Callable[[Answer], object]
    ids: frozenset[str] = frozenset()
    shown: dict[str, set[datetime | None]]

    def watch(self) -> None:
        """Start to track what exists the whole time, and what is shown."""
        super().watch()
        self.ids = frozenset(row.id for row in self.rows)
        self.shown = {}

    def insert(self, minute: int) -> None:
        """Create an image, perhaps with an odd time."""
        super().insert(minute)
        self.rows[-1] = Row(self.rows[-1].id, self._odd(self.rows[-1].created_at))

    def delete(self, place: int) -> None:
        """Delete the image at this place."""
        self.ids -= {self.rows[place].id}
        super().delete(place)

    def redate(self, place: int, minute: int) -> None:
        """Give the image at this place another time."""
        row = self.rows[place]
        self.ids -= {row.id}
        self.rows[place] = Row(row.id, self._odd(at(minute)))

    def answer(self, request: PageRequest, limit: int) -> Answer:
        """Answer one request with whole images."""
        page = super().answer(request, limit)
        total = "unknown" if page.total is None else page.total
        whole = answer(*map(document, page.rows), offset=page.offset, descending=page.descending, total=total)
        assert [(row.id, row.created_at) for row in whole.rows] == [(row.id, _second(row)) for row in page.rows]
        assert whole.total == page.total
        for row in page.rows:
            self.shown.setdefault(row.id, set()).add(row.created_at)
        self.take(whole)
        return whole

    def _odd(self, time: datetime | None) -> datetime | None:
        rng, oddity = self.rng or Random(0), self.oddity
        if oddity.undated != "none" and rng.random() < 0.1:
            return None
        if time is not None and oddity.fractions != "none":
            return time + timedelta(seconds=rng.randrange(2), microseconds=rng.choice(_FRACTIONS))
        return time

    def _sorted(self, *, descending: bool) -> list[Row]:
        rows = list(self.rows)
        if self.rng:
            self.rng.shuffle(rows)
        rows.sort(key=self._place, reverse=descending)
        return rows

    def _place(self, row: Row) -> tuple[int, Any]:
        if row.created_at is None and self.oddity.undated == "among":  # others know when it was created
            return 0, written(at(int(row.id[:5]) * 10)) if self.oddity.fractions == "text" else at(int(row.id[:5]) * 10)
        if row.created_at is None:
            return (-1 if self.oddity.undated == "first" else 1), 0
        return 0, written(row.created_at) if self.oddity.fractions == "text" else row.created_at


def _second(row: Row) -> datetime | None:
    return row.created_at and row.created_at.replace(microsecond=0)


def written(time: datetime) -> str:
    """Write a time with as many digits as it needs, so that 29Z is behind 29.5Z in the order of text."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}{f'.{time.microsecond:06}'.rstrip('.0')}Z"


@cache
def document(row: Row) -> bytes:
    """The image of a row."""
    return encoded(image(row.id, created_at="" if row.created_at is None else written(row.created_at)))


class Inventory:
    """The stored images, as ``read_listing`` asks for them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = {raw_digest(document(row)): row for row in rows}

    def known(self, _run: Run) -> StoredDigests:
        """The digests of the stored images."""
        contents = b"".join(read_image(document(row)).content for row in self.rows.values())
        return StoredDigests(b"".join(self.rows), contents, live=len(self.rows))

    def live_images(self, _run: Run, raw_digests: Iterable[bytes]) -> Iterator[StoredImage]:
        """The images with these digests."""
        return (StoredImage(self.rows[raw].id, self.rows[raw].created_at, None) for raw in raw_digests)

    def created_at(self, _run: Run, ids: Collection[str]) -> list[tuple[str, datetime | None]]:
        """When these images were created."""
        return [(row.id, row.created_at) for row in self.rows.values() if row.id in ids]


class Side:
    """The cloud's side of a run: reads an odd cloud, and has no more to say of images that were asked for."""

    stats = RequestStats()

    def __init__(self, cloud: OddCloud, weather: Weather, rng: Random) -> None:
        self._cloud, self._weather, self._rng = cloud, weather, rng

    def read(self, take: Callable[[Answer], object], _reading: int, _starts: object) -> Reading:
        """Read the list once, with changes after each answer."""
        self._cloud.take, self._cloud.shown = take, {}
        weather, rng = self._weather, self._rng
        verdict, _ = read(
            self._cloud,
            limit=weather.limit,
            overlap=weather.overlap,
            window=weather.window,
            pick=rng.randrange,
            change=lambda _answers: self.change(),
        )
        return Reading(verdict, [])

    def ask(self, _ids: Collection[str], _take: object) -> None:
        """Answer nothing."""

    def change(self) -> None:
        """Create, delete or re-date some images."""
        maybe_change(self._cloud, self._rng, self._weather)
        if self._cloud.rows and self._rng.random() < self._cloud.oddity.redated:
            self._cloud.redate(self._rng.randrange(len(self._cloud.rows)), self._rng.randrange(self._weather.span))


def read_odd(weather: Weather, oddity: Oddity, rng: Random) -> tuple[Listing, OddCloud, Inventory]:
    """Read an odd list, most of which is stored as it was before some changes, as a run does."""
    plain = cloud_of(weather, rng)
    cloud = OddCloud((), rng, plain.cap, plain.claim)
    cloud.oddity = oddity
    for row in plain.rows:
        cloud.rows.append(Row(row.id, cloud._odd(row.created_at)))
    cloud.born = plain.born
    inventory = Inventory(row for row in cloud.rows if rng.random() < 0.8)
    side = Side(cloud, weather, rng)
    side.change()
    cloud.watch()
    with closing(FileSpool()) as spool:
        run = Run(1, source(), 0, at(0))
        listing = read_listing(run, side, inventory, spool)  # type: ignore[arg-type]
    return listing, cloud, inventory
