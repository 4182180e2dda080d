"""The identity service's requests and documents (Keystone v3): who logs in, for what, and what a token says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sync.domain.apis import Api
from sync.simulator.viewer import Viewer

USER_ID, DOMAIN_ID = "0" * 32, "1" * 32
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
_NOWHERE = "http://127.0.0.1:9"  # nothing listens there


@dataclass(frozen=True, slots=True)
class Application:
    """An application credential of the user, for the project of the login."""

    id: str
    secret: str = field(repr=False)
    name: str = "image-sync"


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the simulated account; tokens are issued for its domain or its project.

    Attributes:
        user: name of the user.
        password: the user's password.
        domain: name of the user's domain.
        project: name of the project.
        project_domain: name of the domain of the project; "" for the user's.
        application: an application credential of the user; None for none.
    """

    user: str
    password: str = field(repr=False)
    domain: str = "simulated"
    project: str = "cn-north-4"
    project_domain: str = ""
    application: Application | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """The scope of a token.

    Attributes:
        method: how the user logged in.
        scope: project, domain or "" for neither.
        viewer: the project and the roles in it; None without a project.
    """

    method: str
    scope: str
    viewer: Viewer | None = None


def granted(body: bytes, login: Login | None, viewer: Viewer) -> Grant | None:
    """Return the scope that a request for a token gets; None if the credentials or the scope are wrong.

    Args:
        body: the request.
        login: the user who may log in; None for nobody.
        viewer: the project of the login, and the roles in it.

    Raises:
        ValueError, TypeError, KeyError, RecursionError: the request is not one.
    """
    auth = json.loads(body)["auth"]
    identity, scope = auth["identity"], auth.get("scope") or {}
    (method,) = identity["methods"]
    proof = identity[method]
    if method == "application_credential":
        return _application_grant(proof, scope, login, viewer)
    if method != "password":
        raise ValueError(method)
    user = proof["user"]
    right = login is not None and (user["password"], _is_user(user, login)) == (login.password, True)
    return _scoped(scope, login, viewer) if right and login else None


def _application_grant(proof: Any, scope: Any, login: Login | None, viewer: Viewer) -> Grant | None:
    secret, named = proof["secret"], proof["id"] if "id" in proof else (proof["name"], proof["user"])
    if login is None or login.application is None or scope:  # its scope is fixed, and must not be named
        return None
    own = login.application
    known = named == own.id if isinstance(named, str) else named[0] == own.name and _is_user(named[1], login)
    return Grant("application_credential", "project", viewer) if known and secret == own.secret else None


def _scoped(scope: Any, login: Login, viewer: Viewer) -> Grant | None:
    if "project" in scope:
        project = scope["project"]
        domain = project.get("domain", {"id": DOMAIN_ID})
        right = project.get("id") == viewer.project or (
            project.get("name") == login.project and _is_domain(domain, login.project_domain or login.domain)
        )
        return Grant("password", "project", viewer) if right else None
    if "domain" in scope:
        return Grant("password", "domain") if _is_domain(scope["domain"], login.domain) else None
    return Grant("password", "")


def _is_user(user: Any, login: Login) -> bool:
    if "id" in user:
        return bool(user["id"] == USER_ID)
    return user["name"] == login.user and _is_domain(user["domain"], login.domain)


def _is_domain(domain: Mapping[str, object], name: str) -> bool:
    return domain.get("name") == name or domain.get("id") == DOMAIN_ID


def token_document(grant: Grant, login: Login | None, issued: float, expires: float) -> dict[str, object]:
    """Describe a token as the service does, without the catalog."""
    login = login or Login("operator", "")
    domain = {"id": DOMAIN_ID, "name": login.domain}
    document: dict[str, object] = {
        "methods": [grant.method],
        "user": {"id": USER_ID, "name": login.user, "domain": domain, "password_expires_at": None},
        "audit_ids": ["c2ltdWxhdGVkLWF1ZGl0"],
        "issued_at": moment(issued),
        "expires_at": moment(expires),
    }
    if grant.viewer is not None:
        home = {"id": DOMAIN_ID, "name": login.project_domain or login.domain}
        document["project"] = {"id": grant.viewer.project, "name": login.project, "domain": home}
        roles = enumerate(grant.viewer.roles, 1)
        document |= {"is_domain": False, "roles": [{"id": f"{place:032x}", "name": role} for place, role in roles]}
    elif grant.scope:
        document |= {"domain": domain, "roles": [{"id": f"{1:032x}", "name": "reader"}]}
    return document


def catalog(api: Api, url: str, regions: tuple[str, ...], *, image_service: bool) -> list[dict[str, object]]:
    """The services and where they are: in the first region here, in all others nowhere."""
    services = [("identity", "keystone", f"{url}/identity")]
    services += [(kind, api.name, url) for kind in api.service_types] if image_service else []
    return [
        {"id": f"{place:032x}", "type": kind, "name": name, "endpoints": _endpoints(where, regions)}
        for place, (kind, name, where) in enumerate(services, 1)
    ]


def _endpoints(url: str, regions: tuple[str, ...]) -> list[dict[str, object]]:
    """One public address in each region, after an internal one that nobody outside can use."""
    places = [("internal", region, _NOWHERE) for region in regions]
    places += [("public", region, url if region == regions[0] else _NOWHERE) for region in reversed(regions)]
    return [
        {"id": f"{place:032x}", "interface": interface, "region": region, "region_id": region, "url": where}
        for place, (interface, region, where) in enumerate(places, 1)
    ]


def version_document(url: str) -> dict[str, object]:
    """The version of the identity service at this address."""
    links = [{"rel": "self", "href": f"{url}/v3/"}]
    return {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z", "links": links, "media-types": []}


def moment(seconds: float) -> str:
    """A time as the service writes it."""
    return datetime.fromtimestamp(min(seconds, 253_402_300_799), UTC).strftime(_STAMP)
