"""Checks credentials: given tokens, tokens issued for a password (Keystone v3), and request signatures."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

from sync.simulator.answers import Answer, Request, gateway_error, iam_error, json_answer
from sync.simulator.journal import Journal
from sync.simulator.signing import ALGORITHM, Keys, flaw

_FAILURES = 5  # wrong signatures in a row; one more locks the key
_LOCKED = 5 * 60  # seconds that a key is locked
_USER_ID, _DOMAIN_ID, _PROJECT_ID = "0" * 32, "1" * 32, "2" * 32
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the simulated account; tokens are issued for its domain or its project."""

    user: str
    password: str = field(repr=False)
    domain: str = "simulated"
    project: str = "cn-north-4"


class Identity:
    """The identity service, and the check of every request.

    Args:
        journal: records every token that is issued or refused.
        token: a token that never expires; None for a random one.
        login: the user who may ask for tokens; None for nobody.
        keys: the access key whose signatures are accepted; None for none.
        lifetime: seconds until a token issued for a password expires, by the real clock.
        skew: seconds by which the server's clock is ahead of the real one.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        token: str | None = None,
        login: Login | None = None,
        keys: Keys | None = None,
        lifetime: float = 86_400,
        skew: float = 0,
    ) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self.login = login
        self.keys = keys
        self.lifetime = lifetime
        self.skew = skew
        self.token_calls = 0
        self._journal = journal
        self._lock = Lock()
        self._expiry: dict[str, float] = {self.token: float("inf")}
        self._failures = 0
        self._locked_until = 0.0

    def now(self) -> float:
        """The server's clock, in seconds since 1970."""
        return time.time() + self.skew

    def refusal(self, request: Request) -> Answer | None:
        """The answer that refuses this request; None if its credentials are right."""
        if self.keys and request.headers.get("authorization", "").startswith(ALGORITHM):
            message = self._signature_refusal(request, self.keys)
        else:
            message = self._token_refusal(request.headers.get("x-auth-token"))
        if not message:
            return None
        detail = f"Incorrect IAM authentication information: {message}"
        return gateway_error(401, "APIGW.0301", detail, request)

    def give_token(self, request: Request) -> Answer:
        """The answer to ``POST /v3/auth/tokens``: 201 and ``X-Subject-Token``, or an error."""
        with self._lock:
            self.token_calls += 1
        try:
            login = _read_login(request.body)
        except (ValueError, TypeError, KeyError, RecursionError):
            self._journal.note("token", status=400)
            return iam_error(400, "Bad Request", "The request body is invalid.")
        if self.login is None or login not in _good_logins(self.login):
            self._journal.note("token", status=401)
            return iam_error(401, "Unauthorized", "The username or password is wrong.")
        token, document = self._new_token(self.login)
        self._journal.note("token", status=201)
        return json_answer(201, document, headers=(("X-Subject-Token", token),))

    def accept(self, token: str, expires: float = float("inf")) -> None:
        """Accept this token until ``expires`` (seconds since 1970, by the server's clock)."""
        with self._lock:
            self._expiry[token] = expires

    def revoke(self) -> None:
        """Accept none of the tokens issued so far any more, nor the given one."""
        with self._lock:
            self._expiry.clear()

    def _new_token(self, login: Login) -> tuple[str, dict[str, object]]:
        token, now = secrets.token_urlsafe(48), self.now()
        self.accept(token, now + self.lifetime)
        user = {"id": _USER_ID, "name": login.user, "domain": {"id": _DOMAIN_ID, "name": login.domain}}
        times = {"issued_at": _stamp(now), "expires_at": _stamp(now + self.lifetime)}
        return token, {"token": {**times, "methods": ["password"], "user": user}}

    def _token_refusal(self, token: str | None) -> str:
        if not token:
            return "x-auth-token not found"
        expires = self._expiry.get(token)
        if expires is None:
            return "decrypt token fail"
        return f"token expires, expires_at: {_stamp(expires)}" if expires <= self.now() else ""

    def _signature_refusal(self, request: Request, keys: Keys) -> str:
        with self._lock:
            if self.now() < self._locked_until:
                return "AK access failed to reach the limit,forbidden"
            reason = flaw(request, keys, self.now())
            self._failures = self._failures + 1 if reason else 0
            if self._failures > _FAILURES:
                self._failures, self._locked_until = 0, self.now() + _LOCKED
        if reason:
            self._journal.note("note", signature=reason)
        return "verify aksk signature fail" if reason else ""


def _read_login(body: bytes) -> tuple[object, ...]:
    """User, password, its domain, and the kind and the name (or id) of the scope of the token."""
    auth = json.loads(body)["auth"]
    if auth["identity"]["methods"] != ["password"]:
        raise ValueError(auth["identity"]["methods"])
    user, scope = auth["identity"]["password"]["user"], auth["scope"]
    kind = "project" if "project" in scope else "domain"
    target = scope[kind].get("name", scope[kind].get("id"))
    return user["name"], user["password"], user["domain"]["name"], kind, target


def _good_logins(login: Login) -> tuple[tuple[object, ...], ...]:
    user = (login.user, login.password, login.domain)
    domains = [(*user, "domain", name) for name in (login.domain, _DOMAIN_ID)]
    return (*domains, *((*user, "project", name) for name in (login.project, _PROJECT_ID)))


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(min(seconds, 253_402_300_799), UTC).strftime(_STAMP)
