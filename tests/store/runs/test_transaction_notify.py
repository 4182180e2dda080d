"""``LISTEN inventory_changes``: each committed change is announced once, and nothing uncommitted is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import effects
import psycopg
import pytest
from proxy import Lose, Proxy, lose_once
from servers import Server
from store_tools import Edge

from sync.domain.values import iso
from sync.errors import ForbiddenError, StoreError

WAIT = 5.0  # seconds; only a failing test waits this long
QUIET = 0.3  # seconds of silence are enough, as the server notifies at once


class Listener:
    """A program that listens on the channel."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute("LISTEN inventory_changes")

    def hears(self, count: int) -> list[dict[str, Any]]:
        """Wait for this many messages, and return them with any that follow soon after."""
        messages = list(self.connection.notifies(timeout=WAIT, stop_after=count)) if count else []
        messages += list(self.connection.notifies(timeout=QUIET))
        assert all(len(each.payload) < 8_000 for each in messages)
        return [json.loads(each.payload) for each in messages]


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """Forty images, not yet loaded."""
    with Edge(each_server) as edge:
        yield edge


@pytest.fixture
def listener(edge: Edge) -> Iterator[Listener]:
    """A listener on the database."""
    listener = Listener(edge.url)
    yield listener
    listener.connection.close()


def test_a_run_with_changes_is_announced(edge: Edge, listener: Listener) -> None:
    """A run with changes is announced once, with its counts and the moment it took effect."""
    outcome = edge.run()
    (message,) = listener.hears(1)

    assert outcome.effective_at is not None
    assert message == {
        "version": 1,
        "source": outcome.source,
        "run": outcome.run,
        "effective_at": iso(outcome.effective_at),
        "proven": True,
        "created": 40,
        "updated": 0,
        "restored": 0,
        "deleted": 0,
        "invisible": 0,
        "held": 0,
        "quarantined": 0,
    }
    edge.world.change(3)
    edge.world.delete(2)
    plan = edge.run().plan
    (message,) = listener.hears(1)
    assert (message["updated"], message["deleted"]) == (plan.updated, plan.deleted)
    assert plan.deleted == 2


def test_a_run_without_changes_is_not_announced(edge: Edge, listener: Listener) -> None:
    """A run that changed nothing, only held deletions, failed, or lost its commit is not announced."""
    edge.run()
    listener.hears(1)
    edge.run()
    edge.world.delete(30)
    edge.run()
    edge.cloud.faults.add(effects.status(403), times=None)
    edge.fails(ForbiddenError)
    edge.cloud.faults.clear()
    edge.world.create(2)
    with Proxy(edge.url) as proxy:
        proxy.before = lose_once("^COMMIT$", Lose.REQUEST)
        with pytest.raises(StoreError):
            edge.run_by(proxy.url)

    assert listener.hears(0) == []


def test_a_commit_without_an_answer_is_announced_once(edge: Edge, listener: Listener) -> None:
    """A committed run is announced once, even if the answer to COMMIT is lost."""
    with Proxy(edge.url) as proxy:
        proxy.before = lose_once("^COMMIT$", Lose.REPLY)
        outcome = edge.run_by(proxy.url)

    assert [each["run"] for each in listener.hears(1)] == [outcome.run]
