"""The images of the simulated account, and what happens to them; the same seed tells the same story."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from threading import RLock
from typing import TYPE_CHECKING

from sync.simulator.catalog import Catalog, Document, stamp
from sync.simulator.changes import buried, changed
from sync.simulator.entry import Entry, encode, instant, read
from sync.simulator.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterable

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
_LONGEST_PAUSE = 90  # seconds between two things people do
_BATCH = 0.05  # share of new images that come with the one before, in the same second


class World:
    """The images, their clock and their journal; every method is one step nobody else can look into.

    Args:
        seed: chooses names, ids, dates and all that happens.
        size: images at the start.
        now: what the clock of this world shows at the start.
        show_deleted: deleted images stay in the list with ``status`` deleted, instead of being found only by those who
            ask for ``status=deleted``. (What the real cloud does is not known.)
    """

    def __init__(self, seed: int = 1, size: int = 1000, now: datetime = START, *, show_deleted: bool = False) -> None:
        self.lock = RLock()
        self.journal = Journal()
        self.now = now
        self.revision = 0
        self.show_deleted = show_deleted
        self._rng = Random(seed)  # noqa: S311 - a story, not a secret
        self._catalog = Catalog(self._rng)
        self._place = 0
        self._live: dict[str, Entry] = {}
        self._dead: dict[str, Entry] = {}
        self._exact: set[str] = set()
        ids = [self._add(self._catalog.image(self._catalog.moment(now), until=now)) for _ in range(size)]
        self.journal.note("created", ids, came=ids)

    def create(self, count: int = 1) -> list[str]:
        """New images, uploading or just done; returns their ids."""
        with self.lock:
            ids = [self._add(self._newcomer()) for _ in range(count)]
            return self._happened("created", ids, came=ids)

    def change(self, count: int = 1) -> list[str]:
        """One believable change to each of some images; returns their ids."""
        with self.lock:
            chosen = self._chosen(self._live, count)
            for entry in chosen:
                self._tick()
                self._replace(entry, changed(entry.document, self._catalog, self._rng, self.now))
            return self._happened("changed", [entry.key for entry in chosen])

    def delete(self, count: int = 1) -> list[str]:
        """Some images are deleted; returns their ids."""
        with self.lock:
            chosen = self._chosen(self._live, count)
            for entry in chosen:
                self._tick()
                self._dead[entry.key] = self._live.pop(entry.key)
                self._replace(entry, buried(entry.document, self.now))
            ids = [entry.key for entry in chosen]
            return self._happened("deleted", ids, went=() if self.show_deleted else ids)

    def restore(self, count: int = 1) -> list[str]:
        """Some deleted images come back under their old ids; returns those."""
        with self.lock:
            chosen = self._chosen(self._dead, count)
            for entry in chosen:
                self._tick()
                self._live[entry.key] = self._dead.pop(entry.key)
                again: Document = {
                    "status": "active",
                    "deleted": False,
                    "deleted_at": "",
                    "updated_at": stamp(self.now),
                }
                self._replace(entry, entry.document | again)
            ids = [entry.key for entry in chosen]
            return self._happened("restored", ids, came=ids)

    def put(self, image: Document | bytes, *, twice: bool = False) -> str:
        """Exactly this image, whatever is wrong with it; chance never touches it. Returns the key ``remove`` takes.

        Args:
            image: a dict, or bytes that are served as they are.
            twice: list it beside what has the same id already, instead of in its place.
        """
        with self.lock:
            body, document = (image, read(image)) if isinstance(image, bytes) else (encode(image), image)
            identity = document.get("id")
            name = identity if isinstance(identity, str) else None
            key = f"{name or 'no id'} #{self._place}" if not name or (twice and name in self._live) else name
            self._dead.pop(key, None)
            entry = Entry(key, name, body, self._place, instant(document.get("created_at")), exact=True)
            self._place += 1
            self._live[key] = entry
            self._exact.add(key)
            self._happened("put", [key], came=[name] if name else ())
            return key

    def remove(self, key: str) -> None:
        """The image with this id (or key) is gone without a trace, all of those listed under the id."""
        with self.lock:
            keys = [entry.key for entry in self._live.values() if key in {entry.key, entry.id}]
            names = {self._live.pop(found).id for found in keys}
            left = {entry.id for entry in self._live.values()} if keys else set()
            self._happened("removed", keys, went=[name for name in names if name and name not in left])

    def advance(self, duration: timedelta) -> datetime:
        """Let time pass in which nothing happens; returns the new present."""
        with self.lock:
            self.now += duration
            return self.now

    def churn(
        self,
        percent: float = 1.0,
        *,
        changed: float = 0.5,
        created: float = 0.25,
        restored: float = 0.05,
        deleted: float = 0.2,
    ) -> dict[str, list[str]]:
        """One believable day; returns the ids of each kind.

        Args:
            percent: how many images in a hundred something happens to.
            changed: share of them that change.
            created: share that are new.
            restored: share that come back, if so many were deleted on earlier days.
            deleted: share that go.
        """
        with self.lock:
            evening = self.now + timedelta(days=1)
            touched = len(self._live) * percent / 100
            ids = {
                "changed": self.change(self._about(touched * changed)),
                "created": self.create(self._about(touched * created)),
                "restored": self.restore(self._about(touched * restored)),
                "deleted": self.delete(self._about(touched * deleted)),
            }
            self.now = max(self.now, evening)
            return ids

    def truth(self) -> dict[str, Document]:
        """Every image that has an id, by id, as it would be served now (of several with one id the last)."""
        with self.lock:
            return {entry.id: entry.document for entry in self.entries() if entry.id is not None}

    def entries(self, *, deleted: bool = False) -> Iterable[Entry]:
        """What is listed now, in the order it came; the deleted ones too if they are asked for. Hold the lock."""
        shown = [*self._live.values(), *self._dead.values()] if deleted or self.show_deleted else self._live.values()
        return sorted(shown, key=lambda entry: entry.place)

    def named(self, identity: str) -> list[Entry]:
        """What is listed now under this id. Hold the lock."""
        first = self._live.get(identity) or (self._dead.get(identity) if self.show_deleted else None)
        put = [self._live[key] for key in self._exact if key in self._live]
        others = [entry for entry in put if entry.id == identity and entry is not first]
        return [*([first] if first and first.id == identity else []), *others]

    def _newcomer(self) -> Document:
        if self._rng.random() >= _BATCH:
            self._tick()
        status = self._rng.choice(("queued", "saving", "active", "active", "active"))
        return self._catalog.image(self.now, until=self.now, status=status)

    def _tick(self) -> None:
        self.now += timedelta(seconds=self._rng.randrange(1, _LONGEST_PAUSE))

    def _about(self, number: float) -> int:
        """A whole number; what is behind the point is the chance of one more."""
        return int(number) + (self._rng.random() < number % 1)

    def _chosen(self, entries: dict[str, Entry], count: int) -> list[Entry]:
        eligible = [entry for entry in entries.values() if not entry.exact]
        return self._rng.sample(eligible, min(count, len(eligible)))

    def _add(self, document: Document) -> str:
        key = str(document["id"])
        self._live[key] = Entry(key, key, encode(document), self._place, instant(document["created_at"]))
        self._place += 1
        return key

    def _replace(self, entry: Entry, document: Document) -> None:
        home = self._live if entry.key in self._live else self._dead
        home[entry.key] = Entry(entry.key, entry.id, encode(document), entry.place, entry.created)

    def _happened(self, kind: str, ids: list[str], *, came: Iterable[str] = (), went: Iterable[str] = ()) -> list[str]:
        self.revision += 1
        self.journal.note(kind, ids, came=came, went=went, revision=self.revision, world_time=stamp(self.now))
        return ids
