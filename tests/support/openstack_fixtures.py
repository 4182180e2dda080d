"""A plugin with a running Glance, beside its Keystone; each worker has its own, from its first test that uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from glance_account import GlanceAccount
from glance_server import Glance
from keystone_server import Keystone
from openstack_install import installed


@pytest.fixture(scope="session")
def glance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glance]:
    """A running Glance; its environment is installed once and kept."""
    cache = request.config.cache
    assert cache is not None
    python = installed(cache.mkdir("keystone"))
    with ExitStack() as started:
        keystone = Keystone(python, tmp_path_factory.mktemp("keystone"))
        started.callback(keystone.stop)
        server = Glance(python, tmp_path_factory.mktemp("glance"), keystone)
        started.callback(server.stop)
        yield server


@pytest.fixture
def account(glance: Glance) -> GlanceAccount:
    """A member of a new project."""
    return glance.account()
