"""The sentence of an error names what an administrator put in the way, and what to do about it; the run has a record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from obstacle_tools import errand
from servers import Server
from store_tools import Edge

from sync.errors import DatabaseRefusedError, StoreError
from sync.store import approvals, pruning
from sync.store.connection import Target, connect, transaction
from sync.store.runs.database import Database

BEHIND = "ALTER TABLE inventory.{} ALTER COLUMN {} RESTART WITH 1"


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """An empty inventory, and a role that syncs it and owns nothing."""
    with Edge(each_server) as edge, errand(edge):
        yield edge


def refused(edge: Edge) -> str:
    """The sentence of a run that the database refuses, which is on record as failed."""
    with pytest.raises(DatabaseRefusedError) as caught:
        edge.run_by(edge.url.replace("owner@", "errand@"))
    assert (edge.record["status"], edge.record["reason"]) == ("failed", str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("table", ["images", "held_deletions"])
def test_row_level_security(edge: Edge, table: str) -> None:
    """At a first load and later a policy fails the run with the name of its table, and no advice to grant anything."""
    edge.do(f"CREATE POLICY all_of_it ON inventory.{table} USING (true) WITH CHECK (true)")
    if table != "images":
        edge.run()
        edge.world.delete(1)
    edge.do(f"ALTER TABLE inventory.{table} ENABLE ROW LEVEL SECURITY")
    sentence = refused(edge)

    assert f'row-level security policy for table "{table}"' in sentence
    assert "DISABLE ROW LEVEL SECURITY" in sentence
    assert "BYPASSRLS" in sentence
    assert "grant" not in sentence
    edge.do("ALTER ROLE errand BYPASSRLS")
    assert edge.run_by(edge.url.replace("owner@", "errand@")).effective_at


def test_forced_row_level_security_holds_for_the_owner_too(edge: Edge) -> None:
    """The owner of the tables is refused in the same way where row-level security is forced."""
    edge.do("ALTER ROLE errand CREATEROLE")
    edge.do("GRANT CREATE ON SCHEMA inventory TO errand")
    edge.do("ALTER TABLE inventory.images OWNER TO errand")
    edge.do("ALTER TABLE inventory.images ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    sentence = refused(edge)
    edge.do("ALTER TABLE inventory.images OWNER TO owner")

    assert 'row-level security policy for table "images"' in sentence


def test_no_temporary_tables(edge: Edge) -> None:
    """Without TEMP a first load works, and the first change names what to grant, in the database's words and ours."""
    edge.do(f"REVOKE TEMPORARY ON DATABASE {edge.value('SELECT current_database()')} FROM PUBLIC")
    edge.run_by(edge.url.replace("owner@", "errand@"))
    edge.world.change(1)
    sentence = refused(edge)

    assert "permission denied to create temporary tables in database" in sentence
    assert "GRANT TEMPORARY ON DATABASE" in sentence
    assert "schema inventory" not in sentence


def test_a_sequence_that_is_behind(edge: Edge) -> None:
    """A run that gets the number of an earlier one of its source says which statement puts the sequence right."""
    edge.run()
    edge.do(BEHIND.format("runs", "run"))
    before = edge.rows("SELECT * FROM inventory.runs")
    with pytest.raises(StoreError) as caught:
        edge.inventory.run()

    assert 'unique constraint "runs_pkey"' in str(caught.value)
    assert edge.rows("SELECT * FROM inventory.runs") == before
    edge.do(str(caught.value).partition("have the owner run ")[2])
    assert edge.run().run == 2


def test_a_sequence_that_is_behind_for_another_source(edge: Edge) -> None:
    """Two sources never share the number of a run, although the key of the table allows it: neither runs nor skips."""
    edge.run()
    for attempt in ("run", "skip"):
        edge.do(BEHIND.format("runs", "run"))
        with (
            Database(edge.target) as store,
            edge.parts(name="other") as (_, parts),
            pytest.raises(StoreError, match=r"number 1, though there is a run 1: .* run SELECT setval\("),
        ):
            store.start(parts.source, "command") if attempt == "run" else store.skip(parts.source, "some reason")

    assert edge.value("SELECT count(*) FROM inventory.runs") == 1


def test_a_sequence_of_prunings_that_is_behind(edge: Edge) -> None:
    """A pruning whose number is taken removes nothing, and says which statement puts the sequence right."""
    edge.run()
    edge.world.change(1)
    edge.run()
    pruning.prune(edge.target, pruning.ago(edge.target, 0), "me", remove=True)
    edge.world.change(2)
    edge.inventory.run()
    edge.do(BEHIND.format("prunings", "pruning"))
    with pytest.raises(StoreError, match=r"run SELECT setval\(pg_get_serial_sequence\('inventory.prunings'"):
        pruning.prune(edge.target, pruning.ago(edge.target, 0), "me", remove=True)

    assert edge.value("SELECT count(*) FROM inventory.image_versions") == 2


@pytest.mark.parametrize("by", ["ROLE errand", "DATABASE {}"])
def test_transactions_that_are_read_only(edge: Edge, by: str) -> None:
    """Where a role or a database makes transactions read-only, the setting is named, and not taken for a standby."""
    edge.run()
    edge.do(f"ALTER {by.format(edge.value('SELECT current_database()'))} SET default_transaction_read_only = on")
    target = Target(edge.url.replace("owner@", "errand@"))
    with pytest.raises(DatabaseRefusedError, match="not a standby, but default_transaction_read_only is on") as caught:
        approvals.accept_filter(target, edge.inventory.source.name, "x")
    with connect(target) as connection, transaction(connection, target, "reading"):
        live = connection.execute("SELECT count(*) FROM inventory.live_images").fetchone()
    edge.do("ALTER ROLE errand RESET ALL")

    assert "ALTER ROLE errand or ALTER DATABASE" in str(caught.value)
    assert live == (40,)
