"""What is read from the inventory is what a plain replay of all that happened gives."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from builders import canonical, image
from cloud_tools import gap
from invariants import as_text
from replay import Replay, played
from servers import Server
from store_tools import Edge

from sync.domain.fields import BY_API, COLUMNS
from sync.domain.image import to_json
from sync.errors import DatabaseUnavailableError, SchemaVersionError, UnknownError
from sync.store.approvals import approve
from sync.store.connection import Target
from sync.store.queries.inventory import inventory

COLUMN = {name: known.column for name, known in BY_API.items()}


@pytest.fixture(params=[1, 2, 3])
def told(request: pytest.FixtureRequest, each_server: Server) -> Iterator[tuple[Edge, Replay]]:
    """A dozen runs after random days, from one seed each: changes, deletions, returns, days without news."""
    with played(each_server, request.param) as both:
        yield both


def moments_of(replay: Replay) -> list[datetime]:
    """Every moment that matters: each run's, and those just beside it."""
    tick = timedelta(microseconds=1)
    return sorted({moment + step for moment in replay.moments for step in (-tick, timedelta(0), tick)})


def as_json(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as the cloud showed it."""
    return canonical(to_json({name: row[name] for name in COLUMNS}, row["extra"]))


def test_as_of_any_moment(told: tuple[Edge, Replay]) -> None:
    """The images of a moment are those the last run before it had found, just as it found them; sorted by id."""
    edge, replay = told

    with inventory(edge.target) as reading:
        for moment in moments_of(replay):
            rows = list(reading.as_of(moment, edge.inventory.source.name))
            assert [row["id"] for row in rows] == sorted(replay.at(moment))
            for row in rows:
                plain = {name: value for name, value in replay.at(moment)[row["id"]].items() if name in BY_API}
                kept = {name: row[COLUMN[name]] for name in plain if row[COLUMN[name]] is not None}
                assert kept == {name: plain[name] for name in kept}


def test_the_history_of_each_image(told: tuple[Edge, Replay]) -> None:
    """All versions, oldest first, with their periods and contents; the open one has no end."""
    edge, replay = told
    names = {name for state in replay.states for name in state}

    with inventory(edge.target) as reading:
        for name in names:
            rows = reading.history(name, None)
            found = [(row["valid_from"], row["valid_to"], as_json(row)) for row in rows]
            assert found == replay.versions(name)


def test_the_history_says_what_changed(told: tuple[Edge, Replay]) -> None:
    """The first version is created, one that touches is updated, one after a gap restored; the fields are named."""
    edge, replay = told

    with inventory(edge.target) as reading:
        for name in {name for state in replay.states for name in state}:
            rows = reading.history(name, None)
            expected = replay.versions(name)
            assert rows[0]["change"] == "created"
            assert rows[0]["changes"] == ""
            for row, before, now in zip(rows[1:], expected, expected[1:], strict=False):
                assert row["change"] == ("updated" if before[1] == now[0] else "restored")
                fields = {part.partition(":")[0] for part in row["changes"].split("; ")} if row["changes"] else set()
                known = {COLUMN[key] for key in before[2].keys() | now[2].keys() if key in COLUMN} & set(COLUMNS)
                moved = {
                    COLUMN[key]
                    for key in before[2].keys() | now[2].keys()
                    if key in COLUMN and before[2].get(key) != now[2].get(key)
                }
                assert moved - {"min_disk"} <= fields
                assert fields <= known | {"extra", "vendor_deleted_at", "min_disk", "name"}


def test_the_difference_between_any_two_moments(told: tuple[Edge, Replay]) -> None:
    """I13: created, restored, deleted and updated images are those of the replay, field by field; diff(a, a) is empty."""
    edge, replay = told

    with inventory(edge.target) as reading:
        for n, before in enumerate(replay.moments):
            for after in replay.moments[n:]:
                changes = list(reading.diff(before, after, None))
                _hold(changes, replay, before, after)


def _hold(changes: list[Mapping[Any, Any]], replay: Replay, before: datetime, after: datetime) -> None:
    old, new = replay.at(before), replay.at(after)
    kinds = {
        kind: {row["id"] for row in changes if row["change"] == kind} for kind in ("created", "restored", "deleted")
    }
    known = {
        name for moment, state in zip(replay.moments, replay.states, strict=True) if moment <= before for name in state
    }

    assert kinds["created"] == new.keys() - old.keys() - known
    assert kinds["restored"] == (new.keys() - old.keys()) & known
    assert kinds["deleted"] == old.keys() - new.keys()
    updated = {row["id"] for row in changes if row["change"] == "updated"}
    assert updated == {name for name in old.keys() & new.keys() if old[name] != new[name]}
    for row in changes:
        if row["change"] == "updated" and row["field"] in set(COLUMN.values()) - {"min_disk", "name"}:
            api = next(name for name, column in COLUMN.items() if column == row["field"])
            assert row["old"] == as_text(old[row["id"]].get(api))
            assert row["new"] == as_text(new[row["id"]].get(api))


def test_the_past_stays_as_it_was(told: tuple[Edge, Replay]) -> None:
    """I13: whatever happens later, the answer for a moment that is past is the same."""
    edge, replay = told
    with inventory(edge.target) as reading:
        before = [list(map(_timeless, reading.as_of(moment, None))) for moment in replay.moments]
    edge.world.churn(80)
    edge.run()

    with inventory(edge.target) as reading:
        assert [list(map(_timeless, reading.as_of(moment, None))) for moment in replay.moments] == before


def _timeless(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row without what is told of the next run, which may have come since."""
    return {name: value for name, value in row.items() if not name.startswith("observed_next")}


def test_a_reader_sees_one_moment(server: Server) -> None:
    """What is read between open and close is of one snapshot, though a run commits meanwhile."""
    with Edge(server) as edge:
        edge.run()
        with inventory(edge.target) as reading:
            before = [row["id"] for row in reading.as_of(reading.now(), None)]
            edge.world.delete(5)
            edge.world.create(5)
            edge.run()
            assert [row["id"] for row in reading.as_of(reading.now(), None)] == before


def test_as_of_one_source(server: Server) -> None:
    """A source is asked for by name; one that is not known is told, with those that are."""
    with Edge(server, 5) as edge:
        edge.run()
        name = edge.inventory.source.name
        with inventory(edge.target) as reading:
            reading.check_source(None)
            reading.check_source(name)
            assert list(reading.as_of(reading.now(), "other")) == []
            with pytest.raises(UnknownError, match=f"it knows {name}"):
                reading.check_source("other")


def test_the_moment_of_a_run(server: Server) -> None:
    """When a run took effect; of one that wrote nothing, when it began; a run that never was is told."""
    with Edge(server, 5) as edge:
        outcome = edge.run()
        with edge.parts() as (store, parts):
            running = store.start(parts.source, "command")
        with inventory(edge.target) as reading:
            assert reading.moment(outcome.run or 0) == outcome.effective_at
            assert reading.moment(running.number or 0) == running.started_at
            with pytest.raises(UnknownError, match=f"the newest is {running.number}"):
                reading.moment(99)


def test_an_image_that_never_was(server: Server) -> None:
    """Its history is not empty: it is an error that says how to find those that are."""
    with Edge(server, 5) as edge:
        edge.run()
        with inventory(edge.target) as reading, pytest.raises(UnknownError, match="was ever seen"):
            reading.history("nobody", None)


def test_an_image_that_was_never_alive(server: Server) -> None:
    """An image that the cloud listed as deleted from the first has no version, and is told apart from one unknown."""
    with Edge(server, 5) as edge:
        edge.world.put(image("dead", status="deleted"))
        edge.run()
        with inventory(edge.target) as reading, pytest.raises(UnknownError, match="listed it as deleted"):
            reading.history("dead", None)


def test_the_status(server: Server) -> None:
    """One row a source: its last run, how it went, what lives, what is withheld, and how old the proof is."""
    with Edge(server) as edge:
        edge.run()
        edge.world.put(b'{"id":"broken","name":"\\u0000"}')
        edge.world.delete(2)
        edge.run()
        edge.world.delete(20)
        held = edge.run()

        with inventory(edge.target) as reading:
            (row,) = reading.status()
            waiting = reading.held()

        assert (row["run"], row["status"], row["reason"]) == (held.run, "withheld", held.reason)
        assert (row["live"], row["deleted"], row["held"], row["quarantined"]) == (38, 2, 20, 1)
        assert 0 <= row["proven_seconds_ago"] < 60
        assert [(one["run"], one["approved_at"]) for one in waiting] == [(held.run, None)] * 20
        approve(edge.target, held.run or 0, "ann")
        with inventory(edge.target) as reading:
            assert all(one["approved_at"] for one in reading.held())
        edge.run()
        with inventory(edge.target) as reading:
            assert reading.held() == []


def test_the_status_of_a_source_that_never_finished(server: Server) -> None:
    """A run that is under way, or failed, is told; what was never proven has no age."""
    with Edge(server, 5) as edge:
        with edge.parts() as (store, parts):
            store.start(parts.source, "command")
        with inventory(edge.target) as reading:
            (row,) = reading.status()

        assert (row["status"], row["live"], row["proven_seconds_ago"]) == ("running", 0, None)


def test_the_proof_grows_older_while_runs_are_not_proven(server: Server) -> None:
    """Freshness counts from the last proven list, not from the last run."""
    with Edge(server) as edge:
        proven = edge.run()
        last = edge.run_unproven()
        with inventory(edge.target) as reading:
            (row,) = reading.status()

        assert row["run"] == last.run
        assert edge.value("SELECT proven_at FROM inventory.sources") == proven.effective_at
        edge.do("UPDATE inventory.sources SET proven_at = proven_at - interval '1 hour'")
        with inventory(edge.target) as reading:
            assert 3600 <= reading.status()[0]["proven_seconds_ago"] < 3700


def test_another_schema_is_not_read(server: Server) -> None:
    """D16: a reader refuses a schema of another version, and a database without one."""
    with Edge(server, 5) as edge:
        edge.do("UPDATE inventory.alembic_version SET version_num = '9999'")
        with pytest.raises(SchemaVersionError, match="newer"), inventory(edge.target):
            pytest.fail("it was read")
    with pytest.raises(SchemaVersionError, match="no inventory yet"), inventory(Target(server.empty())):
        pytest.fail("it was read")


def test_a_reader_writes_nothing(server: Server) -> None:
    """It reads in a transaction that may not write."""
    with Edge(server, 5) as edge, inventory(edge.target) as reading:
        assert reading._connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
        assert reading._connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"


def test_a_reader_whose_server_goes_away(server: Server) -> None:
    """A connection that breaks while it reads is told as any other."""
    with Edge(server, 5) as edge:
        edge.run()
        with pytest.raises(DatabaseUnavailableError, match="reading the inventory"):
            _read_and_be_killed(edge)


def _read_and_be_killed(edge: Edge) -> None:
    with inventory(edge.target) as reading:
        edge.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND application_name = 'image-sync'"
        )
        reading.status()


def test_a_large_state_is_streamed(server: Server) -> None:
    """Many images are handed on as they come: memory does not grow with their number."""
    with Edge(server, 1) as edge:
        edge.run()
        edge.do(
            "INSERT INTO inventory.images (source, id, name, first_seen_at, valid_from, listed_since, valid_from_run, "
            "raw_digest, content_digest) SELECT source, 'i' || n, repeat('x', 500), first_seen_at, valid_from, "
            "listed_since, valid_from_run, raw_digest, content_digest FROM inventory.images, generate_series(1, 40000) n"
        )
        with inventory(edge.target) as reading:
            rows = reading.as_of(reading.now(), None)
            next(rows)
            tracemalloc.start()
            count = 1 + sum(1 for _ in rows)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()

        assert count == 40_001
        assert peak < 20_000_000


def test_what_a_gap_in_the_list_does(server: Server) -> None:
    """A14: an image that the list leaves out for a while leaves no mark in its history."""
    with Edge(server, 8) as edge:
        edge.run()
        (name, *_) = sorted(edge.world.truth())
        edge.cloud.faults.add(gap([name]), times=None)
        edge.run()
        edge.cloud.faults.clear()
        edge.run()

        with inventory(edge.target) as reading:
            assert len(reading.history(name, None)) == 1
            assert json.dumps(reading.history(name, None)[0]["extra"]) == "null"
