"""``image-sync doctor`` sees before a run what administrators put in its way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cli_tools import dump
from doctor_tools import levels, look_into, not_ok, said
from obstacle_tools import LOGS, add_event_trigger, errand
from servers import Server
from store_tools import Edge


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """A synced source, and a role that syncs it and owns nothing."""
    with Edge(each_server) as edge:
        edge.run()
        with errand(edge):
            yield edge


def as_errand(edge: Edge) -> str:
    """The URL of the inventory for the role that owns nothing."""
    return edge.url.replace("owner@", "errand@")


def test_row_level_security(edge: Edge) -> None:
    """Tables with row-level security are wrong for whom it applies to, and only for them."""
    for table in ("images", "runs"):
        edge.do(f"ALTER TABLE inventory.{table} ENABLE ROW LEVEL SECURITY")
    owner, errand = look_into(edge.url), look_into(as_errand(edge))

    assert not_ok(owner) == {}
    assert levels(errand)["privileges"] == "wrong"
    for table in ("images", "runs"):
        assert f"row-level security of inventory.{table} applies to the role errand" in said(errand, "privileges")
        assert f"ALTER TABLE inventory.{table} DISABLE ROW LEVEL SECURITY" in said(errand, "privileges")
    assert 'ALTER ROLE "errand" BYPASSRLS' in said(errand, "privileges")


def test_an_event_trigger_that_refuses(edge: Edge) -> None:
    """A trigger that would end a run is wrong, by a temporary table that is tried and taken back."""
    add_event_trigger(edge.connection, LOGS)
    before = dump(edge.url)
    owner, errand = look_into(edge.url), look_into(as_errand(edge))

    assert not_ok(owner) == {}
    assert "audit of DDL, unrelated: a temporary table could be made" in said(owner, "event triggers")
    assert not_ok(errand) == {"event triggers": "wrong"}
    assert "permission denied for table ddl_log; this comes from the event trigger audit of DDL" in said(
        errand, "event triggers"
    )
    assert edge.value("SELECT count(*) FROM public.ddl_log WHERE tag = 'CREATE TABLE'") == 0
    assert dump(edge.url) == before


def test_event_triggers_that_do_not_run(edge: Edge) -> None:
    """Triggers that are off, or for other commands, are not tried."""
    add_event_trigger(edge.connection, LOGS)
    edge.do('ALTER EVENT TRIGGER "audit of DDL" DISABLE')
    edge.do("ALTER EVENT TRIGGER unrelated ENABLE REPLICA")
    edge.do("CREATE EVENT TRIGGER views ON ddl_command_end WHEN TAG IN ('CREATE VIEW') EXECUTE FUNCTION watch_ddl()")

    assert said(look_into(as_errand(edge)), "event triggers") == "none run when a temporary table is made; "


def test_an_event_trigger_where_nothing_can_be_tried(edge: Edge) -> None:
    """Where a role can only read, a trigger is named as not tried."""
    add_event_trigger(edge.connection, LOGS)
    edge.do("ALTER ROLE errand SET default_transaction_read_only = on")
    lines = look_into(as_errand(edge))

    assert not_ok(lines) == {"writable": "wrong", "event triggers": "skipped"}
    assert "audit of DDL" in said(lines, "event triggers")


def test_a_sequence_that_is_behind(edge: Edge) -> None:
    """A sequence that would give a number that is taken is wrong, with the statement that puts it right."""
    edge.run()
    edge.do("ALTER TABLE inventory.runs ALTER COLUMN run RESTART WITH 1")
    never_drawn = look_into(as_errand(edge))
    edge.do("SELECT nextval('inventory.runs_run_seq')")
    behind = look_into(edge.url)

    assert not_ok(never_drawn) == not_ok(behind) == {"numbers": "wrong"}
    assert "the last number drawn is none, and there is a run 2" in said(never_drawn, "numbers")
    assert "the last number drawn is 1, and there is a run 2" in said(behind, "numbers")
    edge.do(said(behind, "numbers").partition("have the owner run ")[2])
    assert not_ok(look_into(edge.url)) == {}


def test_a_sequence_that_may_not_be_read(edge: Edge) -> None:
    """For a role that may not read the sequence, `doctor` does not say that all is well with it."""
    edge.do("REVOKE SELECT ON SEQUENCE inventory.runs_run_seq FROM inventory_writer")

    assert "may not read the sequence" in said(look_into(as_errand(edge)), "numbers")
