"""Tokens that the job requests itself, with a user's password: rarely, and never in a loop.

A token is kept for all runs of the process and renewed before it runs out. A run logs in at most twice, whatever the
cloud answers; a refused login is not tried again for half an hour.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sync import logs
from sync.cloud.auth.login import log_in
from sync.cloud.auth.token import IamUser, Token, TokenCache
from sync.cloud.retry import RetryPolicy
from sync.errors import CloudError, ForbiddenError, UnauthorizedError

MOST_LOGINS = 2  # of one run
_log = logs.get(__name__)
_HEADER = "X-Auth-Token"
_MARGIN = 60.0  # seconds a token should outlive the run's deadline
_SHORT = 0.1  # of its life: the margin of a token that lives too short for _MARGIN
_TICK = 0.2  # seconds between two looks at the deadline while another thread logs in


class IamToken:
    """The token of one run; safe to use from several threads.

    Args:
        user: the user who logs in.
        cache: the tokens of the process, for all its runs.
        policy: the retry policy of the run.
        timeout: seconds for connecting, and for each read.
    """

    def __init__(self, user: IamUser, cache: TokenCache, policy: RetryPolicy, *, timeout: float = 30.0) -> None:
        self._user, self._account = user, cache.account(user)
        self._policy, self._timeout = policy, timeout
        self._logins = 0
        self._failed: CloudError | None = None

    def headers(self, method: str, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the same for every request
        """The header ``X-Auth-Token``, after a login if one is needed.

        Raises:
            CloudError, DeadlineError, InterruptedRunError: the login failed.
        """
        token = self._account.token
        if token is None or not self._lasts(token):
            with self._turn():
                token = self._best()
        return {_HEADER: token.value}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Log in again, unless another thread did so, or the run did so twice.

        Raises:
            CloudError, DeadlineError, InterruptedRunError: the login failed.
        """
        with self._turn():
            token = self._account.token
            if token is not None and token.value != refused.get(_HEADER):
                return True
            if self._logins == MOST_LOGINS:
                return False
            self._log_in()
            return True

    def explain(self, date: str | None) -> str:  # noqa: ARG002 - a token does not depend on the clock here
        """Say that the run may not log in once more, and how long its tokens live."""
        token = self._account.token
        if token is None or self._logins < MOST_LOGINS:
            return ""
        life = f"; its last token was given for {token.life:g} s" if math.isfinite(token.life) else ""
        return f"the run logged in {MOST_LOGINS} times, which is the most that it may{life}"

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
            return token

    def _ask(self) -> Token:
        self._account.check()
        try:
            token = log_in(self._user, self._policy, timeout=self._timeout, clock=self._account.clock)
        except (UnauthorizedError, ForbiddenError) as error:
            self._account.refused(error.request_id)
            raise
        _log.debug("logged in", seconds_to_live=round(token.life) if math.isfinite(token.life) else None)
        return self._account.keep(token)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        turn: threading.Lock = self._account.turn
        while not turn.acquire(timeout=_TICK):
            self._policy.remaining()
        try:
            yield
        finally:
            turn.release()
