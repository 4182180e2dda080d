"""The images of the simulated account and all that happens to them; the same seed gives the same course of events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from threading import RLock

from sync.simulator import changes
from sync.simulator.catalog import Catalog, Document, stamp
from sync.simulator.entry import Entry, encode, instant, read
from sync.simulator.journal import Journal

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
_LONGEST_PAUSE = 90  # seconds between two events
_BATCH = 0.05  # share of new images that come with the one before, in the same second


class World:
    """The images, their clock and their journal; safe to use from any thread, each method in one step.

    Args:
        seed: determines names, ids, dates and all that happens.
        size: images at the start.
        now: time on the clock of this world at the start.
        show_deleted: deleted images stay in the list with ``status`` deleted, instead of being found only by those who
            ask for ``status=deleted``. (Which of the two the real cloud does is not known.)
    """

    def __init__(self, seed: int = 1, size: int = 1000, now: datetime = START, *, show_deleted: bool = False) -> None:
        self.lock = RLock()
        self.journal = Journal()
        self.now = now
        self.revision = 0
        self.show_deleted = show_deleted
        self._rng = Random(seed)  # noqa: S311 - not a secret
        self._catalog = Catalog(self._rng)
        self._place = 0
        self._twins: list[str] = []  # keys that are no ids
        self._live: dict[str, Entry] = {}
        self._dead: dict[str, Entry] = {}
        ids = [self._add(self._catalog.image(self._catalog.moment(now), until=now)) for _ in range(size)]
        self.journal.note("created", ids, came=ids)

    def create(self, count: int = 1) -> list[str]:
        """Create images, still uploading or just finished; returns their ids."""
        with self.lock:
            ids = [self._add(self._newcomer()) for _ in range(count)]
            return self._happened("created", ids, came=ids)

    def change(self, count: int = 1) -> list[str]:
        """Make one believable change to each of some random images; returns their ids."""
        with self.lock:
            chosen = self._chosen(self._live, count)
            for entry in chosen:
                self._tick()
                self._replace(entry, changes.changed(entry.document, self._catalog, self._rng, self.now))
            return self._happened("changed", [entry.key for entry in chosen])

    def delete(self, count: int = 1) -> list[str]:
        """Delete some random images; returns their ids."""
        with self.lock:
            chosen = self._chosen(self._live, count)
            for entry in chosen:
                self._tick()
                self._dead[entry.key] = self._live.pop(entry.key)
                self._replace(entry, changes.deleted(entry.document, self.now))
            ids = [entry.key for entry in chosen]
            return self._happened("deleted", ids, went=() if self.show_deleted else ids)

    def restore(self, count: int = 1) -> list[str]:
        """Bring some random deleted images back under their old ids; returns these."""
        with self.lock:
            chosen = self._chosen(self._dead, count)
            for entry in chosen:
                self._tick()
                self._live[entry.key] = self._dead.pop(entry.key)
                self._replace(entry, changes.restored(entry.document, self.now))
            ids = [entry.key for entry in chosen]
            return self._happened("restored", ids, came=ids)

    def put(self, image: Document | bytes, *, twice: bool = False) -> str:
        """List exactly this image, whatever is wrong with it, and never change it. Returns the key for ``remove``.

        Args:
            image: a dict, or bytes that are served as they are.
            twice: list it beside an image with the same id, instead of in its place.
        """
        with self.lock:
            body, document = (image, read(image)) if isinstance(image, bytes) else (encode(image), image)
            identity = document.get("id")
            name = identity if isinstance(identity, str) else None
            key = f"{name or 'no id'} #{self._place}" if not name or (twice and name in self._live) else name
            self._twins += [key] if key != name else []
            self._dead.pop(key, None)
            self._live[key] = Entry(key, name, body, self._place, instant(document.get("created_at")), exact=True)
            self._place += 1
            self._happened("put", [key], came=[name] if name else ())
            return key

    def remove(self, key: str) -> None:
        """Remove all images with this id (or the one with this key), without a trace."""
        with self.lock:
            keys = [entry.key for entry in self._live.values() if key in {entry.key, entry.id}]
            names = {self._live.pop(each).id for each in keys}
            left = {entry.id for entry in self._live.values()} if keys else set()
            self._happened("removed", keys, went=[name for name in names if name and name not in left])

    def advance(self, duration: timedelta) -> datetime:
        """Let time pass in which nothing happens; returns the new time."""
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
        """Let one believable day pass; returns the ids of each kind.

        Args:
            percent: images that are touched, per hundred.
            changed: share of these that change.
            created: share that are new.
            restored: share that come back, if enough were deleted on earlier days.
            deleted: share that are deleted.
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
        """Every image that has an id, by id, as it would be served now; of several with one id the last."""
        with self.lock:
            return {entry.id: entry.document for entry in self.entries() if entry.id is not None}

    def entries(self, *, deleted: bool = False) -> Iterable[Entry]:
        """The images listed now, in the order they were added, with the deleted ones if asked for. Hold the lock."""
        shown = [*self._live.values(), *self._dead.values()] if deleted or self.show_deleted else self._live.values()
        return sorted(shown, key=lambda entry: entry.place)

    def with_id(self, identity: str) -> list[Entry]:
        """The images listed now under this id, without looking through all of them. Hold the lock."""
        shown = (self._live, self._dead) if self.show_deleted else (self._live,)
        entries = {entry for home in shown for key in (identity, *self._twins) if (entry := home.get(key))}
        return sorted((entry for entry in entries if entry.id == identity), key=lambda entry: entry.place)

    def _newcomer(self) -> Document:
        if self._rng.random() >= _BATCH:
            self._tick()
        status = self._rng.choice(("queued", "saving", "active", "active", "active"))
        return self._catalog.image(self.now, until=self.now, status=status)

    def _tick(self) -> None:
        self.now += timedelta(seconds=self._rng.randrange(1, _LONGEST_PAUSE))

    def _about(self, number: float) -> int:
        """The number, rounded up or down at random so that it is right on average."""
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
