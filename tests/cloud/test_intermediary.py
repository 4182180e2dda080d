"""What answers in place of the cloud is named as far as it is known, and is not taken for the cloud."""

from __future__ import annotations

import pytest
from cloud_tools import Reader
from credential_tools import LOGIN, Run, all_text, page
from http_server import HttpServer, always, reply
from settings_tools import user_login

from sync.cloud.auth.token import TokenCache
from sync.cloud.errors import failure
from sync.errors import (
    CloudError,
    ConnectionFailedError,
    ForbiddenError,
    RejectedError,
    ServerFaultError,
    ThrottledError,
    UnauthorizedError,
)
from sync.simulator import Simulator, World

PAGE = b"<!DOCTYPE html><title>Access denied by ACME canary</title>"
SQUID = {"Server": "squid/5.7", "X-Squid-Error": "ERR_ACCESS_DENIED 0", "Via": "1.1 proxy.acme (squid/5.7)"}
REFUSALS = {
    "squid": (
        403,
        SQUID,
        PAGE,
        RejectedError,
        "Server: squid/5.7, Via: 1.1 proxy.acme (squid/5.7), X-Squid-Error: ERR_",
    ),
    "squid, JSON": (403, {"X-Squid-Error": "ERR_1 0"}, b'{"why": 1}', RejectedError, "X-Squid-Error: ERR_1 0"),
    "portal": (403, {}, PAGE, RejectedError, "something in between refuses the request, not the cloud"),
    "balancer": (502, {"Server": "awselb/2.0"}, PAGE, ServerFaultError, "(Server: awselb/2.0) answers in place of the"),
    "mesh": (503, {"Server": "envoy"}, b"upstream connect error", ServerFaultError, "(Server: envoy) answers in place"),
    "mesh, rule": (
        403,
        {"Server": "envoy"},
        b"RBAC: access denied",
        RejectedError,
        "(Server: envoy) refuses the request",
    ),
    "login": (407, {"Proxy-Authenticate": "Basic"}, b"", RejectedError, "something in between wants a login"),
    "no such page": (
        404,
        {"Server": "nginx"},
        PAGE,
        RejectedError,
        "check the endpoint; the answer came from something",
    ),
    "throttled": (
        429,
        {"Via": "1.1 x"},
        PAGE,
        ThrottledError,
        "fewer requests; the answer came from something in between",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_in_between_is_named(name: str) -> None:
    """A refusal without a sign of the cloud is that of something in between, with what that calls itself."""
    status, headers, body, error_type, part = REFUSALS[name]
    with HttpServer(always(reply(body, status=status, headers=headers))) as server:
        error = Reader(server.url, max_retries=0, seconds=20).fails(error_type)

    assert part in str(error)
    assert error.status == status
    assert "canary" not in all_text(error)
    assert not isinstance(error, ForbiddenError)


@pytest.mark.parametrize(
    ("status", "headers", "body", "error_type"),
    [
        (403, SQUID, b'{"error_code": "IEC.0003", "error_msg": "no"}', ForbiddenError),
        (403, {"Via": "1.1 proxy", "X-Request-Id": "r-1"}, PAGE, ForbiddenError),
        (503, {"Server": "nginx"}, b"", ServerFaultError),
        (403, {"Server": "api-gateway"}, b"no", ForbiddenError),
        (401, {"Server": "nginx"}, PAGE, UnauthorizedError),
    ],
)
def test_the_clouds_own_refusal_is_its_own(
    status: int, headers: dict[str, str], body: bytes, error_type: type[CloudError]
) -> None:
    """An answer with a code or a request id of the cloud, or of no known proxy, is the cloud's; so is any 401."""
    error = failure(status, {name.lower(): value for name, value in headers.items()}, body)

    assert type(error) is error_type
    assert str(error).startswith("the c")


def test_a_login_refused_in_between_may_be_tried_again() -> None:
    """A login that something in between refuses was not refused by the identity service: the next run tries it."""
    refusing = reply(PAGE, status=403, headers=SQUID)
    with HttpServer(always(refusing)) as iam, Simulator(World(1, 0)) as cloud:
        cache = TokenCache()
        for _ in range(2):
            run = Run(max_retries=0)
            token = run.token(cloud, cache, user_login(iam.url, LOGIN.user, LOGIN.password, LOGIN.domain))
            with run.client(cloud, token) as client, pytest.raises(RejectedError, match="not the cloud"):
                page(client)

    assert len(iam.asked) == 2


def test_names_are_masked_and_short() -> None:
    """What an intermediary calls itself is shown on one line, cut, and without what looks like a token."""
    token = "A1b2" * 20
    error = failure(403, {"server": f"squid {token}\x1b[31m", "via": "x" * 10_000}, PAGE)

    assert "Server: squid ***" in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("status", "error_type", "part"),
    [
        (
            407,
            RejectedError,
            "answers with status 407: it does not accept its login; check user and password in HTTPS_",
        ),
        (403, RejectedError, "answers with status 403: it does not allow this address"),
        (503, ConnectionFailedError, "answers with status 503: it cannot connect to this address"),
    ],
)
def test_a_proxy_that_refuses_to_connect_is_named(
    status: int, error_type: type[CloudError], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused CONNECT names the proxy, without its login; only what may pass is retried: logins can be locked."""
    with HttpServer(always(reply(PAGE, status=status))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:canary@"))
        error = Reader("https://iecs.invalid", max_retries=1).fails(error_type)

    assert f"https://iecs.invalid cannot be reached: the proxy 127.0.0.1:{proxy.port} {part}" in str(error)
    assert len(proxy.asked) == (2 if error_type is ConnectionFailedError else 1)
    assert "canary" not in all_text(error)


def test_a_proxy_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """If nobody listens at the proxy's address, the error names the proxy, not only the endpoint."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:canary@127.0.0.1:1/")
    error = Reader("https://iecs.invalid", max_retries=0).fails(ConnectionFailedError)

    assert "the proxy 127.0.0.1:1 cannot be reached: Connection refused" in str(error)
    assert "canary" not in all_text(error)


def test_a_proxy_that_stays_silent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection through a proxy that does not answer is said to go through it."""
    with HttpServer(lambda _connection, _request: proxy.closing.wait(10)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = Reader("https://iecs.invalid", max_retries=0, timeout=0.2).fails(ConnectionFailedError)

    assert f"through the proxy 127.0.0.1:{proxy.port}" in str(error)
