"""PgBouncer, the connection pooler, in front of a test's server; and a look at what is left on the pool's connections."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from cli_tools import until
from servers import TRIES, Server, free_port

from sync.embedded.account import server_account

CONSOLE = "console"  # the user of the pooler's own database
USERS = ("owner", "writing", "reading", CONSOLE)
# In turn, so that a session's state is missed by the next transaction, and seen on the others.
IN_TURN = {"pool_mode": "transaction", "default_pool_size": 3, "server_round_robin": 1}
_DEFAULTS = {"listen_addr": "127.0.0.1", "unix_socket_dir": "", "auth_type": "trust", "max_client_conn": 100}
# PgBouncer itself passes these two settings on from client to server.
_LEFT = """
SELECT 'prepared statement ' || name FROM pg_prepared_statements UNION ALL
SELECT 'cursor ' || name FROM pg_cursors UNION ALL
SELECT 'channel ' || name FROM pg_listening_channels() AS name UNION ALL
SELECT 'setting ' || name FROM pg_settings
WHERE source = 'session' AND name NOT LIKE 'transaction_%' AND name NOT IN ('application_name', 'client_encoding')
UNION ALL
SELECT 'temporary table ' || relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r' UNION ALL
SELECT 'advisory lock ' || objid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE locktype = 'advisory' AND datname = current_database()
"""


class Pooler:
    """A running PgBouncer.

    Attributes:
        process: its process.
    """

    def __init__(self, server: Server, program: str, options: dict[str, Any]) -> None:
        self._server, self._account = server, server_account(None)
        self._folder, self._port = Path(tempfile.mkdtemp(prefix="pooler-")), free_port()
        self._folder.chmod(0o755)
        self._options = _DEFAULTS | options
        self._databases = self._options.pop("databases", "*")
        self._account.own(self._folder)
        self._write()
        command = [program, "-q", str(self._folder / "ini")]
        self.process = subprocess.Popen(command, **self._account.options())

    def url(self, database: str, user: str = "owner") -> str:
        """The URL of a database through the pooler, from its URL on the server."""
        return urlsplit(database)._replace(netloc=f"{user}@{self.address}").geturl()

    def fill(self, database: str) -> str:
        """Have the pool of a database as large as it may be, so that transactions take turns; the URL as above."""
        url = self.url(database)
        with _all_at_once(url, self._options["default_pool_size"]):
            return url

    @property
    def address(self) -> str:
        """The host and port of the pooler."""
        return f"127.0.0.1:{self._port}"

    def console(self, command: str) -> None:
        """Carry out a command of the pooler's console, such as PAUSE."""
        url = f"postgresql://{CONSOLE}:{CONSOLE}@{self.address}/pgbouncer"
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as console:
            result = console.pgconn.exec_(command.encode())  # the console knows nothing but the simple protocol
            assert not result.error_message, result.error_message

    def log(self) -> str:
        """What it logged."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def remove(self) -> None:
        """End it, and remove its files."""
        self.stop()
        shutil.rmtree(self._folder)

    def has_begun(self) -> bool:
        """Whether it accepts connections, or has ended."""
        with contextlib.suppress(psycopg.OperationalError):
            self.console("SHOW VERSION")
            return True
        return self.process.poll() is not None

    def _write(self) -> None:
        lines = [f"{name} = {value}" for name, value in self._options.items()]
        files = {"listen_port": self._port, "auth_file": self._folder / "users", "logfile": self._folder / "log"}
        lines += [f"{name} = {value}" for name, value in files.items()]
        served = f"{self._databases} = host=127.0.0.1 port={self._server.port}"
        everything = f"[databases]\n{served}\n[pgbouncer]\nadmin_users = {CONSOLE}\n"
        (self._folder / "users").write_text("".join(f'"{user}" "{user}"\n' for user in USERS))
        (self._folder / "ini").write_text(everything + "\n".join(lines) + "\n")


@contextlib.contextmanager
def pooling(server: Server, **options: Any) -> Iterator[Pooler]:
    """A pooler with these options beside ``IN_TURN``; without PgBouncer the test is skipped, or fails in CI.

    The option ``databases`` names the only one that it serves.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        message = "there is no pgbouncer here; Debian's package pgbouncer has it"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with contextlib.ExitStack() as stack:
        for _ in range(TRIES):  # another process may have taken the port
            pooler = Pooler(server, program, IN_TURN | options)
            stack.callback(pooler.remove)
            until(pooler.has_begun)
            if pooler.process.poll() is None:
                break
        else:
            raise AssertionError(pooler.log())
        yield pooler


def left_over(url: str, connections: int) -> list[str]:
    """What is left on the connections of a pool after whatever used them."""
    with _all_at_once(url, connections) as opened:
        return sorted({str(row[0]) for connection in opened for row in connection.execute(_LEFT)})


@contextlib.contextmanager
def _all_at_once(url: str, connections: int) -> Iterator[list[psycopg.Connection[Any]]]:
    """All connections of a pool, by a transaction on each of them."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(psycopg.connect(url, prepare_threshold=None)) for _ in range(connections)]
        processes = {connection.execute("SELECT pg_backend_pid()").fetchone() for connection in opened}
        assert len(processes) == connections
        yield opened
