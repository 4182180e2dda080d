"""Images of IEC: every field of the API, consistent with the others."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sync.domain.apis.iec import GPU_TYPES, IEC
from sync.simulator.catalog import Catalog, Document, stamp
from sync.simulator.systems import REGIONS, SYSTEMS, System

_ORDER = tuple(field.api for field in IEC.fields)
_LATENT = {"queued": 0.015, "saving": 0.01, "killed": 0.015}


class IecCatalog(Catalog):
    """Makes images of IEC; fields without a value are absent."""

    shares: ClassVar = {"changed": 0.5, "created": 0.25, "restored": 0.05, "deleted": 0.2}
    next_status: ClassVar = {"queued": "saving", "saving": "active"}

    def image(self, created: datetime, *, until: datetime, status: str | None = None) -> Document:
        """A new image."""
        rng, system = self._rng, self._rng.choice(SYSTEMS)
        identity, public = self.uuid(), rng.random() < 0.12  # noqa: PLR2004 - about one image in eight is public
        status = status or self._status(public=public)
        updated = self._updated(created, until)
        values: Document = {
            "id": identity,
            "name": self._public_name(system, created) if public else self.name(created),
            "status": status,
            "disk_format": rng.choices(("zvhd2", "zvhd", "qcow2", "raw"), (80, 10, 6, 4))[0],
            "min_disk": max(system.disk, rng.choice((40, 40, 40, 50, 60, 80, 100, 200, 500, 1024))),
            "min_ram": rng.choice((0, 0, 0, 0, 1024, 2048, 4096)),
            "owner": self._owners[0] if public else rng.choice(self._owners[1:]),
            "protected": public or rng.random() < 0.1,  # noqa: PLR2004 - some private ones are protected too
            "visibility": "public" if public else "private",
            "created_at": stamp(created),
            "updated_at": stamp(updated),
            "self": f"/v1/self/{identity}",
            "deleted": False,
            "deleted_at": "",
            "__imagetype": "gold" if public else "private",
            "__platform": system.platform,
            "__os_type": system.os_type,
            "__os_version": system.version,
            "__isregistered": status not in {"queued", "saving"},
        }
        values |= self._abilities(system) | self._origin(public=public)
        return {api: values[api] for api in _ORDER if api in values}

    def changed(self, document: Document, now: datetime) -> Document:
        """Finish an upload, rename, protect, enlarge or publish the image."""
        new = self.next_status.get(str(document.get("status")))
        if new:
            change: Document = {"status": new, "__isregistered": new == "active"}
        else:
            kinds = (self._renamed, self._protected, self._enlarged, self._renamed, self._published)
            change = self._rng.choice(kinds)(document, now)
        return document | change | {"updated_at": stamp(now)}

    def deleted(self, document: Document, now: datetime) -> Document:
        """Mark the image as deleted."""
        return super().deleted(document, now) | {"deleted": True, "deleted_at": stamp(now)}

    def restored(self, document: Document, now: datetime) -> Document:
        """Take the mark away."""
        return super().restored(document, now) | {"deleted": False, "deleted_at": ""}

    def _status(self, *, public: bool) -> str:
        dice = 1.0 if public else self._rng.random()
        for status, share in _LATENT.items():
            if dice < share:
                return status
            dice -= share
        return "active"

    def _abilities(self, system: System) -> Document:
        rng = self._rng
        values: Document = {}
        if rng.random() < 0.97:  # noqa: PLR2004 - nearly all are system disks
            values["virtual_env_type"] = "FusionCompute"
        if system.arm:
            return values | {"__support_arm": "true", "hw_firmware_type": "uefi", "__support_kvm": "true"}
        chances = {"kvm": 0.9, "gpu_t4": 0.04, "kvm_ascend_310": 0.02, "kvm_hi1822_hiovs": 0.05}
        values |= {f"__support_{name}": "true" for name, chance in chances.items() if rng.random() < chance}
        if rng.random() < 0.03:  # noqa: PLR2004 - few have a GPU
            values["__support_kvm_gpu_type"] = rng.choice(GPU_TYPES)
        values |= {"__support_amd": amd} if (amd := rng.choice(("true", "false", "false", ""))) else {}
        values |= {"hw_firmware_type": boot} if (boot := rng.choice(("bios", "bios", "uefi", ""))) else {}
        return values

    def _origin(self, *, public: bool) -> Document:
        if public:
            return {}
        imported = self._rng.random() < 0.3  # noqa: PLR2004 - a taste
        source = f"ims:{self.uuid()}:{self._rng.choice(REGIONS)}" if imported else f"instance:{self.uuid()}"
        origin: Document = {"data_source": source}
        return origin | ({"relation_job_id": self.uuid()} if self._rng.random() < 0.6 else {})  # noqa: PLR2004 - a taste

    def _published(self, document: Document, now: datetime) -> Document:
        if document.get("visibility") == "public":
            return self._protected(document, now)
        return {"visibility": "public", "__imagetype": "gold", "protected": True}
