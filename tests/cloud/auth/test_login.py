"""Every failed login is one of our errors, bounded in size and time, and shows no secret."""

from __future__ import annotations

import math
import socket
import time
from datetime import UTC, datetime
from email.utils import format_datetime

import breakage
import effects
import pytest
from credential_tools import LOGIN, Clock, Recorder, Run, all_text, page, reader
from fault_rules import FaultySimulator
from http_server import Asked, HttpServer
from settings_tools import user_login

from sync.cloud.auth.credential import GivenToken
from sync.cloud.auth.login import log_in
from sync.cloud.auth.signing import SignedRequests
from sync.cloud.auth.token import TokenCache
from sync.errors import (
    BrokenAnswerError,
    CloudError,
    ConnectionFailedError,
    ContractError,
    DeadlineError,
    RejectedError,
    ServerFaultError,
    TooLargeError,
    UnauthorizedError,
)
from sync.logs import mask, protect
from sync.settings import Secret
from sync.simulator import TOKENS, World

PASSWORD = LOGIN.password
TOKEN = "canary-token-0123456789"
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
GOOD = b'{"token": {"expires_at": "2026-11-25T12:00:00.000000Z", "issued_at": "2026-11-24T12:00:00.000000Z"}}'


def lifetime(body: bytes, headers: dict[str, str] | None = None) -> float:
    """Seconds that a token lives, according to a login response with this body and these headers."""
    with Recorder(201, {"X-Subject-Token": TOKEN, **(headers or {})}, body) as iam:
        run, user = Run(), user_login(iam.url, "reader", PASSWORD, "acme")
        return log_in(user, run.policy, timeout=10, clock=Clock(5.0)).life


@pytest.mark.parametrize(
    ("error", "effect"),
    [
        (UnauthorizedError, effects.status(401, message=f"wrong: {PASSWORD}", style="iam")),
        (CloudError, effects.status(403, message=f"locked: {PASSWORD}", style="iam")),
        (RejectedError, effects.status(404, style="html")),
        (RejectedError, effects.status(302, location="http://127.0.0.1:9/")),
        (ServerFaultError, effects.status(503, message=f'{{"password": "{PASSWORD}"}}', style="iec")),
        (BrokenAnswerError, effects.body(PASSWORD)),
        (BrokenAnswerError, effects.garbage("deep")),
        (BrokenAnswerError, effects.garbage("list")),
        (BrokenAnswerError, breakage.gzip(1)),
        (TooLargeError, breakage.endless()),
        (ConnectionFailedError, breakage.drop()),
        (ConnectionFailedError, breakage.drop("body", 10)),
        (BrokenAnswerError, breakage.truncate(10)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_login_that_fails_shows_no_secret(error: type[CloudError], effect: effects.Effect) -> None:
    """No error of a failed login, nor its causes, contains the password or a token, even if the service echoes it."""
    protect(PASSWORD)
    with FaultySimulator(World(1, 0), login=LOGIN) as simulator:
        simulator.faults.add(effect, times=None, path=TOKENS)
        run = Run(max_retries=0)
        credential = run.token(simulator)
        with run.client(simulator, credential) as client, pytest.raises(error) as caught:
            page(client)

    shown = all_text(caught.value)
    assert "canary" not in shown
    assert "httpx." not in "".join(f"{type(part).__module__}." for part in causes(caught.value))


def causes(error: BaseException | None) -> list[BaseException]:
    """An error and all its causes."""
    return [error, *causes(error.__cause__ or error.__context__)] if error else []


@pytest.mark.parametrize("value", ["", "canary token", "canary-tokén", "canary\ttoken"])
def test_an_invalid_token_is_refused(value: str) -> None:
    """A token that can't be sent in a header is refused before the HTTP library would quote it in an error."""
    with Recorder(201, {"X-Subject-Token": value}, GOOD) as iam, FaultySimulator(World(1, 0)) as simulator:
        run = Run()
        credential = run.token(simulator, user=user_login(iam.url, "reader", PASSWORD, "acme"))
        with run.client(simulator, credential) as client, pytest.raises(ContractError) as caught:
            page(client)

    assert "canary" not in all_text(caught.value)


@pytest.mark.parametrize("token", ["canary\ntoken", "canary-tokén"])
def test_a_given_token_that_cannot_be_sent_is_not_quoted(token: str) -> None:
    """A configured token that can't be sent in a header is an error that does not contain it."""
    with FaultySimulator(World(1, 0)) as simulator:
        run = Run(max_retries=0)
        with run.client(simulator, GivenToken(Secret(token))) as client, pytest.raises(RejectedError) as caught:
            page(client)

    assert "canary" not in all_text(caught.value)


def test_a_redirect_of_a_login_is_not_followed() -> None:
    """A redirect is an error, and neither password nor token is sent to its address."""
    with Recorder(201, {"X-Subject-Token": TOKEN}, GOOD) as elsewhere:
        moved = {"Location": f"{elsewhere.url}/v3/auth/tokens"}
        with Recorder(307, moved) as iam, FaultySimulator(World(1, 0)) as simulator:
            credential = Run().token(simulator, user=user_login(iam.url, "reader", PASSWORD, "acme"))
            with pytest.raises(RejectedError, match="the endpoint redirects"):
                credential.headers("GET", simulator.url)
        with Recorder(302, moved) as api:
            run = Run()
            for credential in (GivenToken(Secret(TOKEN)), SignedRequests(Secret("ak"), Secret("sk"))):
                with (
                    run.client(api, credential) as client,
                    pytest.raises(RejectedError, match="the endpoint redirects"),
                ):
                    page(client)

        assert (len(iam.asked), len(api.asked), elsewhere.asked) == (1, 2, [])


def test_no_repr_shows_a_secret() -> None:
    """Credentials, users, tokens and the cache show no secret in their repr, and logs mask each new token."""
    with FaultySimulator(World(1, 0), login=LOGIN) as simulator:
        cache, run = TokenCache(), Run()
        credential = run.token(simulator, cache)
        token = credential.headers("GET", simulator.url)["X-Auth-Token"]
        account = cache.account(reader(simulator))
    parts = [
        credential,
        cache,
        account,
        account.token,
        reader(simulator),
        SignedRequests(Secret("ak"), Secret("canary-sk"), Secret("canary")),
    ]

    assert not [part for part in map(repr, parts) if "canary" in part or token in part]
    assert mask(f"got {token}") == "got ***"


def test_waiting_for_another_login_ends_at_the_deadline() -> None:
    """A run that waits for another run's login ends at its own deadline without a request."""
    with FaultySimulator(World(1, 0), login=LOGIN) as simulator:
        cache = TokenCache()
        with cache.account(reader(simulator)).turn, pytest.raises(DeadlineError):
            Run(0.3).token(simulator, cache).headers("GET", simulator.url)

        assert simulator.identity.token_calls == 0


def test_a_slow_login_ends_at_the_deadline() -> None:
    """A login whose response arrives byte by byte ends at the run's deadline."""

    def drip(connection: socket.socket, _: Asked) -> None:
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    with HttpServer(drip) as iam, FaultySimulator(World(1, 0)) as simulator, pytest.raises(DeadlineError):
        Run(0.5).token(simulator, user=user_login(iam.url, "reader", PASSWORD, "acme")).headers("GET", simulator.url)


@pytest.mark.parametrize(
    ("body", "date", "seconds"),
    [
        (GOOD, NOW, 86_400),
        (b"\xef\xbb\xbf" + GOOD, NOW, 86_400),
        (b'{"token": {"expires_at": "2026-11-24T12:00:03.500000Z"}}', NOW, 3.5),
        (b'{"token": {"expires_at": "2026-11-24T20:00:10+08:00"}}', NOW, 10),
        (b'{"token": {"expires_at": "2026-11-24T12:00:10"}}', NOW, 10),
        (GOOD, None, 86_400),
        (GOOD, NOW.replace(hour=13), 86_400 - 3_600),
        (b'{"token": {"expires_at": "2026-11-24T11:59:59Z"}}', NOW, math.inf),
        (b'{"token": {"expires_at": "soon"}}', NOW, math.inf),
        (b'{"token": {"expires_at": 7}}', NOW, math.inf),
        (b'{"token": {}}', NOW, math.inf),
    ],
)
def test_the_lifetime_comes_from_the_services_clock(body: bytes, date: datetime | None, seconds: float) -> None:
    """The lifetime of a token comes from the service's own times, not from our clock; without them it is unknown."""
    headers = {"Date": format_datetime(date, usegmt=True)} if date else {}

    assert lifetime(body, headers) == seconds
