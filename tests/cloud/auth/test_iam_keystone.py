"""Logging in to a real Keystone v3, whose interface the cloud's identity service has."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from credential_tools import Run, page
from keystone_server import ATTEMPTS, LIFETIME, Keystone, installed
from settings_tools import user_login

from sync.cloud.auth.iam import IamToken
from sync.cloud.auth.identity import LoginRequest
from sync.cloud.auth.token import Token, TokenCache
from sync.errors import UnauthorizedError
from sync.simulator import Simulator, World

pytestmark = pytest.mark.long

PASSWORD = "canary p4sswörd"


@pytest.fixture(scope="module")
def keystone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystone]:
    """A running Keystone with a domain, a project and a reader; its environment is installed once and kept."""
    cache = request.config.cache
    assert cache is not None
    server = Keystone(installed(cache.mkdir("keystone")), tmp_path_factory.mktemp("keystone"))
    try:
        domain = server.domain("acme")
        project = server.project("cn-north-4", domain)
        server.user("reader", PASSWORD, domain, f"domains/{domain}", f"projects/{project}")
        yield server
    finally:
        server.stop()


def create_user(keystone: Keystone, name: str) -> str:
    """Create another reader in the same domain; its id."""
    domain = keystone.ask("GET", "/v3/domains?name=acme")["domains"][0]["id"]
    return keystone.user(name, PASSWORD, domain, f"domains/{domain}")


def user(
    keystone: Keystone, name: str = "reader", password: str = PASSWORD, project: str | None = None
) -> LoginRequest:
    """A user who requests tokens."""
    return user_login(keystone.url, name, password, "acme", project)


def request_token(iam_user: LoginRequest, cache: TokenCache | None = None) -> str:
    """The token that a new run uses."""
    run = Run(max_retries=0)
    credential = IamToken(iam_user, cache or TokenCache(), run.policy)
    return credential.headers("GET", "https://iecs.myhuaweicloud.com/v1/images")["X-Auth-Token"]


@pytest.mark.parametrize(("project", "scope"), [(None, "domain"), ("cn-north-4", "project")])
def test_a_run_reads_with_a_keystone_token(keystone: Keystone, project: str | None, scope: str) -> None:
    """Keystone issues a valid token for the domain or the project, and a run reads its pages with it."""
    reader, cache = user(keystone, project=project), TokenCache()
    run = Run()
    credential = IamToken(reader, cache, run.policy)
    details = keystone.look_up(value := request_token(reader, cache))
    with Simulator(World(1, 3)) as simulator:
        simulator.identity.revoke()
        simulator.identity.accept(value)
        with run.client(simulator, credential) as client:
            images = json.loads(page(client))["images"]

    assert len(images) == 3
    assert details[scope]["name"] == (project or "acme")
    assert details["user"]["name"] == "reader"
    assert run.stats.requests == 1


def test_the_lifetime_of_a_token_is_exact(keystone: Keystone) -> None:
    """The lifetime of the cached token is the one that Keystone reports."""
    reader, cache = user(keystone), TokenCache()
    details = keystone.look_up(request_token(reader, cache))
    cached = cache.account(reader).token
    lifetime = datetime.fromisoformat(details["expires_at"]) - datetime.fromisoformat(details["issued_at"])

    assert isinstance(cached, Token)
    assert lifetime.total_seconds() == LIFETIME
    assert LIFETIME - 2 <= cached.life <= LIFETIME


def test_a_wrong_password_does_not_lock_the_user(keystone: Keystone) -> None:
    """Many runs with a wrong password do not lock the user, because they share one refused login."""
    create_user(keystone, "careful")
    create_user(keystone, "careless")
    cache = TokenCache()
    for _ in range(2 * ATTEMPTS):
        for name, attempt_cache in (("careful", cache), ("careless", TokenCache())):
            with pytest.raises(UnauthorizedError) as caught:
                request_token(user(keystone, name, "wrong"), attempt_cache)
            assert "canary" not in str(caught.value)

    assert keystone.look_up(request_token(user(keystone, "careful")))
    with pytest.raises(UnauthorizedError, match="refuses the login"):
        request_token(user(keystone, "careless"))


def test_a_new_password_ends_the_old_token(keystone: Keystone) -> None:
    """When the password changes during a run, its token is revoked, and one renewal is tried and refused."""
    changing = create_user(keystone, "changing")
    run = Run(max_retries=0)
    credential = IamToken(user(keystone, "changing"), TokenCache(), run.policy)
    old = credential.headers("GET", keystone.url)
    assert keystone.look_up(old["X-Auth-Token"])
    keystone.change_password(changing, "another")

    assert not keystone.look_up(old["X-Auth-Token"])
    with pytest.raises(UnauthorizedError, match="refuses the login"):
        credential.renew(old)
    time.sleep(1.1)  # Keystone revokes by the second: a token of the second of the change is revoked too
    assert keystone.look_up(request_token(user(keystone, "changing", "another")))


def test_a_new_password_is_used_in_the_same_run(keystone: Keystone) -> None:
    """When the password changes in Keystone and in its file, the run goes on with one new login, and no user is locked."""
    changing, cache, run = create_user(keystone, "rotating"), TokenCache(), Run(max_retries=0)
    files = iter([user(keystone, "rotating", "another")])
    credential = IamToken(user(keystone, "rotating"), cache, run.policy, newer=lambda: next(files, None))
    old = credential.headers("GET", keystone.url)
    keystone.change_password(changing, "another")
    time.sleep(1.1)  # Keystone revokes by the second: a token of the second of the change is revoked too

    assert credential.renew(old)
    assert keystone.look_up(credential.headers("GET", keystone.url)["X-Auth-Token"])
    assert run.stats.requests == 3


def test_a_user_without_a_role_is_refused(keystone: Keystone) -> None:
    """A user with the right password but no role in the project is refused, and the error mentions the role."""
    create_user(keystone, "outsider")

    with pytest.raises(UnauthorizedError, match="has a role there"):
        request_token(user(keystone, "outsider", project="cn-north-4"))
