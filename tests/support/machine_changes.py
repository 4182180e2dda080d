"""All that may happen to the images of an account at any moment, also between two answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from machine_clouds import Account

from sync.domain.fields import Kind
from sync.simulator import World
from sync.simulator.catalog import Document, stamp

_FIXED = ("id", "created_at", "updated_at", "deleted", "status", "visibility", "os_hidden", "__isregistered")
_OFTEN = 0.3
_EVENTS: Mapping[str, Callable[[World, int], object]] = {
    "hidden": World.hide,
    "shown": World.show,
    "shared": World.share,
    "unshared": World.unshare,
    "deactivated": World.deactivate,
    "activated": World.activate,
    "property_set": World.set_property,
    "property_removed": World.remove_property,
}


def happen(account: Account, event: str, count: int) -> None:
    """Let something happen to some images, if the API knows such events."""
    if event in account.catalog.shares:
        _EVENTS[event](account.world, count)


def tie(account: Account, count: int) -> None:
    """Create images with the creation time of one that exists."""
    moments = [entry.created for entry in account.world.entries() if entry.created > 0]
    created = datetime(2026, 1, 1, tzinfo=UTC)
    if moments:
        created = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=account.rng.choice(moments))
    for _ in range(count):
        _put(account, _document(account, created))


def spoil(account: Account, kind: str, *, known: bool) -> None:
    """Add a record that cannot be stored, under the id of a valid image or a new one."""
    document = _some(account) if known else None
    document = dict(document or _document(account, account.world.now))
    if kind == "no object":
        _put(account, b"[1, 2]")
        return
    if kind == "no id":
        del document["id"]
    else:
        document["name"] = "a\0b"
    _put(account, document)


def contradict(account: Account, *, newer: bool) -> None:
    """Add a second record with the id of a valid image and other content."""
    document = _some(account)
    if document is not None:
        later = datetime.fromisoformat(str(document["updated_at"])) + timedelta(hours=1)
        again: Document = {"name": f"other {account.rng.random()}"}
        _put(account, document | again | ({"updated_at": stamp(later)} if newer else {}), twice=True)


def edit(account: Account, count: int) -> None:
    """Change one field of some images without changing ``updated_at``."""
    for document in filter(None, (_some(account) for _ in range(count))):
        number = account.rng.randrange(1000)
        fields = [each for each in account.api.fields if each.api not in _FIXED and each.kind is not Kind.TIME]
        field = account.rng.choice(fields)
        value = document.get(field.api)
        others: dict[Kind, object] = {
            Kind.TEXT: f"{value} too",
            Kind.INTEGER: len(str(value)) + number,
            Kind.NUMERAL: str(len(str(value)) + number),
            Kind.BOOLEAN: not value,
            Kind.FLAG: "false" if value == "true" else "true",
            Kind.TAGS: [f"tag {number}", "b", "a"],
        }
        _put(account, document | {field.api: others[field.kind]})
        if account.rng.random() < _OFTEN:
            _put(account, document | {"x_new": {"depth": [account.rng.randrange(1000)]}})


def bury(account: Account) -> None:
    """Let the cloud list a live image as deleted."""
    document = _some(account)
    if document is not None:
        _put(account, document | {"status": "deleted", "deleted": True, "deleted_at": stamp(account.world.now)})


def take_back(account: Account, count: int) -> None:
    """Remove some of the records that were added."""
    for _ in range(min(count, len(account.put))):
        account.world.remove(account.put.pop(account.rng.randrange(len(account.put))))


def _some(account: Account) -> Document | None:
    shown = [one for some in account.shows().values() for one in some]
    good = [one.id for one in shown if one.readable and one.listed and not one.dead]
    if not good:
        return None
    chosen = str(account.rng.choice(good))
    return dict(account.world.with_id(chosen)[-1].document)


def _document(account: Account, created: datetime) -> Document:
    document = account.catalog.image(created, until=max(created, account.world.now))
    return document | {"x_new": {"depth": [1, 2.5]}}


def _put(account: Account, image: Document | bytes, *, twice: bool = False) -> None:
    account.put.append(account.world.put(image, twice=twice))


CHANGES: dict[str, Callable[[Account, int], object]] = {
    "create": lambda account, count: account.world.create(count),
    "change": lambda account, count: account.world.change(count),
    "delete": lambda account, count: account.world.delete(count),
    "restore": lambda account, count: account.world.restore(count),
    "swap": lambda account, count: (account.world.delete(count), account.world.create(count)),
    "hide": lambda account, count: happen(account, "hidden", count),
    "show": lambda account, count: happen(account, "shown", count),
    "share": lambda account, count: happen(account, "shared", count),
    "unshare": lambda account, count: happen(account, "unshared", count),
    "deactivate": lambda account, count: happen(account, "deactivated", count),
    "activate": lambda account, count: happen(account, "activated", count),
    "set property": lambda account, count: happen(account, "property_set", count),
    "remove property": lambda account, count: happen(account, "property_removed", count),
    "tie": tie,
    "edit": edit,
    "bury": lambda account, _count: bury(account),
    "contradict": lambda account, count: contradict(account, newer=count % 2 == 0),
    "spoil": lambda account, count: spoil(account, ("no id", "NUL", "no object")[count % 3], known=count % 2 == 0),
    "take back": take_back,
    "take all back": lambda account, _count: take_back(account, len(account.put)),
}
"""The changes that may happen, each to about this many images."""
