"""The tokens of this process, by who they were given to: in memory, never on disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.errors import UnauthorizedError
from sync.logs import protect

# The strictest policy locks a login after 3 failures within 60 minutes; one of ours in 30 minutes never gets there.
REST = 30 * 60.0


@dataclass(frozen=True, slots=True)
class IamUser:
    """Who asks for a token, and for what: the project if one is named, else the whole domain."""

    endpoint: str
    name: str
    password: str = field(repr=False)
    domain: str
    project: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token; ``life`` in seconds from the moment it was asked for, infinite where that is not known."""

    value: str = field(repr=False)
    asked: float
    life: float

    def left(self, now: float) -> float:
        """Seconds it has to live."""
        return self.asked + self.life - now


class Account:
    """What is known of one user.

    Attributes:
        clock: seconds, from any start.
        turn: held by whoever logs in, so that one login serves all.
        token: the latest, or None.
    """

    def __init__(self, clock: Callable[[], float], lock: threading.Lock) -> None:
        self.clock, self.turn = clock, threading.Lock()
        self.token: Token | None = None
        self._lock = lock
        self._refused: float | None = None
        self._request_id: str | None = None

    def keep(self, token: Token) -> Token:
        """Give this token to all from now on, and have the logs mask it."""
        with self._lock:
            protect(token.value)
        self.token, self._refused = token, None
        return token

    def refused(self, request_id: str | None) -> None:
        """Remember that the identity service refused the login just now, and to which request it said so."""
        self._refused, self._request_id = self.clock(), request_id

    def check(self) -> None:
        """See that the login was not refused a short while ago.

        Raises:
            UnauthorizedError: it was, and asking again so soon may lock it.
        """
        ago = REST if self._refused is None else self.clock() - self._refused
        if ago < REST:
            raise UnauthorizedError(
                f"the identity service refused this login {ago / 60:.0f} minutes ago; it is asked again in "
                f"{(REST - ago) / 60:.0f} minutes, since wrong passwords lock a login; mend it and start afresh",
                request_id=self._request_id,
            )


class TokenCache:
    """The accounts of one process, shared by its runs.

    Args:
        clock: seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._accounts: dict[IamUser, Account] = {}

    def account(self, user: IamUser) -> Account:
        """What is known of this user."""
        with self._lock:
            return self._accounts.setdefault(user, Account(self._clock, self._lock))
