"""A run without changes costs next to nothing: one record, no other row, and no byte of image in the log."""

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
    """A thousand and some images in three pages, just loaded."""
    with Edge(each_server, 1200) as made:
        made.run()
        made.do("VACUUM ANALYZE")
        made.do("CHECKPOINT")
        yield made


def rows(edge: Edge) -> dict[str, list[tuple[Any, ...]]]:
    """Which version of which row is where, in every table but runs and sources."""
    return {name: edge.rows(f"SELECT ctid::text, xmin::text FROM inventory.{name} ORDER BY ctid") for name in TABLES}


def wal(edge: Edge) -> int:
    """Where the write-ahead log ends, in bytes."""
    return int(edge.value("SELECT pg_current_wal_insert_lsn() - '0/0'"))


def test_a_run_without_changes_rewrites_no_row(edge: Edge) -> None:
    """I6: not one row of any table moves but the run's own and its source's."""
    before = rows(edge)

    outcome = edge.run()

    assert (outcome.unchanged, outcome.status) == (1200, Status.DONE)
    assert rows(edge) == before
    assert edge.value("SELECT count(*) FROM inventory.run_pages WHERE run = %s", outcome.run) == 0


def test_a_run_without_changes_writes_little_log(edge: Edge) -> None:
    """Under 100 KB of write-ahead log, however many images there are."""
    edge.inventory.run()
    before = wal(edge)

    edge.inventory.run()

    assert 0 < wal(edge) - before < 100_000


def test_what_stays_odd_is_not_written_again(edge: Edge) -> None:
    """Nor where the list holds what is quarantined, tied, misfit, unknown, or deleted by the cloud's own word."""
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


def test_what_stays_held_is_not_written_again(edge: Edge) -> None:
    """A case that is still open, and one that is approved and can't be confirmed, stay the rows they are."""
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
    """As many rows are written as images changed, in images and in versions."""
    before = dict(edge.rows("SELECT id, ctid::text FROM inventory.images"))
    edge.world.change(7)
    edge.world.delete(3)
    edge.world.create(2)

    outcome = edge.run()

    after = dict(edge.rows("SELECT id, ctid::text FROM inventory.images"))
    assert sum(before[name] != after[name] for name in before) == outcome.plan.updated + outcome.plan.deleted
    assert edge.value("SELECT count(*) FROM inventory.image_versions") == outcome.plan.updated + outcome.plan.deleted


def test_a_run_without_changes_asks_the_database_little(edge: Edge) -> None:
    """Less than 30 statements, none of them for an image, and no table is made, whatever the cloud calls deleted."""
    edge.world.put(image("dead", status="deleted"))
    edge.run()
    asked: list[str] = []
    with Proxy(edge.url) as proxy:

        def note(passing: Passing) -> None:
            asked.append(passing.statement)

        proxy.before = note
        edge.run_by(proxy.url)

    assert len(asked) < 30
    assert not [text for text in asked if "TEMPORARY" in text or "image_versions" in text or text == ""]


@pytest.mark.long
def test_many_runs_without_changes_leave_no_bloat(server: Server) -> None:
    """D19: after 50 of them the tables of images and their indexes are as large as before, without a dead row."""
    sizes = "SELECT oid::regclass::text, pg_relation_size(oid) FROM pg_class WHERE relname LIKE 'image%' ORDER BY 1"
    with Edge(server, 400) as edge:
        edge.run()
        edge.do("VACUUM ANALYZE")
        before, there = edge.rows(sizes), rows(edge)

        for _ in range(50):
            edge.inventory.run()

        assert edge.rows(sizes) == before
        assert rows(edge) == there
        assert edge.value("SELECT count(*) FROM inventory.runs") == 51
        edge.check()
