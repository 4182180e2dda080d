"""How requests authenticate to the cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Credential(Protocol):
    """One way to prove who asks; may be used by several threads."""

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Headers that prove it for one request.

        Args:
            method: such as ``GET``.
            url: the whole URL, with its query.
        """

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Get other proof after a 401.

        Args:
            refused: the headers that were refused; another thread may have got new ones meanwhile.

        Returns:
            whether there is other proof to try; False if there is none to be had.
        """

    def explain(self, date: str | None) -> str:
        """What else may be the cause of a 401, from the server's ``Date``; "" if nothing is."""


class GivenToken:
    """A token that the user gives; it can't be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def headers(self, method: str, url: str) -> Mapping[str, str]:  # noqa: ARG002 - every request bears the same
        """Give ``X-Auth-Token``."""
        return {"X-Auth-Token": self._token}

    def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002 - there is only the one
        """There is only the one."""
        return False

    def explain(self, date: str | None) -> str:  # noqa: ARG002 - a token does not depend on the clock here
        """Nothing more is known."""
        return ""
