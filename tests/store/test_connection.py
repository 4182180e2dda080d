"""A database that stops answering while its connection stays open: every wait has a limit, and every record is true."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from cloud_tools import before_answer
from proxy import Lose, Proxy, lose_once
from servers import Server
from store_tools import Edge

from sync import runner
from sync.domain.run import RequestStats, Run
from sync.domain.status import Status
from sync.errors import (
    DatabaseBusyError,
    DatabaseUnavailableError,
    DeadlineError,
    InterruptedRunError,
    OutcomeUnknownError,
    SupersededError,
)
from sync.store.connection import Target, connect, later, transaction
from sync.store.errors import translate_errors
from sync.store.runs.database import Database


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A synced source whose next list will show a few changes."""
    with Edge(server) as edge:
        edge.run()
        edge.world.change(3)
        edge.world.create(2)
        yield edge


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if the block takes longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Suspend a process of the server."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


# --- a single wait ----------------------------------------------------------------------------------------------------


def test_a_frozen_server_is_given_up_after_the_limit(edge: Edge) -> None:
    """After the statement timeout and its margin the connection is given up, and the message says so."""
    target = Target(edge.url, statement_timeout=0.3, margin=0.2)
    with connect(target) as connection, frozen(connection.info.backend_pid), within(3):
        message = r"did not answer within 0\.5 s; the connection was closed"
        with pytest.raises(DatabaseUnavailableError, match=message), transaction(connection, target, "waiting"):
            pytest.fail("a frozen server answered")
        assert connection.closed


def test_a_statement_without_a_limit_ends_with_the_run(edge: Edge) -> None:
    """A statement without a time limit is cancelled on the server when the run is over."""
    over = threading.Event()
    with connect(edge.target, over.is_set) as connection:
        threading.Timer(0.3, over.set).start()
        with within(2), pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(60)")
        assert not connection.closed


def test_copy_to_a_silent_server_ends(edge: Edge) -> None:
    """COPY to a server that stops reading is given up after the limit."""
    target = Target(edge.url, statement_timeout=0.3, margin=0.2)
    with ExitStack() as stack, connect(target) as connection, within(4):
        connection.execute("CREATE TEMPORARY TABLE rows (text text)")
        pid = connection.info.backend_pid
        with (
            pytest.raises(DatabaseUnavailableError, match="did not answer"),
            transaction(connection, target, "copying"),
        ):
            _copy(connection, lambda: stack.enter_context(frozen(pid)))


def test_copy_ends_with_the_run(edge: Edge) -> None:
    """COPY stops when the run is over, even while the server accepts every row."""
    over = threading.Event()
    with connect(edge.target, over.is_set) as connection, within(3):
        connection.execute("CREATE TEMPORARY TABLE rows (text text)")
        threading.Timer(0.3, over.set).start()
        with pytest.raises(psycopg.OperationalError):
            _copy(connection)


def _copy(connection: psycopg.Connection[Any], begun: Callable[[], object] = lambda: None) -> None:
    """Send rows endlessly."""
    with connection.cursor() as cursor, cursor.copy("COPY rows FROM STDIN") as copy:
        begun()
        while True:
            copy.write_row(["x" * 1000])


def test_limits_hold_for_their_block_only(edge: Edge) -> None:
    """After a transaction with a limit, the connection waits without one again."""
    with connect(edge.target) as connection:
        with transaction(connection, edge.target, "waiting"):
            inside = connection.limit
        assert (inside, connection.limit) == (305.0, None)


def test_later_delays_by_the_given_seconds() -> None:
    """The delayed condition becomes true only after the given number of seconds."""
    over = threading.Event()
    put_off = later(over.is_set, 0.1)
    before = put_off()
    over.set()
    at_once = put_off()
    time.sleep(0.12)

    assert (before, at_once, put_off()) == (False, False, True)


def test_every_transaction_sets_its_own_session_settings(edge: Edge) -> None:
    """Each transaction sets an idle timeout and standard strings, whatever the server's defaults are."""
    with connect(edge.target) as connection, transaction(connection, edge.target, "looking"):
        row = connection.execute(
            "SELECT current_setting('idle_in_transaction_session_timeout'), "
            "current_setting('standard_conforming_strings')"
        ).fetchone()

    assert row == ("30s", "on")


# --- a run ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["inventory.sources", "pg_temp.stage", "INSERT INTO inventory.image"])
def test_a_silent_server_ends_a_run_at_its_deadline(edge: Edge, statement: str) -> None:
    """Wherever in its transaction the server falls silent, the run fails soon after its deadline and is recorded."""
    before = edge.inventory.dump()
    with Proxy(edge.url) as proxy:
        proxy.before = lose_once(statement, Lose.SILENT_REQUEST)
        with within(9), pytest.raises(DeadlineError):
            edge.run_by(proxy.url, deadline=3.0)

    assert (edge.record["status"], edge.record["error"]) == ("failed", "DeadlineError")
    assert edge.inventory.dump() == before
    edge.check()


def test_a_backend_frozen_between_two_pages(edge: Edge) -> None:
    """If its backend freezes, the run ends at its deadline and records that over another connection."""
    with ExitStack() as stack, edge.parts(deadline=3.0) as (store, parts):
        pid = store.connection.info.backend_pid
        before_answer(edge.cloud, 1, lambda: stack.enter_context(frozen(pid)))
        with within(12), pytest.raises(DeadlineError):
            runner.sync(parts, "command")

    assert (edge.record["status"], edge.record["error"]) == ("failed", "DeadlineError")


@pytest.mark.long
def test_a_network_that_stays_silent(edge: Edge) -> None:
    """If no new connection can be opened either, the run still ends, and says that nothing was recorded."""
    with Proxy(edge.url) as proxy:
        before_answer(edge.cloud, 1, proxy.fall_silent)
        with within(20), pytest.raises(DeadlineError) as caught:
            edge.run_by(proxy.url, deadline=3.0)

    assert "nor could that be recorded" in " ".join(caught.value.__notes__)
    assert edge.record["status"] == "running"
    edge.run()


def test_a_stop_ends_a_run_that_waits_for_a_silent_server(edge: Edge) -> None:
    """A stopped run ends within seconds and is recorded as interrupted."""
    with Proxy(edge.url) as proxy:
        proxy.before = lose_once(
            "inventory.sources", Lose.SILENT_REQUEST, threading.Timer(0.5, edge.inventory.stop.set).start
        )
        with within(6), pytest.raises(InterruptedRunError):
            edge.run_by(proxy.url)

    assert (edge.record["status"], edge.record["error"]) == ("interrupted", "InterruptedRunError")


def test_a_stop_ends_a_migration(server: Server) -> None:
    """A stop ends a migration that waits for a lock."""
    target = Target(server.empty(), lock_timeout=60)
    with psycopg.connect(target.url, autocommit=True) as other, Database(target) as store:
        other.execute("SELECT pg_advisory_lock(4611686018427387905)")
        threading.Timer(0.5, store.cancel).start()
        with within(4), pytest.raises(InterruptedRunError):
            store.prepare()


# --- COMMIT -----------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("lose", [Lose.SILENT_REPLY, Lose.SILENT_REQUEST])
def test_a_commit_without_an_answer_is_reported_truthfully(edge: Edge, lose: Lose) -> None:
    """At its deadline the run finds out whether its COMMIT took effect, or says that it cannot know."""
    with Proxy(edge.url) as proxy:
        proxy.before = lose_once("^COMMIT$", lose)
        if lose is Lose.SILENT_REPLY:
            with within(9):
                assert edge.run_by(proxy.url, deadline=3.0).status is Status.DONE
        else:
            # The server's transaction is still open and its row locked, so the outcome is not known yet.
            with within(12), pytest.raises(OutcomeUnknownError):
                edge.run_by(proxy.url, deadline=3.0)

    assert edge.record["status"] == ("done" if lose is Lose.SILENT_REPLY else "running")
    edge.check()


@pytest.mark.long
def test_an_unanswered_commit_on_a_silent_network(edge: Edge) -> None:
    """If the network stays silent after COMMIT, the run ends soon and says that the outcome is unknown."""
    with Proxy(edge.url) as proxy:
        proxy.before = lose_once("^COMMIT$", Lose.SILENT_REPLY, lambda: setattr(proxy, "silent", True))
        with within(15), pytest.raises(OutcomeUnknownError):
            edge.run_by(proxy.url, deadline=3.0)

    assert edge.record["status"] == "done"
    edge.check()


# --- other runs -------------------------------------------------------------------------------------------------------


def test_a_run_starts_without_waiting_for_others(edge: Edge) -> None:
    """A run starts, fails and is skipped at once, even while another run locks the source and a dead run's record."""
    with edge.parts() as (dead, parts), edge.parts() as (writer, _), edge.parts() as (store, other):
        gone = dead.start(parts.source, "command")
        run = writer.start(parts.source, "command")
        edge.do("UPDATE inventory.runs SET deadline_at = now() - interval '1 day' WHERE run = %s", gone.number)
        with suppress(StopIteration), writer.transaction(run):
            writer.connection.execute("SELECT FROM inventory.runs WHERE run = %s FOR UPDATE", [gone.number])
            with within(1):
                started = store.start(other.source, "command")
                store.fail(started, SupersededError(), RequestStats())
                store.skip(other.source, "busy")
            raise StopIteration

    statuses = edge.rows("SELECT status FROM inventory.runs WHERE run > %s ORDER BY run", run.number)
    assert statuses == [("superseded",), ("skipped",)]


def test_an_overtaken_run_records_its_failure_at_once(edge: Edge) -> None:
    """A run about to commit locks no other run's record."""
    with edge.parts() as (slow, parts), Proxy(edge.url) as proxy:
        late = slow.start(parts.source, "command")
        took: list[float] = []

        def record() -> None:
            began = time.monotonic()
            slow.fail(late, SupersededError(), RequestStats())
            took.append(time.monotonic() - began)

        proxy.before = lose_once("^COMMIT$", Lose.REQUEST, record)
        with pytest.raises(DatabaseUnavailableError):
            edge.run_by(proxy.url)

    assert took[0] < 1
    assert edge.rows("SELECT status FROM inventory.runs WHERE run = %s", late.number) == [("superseded",)]


def test_a_stalled_writer_does_not_block_others(edge: Edge) -> None:
    """Another run ends as superseded within the lock timeout; once the server ends the writer, a run commits."""
    with edge.parts() as (writer, parts):
        writer.target = replace(edge.target, idle_timeout=2.0)
        run = writer.start(parts.source, "command")
        edge.inventory._target = Target(edge.url, lock_timeout=0.3)
        seen: list[Any] = []

        def others() -> None:
            with within(1.5), pytest.raises(SupersededError, match="is writing") as caught:
                edge.inventory.run()
            seen.extend((caught.value.exit_code, edge.record["status"]))
            time.sleep(2)
            seen.append(edge.run().plan.changes)

        with pytest.raises(DatabaseUnavailableError, match="was paused during a transaction"):
            _stand_still(writer, run, others)

    assert seen == [3, "superseded", 5]
    edge.check()


def _stand_still(writer: Database, run: Run, meanwhile: Callable[[], None]) -> None:
    with writer.transaction(run), translate_errors("going on", writer.connection):
        meanwhile()
        writer.connection.execute("SELECT")


def test_a_foreign_lock_is_not_taken_for_another_run(edge: Edge) -> None:
    """If something other than a run locks the source, the run fails as busy, not as superseded."""
    edge.inventory._target = Target(edge.url, lock_timeout=0.2)
    with psycopg.connect(edge.url) as other:
        before_answer(edge.cloud, 1, lambda: other.execute("SELECT FROM inventory.sources FOR UPDATE"))
        with pytest.raises(DatabaseBusyError, match=r"waiting for this run's turn: .* lock timeout"):
            edge.inventory.run()
