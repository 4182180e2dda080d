"""Tokens that the job requests itself, with a password or an application credential: rarely, and never in a loop.

A token is kept for all runs of the process and renewed before it runs out. A run logs in at most twice, whatever the
cloud answers; a refused login is not tried again for half an hour. A secret that is refused is read again from its
file: another one is the run's one new login.

Many sources may be one user's, for a project each, and a refusal doesn't say whether the password or the project is
wrong. So a user's logins take turns, and after one was refused the next one begins with a login without a project: if
that is refused, too, no further project is tried with this password, since a few wrong ones lock the user.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from sync import logs
from sync.cloud.auth.grant import Grant, check_same
from sync.cloud.auth.identity import LoginRequest
from sync.cloud.auth.login import log_in
from sync.cloud.auth.token import Token, TokenCache
from sync.cloud.retry import RetryPolicy
from sync.domain.scope import Scope
from sync.errors import CloudError, ForbiddenError, RejectedError, UnauthorizedError

T = TypeVar("T")
MOST_LOGINS = 2  # of one run
REFUSED = (UnauthorizedError, ForbiddenError)
_log = logs.get(__name__)
_HEADER = "X-Auth-Token"
_MARGIN = 60.0  # seconds a token should outlive the run's deadline
_SHORT = 0.1  # of its life: the margin of a token that lives too short for _MARGIN
_TICK = 0.2  # seconds between two looks at the deadline while another thread logs in


class IamToken:
    """The token of one run; safe to use from several threads.

    Args:
        login: who logs in, and what the tokens are for.
        cache: the tokens of the process, for all its runs.
        policy: the retry policy of the run.
        timeout: seconds for connecting, and for each read.
        newer: reads the secret's file again, and returns the login with another one; None if there is none.
        one_scope: whether all tokens of the run must be for the same project, with the same roles.
    """

    def __init__(
        self,
        login: LoginRequest,
        cache: TokenCache,
        policy: RetryPolicy,
        *,
        timeout: float = 30.0,
        newer: Callable[[], LoginRequest | None] = lambda: None,
        one_scope: bool = False,
    ) -> None:
        self._login, self._cache, self._account = login, cache, cache.account(login)
        self._policy, self._timeout, self._newer = policy, timeout, newer
        self._lock = threading.Lock()  # of the threads of this run
        self._logins = 0
        self._changed = False
        self._failed: CloudError | None = None
        self._one_scope = one_scope
        self._scopes: dict[bool, Scope | None] = {}  # at most that of the run's first token

    def headers(self, method: str, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for every request
        """The header ``X-Auth-Token``, after a login if one is needed.

        Raises:
            CloudError, DeadlineError, InterruptedRunError: the login failed.
        """
        return {_HEADER: self._current().value}

    def grant(self, *, anew: bool = False) -> Grant:
        """Return the token's grant, after a login if one is needed.

        Args:
            anew: log in for it, unless this run did so; a token of an earlier run may be a day old.

        Raises:
            CloudError, DeadlineError, InterruptedRunError: the login failed.
        """
        if anew and not self._logins:
            self.renew({_HEADER: self._current().value})
        return self._current().grant

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Log in again, unless another thread did so, or the run did so twice.

        Raises:
            CloudError, DeadlineError, InterruptedRunError: the login failed.
        """

        def log_in() -> bool:
            token = self._account.token
            if token is not None and token.value != refused.get(_HEADER):
                return True
            if self._logins == MOST_LOGINS:
                return False
            self._log_in()
            return True

        return self._in_turn(log_in)

    def explain(self, date: str | None) -> str:  # noqa: ARG002 - a token does not depend on the clock here
        """Say that the run may not log in once more, and how long its tokens live."""
        token = self._account.token
        if token is None or self._logins < MOST_LOGINS:
            return ""
        life = f"; its last token was given for {token.life:g} s" if math.isfinite(token.life) else ""
        return f"the run logged in {MOST_LOGINS} times, which is the most that it may{life}"

    def _current(self) -> Token:
        """The token for the next request; it may be one that another run of this login has requested."""
        token = self._account.token
        if token is None or not self._lasts(token):
            token = self._in_turn(self._best)
        if self._one_scope:
            check_same(self._scopes.setdefault(True, token.grant.scope), token.grant.scope)
        return token

    def _in_turn(self, work: Callable[[], T]) -> T:
        """Do what may log in, one thread at a time; if the login is refused, once more with another secret."""
        with self._locked(self._lock):
            try:
                with self._locked(self._account.turn):
                    return work()
            except REFUSED:
                if not self._change_secret():
                    raise
            with self._locked(self._account.turn):
                return work()

    def _change_secret(self) -> bool:
        """Go on with the secret that the file holds by now, if it is another one; once in a run."""
        login = None if self._changed else self._newer()
        if login is None:
            return False
        self._logins = MOST_LOGINS - 1  # one new login
        self._login, self._account = login, self._cache.account(login)
        self._failed, self._changed = None, True
        return True

    def _best(self) -> Token:
        """The best token available; called by one thread at a time."""
        token = self._account.token
        if token is None:
            return self._log_in()
        if self._lasts(token) or self._logins == MOST_LOGINS:
            return token
        if token.left(self._account.clock()) <= 0:
            return self._log_in()
        return token if self._logins else self._log_in_early(token)

    def _lasts(self, token: Token) -> bool:
        """Whether a token outlives the run, or is at least not near its end."""
        margin = min(self._policy.remaining() + _MARGIN, token.life * _SHORT)
        return token.left(self._account.clock()) >= margin

    def _log_in(self) -> Token:
        """Log in, under the retry policy; a login that failed once has failed for the whole run."""
        if self._failed is not None:
            raise self._failed
        try:
            return self._policy.call(self._ask)
        except CloudError as error:
            self._failed = error
            raise
        finally:
            self._logins += 1

    def _log_in_early(self, token: Token) -> Token:
        """Log in while the old token is still valid: one try, since the run can go on with the old one."""
        self._logins += 1
        try:
            return self._ask()
        except CloudError as error:
            _log.warning("early login failed", reason=str(error), **error.facts())
            if isinstance(error, REFUSED):
                self._change_secret()  # for the next request
            return token

    def _ask(self) -> Token:
        self._account.check()
        if self._account.in_doubt():
            with suppress(RejectedError):  # by a service that knows no login without a scope
                self._request(replace(self._login, scope=None, with_catalog=False))
                self._account.prove()
        token = self._request(self._login)
        _log.debug("logged in", seconds_to_live=round(token.life) if math.isfinite(token.life) else None)
        return self._account.keep(token)

    def _request(self, login: LoginRequest) -> Token:
        what = login.identity.secret_setting.rpartition("_")[2]
        hint = f"the new {what} from its file is refused, too" if self._changed else ""
        try:
            return log_in(login, self._policy, timeout=self._timeout, clock=self._account.clock, hint=hint)
        except REFUSED as error:
            self._account.refused(error.request_id)
            raise

    @contextmanager
    def _locked(self, lock: threading.Lock) -> Iterator[None]:
        while not lock.acquire(timeout=_TICK):
            self._policy.remaining()
        try:
            yield
        finally:
            lock.release()
