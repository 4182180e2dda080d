"""The job's own PostgreSQL: whether it could run here, and whether it does; nothing is created or started."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import psycopg

from sync.doctor.database import DatabaseProbe
from sync.doctor.report import Lines, Report, ok, unknown, warning, wrong
from sync.embedded.cluster import refuse_other_version
from sync.embedded.directory import ServerDirectory, existing, resolved, socket_in
from sync.embedded.errors import access_advice, explain_system
from sync.embedded.installation import installation, runnable
from sync.store.connection import Target

_LITTLE = 1 << 30  # bytes
_NOT_NOW = "not now; the next command that needs it starts it"


def own_server_checks(report: Report, choose: Callable[[], Path], probe: DatabaseProbe) -> None:
    """Check the server in the folder that is chosen; if it runs, its database becomes the probe's target."""
    wheel = report.check("programs", _programs())
    folder = report.check("place", _place(choose))
    if folder is None:
        report.skip("there is no place for its data", "folder", "data", "space", "running")
        return
    place = report.check("folder", _folder(folder))
    report.check("data", _data(place, wheel))
    report.check("space", _space(folder))
    probe.target = report.check("running", _running(place))


def _programs() -> Lines[Path]:
    wheel = installation()
    yield ok(f"PostgreSQL is in {wheel}")
    return wheel


def _place(choose: Callable[[], Path]) -> Lines[Path]:
    folder = resolved(choose())
    yield ok(str(folder))
    return folder


def _folder(folder: Path) -> Lines[ServerDirectory | None]:
    """Its owner and mode; or, if it is not there, whether it could be created."""
    if not folder.exists():
        above = next(path for path in folder.parents if path.exists())
        if os.access(above, os.W_OK | os.X_OK):
            yield ok(f"{folder} is not there yet; the first start creates it")
        else:
            yield wrong(f"{folder} is not there, and may not be created in {above}", "choose another data_folder")
        return None
    with explain_system(folder):
        place = existing(folder)
        if place.sockets.exists():
            place.check_sockets()
    status = folder.stat()
    mode = stat.S_IMODE(status.st_mode)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield wrong(
            f"user id {os.geteuid()} may not write in {folder}", "run as its owner, or choose another data_folder"
        )
    elif mode & 0o022:
        yield warning(f"{folder}: others may write in it (mode {mode:04o})", f"chmod go-w {folder}")
    else:
        yield ok(f"{folder}: owner {status.st_uid}, mode {mode:04o}; the server runs as {place.account.name}")
    return place


def _data(place: ServerDirectory | None, wheel: Path | None) -> Lines[None]:
    """Whether the programs run as the server's account, and fit the data."""
    if place is None or wheel is None:
        yield unknown("there are no programs" if wheel is None else "there is no folder")
        return
    with explain_system(place.folder):
        usable = runnable(place, wheel)
        if usable:
            refuse_other_version(place, usable[1])
    account = place.account.name
    if usable:
        exists = place.data(usable[1]).exists()
        yield ok(f"PostgreSQL {usable[1]}" + (", as its data" if exists else "; there is no data yet"))
    elif place.account.dropped and not access_advice(place):
        yield ok(f"the account {account} can't read the programs; the first start copies them beside the data")
    else:
        yield wrong(
            f"the account {account} can't run the programs in {wheel / 'bin'}",
            access_advice(place) or "check that the disk allows programs (no noexec), or set IMAGE_SYNC_DATABASE_URL",
        )


def _space(folder: Path) -> Lines[None]:
    existing_folder = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing_folder).free
    text = f"{free / 1e9:.1f} GB are free in {existing_folder}"
    yield warning(text, "free some space") if free < _LITTLE else ok(text)


def _running(place: ServerDirectory | None) -> Lines[Target | None]:
    """The database, if the server accepts connections now."""
    if place is None or not socket_in(place.sockets).exists():
        yield ok(_NOT_NOW)
        return None
    try:
        psycopg.connect(place.url("postgres"), connect_timeout=5).close()
    except psycopg.OperationalError as error:
        if "FATAL" in str(error):
            yield wrong(f"it refuses the connection: {str(error).splitlines()[-1]}", f"see {place.log}")
        else:
            yield ok(_NOT_NOW)
        return None
    yield ok("yes")
    return Target(place.url(), connect_timeout=5)
