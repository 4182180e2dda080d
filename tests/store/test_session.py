"""Results do not depend on what a role, a database or the environment sets for its sessions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cli_tools import Job
from cloud_tools import Inventory
from fault_rules import FaultySimulator
from servers import Server
from session_defaults import DEFAULTS, set_defaults

from sync import runner, wiring
from sync.errors import DatabaseRefusedError
from sync.simulator import World
from sync.store.connection import Target, connect, transaction
from sync.store.queries import obstacles
from sync.store.queries.doctor import Inspection
from sync.store.queries.invariants import violations
from sync.store.queries.inventory import inventory
from sync.store.queries.metrics import MetricsQuery
from sync.store.queries.notices import facts_of
from sync.store.runs.database import Database
from sync.store.schema import migrate

SET_BY_US = DEFAULTS.keys() - {"default_transaction_isolation"}  # BEGIN names the level itself
ENVIRONMENT = {
    "PGOPTIONS": "-c standard_conforming_strings=off -c bytea_output=escape -c default_transaction_isolation=serializable",
    "PGDATESTYLE": "German",
    "PGTZ": "Asia/Kathmandu",
    "PGCLIENTENCODING": "SQL_ASCII",
}
ROWS = """
SELECT 'image', id, name, extra::text, deleted_at IS NULL, valid_from_run, NULL
FROM inventory.images UNION ALL
SELECT 'version', id, name, extra::text, NULL, valid_from_run, NULL
FROM inventory.image_versions ORDER BY 1, 2, 6
"""
SETTINGS = "SELECT name, setting FROM pg_settings WHERE name NOT LIKE 'transaction%' ORDER BY 1"
OWN_QUERY = "SELECT count(*) AS n FROM inventory.live_images WHERE id = 'odd' AND sha256(''::bytea) <> ''::bytea"
LIMITS = """
SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
       current_setting('idle_in_transaction_session_timeout'), current_setting('transaction_isolation')
"""


@pytest.fixture(scope="module")
def plain(server_newest: Server) -> list[Any]:
    """How the story goes where nobody set anything."""
    return story(server_newest.empty())


def story(url: str) -> list[Any]:
    """Everything that is found from an empty database on: a first load, changes, an emptied cloud, and questions."""
    target = Target(url)
    migrate.upgrade(target)
    with FaultySimulator(World(seed=7, size=40)) as cloud:
        # Not all of it ASCII, and with what a string may end, escape or mean.
        cloud.world.put({"id": "odd", "name": "\u955c 'quoted' \\\\x41 NULL"})
        job = Inventory(target, cloud)
        results = [_run(target, job)]
        cloud.world.change(4)
        cloud.world.create(2)
        cloud.world.delete(1)
        results.append(_run(target, job))
        cloud.world.delete(20)
        results.append(_run(target, job))
    answers = _answers(target, job.source.name)
    with psycopg.connect(
        url, options="-c search_path=pg_catalog -c statement_timeout=0", client_encoding="UTF8"
    ) as opened:
        return [*results, *answers, *opened.execute(ROWS)]


def _run(target: Target, job: Inventory) -> list[Any]:
    """Sync once; what the run says it did."""
    with Database(target) as store, wiring.parts(job.source, store, job.stop) as parts:
        outcome = runner.sync(parts, "command")
    return [outcome.status, outcome.proven, outcome.plan, outcome.reason, facts_of_run(target, outcome.run)]


def facts_of_run(target: Target, run: int | None) -> list[Any]:
    """The facts that a notice of this run would give."""
    assert run is not None
    facts = facts_of(target, run, ["held", "exposure", "quarantined"])
    assert facts is not None
    return [facts.status, facts.held, facts.waiting, facts.failed, facts.exposed]


def _answers(target: Target, source: str) -> Iterator[Any]:
    """The answers to all who ask: `verify`, `doctor`, metrics, the commands that read, and a check of a user's own."""
    with connect(target) as connection:
        with transaction(connection, target.without_hurry(), "verifying", snapshot=True):
            yield violations(connection)
        inspection = Inspection(connection, target)
        yield [right for right in inspection.rights_of_a_run(14) if not right.granted]
        yield obstacles.numbers(inspection)
        state = inspection.states([source])[source]
        yield state.status, state.held
    for metrics in MetricsQuery(target).source_metrics():
        yield metrics.status, metrics.held, metrics.runs, metrics.sums["created"]
    with inventory(target) as reading:
        yield len(list(reading.as_of(reading.now(), source)))
        yield [version["name"] for version in reading.history("odd", None)]
        yield [dict(row) for row in reading.ask("a test", OWN_QUERY, {})]


@pytest.mark.parametrize("name", [*DEFAULTS, "all"])
def test_defaults_of_the_database_change_nothing(server: Server, plain: list[Any], name: str) -> None:
    """Each of them alone, and all together: the same runs, rows and answers as without."""
    url = server.empty()
    set_defaults(url, DEFAULTS if name == "all" else {name: DEFAULTS[name]})

    assert story(url) == plain


def test_variables_of_the_environment_change_nothing(
    server: Server, plain: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables of libpq, together with all defaults: the same runs, rows and answers as without."""
    url = server.empty()
    set_defaults(url, DEFAULTS)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    assert story(url) == plain


def test_the_commands_work_under_all_of_it(server: Server, tmp_path: Path) -> None:
    """The program itself makes the schema, syncs, verifies and reads."""
    url = server.empty()
    set_defaults(url, DEFAULTS)
    with FaultySimulator(World(seed=7, size=40)) as cloud:
        job = Job(tmp_path, url, cloud, **ENVIRONMENT)
        done = [job(*words.split()) for words in ("run", "db upgrade", "verify", "as-of now --format json")]

    assert [(each.code, "Traceback" in each.err) for each in done] == [(0, False)] * len(done), done
    assert len(done[-1].rows) == 40


def test_a_read_only_default_is_heeded(server: Server) -> None:
    """Whoever made a database read-only meant it: what writes is refused, what reads works."""
    url = server.migrated()
    set_defaults(url, {"default_transaction_read_only": "on"})
    with FaultySimulator(World(seed=7, size=5)) as cloud, pytest.raises(DatabaseRefusedError, match="read-only"):
        _run(Target(url), Inventory(Target(url), cloud))

    with inventory(Target(url)) as reading:
        assert list(reading.as_of(reading.now(), None)) == []


def test_a_policy_is_an_error(server: Server) -> None:
    """Rows that a policy hides are not taken for rows that do not exist."""
    url = server.migrated()
    with psycopg.connect(url, autocommit=True) as opened:
        opened.execute("CREATE ROLE behind_policy LOGIN; GRANT inventory_reader TO behind_policy")
        opened.execute("ALTER TABLE inventory.runs ENABLE ROW LEVEL SECURITY")
    target = Target(url.replace("owner@", "behind_policy@"))

    with pytest.raises(DatabaseRefusedError, match="row-level security"):
        MetricsQuery(target).source_metrics()


def test_limits_and_levels(server: Server) -> None:
    """A transaction has the limits of its target; a snapshot sees one moment and can write nothing."""
    url = server.migrated()
    set_defaults(url, DEFAULTS)
    target = Target(url, lock_timeout=2, statement_timeout=3, idle_timeout=4)
    with connect(target) as connection:
        with transaction(connection, target, "looking"):
            usual = connection.execute(LIMITS).fetchone()
        with transaction(connection, target.without_hurry(), "looking", snapshot=True):
            snapshot = connection.execute(LIMITS).fetchone()
        with pytest.raises(DatabaseRefusedError), transaction(connection, target, "writing", snapshot=True):
            connection.execute("DELETE FROM inventory.findings")
    with FaultySimulator(World(seed=7, size=1)) as cloud, Database(target) as store:
        job = Inventory(target, cloud)
        with (
            wiring.parts(job.source, store, job.stop) as parts,
            store.transaction(store.start(parts.source, "command")),
        ):
            writing = store.connection.execute(LIMITS).fetchone()

    assert usual == writing == ("3s", "2s", "4s", "read committed")
    assert snapshot == ("0", "2s", "0", "repeatable read")


def test_each_transaction_makes_every_setting(server: Server) -> None:
    """Within a transaction all settings are the same, whatever the database has."""
    inside = []
    for defaults in ({}, DEFAULTS):
        target = Target(server.migrated())
        set_defaults(target.url, defaults)
        with connect(target) as connection, transaction(connection, target, "looking"):
            inside.append({name: connection.execute(f"SHOW {name}".encode()).fetchone() for name in SET_BY_US})

    assert inside[0] == inside[1]


def test_nothing_is_left_behind(server: Server) -> None:
    """After a transaction the session has its own settings again, as a pooler gives it to others."""
    target = Target(server.migrated())
    with connect(target) as connection:
        before = connection.execute(SETTINGS).fetchall()
        with transaction(connection, target, "looking"):
            inside = connection.execute(SETTINGS).fetchall()
        after = connection.execute(SETTINGS).fetchall()

    assert inside != before
    assert after == before


def test_a_users_query_finds_names_on_the_users_path(server: Server) -> None:
    """A query of a user's own may rely on the path of the database, and what it sets ends with it."""
    url = server.migrated()
    set_defaults(url, {"search_path": "hostile"})
    with inventory(Target(url)) as reading:
        rows = reading.ask("a test", "SELECT not_equal('a', 'a') AS own, set_config('DateStyle', 'German', true)", {})
        path, style = (reading.rows(f"SHOW {name}")[0] for name in ("search_path", "datestyle"))

    assert rows[0]["own"] is False
    assert (path["search_path"], style["DateStyle"]) == ("pg_catalog, pg_temp", "ISO, MDY")
