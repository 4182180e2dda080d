"""The scope of credentials: the project whose images it lists, and the roles that decide how much it sees."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

_ADMIN = "admin"  # the role to which image services of OpenStack show the images of all projects


@dataclass(frozen=True, slots=True)
class Scope:
    """The project and the roles of credentials; part of what an inventory is about, like the filter.

    Attributes:
        project: id of the project; "" where the API lists the images of an account.
        roles: names of the roles in the project, sorted; () where that is not known.
        certain: whether the cloud itself says that the credentials are for this project, and not only the settings.
    """

    project: str = ""
    roles: tuple[str, ...] = ()
    certain: bool = True

    def text(self) -> str:
        """The canonical text, such as ``project=c1a5&roles=member,reader``; "" without a project."""
        parts = {"project": self.project, "roles": ",".join(sorted(set(self.roles)))}
        return urlencode({name: value for name, value in parts.items() if value}, safe=",")

    @property
    def sees_all(self) -> bool:
        """Whether it is an administrator's, who sees all projects' images."""
        return any(role.lower() == _ADMIN for role in self.roles)

    def owns(self, owner: str | None, *, admins_see_all: bool) -> bool:
        """Whether an image of this owner that is not found is gone, and not only no longer shared.

        Args:
            owner: id of the project that owns it; None if that is not known.
            admins_see_all: whether the API shows the images of all projects to an administrator.
        """
        if not self.project or (admins_see_all and self.sees_all):
            return True
        return self.certain and owner == self.project
