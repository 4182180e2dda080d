"""``verify``: a sound inventory passes, and whatever was tampered with is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_tools import Job
from servers import Server
from store_tools import Edge

from sync.store.integrity import violations


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """An inventory in which all kinds of things happened."""
    with Edge(server, 30) as made:
        made.run()
        made.world.change(5)
        made.world.delete(3)
        made.run()
        made.world.restore(1)
        made.world.change(5)
        made.run()
        yield made


def test_a_sound_inventory(edge: Edge, tmp_path: Path) -> None:
    """Exit code 0, nothing on standard output, and nothing is written."""
    before = edge.inventory.dump()

    done = Job(tmp_path, edge.url)("verify")

    assert (done.code, done.out) == (0, "")
    assert "rules hold" in done.err
    assert edge.inventory.dump() == before


def test_a_database_that_gives_no_answer_is_told(edge: Edge, tmp_path: Path) -> None:
    """A statement that took too long is a sentence and exit code 1, no traceback."""
    name = edge.url.rpartition("/")[2]
    edge.do(f"ALTER DATABASE {name} SET statement_timeout = '2ms'")

    done = Job(tmp_path, edge.url)("verify")

    assert (done.code, "Traceback" in done.err) == (1, False)


TAMPERED = {
    "DELETE FROM inventory.image_versions WHERE valid_to_run = 2": "I3",
    "UPDATE inventory.image_versions SET valid_to = valid_to + interval '1 second' WHERE valid_to_run = 2": "I4",
    "UPDATE inventory.images SET deleted_at = deleted_at + interval '1 hour' WHERE deleted_at IS NOT NULL": "I3",
    "UPDATE inventory.runs SET deleted = deleted + 1 WHERE run = 2": "I12",
    "UPDATE inventory.runs SET proven = false WHERE run = 2": "I8",
    "DELETE FROM inventory.run_pages WHERE run = 3": "I14",
    "UPDATE inventory.sources SET epoch = 9": "I7",
}


@pytest.mark.parametrize("statement", TAMPERED)
def test_what_was_tampered_with_is_named(edge: Edge, tmp_path: Path, statement: str) -> None:
    """Exit code 1, a row for each rule that does not hold, with cases and examples."""
    edge.do(statement)

    done = Job(tmp_path, edge.url)("verify", "--format", "json")

    assert done.code == 1
    assert any(
        row["rule"].startswith(TAMPERED[statement]) and row["cases"] > 0 and row["examples"] for row in done.rows
    )
    assert len(violations(edge.connection)) == len(done.rows)
