"""A test run that does not leave the machine as it was fails and names what is left."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import surroundings
from checkout import TESTS
from servers import environment
from surroundings import Surroundings

START = """
import os, subprocess, sys, tempfile
from pathlib import Path

def test_it():
    root = Path(os.environ["TEST_ROOT"])
"""
WRONG = {
    "a mode": ("root.chmod(0o755)", r"temp was drwxrwxrwt of \d+:\d+, and is drwxr-xr-x"),
    "a folder": ("tempfile.mkdtemp(prefix='shelf-')", "/shelf-"),
    "a file of a process": (
        "subprocess.run([sys.executable, '-c', 'import tempfile; tempfile.mkstemp(prefix=\"spool-\")'])",
        "/spool-",
    ),
    "a child": ("subprocess.Popen(['sleep', '600'])", r"process \d+: sleep 600"),
    "an orphan": (
        "subprocess.run('cd $TMPDIR; setsid sleep 600 >/dev/null 2>&1 &', shell=True)",
        r"process \d+: sleep 600",
    ),
}


@pytest.fixture
def root() -> Iterator[Path]:
    """A temporary folder with the usual mode; its path is short, as sockets need that."""
    path = Path(tempfile.mkdtemp(prefix="machine-")) / "temp"
    path.mkdir()
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path.parent)


@pytest.fixture
def around(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surroundings]:
    """The surroundings of a machine whose shared folders are only this one, with no other test run."""
    monkeypatch.setattr(surroundings, "SHARED", (root,))
    monkeypatch.setattr(Surroundings, "_is_accompanied", lambda _: False)
    around = Surroundings("")
    yield around
    around.leave()


def run(root: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run one test with this body."""
    (root.parent / "test_one.py").write_text(START + f"    {body}\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "surroundings", "-p", "no:cacheprovider", *options, "test_one.py"],
        env=environment(TMPDIR=str(root), TEST_ROOT=str(root), TEST_PATIENCE="0.5", PYTHONPATH=str(TESTS / "support")),
        cwd=root.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def is_running(pid: int) -> bool:
    """Whether the process is still running."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "workers"])
def test_a_run_that_leaves_nothing_passes(root: Path, options: tuple[str, ...]) -> None:
    """A run that removes its files, ends its processes and restores modes passes."""
    body = "root.chmod(0o755); root.chmod(0o1777); subprocess.run(['true']); os.rmdir(tempfile.mkdtemp())"
    done = run(root, body, *options)

    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout
    assert not [path for path in root.iterdir() if not path.name.startswith("pytest-of-")]


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "workers"])
@pytest.mark.parametrize("what", WRONG)
def test_leftovers_fail_the_run(root: Path, what: str, options: tuple[str, ...]) -> None:
    """A leftover is named and fails the run; leftover processes and files are removed, but modes are not restored."""
    body, message = WRONG[what]
    done = run(root, body, *options)

    assert done.returncode == 1, done.stdout
    assert "1 passed" in done.stdout
    assert re.search(message, done.stdout), done.stdout
    for pid in re.findall(r"process (\d+): sleep 600", done.stdout):
        assert not is_running(int(pid))
    assert not [path for path in root.iterdir() if not path.name.startswith("pytest-of-")]


def test_leftovers_of_a_crashed_worker(root: Path) -> None:
    """The main process names and ends what a crashed worker left."""
    done = run(root, "subprocess.Popen('cd $TMPDIR; exec sleep 600', shell=True); os._exit(3)", "-n", "1")
    left = re.findall(r"^process (\d+): sleep 600", done.stdout, re.MULTILINE)

    assert done.returncode == 1, done.stdout
    assert left
    assert not [pid for pid in left if is_running(int(pid))]
    assert not [path for path in root.iterdir() if not path.name.startswith("pytest-of-")]


def test_unused_shared_memory_is_named(around: Surroundings, root: Path) -> None:
    """Shared memory of a killed server is named, in both forms."""
    (root / "PostgreSQL.1234").touch()
    output = subprocess.run(["ipcmk", "--shmem", "64"], capture_output=True, text=True, check=True).stdout
    number = output.split()[-1]
    named = around.shared()
    subprocess.run(["ipcrm", "--shmem-id", number], check=True)
    (root / "PostgreSQL.1234").unlink()

    assert str(root / "PostgreSQL.1234") in named
    assert [line for line in named if line.startswith(f"shared memory {number} of the ended process ")]
    assert not [line for line in around.shared() if number in line or "1234" in line]


def test_a_socket_of_an_ended_server_is_named(around: Surroundings, root: Path) -> None:
    """A socket is named only once its server has ended, as it may belong to another run."""
    folder = root / f"image-sync-{os.getuid()}-0123456789abcdef"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
        during = around.shared()
    after = around.shared()
    shutil.rmtree(folder)

    assert str(folder) not in during
    assert str(folder) in after
