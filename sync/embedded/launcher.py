"""Start the supervisor, the one process that outlives us, with the command and configuration of the server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sync.embedded.account import account_of
from sync.embedded.directory import PORT, USER
from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from sync.embedded.directory import ServerDirectory
    from sync.embedded.locks import Lock

_SCRIPT = Path(__file__).with_name("supervisor.py")

# For a small server on one machine. ALTER SYSTEM overrides these, and survives a restart.
_SETTINGS = f"""\
# Written at every start; change settings with ALTER SYSTEM.
listen_addresses = ''
port = {PORT}
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = '128MB'
max_wal_size = '512MB'
wal_compression = 'pglz'
io_method = 'sync'
max_logical_replication_workers = 0
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] '
log_checkpoints = off
"""

# Only the accounts of the map, and nobody over a network.
_ACCESS = "local all all peer map=image_sync\n"


def launch(directory: ServerDirectory, installation: Path, data: Path, supervisor: Lock, server: Lock) -> None:
    """Have a new supervisor start the server.

    Both locks are handed over, and released when their new holders end.
    """
    command = _server_command(directory, installation, data)
    _run(directory, data, [str(server.file), *command], [supervisor.file, server.file], supervisor)
    server.close()


def adopt(directory: ServerDirectory, data: Path, supervisor: Lock) -> None:
    """Have a new supervisor watch the server that already runs; its lock is handed over."""
    _run(directory, data, [], [supervisor.file], supervisor)


def _server_command(directory: ServerDirectory, installation: Path, data: Path) -> list[str]:
    """Write the configuration, afresh so that it always fits this program; the command to start the server with it.

    The files are in the folder, not in the data, so that root never writes where the server's account could have
    planted a symbolic link.
    """
    names = sorted({directory.account.name, account_of(os.geteuid()).name})
    files = {
        "config_file": ("server.conf", _SETTINGS),
        "hba_file": ("server-access.conf", _ACCESS),
        "ident_file": ("server-names.conf", "".join(f'image_sync "{name}" {USER}\n' for name in names)),
    }
    # On the command line no path needs quotes, except in the list of folders.
    command = [str(installation / "bin" / "postgres"), "-D", str(data)]
    command += ["-c", f'unix_socket_directories="{directory.sockets}"']
    for option, (name, text) in files.items():
        path = directory.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        command += ["-c", f"{option}={path}"]
    return command


def _run(directory: ServerDirectory, data: Path, command: list[str], files: list[int], supervisor: Lock) -> None:
    account = directory.account
    drop = [str(account.uid), str(account.gid)] if account.dropped else ["", ""]
    # Without site-packages and environment it starts in 10 ms. Python itself may be where only root can read it, so
    # the script becomes the account after it has started.
    python = [sys.executable, "-I", "-S", str(_SCRIPT)]
    log = os.open(directory.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        result = subprocess.run(  # noqa: S603 - this Python, our script
            [*python, str(directory.folder), str(data), *drop, str(supervisor.file), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
            cwd="/",
            env=account.options()["env"],
            pass_fds=files,
            start_new_session=True,
        )
    finally:
        os.close(log)
    if result.returncode > 0:  # not if it was killed: then the caller finds no server or supervisor, and tries again
        raise EmbeddedError(
            f"The supervisor of the job's own PostgreSQL does not start; {directory.log} says why.",
        )
    supervisor.close()
