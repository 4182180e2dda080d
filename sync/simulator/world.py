"""The images of the simulated account and all that happens to them; the same seed gives the same course of events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from sync.errors import UsageError
from sync.simulator.catalog import Document
from sync.simulator.entry import Entry
from sync.simulator.stage import Stage
from sync.simulator.viewer import ACCEPTED, SHARED

_BATCH = 0.05  # share of new images that come with the one before, in the same second
_SEARCHED = 8  # images that are looked at for each one that shall lose a property


class World(Stage):
    """All that happens to the images of the cloud.

    Where an operation takes ``ids``, it is done to these images; else to ``count`` random ones that it can be done to.
    Where the API knows nothing of the kind, it raises ``UsageError``.
    """

    def create(self, count: int = 1) -> list[str]:
        """Create images, still uploading or just finished; returns their ids."""
        with self.lock:
            ids = [self._stock.add(self._newcomer()) for _ in range(count)]
            return self._happened("created", ids, came=ids)

    def change(self, count: int = 1, ids: Sequence[str] | None = None) -> list[str]:
        """Make one believable change to each of some images; returns their ids."""
        return self._each("changed", self._lists, count, ids, self._catalog.changed)

    def delete(self, count: int = 1, ids: Sequence[str] | None = None) -> list[str]:
        """Delete some images; returns their ids."""
        with self.lock:
            chosen = self._chosen(self._stock.live, self._lists, count, ids)
            for entry in chosen:
                self._tick()
                self._stock.bury(entry)
                self._stock.replace(entry, self._catalog.deleted(entry.document, self.now))
            gone = [entry.key for entry in chosen]
            return self._happened("deleted", gone, went=() if self.show_deleted else gone)

    def restore(self, count: int = 1, ids: Sequence[str] | None = None) -> list[str]:
        """Bring some deleted images back under their old ids; returns these."""
        with self.lock:
            chosen = self._chosen(self._stock.dead, self._lists, count, ids)
            for entry in chosen:
                self._tick()
                self._stock.revive(entry)
                self._stock.replace(entry, self._catalog.restored(entry.document, self.now))
            back = [entry.key for entry in chosen]
            return self._happened("restored", back, came=back)

    def hide(self, count: int = 1, ids: Sequence[str] | None = None) -> list[str]:
        """Hide some of the project's images from the usual list; returns their ids."""
        self._require("hidden")
        change = partial(self._catalog.with_hidden, hidden=True)
        return self._each("hidden", lambda entry: self._is_made(entry) and not entry.hidden, count, ids, change)

    def show(self, count: int = 1, ids: Sequence[str] | None = None) -> list[str]:
        """Show some hidden images in the usual list again; returns their ids."""
        self._require("shown")
        change = partial(self._catalog.with_hidden, hidden=False)
        return self._each("shown", lambda entry: self._is_made(entry) and entry.hidden, count, ids, change)

    def deactivate(self, count: int = 1, ids: Sequence[str] | None = None) -> list[str]:
        """Deactivate some of the project's images, so that nobody can use them; returns their ids."""
        self._require("deactivated")
        change = partial(self._catalog.with_active, active=False)
        return self._each("deactivated", partial(self._owns, status="active"), count, ids, change)

    def activate(self, count: int = 1, ids: Sequence[str] | None = None) -> list[str]:
        """Activate some deactivated images again; returns their ids."""
        self._require("activated")
        change = partial(self._catalog.with_active, active=True)
        return self._each("activated", partial(self._owns, status="deactivated"), count, ids, change)

    def set_property(
        self, count: int = 1, ids: Sequence[str] | None = None, *, name: str = "", value: object = None
    ) -> list[str]:
        """Give some of the project's images a value of a field or property; without a name a usual one, chosen anew."""

        def change(document: Document, now: datetime) -> Document:
            chosen = (name, value) if name else self._catalog.some_property()
            return self._catalog.with_property(document, now, *chosen)

        return self._each("property set", self._owns, count, ids, change)

    def remove_property(self, count: int = 1, ids: Sequence[str] | None = None, *, name: str = "") -> list[str]:
        """Remove a field or property from some of the project's images; without a name any that users may remove."""

        def held(document: Document) -> list[str]:
            return [each for each in ([name] if name else self._catalog.removable(document)) if each in document]

        def change(document: Document, now: datetime) -> Document:
            return self._catalog.with_property(document, now, self._rng.choice(held(document)), None)

        with self.lock:
            some = self._chosen(self._stock.live, self._owns, count * _SEARCHED, ids)
            having = [entry.key for entry in some if held(entry.document)]
            return self._each("property removed", self._owns, count, having[: count if ids is None else None], change)

    def share(self, count: int = 1, ids: Sequence[str] | None = None, *, status: str = ACCEPTED) -> list[str]:
        """Let images of other projects be shared with this one; returns their ids.

        Args:
            count: how many; if others have fewer, they make more.
            ids: these images.
            status: the state of the share.
        """
        self._require("shared")
        with self.lock:
            chosen = self._chosen(self._stock.live, self._can_be_shared, count, ids)
            missing = count - len(chosen) if ids is None else 0
            chosen += [self._stock.live[self._stock.add(self._shareable())] for _ in range(missing)]
            for entry in chosen:
                self._tick()
                self._stock.share(entry, self._shared(status))
            shared = [entry.key for entry in chosen]
            return self._happened("shared", shared, came=shared if status == ACCEPTED else ())

    def unshare(self, count: int = 1, ids: Sequence[str] | None = None) -> list[str]:
        """Let images of other projects be shared with this one no longer; returns their ids."""
        self._require("unshared")
        with self.lock:
            chosen = self._chosen(self._stock.live, self._is_shared, count, ids)
            for entry in chosen:
                self._tick()
                self._stock.share(entry, ())
            gone = [entry.key for entry in chosen]
            return self._happened("unshared", gone, went=gone)

    def churn(self, percent: float = 1.0, **shares: float) -> dict[str, list[str]]:
        """Let one believable day pass; returns the ids of each kind of event.

        Args:
            percent: images that are touched, per hundred.
            shares: other shares of these than usual, such as ``deleted=0.5``; 0 for none.

        Raises:
            UsageError: the API has no such events.
        """
        if unknown := shares.keys() - self._catalog.shares.keys():
            raise UsageError(f"{', '.join(sorted(unknown))}: take {', '.join(self._catalog.shares)}.")
        with self.lock:
            evening = self.now + timedelta(days=1)
            touched = sum(1 for entry in self._stock.live.values() if self._lists(entry)) * percent / 100
            usual = {**self._catalog.shares, **shares}
            ids = {kind: self._events[kind](self._about(touched * share)) for kind, share in usual.items()}
            self.now = max(self.now, evening)
            return ids

    @property
    def _events(self) -> dict[str, Callable[[int], list[str]]]:
        return {
            "changed": self.change,
            "created": self.create,
            "restored": self.restore,
            "hidden": self.hide,
            "shown": self.show,
            "shared": self.share,
            "unshared": self.unshare,
            "deactivated": self.deactivate,
            "activated": self.activate,
            "property_set": self.set_property,
            "property_removed": self.remove_property,
            "deleted": self.delete,
        }

    def _newcomer(self) -> Document:
        if self._rng.random() >= _BATCH:
            self._tick()
        status = self._rng.choice(("queued", "saving", "active", "active", "active"))
        return self._catalog.image(self.now, until=self.now, status=status)

    def _is_made(self, entry: Entry) -> bool:
        return self._owns(entry) and entry.status not in self._catalog.next_status

    def _can_be_shared(self, entry: Entry) -> bool:
        return not self._owns(entry) and entry.visibility == SHARED and not self._lists(entry)

    def _is_shared(self, entry: Entry) -> bool:
        return not self._owns(entry) and entry.visibility == SHARED and self._lists(entry)
