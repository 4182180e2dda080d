"""The embedded PostgreSQL survives kills, leftovers and a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from embedded_tools import AS_ROOT, Shelf, ask, do, leave, postmaster, said, supervisors, until

from sync.embedded import embedded, wait_until_stopped
from sync.embedded.locks import is_free
from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["embedded_fixtures"]


def test_the_server_stops_when_all_users_are_killed(shelf: Shelf, folder: Path) -> None:
    """After kill -9 of every user neither the server nor its supervisor is left."""
    users = [shelf.user(folder), shelf.user(folder)]
    for user in users:
        said(user)

    for user in users:
        user.kill()

    wait_until_stopped(folder)
    until(lambda: not supervisors(folder))


def test_killed_postmaster_is_replaced_and_loses_nothing(folder: Path) -> None:
    """After kill -9 of the postmaster a user gets a server again, with all committed data."""
    with embedded(folder) as server:
        do(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        killed = postmaster(folder)
        os.kill(killed, signal.SIGKILL)

        server.ensure()

        assert ask(server.url, "SELECT answer FROM kept") == 42
        assert postmaster(folder) != killed


def test_killed_server_and_supervisor_are_replaced(folder: Path) -> None:
    """After kill -9 of both supervisor and postmaster the next user starts new ones."""
    with embedded(folder) as server:
        do(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        for pid in [*supervisors(folder), postmaster(folder)]:
            os.kill(pid, signal.SIGKILL)

        with embedded(folder) as again:
            assert ask(again.url, "SELECT answer FROM kept") == 42
            assert len(supervisors(folder)) == 1


def test_backend_that_outlives_the_postmaster_is_waited_for(folder: Path) -> None:
    """No second server starts while a process of the killed one still lives."""
    with embedded(folder) as server:
        do(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        (checkpointer,) = _children(postmaster(folder), "checkpointer")
        os.kill(checkpointer, signal.SIGSTOP)
        os.kill(postmaster(folder), signal.SIGKILL)
        until(lambda: not _children(postmaster(folder), "walwriter"))
        assert not is_free(folder / "server.lock")
        release = threading.Timer(0.5, os.kill, [checkpointer, signal.SIGCONT])
        release.start()

        server.ensure()

        assert release.finished.is_set()
        release.join()
        assert ask(server.url, "SELECT answer FROM kept") == 42


def test_orphaned_server_gets_a_supervisor(shelf: Shelf, folder: Path) -> None:
    """If the supervisor is killed, the next user to arrive or leave makes sure that the server stops."""
    user = shelf.user(folder)
    said(user)
    kill_supervisors(folder)

    leave(user)

    wait_until_stopped(folder)
    until(lambda: not supervisors(folder))


def kill_supervisors(folder: Path) -> None:
    """Kill the supervisors, and wait until they are gone, as a dying one still holds its lock."""
    for pid in supervisors(folder):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not supervisors(folder))


def test_adopted_server_that_is_killed_is_replaced(folder: Path) -> None:
    """A new supervisor also notices the end of a server that it did not start."""
    with embedded(folder) as server:
        kill_supervisors(folder)
        server.ensure()
        os.kill(postmaster(folder), signal.SIGKILL)

        server.ensure()

        assert ask(server.url, "SELECT 1") == 1


def test_stale_files_that_name_a_living_process(folder: Path) -> None:
    """Stale files whose process ids now belong to other processes do not stop the next start."""
    with embedded(folder) as server:
        pid_file = next(folder.glob("postgres-*")) / "postmaster.pid"
        socket_lock = server.directory.sockets / ".s.PGSQL.5432.lock"
        left = [(path, path.read_text().split("\n", 1)[1]) for path in (pid_file, socket_lock)]
    wait_until_stopped(folder)
    stranger = subprocess.Popen(["sleep", "60"], user=pid_file.parent.stat().st_uid if AS_ROOT else None)
    for path, rest in left:
        path.write_text(f"{stranger.pid}\n{rest}")
    (server.directory.sockets / ".s.PGSQL.5432").touch()

    with embedded(folder) as server:
        answer = ask(server.url, "SELECT 1")

    assert answer == 1
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_kill_during_the_first_start(shelf: Shelf, fresh_folder: Path) -> None:
    """The start after a killed first start waits for its remains, then removes them."""
    user = shelf.user(fresh_folder)
    until(lambda: list(fresh_folder.glob("postgres-*.new-*/PG_VERSION")))
    (initdb,) = _children(user.pid, "initdb")
    os.kill(initdb, signal.SIGSTOP)
    user.kill()
    user.wait()
    assert not is_free(fresh_folder / "guard.lock")
    os.kill(initdb, signal.SIGCONT)

    with embedded(fresh_folder) as server:
        assert ask(server.url, "SELECT 1") == 1
        assert [path.name for path in fresh_folder.glob("postgres-*")] == ["postgres-18"]


def test_kill_of_everything_during_the_first_start(shelf: Shelf, fresh_folder: Path) -> None:
    """The same holds if initdb is killed too, as when the machine goes down."""
    user = shelf.user(fresh_folder)
    until(lambda: list(fresh_folder.glob("postgres-*.new-*/PG_VERSION")))
    for pid in [user.pid, *_children(user.pid, "initdb")]:
        os.kill(pid, signal.SIGKILL)

    with embedded(fresh_folder) as server:
        assert ask(server.url, "SELECT 1") == 1
        assert [path.name for path in fresh_folder.glob("postgres-*")] == ["postgres-18"]


def test_failed_start_quotes_the_log(folder: Path) -> None:
    """If the server does not start, the message has the last lines of its log, and what to do."""
    with embedded(folder):
        pass
    wait_until_stopped(folder)
    control = folder / "postgres-18" / "global" / "pg_control"
    control.write_bytes(bytes(control.stat().st_size))

    with pytest.raises(EmbeddedError) as caught, embedded(folder):
        pass

    assert "damaged: restore a backup" in str(caught.value)
    assert "FATAL:" in str(caught.value)


@pytest.mark.skipif(not AS_ROOT, reason="root fills a small disk")
def test_a_full_disk_is_reported(shelf: Shelf) -> None:
    """A first start on a full disk says so, and works once there is space."""
    disk = shelf.path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m,mode=0711", "none", disk], check=False)
    if mounted.returncode:
        pytest.skip("no right to mount here")
    try:
        with pytest.raises(EmbeddedError, match="free some space on the disk"), embedded(disk):
            pass
        subprocess.run(["mount", "-o", "remount,size=300m", disk], check=True)
        with embedded(disk) as server:
            assert ask(server.url, "SELECT 1") == 1
        wait_until_stopped(disk)
        until(lambda: not supervisors(disk))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_large_log_is_rotated(folder: Path) -> None:
    """A log of more than a megabyte is rotated at the next start; one old log is kept."""
    with embedded(folder):
        pass
    wait_until_stopped(folder)
    with (folder / "server.log").open("ab") as log:
        log.write(b"x" * (1 << 20))

    with embedded(folder):
        assert (folder / "server.log").stat().st_size < 10_000
        assert (folder / "server.log.1").stat().st_size > 1 << 20


def _children(parent: int, name: str) -> list[int]:
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(maxsplit=2) for line in listed.splitlines())
    return [int(pid) for pid, ppid, command in rows if int(ppid) == parent and name in command]
