"""A model of a cloud whose list is paged by marker and changes between two answers, and of a reader of that list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from random import Random

from sync.domain.proof.list_scan import ListScan
from sync.domain.proof.marker import MarkerScan
from sync.domain.proof.page import Page, PageRequest, Row
from sync.domain.proof.parts import PartsScan
from sync.domain.proof.verdict import Verdict

PARTS = ("hidden", "", "hidden again")
ODD = ("{:X}B", "img {}", "Z{}", "a{:x}", "É{}", "~{}")


def uid(number: int, shape: str = "uuid") -> str:
    """A UUID of a shape; the higher the number, the later it comes."""
    return f"{number:08x}-0000-4000-8000-0000000000ff" if shape == "uuid" else f"{number:032x}"


def as_bytes(image: str) -> tuple[str, ...]:
    """The order of ids by their bytes."""
    return (image,)


def without_case(image: str) -> tuple[str, ...]:
    """The order of ids of a database that ignores case and hyphens at first."""
    return (image.replace("-", "").casefold(), image)


class Refused(Exception):  # noqa: N818 - an answer, no mistake
    """The cloud refuses a marker."""


@dataclass
class MarkerCloud:
    """Images with their part-list; each answer shows them as they are at that moment.

    Attributes:
        images: the images, each with its part: "" or "hidden".
        order: what the cloud sorts ids by.
        cap: draws the most rows of each answer.
        lost: what happens to a marker whose image is gone: "refused", "tolerated", "restart" or "empty".
        heeds_descending, heeds_marker: False for a cloud that ignores the parameter.
        unlisted: ids that count as rows when an answer is cut, and are removed from it afterwards.
        alive: ids that were listed all the time, and moved at most once between the parts.
    """

    images: dict[str, str]
    order: Callable[[str], tuple[str, ...]] = as_bytes
    cap: Callable[[], int] = lambda: 10**9
    lost: str = "refused"
    heeds_descending: bool = True
    heeds_marker: bool = True
    unlisted: Collection[str] = frozenset()
    alive: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    requests: list[PageRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch()

    def watch(self) -> None:
        """Start to track the images that are there all the time."""
        self.alive, self.moved = set(self.images), set()

    def insert(self, image: str, part: str = "") -> None:
        """Create an image."""
        self.images.setdefault(image, part)

    def delete(self, image: str) -> None:
        """Delete an image."""
        del self.images[image]
        self.alive.discard(image)

    def move(self, image: str) -> None:
        """Hide an image, or show it again."""
        self.images[image] = "" if self.images[image] else "hidden"
        if image in self.moved:
            self.alive.discard(image)
        self.moved.add(image)

    def answer(self, request: PageRequest, limit: int) -> Page:
        """Answer one request."""
        self.requests.append(request)
        part = request.part.removesuffix(" again")
        rows = sorted((image for image in {*self.images, *self.unlisted} if self._part(image) == part), key=self.order)
        if request.descending and self.heeds_descending:
            rows.reverse()
        shown = self._after(rows, request.marker)[: min(limit, self.cap())]
        return Page(
            0,
            [Row(image, None) for image in shown if image not in self.unlisted],
            None,
            descending=request.descending,
            marker=request.marker,
            part=request.part,
        )

    def _part(self, image: str) -> str:
        return self.images.get(image, "")

    def _after(self, rows: list[str], marker: str | None) -> list[str]:
        if marker is None or not self.heeds_marker:
            return rows
        if marker not in self.images and self.lost != "tolerated":
            if self.lost == "refused":
                raise Refused
            return rows if self.lost == "restart" else []
        return [image for image in rows if self.order(image) > self.order(marker)]


def scan_of(
    limit: int,
    starts: Iterable[str] = (),
    *,
    parts: Iterable[str] = ("",),
    max_images: int = 3000,
    max_gap_requests: int = 500,
) -> PartsScan:
    """A scan of a list in parts."""
    return PartsScan(
        [
            MarkerScan(
                limit=limit, starts=list(starts), max_images=max_images, max_gap_requests=max_gap_requests, part=part
            )
            for part in parts
        ]
    )


def read(
    cloud: MarkerCloud,
    scan: ListScan,
    *,
    limit: int,
    window: int = 1,
    pick: Callable[[int], int] = lambda _flying: 0,
    change: Callable[[int], object] = lambda _answers: None,
) -> tuple[Verdict, set[str]]:
    """Read the whole list once: up to ``window`` requests in flight, answered in the order that ``pick`` draws.

    Returns:
        The verdict, and the ids that were seen. ``change`` is called after each answer.
    """
    flying: list[PageRequest] = []
    seen: set[str] = set()
    while True:
        while len(flying) < window and (request := scan.ask()) is not None:
            assert request not in flying, "the same page is requested twice at a time"
            flying.append(request)
        if not flying:
            break
        request = flying.pop(pick(len(flying)))
        try:
            page = cloud.answer(request, limit)
        except Refused:
            scan.refused(request, "no such image")
        else:
            seen.update(row.id for row in page.rows)
            scan.answer(page)
        change(len(cloud.requests))
        assert len(cloud.requests) < 20_000, "the reading does not end"
    assert scan.done, "the scan wants nothing and is not done"
    return scan.verdict(), seen


@dataclass(frozen=True)
class MarkerWeather:
    """Everything that varies about a cloud by marker and its reader.

    Attributes:
        count: images at the start.
        span: how many ids there are to draw from.
        limit: rows requested per page.
        window: requests in flight.
        starts: number of ids known from an earlier run.
        churn: chance of changes after an answer.
        cap: "none", "fixed" or "varying".
        lost: as in the cloud.
        odd: chance that a new image has an id that can't be compared.
        hidden: chance that a change hides or shows an image.
        ignores_descending: whether the cloud ignores the descending order.
        unlisted: chance that an id stands for a row that is removed from answers after they were cut.
        seed: of the random generator.
    """

    count: int
    span: int
    limit: int
    window: int
    starts: int
    churn: float
    cap: str
    lost: str
    odd: float
    hidden: float
    ignores_descending: bool
    unlisted: float
    seed: int


class Play:
    """One reading under given conditions."""

    def __init__(self, weather: MarkerWeather) -> None:
        self.weather, self.rng = weather, Random(weather.seed)
        images = {self._id(): self._part() for _ in range(weather.count)}
        rng, limit = self.rng, weather.limit
        fixed = rng.randint(1, limit)
        caps = {"none": lambda: limit, "fixed": lambda: fixed, "varying": lambda: rng.randint(1, limit)}
        self.cloud = MarkerCloud(
            images,
            order=without_case,
            cap=caps[weather.cap],
            lost=weather.lost,
            heeds_descending=not weather.ignores_descending,
            unlisted={self._id() for _ in range(int(weather.unlisted * weather.count))} - set(images),
        )
        known = [*images, *(self._id() for _ in range(3))]
        self.starts = [rng.choice(known) for _ in range(weather.starts)]

    def read(self) -> tuple[Verdict, set[str]]:
        """Read the list; return the verdict, and the images that existed all the time and were not seen."""
        weather = self.weather
        parts = PARTS if weather.hidden else ("",)
        verdict, seen = read(
            self.cloud,
            scan_of(weather.limit, self.starts, parts=parts),
            limit=weather.limit,
            window=weather.window,
            pick=self.rng.randrange,
            change=self._change,
        )
        return verdict, self.cloud.alive - seen

    def _change(self, _answers: int) -> None:
        cloud, rng = self.cloud, self.rng
        for _ in range(rng.choice((0, 1, 1, 2)) if rng.random() < self.weather.churn else 0):
            if cloud.images and rng.random() < self.weather.hidden:
                cloud.move(rng.choice(sorted(cloud.images)))
            elif cloud.images and rng.random() < 0.5:
                cloud.delete(rng.choice(sorted(cloud.images)))
            elif (image := self._id()) not in cloud.unlisted:
                cloud.insert(image, self._part())

    def _id(self) -> str:
        number = self.rng.randrange(self.weather.span)
        if self.rng.random() < self.weather.odd:
            return self.rng.choice(ODD).format(number)
        return uid(number)

    def _part(self) -> str:
        return "hidden" if self.rng.random() < self.weather.hidden else ""
