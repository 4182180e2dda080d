"""Images of IMS: the documented fields in the shapes in which the service writes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from sync.domain.apis import IMS
from sync.simulator.catalog import Catalog, Document, stamp
from sync.simulator.systems import REGIONS, SYSTEMS, System
from sync.simulator.viewer import SHARED

_ORDER = tuple(field.api for field in IMS.fields)
_CHANCES = {  # share of the images that have the flag; the others leave it out
    "__support_kvm": 0.92,
    "__support_xen": 0.2,
    "__support_xen_hana": 0.01,
    "__support_diskintensive": 0.05,
    "__support_highperformance": 0.05,
    "__support_largememory": 0.1,
    "__support_kvm_infiniband": 0.02,
    "__support_kvm_hi1822_hisriov": 0.04,
    "__support_kvm_hi1822_hivirtionet": 0.03,
    "hw_vif_multiqueue_enabled": 0.4,
}
_TAGS = ("env.prod", "env.test", "team.billing", "team.web", "golden", "keep", "成本中心.1024")
_DESCRIPTIONS = ("", "", "base for the autumn release", "made by the nightly build", "请勿删除")
_LAZY = ("true", "false", "True", "False")  # the service writes both
_SETTINGS = {"os_shutdown_timeout": "90", "hw_vif_multiqueue_enabled": "true"}
_GIB = 2**30


class ImsCatalog(Catalog):
    """Makes images of IMS, most of them private, some gold, a few from the market."""

    shares: ClassVar = {
        "changed": 0.4,
        "created": 0.2,
        "hidden": 0.05,
        "shown": 0.05,
        "shared": 0.04,
        "unshared": 0.03,
        "property_set": 0.05,
        "property_removed": 0.03,
        "deleted": 0.15,
    }
    next_status: ClassVar = {"queued": "saving", "saving": "active"}
    foreign_images: ClassVar = True

    def image(self, created: datetime, *, until: datetime, status: str | None = None) -> Document:
        """A new image of the project, or one of the vendor's."""
        rng, system = self._rng, self._rng.choice(SYSTEMS)
        public = status is None and rng.random() < 0.12  # noqa: PLR2004 - about one image in eight is public
        status = status or rng.choices(("active", "queued", "saving", "killed"), (96, 1.5, 1, 1.5))[0]
        status = "active" if public else status
        values = self._basics(system, created, until, status) | self._abilities(system)
        values |= self._as_public(system, created) if public else self._as_private(created)
        return {api: values[api] for api in _ORDER if api in values}

    def foreign(self, created: datetime, *, until: datetime) -> Document:
        """An image of another project, as those see it whom it is shared with."""
        return super().foreign(created, until=until) | {
            "visibility": SHARED,
            "__imagetype": "shared",
            "__isregistered": "true",
        }

    def changed(self, document: Document, now: datetime) -> Document:
        """Finish an upload, rename, protect, enlarge, tag or describe the image."""
        new = self.next_status.get(str(document.get("status")))
        if new:
            change: Document = {"status": new, "__isregistered": _text(new == "active")}
            change |= {"active_at": stamp(now)} if new == "active" else {}
        else:
            kinds = (self._renamed, self._renamed, self._protected, self._enlarged, self._tagged, self._described)
            change = self._rng.choice(kinds)(document, now)
        return document | change | {"updated_at": stamp(now)}

    def is_hidden(self, document: Document) -> bool:
        """Whether it is not registered."""
        return document.get("__isregistered") == "false"

    def with_hidden(self, document: Document, now: datetime, *, hidden: bool) -> Document:
        """The image after it was unregistered, or registered again."""
        return document | {"__isregistered": _text(not hidden), "updated_at": stamp(now)}

    def some_property(self) -> tuple[str, str]:
        """A setting that users may add to an image."""
        return self._rng.choice(tuple(_SETTINGS.items()))

    def removable(self, document: Document) -> list[str]:
        """Those of the settings that it has."""
        return [name for name in _SETTINGS if name in document]

    def _basics(self, system: System, created: datetime, until: datetime, status: str) -> Document:
        rng, identity = self._rng, self.uuid()
        values: Document = {
            "id": identity,
            "name": self.name(created),
            "status": status,
            "disk_format": rng.choices(("zvhd2", "vhd", "zvhd", "qcow2", "raw"), (60, 20, 10, 6, 4))[0],
            "container_format": "bare",
            "min_disk": max(system.disk, rng.choice((40, 40, 40, 50, 60, 80, 100, 200, 500, 1024))),
            "min_ram": rng.choice((0, 0, 0, 0, 1024, 2048, 4096)),
            "created_at": stamp(created),
            "updated_at": stamp(self._updated(created, until)),
            "self": f"/v2/images/{identity}",
            "file": f"/v2/images/{identity}/file",
            "schema": "/v2/schemas/image",
            "size": 0,
            "checksum": "",
            "tags": rng.sample(_TAGS, rng.choice((0, 0, 0, 1, 2, 3))),
            "__image_size": str(rng.randrange(1, 40 * _GIB) if status == "active" else 0),
            "__image_source_type": "uds",
            "__isregistered": _text(status not in {"queued", "saving"}),
            "__platform": system.platform,
            "__os_type": system.os_type,
            "__os_version": system.version,
            "__os_bit": "64",
            "__system_support_market": rng.random() < 0.5,  # noqa: PLR2004 - a taste
        }
        if status == "active":
            values["active_at"] = stamp(min(until, created + timedelta(seconds=rng.randrange(10, 900))))
        return values

    def _as_public(self, system: System, created: datetime) -> Document:
        market = self._rng.random() < 0.1  # noqa: PLR2004 - a few come from the market
        product = {"__productcode": self.uuid(), "__account_code": f"hws.{self._rng.randrange(10**6)}"}
        return {
            "name": self._public_name(system, created),
            "owner": self._owners[0],
            "visibility": "public",
            "protected": True,
            "__imagetype": "market" if market else "gold",
            "__originalimagename": "",
            "__data_origin": "",
            "__image_displayname": system.version,
            "__is_offshelved": "false",
            "tags": [],
            **(product if market else {}),
        }

    def _as_private(self, created: datetime) -> Document:
        rng = self._rng
        file = rng.random() < 0.2  # noqa: PLR2004 - a taste
        region, bucket = rng.choice(REGIONS), rng.randrange(100)
        origin = f"file,{region}:images-{bucket}:{created:%Y%m%d}.qcow2" if file else f"instance,{self.uuid()}"
        values: Document = {
            "owner": self.project,
            "visibility": "private",
            "protected": rng.random() < 0.1,  # noqa: PLR2004 - some are protected
            "enterprise_project_id": rng.choice(("0", "0", "0", self._owners[1], self._owners[2])),
            "__imagetype": "private",
            "__description": rng.choice(_DESCRIPTIONS),
            "__originalimagename": "" if file else self.uuid(),
            "__data_origin": origin,
        }
        rare: Document = {
            "__root_origin": "file",
            "__system__cmkid": self.uuid(),
            "__backup_id": self.uuid(),
            "__sequence_num": "0",
            "os_shutdown_timeout": "120",
            "max_ram": "131072",
            "virtual_size": 0,
        }
        return values | {name: value for name, value in rare.items() if rng.random() < 0.08}  # noqa: PLR2004 - few

    def _abilities(self, system: System) -> Document:
        rng = self._rng
        values: Document = {name: "true" for name, chance in _CHANCES.items() if rng.random() < chance}
        values["virtual_env_type"] = rng.choices(("FusionCompute", "DataImage", "Ironic"), (92, 5, 3))[0]
        values["hw_firmware_type"] = "uefi" if system.arm else rng.choice(("bios", "bios", "uefi"))
        values |= {"__support_arm": "true"} if system.arm else {"__support_amd": rng.choice(("true", "false"))}
        some: Document = {
            "__support_kvm_gpu_type": rng.choice(("V100_vGPU", "RTX5000", "P2V")),
            "__support_xen_gpu_type": "M60_vGPU",
            "__support_fc_inject": "true",
            "__support_agent_list": rng.choice(("hss", "ces", "hss,ces")),
            "__os_feature_list": '{"onekey_resource_balance":"false"}',
            "__lazyloading": rng.choice(_LAZY),
        }
        return values | {name: value for name, value in some.items() if rng.random() < 0.2}  # noqa: PLR2004 - a taste

    def _tagged(self, document: Document, now: datetime) -> Document:  # noqa: ARG002 - one shape for all
        old = document.get("tags")
        new = self._rng.sample(_TAGS, self._rng.randrange(1, 4))
        return {"tags": [*new, "new"] if isinstance(old, list) and set(new) == set(old) else new}

    def _described(self, document: Document, now: datetime) -> Document:
        text = f"looked at on {now:%Y-%m-%d %H:%M:%S}"
        return {"__description": "" if document.get("__description") == text else text}


def _text(value: bool) -> str:  # noqa: FBT001 - the value itself
    return "true" if value else "false"
