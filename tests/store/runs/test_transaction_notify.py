"""``LISTEN inventory_changes``: what a program that listens is told, and that nothing is told that was not committed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import effects
import psycopg
import pytest
from proxy import Lose, Passing, Proxy
from servers import Server
from store_tools import Edge

from sync.domain.image import iso
from sync.errors import ForbiddenError, StoreError

WAIT = 5.0  # seconds; only a test that fails waits so long
QUIET = 0.3  # seconds of silence that are enough, as the server tells at once


class Listener:
    """A program that listens."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute("LISTEN inventory_changes")

    def hears(self, count: int) -> list[dict[str, Any]]:
        """So many messages, and no more."""
        told = list(self.connection.notifies(timeout=WAIT, stop_after=count)) if count else []
        told += list(self.connection.notifies(timeout=QUIET))
        assert all(len(each.payload) < 8_000 for each in told)
        return [json.loads(each.payload) for each in told]


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """Forty images, not yet loaded."""
    with Edge(each_server) as made:
        yield made


@pytest.fixture
def listener(edge: Edge) -> Iterator[Listener]:
    """Listens to the database."""
    made = Listener(edge.url)
    yield made
    made.connection.close()


def test_a_run_that_changed_something_is_told(edge: Edge, listener: Listener) -> None:
    """Once, with its numbers and the moment that the history has, after all of it can be read."""
    outcome = edge.run()
    (told,) = listener.hears(1)

    assert outcome.effective_at is not None
    assert told == {
        "version": 1,
        "source": outcome.source,
        "run": outcome.run,
        "effective_at": iso(outcome.effective_at),
        "proven": True,
        "created": 40,
        "updated": 0,
        "restored": 0,
        "deleted": 0,
        "held": 0,
        "quarantined": 0,
    }
    edge.world.change(3)
    edge.world.delete(2)
    plan = edge.run().plan
    (told,) = listener.hears(1)
    assert (told["updated"], told["deleted"]) == (plan.updated, plan.deleted)
    assert plan.deleted == 2


def test_a_run_that_changed_nothing_is_not_told(edge: Edge, listener: Listener) -> None:
    """Nor one that only held deletions, one that failed, or one that lost its commit on the way."""
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
        proxy.before = AtCommit(Lose.REQUEST)
        with pytest.raises(StoreError):
            edge.run_by(proxy.url)

    assert listener.hears(0) == []


def test_a_lost_answer_to_commit_is_told_once(edge: Edge, listener: Listener) -> None:
    """The transaction was there: so is the message."""
    with Proxy(edge.url) as proxy:
        proxy.before = AtCommit(Lose.REPLY)
        outcome = edge.run_by(proxy.url)

    assert [each["run"] for each in listener.hears(1)] == [outcome.run]


class AtCommit:
    """Loses the request, or the answer, of the COMMIT that follows a fence: that of the writing transaction."""

    def __init__(self, lose: Lose) -> None:
        self._lose, self._fenced = lose, False

    def __call__(self, passing: Passing) -> Lose | None:
        """A statement passes."""
        if "SET epoch" in passing.statement:
            self._fenced = True
        elif self._fenced and passing.statement == "COMMIT":
            self._fenced = False
            return self._lose
        return None
