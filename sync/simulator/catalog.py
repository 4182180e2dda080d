"""Believable images of one API, all from one random source, and the changes that people and the cloud make to them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import ClassVar
from uuid import UUID

from sync.errors import UsageError
from sync.simulator.systems import ROLES, VARIANTS, System
from sync.simulator.viewer import PROJECT

Document = dict[str, object]
"""One image as the API's JSON has it."""

FIRST_DAY = datetime(2019, 6, 1, tzinfo=UTC)
_SHARED_MOMENTS = 0.04  # share of images with the created_at of the one before, as of one batch
_LARGEST_DISK = 1024  # GB, by the vendor's document


def stamp(moment: datetime) -> str:
    """The moment as the API writes it, such as ``2020-12-30T03:23:29Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Catalog(ABC):
    """Makes any number of images; the same random source gives the same images in every process.

    Attributes:
        shares: what a believable day consists of: for each kind of event its share of the images touched. Images are
            hidden, shared or deactivated only where such an event is among them.
        next_status: how an upload goes on.
        foreign_images: whether images of other projects can be shared.

    Args:
        rng: decides everything.
        project: id of the project whose images these are.
    """

    shares: ClassVar[Mapping[str, float]]
    next_status: ClassVar[Mapping[str, str]]
    foreign_images: ClassVar[bool] = False

    def __init__(self, rng: Random, project: str = PROJECT) -> None:
        self.project = project
        self._rng = rng
        self._owners = tuple(f"{rng.getrandbits(128):032x}" for _ in range(5))
        self._last = FIRST_DAY

    @abstractmethod
    def image(self, created: datetime, *, until: datetime, status: str | None = None) -> Document:
        """A new image in the API's JSON form.

        Args:
            created: its ``created_at``.
            until: the present; ``updated_at`` lies between ``created_at`` and it.
            status: its status; None for a random one.
        """

    def foreign(self, created: datetime, *, until: datetime) -> Document:
        """An image of another project, which may be shared with this one."""
        return self.image(created, until=until, status="active") | {"owner": self._rng.choice(self._owners[1:])}

    @abstractmethod
    def changed(self, document: Document, now: datetime) -> Document:
        """The image after one believable change at this moment."""

    def deleted(self, document: Document, now: datetime) -> Document:
        """The image as the cloud keeps it after its deletion."""
        return document | {"status": "deleted", "updated_at": stamp(now)}

    def restored(self, document: Document, now: datetime) -> Document:
        """The deleted image as it was brought back at this moment."""
        return document | {"status": "active", "updated_at": stamp(now)}

    def is_hidden(self, document: Document) -> bool:  # noqa: ARG002 - most have no such images
        """Whether the usual list leaves it out."""
        return False

    def with_hidden(self, document: Document, now: datetime, *, hidden: bool) -> Document:  # noqa: ARG002
        """The image after it was hidden from the usual list, or shown in it again; the same where none are hidden."""
        return document

    def with_active(self, document: Document, now: datetime, *, active: bool) -> Document:  # noqa: ARG002
        """The image after it was deactivated, or activated again; the same where none are deactivated."""
        return document

    def with_property(self, document: Document, now: datetime, name: str, value: object) -> Document:
        """The image with this value of a field or property; None removes it."""
        rest = {field: old for field, old in document.items() if field != name}
        return {**rest, **({} if value is None else {name: value}), "updated_at": stamp(now)}

    def some_property(self) -> tuple[str, str]:
        """Name and value of a property that users set.

        Raises:
            UsageError: the API has none.
        """
        raise UsageError("This API has no properties that users set: name the field.")

    def removable(self, document: Document) -> list[str]:  # noqa: ARG002 - most have none
        """The properties of an image that users may remove."""
        return []

    def fraction(self, identity: str) -> int:  # noqa: ARG002 - most keep whole seconds
        """Microseconds by which the image was created after the second that its document shows."""
        return 0

    def moment(self, until: datetime) -> datetime:
        """A random moment of the past years, in whole seconds; sometimes the same as the last time."""
        if self._rng.random() >= _SHARED_MOMENTS:
            seconds = max(1, int((until - FIRST_DAY).total_seconds()))
            self._last = FIRST_DAY + timedelta(seconds=self._rng.randrange(seconds))
        return self._last

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

    def _updated(self, created: datetime, until: datetime) -> datetime:
        soon = created + timedelta(seconds=self._rng.randrange(30, 900))
        late = created + timedelta(seconds=self._rng.randrange(900, 20_000_000))
        return min(max(until, created), soon if self._rng.random() < 0.7 else late)  # noqa: PLR2004 - most stay as made

    def _renamed(self, document: Document, now: datetime) -> Document:
        name = self.name(now)
        return {"name": f"{name}-v2" if name == document.get("name") else name}

    def _protected(self, document: Document, now: datetime) -> Document:  # noqa: ARG002 - one shape for all
        return {"protected": not document.get("protected")}

    def _enlarged(self, document: Document, now: datetime) -> Document:
        disk = document.get("min_disk")
        if not isinstance(disk, int) or disk >= _LARGEST_DISK:
            return self._renamed(document, now)
        return {"min_disk": min(_LARGEST_DISK, max(disk, 1) * 2)}
