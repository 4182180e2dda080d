"""The ways into a real Keystone v3: projects, application credentials, domains apart, a path, and its catalog."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from keystone_server import ATTEMPTS, Keystone, installed
from settings_tools import SUPPORT

from sync.cloud.access import Access
from sync.cloud.retry import RetryPolicy
from sync.domain.scope import Scope
from sync.errors import RejectedError, UnauthorizedError
from sync.settings import load

pytestmark = pytest.mark.long

PASSWORD = "canary p4sswörd"
SERVICE = ("public", "north", "https://image.example.com/image/v2")


@pytest.fixture(scope="module")
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A Keystone with a user of one domain who is a reader in a project of another, and no image service yet."""
    cache = request.config.cache
    assert cache is not None
    server = Keystone(installed(cache.mkdir("keystone")), tmp_path_factory.mktemp("keystone"))
    try:
        people, owner = server.domain("people"), server.domain("owner")
        project = server.project("demo", owner)
        user = server.user("reader", PASSWORD, people, f"projects/{project}", f"domains/{people}")
        yield SimpleNamespace(server=server, people=people, owner=owner, project=project, user=user)
    finally:
        server.stop()


@pytest.fixture
def image_service(cloud: SimpleNamespace) -> Iterator[Callable[..., None]]:
    """A function that adds an image service to the catalog; it is removed afterwards."""
    added: list[str] = []

    def add(*endpoints: tuple[str, str, str], kind: str = "image", name: str = "glance") -> None:
        added.append(cloud.server.service(kind, name, *endpoints))

    yield add
    for service in added:
        cloud.server.ask("DELETE", f"/v3/services/{service}")


def user(cloud: SimpleNamespace, **more: str) -> dict[str, str]:
    """The settings of the user, whose domain is not the project's."""
    own = {"IAM_ENDPOINT": cloud.server.url, "USERNAME": "reader", "PASSWORD": PASSWORD, "USER_DOMAIN": "people"}
    return own | ({} if "PROJECT_ID" in more else {"PROJECT": "demo", "PROJECT_DOMAIN": "owner"}) | more


def access(api: str = "glance", **values: str) -> Access:
    """The way of one run with these variables."""
    environ = {f"IMAGE_SYNC_{name}": value for name, value in {"API": api, **values}.items()}
    return Access(load(environ, apis=SUPPORT).sources[0], RetryPolicy(60, 0))


def token_of(way: Access) -> str:
    """The token of a run."""
    return way.credential.headers("GET", "https://h")["X-Auth-Token"]


@pytest.mark.parametrize("where", ["", "/v3", "/identity", "/identity/v3/"])
def test_a_project_of_another_domain(cloud: SimpleNamespace, where: str) -> None:
    """A user of one domain gets a token of another's project, from an identity service at any path."""
    way = access(**user(cloud, ENDPOINT="https://h", IAM_ENDPOINT=cloud.server.url + where))

    assert way.scope() == Scope(cloud.project, ("reader",))
    assert cloud.server.look_up(token_of(way))["project"]["domain"]["name"] == "owner"


def test_names_and_ids(cloud: SimpleNamespace) -> None:
    """Domains and projects may be given by id as well."""
    ways = [
        user(cloud, PROJECT_ID=cloud.project),
        {**user(cloud), "USER_DOMAIN": "", "PROJECT_DOMAIN": ""},
        {**user(cloud), "USER_DOMAIN": "", "DOMAIN_ID": cloud.people},
    ]
    ways[1] |= {"USER_DOMAIN_ID": cloud.people, "PROJECT_DOMAIN_ID": cloud.owner}
    scopes = [
        access(ENDPOINT="https://h", **{name: value for name, value in way.items() if value}).scope() for way in ways
    ]

    assert scopes == [Scope(cloud.project, ("reader",))] * 3
    with pytest.raises(UnauthorizedError, match="check user name, password, domain and project"):
        access(ENDPOINT="https://h", **user(cloud, PROJECT_DOMAIN="people")).scope()


def test_an_account_for_iec(cloud: SimpleNamespace) -> None:
    """IEC's tokens are for the domain, by name or id, also where the user's is set apart."""
    own = {name: value for name, value in user(cloud).items() if name not in {"PROJECT", "PROJECT_DOMAIN"}}
    by_id = own | {"DOMAIN_ID": cloud.people}
    for values in (own, by_id, own | {"USER_DOMAIN": "people", "DOMAIN": "people"}):
        way = access("iec", ENDPOINT="https://h", **values)
        assert cloud.server.look_up(token_of(way))["domain"]["name"] == "people"
        assert way.scope() == Scope()


def test_application_credentials(cloud: SimpleNamespace) -> None:
    """An application credential logs in for its project, by its id, or by its name and its user."""
    token = token_of(access(**user(cloud, ENDPOINT="https://h")))
    id_, secret = cloud.server.application_credential(cloud.user, token, "inventory")
    common = {
        "ENDPOINT": "https://h",
        "IAM_ENDPOINT": f"{cloud.server.url}/identity",
        "APPLICATION_CREDENTIAL_SECRET": secret,
    }
    by_name = {"APPLICATION_CREDENTIAL_NAME": "inventory", "USERNAME": "reader", "USER_DOMAIN": "people"}
    for own in ({"APPLICATION_CREDENTIAL_ID": id_}, by_name):
        way = access(**common, **own)
        assert way.scope() == Scope(cloud.project, ("reader",))
        assert cloud.server.look_up(token_of(way))["methods"] == ["application_credential"]

    with pytest.raises(UnauthorizedError, match="secret of the application credential") as caught:
        access(**{**common, "APPLICATION_CREDENTIAL_SECRET": "canary"}, APPLICATION_CREDENTIAL_ID=id_).scope()
    assert "canary" not in str(caught.value)


def test_a_catalog_without_an_image_service(cloud: SimpleNamespace) -> None:
    """The error names the services that there are, and the setting to give."""
    with pytest.raises(RejectedError, match="has no image service, only identity; set endpoint to its address"):
        access(**user(cloud)).endpoint()


def test_the_endpoint_in_the_catalog(cloud: SimpleNamespace, image_service: Callable[..., None]) -> None:
    """The endpoint is the catalog's, of the interface and region that are set; several regions need a choice."""
    image_service(
        SERVICE, ("internal", "north", "http://10.0.0.1:9292"), ("public", "south", "https://south.example.com")
    )

    assert access(**user(cloud, REGION="north")).endpoint() == "https://image.example.com/image"
    assert access(**user(cloud, REGION="south")).endpoint() == "https://south.example.com"
    with pytest.raises(RejectedError, match="in several regions; set region to one of north, south"):
        access(**user(cloud)).endpoint()
    with pytest.raises(RejectedError, match="no image service in region west; set region to one of north, south"):
        access(**user(cloud, REGION="west")).endpoint()
    with pytest.raises(RejectedError, match="plain http"):
        access(**user(cloud, INTERFACE="internal")).endpoint()


def test_a_service_by_its_name(cloud: SimpleNamespace, image_service: Callable[..., None]) -> None:
    """IMS is found by its type or its name."""
    image_service(SERVICE, kind="imagev2", name="ims")

    assert access("ims", **user(cloud)).endpoint() == "https://image.example.com/image"
    with pytest.raises(RejectedError, match="only identity, imagev2"):
        access("glance", **user(cloud)).endpoint()


def test_a_given_token(cloud: SimpleNamespace, image_service: Callable[..., None]) -> None:
    """Project, roles and catalog of a token that the user gives are looked up with the token itself."""
    image_service(SERVICE)
    token = token_of(access(**user(cloud, ENDPOINT="https://h")))
    way = access(TOKEN=token, IAM_ENDPOINT=cloud.server.url, PROJECT_ID=cloud.project)

    assert way.endpoint() == "https://image.example.com/image"
    assert way.scope() == Scope(cloud.project, ("reader",))
    with pytest.raises(RejectedError, match=f"for the project {cloud.project}, not for project_id other"):
        access(TOKEN=token, IAM_ENDPOINT=cloud.server.url, PROJECT_ID="other").scope()
    with pytest.raises(UnauthorizedError, match="refuses the token; renew it"):
        access(TOKEN=token[:-4] + "AAAA", IAM_ENDPOINT=cloud.server.url).scope()


def test_a_given_token_of_a_domain(cloud: SimpleNamespace) -> None:
    """A token of a domain lists no project's images."""
    own = {name: value for name, value in user(cloud).items() if name not in {"PROJECT", "PROJECT_DOMAIN"}}
    token = token_of(access("iec", ENDPOINT="https://h", **own))

    with pytest.raises(RejectedError, match="for no project, but OpenStack Glance lists the images of one"):
        access(TOKEN=token, ENDPOINT="https://h", IAM_ENDPOINT=cloud.server.url).scope()


def test_a_role_that_is_given_during_a_run(cloud: SimpleNamespace) -> None:
    """A user who gets the role admin while a run logs in again sees other images: the run ends, the next says so."""
    people = cloud.server.user("rising", PASSWORD, cloud.people, f"projects/{cloud.project}")
    way = access(**user(cloud, ENDPOINT="https://h", USERNAME="rising"))
    first = way.credential.headers("GET", "https://h")
    assert way.scope().text() == f"project={cloud.project}&roles=reader"
    cloud.server.give_role(people, "admin", f"projects/{cloud.project}")
    time.sleep(1.1)  # Keystone's times have seconds
    way.credential.renew(first)

    with pytest.raises(RejectedError, match="project or roles of the token changed during the run"):
        way.credential.headers("GET", "https://h")
    later = access(**user(cloud, ENDPOINT="https://h", USERNAME="rising")).scope()
    assert later.sees_all
    assert set(later.roles) >= {"admin", "reader"}


def test_a_wrong_password_locks_no_user_of_many_projects(cloud: SimpleNamespace) -> None:
    """Keystone locks a user after three wrong passwords; many sources of the user, for a project each, send fewer."""
    names = [f"project-{number}" for number in range(2 * ATTEMPTS)]
    scopes = [f"projects/{cloud.server.project(name, cloud.owner)}" for name in names]
    cloud.server.user("careful", PASSWORD, cloud.people, *scopes[1:])
    own = user(cloud, ENDPOINT="https://h", USERNAME="careful")
    for name in names:
        with pytest.raises(UnauthorizedError):
            access(**own | {"PROJECT": name, "PASSWORD": "canary-wrong"}).scope()
    with pytest.raises(UnauthorizedError):
        access(**own | {"PROJECT": names[0]}).scope()

    assert all(access(**own | {"PROJECT": name}).scope().roles == ("reader",) for name in names[1:])
