"""Whatever the database refuses, the error is one sentence that says what to do, and nothing was written."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import effects
import psycopg
import pytest
from cloud_tools import before_answer
from proxy import Proxy
from servers import Server
from store_tools import Edge

from sync import runner, wiring
from sync.errors import (
    DatabaseBusyError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    ForbiddenError,
    InterruptedRunError,
    SchemaVersionError,
)
from sync.store import session
from sync.store.connection import Target, connect
from sync.store.errors import translate_errors
from sync.store.queries.inventory import inventory
from sync.store.runs.database import Database

WRITTEN = ("sources", "runs", "run_pages", "images", "image_versions", "quarantine", "held_deletions", "findings")
LIVE = "SELECT count(*) FROM inventory.images WHERE deleted_at IS NULL"
LOCKED = ("sources", "images", "image_versions", "held_deletions", "run_pages", "quarantine", "findings")


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A synced source; `stir` prepares every kind of change."""
    with Edge(server) as edge:
        edge.run()
        yield edge


def stir(edge: Edge) -> None:
    """Prepare changes that make the next run write to every table."""
    edge.world.delete(15)
    edge.world.change(3)
    edge.world.create(2)
    edge.world.put({"id": "odd", "brand_new": 1})
    edge.world.put(b'{"id":"broken","name":"\\u0000"}')


def test_a_silent_peer_is_noticed(edge: Edge) -> None:
    """TCP keepalives notice a silent peer; those in the URL take precedence."""
    configured = psycopg.conninfo.make_conninfo(edge.url, keepalives_idle="5")
    with connect(Target(edge.url)) as default, connect(Target(configured)) as from_url:
        idle_seconds = {each.info.get_parameters()["keepalives_idle"] for each in (default, from_url)}

        assert idle_seconds == {"30", "5"}
        assert default.info.get_parameters()["tcp_user_timeout"] == "60000"


# --- connecting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://owner:canary-secret@127.0.0.1:1/x",
        "postgresql://owner:canary-secret@127.0.0.1:notaport/x",
        "postgresql://owner:canary-secret@[::1/x",
        "host=127.0.0.1 port=1 password=canary-secret dbname",
        "postgresql://owner:canary-secret@127.0.0.1:1/x?nonsense=1",
    ],
)
def test_an_unreachable_database(url: str) -> None:
    """D02: the error is one line, without the password in its text or its cause."""
    with pytest.raises(DatabaseUnavailableError) as caught:
        connect(Target(url, connect_timeout=2))

    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r} {Target(url)!r}"
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_server_that_never_answers() -> None:
    """A host that accepts the connection and stays silent fails with a timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        with pytest.raises(DatabaseUnavailableError, match="timeout"):
            connect(Target(f"postgresql://owner@127.0.0.1:{port}/x", connect_timeout=2))


def test_too_many_connections(edge: Edge) -> None:
    """D08: a server without a free connection is reported at once."""
    edge.do("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    url = edge.url.replace("owner@", "crowded@")

    with pytest.raises(DatabaseUnavailableError, match="too many connections"):
        connect(Target(url))
    edge.do("DROP ROLE crowded")


def test_a_run_takes_one_connection(edge: Edge) -> None:
    """D08: a run holds exactly one connection."""
    counts: list[int] = []
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'image-sync'"
    )
    edge.cloud.faults.before_answer = lambda _: counts.append(edge.value(query))
    stir(edge)

    edge.run()

    assert set(counts) == {1}


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_another_encoding_is_refused(each_server: Server, encoding: str) -> None:
    """D20: a database that is not UTF8 is refused and left empty."""
    url = each_server._create(f"ENCODING '{encoding}' TEMPLATE template0")

    with pytest.raises(DatabaseRefusedError, match="UTF8"):
        Database(Target(url))
    with psycopg.connect(url) as opened:
        assert opened.execute("SELECT to_regnamespace('inventory')").fetchone() == (None,)


def test_the_client_encoding_of_the_environment_is_ignored(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """D20: every name is stored unharmed, whatever PGCLIENTENCODING says."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    edge.world.put({"id": "x", "name": "\u955c\u50cf \U0001f600"})

    edge.run()

    assert edge.value("SELECT name FROM inventory.images WHERE id = 'x'") == "\u955c\u50cf \U0001f600"


@pytest.mark.parametrize("setting", ["datestyle = 'German'", "datestyle = 'SQL, DMY'", "timezone = 'Asia/Kathmandu'"])
def test_date_settings_of_the_database_are_ignored(edge: Edge, setting: str) -> None:
    """A run reads timestamps correctly, whatever date style and time zone the database has."""
    edge.do(f"ALTER DATABASE {edge.value('SELECT current_database()')} SET {setting}")
    stir(edge)

    edge.run_by(edge.url)
    edge.check()

    with inventory(edge.target) as reading:
        assert len(list(reading.as_of(reading.now(), None))) == edge.value(LIVE)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_standby_is_refused_before_anything_is_read(edge: Edge) -> None:
    """D11: with a read-only database the cloud gets no request, and the sentence says which setting makes it so."""
    edge.do(f"ALTER DATABASE {edge.value('SELECT current_database()')} SET default_transaction_read_only = on")
    since = edge.cloud.journal.seq

    with pytest.raises(DatabaseRefusedError, match="not a standby, but default_transaction_read_only is on"):
        edge.run_by(edge.url)

    assert edge.cloud.journal.answers(since) == []


@pytest.fixture
def worker(edge: Edge) -> Iterator[str]:
    """The URL of a role with only the privileges a run needs."""
    edge.do("CREATE ROLE worker LOGIN")
    edge.do("GRANT USAGE ON SCHEMA inventory TO worker")
    edge.do("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA inventory TO worker")
    yield edge.url.replace("owner@", "worker@")
    edge.do("DROP OWNED BY worker")
    edge.do("DROP ROLE worker")


def test_a_run_needs_only_select_insert_and_update(edge: Edge, worker: str) -> None:
    """D18: a run that writes to every table needs no DELETE, TRUNCATE or DDL."""
    stir(edge)

    outcome = edge.run_by(worker)

    assert outcome.plan.created >= 2
    assert outcome.plan.held == 15
    edge.check()


@pytest.mark.parametrize("table", WRITTEN)
@pytest.mark.parametrize("right", ["ALL", "INSERT, UPDATE"])
def test_a_missing_privilege_is_named(edge: Edge, worker: str, table: str, right: str) -> None:
    """D17: the message names the table and nothing is written; with the privilege back the next run succeeds."""
    stir(edge)
    before = edge.inventory.dump()
    edge.do(f"REVOKE {right} ON inventory.{table} FROM worker")

    with pytest.raises(DatabaseRefusedError, match=f"permission denied for table {table}"):
        edge.run_by(worker)

    assert edge.inventory.dump() == before
    edge.check()
    edge.do("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA inventory TO worker")
    assert edge.run_by(worker).plan.held == 15


def test_a_schema_without_usage(edge: Edge, worker: str) -> None:
    """D17: without USAGE on the schema, preparing the database is refused."""
    edge.do("REVOKE USAGE ON SCHEMA inventory FROM worker")

    with Database(Target(worker)) as store, pytest.raises(DatabaseRefusedError, match="schema inventory"):
        store.prepare()


def test_a_missing_table(edge: Edge) -> None:
    """A table that was removed by hand is reported as a wrong schema version."""
    edge.do("ALTER TABLE inventory.held_deletions RENAME TO other")
    stir(edge)

    with pytest.raises(SchemaVersionError, match="db status"):
        edge.run_by(edge.url)


# --- timeouts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", LOCKED)
def test_a_locked_table_fails_the_run_soon(edge: Edge, table: str) -> None:
    """D04: a run fails soon if another session locks a table; nothing is written, and the next run succeeds."""
    stir(edge)
    edge.inventory._target = Target(edge.url, lock_timeout=0.2)
    with psycopg.connect(edge.url) as other:
        other.execute(f"LOCK TABLE inventory.{table} IN SHARE ROW EXCLUSIVE MODE")
        with pytest.raises(DatabaseBusyError, match="lock timeout"):
            edge.inventory.run()

    edge.check()
    assert edge.run().plan.created >= 2


def test_every_transaction_has_timeouts(edge: Edge) -> None:
    """D04, D05: each transaction sets the configured timeouts, and every statement on a table is in a transaction."""
    statements: list[str] = []
    stir(edge)
    with Proxy(edge.url) as proxy:
        edge.target = Target(proxy.url, lock_timeout=0.2, statement_timeout=0.7)
        proxy.before = lambda passing: statements.append(passing.statement)
        with Database(edge.target) as store, wiring.parts(edge.inventory.source, store, edge.inventory.stop) as parts:
            runner.sync(parts, "command")

    inside = False
    for before, statement in pairwise(["", *statements]):
        inside = statement == session.BEGIN or (inside and statement not in ("COMMIT", "ROLLBACK"))
        assert inside or "inventory." not in statement
        if before == session.BEGIN:
            assert "'lock_timeout', '200'" in statement
            assert "'statement_timeout', '700'" in statement


def test_a_lock_against_readers(edge: Edge) -> None:
    """D04: an exclusive lock, like that of VACUUM FULL, fails the run too."""
    edge.inventory._target = Target(edge.url, lock_timeout=0.2)
    with psycopg.connect(edge.url) as other:
        other.execute("LOCK TABLE inventory.images")
        error = _fails_unrecorded(edge)

    assert "reading what is stored" in str(error)
    edge.run()


def test_a_lock_on_the_run_records(edge: Edge) -> None:
    """D04: if the failure cannot be recorded, the run still ends, and the next run marks it as abandoned."""
    stir(edge)
    edge.inventory._target = Target(edge.url, lock_timeout=0.2)
    before = edge.inventory.dump()
    with psycopg.connect(edge.url) as other:
        before_answer(edge.cloud, 1, lambda: other.execute("LOCK TABLE inventory.runs IN SHARE ROW EXCLUSIVE MODE"))
        error = _fails_unrecorded(edge)

    assert "nor could that be recorded" in " ".join(error.__notes__)
    assert edge.inventory.dump() == before
    assert edge.record["status"] == "running"
    lost = edge.record["run"]
    edge.run()
    assert edge.rows("SELECT status, error FROM inventory.runs WHERE run = %s", lost) == [("abandoned", None)]


def _fails_unrecorded(edge: Edge) -> DatabaseBusyError:
    with pytest.raises(DatabaseBusyError) as caught:
        edge.inventory.run()
    return caught.value


def test_a_slow_statement_is_cancelled(edge: Edge) -> None:
    """D05: a statement that takes too long is cancelled, and the message names the step."""
    edge.do(
        """CREATE FUNCTION inventory.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'"""
    )
    edge.do("CREATE TRIGGER slow BEFORE UPDATE ON inventory.images FOR EACH ROW EXECUTE FUNCTION inventory.slow()")
    edge.inventory._target = Target(edge.url, statement_timeout=0.3)
    edge.world.change(1)

    error = edge.fails(DatabaseBusyError)

    assert "writing images and versions" in str(error)
    edge.do("DROP TRIGGER slow ON inventory.images")
    assert edge.run().plan.updated == 1


def test_no_transaction_is_open_during_requests(edge: Edge) -> None:
    """D06: no transaction is open while the run waits for the cloud."""
    states: list[str] = []
    query = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'image-sync'"
    edge.cloud.faults.before_answer = lambda _: states.append(edge.value(query))
    stir(edge)

    edge.run()

    assert len(states) > 2
    assert set(states) == {"idle"}


def test_a_run_ended_by_a_deadlock(edge: Edge) -> None:
    """D07: a run that PostgreSQL ends to break a deadlock writes nothing, and the next one succeeds."""
    stir(edge)
    with psycopg.connect(edge.url) as other:
        other.execute("SET deadlock_timeout = '60s'")  # so that PostgreSQL ends the run
        other.execute("LOCK TABLE inventory.image_versions IN SHARE MODE")
        waits = threading.Thread(target=_update_sources, args=(other,))
        before_answer(edge.cloud, 2, waits.start)
        with pytest.raises(DatabaseBusyError):
            edge.inventory.run()
        waits.join()
        other.rollback()
    edge.check()

    assert edge.run().plan.held == 15


def _update_sources(other: psycopg.Connection[Any]) -> None:
    """Wait for the run's row; the run then waits for this session's table."""
    other.execute("SELECT pg_sleep(0.3)")
    other.execute("UPDATE inventory.sources SET endpoint = endpoint")


def test_a_run_can_be_cancelled(edge: Edge) -> None:
    """E04: cancelling ends a waiting statement, and the run reports that it was interrupted."""
    stir(edge)
    with psycopg.connect(edge.url) as other, edge.parts() as (store, parts):
        other.execute("LOCK TABLE inventory.image_versions")
        run = store.start(parts.source, "command")
        canceller = threading.Timer(0.3, store.cancel)
        canceller.start()
        with pytest.raises(InterruptedRunError), store.transaction(run), translate_errors("waiting", store.connection):
            store.connection.execute("SELECT count(*) FROM inventory.image_versions")
        canceller.join()


# --- recording a failure ----------------------------------------------------------------------------------------------


def test_a_failure_is_recorded_whatever_its_text(edge: Edge) -> None:
    """A failed run is recorded even if the cloud's text contains characters that PostgreSQL rejects."""
    edge.cloud.faults.add(effects.status(403, message="no\0t you \ud800"), times=None)

    edge.inventory.stop.clear()
    with pytest.raises(ForbiddenError):
        edge.inventory.run()

    assert edge.record["status"] == "failed"
    assert edge.record["error"] == "ForbiddenError"
    assert edge.record["finished_at"] is not None
