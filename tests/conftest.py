"""Fixtures for all tests: real servers, a simulated cloud, and no access to other machines."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from fault_rules import FaultySimulator
from hypothesis import HealthCheck, settings
from servers import SERVERS, Server, newest, oldest, running

from sync.simulator import Simulator, World
from sync.store.connection import Target

pytest_plugins = ["surroundings"]

# No test is about speed: on a busy machine any of them may take its time.
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")


# Fixtures that are slow to set up: a database server, a browser, another service.
_COSTLY = {"server_newest", "server_oldest", "each_server", "shelf", "finished_folder", "browser", "keystone", "glance"}
_PROCESSES = {"subprocess", "Job", "running"}  # imports of modules whose tests start processes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests without server or process as fast, and run long tests first, so that no worker ends with one."""
    for item in items:
        if isinstance(item, pytest.Function) and _is_fast(item):
            item.add_marker("fast")
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def _is_fast(item: pytest.Function) -> bool:
    if item.get_closest_marker("long") or item.get_closest_marker("image"):
        return False
    return _COSTLY.isdisjoint(item.fixturenames) and _PROCESSES.isdisjoint(vars(item.module))


@pytest.fixture(scope="session")
def server_newest() -> Iterator[Server]:
    """The bundled PostgreSQL."""
    with running(Server(newest())) as server:
        yield server


@pytest.fixture(scope="session")
def server_oldest() -> Iterator[Server]:
    """The oldest supported PostgreSQL on this machine."""
    with running(Server(oldest())) as server:
        yield server


@pytest.fixture
def server(server_newest: Server) -> Server:
    """The server that most tests use."""
    return server_newest


@pytest.fixture(params=["server_newest", "server_oldest"])
def each_server(request: pytest.FixtureRequest) -> Server:
    """Both servers, one after the other."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def target(server: Server) -> Target:
    """A new database with an empty inventory."""
    return Target(server.migrated())


@pytest.fixture(autouse=True)
def drop_databases() -> Iterator[None]:
    """Drop the databases that the test made; those that its module shares were made before."""
    before = {server: server.made for server in SERVERS}
    yield
    for server in SERVERS:
        if server.made > before.get(server, 0):
            with suppress(psycopg.Error):
                server.drop_since(before.get(server, 0))


@pytest.fixture
def cloud() -> Iterator[Simulator]:
    """A simulated cloud of 1,200 images: three pages."""
    with FaultySimulator(World(seed=1, size=1200)) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all settings of the person who runs the tests."""
    for name in list(os.environ):
        if name.startswith(
            ("IMAGE_SYNC_", "HUAWEICLOUD_", "PG", "SSL_CERT_", "SSLKEYLOGFILE")
        ) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that tries to reach another machine."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith("127.") and address[0] != "::1":
            pytest.fail(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)
