"""Checks credentials: given tokens, tokens issued by the identity service, and request signatures."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from threading import Lock
from urllib.parse import parse_qs

from sync.domain.apis import IEC, Api
from sync.simulator.answers import TOKENS, Answer, Request, host_url, iam_error, json_answer
from sync.simulator.journal import Journal
from sync.simulator.keystone import Grant, Login, catalog, granted, moment, token_document, version_document
from sync.simulator.signing import ALGORITHM, Keys, flaw
from sync.simulator.viewer import Viewer

_FAILURES = 5  # wrong signatures in a row; one more locks the key
_LOCKED = 5 * 60  # seconds that a key is locked
_PREFIX = "/identity"  # a path under which the identity service answers too


@dataclass(frozen=True, slots=True)
class _Token:
    """A token that is accepted; one without a grant has the project and roles of the moment."""

    issued: float
    expires: float
    grant: Grant | None = None


class Identity:
    """The identity service, and the check of every request.

    Attributes:
        viewer: the project of the credentials, and their roles in it.
        regions: the regions of the catalog; the service is in the first one.
        image_service: whether the catalog has the service of images.

    Args:
        journal: records every token that is issued or refused.
        api: the API that the credentials are for.
        token: a token that never expires; None for a random one.
        login: the user who may ask for tokens; None for nobody.
        keys: the access key whose signatures are accepted; None for none.
        viewer: the project of the credentials, and their roles in it; None for the usual ones.
        lifetime: seconds until a token issued for a password expires, by the real clock.
        skew: seconds by which the server's clock is ahead of the real one.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        api: Api = IEC,
        token: str | None = None,
        login: Login | None = None,
        keys: Keys | None = None,
        viewer: Viewer | None = None,
        lifetime: float = 86_400,
        skew: float = 0,
    ) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self.login = login
        self.keys = keys
        self.viewer = viewer or Viewer()
        self.lifetime = lifetime
        self.skew = skew
        self.regions: tuple[str, ...] = ("RegionOne",)
        self.image_service = True
        self.token_calls = 0
        self._api = api
        self._journal = journal
        self._lock = Lock()
        self._tokens = {self.token: _Token(self.now(), float("inf"))}
        self._failures = 0
        self._locked_until = 0.0

    def now(self) -> float:
        """The server's clock, in seconds since 1970."""
        return time.time() + self.skew

    def flaw(self, request: Request) -> str:
        """Check the credentials of a request for images; return what is wrong, or ""."""
        if self.keys and request.headers.get("authorization", "").startswith(ALGORITHM):
            return self._signature_flaw(request, self.keys)
        return self._token_flaw(request.headers.get("x-auth-token")) or self._scope_flaw(request)

    def viewer_of(self, request: Request) -> Viewer | None:
        """The project that a request with the right credentials is for; None if the API has no projects."""
        if not self._api.project_scoped:
            return None
        token = self._tokens.get(request.headers.get("x-auth-token", ""))
        return token.grant.viewer if token and token.grant else self.viewer

    def answer(self, request: Request) -> Answer | None:
        """The answer of the identity service; None if the request is not for it."""
        path = request.path.removeprefix(_PREFIX)
        if (request.method, path) == ("POST", TOKENS):
            return self.give_token(request)
        if (request.method, path) == ("GET", TOKENS):
            return self._show_token(request)
        home = host_url(request) + request.path[: len(request.path) - len(path)]
        if (request.method, path.rstrip("/")) == ("GET", "/v3"):
            return json_answer(200, {"version": version_document(home)})
        if request.method == "GET" and path in {"", "/"} and path != request.path:
            return json_answer(300, {"versions": {"values": [version_document(home)]}})
        return None

    def give_token(self, request: Request) -> Answer:
        """The answer to ``POST /v3/auth/tokens``: 201 and ``X-Subject-Token``, or an error."""
        with self._lock:
            self.token_calls += 1
        try:
            grant = granted(request.body, self.login, self.viewer)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._journal.note("token", status=400)
            return iam_error(400, "Bad Request", "The request body is invalid.")
        if grant is None:
            self._journal.note("token", status=401)
            return iam_error(401, "Unauthorized", "The username or password is wrong.")
        text, now = secrets.token_urlsafe(48), self.now()
        token = _Token(now, now + self.lifetime, grant)
        with self._lock:
            self._tokens[text] = token
        self._journal.note("token", status=201)
        return self._describe(201, text, token, request)

    def accept(self, token: str, expires: float = float("inf")) -> None:
        """Accept this token until ``expires`` (seconds since 1970, by the server's clock)."""
        with self._lock:
            self._tokens[token] = _Token(self.now(), expires)

    def revoke(self) -> None:
        """Accept none of the tokens issued so far any more, nor the given one."""
        with self._lock:
            self._tokens.clear()

    def _show_token(self, request: Request) -> Answer:
        """The answer to ``GET /v3/auth/tokens``, which says what a token is for."""
        if self._token_flaw(request.headers.get("x-auth-token")):
            return iam_error(401, "Unauthorized", "The request you have made requires authentication.")
        text = request.headers.get("x-subject-token", "")
        if self._token_flaw(text):
            return iam_error(404, "Not Found", "Could not find token.")
        return self._describe(200, text, self._tokens[text], request)

    def _describe(self, status: int, text: str, token: _Token, request: Request) -> Answer:
        usual = Grant("token", "project", self.viewer) if self._api.project_scoped else Grant("token", "domain")
        grant = token.grant or usual
        document = token_document(grant, self.login, token.issued, token.expires)
        if grant.scope and "nocatalog" not in parse_qs(request.query, keep_blank_values=True):
            document["catalog"] = catalog(self._api, host_url(request), self.regions, image_service=self.image_service)
        return json_answer(status, {"token": document}, headers=(("X-Subject-Token", text),))

    def _token_flaw(self, token: str | None) -> str:
        if not token:
            return "x-auth-token not found"
        found = self._tokens.get(token)
        if found is None:
            return "decrypt token fail"
        return f"token expires, expires_at: {moment(found.expires)}" if found.expires <= self.now() else ""

    def _scope_flaw(self, request: Request) -> str:
        missing = self._api.project_scoped and self.viewer_of(request) is None
        return "the token is not for a project" if missing else ""

    def _signature_flaw(self, request: Request, keys: Keys) -> str:
        with self._lock:
            if self.now() < self._locked_until:
                return "AK access failed to reach the limit,forbidden"
            reason = flaw(request, keys, self.now())
            self._failures = self._failures + 1 if reason else 0
            if self._failures > _FAILURES:
                self._failures, self._locked_until = 0, self.now() + _LOCKED
        if reason:
            self._journal.note("note", signature=reason)
            return "verify aksk signature fail"
        project = request.headers.get("x-project-id")
        wrong = self._api.project_scoped and project != self.viewer.project
        return f"the project {project} of X-Project-Id is not one of this key" if wrong else ""
