"""How requests authenticate to the cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Credential(Protocol):
    """One way to authenticate requests; safe to use from several threads."""

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Headers that authenticate one request.

        Args:
            method: such as ``GET``.
            url: the whole URL, with its query.
        """

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Get new headers after a 401.

        Args:
            refused: the headers that were refused; another thread may have new ones already.

        Returns:
            Whether there are new headers to try.
        """

    def explain(self, date: str | None) -> str:
        """Another possible cause of a 401, judged by the server's ``Date``, or ""."""


class GivenToken:
    """A token that the user gives; it can't be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def headers(self, method: str, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for every request
        """The header ``X-Auth-Token``."""
        return {"X-Auth-Token": self._token}

    def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002 - there is only the one
        """Return False: there is no other token."""
        return False

    def explain(self, date: str | None) -> str:  # noqa: ARG002 - a token does not depend on the clock here
        """Return "": no other cause is known."""
        return ""
