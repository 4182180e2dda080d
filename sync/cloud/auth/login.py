"""``/v3/auth/tokens``: one login at the identity service (Keystone v3), or one look at what a token grants."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from sync.cloud.auth.grant import Grant, read_grant
from sync.cloud.auth.identity import LoginRequest
from sync.cloud.auth.token import Token
from sync.cloud.errors import TOO_LONG, failure, http_date, log_page, request_id_of, traced
from sync.cloud.retry import RetryPolicy
from sync.cloud.transport import CloudTransport
from sync.errors import BrokenAnswerError, CloudError, ContractError
from sync.transport import Response

PATH = "/v3/auth/tokens"
T = TypeVar("T")
_CREATED, _OK = 201, 200
_MAX_BYTES = 4 << 20
_TOO_LONG = dict.fromkeys(
    TOO_LONG, "the login is too long for the identity service; check `iam_endpoint` and the login's names"
)
_NOT_UNDERSTOOD = "the identity service does not understand the login; check `iam_endpoint`"
_NOT_THERE = "there is no identity service at this address; check `iam_endpoint`"
_ADVICE = {
    0: _NOT_UNDERSTOOD,
    401: (
        "the identity service refuses the login; check {to_check}; this is not tried again, since wrong passwords lock "
        "a login"
    ),
    403: "the identity service forbids the login; check whether the user is locked or may not use the API",
    404: _NOT_THERE,
} | _TOO_LONG
_OF_LOOK_UP = {
    0: (
        "the identity service does not say what the token is for; check `iam_endpoint`, or remove it, and set endpoint "
        "and project_id"
    ),
    401: "the identity service refuses the token; renew it, and check that `iam_endpoint` is the one that issued it",
    404: _NOT_THERE,
} | _TOO_LONG


def log_in(
    login: LoginRequest, policy: RetryPolicy, *, timeout: float, clock: Callable[[], float], hint: str = ""
) -> Token:
    """Request a token, once.

    Args:
        login: who logs in, and what the token is for.
        policy: the retry policy of the run.
        timeout: seconds for connecting, and for each read.
        clock: seconds, from any start.
        hint: what else to say if the login is refused, or "".

    Raises:
        UnauthorizedError, ForbiddenError: the login is refused.
        TransientError: a retry may help.
        CloudError, DeadlineError, InterruptedRunError: see ``sync.errors``.
    """
    requested = clock()

    def read(response: Response) -> Token:
        value, data = _value(response), _token_data(response)
        return Token(value, requested, _life(data, response.headers), read_grant(data))

    headers, body = {"Content-Type": "application/json"}, json.dumps(login.body()).encode()
    advice = _ADVICE | {401: _ADVICE[401].format(to_check=login.identity.to_check)}
    exchange = _Exchange("POST", _CREATED, headers, body, advice, hint, with_catalog=login.with_catalog)
    return exchange.carry_out(login.endpoint, policy, timeout, read)


def look_up(endpoint: str, token: str, policy: RetryPolicy, *, timeout: float, with_catalog: bool) -> Grant:
    """Request what a token grants, by the token itself.

    Args:
        endpoint: address of the identity service that issued it.
        token: the token.
        policy: the retry policy of the run.
        timeout: seconds for connecting, and for each read.
        with_catalog: whether to request the catalog of services, too.

    Raises:
        UnauthorizedError: the token is refused.
        TransientError: a retry may help.
        CloudError, DeadlineError, InterruptedRunError: see ``sync.errors``.
    """
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    exchange = _Exchange("GET", _OK, headers, None, _OF_LOOK_UP, with_catalog=with_catalog)
    return exchange.carry_out(endpoint, policy, timeout, lambda response: read_grant(_token_data(response)))


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request to the identity service, and what to say if it fails."""

    method: str
    success: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    advice: Mapping[int, str]
    hint: str = ""
    with_catalog: bool = False

    def carry_out(self, endpoint: str, policy: RetryPolicy, timeout: float, read: Callable[[Response], T]) -> T:
        too_large = f"the identity service's answer is larger than {_MAX_BYTES} bytes; check `iam_endpoint`"
        with CloudTransport(endpoint, policy, timeout=timeout, max_bytes=_MAX_BYTES, too_large=too_large) as transport:
            url = f"{endpoint}{PATH}" + ("" if self.with_catalog else "?nocatalog=true")
            response = transport.send(self.method, url, self.headers, self.body)
        if response.status != self.success:
            raise failure(
                response.status,
                response.headers,
                response.content,
                advice=self.advice,
                hint=self.hint,
                proxy=transport.proxy,
            )
        try:
            return read(response)
        except CloudError as error:
            log_page(response.status, response.content)
            traced(error, response.status, request_id_of(response.headers))
            raise


def _value(response: Response) -> str:
    value = response.headers.get("x-subject-token", "")
    if not re.fullmatch(r"[!-~]+", value):  # the HTTP library would quote any other in its error
        raise ContractError("the identity service gives no usable token; check `iam_endpoint`")
    return value


def _token_data(response: Response) -> Mapping[str, object]:
    """The data on the token in an answer."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not isinstance(token := body.get("token"), dict):
        raise BrokenAnswerError("the identity service's answer is not complete JSON; is there a proxy in between?")
    return token


def _life(token: Mapping[str, object], headers: Mapping[str, str]) -> float:
    """Seconds the token lives, by the server's clock; infinite if that cannot be read: then a 401 shows its end."""
    ends = _moment(token.get("expires_at"))
    # The later of issue and answer counts, since the service may return a token that it issued before.
    starts = [start for start in (_moment(token.get("issued_at")), http_date(headers.get("date"))) if start]
    if ends is None:
        return math.inf
    life = (ends - max(starts, default=datetime.now(UTC))).total_seconds()
    return life if life > 0 else math.inf


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
