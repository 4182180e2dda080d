"""Those who ask for images, and which images they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

PROJECT = "2" * 32
ROLES = ("member", "reader")
ADMIN_ROLES = ("admin", *ROLES)
PUBLIC, COMMUNITY, SHARED = "public", "community", "shared"
ACCEPTED, PENDING, REJECTED = "accepted", "pending", "rejected"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The scope of a token: a project, and the roles in it.

    Attributes:
        project: id of the project.
        roles: names of the roles.
    """

    project: str = PROJECT
    roles: tuple[str, ...] = ROLES

    @property
    def admin(self) -> bool:
        """Whether it sees the images of all projects."""
        return "admin" in self.roles


class Owned(Protocol):
    """An image, as far as it matters for who sees it."""

    @property
    def owner(self) -> str | None:
        """Id of the project that owns it; None if that cannot be read."""

    @property
    def visibility(self) -> str | None:
        """Return the visibility of an image; None if it cannot be read."""

    @property
    def members(self) -> tuple[tuple[str, str], ...]:
        """The projects that it is shared with, each with the state of that."""


def sees(image: Owned, viewer: Viewer | None) -> bool:
    """Whether the image is shown to those who ask for its id; None sees everything."""
    return (
        viewer is None
        or viewer.admin
        or image.visibility in {None, PUBLIC, COMMUNITY}
        or image.owner in {None, viewer.project}
        or (image.visibility == SHARED and viewer.project in dict(image.members))
    )


def lists(image: Owned, viewer: Viewer | None, visibility: str = "", member_status: str = ACCEPTED) -> bool:
    """Whether the image is in the list.

    Args:
        image: the image.
        viewer: the project that asks; None sees everything.
        visibility: the parameter of this name, or "".
        member_status: the state of shared images; "all" for any.
    """
    named = not visibility or visibility in ("all", image.visibility)
    if viewer is None or image.owner == viewer.project or image.owner is None or image.visibility is None:
        return named
    if not named or (image.visibility == COMMUNITY and not visibility):
        return False
    if viewer.admin or image.visibility in (PUBLIC, COMMUNITY):
        return True
    status = dict(image.members).get(viewer.project) if image.visibility == SHARED else None
    return status is not None and member_status in ("all", status)
