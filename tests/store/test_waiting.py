"""A database that falls silent while its connection stays open: every wait is bounded, and every record is true."""

from __future__ import annotations

import os
import re
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
from proxy import Lose, Passing, Proxy
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

WRITING = "epoch = epoch + 1"


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A source that is synced, and about to show a few changes."""
    with Edge(server) as made:
        made.run()
        made.world.change(3)
        made.world.create(2)
        yield made


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What must not take longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def when(statement: str, lose: Lose, also: Callable[[], None] = lambda: None) -> Callable[[Passing], Lose | None]:
    """Lose this at the first statement, of the writing transaction or after, that this pattern fits."""
    writing, lost = False, False

    def hook(passing: Passing) -> Lose | None:
        nonlocal writing, lost
        writing = writing or WRITING in passing.statement
        if lost or not writing or not re.search(statement, passing.statement):
            return None
        lost = True
        also()
        return lose

    return hook


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process of the server that stands still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


# --- one wait ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_waited_for_no_longer_than_the_limit(edge: Edge) -> None:
    """A server that is silent beyond its own limit and our margin is given up, in a sentence that says so."""
    target = Target(edge.url, statement_timeout=0.3, margin=0.2)
    with connect(target) as connection, frozen(connection.info.backend_pid), within(3):
        said = r"did not answer within 0\.5 s; the connection was closed"
        with pytest.raises(DatabaseUnavailableError, match=said), transaction(connection, target, "waiting"):
            pytest.fail("a frozen server answered")
        assert connection.closed


def test_a_wait_without_a_limit_ends_when_it_is_over(edge: Edge) -> None:
    """A statement that may take long ends when the run does, by the server where that still answers."""
    over = threading.Event()
    with connect(edge.target, over.is_set) as connection:
        threading.Timer(0.3, over.set).start()
        with within(2), pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(60)")
        assert not connection.closed


def test_copy_to_a_silent_server_ends(edge: Edge) -> None:
    """Rows that the server does not take any more keep no one waiting."""
    target = Target(edge.url, statement_timeout=0.3, margin=0.2)
    with ExitStack() as stack, connect(target) as connection, within(4):
        connection.execute("CREATE TEMPORARY TABLE rows (text text)")
        pid = connection.info.backend_pid
        with (
            pytest.raises(DatabaseUnavailableError, match="did not answer"),
            transaction(connection, target, "copying"),
        ):
            _copy(connection, lambda: stack.enter_context(frozen(pid)))


def test_copy_ends_when_it_is_over(edge: Edge) -> None:
    """Also rows that the server takes swiftly are sent no longer than the run may last."""
    over = threading.Event()
    with connect(edge.target, over.is_set) as connection, within(3):
        connection.execute("CREATE TEMPORARY TABLE rows (text text)")
        threading.Timer(0.3, over.set).start()
        with pytest.raises(psycopg.OperationalError):
            _copy(connection)


def _copy(connection: psycopg.Connection[Any], begun: Callable[[], object] = lambda: None) -> None:
    """Send rows without an end."""
    with connection.cursor() as cursor, cursor.copy("COPY rows FROM STDIN") as copy:
        begun()
        while True:
            copy.write_row(["x" * 1000])


def test_limits_hold_for_their_block_only(edge: Edge) -> None:
    """After a bounded transaction the connection waits as it did before it."""
    with connect(edge.target) as connection:
        with transaction(connection, edge.target, "waiting"):
            inside = connection.limit
        assert (inside, connection.limit) == (305.0, None)


def test_later_is_so_many_seconds_later() -> None:
    """What is put off is over only after the time it was given."""
    over = threading.Event()
    put_off = later(over.is_set, 0.1)
    before = put_off()
    over.set()
    at_once = put_off()
    time.sleep(0.12)

    assert (before, at_once, put_off()) == (False, False, True)


def test_what_the_transaction_sets(edge: Edge) -> None:
    """Each transaction of translate_errors ends by itself where it stands still, and reads its texts as they are meant."""
    with connect(edge.target) as connection, transaction(connection, edge.target, "looking"):
        row = connection.execute(
            "SELECT current_setting('idle_in_transaction_session_timeout'), "
            "current_setting('standard_conforming_strings')"
        ).fetchone()

    assert row == ("30s", "on")


# --- a run ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["inventory.sources", "pg_temp.stage", "INSERT INTO inventory.image"])
def test_a_silent_server_ends_a_run_at_its_deadline(edge: Edge, statement: str) -> None:
    """Wherever it falls silent in the writing transaction, the run ends soon after its deadline, on record as such."""
    before = edge.inventory.dump()
    with Proxy(edge.url) as proxy:
        proxy.before = when(statement, Lose.SILENT_REQUEST)
        with within(9), pytest.raises(DeadlineError):
            edge.run_by(proxy.url, deadline=3.0)

    assert (edge.record["status"], edge.record["error"]) == ("failed", "DeadlineError")
    assert edge.inventory.dump() == before
    edge.check()


def test_a_backend_that_stands_still_between_two_pages(edge: Edge) -> None:
    """A frozen process of the server: the run ends at its deadline, and is on record by another connection."""
    with ExitStack() as stack, edge.parts(deadline=3.0) as (store, parts):
        pid = store.connection.info.backend_pid
        before_answer(edge.cloud, 1, lambda: stack.enter_context(frozen(pid)))
        with within(12), pytest.raises(DeadlineError):
            runner.sync(parts, "command")

    assert (edge.record["status"], edge.record["error"]) == ("failed", "DeadlineError")


@pytest.mark.long
def test_a_network_that_is_silent_for_good(edge: Edge) -> None:
    """Where no new connection can be had either, the run ends soon after its deadline, and says that it is not on record."""
    with Proxy(edge.url) as proxy:
        before_answer(edge.cloud, 1, proxy.fall_silent)
        with within(20), pytest.raises(DeadlineError) as caught:
            edge.run_by(proxy.url, deadline=3.0)

    assert "nor could that be recorded" in " ".join(caught.value.__notes__)
    assert edge.record["status"] == "running"
    edge.run()


def test_a_stop_ends_a_run_that_waits_for_a_silent_server(edge: Edge) -> None:
    """In seconds, as interrupted, and on record so."""
    with Proxy(edge.url) as proxy:
        proxy.before = when(
            "inventory.sources", Lose.SILENT_REQUEST, threading.Timer(0.5, edge.inventory.stop.set).start
        )
        with within(6), pytest.raises(InterruptedRunError):
            edge.run_by(proxy.url)

    assert (edge.record["status"], edge.record["error"]) == ("interrupted", "InterruptedRunError")


def test_a_stop_ends_a_migration(server: Server) -> None:
    """A migration may take as long as it takes, but not longer than the run that it is for."""
    target = Target(server.empty(), lock_timeout=60)
    with psycopg.connect(target.url, autocommit=True) as other, Database(target) as store:
        other.execute("SELECT pg_advisory_lock(4611686018427387905)")
        threading.Timer(0.5, store.cancel).start()
        with within(4), pytest.raises(InterruptedRunError):
            store.prepare()


# --- COMMIT -----------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("lose", [Lose.SILENT_REPLY, Lose.SILENT_REQUEST])
def test_a_commit_without_an_answer_ends_with_the_truth(edge: Edge, lose: Lose) -> None:
    """At the deadline the run asks what became of it: it is done, or it failed."""
    with Proxy(edge.url) as proxy:
        proxy.before = when("^COMMIT$", lose)
        if lose is Lose.SILENT_REPLY:
            with within(9):
                assert edge.run_by(proxy.url, deadline=3.0).status is Status.DONE
        else:
            # The server's transaction is still open, and its row locked: no one can say yet.
            with within(12), pytest.raises(OutcomeUnknownError):
                edge.run_by(proxy.url, deadline=3.0)

    assert edge.record["status"] == ("done" if lose is Lose.SILENT_REPLY else "running")
    edge.check()


@pytest.mark.long
def test_a_commit_no_one_can_ask_about_ends(edge: Edge) -> None:
    """Where all is silent the run ends soon, and says that it does not know."""
    with Proxy(edge.url) as proxy:
        proxy.before = when("^COMMIT$", Lose.SILENT_REPLY, lambda: setattr(proxy, "silent", True))
        with within(15), pytest.raises(OutcomeUnknownError):
            edge.run_by(proxy.url, deadline=3.0)

    assert edge.record["status"] == "done"
    edge.check()


# --- other runs -------------------------------------------------------------------------------------------------------


def test_to_begin_waits_for_no_other_run(edge: Edge) -> None:
    """While another run holds its source, and the record of a dead one, a run begins, ends and is skipped on record."""
    with edge.parts() as (dead, parts), edge.parts() as (writer, _), edge.parts() as (store, other):
        gone = dead.start(parts.source, "command")
        run = writer.start(parts.source, "command")
        edge.do("UPDATE inventory.runs SET deadline_at = now() - interval '1 day' WHERE run = %s", gone.number)
        with suppress(StopIteration), writer.writing(run):
            writer.connection.execute("SELECT FROM inventory.runs WHERE run = %s FOR UPDATE", [gone.number])
            with within(1):
                begun = store.start(other.source, "command")
                store.fail(begun, SupersededError(), RequestStats())
                store.skip(other.source, "busy")
            raise StopIteration

    found = edge.rows("SELECT status FROM inventory.runs WHERE run > %s ORDER BY run", run.number)
    assert found == [("superseded",), ("skipped",)]


def test_a_record_does_not_wait_for_the_run_that_overtook_it(edge: Edge) -> None:
    """A run that is about to commit holds no record but its own."""
    with edge.parts() as (slow, parts), Proxy(edge.url) as proxy:
        late = slow.start(parts.source, "command")
        took: list[float] = []

        def record() -> None:
            began = time.monotonic()
            slow.fail(late, SupersededError(), RequestStats())
            took.append(time.monotonic() - began)

        proxy.before = when("^COMMIT$", Lose.REQUEST, record)
        with pytest.raises(DatabaseUnavailableError):
            edge.run_by(proxy.url)

    assert took[0] < 1
    assert edge.rows("SELECT status FROM inventory.runs WHERE run = %s", late.number) == [("superseded",)]


def test_a_writer_that_stands_still_blocks_no_one(edge: Edge) -> None:
    """Another run ends as superseded, within the lock time-out; when the server has ended the writer, one commits."""
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
    with writer.writing(run), translate_errors("going on"):
        meanwhile()
        writer.connection.execute("SELECT")


def test_a_lock_of_someone_else_is_no_other_run(edge: Edge) -> None:
    """Where it is not a run that holds the source, the run fails as busy, and is not called superseded."""
    edge.inventory._target = Target(edge.url, lock_timeout=0.2)
    with psycopg.connect(edge.url) as other:
        before_answer(edge.cloud, 1, lambda: other.execute("SELECT FROM inventory.sources FOR UPDATE"))
        with pytest.raises(DatabaseBusyError, match=r"waiting for this run's turn: .* lock timeout"):
            edge.inventory.run()
