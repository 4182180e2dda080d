"""Answers from the inventory equal those of a plain replay of everything that happened."""

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

from sync.domain.apis import IEC
from sync.domain.fields import COLUMNS
from sync.domain.image import to_json
from sync.errors import DatabaseUnavailableError, SchemaVersionError, UnknownError, UsageError
from sync.store.approvals import approve
from sync.store.connection import Target
from sync.store.queries.inventory import inline_parameters, inventory

COLUMN = {name: known.column for name, known in IEC.by_name.items()}


@pytest.fixture(params=[1, 2, 3])
def history(request: pytest.FixtureRequest, each_server: Server) -> Iterator[tuple[Edge, Replay]]:
    """The inventory and its model after a dozen runs with random changes, for each seed."""
    with played(each_server, request.param) as edge_and_replay:
        yield edge_and_replay


def moments_of(replay: Replay) -> list[datetime]:
    """Each run's moment, and the microsecond before and after it."""
    tick = timedelta(microseconds=1)
    return sorted({moment + step for moment in replay.moments for step in (-tick, timedelta(0), tick)})


def as_json(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row in the form the cloud returned it."""
    return canonical(to_json({name: row[name] for name in COLUMNS}, row["extra"]))


def test_as_of_any_moment(history: tuple[Edge, Replay]) -> None:
    """`as_of` returns the images of the last run before the moment, with their stored values, sorted by id."""
    edge, replay = history

    with inventory(edge.target) as reading:
        for moment in moments_of(replay):
            rows = list(reading.as_of(moment, edge.inventory.source.name))
            assert [row["id"] for row in rows] == sorted(replay.at(moment))
            for row in rows:
                plain = {name: value for name, value in replay.at(moment)[row["id"]].items() if name in IEC.by_name}
                kept = {name: row[COLUMN[name]] for name in plain if row[COLUMN[name]] is not None}
                assert kept == {name: plain[name] for name in kept}


def test_the_history_of_each_image(history: tuple[Edge, Replay]) -> None:
    """The history holds all versions, oldest first, with periods and contents; the current one has no end."""
    edge, replay = history
    names = {name for state in replay.states for name in state}

    with inventory(edge.target) as reading:
        for name in names:
            rows = reading.history(name, None)
            versions = [(row["valid_from"], row["valid_to"], as_json(row)) for row in rows]
            assert versions == replay.versions(name)


def test_the_history_says_what_changed(history: tuple[Edge, Replay]) -> None:
    """A version is created, updated if it follows directly, or restored after a gap; changed fields are named."""
    edge, replay = history

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
                others = {
                    f"extra.{key}"
                    for key in before[2].keys() | now[2].keys()
                    if key not in COLUMN and before[2].get(key) != now[2].get(key)
                }
                assert others <= fields
                assert fields <= known | others | {"extra.min_disk", "vendor_deleted_at", "min_disk", "name"}


def test_the_difference_between_any_two_moments(history: tuple[Edge, Replay]) -> None:
    """I13: the difference between two moments equals the replay's, field by field; diff(a, a) is empty."""
    edge, replay = history

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


def test_the_past_stays_as_it_was(history: tuple[Edge, Replay]) -> None:
    """I13: later runs do not change the answer about a past moment."""
    edge, replay = history
    with inventory(edge.target) as reading:
        before = [list(map(_timeless, reading.as_of(moment, None))) for moment in replay.moments]
    edge.world.churn(80)
    edge.run()

    with inventory(edge.target) as reading:
        assert [list(map(_timeless, reading.as_of(moment, None))) for moment in replay.moments] == before


def _timeless(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row without the columns about the next run, which may have happened since."""
    return {name: value for name, value in row.items() if not name.startswith("observed_next")}


def test_a_reader_sees_one_snapshot(server: Server) -> None:
    """All reads between open and close see one snapshot, even if a run commits in between."""
    with Edge(server) as edge:
        edge.run()
        with inventory(edge.target) as reading:
            before = [row["id"] for row in reading.as_of(reading.now(), None)]
            edge.world.delete(5)
            edge.world.create(5)
            edge.run()
            assert [row["id"] for row in reading.as_of(reading.now(), None)] == before


def test_as_of_one_source(server: Server) -> None:
    """A source can be asked for by name; the error for an unknown name lists the known ones."""
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
    """A run's moment is when it took effect, or when it started if it wrote nothing; an unknown run is an error."""
    with Edge(server, 5) as edge:
        outcome = edge.run()
        with edge.parts() as (store, parts):
            running = store.start(parts.source, "command")
        with inventory(edge.target) as reading:
            assert reading.moment(outcome.run or 0) == outcome.effective_at
            assert reading.moment(running.number or 0) == running.started_at
            with pytest.raises(UnknownError, match=f"the newest is {running.number}"):
                reading.moment(99)


def test_the_history_of_an_unknown_image(server: Server) -> None:
    """Asking for the history of an image that never existed is an error, not an empty answer."""
    with Edge(server, 5) as edge:
        edge.run()
        with inventory(edge.target) as reading, pytest.raises(UnknownError, match="was ever seen"):
            reading.history("nobody", None)


def test_the_history_of_an_image_first_listed_as_deleted(server: Server) -> None:
    """An image that was always listed as deleted has no version, and the error says so."""
    with Edge(server, 5) as edge:
        edge.world.put(image("dead", status="deleted"))
        edge.run()
        with inventory(edge.target) as reading, pytest.raises(UnknownError, match="listed it as deleted"):
            reading.history("dead", None)


def test_the_status(server: Server) -> None:
    """The status has one row per source: its last run, the images by state, and the age of the proof."""
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
        assert [(image["run"], image["approved_at"]) for image in waiting] == [(held.run, None)] * 20
        approve(edge.target, held.run or 0, "ann")
        with inventory(edge.target) as reading:
            assert all(image["approved_at"] for image in reading.held())
        edge.run()
        with inventory(edge.target) as reading:
            assert reading.held() == []


def test_the_status_of_a_source_that_never_finished(server: Server) -> None:
    """A running first run appears in the status; a source that was never proven has no age."""
    with Edge(server, 5) as edge:
        with edge.parts() as (store, parts):
            store.start(parts.source, "command")
        with inventory(edge.target) as reading:
            (row,) = reading.status()

        assert (row["status"], row["live"], row["proven_seconds_ago"]) == ("running", 0, None)


def test_the_age_of_the_proof_ignores_unproven_runs(server: Server) -> None:
    """The age counts from the last proven list, not from the last run."""
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
    """The reader's transaction is read-only and repeatable read."""
    with Edge(server, 5) as edge, inventory(edge.target) as reading:
        assert reading._connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
        assert reading._connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"


def test_a_reader_whose_server_goes_away(server: Server) -> None:
    """A connection that breaks while reading is reported as an unavailable database."""
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
    """Images are streamed: memory does not grow with their number."""
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


def test_a_gap_in_the_list_leaves_no_version(server: Server) -> None:
    """A14: an image that the list omits for a while keeps a single version."""
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


COLONS = r"""
SELECT 'a:days' AS literal, 'it''s :days' AS doubled, E'\':days' AS escaped, $$:days$$ AS dollars, $x$':days$x$ AS tagged,
    'img-1' ~ '^(?:centos|img)-' AS matches, '12:30'::time::text AS cast, (ARRAY[1, 2, 3])[2:3] AS slice,
    :days AS plain, :days::text AS text, 1 AS ":days", '100%' AS percent, '\:days' AS backslash, -- isn't :days
    /* don't :days */ name'\' || ':days' AS no_escape, e'it''s \' :days' AS small, 1 AS "it's "":days", 2 AS a$days$, '$days$' AS dollar,
    /* /* don't */ :days '/* /* ' */ */ :days * */ /**/ :days AS nested, /***/ 4 / 2 AS quotient, $x$ $y$ :days $x$ AS inner,
    (ARRAY[1, 2, 3])[:days - 6:7] AS from_parameter, (ARRAY[1, 2, 3])[:2] AS open, now() - now() = interval '0:0' AS zero,
    $x$a$x :days $x$ AS half, 'é' AS é$é$, U&'\003Adays' AS unicode, '{"a": 1}'::jsonb ->> 'a' AS json, $$
:days$$ AS lines, (SELECT (ARRAY[1, 2, 3])[low:days] || (ARRAY[4, 5, 6])[low :high] FROM (VALUES (2, 3, 3)) AS v (low, days, high)) AS names
"""


def test_colons_in_a_users_query_are_sql(target: Target) -> None:
    """Only a declared name is a parameter; a colon in a text, a name, a comment, a cast or a slice is SQL."""
    with inventory(target) as reading:
        (row,) = reading.ask("own", COLONS, {"days": 7})
        inlined = inline_parameters(COLONS, {"days": 7})

    assert dict(row) == {
        "literal": "a:days",
        "doubled": "it's :days",
        "escaped": "':days",
        "dollars": ":days",
        "tagged": "':days",
        "matches": True,
        "cast": "12:30:00",
        "slice": [2, 3],
        "plain": 7,
        "text": "7",
        ":days": 1,
        "percent": "100%",
        "backslash": r"\:days",
        "no_escape": r"\:days",
        "small": "it's ' :days",
        "it's \":days": 1,
        "a$days$": 2,
        "dollar": "$days$",
        "nested": 7,
        "quotient": 2,
        "inner": " $y$ :days ",
        "from_parameter": [1, 2, 3],
        "open": [1, 2],
        "zero": True,
        "half": "a$x :days ",
        "é$é$": "é",
        "unicode": ":days",
        "json": "1",
        "lines": "\n:days",
        "names": [2, 3, 5, 6],
    }
    expected = COLONS.strip().replace("[:days", "[7").replace("/**/ :days", "/**/ 7")
    assert inlined == expected.replace(":days AS plain, :days::text", "7 AS plain, 7::text") + ";"


def test_a_parameter_may_be_named_as_a_type(target: Target) -> None:
    """A cast stays one, whatever the thresholds are called."""
    with inventory(target) as reading:
        assert reading.ask("own", "SELECT :text::text AS found", {"text": 7}) == [{"found": "7"}]


def test_an_unknown_parameter_is_named(target: Target) -> None:
    """A name that no threshold declares is named with those that there are."""
    with inventory(target) as reading, pytest.raises(UsageError, match="it has no parameter :most, only :least, :days"):
        reading.ask("own", "SELECT :most, ':text', (ARRAY[1])[:1]", {"least": 1, "days": 7})
