"""Images of Glance: the attributes of every image, and the properties that users and services add to some."""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar
from zlib import crc32

from sync.simulator.catalog import Catalog, Document, stamp
from sync.simulator.systems import SYSTEMS, System
from sync.simulator.viewer import COMMUNITY, PUBLIC, SHARED

_TAGS = ("golden", "nightly", "prod", "stage", "team:web", "team:data", "продукт")
_HARDWARE = {
    "hw_disk_bus": ("scsi", "virtio"),
    "hw_scsi_model": ("virtio-scsi",),
    "hw_qemu_guest_agent": ("yes", "no"),
    "hw_rng_model": ("virtio",),
    "hw_vif_multiqueue_enabled": ("true",),
    "hw_watchdog_action": ("reset",),
}
_PROPERTIES = (("os_require_quiesce", "yes"), ("replace_frequency", "monthly"), ("provided_until", "none"))
_DATA = {"checksum": 32, "os_hash_value": 128}  # hexadecimal digits
ATTRIBUTES = frozenset(
    [
        "id",
        "name",
        "owner",
        "disk_format",
        "container_format",
        "checksum",
        "os_hash_algo",
        "os_hash_value",
        "status",
        "visibility",
        "protected",
        "os_hidden",
        "size",
        "virtual_size",
        "min_disk",
        "min_ram",
        "created_at",
        "updated_at",
        "tags",
        "self",
        "file",
        "schema",
    ]
)
"""The fields that every image has; all others are properties."""
_HIDDEN = 0.04  # share of hidden images
_GIB = 2**30


class GlanceCatalog(Catalog):
    """Makes images of Glance; attributes without a value are null."""

    shares: ClassVar = {
        "changed": 0.3,
        "property_set": 0.15,
        "property_removed": 0.05,
        "created": 0.2,
        "hidden": 0.04,
        "shown": 0.03,
        "deactivated": 0.03,
        "activated": 0.02,
        "shared": 0.03,
        "unshared": 0.02,
        "deleted": 0.13,
    }
    next_status: ClassVar = {"queued": "saving", "saving": "active", "uploading": "importing", "importing": "active"}
    foreign_images: ClassVar = True

    def image(self, created: datetime, *, until: datetime, status: str | None = None) -> Document:
        """A new image of the project, or a public one of the cloud's operator."""
        rng, system = self._rng, self._rng.choice(SYSTEMS)
        public = status is None and rng.random() < 0.12  # noqa: PLR2004 - about one image in eight is public
        status = status or rng.choices(("active", "queued", "saving", "deactivated"), (95, 2, 1, 2))[0]
        status = "active" if public else status
        identity, disk = self.uuid(), rng.choice((0, 0, 10, 20, 40))
        return {
            **self._properties(system),
            "name": self._public_name(system, created) if public else self.name(created),
            "disk_format": rng.choices(("qcow2", "raw", "iso", "vmdk"), (75, 18, 4, 3))[0],
            "container_format": "bare",
            "visibility": PUBLIC if public else rng.choices((SHARED, "private", COMMUNITY), (70, 27, 3))[0],
            "size": None,
            "virtual_size": None,
            "status": status,
            "checksum": None,
            "protected": public or rng.random() < 0.1,  # noqa: PLR2004 - some are protected
            "min_ram": rng.choice((0, 0, 0, 512, 2048)),
            "min_disk": disk,
            "owner": self._owners[0] if public else self.project,
            "os_hidden": rng.random() < _HIDDEN,
            "os_hash_algo": None,
            "os_hash_value": None,
            "id": identity,
            "created_at": stamp(created),
            "updated_at": stamp(self._updated(created, until)),
            "tags": rng.sample(_TAGS, rng.choice((0, 0, 0, 1, 2))),
            "self": f"/v2/images/{identity}",
            "file": f"/v2/images/{identity}/file",
            "schema": "/v2/schemas/image",
            **(self._data() if status in {"active", "deactivated"} else {}),
        }

    def foreign(self, created: datetime, *, until: datetime) -> Document:
        """An image of another project: shared with no one yet, or with everybody."""
        visibility = self._rng.choices((SHARED, "private", COMMUNITY), (60, 20, 20))[0]
        return super().foreign(created, until=until) | {"visibility": visibility, "os_hidden": False}

    def changed(self, document: Document, now: datetime) -> Document:
        """Finish an upload, rename, protect, enlarge or tag the image, or let others see it."""
        new = self.next_status.get(str(document.get("status")))
        if new:
            change: Document = {"status": new, **(self._data() if new == "active" else {})}
        else:
            kinds = (self._renamed, self._renamed, self._protected, self._enlarged, self._tagged, self._opened)
            change = self._rng.choice(kinds)(document, now)
        return document | change | {"updated_at": stamp(now)}

    def is_hidden(self, document: Document) -> bool:
        """Whether it is hidden."""
        return document.get("os_hidden") is True

    def with_hidden(self, document: Document, now: datetime, *, hidden: bool) -> Document:
        """The image after it was hidden, or shown again."""
        return document | {"os_hidden": hidden, "updated_at": stamp(now)}

    def with_active(self, document: Document, now: datetime, *, active: bool) -> Document:
        """The image after it was deactivated, or activated again."""
        return document | {"status": "active" if active else "deactivated", "updated_at": stamp(now)}

    def some_property(self) -> tuple[str, str]:
        """A property that users set."""
        name, value = self._rng.choice(_PROPERTIES)
        return name, value if self._rng.random() < 0.5 else f"{value} {self._rng.randrange(100)}"  # noqa: PLR2004

    def removable(self, document: Document) -> list[str]:
        """Its properties."""
        return [name for name in document if name not in ATTRIBUTES]

    def fraction(self, identity: str) -> int:
        """The database keeps microseconds, the document shows seconds."""
        return crc32(identity.encode()) % 1_000_000

    def _data(self) -> Document:
        """The attributes that are known once the file was uploaded."""
        rng = self._rng
        size = rng.randrange(20 << 20, 8 * _GIB)
        hashes = {name: f"{rng.getrandbits(digits * 4):0{digits}x}" for name, digits in _DATA.items()}
        virtual = rng.choice((None, 2 * _GIB, 10 * _GIB, 40 * _GIB))
        return {"size": size, "virtual_size": virtual, "os_hash_algo": "sha512", **hashes}

    def _properties(self, system: System) -> Document:
        rng = self._rng
        values: Document = {"os_type": system.os_type.lower()} if system.os_type != "Other" else {}
        values |= _distribution(system) if rng.random() < 0.8 else {}  # noqa: PLR2004 - not all say it
        values |= {"architecture": "aarch64" if system.arm else "x86_64"}
        values |= {"hw_firmware_type": "uefi" if system.arm else rng.choice(("bios", "uefi"))}
        values |= {name: rng.choice(some) for name, some in _HARDWARE.items() if rng.random() < 0.4}  # noqa: PLR2004
        if rng.random() < 0.15:  # noqa: PLR2004 - some were made from servers
            values |= {"image_type": "snapshot", "base_image_ref": self.uuid(), "instance_uuid": self.uuid()}
            values |= {"user_id": self._owners[4], "boot_roles": "member,reader"}
        return values

    def _tagged(self, document: Document, now: datetime) -> Document:  # noqa: ARG002 - one shape for all
        old = document.get("tags")
        new = self._rng.sample(_TAGS, self._rng.randrange(1, 4))
        return {"tags": [*new, "new"] if isinstance(old, list) and set(new) == set(old) else new}

    def _opened(self, document: Document, now: datetime) -> Document:
        """Show it to more projects, or to fewer; only the operator makes it public."""
        if document.get("owner") != self.project or document.get("visibility") == PUBLIC:
            return self._renamed(document, now)
        others = [each for each in (SHARED, "private", COMMUNITY) if each != document.get("visibility")]
        return {"visibility": self._rng.choice(others)}


def _distribution(system: System) -> Document:
    version = re.search(r"\d[\d.]*", system.version)
    if system.os_type == "Other" or version is None:
        return {}
    return {"os_distro": system.platform.lower(), "os_version": version[0]}
