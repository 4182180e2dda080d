"""The tokens of this process, by login: in memory, never on disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.cloud.auth.grant import NO_GRANT, Grant
from sync.cloud.auth.identity import Application, LoginRequest, User
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


@dataclass(slots=True)
class Refusals:
    """The state that all logins of one user or application credential share, whatever the project and the secret.

    Attributes:
        turn: a lock held during a login, so that one login serves all threads, and the next notices a wrong secret.
        latest: when a secret was refused since the last good login, and as whom.
    """

    turn: threading.Lock = field(default_factory=threading.Lock)
    latest: list[tuple[float, User | Application]] = field(default_factory=list)


class Account:
    """The state of one login with one password.

    Args:
        login: who logs in, and what the tokens are for.
        clock: seconds, from any start.
        lock: held while the logs learn of a token.
        refusals: those of this user, shared by all of the user's accounts.

    Attributes:
        clock: seconds, from any start.
        turn: see ``Refusals``.
        token: the latest, or None.
    """

    def __init__(
        self, login: LoginRequest, clock: Callable[[], float], lock: threading.Lock, refusals: Refusals
    ) -> None:
        self._identity = login.identity
        self.clock, self.turn = clock, refusals.turn
        self.token: Token | None = None
        self._lock, self._refusals = lock, refusals.latest
        self._refused: float | None = None
        self._request_id: str | None = None

    def keep(self, token: Token) -> Token:
        """Use this token from now on, and have the logs mask it."""
        with self._lock:
            protect(token.value)
        self.token, self._refused = token, None
        self.prove()
        return token

    def prove(self) -> None:
        """Remember that the secret is right, whatever it was refused for."""
        self._refusals.clear()

    def refused(self, request_id: str | None) -> None:
        """Remember that the identity service refused the login just now, and the id of that request."""
        self._refused, self._request_id = self.clock(), request_id
        self._refusals.append((self._refused, self._identity))

    def in_doubt(self) -> bool:
        """Whether the secret was refused for another project: it may be wrong, or the user has no role there."""
        return self._refused is None and bool(self._same())

    def check(self) -> None:
        """Make sure that the login was not refused in the last half hour, nor two of this user's in the last hour.

        A password that was never tried is tried: a person has written it.

        Raises:
            UnauthorizedError: it was, and another try so soon may lock it.
        """
        now, same = self.clock(), self._same()
        if self._refused is not None:
            before = self._refusals[-2][0] if len(self._refusals) > 1 else -WINDOW
            since, until = self._refused, max(self._refused + REST, before + WINDOW)
        elif len(same) > 1:
            since, until = same[-1], same[-2] + WINDOW
        else:
            return
        if until > now:
            raise UnauthorizedError(
                f"the identity service refused this login {(now - since) / 60:.0f} minutes ago; the next try "
                f"is in {(until - now) / 60:.0f} minutes, since wrong passwords lock a login; to try at once, fix the "
                f"settings and restart, or write another secret to the file of `{self._identity.secret_setting}_file`",
                request_id=self._request_id,
            )

    def _same(self) -> list[float]:
        """When this very secret was refused in the last hour."""
        now = self.clock()
        return [when for when, identity in self._refusals if identity == self._identity and now - when < WINDOW]


class TokenCache:
    """The accounts of one process, shared by its runs.

    Args:
        clock: seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._accounts: dict[LoginRequest, Account] = {}
        self._refusals: dict[tuple[object, ...], Refusals] = {}

    def account(self, login: LoginRequest) -> Account:
        """The state of this login."""
        with self._lock:
            refusals = self._refusals.setdefault((login.endpoint, *login.identity.account), Refusals())
            return self._accounts.setdefault(login, Account(login, self._clock, self._lock, refusals))
