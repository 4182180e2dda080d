"""``verify``: a sound inventory passes, and every kind of tampering is reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from builders import image
from cli_tools import Job
from servers import Server
from store_tools import Edge

from sync.store.pruning import prune
from sync.store.queries.invariants import ALTERED, UNCHAINED, violations


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """An inventory with changes, deletions and a return."""
    with Edge(server, 30) as edge:
        edge.run()
        edge.world.change(5)
        edge.world.delete(3)
        edge.run()
        edge.world.restore(1)
        edge.world.change(5)
        edge.run()
        yield edge


def test_a_sound_inventory(edge: Edge, tmp_path: Path) -> None:
    """A sound inventory exits with 0, prints nothing on standard output, and nothing is written."""
    before = edge.inventory.dump()

    done = Job(tmp_path, edge.url)("verify")

    assert (done.code, done.out) == (0, "")
    assert "rules hold" in done.err
    assert edge.inventory.dump() == before


@pytest.mark.parametrize(
    ("statement", "rule", "run"),
    [
        (
            "UPDATE inventory.image_versions SET name = 'other' WHERE (id, valid_to_run) IN (SELECT id, 2 FROM one)",
            ALTERED,
            1,
        ),
        (
            "UPDATE inventory.image_versions SET extra = '{\"a\": 1}' WHERE (id, valid_to_run) IN (SELECT id, 2 FROM one)",
            ALTERED,
            1,
        ),
        (
            "UPDATE inventory.images SET min_disk = 77 WHERE id = (SELECT max(id) FROM inventory.images WHERE valid_from_run = 3)",
            ALTERED,
            3,
        ),
        ("UPDATE inventory.runs SET retries = retries + 1 WHERE run = 2", UNCHAINED, 2),
        ("UPDATE inventory.runs SET changes_digest = sha256('') WHERE run = 2", UNCHAINED, 2),
        ("UPDATE inventory.runs SET digest = NULL WHERE run = 3", UNCHAINED, 3),
    ],
)
def test_an_altered_row_names_its_run(edge: Edge, tmp_path: Path, statement: str, rule: str, run: int) -> None:
    """I13: if a version or a run's record was altered, the run that wrote it is named."""
    edge.do(f"WITH one AS (SELECT id FROM inventory.image_versions WHERE valid_to_run = 2 LIMIT 1) {statement}")

    done = Job(tmp_path, edge.url)("verify", "--format", "json")

    assert done.code == 1
    assert {row["rule"]: row["examples"] for row in done.rows}[rule].split(", ")[0] == str(run)


def test_looking_up_a_digest(edge: Edge, tmp_path: Path) -> None:
    """A known digest names its run; an unknown one exits with 1, and an invalid one with 2."""
    digest = edge.value("SELECT encode(digest, 'hex') FROM inventory.runs WHERE run = 2")
    verify = Job(tmp_path, edge.url)

    known, unknown, invalid = (verify("verify", "--digest", text) for text in (digest.upper(), "0" * 64, "abc"))

    assert (known.code, "run 2 has this digest" in known.err) == (0, True)
    assert (unknown.code, "no run has this digest" in unknown.err) == (1, True)
    assert (invalid.code, "64 hexadecimal digits" in invalid.err) == (2, True)


def test_digests_hold_whatever_is_ignored_and_pruned(edge: Edge) -> None:
    """Digests still hold when fields are ignored and history is pruned."""
    edge.world.change(5)
    edge.run_unclear(ignore_fields=("updated_at", "name"))
    edge.world.put(image("odd", new={"a": 1.50, "b": [1e3, -0.0, 12345678901234567890123]}, min_disk="x"))
    edge.run()
    assert violations(edge.connection) == []

    prune(edge.target, edge.value("SELECT effective_at FROM inventory.runs WHERE run = 3"), "me", remove=True)

    assert violations(edge.connection) == []


def test_a_locked_table(edge: Edge, tmp_path: Path) -> None:
    """A statement that the server ends exits with 1, without a traceback."""
    with psycopg.connect(edge.url) as other:
        other.execute("LOCK TABLE inventory.images")
        done = Job(tmp_path, edge.url)("verify", IMAGE_SYNC_LOCK_TIMEOUT="200ms")

    assert (done.code, "Traceback" in done.err) == (1, False)
    assert "while verifying the inventory: canceling statement due to lock timeout" in done.err


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
def test_tampering_names_the_broken_rule(edge: Edge, tmp_path: Path, statement: str) -> None:
    """Tampering exits with 1 and a row for each broken rule, with a count and examples."""
    edge.do(statement)

    done = Job(tmp_path, edge.url)("verify", "--format", "json")

    assert done.code == 1
    assert any(
        row["rule"].startswith(TAMPERED[statement]) and row["cases"] > 0 and row["examples"] for row in done.rows
    )
    assert len(violations(edge.connection)) == len(done.rows)


def test_a_digest_on_a_failed_run_is_not_accepted(edge: Edge, tmp_path: Path) -> None:
    """An altered and resealed run is found out even if a failed run was given its old digest."""
    kept = edge.value("SELECT encode(digest, 'hex') FROM inventory.runs WHERE run = 3")
    edge.do("UPDATE inventory.runs SET host = 'forged' WHERE run = 3")
    edge.do(
        "UPDATE inventory.runs r SET digest = inventory.run_digest(r, (SELECT digest FROM inventory.runs WHERE run = 2)) "
        "WHERE run = 3"
    )
    edge.do(
        "INSERT INTO inventory.runs (source, status, reason, error, trigger, deadline_at, finished_at, epoch, version, "
        "host, digest) SELECT source, 'failed', 'x', 'x', trigger, now(), now(), epoch, version, host, "
        f"decode('{kept}', 'hex') FROM inventory.runs WHERE run = 1"
    )

    done = Job(tmp_path, edge.url)("verify", "--digest", kept, "--format", "json")

    assert (done.code, "no run has this digest" in done.err) == (1, True)
    assert [row["rule"] for row in done.rows] == ["I13: a digest of a run that did not commit"]


def test_unrecorded_pruning_is_reported(edge: Edge, tmp_path: Path) -> None:
    """A pruning without a record, which would hide changes, is reported; recorded ones are counted."""
    edge.do("UPDATE inventory.sources SET pruned_before = effective_at")
    done = Job(tmp_path, edge.url)("verify", "--format", "json")
    assert (done.code, [row["cases"] for row in done.rows if "without a pruning on record" in row["rule"]]) == (1, [1])

    edge.do("UPDATE inventory.sources SET pruned_before = NULL")
    prune(edge.target, edge.value("SELECT effective_at FROM inventory.runs WHERE run = 3"), "me", remove=True)
    assert "3 runs from before a pruning" in Job(tmp_path, edge.url)("verify").err


def test_removing_the_digest_of_changes_breaks_the_chain(edge: Edge) -> None:
    """Removing the digest of a run's changes does not silence the check."""
    edge.do("UPDATE inventory.runs SET changes_digest = NULL, host = 'forged' WHERE run = 2")

    assert UNCHAINED in [rule for rule, _cases, _examples in violations(edge.connection)]
