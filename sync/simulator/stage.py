"""A cloud's images, its clock and its journal, and how anything happens to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from threading import RLock

from sync.domain.apis import APIS, IEC
from sync.errors import UsageError
from sync.simulator.catalog import Document, stamp
from sync.simulator.entry import Entry
from sync.simulator.images import CATALOGS
from sync.simulator.journal import Journal
from sync.simulator.stock import Members, Stock
from sync.simulator.viewer import ACCEPTED, PENDING, SHARED, Viewer, lists

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
_LONGEST_PAUSE = 90  # seconds between two events
_SHARED_SHARE = 20  # one image in 20 belongs to another project


class Stage:
    """The images and their time; safe to use from any thread, each method in one step.

    Attributes:
        viewer: the project whose images ``truth`` and the journal mean; None sees everything.

    Args:
        seed: determines names, ids, dates and all that happens.
        size: images at the start that the project sees.
        now: time on the clock of this world at the start.
        show_deleted: deleted images stay in the list with ``status`` deleted, instead of being found only by those who
            ask for ``status=deleted``. (Which of the two the real cloud does is not known.)
        api: name of the API whose images these are.
    """

    def __init__(
        self, seed: int = 1, size: int = 1000, now: datetime = START, *, show_deleted: bool = False, api: str = IEC.name
    ) -> None:
        self.lock = RLock()
        self.journal = Journal()
        self.now = now
        self.revision = 0
        self.api = APIS[api]
        self.viewer = Viewer() if self.api.project_scoped else None
        self._rng = Random(seed)  # noqa: S311 - not a secret
        self._catalog = CATALOGS[api](self._rng)
        self._stock = Stock(self._catalog, show_deleted=show_deleted)
        ids = self._settle(size)
        self.journal.note("created", ids, came=ids)

    @property
    def show_deleted(self) -> bool:
        """Whether deleted images stay in the list."""
        return self._stock.show_deleted

    @show_deleted.setter
    def show_deleted(self, show: bool) -> None:
        self._stock.show_deleted = show

    def truth(self, viewer: Viewer | None = None) -> dict[str, Document]:
        """Every image that has an id and that the project sees, the hidden ones too, by id, as it would be served now.

        Of several images with one id it is the last.

        Args:
            viewer: another project, or other roles, than those of this world.
        """
        with self.lock:
            asking = viewer or self.viewer
            return {
                entry.id: entry.document for entry in self.entries() if entry.id is not None and lists(entry, asking)
            }

    def entries(self, *, deleted: bool = False) -> Iterable[Entry]:
        """All images of the cloud, in the order they were added, with the deleted ones if asked for. Hold the lock."""
        return self._stock.entries(deleted=deleted)

    def with_id(self, identity: str) -> list[Entry]:
        """The images of the cloud with this id, without looking through all of them. Hold the lock."""
        return self._stock.with_id(identity)

    def deleted(self, identity: str) -> Entry | None:
        """The deleted image that had this id, if there is one. Hold the lock."""
        return self._stock.dead.get(identity)

    def put(self, image: Document | bytes, *, twice: bool = False, status: str = ACCEPTED) -> str:
        """List exactly this image, whatever is wrong with it, and never change it. Returns the key for ``remove``.

        Args:
            image: a dict, or bytes that are served as they are.
            twice: list it beside an image with the same id, instead of in its place.
            status: if it is another project's and shared, the state of that; "" if it is not shared with this one.
        """
        with self.lock:
            entry = self._stock.put(image, self._shared(status), twice=twice)
            self._happened("put", [entry.key], came=[entry.id] if entry.id and self._lists(entry) else ())
            return entry.key

    def remove(self, key: str) -> None:
        """Remove all images with this id (or the one with this key), without a trace."""
        with self.lock:
            removed = self._stock.remove(key)
            left = {entry.id for entry in self._stock.live.values()} if removed else set()
            went = [entry.id for entry in removed if entry.id and entry.id not in left]
            self._happened("removed", [entry.key for entry in removed], went=went)

    def advance(self, duration: timedelta) -> datetime:
        """Let time pass in which nothing happens; returns the new time."""
        with self.lock:
            self.now += duration
            return self.now

    def _settle(self, size: int) -> list[str]:
        """Add the first images, some of them shared with the project, and some that it does not see."""
        guests = size // _SHARED_SHARE if self._catalog.foreign_images else 0
        moment, image = self._catalog.moment, self._catalog.image
        own = [self._stock.add(image(moment(self.now), until=self.now)) for _ in range(size - guests)]
        shared = [self._stock.add(self._shareable(), self._shared(ACCEPTED)) for _ in range(guests)]
        for number in range(guests):
            self._stock.add(self._stranger(), self._shared(PENDING) if number % 2 else ())
        return own + shared

    def _stranger(self) -> Document:
        return self._catalog.foreign(self._catalog.moment(self.now), until=self.now)

    def _shareable(self) -> Document:
        return self._stranger() | {"visibility": SHARED}

    def _shared(self, status: str) -> Members:
        return ((self.viewer.project, status),) if self.viewer and status else ()

    def _require(self, kind: str) -> None:
        if kind not in self._catalog.shares:
            raise UsageError(f"In {self.api.title} no image can be {kind}.")

    def _lists(self, entry: Entry) -> bool:
        return lists(entry, self.viewer)

    def _owns(self, entry: Entry, status: str | None = None) -> bool:
        return (self.viewer is None or entry.owner == self.viewer.project) and status in {None, entry.status}

    def _tick(self) -> None:
        self.now += timedelta(seconds=self._rng.randrange(1, _LONGEST_PAUSE))

    def _about(self, number: float) -> int:
        """The number, rounded up or down at random so that it is right on average."""
        return int(number) + (self._rng.random() < number % 1)

    def _each(
        self,
        kind: str,
        eligible: Callable[[Entry], bool],
        count: int,
        ids: Sequence[str] | None,
        change: Callable[[Document, datetime], Document],
    ) -> list[str]:
        with self.lock:
            chosen = self._chosen(self._stock.live, eligible, count, ids)
            for entry in chosen:
                self._tick()
                self._stock.replace(entry, change(entry.document, self.now))
            return self._happened(kind, [entry.key for entry in chosen])

    def _chosen(
        self, home: dict[str, Entry], eligible: Callable[[Entry], bool], count: int, ids: Sequence[str] | None
    ) -> list[Entry]:
        if ids is not None:
            return [home[key] for key in ids if key in home]
        some = [entry for entry in home.values() if not entry.exact and eligible(entry)]
        return self._rng.sample(some, min(count, len(some)))

    def _happened(self, kind: str, ids: list[str], *, came: Iterable[str] = (), went: Iterable[str] = ()) -> list[str]:
        self.revision += 1
        self.journal.note(kind, ids, came=came, went=went, revision=self.revision, world_time=stamp(self.now))
        return ids
