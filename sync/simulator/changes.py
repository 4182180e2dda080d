"""Changes that people and the cloud make to an image: rename, finish an upload, protect, enlarge, publish, delete."""

from __future__ import annotations

from datetime import datetime
from random import Random

from sync.simulator.catalog import Catalog, Document, stamp

_LARGEST_DISK = 1024  # GB, by the vendor's document
_NEXT_STATUS = {"queued": "saving", "saving": "active"}


def changed(document: Document, catalog: Catalog, rng: Random, now: datetime) -> Document:
    """The image after one believable change at this moment."""
    status = str(document.get("status"))
    if status in _NEXT_STATUS:
        new = _NEXT_STATUS[status]
        change: Document = {"status": new, "__isregistered": new == "active"}
    else:
        change = rng.choice((_renamed, _protected, _enlarged, _renamed, _published))(document, catalog, now)
    return document | change | {"updated_at": stamp(now)}


def deleted(document: Document, now: datetime) -> Document:
    """The image as the cloud shows it after its deletion."""
    return document | {"status": "deleted", "deleted": True, "deleted_at": stamp(now), "updated_at": stamp(now)}


def restored(document: Document, now: datetime) -> Document:
    """The deleted image as it was brought back at this moment."""
    return document | {"status": "active", "deleted": False, "deleted_at": "", "updated_at": stamp(now)}


def _renamed(document: Document, catalog: Catalog, now: datetime) -> Document:
    name = catalog.name(now)
    return {"name": f"{name}-v2" if name == document.get("name") else name}


def _protected(document: Document, catalog: Catalog, now: datetime) -> Document:  # noqa: ARG001 - one shape for all
    return {"protected": not document.get("protected")}


def _enlarged(document: Document, catalog: Catalog, now: datetime) -> Document:
    disk = document.get("min_disk")
    if not isinstance(disk, int) or disk >= _LARGEST_DISK:
        return _renamed(document, catalog, now)
    return {"min_disk": min(_LARGEST_DISK, disk * 2)}


def _published(document: Document, catalog: Catalog, now: datetime) -> Document:
    if document.get("visibility") == "public":
        return _protected(document, catalog, now)
    return {"visibility": "public", "__imagetype": "gold", "protected": True}
