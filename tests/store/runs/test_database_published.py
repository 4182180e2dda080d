"""Runs and prunings work where every table is published, and the copy takes over once its sequence is set."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from cli_tools import ask, column, until
from invariants import check
from servers import Server, newest, running
from store_tools import Edge

from sync.errors import StoreError
from sync.store import approvals, pruning
from sync.store.connection import Target

TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'inventory'::regnamespace AND relkind = 'r' ORDER BY 1"


@pytest.fixture(scope="module")
def publisher() -> Iterator[Server]:
    """A server with logical replication."""
    with running(Server(newest())) as server:
        with psycopg.connect(server.url(), autocommit=True) as owner:
            owner.execute("ALTER SYSTEM SET wal_level = logical")
        server.stop("fast")
        server.resume()
        yield server


def story(edge: Edge) -> None:
    """Runs that insert and update in each table, and a pruning, which deletes."""
    edge.run()
    edge.world.churn(10)
    edge.world.put({"id": "odd", "brand_new": 1})
    edge.world.put(b'{"id":"broken","name":"\\u0000"}')
    edge.run()
    gone = edge.world.delete(16)
    edge.run()
    approvals.approve(edge.target, edge.record["run"], "me")
    approvals.remember(edge.target, "me", None, edge.value("SELECT clock_timestamp()"))
    edge.run()
    edge.world.restore(len(gone))
    edge.run()
    assert pruning.prune(edge.target, pruning.ago(edge.target, 0), "me", remove=True)[0].versions
    assert edge.value("SELECT count(*) FROM inventory.held_deletions WHERE outcome = 'deleted'") == 16


def subscribe(edge: Edge, copy: str) -> None:
    """Let another database of the server follow this one."""
    edge.do("SELECT pg_create_logical_replication_slot('to_copy', 'pgoutput')")
    with psycopg.connect(copy, autocommit=True) as owner:
        owner.execute("TRUNCATE inventory.alembic_version")  # comes from the publisher
        owner.execute(
            f"CREATE SUBSCRIPTION s CONNECTION '{edge.url}' PUBLICATION p "  # type: ignore[arg-type]
            "WITH (create_slot = false, slot_name = to_copy)"
        )
    until(lambda: not column(copy, "SELECT 1 FROM pg_subscription_rel WHERE srsubstate <> 'r'"))


def unsubscribe(copy: str) -> None:
    """Make the copy a database of its own."""
    with psycopg.connect(copy, autocommit=True) as owner:
        owner.execute("ALTER SUBSCRIPTION s DISABLE")
        until(lambda: not column(copy, "SELECT 1 FROM pg_stat_subscription WHERE pid IS NOT NULL"))
        owner.execute("ALTER SUBSCRIPTION s SET (slot_name = NONE)")
        owner.execute("DROP SUBSCRIPTION s")


@pytest.mark.parametrize("what", ["ALL TABLES", "TABLES IN SCHEMA inventory"])
def test_published_tables(publisher: Server, what: str) -> None:
    """UPDATE and DELETE of every table pass with a publication of all tables, or of the schema."""
    with Edge(publisher) as edge:
        edge.do(f"CREATE PUBLICATION p FOR {what}")
        story(edge)

        assert check(edge.connection) == []


def test_a_copy_that_takes_over(publisher: Server) -> None:
    """The copy has the same rows in each table; its first run names the sequence, and then goes on as the original."""
    copy = publisher.migrated()
    with Edge(publisher) as edge:
        edge.do("CREATE PUBLICATION p FOR ALL TABLES")
        subscribe(edge, copy)
        story(edge)
        at = edge.value("SELECT pg_current_wal_lsn()")
        done = "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = 'to_copy'"
        until(lambda: edge.value(done, at))
        for table in column(edge.url, TABLES):
            rows = f"SELECT t::text FROM inventory.{table} t ORDER BY 1"
            assert column(copy, rows) == column(edge.url, rows), table
        unsubscribe(copy)
        edge.do("SELECT pg_drop_replication_slot('to_copy')")
        edge.inventory._target = Target(copy)
        newest_run = ask(copy, "SELECT max(run) FROM inventory.runs")
        with pytest.raises(StoreError) as caught:
            edge.inventory.run()
        with psycopg.connect(copy, autocommit=True) as owner:
            owner.execute(str(caught.value).partition("have the owner run ")[2].encode())
            edge.world.change(3)
            outcome = edge.inventory.run()

            assert (outcome.run, outcome.plan.updated) == (newest_run + 1, 3)
            assert check(owner) == []
