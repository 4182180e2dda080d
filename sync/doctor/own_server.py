"""The job's own PostgreSQL: whether it could run here, and whether it does; nothing is made or started."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import psycopg

from sync.doctor.result import Findings, check, ok, skip, unknown, warning, wrong
from sync.embedded.cluster import refuse_other_version
from sync.embedded.directory import ServerDirectory, existing, resolved, socket_in
from sync.embedded.errors import access_advice, explain_system
from sync.embedded.installation import installation, runnable

_LITTLE = 1 << 30  # bytes
_CHECKS = ("folder", "data", "space", "running")


def own_server_checks(choose: Callable[[], Path]) -> Findings[ServerDirectory | None]:
    """All that can be told of the server in the folder that is chosen; its place, if it runs."""
    wheel = yield from _programs()
    folder = yield from _choice(choose)
    if folder is None:
        yield from skip("there is no place for its data", *_CHECKS)
        return None
    place = yield from _folder(folder)
    yield from _data(place, wheel)
    yield from _space(folder)
    running = yield from _running(place)
    return place if running else None


@check("place")
def _choice(choose: Callable[[], Path]) -> Findings[Path]:
    folder = resolved(choose())
    yield ok(str(folder))
    return folder


@check("programs")
def _programs() -> Findings[Path]:
    wheel = installation()
    yield ok(f"PostgreSQL is in {wheel}")
    return wheel


@check("folder")
def _folder(folder: Path) -> Findings[ServerDirectory | None]:
    """Owner and mode; of a folder that is not there, whether it could be made."""
    if not folder.exists():
        above = next(path for path in folder.parents if path.exists())
        if os.access(above, os.W_OK | os.X_OK):
            yield ok(f"{folder} is not there yet; the first start makes it")
        else:
            yield wrong(f"{folder} is not there, and may not be made in {above}", "choose another data_folder")
        return None
    with explain_system(folder):
        place = existing(folder)
        if place.sockets.exists():
            place.check_sockets()
    found, mode = folder.stat(), stat.S_IMODE(folder.stat().st_mode)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield wrong(
            f"user id {os.geteuid()} may not write in {folder}", "run as its owner, or choose another data_folder"
        )
    elif mode & 0o022:
        yield warning(f"{folder}: others may write in it (mode {mode:04o})", f"chmod go-w {folder}")
    else:
        yield ok(f"{folder}: owner {found.st_uid}, mode {mode:04o}; the server runs as {place.account.name}")
    return place


@check("data")
def _data(place: ServerDirectory | None, wheel: Path | None) -> Findings[None]:
    """Whether the programs run as the account that they are to run as, and fit the data."""
    if place is None or wheel is None:
        yield unknown("there are no programs" if wheel is None else "there is no folder")
        return
    with explain_system(place.folder):
        usable = runnable(place, wheel)
        if usable:
            refuse_other_version(place, usable[1])
    if usable:
        version = f"PostgreSQL {usable[1]}"
        there = place.data(usable[1]).exists()
        yield ok(f"{version}, as its data" if there else f"{version}; there is no data yet")
    elif place.account.dropped and not access_advice(place):
        yield ok(
            f"the account {place.account.name} can't read the programs; the first start copies them beside the data"
        )
    else:
        yield wrong(
            f"the account {place.account.name} can't run the programs in {wheel / 'bin'}",
            access_advice(place) or "see that the disk allows programs (no noexec), or set IMAGE_SYNC_DATABASE_URL",
        )


@check("space")
def _space(folder: Path) -> Findings[None]:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / 1e9:.1f} GB are free in {there}"
    yield warning(found, "make room") if free < _LITTLE else ok(found)


@check("running")
def _running(place: ServerDirectory | None) -> Findings[bool]:
    """Whether it takes connections now; one that does not run starts with the next command."""
    if place is None or not socket_in(place.sockets).exists():
        yield ok("not now; the next command that needs it starts it")
        return False
    try:
        psycopg.connect(place.url("postgres"), connect_timeout=5).close()
    except psycopg.OperationalError as error:
        if "FATAL" in str(error):
            yield wrong(f"it refuses us: {str(error).splitlines()[-1]}", f"see {place.log}")
        else:
            yield ok("not now; the next command that needs it starts it")
        return False
    yield ok("yes")
    return True
