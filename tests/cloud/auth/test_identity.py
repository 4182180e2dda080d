"""Who logs in: refused secrets are counted for each user and each application credential."""

from __future__ import annotations

from contextlib import suppress

import pytest
from credential_tools import Clock

from sync.cloud.auth.identity import Application, Domain, LoginRequest, User
from sync.cloud.auth.token import REST, TokenCache
from sync.errors import UnauthorizedError

ACME, OTHER = Domain("acme"), Domain("other")


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (User("a", "x", ACME), User("a", "y", ACME), True),
        (User("a", "x", ACME), User("b", "x", ACME), False),
        (User("a", "x", ACME), User("a", "x", OTHER), False),
        (Application("x", id="1"), Application("y", id="1"), True),
        (Application("x", id="1"), Application("x", id="2"), False),
        (Application("x", name="n", user="a", domain=ACME), Application("x", name="n", user="b", domain=ACME), False),
    ],
)
def test_refused_secrets_are_counted_together(one: User | Application, two: User | Application, same: bool) -> None:  # noqa: FBT001 - a parameter
    """Two refused secrets of one account make it rest longer; those of two accounts do not."""
    clock = Clock()
    cache = TokenCache(clock)
    accounts = [cache.account(LoginRequest("https://iam", identity)) for identity in (one, two)]
    for account in accounts:
        account.refused(None)
    clock.now = REST + 1
    refused = False
    with suppress(UnauthorizedError):
        accounts[1].check()
        refused = True

    assert refused is not same


@pytest.mark.parametrize("identity", [User("a", "canary", ACME), Application("canary", id="1")])
def test_no_secret_is_shown(identity: User | Application) -> None:
    """A login that is printed shows no secret."""
    assert "canary" not in repr(LoginRequest("https://iam", identity))
