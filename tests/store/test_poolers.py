"""The failures of PgBouncer become sentences that say what to do, and a run that they end is on record."""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from typing import Any

import psycopg
import pytest
from cli_tools import until
from cloud_tools import before_answer
from poolers import pooling
from proxy import Lose, Proxy, lose_once
from servers import Server, newest, running
from store_tools import Edge

from sync import runner
from sync.errors import DatabaseBusyError, DatabaseUnavailableError, InterruptedRunError, StoreError
from sync.store.connection import Connection, Target, connect, transaction
from sync.store.poolers import meaning_of

# Said by other versions of PgBouncer than the one here, and by PostgreSQL itself.
OTHERS = {
    "client connections exceeded (max_user_client_connections)": "accepts no more connections",
    "server login has been failing, cached error: down (server_login_retry)": "can't log in to PostgreSQL",
    "pgbouncer cannot connect to server": "can't log in to PostgreSQL",
    "client_login_timeout (server down)": "can't log in to PostgreSQL",
    "unsupported startup parameter in options: jit": "refuses this parameter",
    "unsupported options startup parameter: only '-c config=val' is allowed": "refuses this parameter",
    "transaction timeout": "ended a statement or transaction",
    "query_timeout": "ended a statement or transaction",
    "pooler is shutting down": "was stopped, paused or reconfigured",
    "server shutting down": "was stopped, paused or reconfigured",
    "SSL required": "accepts only TLS",
}
SERVERS_OWN = (
    'password authentication failed for user "x"',
    'database "x" does not exist',
    'role "x" is not permitted to log in',
    'database "x" is not currently accepting connections',
    "the database system is shutting down",
    "sorry, too many clients already",
    "canceling statement due to statement timeout",
    "terminating connection due to transaction timeout",
    "terminating connection due to idle-in-transaction timeout",
    "terminating connection due to administrator command",
)


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A synced source."""
    with Edge(server) as edge:
        edge.run()
        yield edge


def fails(url: str, act: Callable[[Connection, Target], None] = lambda _connection, _target: None) -> StoreError:
    """The error of a connection, or of what is done on it after a first transaction."""
    target = Target(url, connect_timeout=2)
    try:
        with connect(target) as connection:
            with transaction(connection, target, "looking"):
                connection.execute("SELECT 1")
            act(connection, target)
    except StoreError as error:
        return error
    pytest.fail("nothing failed")


# --- connecting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "change", "words", "advice"),
    [
        ({}, ("owner@", "stranger@"), '"trust" authentication failed', "auth_file or auth_query"),
        ({"auth_type": "scram-sha-256"}, ("owner@", "owner:canary@"), "SASL authentication failed", "correct them"),
        ({"auth_type": "md5"}, ("owner@", "owner:canary@"), "password authentication failed", "correct them"),
        ({"databases": "one"}, ("", ""), "no such database", "[databases]"),
        ({}, (r"/test_\d+", "/pgbouncer"), "not allowed", "correct the database in the URL"),
        (
            {},
            (r"\?", "?options=-c%20jit%3Doff&"),
            "unsupported startup parameter: options",
            "ignore_startup_parameters",
        ),
    ],
)
def test_a_refused_connection(
    server: Server, options: dict[str, Any], change: tuple[str, str], words: str, advice: str
) -> None:
    """A connection that the pooler refuses is an error with its words, and with what to do."""
    with pooling(server, **options) as pooler:
        url = re.sub(*change, f"{pooler.url(server.empty())}?application_name=some")
        error = fails(url)

    assert words in str(error)
    assert advice in str(error)
    assert "the pooler there" in str(error)
    assert "canary" not in str(error)


def test_too_many_connections(server: Server) -> None:
    """The limit of the pooler's clients is named."""
    direct = server.empty()
    with pooling(server, max_client_conn=2) as pooler, ExitStack() as stack:
        with suppress(psycopg.OperationalError):
            while True:
                stack.enter_context(psycopg.connect(pooler.url(direct)))
        error = fails(pooler.url(direct))

    assert "no more connections allowed (max_client_conn); the pooler there accepts no more connections" in str(error)


def test_a_disabled_database(server: Server) -> None:
    """A database that the pooler's administrator disabled is named as such."""
    direct = server.empty()
    with pooling(server) as pooler:
        psycopg.connect(pooler.url(direct)).close()
        pooler.console(f"DISABLE {direct.rpartition('/')[2]}")
        error = fails(pooler.url(direct))

    assert "is disabled; the pooler there does not serve this database" in str(error)


def test_a_server_that_is_down(server: Server) -> None:
    """A pooler whose server is down keeps a connection waiting: the message says that this may be so."""
    with running(Server(newest())) as own:
        own.stop()
        with pooling(own) as pooler:
            error = fails(pooler.url(own.url()))
        own.resume()

    assert isinstance(error, DatabaseUnavailableError)
    assert "a pooler in between may be paused, or its server down" in str(error)


# --- connected --------------------------------------------------------------------------------------------------------


def _slow(connection: Connection, target: Target) -> None:
    with transaction(connection, target, "waiting"):
        connection.execute("SELECT pg_sleep(20)")


def _idle(connection: Connection, target: Target) -> None:
    with transaction(connection, target, "being idle"):
        connection.execute("SELECT 1")
        _wait(connection)
        connection.execute("SELECT 1")


def _late(connection: Connection, target: Target) -> None:
    _wait(connection)
    with transaction(connection, target, "going on"):
        connection.execute("SELECT 1")


def _wait(connection: Connection) -> None:
    """Wait until the pooler has closed the connection; only its last message is still to be read."""
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    assert poller.poll(20_000)


@pytest.mark.parametrize(
    ("options", "act", "words", "advice"),
    [
        ({"query_timeout": 1}, _slow, "query timeout", "query_timeout, transaction_timeout and"),
        ({"idle_transaction_timeout": 1}, _idle, "idle transaction timeout", "idle_transaction_timeout to 0"),
        ({"client_idle_timeout": 1}, _late, "client_idle_timeout", "raise the pooler's client_idle_timeout"),
    ],
)
def test_a_time_limit_of_the_pooler(
    server: Server, options: dict[str, Any], act: Callable[[Connection, Target], None], words: str, advice: str
) -> None:
    """A time limit of the pooler is not taken for one of the server, and the message says how to change it."""
    with pooling(server, **options) as pooler:
        error = fails(pooler.url(server.empty()), act)

    assert isinstance(error, DatabaseUnavailableError)
    assert words in str(error)
    assert f"the pooler at {pooler.address} " in str(error)
    assert advice in str(error)
    assert "the connection is lost" not in str(error)


def test_no_free_connection(server: Server) -> None:
    """A pool whose connections are all in use is not taken for a server that does not answer."""
    direct = server.empty()
    with (
        pooling(server, default_pool_size=1, query_wait_timeout=1) as pooler,
        psycopg.connect(pooler.fill(direct)) as one,
    ):
        one.execute("SELECT 1")
        error = fails(pooler.url(direct))

    assert isinstance(error, DatabaseUnavailableError)
    assert f"query_wait_timeout; the pooler at {pooler.address} had no free connection" in str(error)
    assert "raise the pooler's default_pool_size" in str(error)


def test_a_database_that_an_administrator_kills(server: Server) -> None:
    """The message says so if the pooler's administrator closed the connection."""
    direct = server.empty()
    with pooling(server) as pooler:

        def act(connection: Connection, target: Target) -> None:
            pooler.console(f"KILL {direct.rpartition('/')[2]}")
            with transaction(connection, target, "going on"):
                pytest.fail("it was killed")

        error = fails(pooler.url(direct), act)

    assert "database removed; the pooler at" in str(error)
    assert "was stopped, paused or reconfigured" in str(error)


def test_a_pooler_that_is_killed(server: Server) -> None:
    """A pooler that ends without a word is a lost connection."""
    with pooling(server) as pooler:

        def act(connection: Connection, target: Target) -> None:
            with transaction(connection, target, "going on"):
                pooler.stop()
                connection.execute("SELECT 1")

        error = fails(pooler.url(server.empty()), act)

    assert isinstance(error, DatabaseUnavailableError)
    assert "the connection is lost" in str(error)


@pytest.mark.parametrize("when", ["before a transaction", "in a transaction"])
def test_a_server_that_restarts(server: Server, when: str) -> None:
    """A server that stops behind its pooler is an error that names it, and works again once the server does."""
    with running(Server(newest())) as own, pooling(own, server_login_retry=1, query_wait_timeout=2) as pooler:

        def act(connection: Connection, target: Target) -> None:
            if when == "before a transaction":
                own.stop()
            with transaction(connection, target, "going on"):
                connection.execute("SELECT 1")
                if when == "in a transaction":
                    own.stop()
                connection.execute("SELECT 1")

        error = fails(pooler.url(own.url()), act)
        own.resume()
        until(lambda: _works(pooler.url(own.url())))

    assert isinstance(error, DatabaseUnavailableError)
    assert f"the pooler at {pooler.address} " in str(error)
    assert "PostgreSQL" in str(error)


@pytest.mark.parametrize("words", [*OTHERS, *SERVERS_OWN])
def test_words_of_poolers_and_of_servers(words: str) -> None:
    """What PgBouncer says in other versions is known, and what PostgreSQL says is never taken for a pooler's."""
    meaning = meaning_of(words)

    assert (meaning.what if meaning else None) == OTHERS.get(words)


# --- runs -------------------------------------------------------------------------------------------------------------


def test_an_idle_time_limit_ends_no_run(edge: Edge) -> None:
    """A run whose connection the pooler closed while the cloud was read connects again, and is done."""
    edge.world.change(3)
    with pooling(edge.server, client_idle_timeout=1) as pooler:
        before_answer(edge.cloud, 1, lambda: until(lambda: "client_idle_timeout" in pooler.log()))
        outcome = edge.run_by(pooler.url(edge.url))

    assert outcome.plan.updated == 3


@pytest.mark.parametrize("how", ["query timeout", "terminating connection"])
def test_a_run_that_the_pooler_ends_is_on_record(edge: Edge, how: str) -> None:
    """A run that loses its connection while it writes is on record as failed, with what the pooler said."""
    edge.world.change(3)
    waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with (
        pooling(edge.server, query_timeout=1 if how == "query timeout" else 0) as pooler,
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(edge.url) as other,
    ):
        other.execute("LOCK TABLE inventory.image_versions IN SHARE MODE")
        run = pool.submit(edge.run_by, pooler.url(edge.url))
        if how != "query timeout":
            until(lambda: edge.rows(waiting))
        error = run.exception()

    assert isinstance(error, DatabaseUnavailableError)
    assert how in str(error)
    assert (edge.record["status"], how in edge.record["reason"]) == ("failed", True)
    edge.check()


def test_a_run_is_stopped_through_a_pool_of_one(edge: Edge) -> None:
    """A stop ends the statement under way, although the only connection of the pool is in use, and is on record."""
    edge.world.change(3)
    waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with (
        pooling(edge.server, default_pool_size=1) as pooler,
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(edge.url) as other,
        edge.parts(pooler.url(edge.url)) as (store, parts),
    ):
        other.execute("LOCK TABLE inventory.image_versions IN SHARE MODE")
        run = pool.submit(runner.sync, parts, "command")
        until(lambda: edge.rows(waits))
        store.cancel()
        error = run.exception()

    assert isinstance(error, InterruptedRunError)
    assert isinstance(error.__cause__, DatabaseBusyError)  # the server ended the statement; it was not just left alone
    assert edge.record["status"] == "interrupted"
    edge.check()


@pytest.mark.parametrize(("lose", "status"), [(Lose.REPLY, "done"), (Lose.REQUEST, "failed")])
def test_a_commit_that_is_lost_before_the_pooler(edge: Edge, lose: Lose, status: str) -> None:
    """A run that loses the answer to COMMIT, or COMMIT itself, asks again through the pooler and reports the truth."""
    edge.world.change(3)
    with pooling(edge.server) as pooler, Proxy(pooler.url(edge.url)) as proxy:
        proxy.before = lose_once("^COMMIT", lose)
        with nullcontext() if status == "done" else pytest.raises(DatabaseUnavailableError):
            edge.run_by(proxy.url)

    assert edge.record["status"] == status
    edge.check()


def _works(url: str) -> bool:
    with suppress(StoreError, psycopg.Error), connect(Target(url, connect_timeout=2)) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)
    return False
