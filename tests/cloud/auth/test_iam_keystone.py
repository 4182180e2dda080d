"""The login against a real Keystone v3, the service whose interface the cloud's identity service has."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from credential_tools import Run, page
from keystone_server import ATTEMPTS, LIFETIME, Keystone, installed

from sync.cloud.auth.iam import IamToken
from sync.cloud.auth.token import IamUser, Token, TokenCache
from sync.errors import UnauthorizedError
from sync.simulator import Simulator, World

pytestmark = pytest.mark.long

PASSWORD = "canary p4sswörd"


@pytest.fixture(scope="module")
def keystone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystone]:
    """A running Keystone with a domain, a project and a reader; its environment is made once and kept."""
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


def person(keystone: Keystone, name: str) -> str:
    """One more reader of the same domain; its id."""
    domain = keystone.ask("GET", "/v3/domains?name=acme")["domains"][0]["id"]
    return keystone.user(name, PASSWORD, domain, f"domains/{domain}")


def user(keystone: Keystone, name: str = "reader", password: str = PASSWORD, project: str | None = None) -> IamUser:
    """Somebody who asks for a token."""
    return IamUser(keystone.url, name, password, "acme", project)


def token(who: IamUser, cache: TokenCache | None = None) -> str:
    """The token that a run of its own uses."""
    run = Run(max_retries=0)
    credential = IamToken(who, cache or TokenCache(), run.policy)
    return credential.headers("GET", "https://iecs.myhuaweicloud.com/v1/images")["X-Auth-Token"]


@pytest.mark.parametrize(("project", "scope"), [(None, "domain"), ("cn-north-4", "project")])
def test_a_run_reads_with_a_token_of_keystone(keystone: Keystone, project: str | None, scope: str) -> None:
    """Keystone gives a token for the domain or the project, knows it, and a run reads its pages with it."""
    who, cache = user(keystone, project=project), TokenCache()
    run = Run()
    credential = IamToken(who, cache, run.policy)
    known = keystone.look_up(value := token(who, cache))
    with Simulator(World(1, 3)) as simulator:
        simulator.identity.revoke()
        simulator.identity.accept(value)
        with run.client(simulator, credential) as client:
            images = json.loads(page(client))["images"]

    assert len(images) == 3
    assert known[scope]["name"] == (project or "acme")
    assert known["user"]["name"] == "reader"
    assert run.stats.requests == 1


def test_expiry_is_read_right(keystone: Keystone) -> None:
    """The life of the token that is kept is the one Keystone itself tells of it."""
    who, cache = user(keystone), TokenCache()
    known = keystone.look_up(token(who, cache))
    kept = cache.account(who).token
    life = datetime.fromisoformat(known["expires_at"]) - datetime.fromisoformat(known["issued_at"])

    assert isinstance(kept, Token)
    assert life.total_seconds() == LIFETIME
    assert LIFETIME - 2 <= kept.life <= LIFETIME


def test_a_wrong_password_does_not_lock_the_user(keystone: Keystone) -> None:
    """Many runs with a wrong password fail, and the user is not locked; had each asked, it would be."""
    person(keystone, "careful")
    person(keystone, "careless")
    cache = TokenCache()
    for _ in range(2 * ATTEMPTS):
        for name, kept in (("careful", cache), ("careless", TokenCache())):
            with pytest.raises(UnauthorizedError) as caught:
                token(user(keystone, name, "wrong"), kept)
            assert "canary" not in str(caught.value)

    assert keystone.look_up(token(user(keystone, "careful")))
    with pytest.raises(UnauthorizedError, match="refuses the login"):
        token(user(keystone, "careless"))


def test_a_new_password_ends_the_old_token(keystone: Keystone) -> None:
    """When the password changes in the middle of a run, its token is dead, one renewal is tried and refused."""
    changing = person(keystone, "changing")
    run = Run(max_retries=0)
    credential = IamToken(user(keystone, "changing"), TokenCache(), run.policy)
    old = credential.headers("GET", keystone.url)
    assert keystone.look_up(old["X-Auth-Token"])
    keystone.change_password(changing, "another")

    assert not keystone.look_up(old["X-Auth-Token"])
    with pytest.raises(UnauthorizedError, match="refuses the login"):
        credential.renew(old)
    time.sleep(1.1)  # Keystone revokes by the second: a token of the very second of the change is dead as well
    assert keystone.look_up(token(user(keystone, "changing", "another")))


def test_a_user_without_a_role_is_told_so(keystone: Keystone) -> None:
    """A right password for a scope in which the user has no role is refused, and the error speaks of the role."""
    person(keystone, "outsider")

    with pytest.raises(UnauthorizedError, match="has a role there"):
        token(user(keystone, "outsider", project="cn-north-4"))
