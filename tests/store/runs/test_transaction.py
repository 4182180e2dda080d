"""Whatever breaks between the job and PostgreSQL, a run is written completely or not at all, and says which."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from proxy import FENCE, Lose, Passing, Proxy, lose_once
from servers import Server
from store_tools import Edge

from sync.domain.outcome import Outcome
from sync.domain.status import Status
from sync.errors import DatabaseUnavailableError, OutcomeUnknownError, SupersededError
from sync.store import session
from sync.store.connection import Target, transaction
from sync.store.runs.database import Database

DONE = 10**6  # statements: more than a run has


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """A source whose next run creates, updates, restores and deletes images."""
    with Edge(each_server) as edge:
        edge.run()
        edge.world.delete(3)
        edge.run()
        edge.world.restore(2)
        edge.world.delete(2)
        edge.world.change(5)
        edge.world.create(3)
        yield edge


def terminate_backend(edge: Edge, pid: int) -> None:
    """End a process of the server, and wait until it is gone."""
    with psycopg.connect(edge.url, autocommit=True) as opened:
        opened.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def at(number: int, act: Callable[[Passing], Lose | None]) -> Callable[[Passing], Lose | None]:
    """A proxy hook that acts at one statement (or row of COPY) of the writing transaction; 1 is the fence."""
    seen = -1

    def hook(passing: Passing) -> Lose | None:
        nonlocal seen
        if seen < 0 and FENCE in passing.statement:
            seen = 1
        elif seen >= 0:
            seen += 1
        if seen == number:
            seen = DONE
            return act(passing)
        return None

    return hook


def complete(outcome: Outcome) -> bool:
    """Whether the run created, updated, restored and deleted images."""
    plan = outcome.plan
    return all((plan.created, plan.updated, plan.restored, plan.deleted))


IDLE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'image-sync' AND state = 'idle'
"""


def test_a_connection_closed_while_the_cloud_is_read_is_renewed(edge: Edge) -> None:
    """D01: proxies close idle connections: each time the run needs the database again, it connects again."""
    closed: list[bool] = []

    def close_idle(_request: object) -> None:
        closed.extend(ended for (ended,) in edge.rows(IDLE))

    edge.cloud.faults.before_answer = close_idle
    outcome = edge.run()

    assert complete(outcome)
    assert closed == [True, True]  # while the list was read, and while missing images were looked up


@pytest.mark.long
def test_a_backend_killed_at_any_statement_leaves_nothing(edge: Edge) -> None:
    """D01, I2: if its backend is killed before any statement of the transaction, a run changes only its record."""
    kills = 0
    with Proxy(edge.url) as proxy:
        while True:
            before, killed = edge.inventory.dump(), []

            def kill(passing: Passing, killed: list[str] = killed) -> None:
                killed.append(passing.statement)
                terminate_backend(edge, passing.pid)

            proxy.before = at(kills + 1, kill)
            if not _fails(edge, proxy):
                break
            kills += 1
            assert killed
            assert edge.inventory.dump() == before
            assert edge.record["status"] == "failed", killed
            edge.check()

    assert kills > 15
    edge.check()


@pytest.mark.long
def test_a_connection_lost_at_any_statement_leaves_nothing(edge: Edge) -> None:
    """D01, I2: the same if the connection breaks, before a statement arrives or before its answer does."""
    for lose in (Lose.REQUEST, Lose.REPLY):
        with Proxy(edge.url) as proxy:
            broken = 0
            while True:
                before = edge.inventory.dump()
                last: list[str] = []

                def hook(passing: Passing, last: list[str] = last, lose: Lose = lose) -> Lose:
                    last.append(passing.statement)
                    return lose

                proxy.before = at(broken + 1, hook)
                if not _fails(edge, proxy) or last == ["COMMIT"]:
                    break
                broken += 1
                assert edge.inventory.dump() == before
                assert edge.record["status"] == "failed"
                edge.check()
        assert broken > 15
        edge.world.change(5)


def _fails(edge: Edge, proxy: Proxy) -> bool:
    try:
        edge.run_by(proxy.url)
    except DatabaseUnavailableError:
        return True
    return False


def test_a_commit_whose_answer_is_lost_is_done(edge: Edge) -> None:
    """D03: if only the answer to COMMIT is lost, the run finds out that it committed, and reports that."""
    with Proxy(edge.url) as proxy:
        proxy.before = lose_once("^COMMIT$", Lose.REPLY)
        outcome = edge.run_by(proxy.url)

    assert outcome.status is Status.DONE
    assert complete(outcome)
    assert (edge.record["run"], edge.record["status"]) == (outcome.run, "done")
    assert edge.record["effective_at"] == outcome.effective_at
    edge.check()
    assert edge.run().plan.changes == 0


def test_a_commit_that_never_arrived_is_not_done(edge: Edge) -> None:
    """D03: if COMMIT never arrived, the run finds out and reports a failure, and the next run makes all changes."""
    before = edge.inventory.dump()
    with Proxy(edge.url) as proxy:
        proxy.before = lose_once("^COMMIT$", Lose.REQUEST)
        with pytest.raises(DatabaseUnavailableError, match="committing") as caught:
            edge.run_by(proxy.url)

    assert edge.inventory.dump() == before
    assert (edge.record["run"], edge.record["status"]) == (caught.value.run, "failed")
    edge.check()
    assert complete(edge.run())


@pytest.mark.parametrize(("lose", "status"), [(Lose.REPLY, "done"), (Lose.REQUEST, "running")])
def test_a_commit_whose_outcome_cannot_be_looked_up(edge: Edge, lose: Lose, status: str) -> None:
    """D03: if the database cannot be asked either, the run says that the outcome is unknown; its record stays true."""
    with Proxy(edge.url) as proxy:
        proxy.before = lose_once("^COMMIT$", lose, lambda: setattr(proxy, "refusals", DONE))
        with pytest.raises(OutcomeUnknownError, match="image-sync status") as caught:
            edge.run_by(proxy.url)

    assert edge.record["run"] == caught.value.run
    assert edge.record["status"] == status
    edge.check()
    outcome = edge.run()
    assert complete(outcome) is (lose is Lose.REQUEST)
    assert edge.rows("SELECT count(*) FROM inventory.runs WHERE status = 'running'") == [(0,)]


def test_a_commit_that_is_done_is_never_called_failed(edge: Edge) -> None:
    """D03: if looking up the outcome fails, the record of a committed run is not overwritten."""
    with Proxy(edge.url) as proxy:
        proxy.before = lose_once("^COMMIT$", Lose.REPLY, lambda: setattr(proxy, "refusals", 1))
        with pytest.raises(OutcomeUnknownError):
            edge.run_by(proxy.url)

    assert (edge.record["status"], edge.record["error"]) == ("done", None)
    edge.check()


def test_a_lost_commit_that_another_run_overtook(edge: Edge) -> None:
    """D03: a run finds its own outcome even if another run committed in the meantime."""
    with Proxy(edge.url) as proxy:
        proxy.before = lose_once("^COMMIT$", Lose.REPLY)
        answers: list[Outcome] = []

        def overtake(passing: Passing) -> None:
            if "sources WHERE name = $1 FOR NO KEY UPDATE" in passing.statement and not answers:
                answers.append(edge.run())

        first = proxy.before
        proxy.before = lambda passing: overtake(passing) or first(passing)
        outcome = edge.run_by(proxy.url)

    assert complete(outcome)
    assert answers[0].plan.changes == 0
    edge.check()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_restart_during_a_run(server: Server, mode: str) -> None:
    """D02: a server restart while the list is read is no fault of the run: it connects again, and takes effect."""
    with Edge(server) as edge:
        edge.run()
        edge.world.change(3)
        done = []

        def restart(_: object) -> None:
            if not done:
                done.append(1)
                server.stop(mode)
                server.resume()

        edge.cloud.faults.before_answer = restart
        outcome = edge.run_by(edge.url)
        edge.cloud.faults.clear()
        edge.connection.close()
        edge.connection = psycopg.connect(edge.url, autocommit=True)

        assert done == [1]
        assert (outcome.plan.updated, edge.record["status"]) == (3, "done")
        edge.check()


def test_an_overtaken_run_writes_nothing(edge: Edge) -> None:
    """Of two runs that start together, the first to commit wins; the other writes nothing and is superseded."""
    with edge.parts() as (slow, slow_parts), edge.parts() as (fast, fast_parts):
        late = slow.start(slow_parts.source, "command")
        early = fast.start(fast_parts.source, "command")
        with fast.transaction(early) as tables:
            assert tables is not None
            fast.connection.execute(_DONE, [early.number])
        before = edge.inventory.dump()

        with pytest.raises(SupersededError, match="wrote nothing") as caught, slow.transaction(late):
            pytest.fail("the fence let both pass")
        slow.fail(late, caught.value, slow_parts.cloud.stats)

    assert edge.inventory.dump() == before
    assert edge.rows("SELECT run, status FROM inventory.runs WHERE run >= %s ORDER BY run", late.number) == [
        (late.number, "superseded"),
        (early.number, "done"),
    ]
    assert caught.value.exit_code == 3


_DONE = """
UPDATE inventory.runs r SET status = 'done', finished_at = clock_timestamp(), effective_at = s.effective_at
FROM inventory.sources s WHERE r.run = %s AND s.name = r.source
"""


def test_a_run_overtaken_after_reading_the_list(edge: Edge) -> None:
    """E01: a run that is overtaken after it read the list writes nothing, and is recorded as superseded."""
    overtaking: list[Outcome] = []

    def overtake(passing: Passing) -> None:
        if passing.statement == session.BEGIN and edge.record["status"] == "running" and not overtaking and read:
            overtaking.append(edge.run())

    read: list[object] = []
    edge.cloud.faults.before_answer = read.append
    with Proxy(edge.url) as proxy:
        proxy.before = overtake
        with pytest.raises(SupersededError) as caught:
            edge.run_by(proxy.url)

    assert complete(overtaking[0])
    assert edge.rows("SELECT status, error FROM inventory.runs WHERE run = %s", caught.value.run) == [
        ("superseded", "SupersededError")
    ]
    edge.check()


def test_a_run_that_waits_for_the_fence_is_overtaken(edge: Edge) -> None:
    """While another run's transaction is open, and after its commit, a run is superseded."""
    with edge.parts() as (first, parts), edge.parts() as (second, other):
        one, two = first.start(parts.source, "command"), second.start(other.source, "command")
        second.target = Target(edge.url, lock_timeout=0.2)
        with first.transaction(one):
            first.connection.execute(_DONE, [one.number])
            with pytest.raises(SupersededError, match="is writing"), second.transaction(two):
                pytest.fail("two transactions of one source at once")
        with pytest.raises(SupersededError, match="committed meanwhile"), second.transaction(two):
            pytest.fail("the fence let both pass")
        second.fail(two, SupersededError(), other.cloud.stats)
    edge.check()


@pytest.mark.parametrize("ends", ["by a later run", "by its deadline"])
def test_a_killed_run_is_marked_as_abandoned(edge: Edge, ends: str) -> None:
    """I14: a run whose process is gone is marked by the next run at the latest; a running one is not."""
    with edge.parts() as (store, parts):
        dead = store.start(parts.source, "command")
    if ends == "by its deadline":
        edge.do(
            "UPDATE inventory.runs SET deadline_at = clock_timestamp() - interval '601 seconds' WHERE run = %s",
            dead.number,
        )
        with edge.parts() as (store, parts):
            later = store.start(parts.source, "command")
        assert edge.rows("SELECT status FROM inventory.runs WHERE run = %s", later.number) == [("running",)]
    else:
        with edge.parts() as (store, parts):
            store.start(parts.source, "command")
        assert edge.rows("SELECT status FROM inventory.runs WHERE run = %s", dead.number) == [("running",)]
        edge.run()

    status, reason, finished = edge.rows(
        "SELECT status, reason, finished_at FROM inventory.runs WHERE run = %s", dead.number
    )[0]
    assert status == "abandoned"
    assert "never said how it ended" in reason
    assert finished is not None


def test_an_abandoned_run_can_still_record_its_end(edge: Edge) -> None:
    """A slow run that was marked as abandoned still records how it ended."""
    with edge.parts() as (store, parts):
        slow = store.start(parts.source, "command")
        edge.run()
        assert edge.rows("SELECT status FROM inventory.runs WHERE run = %s", slow.number) == [("abandoned",)]
        with pytest.raises(SupersededError) as caught, store.transaction(slow):
            pytest.fail("the fence let it pass")
        store.fail(slow, caught.value, parts.cloud.stats)

    assert edge.rows("SELECT status FROM inventory.runs WHERE run = %s", slow.number) == [("superseded",)]


def test_runs_of_other_sources_are_left_alone(edge: Edge) -> None:
    """I11: a committing run does not mark the runs of other sources as abandoned."""
    with edge.parts(name="other") as (store, parts):
        running = store.start(parts.source, "command")
        edge.run()

    assert edge.rows("SELECT status FROM inventory.runs WHERE run = %s", running.number) == [("running",)]


def test_a_store_can_be_closed_after_its_connection_broke(edge: Edge) -> None:
    """Leaving the store after its connection broke raises no further error."""
    with Database(edge.target) as store:
        terminate_backend(edge, store.connection.info.backend_pid)
        with pytest.raises(DatabaseUnavailableError), transaction(store.connection, edge.target, "breaking"):
            pytest.fail("a connection that is gone began a transaction")
