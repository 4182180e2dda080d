"""The checks, on images of each API: what one API says otherwise than another is found all the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from cloud_tools import Inventory
from fault_rules import FaultySimulator
from servers import Server

from sync.checks.run import checks, find, systems
from sync.domain.apis import APIS
from sync.settings import Token
from sync.settings.secret import Secret
from sync.simulator import World
from sync.simulator.viewer import PROJECT
from sync.store.connection import Target
from sync.store.queries.inventory import inventory

LONG_AGO = {"updated_at": "2020-01-01T00:00:00Z"}
GOOD: dict[str, Any] = {
    "status": "active",
    "owner": PROJECT,
    "visibility": "private",
    "protected": True,
    "created_at": "2999-01-01T00:00:00Z",
    "updated_at": "2999-01-01T00:00:00Z",
}
HUAWEI = {"__imagetype": "private", "__isregistered": "true", "hw_firmware_type": "uefi", "__os_version": "Debian 99"}
GLANCE = {"os_hidden": False, "tags": [], "os_distro": "debian", "os_version": "99"}


class Cloud:
    """A cloud of one API, and its inventory."""

    def __init__(self, server: Server, api: str) -> None:
        self.target = Target(server.migrated())
        self.simulator = FaultySimulator(World(3, 0, api=api))
        self.good = GOOD | (GLANCE if api == "glance" else HUAWEI)
        self.inventory = Inventory(self.target, self.simulator, api=api)

    def put(self, key: str, **changes: Any) -> None:
        """Add an image that no check finds, except for the given changes; ``...`` leaves a field out."""
        whole = {"id": key, "name": key} | self.good | changes
        self.simulator.world.put({name: value for name, value in whole.items() if value is not ...})

    def found(self) -> set[tuple[str, str]]:
        """The checks that find an image, each with its id, after a run."""
        self.inventory.run(credentials=Token(token=Secret(self.simulator.token), project_id=PROJECT))
        with inventory(self.target) as reader:
            return {(one.check, one.id) for one in find(reader, checks(), systems(), reader.settled(), None)}


@pytest.fixture
def cloud(request: pytest.FixtureRequest, server: Server) -> Iterator[Cloud]:
    """A cloud with one image that no check finds."""
    cloud = Cloud(server, request.param)
    with cloud.simulator:
        cloud.put("good")
        yield cloud


def of(*apis: str) -> pytest.MarkDecorator:
    """Run a test on a cloud of each of these APIs."""
    return pytest.mark.parametrize("cloud", apis, indirect=True)


@of(*APIS)
def test_a_good_image_is_found_by_no_check(cloud: Cloud) -> None:
    """What an API does not have at all is no finding."""
    assert cloud.found() == set()


@of("iec", "ims")
def test_end_of_life_by_the_version(cloud: Cloud) -> None:
    """IEC and IMS give the operating system as one text."""
    cloud.put("old", __os_version="CentOS 7.9 64bit")
    cloud.put("new", __os_version="CentOS 70 64bit")
    cloud.put("windows", __os_version="Windows Server 2012 R2 Datacenter 64bit")

    assert cloud.found() == {("end-of-life", "old"), ("end-of-life", "windows")}


@of("glance")
def test_end_of_life_by_distribution_and_version(cloud: Cloud) -> None:
    """Glance has properties of their own for the distribution and its version, in lower case."""
    ended = {
        "centos-7": ("centos", "7.9"),
        "rhel-7": ("rhel", "7"),
        "ubuntu-18": ("ubuntu", "18.04"),
        "sles-12": ("sles", "12.5"),
        "sles-15.3": ("sles", "15.3"),
        "opensuse-15.4": ("opensuse", "15.4"),
        "fedora-38": ("fedora", "38"),
        "windows-2012": ("windows", "2012 R2"),
    }
    others = {
        "centos-70": ("centos", "70"),
        "sles-15.99": ("sles", "15.99"),
        "windows": ("windows", ...),
        "nameless": (..., "7.9"),
    }
    for key, (distribution, version) in (ended | others).items():
        cloud.put(key, os_distro=distribution, os_version=version)

    assert cloud.found() == {("end-of-life", key) for key in ended}


@of(*APIS)
def test_only_a_cloud_that_wants_a_firmware_type_is_asked_for_one(cloud: Cloud) -> None:
    """OpenStack boots an image without a firmware type by BIOS, so it lacks nothing."""
    cloud.put("none", hw_firmware_type=...)

    assert cloud.found() == (set() if cloud.inventory.source.api == "glance" else {("no-firmware", "none")})


@of("iec", "ims")
def test_unprotected_images_of_the_private_type(cloud: Cloud) -> None:
    """Only one's own images can be protected: not the vendor's, nor those that others share."""
    cloud.put("mine", protected=False)
    cloud.put("gold", protected=False, __imagetype="gold", visibility="public")
    cloud.put("theirs", protected=False, __imagetype="shared", visibility="shared")

    assert cloud.found() == {("private-unprotected", "mine")}


@of("glance")
def test_unprotected_private_and_shared_images(cloud: Cloud) -> None:
    """Glance has no type; shared is what an image is that nobody was given, too."""
    for visibility in ("private", "shared", "community", "public"):
        cloud.put(visibility, visibility=visibility, protected=False)

    assert cloud.found() == {("private-unprotected", "private"), ("private-unprotected", "shared")}


@of(*APIS)
def test_images_that_are_stuck(cloud: Cloud) -> None:
    """Each state in which an image is not usable yet counts, and none in which it is, or never will be."""
    states = set(next(field for field in APIS[cloud.inventory.source.api].fields if field.api == "status").choices)
    for status in states:
        cloud.put(status, status=status, **LONG_AGO)

    stuck = {id for check, id in cloud.found() if check == "stuck"}
    assert stuck == states & {"queued", "saving", "uploading", "importing"}


@of("glance")
def test_each_step_towards_public_is_found(cloud: Cloud) -> None:
    """From private to shared, community and public, more projects see an image; on the way back, fewer do."""
    steps = ["private", "shared", "community", "public"]
    for before, after in pairwise(steps):
        cloud.put(f"{before}-{after}", visibility=before)
        cloud.put(f"{after}-{before}", visibility=after)
    cloud.found()
    for before, after in pairwise(steps):
        cloud.put(f"{before}-{after}", visibility=after)
        cloud.put(f"{after}-{before}", visibility=before)

    assert cloud.found() == {("exposure-widened", f"{a}-{b}") for a, b in pairwise(steps)}
