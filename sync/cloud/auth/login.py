"""``POST /v3/auth/tokens``: one login at the identity service (Keystone v3, password method)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime

from sync.cloud.auth.token import IamUser, Token
from sync.cloud.errors import TOO_LONG, failure, http_date, log_page, request_id_of, traced
from sync.cloud.retry import RetryPolicy
from sync.cloud.transport import CloudTransport
from sync.errors import BrokenAnswerError, CloudError, ContractError
from sync.transport import Response

PATH = "/v3/auth/tokens"
_CREATED = 201
_MAX_BYTES = 4 << 20
_ADVICE = {
    0: "the identity service does not understand the login; check `iam_endpoint`",
    401: (
        "the identity service refuses the login; check user name, password, domain and project, and that the user has "
        "a role there; this is not tried again, since wrong passwords lock a login"
    ),
    403: "the identity service forbids the login; check whether the user is locked or may not use the API",
    404: "there is no identity service at this address; check `iam_endpoint`",
} | dict.fromkeys(
    TOO_LONG, "the login is too long for the identity service; check `iam_endpoint` and the login's names"
)


def log_in(user: IamUser, policy: RetryPolicy, *, timeout: float, clock: Callable[[], float], hint: str = "") -> Token:
    """Request a token, once.

    Args:
        user: the user who logs in.
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
    too_large = f"the identity service's answer is larger than {_MAX_BYTES} bytes; check `iam_endpoint`"
    with CloudTransport(user.endpoint, policy, timeout=timeout, max_bytes=_MAX_BYTES, too_large=too_large) as transport:
        url = f"{user.endpoint}{PATH}?nocatalog=true"  # the catalog of services can be large, and is not needed
        headers = {"Content-Type": "application/json"}
        response = transport.send("POST", url, headers, json.dumps(_request(user)).encode())
    if response.status != _CREATED:
        raise failure(
            response.status, response.headers, response.content, advice=_ADVICE, hint=hint, proxy=transport.proxy
        )
    try:
        return Token(_value(response), requested, _life(response))
    except CloudError as error:
        log_page(response.status, response.content)
        traced(error, response.status, request_id_of(response.headers))
        raise


def _request(user: IamUser) -> dict[str, object]:
    domain = {"name": user.domain}
    account = {"name": user.name, "password": user.password, "domain": domain}
    scope = {"project": {"name": user.project, "domain": domain}} if user.project else {"domain": domain}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": account}}, "scope": scope}}


def _value(response: Response) -> str:
    value = response.headers.get("x-subject-token", "")
    if not re.fullmatch(r"[!-~]+", value):  # the HTTP library would quote any other in its error
        raise ContractError("the identity service gives no usable token; check `iam_endpoint`")
    return value


def _life(response: Response) -> float:
    """Seconds the token lives, by the server's clock; infinite if that cannot be read: then a 401 shows its end."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not isinstance(token := body.get("token"), dict):
        raise BrokenAnswerError("the identity service's answer is not complete JSON; is there a proxy in between?")
    ends = _moment(token.get("expires_at"))
    # The later of issue and answer counts, since the service may return a token that it issued before.
    starts = [start for start in (_moment(token.get("issued_at")), http_date(response.headers.get("date"))) if start]
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
