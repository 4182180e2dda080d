"""A run of tests that leaves the machine otherwise than it was fails, and says what is left."""

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
    """A temporary folder as a machine has it; a short path, as sockets need it."""
    path = Path(tempfile.mkdtemp(prefix="machine-")) / "temp"
    path.mkdir()
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path.parent)


@pytest.fixture
def around(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surroundings]:
    """A look around, of a machine whose shared places are this folder, and on which no other run is under way."""
    monkeypatch.setattr(surroundings, "SHARED", (root,))
    monkeypatch.setattr(Surroundings, "_is_accompanied", lambda _: False)
    found = Surroundings("")
    yield found
    found.leave()


def run(root: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A run of one test with this body."""
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


def runs(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "workers"])
def test_a_run_that_leaves_nothing_passes(root: Path, options: tuple[str, ...]) -> None:
    """Files that are removed, processes that are ended, modes that are set back."""
    body = "root.chmod(0o755); root.chmod(0o1777); subprocess.run(['true']); os.rmdir(tempfile.mkdtemp())"
    done = run(root, body, *options)

    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout
    assert not [path for path in root.iterdir() if not path.name.startswith("pytest-of-")]


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "workers"])
@pytest.mark.parametrize("what", WRONG)
def test_what_is_left_fails_the_run(root: Path, what: str, options: tuple[str, ...]) -> None:
    """It is named, and gone afterwards, but for a mode: that is for a person to set back."""
    body, told = WRONG[what]
    done = run(root, body, *options)

    assert done.returncode == 1, done.stdout
    assert "1 passed" in done.stdout
    assert re.search(told, done.stdout), done.stdout
    for pid in re.findall(r"process (\d+): sleep 600", done.stdout):
        assert not runs(int(pid))
    assert not [path for path in root.iterdir() if not path.name.startswith("pytest-of-")]


def test_what_a_crashed_worker_leaves_is_told(root: Path) -> None:
    """The process that began the workers looks when they have ended, and ends what they did not."""
    done = run(root, "subprocess.Popen('cd $TMPDIR; exec sleep 600', shell=True); os._exit(3)", "-n", "1")
    left = re.findall(r"^process (\d+): sleep 600", done.stdout, re.MULTILINE)

    assert done.returncode == 1, done.stdout
    assert left
    assert not [pid for pid in left if runs(int(pid))]
    assert not [path for path in root.iterdir() if not path.name.startswith("pytest-of-")]


def test_shared_memory_that_nobody_uses_is_told(around: Surroundings, root: Path) -> None:
    """Of a server that was killed, in both forms."""
    (root / "PostgreSQL.1234").touch()
    made = subprocess.run(["ipcmk", "--shmem", "64"], capture_output=True, text=True, check=True).stdout
    number = made.split()[-1]
    told = around.shared()
    subprocess.run(["ipcrm", "--shmem-id", number], check=True)
    (root / "PostgreSQL.1234").unlink()

    assert str(root / "PostgreSQL.1234") in told
    assert [line for line in told if line.startswith(f"shared memory {number} of the ended process ")]
    assert not [line for line in around.shared() if number in line or "1234" in line]


def test_a_socket_is_told_when_its_server_has_ended(around: Surroundings, root: Path) -> None:
    """Not while it runs: it may be of another run."""
    folder = root / f"image-sync-{os.getuid()}-0123456789abcdef"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
        during = around.shared()
    after = around.shared()
    shutil.rmtree(folder)

    assert str(folder) not in during
    assert str(folder) in after
