"""Tools for tests of settings and logins: the real APIs, and logins in one line."""

from __future__ import annotations

from sync.cloud.auth.identity import Domain, LoginRequest, Project, User
from sync.domain.apis import APIS
from sync.wiring import support_of

SUPPORT = {name: support_of(api) for name, api in APIS.items()}


def user_login(endpoint: str, name: str, password: str, domain: str, project: str | None = None) -> LoginRequest:
    """The login of a user for a project of the same domain, or for the domain."""
    account = Domain(domain)
    return LoginRequest(
        endpoint, User(name, password, account), Project(name=project, domain=account) if project else account
    )
