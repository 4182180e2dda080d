"""Pruning removes old history and records that it did; answers about later moments stay the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_tools import Job
from invariants import Past
from replay import Replay, played
from servers import Server
from store_tools import Edge

from sync.errors import UnknownError
from sync.store.pruning import prune
from sync.store.queries.inventory import inventory

# The changed fields of a restored image are unknown once its earlier version is pruned.
CHANGES = "SELECT * FROM inventory.image_changes WHERE NOT (kind = 'restored' AND field IS NOT NULL)"


@pytest.fixture
def history(each_server: Server) -> Iterator[tuple[Edge, Replay]]:
    """The inventory and its model after a dozen runs, each after random changes."""
    with played(each_server, 7) as edge_and_replay:
        yield edge_and_replay


def _states(edge: Edge, replay: Replay) -> list[list[object]]:
    with inventory(edge.target) as reading:
        return [[(row["id"], row["name"]) for row in reading.as_of(moment, None)] for moment in replay.moments]


def test_pruning_leaves_later_answers_as_they_were(history: tuple[Edge, Replay]) -> None:
    """Pruning removes old versions and evidence; images, later answers and later changes stay the same."""
    edge, replay = history
    before, images = _states(edge, replay), edge.rows("SELECT * FROM inventory.images ORDER BY id")
    changes = edge.rows(f"{CHANGES} AND run > 6 ORDER BY run, id, field")

    (done,) = prune(edge.target, replay.moments[5], "ann", remove=True)

    assert done.versions > 0
    assert done.pages > 0
    assert _states(edge, replay)[6:] == before[6:]
    assert edge.rows("SELECT * FROM inventory.images ORDER BY id") == images
    assert edge.rows(f"{CHANGES} ORDER BY run, id, field") == changes
    assert edge.value("SELECT count(*) FROM inventory.image_versions WHERE valid_to <= %s", replay.moments[5]) == 0
    assert edge.value("SELECT min(run) FROM inventory.run_pages") > 6
    edge.past = Past()  # pruning changed it on purpose
    edge.run()


def test_pruning_is_recorded(history: tuple[Edge, Replay]) -> None:
    """The record says who pruned, when and how much; an answer about an earlier moment says it is incomplete."""
    edge, replay = history
    (done,) = prune(edge.target, replay.moments[5], "ann", remove=True)

    record = edge.rows("SELECT source, pruned_before, versions, pages, pruned_by FROM inventory.prunings")
    (observed,) = edge.rows("SELECT doubt, says FROM inventory.observed(%s)", replay.moments[2])

    assert record == [(*done, "ann")]
    assert observed[0] is True
    assert "pruned" in observed[1]
    assert edge.value("SELECT bool_and(observed_doubt) FROM inventory.images_as_of(%s)", replay.moments[2]) is True
    unclear = "SELECT DISTINCT change FROM inventory.images_diff(%s, %s) WHERE change IN ('created', 'restored')"
    assert edge.rows(unclear, replay.moments[2], replay.moments[8]) == []
    assert edge.rows("SELECT * FROM inventory.run_diff(4)") == []
    assert prune(edge.target, replay.moments[5], "bob", remove=True)[0][2:] == (0, 0)
    assert edge.value("SELECT count(*) FROM inventory.prunings") == 1


def test_a_dry_run_only_counts(history: tuple[Edge, Replay]) -> None:
    """A dry run counts what would be removed, for all sources or the named ones, and removes nothing."""
    edge, replay = history
    before = edge.inventory.dump()
    source = edge.inventory.source.name

    (counted,) = prune(edge.target, replay.moments[5], "ann", only=[source], remove=False)

    assert edge.inventory.dump() == before
    (done,) = prune(edge.target, replay.moments[5], "ann", remove=True)
    assert counted[2:] == done[2:]
    with pytest.raises(UnknownError, match=f"it knows {source}"):
        prune(edge.target, replay.moments[5], "ann", only=["other"], remove=True)


def test_the_prune_command(history: tuple[Edge, Replay], tmp_path: Path) -> None:
    """`prune` counts by default, removes with --yes, reads the setting, and explains an unreadable time."""
    edge, _ = history
    job = Job(tmp_path, edge.url)
    edge.do(
        "UPDATE inventory.image_versions SET valid_from = valid_from - interval '3 days', valid_to = valid_to - interval '3 days'"
    )

    nothing, wrong, counted = (
        job("prune"),
        job("prune", "--keep", "soon"),
        job("prune", "--keep", "2d", "--format", "json"),
    )
    done = job("prune", "--yes", "--format", "json", IMAGE_SYNC_KEEP_HISTORY="2d")

    assert (nothing.code, wrong.code) == (2, 2)
    assert "--keep 2y" in nothing.err
    assert re.search("soon.*takes|takes.*soon", wrong.err)
    assert counted.row["versions"] == done.row["versions"] > 0
    assert "nothing was removed" in counted.err
    assert edge.value("SELECT count(*) FROM inventory.image_versions") == 0
