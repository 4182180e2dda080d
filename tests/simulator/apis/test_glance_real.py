"""The simulated Glance answers as a real one does that has the same images."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from glance_account import GlanceAccount
from glance_server import Glance
from simulator_client import ask

from sync.simulator import ADMIN_ROLES, Simulator, Viewer, World

pytest_plugins = ["openstack_fixtures"]

LIST = "/v2/images"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
Answer = tuple[int, object, object]


@dataclass(frozen=True)
class Pair:
    """A project in a real Glance, a simulated one with the same images, and the ids of these by what they are."""

    account: GlanceAccount
    simulator: Simulator
    names: dict[str, str]
    admin: GlanceAccount
    admin_simulator: Simulator

    def real(self, target: str, *, admin: bool = False) -> Answer:
        """The answer of the real one."""
        answer = (self.admin if admin else self.account).ask(target)
        return summary(answer.status_code, answer.content)

    def simulated(self, target: str, *, admin: bool = False) -> Answer:
        """The answer of the simulated one."""
        reply = ask(self.admin_simulator if admin else self.simulator, target)
        return summary(reply.status, reply.body)


def summary(status: int, body: bytes) -> Answer:
    """Status, images and the rest of an answer; of an error its sentence."""
    if status != 200:
        found = re.search(r"</h1>\s*(.*?)<br", body.decode(), re.DOTALL)
        return status, found and found.group(1), None
    document: dict[str, Any] = json.loads(body)
    if "images" not in document:
        return status, document["id"], None
    return status, [image["id"] for image in document.pop("images")], document


@pytest.fixture(scope="module")
def pair(glance: Glance) -> Iterator[Pair]:
    """Images of two projects in all states in which they differ for the first one."""
    own, other = glance.account(), glance.account()
    world = World(1, 0, api="glance")
    world.viewer = Viewer(own.project)
    names = {**own_images(own), **other_images(own, other)}
    for what, name in names.items():
        document = (own if what.startswith("own") or what in SHARED else other).show(name)
        world.put(document, status=SHARED.get(what, ""))
    names["deleted"] = own.create()
    own.delete(names["deleted"])
    names |= {"own project": own.project, "other project": other.project}
    admin = glance.account(own.project, role="admin")
    viewer = Viewer(own.project, ADMIN_ROLES)
    with Simulator(world, viewer=world.viewer) as simulator, Simulator(world, viewer=viewer) as admin_simulator:
        yield Pair(own, simulator, names, admin, admin_simulator)


SHARED = {"accepted": "accepted", "pending": "pending", "rejected": "rejected"}


def own_images(account: GlanceAccount) -> dict[str, str]:
    """The images of the project itself."""
    names = {
        "own queued": account.create(name="b", tags=["x"], os_distro="debian", min_disk=20),
        "own active": account.create(name="a", tags=["x", "y"], os_distro="debian"),
        "own hidden": account.create(name="c", os_hidden=True, os_distro="debian"),
        "own private": account.create(name="d", visibility="private", protected=True),
        "own community": account.create(name="e", visibility="community"),
        "own deactivated": account.create(name="a"),
    }
    account.upload(names["own active"], b"four")
    account.upload(names["own deactivated"], b"sixsix")
    account.deactivate(names["own deactivated"])
    return names


def other_images(account: GlanceAccount, other: GlanceAccount) -> dict[str, str]:
    """Images of another project, some of them shared with the first one."""
    names = {what: other.create(name=what) for what in (*SHARED, "unshared")}
    names |= {what: other.create(name=what, visibility=what) for what in ("private", "community")}
    for what, status in SHARED.items():
        other.share(names[what], account.project)
        if status != "pending":
            account.accept(names[what], status)
    return names


LISTS = (
    *("", "limit=0", "limit=3", "limit=2&marker={own queued}", "limit=100&marker={own active}"),
    *("limit=-1", "limit=x", "limit=", "limit=3&unknown=1"),
    *("visibility=all", "visibility=community", "visibility=private", "visibility=shared", "visibility=mine"),
    *("member_status=pending", "member_status=all", "member_status=rejected", "member_status=accepted"),
    *("member_status=none", "visibility=shared&member_status=all", "visibility=all&member_status=all"),
    *("os_hidden=true", "os_hidden=True", "os_hidden=false", "os_hidden=maybe"),
    *("os_hidden=true&visibility=all", "os_distro=debian", "os_distro=Debian", "offset=10"),
    *("tag=x", "tag=x&tag=y", "tag=z", "name=a", "name=in:a,b", "status=queued", "status=in:queued,active"),
    *("status=deactivated", "status=deleted", "status=killed", "min_disk=20", "size_min=5", "size_max=5"),
    *("size_min=x", "protected=true", "protected=false", "protected=True", "container_format=bare", "disk_format=raw"),
    *("id={own active}", "id={own hidden}", "id=in:{own active},{own hidden},{accepted}", "id={community}"),
    *("created_at=gte:2020-01-01T00:00:00Z", "created_at=lt:2020-01-01T00:00:00Z", "created_at=gt:yesterday"),
    *("updated_at=neq:2020-01-01T00:00:00Z", "owner={unshared}", "self=x", "file=x", "checksum=x"),
    *("marker={deleted}", "marker={private}", "marker={unshared}", "marker=nowhere", f"marker={UNKNOWN}"),
    *("marker={own hidden}", "marker={community}", "marker={pending}", "marker={rejected}", "marker={own community}"),
    *("status=queued&marker={own active}", "os_hidden=true&marker={own active}", "marker="),
)


@pytest.mark.parametrize("query", LISTS)
def test_lists_are_those_of_a_real_one(pair: Pair, query: str) -> None:
    """A list has the same status, images in the same order, links and errors."""
    for order in ("sort=id:asc", "sort_key=id&sort_dir=desc"):
        target = f"{LIST}?{query}{'&' if query else ''}{order}".format(**pair.names)

        assert pair.simulated(target) == pair.real(target)


@pytest.mark.parametrize(
    "order",
    [
        "sort=name:asc,id:desc",
        "sort=name,id:asc",
        "sort=size:asc,id:asc",
        "sort=status:desc,id:asc",
        "sort_key=name&sort_key=id&sort_dir=asc",
        "sort_key=name&sort_key=id&sort_dir=asc&sort_dir=desc",
        "sort_key=name&sort_key=id&sort_dir=asc&sort_dir=desc&sort_dir=asc",
        "sort=owner:asc",
        "sort=id:up",
        "sort_key=owner",
        "sort_key=id&sort_dir=up",
        "sort=id:asc&sort_key=id",
        "sort=id:asc&sort_dir=asc",
    ],
)
def test_orders_are_those_of_a_real_one(pair: Pair, order: str) -> None:
    """An order gives the same list, and each page the one after its marker."""
    target = f"{LIST}?{order}"

    assert pair.simulated(target) == pair.real(target)
    marked = f"{target}&marker={pair.names['own active']}"
    assert pair.simulated(marked) == pair.real(marked)


def test_single_images_are_those_of_a_real_one(pair: Pair) -> None:
    """Each image can be asked for by its id by the same projects, and the same error says that it can't."""
    for name in (*pair.names.values(), UNKNOWN, "nowhere"):
        target = f"{LIST}/{name}"

        assert pair.simulated(target) == pair.real(target)
        assert pair.simulated(target, admin=True) == pair.real(target, admin=True)


@pytest.mark.parametrize("query", ["", "&visibility=all", "&os_hidden=true", "&visibility=shared", "&marker={private}"])
@pytest.mark.parametrize("owner", ["own project", "other project"])
def test_an_administrators_lists_are_those_of_a_real_one(pair: Pair, owner: str, query: str) -> None:
    """Of each project, an administrator sees the same images."""
    target = f"{LIST}?owner={pair.names[owner]}&sort=id:asc{query}".format(**pair.names)

    assert pair.simulated(target, admin=True) == pair.real(target, admin=True)


def test_a_wrong_token_is_refused_as_by_a_real_one(pair: Pair, glance: Glance) -> None:
    """Status, form and challenge are the same."""
    real = httpx.get(f"{glance.url}{LIST}", headers={"X-Auth-Token": "wrong"}, trust_env=False)
    simulated = ask(pair.simulator, LIST, token="wrong")

    assert simulated.status == real.status_code == 401
    assert b"<h1>401 Unauthorized</h1>" in simulated.body
    assert b"<h1>401 Unauthorized</h1>" in real.content
    assert simulated.headers["Content-Type"] == real.headers["Content-Type"]
    for challenge in (simulated.headers["WWW-Authenticate"], real.headers["WWW-Authenticate"]):
        assert re.fullmatch(r'Keystone uri="http://[^"]+"', challenge)
    assert "x-openstack-request-id" not in real.headers
    assert "x-openstack-request-id" not in simulated.headers
    assert re.fullmatch(r"req-[0-9a-f-]{36}", pair.account.ask(LIST).headers["x-openstack-request-id"])
