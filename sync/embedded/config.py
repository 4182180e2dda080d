"""The server's configuration, written anew at each start so that it always fits this program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.embedded.account import own_name
from sync.embedded.directory import PORT, USER

if TYPE_CHECKING:
    from pathlib import Path

    from sync.embedded.directory import ServerDirectory

# A small server on one machine. ALTER SYSTEM overrides these, and outlives a start.
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

# Nobody but the accounts of the map, and nobody over a network.
_ACCESS = "local all all peer map=image_sync\n"


def server_command(place: ServerDirectory, installation: Path, data: Path) -> list[str]:
    """Write the configuration, and say how to start the server with it.

    The files lie in the folder, not in the data, so that root never writes where the server's account could have
    planted a symbolic link.
    """
    settings = place.folder / "server.conf"
    access, names = place.folder / "server-access.conf", place.folder / "server-names.conf"
    _write(settings, _SETTINGS)
    _write(access, _ACCESS)
    _write(names, "".join(f'image_sync "{name}" {USER}\n' for name in sorted({place.account.name, own_name()})))
    # On the command line no path needs quoting, but for the list of folders.
    options = {
        "config_file": settings,
        "hba_file": access,
        "ident_file": names,
        "unix_socket_directories": f'"{place.sockets}"',
    }
    pairs = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return [str(installation / "bin" / "postgres"), "-D", str(data), *pairs]


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
