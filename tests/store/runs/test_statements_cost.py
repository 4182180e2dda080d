"""A run without changes writes one record, rewrites no other row, and adds little to the write-ahead log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from builders import image
from proxy import Passing, Proxy
from servers import Server
from store_tools import Edge

from sync.domain.status import Status
from sync.store.approvals import approve

TABLES = ("images", "image_versions", "run_pages", "quarantine", "held_deletions", "findings")


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """1,200 images in three pages, just loaded."""
    with Edge(each_server, 1200) as edge:
        edge.run()
        edge.do("VACUUM ANALYZE")
        edge.do("CHECKPOINT")
        yield edge


def rows(edge: Edge) -> dict[str, list[tuple[Any, ...]]]:
    """The location and transaction of each row, in every table except runs and sources."""
    return {name: edge.rows(f"SELECT ctid::text, xmin::text FROM inventory.{name} ORDER BY ctid") for name in TABLES}


def wal(edge: Edge) -> int:
    """The end of the write-ahead log, in bytes."""
    return int(edge.value("SELECT pg_current_wal_insert_lsn() - '0/0'"))


def test_a_run_without_changes_rewrites_no_row(edge: Edge) -> None:
    """I6: only the run's own row and its source's row are written."""
    before = rows(edge)

    outcome = edge.run()

    assert (outcome.unchanged, outcome.status) == (1200, Status.DONE)
    assert rows(edge) == before
    assert edge.value("SELECT count(*) FROM inventory.run_pages WHERE run = %s", outcome.run) == 0


def test_a_run_without_changes_writes_little_log(edge: Edge) -> None:
    """A run without changes writes under 100 KB of write-ahead log."""
    edge.inventory.run()
    before = wal(edge)

    edge.inventory.run()

    assert 0 < wal(edge) - before < 100_000


def test_unchanged_odd_records_are_not_rewritten(edge: Edge) -> None:
    """Quarantined, contradictory, mistyped, unknown and vendor-deleted records are not written again either."""
    edge.world.put(image("odd", new=1, min_disk="x"))
    edge.world.put(image("dead", status="deleted", deleted=True))
    edge.world.put(b'{"id":"broken","name":"\\u0000"}')
    edge.world.put(image("tied", name="a"))
    edge.world.put(image("tied", name="b"), twice=True)
    edge.run_unclear()
    before = rows(edge)

    outcome = edge.run_unclear()

    assert (outcome.plan.changes, outcome.quarantined) == (0, 2)
    assert rows(edge) == before


def test_unchanged_held_deletions_are_not_rewritten(edge: Edge) -> None:
    """Neither open nor closed held deletions are written again."""
    edge.world.delete(400)
    held = edge.run()
    before = rows(edge) | {"run_pages": []}

    assert edge.run().plan.held == 400
    assert rows(edge) | {"run_pages": []} == before
    approve(edge.target, held.run or 0, "ann")
    assert edge.run().plan.deleted == 400
    before = rows(edge)
    edge.run()
    assert rows(edge) == before


def test_a_few_changes_touch_a_few_rows(edge: Edge) -> None:
    """Only the changed images are written, in images and in versions."""
    before = dict(edge.rows("SELECT id, ctid::text FROM inventory.images"))
    edge.world.change(7)
    edge.world.delete(3)
    edge.world.create(2)

    outcome = edge.run()

    after = dict(edge.rows("SELECT id, ctid::text FROM inventory.images"))
    assert sum(before[name] != after[name] for name in before) == outcome.plan.updated + outcome.plan.deleted
    assert edge.value("SELECT count(*) FROM inventory.image_versions") == outcome.plan.updated + outcome.plan.deleted


def test_a_run_without_changes_needs_few_statements(edge: Edge) -> None:
    """A run without changes needs under 30 statements, no temporary table, and none per image."""
    edge.world.put(image("dead", status="deleted"))
    edge.run()
    statements: list[str] = []
    with Proxy(edge.url) as proxy:

        def note(passing: Passing) -> None:
            statements.append(passing.statement)

        proxy.before = note
        edge.run_by(proxy.url)

    assert len(statements) < 30
    assert not [text for text in statements if "TEMPORARY" in text or "image_versions" in text or text == ""]


@pytest.mark.long
def test_many_runs_without_changes_leave_no_bloat(server: Server) -> None:
    """D19: 50 runs without changes leave tables and indexes at their size, without dead rows."""
    sizes = "SELECT oid::regclass::text, pg_relation_size(oid) FROM pg_class WHERE relname LIKE 'image%' ORDER BY 1"
    with Edge(server, 400) as edge:
        edge.run()
        edge.do("VACUUM ANALYZE")
        before, rows_before = edge.rows(sizes), rows(edge)

        for _ in range(50):
            edge.inventory.run()

        assert edge.rows(sizes) == before
        assert rows(edge) == rows_before
        assert edge.value("SELECT count(*) FROM inventory.runs") == 51
        edge.check()
