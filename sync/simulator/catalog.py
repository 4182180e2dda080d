"""Makes believable images: every field of the API, consistent with the others, all from one random source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from sync.domain.apis.iec import GPU_TYPES, IEC
from sync.simulator.systems import REGIONS, ROLES, SYSTEMS, VARIANTS, System

Document = dict[str, object]
"""One image as the API's JSON has it."""

FIRST_DAY = datetime(2019, 6, 1, tzinfo=UTC)
_ORDER = tuple(field.api for field in IEC.fields)
_SHARED_MOMENTS = 0.04  # share of images with the created_at of the one before, as of one batch
_LATENT = {"queued": 0.015, "saving": 0.01, "killed": 0.015}


def stamp(moment: datetime) -> str:
    """The moment as the API writes it, such as ``2020-12-30T03:23:29Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Catalog:
    """Makes any number of images; the same random source gives the same images in every process."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._owners = tuple(f"{rng.getrandbits(128):032x}" for _ in range(5))
        self._last = FIRST_DAY

    def moment(self, until: datetime) -> datetime:
        """A random moment of the past years, in whole seconds; sometimes the same as the last time."""
        if self._rng.random() >= _SHARED_MOMENTS:
            seconds = max(1, int((until - FIRST_DAY).total_seconds()))
            self._last = FIRST_DAY + timedelta(seconds=self._rng.randrange(seconds))
        return self._last

    def image(self, created: datetime, *, until: datetime, status: str | None = None) -> Document:
        """A new image in the API's JSON form; fields without a value are absent.

        Args:
            created: its ``created_at``.
            until: the present; ``updated_at`` lies between ``created_at`` and it.
            status: its status; None for a random one.
        """
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

    def name(self, created: datetime) -> str:
        """A user's name for an image made at this moment, such as ``web-frontend-2024.06``."""
        role, variant = self._rng.choice(ROLES), self._rng.choice(VARIANTS)
        return f"{role}{variant}-{created:%Y.%m}"

    def uuid(self) -> str:
        """A new id."""
        return str(UUID(int=self._rng.getrandbits(128), version=4))

    def _public_name(self, system: System, created: datetime) -> str:
        """The vendor's name for an image of this system."""
        return self._rng.choice(
            (system.version, f"{system.version}({system.disk}GB)", f"{system.version} {created:%Y%m}")
        )

    def _status(self, *, public: bool) -> str:
        dice = 1.0 if public else self._rng.random()
        for status, share in _LATENT.items():
            if dice < share:
                return status
            dice -= share
        return "active"

    def _updated(self, created: datetime, until: datetime) -> datetime:
        soon = created + timedelta(seconds=self._rng.randrange(30, 900))
        late = created + timedelta(seconds=self._rng.randrange(900, 20_000_000))
        return min(max(until, created), soon if self._rng.random() < 0.7 else late)  # noqa: PLR2004 - most stay as made

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
