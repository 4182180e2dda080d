"""Images for the fake cloud: the same number and generation always give the same images.

Generation k is generation k-1 with 1 % of its images changed, 0.1 % deleted and 0.1 % added, at least one each. An
image is rendered once, when it is made or changed; its bytes are then served again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from random import Random
from typing import Any, NamedTuple, Self, TypeVar

import msgspec

T = TypeVar("T")

CHANGED, DELETED, ADDED = 100, 1000, 1000  # one in so many
_START = datetime(2018, 1, 1)  # noqa: DTZ001 - UTC, written as Z
_AGES = 6 * 365 * 86_400  # seconds in which images were created
_SYSTEMS = (
    ("CentOS", "Linux", "CentOS 7.6 64bit"),
    ("Ubuntu", "Linux", "Ubuntu 22.04 server 64bit"),
    ("Debian", "Linux", "Debian GNU/Linux 11.1.0 64bit"),
    ("EulerOS", "Linux", "EulerOS 2.9 64bit"),
    ("Windows", "Windows", "Windows Server 2019 Datacenter 64bit"),
)
_NAMES = ("web", "db-primary", "k8s-node", "bastion", 'runner "large"', "gold/base", "備份映像", "cache", "ci\\agent")
_STATUSES = (*["active"] * 17, "queued", "saving", "killed")
_TRUTHS = ("true", "false")
_OWNERS = [blake2b(b"owner %d" % number, digest_size=16).hexdigest() for number in range(97)]
_encode = msgspec.json.Encoder().encode


class Image(NamedTuple):
    """One image as it stands in one generation.

    Attributes:
        created: seconds; what lists are sorted by, together with the number.
        number: which image it is, in all generations.
        id: made from the number.
        updated: seconds; another one after each change.
        body: its JSON.
    """

    created: int
    number: int
    id: str
    updated: int
    body: bytes


class World:
    """All images of one generation, oldest first."""

    def __init__(self, size: int) -> None:
        self.size, self.generation, self._next, self._sorted_at = size, 0, size, -1
        self.images = sorted(render(number, 0) for number in range(size))
        self.by_id = {image.id: image for image in self.images}
        self._bodies: dict[tuple[str, str, int], bytes] = {}
        self._ids: list[str] = []

    @property
    def ids(self) -> list[str]:
        """The ids of all images, in order."""
        if len(self._ids) != len(self.images) or self._sorted_at != self.generation:
            self._ids, self._sorted_at = sorted(self.by_id), self.generation
        return self._ids

    def body(self, image: Image, path: str) -> bytes:
        """The image as another API has it, given by the path of its list; rendered once per content."""
        key = (path, image.id, image.updated)
        if key not in self._bodies:
            self._bodies[key] = _encode(_TRANSLATED[path](msgspec.json.decode(image.body)))
        return self._bodies[key]

    def render_for(self, paths: Sequence[str]) -> None:
        """Render all images as these APIs have them, so that nobody waits for it."""
        for path in filter(None, paths):
            for image in self.images:
                self.body(image, path)
            self.ids  # noqa: B018 - sorted now

    def at(self, size: int, generation: int) -> Self:
        """The world of that size and generation: this one, moved on, or a new one."""
        fits = size == self.size and generation >= self.generation
        world = self if fits else type(self)(size)
        while world.generation < generation:
            world.advance()
        return world

    def updated(self) -> int:
        """Sum of all ``updated_at``, which shows whether someone has the newest version of every image."""
        return sum(image.updated for image in self.images)

    def advance(self) -> None:
        """Go on to the next generation."""
        self.generation += 1
        count = len(self.images)
        changed, deleted = _share(count, CHANGED), _share(count, DELETED)
        touched = Random(self.generation).sample(range(count), changed + deleted)  # noqa: S311 - chance with a seed
        for position in touched[:changed]:
            self._put(position, render(self.images[position].number, self.generation))
        for position in sorted(touched[changed:], reverse=True):
            del self.by_id[self.images.pop(position).id]
        self._add(_share(count, ADDED))

    def _put(self, position: int, image: Image) -> None:
        self.images[position] = self.by_id[image.id] = image

    def _add(self, count: int) -> None:
        fresh = [render(number, self.generation) for number in range(self._next, self._next + count)]
        self._next += count
        self.by_id |= {image.id: image for image in fresh}
        self.images = sorted(self.images + fresh)


class _Dice:
    """Chance that depends on nothing but its seed; ten times faster to make than ``random.Random``."""

    def __init__(self, seed: str) -> None:
        self.hex = blake2b(seed.encode()).hexdigest()
        self._rest = int(self.hex, 16)

    def below(self, bound: int) -> int:
        self._rest, number = divmod(self._rest, bound)
        return number

    def of(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]


def render(number: int, generation: int) -> Image:
    """One image as its last change, in that generation, left it (0: it never changed)."""
    dice = _Dice(f"image {number}")
    mark = dice.hex
    own = f"{mark[:8]}-{mark[8:12]}-{mark[12:16]}-{mark[16:20]}-{mark[20:32]}"
    created = dice.below(_AGES)
    updated = created + dice.below(86_400)
    if generation:
        updated = _AGES + generation * 3600 + number % 3600
    values = _values(own, dice) | {"created_at": _time(created), "updated_at": _time(updated)}
    if generation:
        _change(values, _Dice(f"image {number} in generation {generation}"), generation)
    return Image(created, number, own, updated, _encode(values))


def _values(own: str, dice: _Dice) -> dict[str, str | int | bool]:
    """All 30 fields but for what a change makes of them, in the order of the vendor's example."""
    platform, kind, version = dice.of(_SYSTEMS)
    visibility = dice.of(("private", "private", "private", "public"))
    return {
        "id": own,
        "name": f"{dice.of(_NAMES)}-{dice.below(10_000)}",
        "status": dice.of(_STATUSES),
        "disk_format": dice.of(("zvhd2", "zvhd2", "zvhd2", "qcow2", "raw")),
        "min_disk": 40 + 20 * dice.below(8),
        "min_ram": 1024 * dice.below(3),
        "owner": dice.of(_OWNERS),
        "protected": dice.below(9) == 0,
        "visibility": visibility,
        "created_at": "",
        "updated_at": "",
        "self": f"/v1/images/{own}",
        "deleted": False,
        "virtual_env_type": "FusionCompute",
        "deleted_at": "",
        "relation_job_id": dice.hex[32:64],
        "__imagetype": "gold" if visibility == "public" else "private",
        "__platform": platform,
        "__os_type": kind,
        "__os_version": version,
        "__isregistered": True,
        "__support_kvm": "true",
        "__support_kvm_gpu_type": dice.of(("V100_vGPU", "RTX5000")),
        "__support_kvm_ascend_310": dice.of(_TRUTHS),
        "__support_kvm_hi1822_hiovs": dice.of(_TRUTHS),
        "__support_arm": dice.of(_TRUTHS),
        "hw_firmware_type": dice.of(("bios", "uefi")),
        "data_source": f"instance:{dice.hex[64:96]}",
        "__support_gpu_t4": dice.of(_TRUTHS),
        "__support_amd": dice.of(_TRUTHS),
    }


def _change(values: dict[str, str | int | bool], dice: _Dice, generation: int) -> None:
    field = dice.of(("name", "min_disk", "status", "protected"))
    new: dict[str, str | int | bool] = {
        "name": f"{values['name']}-v{generation}",
        "min_disk": 40 + 20 * dice.below(49),
        "status": dice.of(("active", "queued", "saving", "killed")),
        "protected": not values["protected"],
    }
    values[field] = new[field]


def _as_glance(values: dict[str, Any]) -> dict[str, Any]:
    """An image with the fields of Glance, and some properties of users."""
    same = ("id", "name", "min_disk", "min_ram", "owner", "protected", "visibility", "created_at", "updated_at")
    mark = blake2b(values["id"].encode()).hexdigest()
    place = f"/v2/images/{values['id']}"
    return {name: values[name] for name in same} | {
        "status": "active",
        "disk_format": "qcow2",
        "container_format": "bare",
        "os_hidden": False,
        "size": int(mark[:8], 16),
        "virtual_size": None,
        "checksum": mark[:32],
        "os_hash_algo": "sha512",
        "os_hash_value": mark,
        "tags": [],
        "os_distro": values["__platform"].lower(),
        "os_version": values["__os_version"],
        "hw_disk_bus": "virtio",
        "hw_firmware_type": values["hw_firmware_type"],
        "self": place,
        "file": f"{place}/file",
        "schema": "/v2/schemas/image",
    }


def _as_ims(values: dict[str, Any]) -> dict[str, Any]:
    """An image with the fields of IMS."""
    gone = ("deleted", "deleted_at", "relation_job_id", "data_source", "__support_gpu_t4")
    kept = {
        name: value
        for name, value in values.items()
        if name not in gone and "1822" not in name and "ascend" not in name
    }
    return kept | {
        "__isregistered": "true",
        "__image_size": str(40 << 30),
        "__os_bit": "64",
        "__data_origin": "instance",
        "container_format": "bare",
        "enterprise_project_id": "0",
        "tags": [],
        "active_at": values["created_at"],
    }


_TRANSLATED = {"/v2/images": _as_glance, "/v2/cloudimages": _as_ims}


def _share(count: int, one_in: int) -> int:
    return max(1, count // one_in)


def _time(seconds: int) -> str:
    return (_START + timedelta(seconds=seconds)).isoformat() + "Z"
