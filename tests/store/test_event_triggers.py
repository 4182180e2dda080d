"""An event trigger that keeps a run from making temporary tables, or a migration from its DDL, is named."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from cli_tools import ask
from obstacle_tools import LOGS, RAISES, SLEEPS, add_event_trigger, errand
from servers import Server
from store_tools import Edge

from sync import runner, wiring
from sync.errors import DatabaseRefusedError, StoreError
from sync.store.connection import Target
from sync.store.runs.dry_run import DryRun
from sync.store.schema import migrate


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """An inventory, and a role that syncs it and owns nothing."""
    with Edge(each_server) as edge:
        edge.run()
        edge.world.change(1)
        with errand(edge):
            yield edge


@pytest.mark.parametrize(
    ("body", "event", "kind", "text"),
    [
        (RAISES, "ddl_command_start", StoreError, "no DDL on Fridays"),
        (RAISES, "ddl_command_end", StoreError, "no DDL on Fridays"),
        (LOGS, "ddl_command_start", DatabaseRefusedError, "permission denied for table ddl_log"),
    ],
    ids=["raises", "raises at the end", "may not"],
)
def test_a_run(edge: Edge, body: str, event: str, kind: type[StoreError], text: str) -> None:
    """The run fails with the trigger's name and on record, without advice about the inventory's own privileges."""
    add_event_trigger(edge.connection, body, event)
    with pytest.raises(kind) as caught:
        edge.run_by(edge.url.replace("owner@", "errand@"))
    sentence = str(caught.value)

    assert f"while staging the changes: {text}; this comes from the event trigger audit of DDL: " in sentence
    assert "temporary tables" in sentence
    assert "grant" not in sentence
    assert "unrelated" not in sentence
    assert (edge.record["status"], edge.record["reason"]) == ("failed", sentence)
    edge.do('ALTER EVENT TRIGGER "audit of DDL" DISABLE')
    assert edge.run_by(edge.url.replace("owner@", "errand@")).plan.updated == 1


def test_a_plan(edge: Edge) -> None:
    """A plan, which stages changes as well, says the same."""
    add_event_trigger(edge.connection, RAISES)
    with (
        DryRun(edge.target) as store,
        wiring.parts(edge.inventory.source, store, edge.inventory.stop) as parts,
        pytest.raises(StoreError, match="event trigger audit of DDL"),
    ):
        runner.sync(parts, "plan")


def test_a_slow_trigger(edge: Edge) -> None:
    """A trigger that takes too long is named beside the advice about the time-out."""
    add_event_trigger(edge.connection, SLEEPS)
    edge.inventory._target = Target(edge.url, statement_timeout=0.3)
    with pytest.raises(StoreError, match="raise statement_timeout; it was in the event trigger audit of DDL"):
        edge.inventory.run()


def test_a_migration(each_server: Server) -> None:
    """A migration that a trigger refuses names it, and changes nothing."""
    url = each_server.empty()
    with psycopg.connect(url, autocommit=True) as owner:
        add_event_trigger(owner, RAISES)
    with pytest.raises(StoreError, match="no DDL on Fridays; this comes from the event trigger audit of DDL"):
        migrate.upgrade(Target(url))

    assert ask(url, "SELECT to_regnamespace('inventory')") is None


def test_other_functions_are_no_event_triggers(edge: Edge) -> None:
    """An error of an ordinary trigger keeps its own sentence."""
    add_event_trigger(edge.connection, "PERFORM 1")
    edge.do("CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$")
    edge.do("CREATE TRIGGER no BEFORE UPDATE ON inventory.images FOR EACH ROW EXECUTE FUNCTION public.no()")
    error = edge.fails(StoreError)

    assert "event trigger" not in str(error)
