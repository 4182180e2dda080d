"""The tokens of this process, by login: in memory, never on disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.cloud.auth.grant import NO_GRANT, Grant
from sync.cloud.auth.identity import LoginRequest
from sync.errors import UnauthorizedError
from sync.logs import protect

# The strictest policy locks a login after 3 failures within 60 minutes: a password that was refused is tried once in 30
# minutes, and only while no more than one was refused in the hour before.
REST = 30 * 60.0
WINDOW = 60 * 60.0


@dataclass(frozen=True, slots=True)
class Token:
    """A token and what it grants; ``life`` in seconds from its request, infinite if that is not known."""

    value: str = field(repr=False)
    requested: float
    life: float
    grant: Grant = NO_GRANT

    def left(self, now: float) -> float:
        """Seconds until it expires."""
        return self.requested + self.life - now


class Account:
    """The state of one login with one password.

    Args:
        login: who logs in, and what the tokens are for.
        clock: seconds, from any start.
        lock: held while the logs learn of a token.
        refusals: when a password of this user was refused, whichever it was; shared by all of the user's accounts.

    Attributes:
        clock: seconds, from any start.
        turn: a lock held during a login, so that one login serves all threads.
        token: the latest, or None.
    """

    def __init__(
        self, login: LoginRequest, clock: Callable[[], float], lock: threading.Lock, refusals: list[float]
    ) -> None:
        self._secret_setting = login.identity.secret_setting
        self.clock, self.turn = clock, threading.Lock()
        self.token: Token | None = None
        self._lock, self._refusals = lock, refusals
        self._refused: float | None = None
        self._request_id: str | None = None

    def keep(self, token: Token) -> Token:
        """Use this token from now on, and have the logs mask it."""
        with self._lock:
            protect(token.value)
        self.token, self._refused = token, None
        self._refusals.clear()
        return token

    def refused(self, request_id: str | None) -> None:
        """Remember that the identity service refused the login just now, and the id of that request."""
        self._refused, self._request_id = self.clock(), request_id
        self._refusals.append(self._refused)

    def check(self) -> None:
        """Make sure that the login was not refused in the last half hour, nor two of this user's in the last hour.

        A password that was never tried is tried: a person has written it.

        Raises:
            UnauthorizedError: it was, and another try so soon may lock it.
        """
        if self._refused is None:
            return
        now = self.clock()
        before = self._refusals[-2] if len(self._refusals) > 1 else -WINDOW
        wait = max(self._refused + REST, before + WINDOW) - now
        if wait > 0:
            raise UnauthorizedError(
                f"the identity service refused this login {(now - self._refused) / 60:.0f} minutes ago; the next try "
                f"is in {wait / 60:.0f} minutes, since wrong passwords lock a login; to try at once, fix the settings "
                f"and restart, or write another secret to the file of `{self._secret_setting}_file`",
                request_id=self._request_id,
            )


class TokenCache:
    """The accounts of one process, shared by its runs.

    Args:
        clock: seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._accounts: dict[LoginRequest, Account] = {}
        self._refusals: dict[tuple[object, ...], list[float]] = {}

    def account(self, login: LoginRequest) -> Account:
        """The state of this login."""
        with self._lock:
            refusals = self._refusals.setdefault((login.endpoint, *login.identity.account), [])
            return self._accounts.setdefault(login, Account(login, self._clock, self._lock, refusals))
