"""The simulated cloud really checks credentials, and refuses wrong ones with the vendor's texts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest
from huaweicloudsdkcore.auth.credentials import GlobalCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from simulator_client import Reply, ask, send

from sync.simulator import TOKENS, Keys, Login, Simulator, World

LOGIN = Login("reader", "p4ss wörd", domain="acme", project="cn-north-4")
KEYS = Keys("AKSIMULATED", "sk-simulated")
# The vendor's own signer calls datetime.utcnow, which is deprecated in newer Pythons.
VENDOR = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A cloud of three images with a user and a key pair."""
    with Simulator(World(1, 3), login=LOGIN, keys=KEYS) as simulator:
        yield simulator


def login(simulator: Simulator, *, scope: object = None, **changes: str) -> Reply:
    """Request a token from Keystone v3 with some parts changed."""
    parts = {"user": LOGIN.user, "password": LOGIN.password, "domain": LOGIN.domain} | changes
    user = {"name": parts["user"], "password": parts["password"], "domain": {"name": parts["domain"]}}
    identity = {"methods": ["password"], "password": {"user": user}}
    auth = {"identity": identity, "scope": scope or {"domain": {"name": LOGIN.domain}}}
    return send(
        simulator.url, "POST", TOKENS, {"Content-Type": "application/json"}, json.dumps({"auth": auth}).encode()
    )


def sign(simulator: Simulator, keys: Keys, query: list[tuple[str, str]], date: float | None = None) -> SdkRequest:
    """A request for images signed by the vendor's own code."""
    headers = {"Content-Type": "application/json", "User-Agent": "vendor"}
    if date is not None:
        headers["X-Sdk-Date"] = datetime.fromtimestamp(date, UTC).strftime("%Y%m%dT%H%M%SZ")
    host = urlsplit(simulator.url).netloc
    request = SdkRequest("GET", "http", host, "/v1/images", None, query, headers, "")
    credentials = GlobalCredentials(keys.access, keys.secret, "domain")
    if keys.security_token:
        credentials = credentials.with_security_token(keys.security_token)
    return credentials.sign_request(request)


def send_signed(simulator: Simulator, request: SdkRequest) -> Reply:
    """Send a signed request."""
    return send(simulator.url, "GET", request.uri, request.header_params)


def test_a_token_is_needed(simulator: Simulator) -> None:
    """A request without a token or with a wrong one gets 401, with a valid one 200."""
    none = send(simulator.url, "GET", "/v1/images", {})
    wrong = ask(simulator, token="wrong")

    assert (none.status, wrong.status, ask(simulator).status) == (401, 401, 200)
    assert none.json["error_code"] == wrong.json["error_code"] == "APIGW.0301"
    assert "x-auth-token not found" in none.json["error_msg"]
    assert "decrypt token fail" in wrong.json["error_msg"]
    assert none.json["request_id"] == none.headers["X-Request-Id"]


def test_the_token_can_be_set() -> None:
    """A token that is set is valid; by default each simulator creates its own."""
    with Simulator(World(1, 0), token="mine") as simulator, Simulator(World(1, 0)) as other:
        assert ask(simulator, token="mine").status == 200
        assert ask(other, token="mine").status == 401
        assert len(other.token) >= 32


@pytest.mark.parametrize(
    "scope", [{"domain": {"name": "acme"}}, {"project": {"name": "cn-north-4"}}, {"domain": {"id": "1" * 32}}]
)
def test_a_password_gives_a_token(simulator: Simulator, scope: object) -> None:
    """The right password gives 201, a valid token and its lifetime; logins are counted."""
    reply = login(simulator, scope=scope)
    token = reply.json["token"]
    life = datetime.fromisoformat(token["expires_at"]) - datetime.fromisoformat(token["issued_at"])

    assert reply.status == 201
    assert token["user"]["name"] == "reader"
    assert life.total_seconds() == 86_400
    assert ask(simulator, token=reply.headers["X-Subject-Token"]).status == 200
    assert simulator.identity.token_calls == 1
    assert simulator.journal.counts["token"] == 1


@pytest.mark.parametrize(
    "changes", [{"user": "x"}, {"password": "x"}, {"domain": "x"}, {"scope": {"domain": {"name": "x"}}}]
)
def test_a_wrong_login_gives_no_token(simulator: Simulator, changes: dict[str, str]) -> None:
    """Each wrong part is refused in the identity service's format, without a token."""
    reply = login(simulator, **changes)

    assert reply.status == 401
    assert reply.json["error"].keys() == {"code", "message", "title"}
    assert "X-Subject-Token" not in reply.headers


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"auth": 1}', b"\xff", b"[" * 100_000])
def test_an_invalid_login_is_a_bad_request(simulator: Simulator, body: bytes) -> None:
    """An invalid body of a login gets status 400."""
    reply = send(simulator.url, "POST", TOKENS, {}, body)

    assert (reply.status, reply.json["error"]["code"]) == (400, 400)


def test_tokens_expire() -> None:
    """A token is valid until it expires by the server's clock, and is then refused with that time."""
    with Simulator(World(1, 0), login=LOGIN, token_lifetime=60) as simulator:
        reply = login(simulator)
        token = reply.headers["X-Subject-Token"]
        fresh = ask(simulator, token=token)
        simulator.identity.skew += 61
        stale = ask(simulator, token=token)

    assert (fresh.status, stale.status) == (200, 401)
    assert f"token expires, expires_at: {reply.json['token']['expires_at']}" in stale.json["error_msg"]


def test_tokens_can_be_revoked(simulator: Simulator) -> None:
    """Revoking ends every token, even a fixed one; new tokens are valid."""
    old = login(simulator).headers["X-Subject-Token"]
    simulator.identity.revoke()

    assert ask(simulator, token=old).status == 401
    assert ask(simulator).status == 401
    assert ask(simulator, token=login(simulator).headers["X-Subject-Token"]).status == 200


@VENDOR
@pytest.mark.parametrize(
    "query",
    [
        [],
        [("limit", "1"), ("__support_kvm", "true")],
        [("name", "测试 环境+/&=~*'()"), ("limit", "5")],
        [("sort_key", "name"), ("offset", "0"), ("__os_type", "Linux"), ("id", "a-b_c.d")],
    ],
)
def test_the_vendors_signature_is_accepted(simulator: Simulator, query: list[tuple[str, str]]) -> None:
    """A request signed by the vendor's code is accepted; with another query or header it is refused."""
    request = sign(simulator, KEYS, query)
    headers = dict(request.header_params)

    assert send_signed(simulator, request).status == 200
    more = f"{request.uri}{'&' if query else '?'}protected=true"
    assert send(simulator.url, "GET", more, headers).status == 401
    assert send(simulator.url, "GET", request.uri, headers | {"User-Agent": "other"}).status == 401
    wrong = send(simulator.url, "GET", request.uri, headers | {"Authorization": headers["Authorization"][:-1] + "g"})
    assert wrong.status == 401
    assert wrong.json["error_code"] == "APIGW.0301"
    assert "verify aksk signature fail" in wrong.json["error_msg"]


@VENDOR
def test_other_keys_are_refused(simulator: Simulator) -> None:
    """A wrong secret, an unknown access key and an unexpected security token are refused, and the journal says why."""
    wrong = [Keys(KEYS.access, "x"), Keys("AKOTHER", KEYS.secret), Keys(KEYS.access, KEYS.secret, "sts")]
    replies = [send_signed(simulator, sign(simulator, keys, [])) for keys in wrong]
    reasons = [str(event.detail["signature"]) for event in simulator.journal.events(kind="note")]

    assert [reply.status for reply in replies] == [401, 401, 401]
    assert [reason.split(" is ")[0] for reason in reasons] == ["the signature", "the access key", "the security token"]


@VENDOR
def test_temporary_keys_need_their_token() -> None:
    """Keys with a security token are accepted only with it."""
    keys = Keys("AKTEMP", "sk", "sts")
    with Simulator(World(1, 0), keys=keys) as simulator:
        assert send_signed(simulator, sign(simulator, keys, [])).status == 200
        assert send_signed(simulator, sign(simulator, Keys("AKTEMP", "sk"), [])).status == 401


@VENDOR
@pytest.mark.parametrize(("minutes", "status"), [(-16, 401), (-14, 200), (14, 200), (16, 401)])
def test_clocks_may_be_a_quarter_of_an_hour_off(minutes: int, status: int) -> None:
    """A signature is valid within 15 minutes of the server's clock, which the Date header shows."""
    with Simulator(World(1, 0), keys=KEYS, skew=minutes * 60) as simulator:
        reply = send_signed(simulator, sign(simulator, KEYS, []))
        again = send_signed(simulator, sign(simulator, KEYS, [], time.time() + minutes * 60))

    assert (reply.status, again.status) == (status, 200)
    ahead = parsedate_to_datetime(reply.headers["Date"]).timestamp() - time.time()
    assert abs(ahead - minutes * 60) < 60


@VENDOR
def test_a_key_is_locked_after_too_many_failures(simulator: Simulator) -> None:
    """After more than five wrong signatures in a row, the key is locked for five minutes."""
    bad = Keys(KEYS.access, "x")
    for _ in range(5):
        send_signed(simulator, sign(simulator, bad, []))
    assert send_signed(simulator, sign(simulator, KEYS, [])).status == 200
    for _ in range(6):
        send_signed(simulator, sign(simulator, bad, []))

    locked = send_signed(simulator, sign(simulator, KEYS, []))
    assert "AK access failed to reach the limit,forbidden" in locked.json["error_msg"]
    simulator.identity.skew += 301
    assert send_signed(simulator, sign(simulator, KEYS, [])).status == 200


def test_secrets_are_in_no_repr() -> None:
    """The repr of a login or of keys shows no secret."""
    assert "p4ss" not in repr(LOGIN)
    assert "sk-simulated" not in repr(KEYS)
    assert "sts" not in repr(Keys("a", "b", "sts"))
