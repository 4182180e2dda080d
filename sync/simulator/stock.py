"""The images of a world, by key: those that exist, and those that were deleted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sync.simulator.catalog import Catalog, Document
from sync.simulator.entry import Entry, encode, instant, read

Members = tuple[tuple[str, str], ...]


class Stock:
    """Images and the keys they are kept under; the world's lock is held by those who call.

    Attributes:
        live: the images that exist, by key.
        dead: the deleted ones, by key.

    Args:
        catalog: knows the documents of the API.
        show_deleted: deleted images are still among those that ``entries`` gives.
    """

    def __init__(self, catalog: Catalog, *, show_deleted: bool) -> None:
        self.live: dict[str, Entry] = {}
        self.dead: dict[str, Entry] = {}
        self.show_deleted = show_deleted
        self._catalog = catalog
        self._place = 0
        self._twins: list[str] = []  # keys that are no ids

    def add(self, document: Document, members: Members = ()) -> str:
        """Add an image; returns its id."""
        return self._add(self._entry(str(document["id"]), encode(document), document, members=members))

    def put(self, image: Document | bytes, members: Members, *, twice: bool) -> Entry:
        """Add exactly this image, in place of the one with its id, or beside it if it shall be there twice."""
        body, document = (image, read(image)) if isinstance(image, bytes) else (encode(image), image)
        identity = document.get("id")
        name = identity if isinstance(identity, str) else None
        key = f"{name or 'no id'} #{self._place}" if not name or (twice and name in self.live) else name
        self._twins += [key] if key != name else []
        self.dead.pop(key, None)
        self._add(replace(self._entry(key, body, document, members=members), exact=True))
        return self.live[key]

    def replace(self, entry: Entry, document: Document) -> None:
        """Change the document of an image."""
        new = self._entry(entry.key, encode(document), document, members=entry.members)
        self._home(entry)[entry.key] = replace(new, place=entry.place, created=entry.created, exact=entry.exact)

    def share(self, entry: Entry, members: Members) -> None:
        """Change whom an image is shared with."""
        self._home(entry)[entry.key] = replace(entry, members=members)

    def bury(self, entry: Entry) -> None:
        """Move an image to the deleted ones."""
        self.dead[entry.key] = self.live.pop(entry.key)

    def revive(self, entry: Entry) -> None:
        """Move a deleted image back to those that exist."""
        self.live[entry.key] = self.dead.pop(entry.key)

    def remove(self, key: str) -> list[Entry]:
        """Take out all images that exist and have this key or id; returns them."""
        keys = [entry.key for entry in self.live.values() if key in {entry.key, entry.id}]
        return [self.live.pop(each) for each in keys]

    def entries(self, *, deleted: bool = False) -> Iterable[Entry]:
        """The images in the order they were added, with the deleted ones if asked for."""
        shown = [*self.live.values(), *self.dead.values()] if deleted or self.show_deleted else self.live.values()
        return sorted(shown, key=lambda entry: entry.place)

    def with_id(self, identity: str) -> list[Entry]:
        """The images under this id, without looking through all of them."""
        shown = (self.live, self.dead) if self.show_deleted else (self.live,)
        entries = {entry for home in shown for key in (identity, *self._twins) if (entry := home.get(key))}
        return sorted((entry for entry in entries if entry.id == identity), key=lambda entry: entry.place)

    def _home(self, entry: Entry) -> dict[str, Entry]:
        return self.live if entry.key in self.live else self.dead

    def _add(self, entry: Entry) -> str:
        self.live[entry.key] = entry
        self._place += 1
        return entry.key

    def _entry(self, key: str, body: bytes, document: Document, *, members: Members) -> Entry:
        identity = document.get("id")
        created = instant(document.get("created_at"))
        if isinstance(identity, str) and created >= 0:
            created += self._catalog.fraction(identity)
        return Entry(
            key,
            identity if isinstance(identity, str) else None,
            body,
            self._place,
            created,
            owner=_text(document, "owner"),
            visibility=_text(document, "visibility"),
            status=_text(document, "status"),
            hidden=self._catalog.is_hidden(document),
            members=members,
        )


def _text(document: Document, name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) else None
