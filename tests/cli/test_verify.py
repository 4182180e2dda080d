"""``verify``: a sound inventory passes, and whatever was tampered with is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import image
from cli_tools import Job
from servers import Server
from store_tools import Edge

from sync.store.pruning import prune
from sync.store.queries.invariants import ALTERED, UNCHAINED, violations


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
    """I13: content of an old or current version, or a run's own record: the run that wrote it is named."""
    edge.do(f"WITH one AS (SELECT id FROM inventory.image_versions WHERE valid_to_run = 2 LIMIT 1) {statement}")

    done = Job(tmp_path, edge.url)("verify", "--format", "json")

    assert done.code == 1
    assert {row["rule"]: row["examples"] for row in done.rows}[rule].split(", ")[0] == str(run)


def test_a_digest_names_its_run(edge: Edge, tmp_path: Path) -> None:
    """One that a report told is found; one that no run bears is exit code 1, and what is none is told."""
    told = edge.value("SELECT encode(digest, 'hex') FROM inventory.runs WHERE run = 2")
    verify = Job(tmp_path, edge.url)

    found, other, wrong = (verify("verify", "--digest", text) for text in (told.upper(), "0" * 64, "abc"))

    assert (found.code, "run 2 has this digest" in found.err) == (0, True)
    assert (other.code, "no run has this digest" in other.err) == (1, True)
    assert (wrong.code, "64 hexadecimal digits" in wrong.err) == (2, True)


def test_digests_hold_whatever_is_ignored_and_pruned(edge: Edge) -> None:
    """Fields that make no version stay out of it, run by run; history that was pruned is not missed."""
    edge.world.change(5)
    edge.run_unclear(ignore_fields=("updated_at", "name"))
    edge.world.put(image("odd", new={"a": 1.50, "b": [1e3, -0.0, 12345678901234567890123]}, min_disk="x"))
    edge.run()
    assert violations(edge.connection) == []

    prune(edge.target, edge.value("SELECT effective_at FROM inventory.runs WHERE run = 3"), "me", remove=True)

    assert violations(edge.connection) == []


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


def test_a_digest_on_a_run_that_did_not_commit_counts_for_nothing(edge: Edge, tmp_path: Path) -> None:
    """Whoever alters a run, remakes the chain, and puts the digest that someone kept elsewhere, is found out."""
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


def test_pruning_that_is_not_on_record_is_told(edge: Edge, tmp_path: Path) -> None:
    """It would keep what runs changed from being checked; what really was pruned is told by its number."""
    edge.do("UPDATE inventory.sources SET pruned_before = effective_at")
    done = Job(tmp_path, edge.url)("verify", "--format", "json")
    assert (done.code, [row["cases"] for row in done.rows if "no one pruned it" in row["rule"]]) == (1, [1])

    edge.do("UPDATE inventory.sources SET pruned_before = NULL")
    prune(edge.target, edge.value("SELECT effective_at FROM inventory.runs WHERE run = 3"), "me", remove=True)
    assert "3 runs from before a pruning" in Job(tmp_path, edge.url)("verify").err


def test_a_chain_without_the_digest_of_changes_does_not_hold(edge: Edge) -> None:
    """Taking it away does not silence the check."""
    edge.do("UPDATE inventory.runs SET changes_digest = NULL, host = 'forged' WHERE run = 2")

    assert UNCHAINED in [rule for rule, _cases, _examples in violations(edge.connection)]
