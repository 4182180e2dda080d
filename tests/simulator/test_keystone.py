"""Tokens for a project, application credentials, the catalog, and what a token says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from simulator_client import Reply, ask, send

from sync.simulator import ADMIN_ROLES, PROJECT, TOKENS, Application, Keys, Login, Simulator, Viewer, World

LOGIN = Login(
    "reader", "p4ss", domain="acme", project="shop", project_domain="stores", application=Application("app1", "s3cret")
)
KEYS = Keys("AKSIMULATED", "sk-simulated")
LISTS = {"ims": "/v2/cloudimages", "glance": "/v2/images"}
BOTH = pytest.mark.parametrize("simulator", LISTS, indirect=True)
PROJECT_SCOPE = {"project": {"name": "shop", "domain": {"name": "stores"}}}


@pytest.fixture
def simulator(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A cloud of three images, with a user, an application credential and a key pair."""
    with Simulator(World(1, 3, api=getattr(request, "param", "glance")), login=LOGIN, keys=KEYS) as simulator:
        yield simulator


def password(**changes: object) -> dict[str, object]:
    """The identity of a login by password."""
    user = {"name": "reader", "domain": {"name": "acme"}, "password": "p4ss"} | changes
    return {"methods": ["password"], "password": {"user": {name: value for name, value in user.items() if value}}}


def application(**proof: object) -> dict[str, object]:
    """The identity of a login by application credential."""
    return {"methods": ["application_credential"], "application_credential": proof}


def login(simulator: Simulator, identity: object, scope: object = None, *, target: str = TOKENS) -> Reply:
    """Request a token."""
    auth = {"identity": identity} | ({"scope": scope} if scope else {})
    return send(simulator.url, "POST", target, {}, json.dumps({"auth": auth}).encode())


def images(simulator: Simulator, token: str) -> int:
    """The status of a list with this token."""
    return ask(simulator, simulator.world.api.path, token=token).status


def signed(simulator: Simulator, project: str | None) -> Reply:
    """A list signed by the vendor's code for a project."""
    host, path = simulator.url.removeprefix("http://"), simulator.world.api.path
    headers = {"X-Project-Id": project} if project else {}
    request = SdkRequest("GET", "http", host, path, None, [], headers, "")
    request = BasicCredentials(KEYS.access, KEYS.secret, project or "none").sign_request(request)
    return send(simulator.url, "GET", request.uri, request.header_params)


@BOTH
@pytest.mark.parametrize("prefix", ["", "/identity"])
@pytest.mark.parametrize(
    ("identity", "scope"),
    [
        (password(), PROJECT_SCOPE),
        (password(), {"project": {"id": PROJECT}}),
        (password(), {"project": {"name": "shop"}}),
        (password(domain={"id": "1" * 32}), {"project": {"name": "shop", "domain": {"id": "1" * 32}}}),
        (password(name=None, domain=None, id="0" * 32), {"project": {"id": PROJECT}}),
        (application(id="app1", secret="s3cret"), None),
        (application(name="image-sync", user={"name": "reader", "domain": {"name": "acme"}}, secret="s3cret"), None),
    ],
)
def test_a_login_gives_a_token_for_the_project(
    simulator: Simulator, prefix: str, identity: dict[str, Any], scope: object
) -> None:
    """Each right login gives 201, and a token with the project, its domain and the roles, valid for images."""
    reply = login(simulator, identity, scope, target=prefix + TOKENS)
    token = reply.json["token"]

    assert reply.status == 201
    assert token["project"] == {"id": PROJECT, "name": "shop", "domain": {"id": "1" * 32, "name": "stores"}}
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    assert token["user"]["domain"]["name"] == "acme"
    assert token["methods"] == identity["methods"]
    assert images(simulator, reply.headers["X-Subject-Token"]) == 200


@pytest.mark.parametrize(
    ("identity", "scope"),
    [
        (password(password="x"), PROJECT_SCOPE),
        (password(name="x"), PROJECT_SCOPE),
        (password(domain={"name": "stores"}), PROJECT_SCOPE),
        (password(), {"project": {"name": "shop", "domain": {"name": "acme"}}}),
        (password(), {"project": {"name": "other", "domain": {"name": "stores"}}}),
        (password(), {"project": {"id": "3" * 32}}),
        (application(id="app1", secret="x"), None),
        (application(id="app2", secret="s3cret"), None),
        (application(id="app1", secret="s3cret"), PROJECT_SCOPE),
        (application(name="other", user={"name": "reader", "domain": {"name": "acme"}}, secret="s3cret"), None),
        (application(name="image-sync", user={"name": "x", "domain": {"name": "acme"}}, secret="s3cret"), None),
    ],
)
def test_a_wrong_login_gives_none(simulator: Simulator, identity: object, scope: object) -> None:
    """Each wrong part is refused, and so is an application credential that names a scope."""
    reply = login(simulator, identity, scope)

    assert reply.status == 401
    assert "X-Subject-Token" not in reply.headers


@pytest.mark.parametrize(
    "identity",
    [{"methods": []}, {"methods": ["password", "token"]}, {"methods": ["totp"], "totp": {}}, application(id="app1"), 1],
)
def test_an_invalid_login_is_a_bad_request(simulator: Simulator, identity: object) -> None:
    """What is no login gets 400."""
    assert login(simulator, identity).status == 400


@BOTH
@pytest.mark.parametrize("scope", [None, {"domain": {"name": "acme"}}])
def test_a_token_without_a_project_lists_nothing(simulator: Simulator, scope: object) -> None:
    """A token for a domain, or for nothing, has no project, and is refused by lists of a project."""
    reply = login(simulator, password(), scope)

    assert reply.status == 201
    assert "project" not in reply.json["token"]
    assert images(simulator, reply.headers["X-Subject-Token"]) == 401


@BOTH
def test_the_catalog_names_this_server(simulator: Simulator) -> None:
    """The service of images is in the catalog by its type: its public address of the first region leads here."""
    simulator.identity.regions = ("north", "south")
    catalog = login(simulator, password(), PROJECT_SCOPE).json["token"]["catalog"]
    by_type = {service["type"]: service["endpoints"] for service in catalog}
    public = {each["region"]: each["url"] for each in by_type["image"] if each["interface"] == "public"}

    assert by_type.keys() == {"identity", *simulator.world.api.service_types}
    assert public.keys() == {"north", "south"}
    assert public["north"] == simulator.url != public["south"]
    assert by_type["image"][0]["interface"] == "internal"
    assert {each["url"] for each in by_type["image"]} - {simulator.url} == {public["south"]}


def test_the_catalog_can_be_left_out(simulator: Simulator) -> None:
    """``nocatalog`` leaves the catalog out, and a cloud may have no service of images in it."""
    without = login(simulator, password(), PROJECT_SCOPE, target=f"{TOKENS}?nocatalog=true").json["token"]
    empty = login(simulator, password(), PROJECT_SCOPE, target=f"{TOKENS}?nocatalog").json["token"]
    simulator.identity.image_service = False
    poor = login(simulator, password(), PROJECT_SCOPE).json["token"]

    assert "catalog" not in without
    assert "catalog" not in empty
    assert [service["type"] for service in poor["catalog"]] == ["identity"]


@BOTH
def test_a_token_says_what_it_is_for(simulator: Simulator) -> None:
    """``GET /v3/auth/tokens`` gives the same data as the login; a given token has the project of the moment."""
    first = login(simulator, password(), PROJECT_SCOPE)
    token = first.headers["X-Subject-Token"]
    looked = send(simulator.url, "GET", f"/identity{TOKENS}", {"X-Auth-Token": token, "X-Subject-Token": token})
    simulator.identity.viewer = Viewer("9" * 32, ADMIN_ROLES)
    later = send(simulator.url, "GET", TOKENS, {"X-Auth-Token": token, "X-Subject-Token": token})
    given = send(simulator.url, "GET", TOKENS, {"X-Auth-Token": token, "X-Subject-Token": simulator.token})

    assert (looked.status, looked.headers["X-Subject-Token"]) == (200, token)
    assert looked.json["token"] == first.json["token"]
    assert later.json["token"]["project"]["id"] == PROJECT
    assert given.json["token"]["project"]["id"] == "9" * 32
    assert [role["name"] for role in given.json["token"]["roles"]] == ["admin", "member", "reader"]


@pytest.mark.parametrize(
    ("asking", "subject", "status"), [("", "good", 401), ("bad", "good", 401), ("good", "bad", 404), ("good", "", 404)]
)
def test_tokens_that_are_wrong_say_nothing(simulator: Simulator, asking: str, subject: str, status: int) -> None:
    """An unknown token may not ask (401), and nothing is known of an unknown one (404)."""
    words = {"good": simulator.token, "bad": "no-token", "": ""}
    reply = send(simulator.url, "GET", TOKENS, {"X-Auth-Token": words[asking], "X-Subject-Token": words[subject]})

    assert (reply.status, reply.json["error"]["code"]) == (status, status)


def test_a_project_that_changed_sees_its_own(simulator: Simulator) -> None:
    """Credentials of another project see the public images and their own, not those of the first one."""
    before = ask(simulator, LISTS["glance"]).json["images"]
    simulator.identity.viewer = Viewer("9" * 32)
    other = simulator.world.put({"id": "other", "owner": "9" * 32, "visibility": "private"})
    after = ask(simulator, LISTS["glance"]).json["images"]

    assert {image["owner"] for image in before} == {PROJECT}
    assert [image["id"] for image in after] == [other]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the vendor's signer calls datetime.utcnow
@pytest.mark.parametrize("simulator", ["ims"], indirect=True)
def test_signatures_need_the_project(simulator: Simulator) -> None:
    """A signed request is accepted with the id of the project only."""
    right, wrong, none = (signed(simulator, project) for project in (PROJECT, "9" * 32, None))

    assert (right.status, wrong.status, none.status) == (200, 401, 401)
    assert "X-Project-Id" in wrong.json["error_msg"]


def test_versions_lead_to_the_tokens(simulator: Simulator) -> None:
    """The identity service says where its version 3 is, with its path."""
    links = [
        send(simulator.url, "GET", "/identity", {}).json["versions"]["values"][0]["links"],
        send(simulator.url, "GET", "/identity/v3/", {}).json["version"]["links"],
        send(simulator.url, "GET", "/v3", {}).json["version"]["links"],
    ]

    assert [link[0]["href"].removeprefix(simulator.url) for link in links] == ["/identity/v3/", "/identity/v3/", "/v3/"]


def test_secrets_are_in_no_repr() -> None:
    """The repr of an application credential shows no secret."""
    assert "s3cret" not in repr(LOGIN)
