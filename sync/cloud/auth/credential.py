"""How requests authenticate to the cloud."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from sync import logs
from sync.cloud.auth.grant import Grant, check_same
from sync.domain.scope import Scope
from sync.errors import RejectedError, UnauthorizedError
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

    def grant(self, *, anew: bool = False) -> Grant:
        """Return the grant of the credentials; may log in, or ask the identity service.

        Args:
            anew: what they grant now, rather than what they did in an earlier run.

        Raises:
            CloudError, DeadlineError, InterruptedRunError: it can't be found out.
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
        project_id: id of its project, as the user says; "" if it is not known.
        look_up: asks the identity service what a token grants; None if that is not possible.
    """

    def __init__(self, token: Secret, project_id: str = "", look_up: Callable[[str], Grant] | None = None) -> None:
        self._token, self._project_id, self._look_up = token, project_id, look_up
        self._value = token.reveal()  # this run's; another one is taken only when it is known to be for the same list
        self._grants: dict[str, Grant] = {}  # by token
        self._renewed = False
        self._lock = threading.Lock()

    def headers(self, method: str, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for every request
        """The header ``X-Auth-Token``."""
        return {_HEADER: self._value}

    def grant(self, *, anew: bool = False) -> Grant:  # noqa: ARG002 - every run asks for itself
        """Return the token's grant: from the identity service if it can be asked, else from the settings."""
        if self._look_up is None:
            return Grant(Scope(self._project_id, certain=False) if self._project_id else None)
        token = self._value
        try:
            return self._look(token, self._look_up)
        except UnauthorizedError:
            if not self.renew({_HEADER: token}):
                raise
            return self._look(self._value, self._look_up)

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Read the token's file again, once in a run; another thread or run may have done so already."""
        with self._lock:
            if self._value != refused.get(_HEADER):
                return True
            if self._token.reveal() == self._value:
                if self._renewed or not read_again(self._token):
                    return False
                self._renewed = True
            token = self._token.reveal()
            if self._look_up is not None and self._grants:
                self._look(token, self._look_up)
            self._value = token
            return True

    def _look(self, token: str, look_up: Callable[[str], Grant]) -> Grant:
        """Look up a token's grant; it must match the settings and the grant of the run's first token."""
        if token in self._grants:
            return self._grants[token]
        grant = look_up(token)
        project = grant.scope.project if grant.scope else ""
        if project and self._project_id and project != self._project_id:
            raise RejectedError(f"the token is for the project {project}, not for project_id {self._project_id}")
        for first in self._grants.values():
            check_same(first.scope, grant.scope)
        self._grants[token] = grant
        return grant

    def explain(self, date: str | None) -> str:  # noqa: ARG002 - a token does not depend on the clock here
        """Say that a new token was tried, too."""
        return "the new token from its file is refused, too" if self._renewed else ""
