"""Who may ask: given tokens, tokens asked for by password (Keystone v3), and request signatures, all really checked."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from sync.simulator.answers import Answer, Request, gateway_error, iam_error, json_answer
from sync.simulator.signing import ALGORITHM, Keys, flaw

if TYPE_CHECKING:
    from sync.simulator.journal import Journal

_FAILURES = 5  # wrong signatures in a row, and the key is locked
_LOCKED = 5 * 60  # seconds it stays so
_USER_ID, _DOMAIN_ID, _PROJECT_ID = "0" * 32, "1" * 32, "2" * 32
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the simulated account; tokens are given for its domain or its project."""

    user: str
    password: str = field(repr=False)
    domain: str = "simulated"
    project: str = "cn-north-4"


class Identity:
    """The identity service, and the check at the gate.

    Args:
        journal: every token given or refused is noted there.
        token: a token that is good for ever; None for one of chance.
        login: who may ask for tokens, or None.
        keys: whose signatures are good, or None.
        lifetime: seconds a token given by password lives, by the real clock.
        skew: seconds the server's clock is ahead of the real one.
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
        """Why this request may not pass, as an answer; None if it may."""
        if self.keys and request.headers.get("authorization", "").startswith(ALGORITHM):
            message = self._signature_refusal(request, self.keys)
        else:
            message = self._token_refusal(request.headers.get("x-auth-token"))
        if not message:
            return None
        detail = f"Incorrect IAM authentication information: {message}"
        return gateway_error(401, "APIGW.0301", detail, request)

    def give_token(self, request: Request) -> Answer:
        """The answer to ``POST /v3/auth/tokens``: 201 and ``X-Subject-Token``, or what was wrong."""
        with self._lock:
            self.token_calls += 1
        try:
            asked = _read_login(request.body)
        except (ValueError, TypeError, KeyError, RecursionError):
            self._journal.note("token", status=400)
            return iam_error(400, "Bad Request", "The request body is invalid.")
        if self.login is None or asked not in _good_logins(self.login):
            self._journal.note("token", status=401)
            return iam_error(401, "Unauthorized", "The username or password is wrong.")
        token, document = self._new_token(self.login)
        self._journal.note("token", status=201)
        return json_answer(201, document, headers=(("X-Subject-Token", token),))

    def accept(self, token: str, expires: float = float("inf")) -> None:
        """Make this token good until ``expires`` (seconds since 1970, by the server's clock)."""
        with self._lock:
            self._expiry[token] = expires

    def revoke(self) -> None:
        """No token given so far is good any more, the fixed one included."""
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
    """User, password, its domain, and the kind, id or name, of what the token is for."""
    auth = json.loads(body)["auth"]
    if auth["identity"]["methods"] != ["password"]:
        raise ValueError(auth["identity"]["methods"])
    user, scope = auth["identity"]["password"]["user"], auth["scope"]
    kind = "project" if "project" in scope else "domain"
    target = scope[kind].get("name", scope[kind].get("id"))
    return user["name"], user["password"], user["domain"]["name"], kind, target


def _good_logins(login: Login) -> tuple[tuple[object, ...], ...]:
    who = (login.user, login.password, login.domain)
    domains = [(*who, "domain", name) for name in (login.domain, _DOMAIN_ID)]
    return (*domains, *((*who, "project", name) for name in (login.project, _PROJECT_ID)))


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(min(seconds, 253_402_300_799), UTC).strftime(_STAMP)
