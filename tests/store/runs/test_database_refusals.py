"""What the database may refuse: each is one sentence that says what to do, and nothing was written."""

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
from sync.store.connection import Target, connect
from sync.store.errors import translate_errors
from sync.store.queries.inventory import inventory
from sync.store.runs.database import Database

WRITTEN = ("sources", "runs", "run_pages", "images", "image_versions", "quarantine", "held_deletions", "findings")
LIVE = "SELECT count(*) FROM inventory.images WHERE deleted_at IS NULL"
LOCKED = ("sources", "images", "image_versions", "held_deletions", "run_pages", "quarantine", "findings")


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A source that is synced, and about to show every kind of change."""
    with Edge(server) as made:
        made.run()
        yield made


def stir(edge: Edge) -> None:
    """Something of every kind, so that the next run writes to every table."""
    edge.world.delete(15)
    edge.world.change(3)
    edge.world.create(2)
    edge.world.put({"id": "odd", "brand_new": 1})
    edge.world.put(b'{"id":"broken","name":"\\u0000"}')


def test_a_silent_peer_is_noticed(edge: Edge) -> None:
    """The connection asks after a peer that fell silent; what the URL says of it itself stands."""
    given = psycopg.conninfo.make_conninfo(edge.url, keepalives_idle="5")
    with connect(Target(edge.url)) as usual, connect(Target(given)) as own:
        names = {each.info.get_parameters()["keepalives_idle"] for each in (usual, own)}

        assert names == {"30", "5"}
        assert usual.info.get_parameters()["tcp_user_timeout"] == "60000"


# --- getting there ----------------------------------------------------------------------------------------------------


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
def test_a_database_that_is_not_there(url: str) -> None:
    """D02: told in one line, and the password is not in it, nor in what it came from."""
    with pytest.raises(DatabaseUnavailableError) as caught:
        connect(Target(url, connect_timeout=2))

    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r} {Target(url)!r}"
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_server_that_never_answers() -> None:
    """A host that takes the connection and says nothing keeps nobody waiting."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        with pytest.raises(DatabaseUnavailableError, match="timeout"):
            connect(Target(f"postgresql://owner@127.0.0.1:{port}/x", connect_timeout=2))


def test_too_many_connections(edge: Edge) -> None:
    """D08: a full server is told at once."""
    edge.do("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    url = edge.url.replace("owner@", "crowded@")

    with pytest.raises(DatabaseUnavailableError, match="too many connections"):
        connect(Target(url))
    edge.do("DROP ROLE crowded")


def test_a_run_takes_one_connection(edge: Edge) -> None:
    """D08: one connection is all a run needs; confirmations and the lost answers apart."""
    most: list[int] = []
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'image-sync'"
    )
    edge.cloud.faults.before_answer = lambda _: most.append(edge.value(query))
    stir(edge)

    edge.run()

    assert set(most) == {1}


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_another_encoding_is_refused(each_server: Server, encoding: str) -> None:
    """D20: in a database that is not in UTF8 names would be lost; it stays empty."""
    url = each_server._create(f"ENCODING '{encoding}' TEMPLATE template0")

    with pytest.raises(DatabaseRefusedError, match="UTF8"):
        Database(Target(url))
    with psycopg.connect(url) as opened:
        assert opened.execute("SELECT to_regnamespace('inventory')").fetchone() == (None,)


def test_the_encoding_of_the_environment_is_no_matter(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """D20: whatever the environment says of the client's encoding, every name arrives."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    edge.world.put({"id": "x", "name": "\u955c\u50cf \U0001f600"})

    edge.run()

    assert edge.value("SELECT name FROM inventory.images WHERE id = 'x'") == "\u955c\u50cf \U0001f600"


@pytest.mark.parametrize("setting", ["datestyle = 'German'", "datestyle = 'SQL, DMY'", "timezone = 'Asia/Kathmandu'"])
def test_the_settings_of_the_database_are_no_matter(edge: Edge, setting: str) -> None:
    """However the database writes its times, a run understands them."""
    edge.do(f"ALTER DATABASE {edge.value('SELECT current_database()')} SET {setting}")
    stir(edge)

    edge.run_by(edge.url)
    edge.check()

    with inventory(edge.target) as reading:
        assert len(list(reading.as_of(reading.now(), None))) == edge.value(LIVE)


# --- what is not allowed ----------------------------------------------------------------------------------------------


def test_a_standby_is_refused_before_anything_is_read(edge: Edge) -> None:
    """D11: on a read-only database nothing is asked of the cloud."""
    edge.do(f"ALTER DATABASE {edge.value('SELECT current_database()')} SET default_transaction_read_only = on")
    since = edge.cloud.journal.seq

    with pytest.raises(DatabaseRefusedError, match="standby or read-only"):
        edge.run_by(edge.url)

    assert edge.cloud.journal.answers(since) == []


@pytest.fixture
def worker(edge: Edge) -> Iterator[str]:
    """URL of a role with the rights a worker needs, and no more."""
    edge.do("CREATE ROLE worker LOGIN")
    edge.do("GRANT USAGE ON SCHEMA inventory TO worker")
    edge.do("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA inventory TO worker")
    yield edge.url.replace("owner@", "worker@")
    edge.do("DROP OWNED BY worker")
    edge.do("DROP ROLE worker")


def test_a_worker_needs_no_more_than_to_read_and_write(edge: Edge, worker: str) -> None:
    """D18: no DELETE, no TRUNCATE and no DDL is needed for all that a run does."""
    stir(edge)

    outcome = edge.run_by(worker)

    assert outcome.plan.created >= 2
    assert outcome.plan.held == 15
    edge.check()


@pytest.mark.parametrize("table", WRITTEN)
@pytest.mark.parametrize("right", ["ALL", "INSERT, UPDATE"])
def test_a_missing_right_is_named(edge: Edge, worker: str, table: str, right: str) -> None:
    """D17: the message names the table; nothing else was written, and with the right back the next run goes on."""
    stir(edge)
    before = edge.inventory.dump()
    edge.do(f"REVOKE {right} ON inventory.{table} FROM worker")

    with pytest.raises(DatabaseRefusedError, match=f"permission denied for table {table}"):
        edge.run_by(worker)

    assert edge.inventory.dump() == before
    edge.check()
    edge.do("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA inventory TO worker")
    assert edge.run_by(worker).plan.held == 15


def test_a_schema_that_may_not_be_used(edge: Edge, worker: str) -> None:
    """D17: without USAGE on the schema the first look is refused."""
    edge.do("REVOKE USAGE ON SCHEMA inventory FROM worker")

    with Database(Target(worker)) as store, pytest.raises(DatabaseRefusedError, match="schema inventory"):
        store.prepare()


def test_a_table_that_is_gone(edge: Edge) -> None:
    """A schema that someone changed by hand is told apart from a fault."""
    edge.do("ALTER TABLE inventory.held_deletions RENAME TO other")
    stir(edge)

    with pytest.raises(SchemaVersionError, match="db status"):
        edge.run_by(edge.url)


# --- what takes too long ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", LOCKED)
def test_a_lock_keeps_nobody_waiting(edge: Edge, table: str) -> None:
    """D04: a table that another session holds fails the run soon, by name; nothing is written, the next run works."""
    stir(edge)
    edge.inventory._target = Target(edge.url, lock_timeout=0.2)
    with psycopg.connect(edge.url) as other:
        other.execute(f"LOCK TABLE inventory.{table} IN SHARE ROW EXCLUSIVE MODE")
        with pytest.raises(DatabaseBusyError, match="lock timeout"):
            edge.inventory.run()

    edge.check()
    assert edge.run().plan.created >= 2


def test_every_transaction_is_bounded(edge: Edge) -> None:
    """D04, D05: each begins with the limits of the settings, and no statement that touches a table is outside of one."""
    asked: list[str] = []
    stir(edge)
    with Proxy(edge.url) as proxy:
        edge.target = Target(proxy.url, lock_timeout=0.2, statement_timeout=0.7)
        proxy.before = lambda passing: asked.append(passing.statement)
        with Database(edge.target) as store, wiring.parts(edge.inventory.source, store, edge.inventory.stop) as parts:
            runner.sync(parts, "command")

    inside = False
    for before, statement in pairwise(["", *asked]):
        inside = statement == "BEGIN" or (inside and statement not in ("COMMIT", "ROLLBACK"))
        assert inside or "inventory." not in statement
        if before == "BEGIN":
            assert "'lock_timeout', '200'" in statement
            assert "'statement_timeout', '700'" in statement


def test_a_lock_on_what_is_read(edge: Edge) -> None:
    """D04: so does a lock that not even readers pass, such as that of VACUUM FULL."""
    edge.inventory._target = Target(edge.url, lock_timeout=0.2)
    with psycopg.connect(edge.url) as other:
        other.execute("LOCK TABLE inventory.images")
        error = _fails_unrecorded(edge)

    assert "reading what is stored" in str(error)
    edge.run()


def test_a_lock_on_the_record(edge: Edge) -> None:
    """D04: where not even the failure can be recorded, the run ends all the same, and the next one says so for it."""
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


def test_a_statement_has_its_time(edge: Edge) -> None:
    """D05: a statement that takes too long is ended, and the message names the step."""
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


def test_nothing_is_asked_of_the_cloud_in_a_transaction(edge: Edge) -> None:
    """D06: however slow the cloud, no transaction is open meanwhile."""
    states: list[str] = []
    query = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'image-sync'"
    edge.cloud.faults.before_answer = lambda _: states.append(edge.value(query))
    stir(edge)

    edge.run()

    assert len(states) > 2
    assert set(states) == {"idle"}


def test_a_deadlock_is_not_the_end(edge: Edge) -> None:
    """D07: whom PostgreSQL chooses to end a deadlock writes nothing, and the next run does."""
    stir(edge)
    with psycopg.connect(edge.url) as other:
        other.execute("SET deadlock_timeout = '60s'")  # so that it is the run that ends
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
    """E04: a statement that waits is ended from outside; the run says that it was stopped, not that something broke."""
    stir(edge)
    with psycopg.connect(edge.url) as other, edge.parts() as (store, parts):
        other.execute("LOCK TABLE inventory.image_versions")
        run = store.start(parts.source, "command")
        canceller = threading.Timer(0.3, store.cancel)
        canceller.start()
        with pytest.raises(InterruptedRunError), store.writing(run), translate_errors("waiting"):
            store.connection.execute("SELECT count(*) FROM inventory.image_versions")
        canceller.join()


# --- how a failure is told ----------------------------------------------------------------------------------------------


def test_a_failure_is_recorded_whatever_it_says(edge: Edge) -> None:
    """Text of the cloud that PostgreSQL does not take keeps no run from being on record as failed."""
    edge.cloud.faults.add(effects.status(403, message="no\0t you \ud800"), times=None)

    edge.inventory.stop.clear()
    with pytest.raises(ForbiddenError):
        edge.inventory.run()

    assert edge.record["status"] == "failed"
    assert edge.record["error"] == "ForbiddenError"
    assert edge.record["finished_at"] is not None
