"""Every kind of credentials reads the list of every API that takes it, from the catalog's address where there is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fault_rules import FaultySimulator
from settings_tools import SUPPORT

from sync.cloud.retry import RetryPolicy
from sync.cloud.session import open_session
from sync.domain.apis import APIS
from sync.settings import Source, load
from sync.simulator import Keys, Simulator, World
from sync.simulator.keystone import Application, Login

LOGIN = Login("reader", "p4ss", "acme", "demo", project_domain="other", application=Application("a1", "s3cret"))
USER = {"USERNAME": "reader", "PASSWORD": "p4ss", "DOMAIN": "acme"}
APPLICATION = {"APPLICATION_CREDENTIAL_ID": "a1", "APPLICATION_CREDENTIAL_SECRET": "s3cret"}
KEYS = {"ACCESS_KEY": "AK", "SECRET_KEY": "sk"}
BY_API = {
    "iec": [{"TOKEN": "t"}, USER, KEYS],
    "ims": [{"TOKEN": "t"}, USER, APPLICATION, KEYS],
    "glance": [{"TOKEN": "t"}, USER, APPLICATION],
}


@pytest.fixture(params=APIS)
def cloud(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A simulated cloud of each API, which knows all credentials."""
    world = World(seed=1, size=30, api=request.param)
    with FaultySimulator(world, token="t", login=LOGIN, keys=Keys("AK", "sk")) as simulator:
        yield simulator


def source(cloud: Simulator, own: dict[str, str]) -> Source:
    """A source with these credentials; its endpoint is left out where the catalog can name it."""
    api = cloud.world.api
    values = {"API": api.name, **own}
    if own is not KEYS:
        values["IAM_ENDPOINT"] = f"{cloud.url}/identity/v3"
    if own is KEYS or not api.project_scoped:
        values["ENDPOINT"] = cloud.url
    if api.project_scoped and own is KEYS:
        values["PROJECT_ID"] = cloud.identity.viewer.project
    if api.project_scoped and own is USER:
        values |= {"PROJECT": "demo", "PROJECT_DOMAIN": "other"}
    return load({f"IMAGE_SYNC_{name}": value for name, value in values.items()}, apis=SUPPORT).sources[0]


@pytest.mark.parametrize("number", range(4))
def test_the_list_can_be_read(cloud: Simulator, number: int) -> None:
    """The list holds images, and the scope is the project's, with its roles where an identity service tells them."""
    kinds = BY_API[cloud.world.api.name]
    own = kinds[min(number, len(kinds) - 1)]
    with open_session(source(cloud, own), RetryPolicy(60, 2)) as session:
        assert session.images.peek().images
        text = session.scope().text()

    project = cloud.identity.viewer.project
    assert text.startswith(f"project={project}") == cloud.world.api.project_scoped
    assert ("roles=" in text) == (cloud.world.api.project_scoped and own is not KEYS)
