"""How requests authenticate to the cloud."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol

from sync import logs
from sync.settings import Secret

_HEADER = "X-Auth-Token"


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


def read_again(*secrets: Secret) -> bool:
    """Read the files of secrets again that were refused, all of them, as they belong together; logs mask new values.

    Returns:
        Whether a file holds another value by now; the same one is never sent again.
    """
    changed = [secret.read_again() for secret in secrets]
    for secret in secrets:
        logs.protect(secret.reveal())
    return any(changed)


class GivenToken:
    """A token that the user gives; if it came from a file, that file may hold a new one by now.

    Args:
        token: the token; all runs of the process share it.
    """

    def __init__(self, token: Secret) -> None:
        self._token = token
        self._renewed = False
        self._lock = threading.Lock()

    def headers(self, method: str, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for every request
        """The header ``X-Auth-Token``."""
        return {_HEADER: self._token.reveal()}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Read the token's file again, once in a run; another thread may have done so already."""
        with self._lock:
            if self._token.reveal() != refused.get(_HEADER):
                return True
            if self._renewed or not read_again(self._token):
                return False
            self._renewed = True
            return True

    def explain(self, date: str | None) -> str:  # noqa: ARG002 - a token does not depend on the clock here
        """Say that a new token was tried, too."""
        return "the new token from its file is refused, too" if self._renewed else ""
