"""A plugin that checks that a test run leaves the machine as it was: modes, owners, processes, files.

All temporary files of a run are in one folder, with a subfolder per worker, so that leftover files and processes are known
to be ours, however many runs share the machine.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SHARED = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # noqa: S108 - they are looked at, not written to
# PostgreSQL's segments, and the sockets of an embedded server whose data folder has a long path.
_OURS = re.compile(r"PostgreSQL\.\d+|image-sync-\d+-[0-9a-f]{16}")
_PATIENCE = float(os.environ.get("TEST_PATIENCE", "10"))  # seconds that ending processes are given

_before = pytest.StashKey["Surroundings"]()
_told = pytest.StashKey[list[str]]()


class Surroundings:
    """The machine as one process of the run found it, and the temporary folder that it then uses.

    Attributes:
        folder: the temporary folder of this process, which every account can write to.
    """

    def __init__(self, name: str) -> None:
        outside = Path(tempfile.gettempdir())
        self._folders = {folder for start in (*SHARED, outside, Path.cwd()) for folder in (start, *start.parents)}
        self._modes, self._names, self._segments = self._looks(), _names(), _segments()
        self._replaced = os.environ.get("TMPDIR"), tempfile.tempdir
        if name:
            self.folder = outside / name
            self.folder.mkdir()
        else:
            self.folder = Path(tempfile.mkdtemp(prefix="image-sync-tests-"))
        self.folder.chmod(0o1777)
        os.environ["TMPDIR"] = tempfile.tempdir = str(self.folder)

    def processes(self, *folders: Path) -> list[str]:
        """Children of this process, and processes that work in its temporary folder or in these folders."""
        return [f"process {pid}: {command}" for pid, command in self._running(*folders)]

    def files(self) -> list[str]:
        """The contents of the temporary folder."""
        return sorted(str(path) for path in self.folder.iterdir())

    def modes(self) -> list[str]:
        """Folders whose mode or owner has changed."""
        now = self._looks()
        return [
            f"{path} was {was}, and is {now.get(path)}" for path, was in self._modes.items() if now.get(path) != was
        ]

    def shared(self) -> list[str]:
        """New sockets and shared memory that no running server uses, unless another test run may have left them."""
        if self._is_accompanied():
            return []
        used = _mapped()
        return sorted({*(_names() - self._names - used), *(_segments() - self._segments)})

    def clear(self, *folders: Path) -> None:
        """End the remaining processes, and remove the files."""
        for pid, _command in self._running(*folders):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()

    def leave(self) -> None:
        """Remove the temporary folder."""
        self.clear()
        self.folder.rmdir()
        original, tempfile.tempdir = self._replaced
        if original is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = original

    def _looks(self) -> dict[str, str]:
        return {str(folder): _look(folder) for folder in sorted(self._folders) if folder.exists()}

    def _running(self, *folders: Path) -> list[tuple[int, str]]:
        parents, commands = _processes()
        ours = _below({os.getpid()}, parents)
        own = [f"{folder}/" for folder in (self.folder, *folders)]  # pytest-1 is not pytest-12
        ours |= {pid for pid, (command, cwd) in commands.items() if any(one in f"{command} {cwd}/" for one in own)}
        return sorted((pid, commands[pid][0]) for pid in ours - self._lineage(parents) if pid in commands)

    def _is_accompanied(self) -> bool:
        parents, commands = _processes()
        others = set(commands) - self._lineage(parents) - _below({os.getpid()}, parents)
        return any(re.search(r"(?:^|[ /])(?:py\.test|pytest)(?: |$)", commands[pid][0]) for pid in others)

    def _lineage(self, parents: dict[int, int]) -> set[int]:
        lineage, pid = set(), os.getpid()
        while pid:
            lineage.add(pid)
            pid = parents.get(pid, 0)
        return lineage


def pytest_configure(config: pytest.Config) -> None:
    """Record the surroundings before any test is imported."""
    if config.option.collectonly:
        return
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())  # pytest's own folders stay where they are
    config.stash[_before] = Surroundings(os.environ.get("PYTEST_XDIST_WORKER", ""))


@pytest.fixture(scope="session", autouse=True)
def nothing_left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    """Fail the run if a process or a file of its tests is left after all fixtures are done."""
    around = request.config.stash[_before]
    yield around
    used = tmp_path_factory.getbasetemp()
    left = _lasting(lambda: around.processes(used))
    left += _lasting(around.files)
    around.clear(used)
    assert not left, "the tests left behind:\n" + "\n".join(left)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Fail the run if the machine has changed; of several processes, the main one checks.

    It checks after the others have ended, so that it also finds what a crashed worker left.
    """
    yield
    around = session.config.stash.get(_before, None)
    if around is None:
        return
    if "PYTEST_XDIST_WORKER" not in os.environ:
        wrong = around.modes() + _lasting(around.processes) + _lasting(around.files)
        # Shared memory may belong to a server that someone else killed: it is named, but does not fail the run.
        session.config.stash[_told] = wrong + _lasting(around.shared)
        if wrong and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    around.leave()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List what has changed."""
    changes = config.stash.get(_told, [])
    if changes:
        terminalreporter.section("the machine is not as it was", red=True)
        for line in changes:
            terminalreporter.line(line)


def _lasting(looked: Callable[[], list[str]]) -> list[str]:
    """What is still there after a while."""
    deadline = time.monotonic() + _PATIENCE
    while (left := looked()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _look(folder: Path) -> str:
    status = folder.stat()
    return f"{stat.filemode(status.st_mode)} of {status.st_uid}:{status.st_gid}"


def _names() -> set[str]:
    places = [place for place in SHARED if os.access(place, os.R_OK)]
    paths = {path for place in places for path in place.iterdir() if _OURS.fullmatch(path.name)}
    return {str(path) for path in paths if _judged(path)}


def _judged(path: Path) -> bool:
    """Whether we can tell who uses a file: root can always, others only for their own files."""
    with contextlib.suppress(FileNotFoundError):
        return os.geteuid() in {0, path.lstat().st_uid}
    return False


def _segments() -> set[str]:
    """System V shared memory that no process is attached to, with the process that made it."""
    with contextlib.suppress(FileNotFoundError):
        lines = [line.split() for line in Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()[1:]]
        return {
            f"shared memory {line[1]} of the ended process {line[4]}"
            for line in lines
            if line[6] == "0" and os.geteuid() in {0, int(line[7])}
        }
    return set()


def _processes() -> tuple[dict[int, int], dict[int, tuple[str, str]]]:
    """The parent of each running process, and its command with its working folder."""
    parents, commands = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (path / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it ended meanwhile
        if state in "ZX":
            continue
        try:
            cwd = str((path / "cwd").readlink())
        except OSError:
            cwd = ""  # of another account
        parents[int(path.name)], commands[int(path.name)] = int(parent), (command, cwd)
    return parents, commands


def _below(roots: set[int], parents: dict[int, int]) -> set[int]:
    """These processes and all their descendants."""
    pids = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in pids} - pids:
        pids |= more
    return pids


def _mapped() -> set[str]:
    """Files in shared memory that a process uses, and socket folders of running servers."""
    used: set[str] = set()
    for path in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            used |= set(re.findall(r"/dev/shm/PostgreSQL\.\d+", path.read_text(errors="replace")))  # noqa: S108 - looked for
    for socket in Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines():
        used.add(str(Path(socket.split()[-1]).parent))
    return used
