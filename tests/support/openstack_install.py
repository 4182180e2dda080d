"""An environment with OpenStack's Keystone and Glance, and their empty databases; both are made once and kept."""

from __future__ import annotations

import fcntl
import grp
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from checkout import CHECKOUT
from servers import environment

_FAR = 500  # a number of a file that no test reaches
REQUIREMENTS = CHECKOUT / "requirements" / "openstack.txt"
_SERVE = Path(__file__).with_name("openstack_serve.py")
_MANAGE = """
import json, os, sys
from {service}.cmd.manage import main
for command in json.loads(sys.argv.pop()):
    if os.fork() == 0:
        sys.argv[1:] = ["--config-file", "{service}.conf", *command]
        sys.exit(main())
    if os.wait()[1]:
        sys.exit(f"{{command[0]}} failed")
"""


def installed(folder: Path) -> Path:
    """The Python of an environment with both services, made once per list of requirements.

    Args:
        folder: where these environments are kept.
    """
    place = folder / _digest(REQUIREMENTS.read_bytes() + sys.version.encode())
    python = place / "bin" / "python"
    with _once(place, folder / "lock") as missing:
        if missing:
            venv.create(place, clear=True)
            _install(python)
    return python


def prepare(python: Path, service: str, folder: Path, settings: str, *commands: tuple[str, ...]) -> None:
    """Write the settings of a service into a folder, and what its management commands make of an empty one.

    That is made once per settings and commands, and copied, since it takes many seconds.

    Args:
        python: the Python of an environment with the service.
        service: its name.
        folder: a new folder.
        settings: its settings, with ``{folder}``.
        commands: arguments of its management command, in turn.
    """
    kept = python.parents[1] / f"{service}-{_digest(repr((settings, commands)).encode())}"
    with _once(kept, python.parents[1] / "lock") as missing:
        if missing:
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir()
            _write(kept, service, settings)
            _manage(python, service, kept, commands)
    shutil.copytree(kept, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.log", "done"))
    _write(folder, service, settings)


def owner(service: str) -> tuple[str, ...]:
    """Arguments of a management command that name this process's user and group as owners of keys."""
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    return (f"--{service}-user", user, f"--{service}-group", group)


class Service:
    """A running service on loopback.

    Args:
        python: the Python of an environment with the service.
        module: its module that has the WSGI application.
        folder: for its log.
        settings: environment variables.

    Attributes:
        url: its address.
    """

    def __init__(self, python: Path, module: str, folder: Path, settings: Mapping[str, str]) -> None:
        log = folder / "server.log"
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [str(python), "-P", "-W", "ignore", str(_SERVE), module],
                cwd=folder,
                env=environment(**settings),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        # The server ends with its input. Held once more, far from the numbers of other files, one of which a test may
        # close twice.
        self._input = fcntl.fcntl(self._process.stdin.fileno(), fcntl.F_DUPFD_CLOEXEC, _FAR)
        port = self._process.stdout.readline().strip()
        if not port:
            self.stop()
            raise AssertionError(log.read_text())
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        os.close(self._input)
        self._process.communicate()


def _install(python: Path) -> None:
    """Install with uv, which takes a fifth of the time; or with pip, whose index uv may not know."""
    options = ["install", "--quiet", "--require-hashes", "--requirement", str(REQUIREMENTS)]
    uv = [sys.executable, "-m", "uv", "pip", *options, "--python", str(python)]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), *options]
    own = environment(TMPDIR=str(python.parent))  # where what uv leaves behind is in no test's way
    if subprocess.run(uv, check=False, env=os.environ | own).returncode:
        subprocess.run(pip, check=True)


@contextmanager
def _once(place: Path, lock: Path) -> Iterator[bool]:
    """Whether a place is yet to be made, while no other process makes it; it is done if the body succeeds."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = place / "done"
        missing = not done.exists()
        yield missing
        if missing:
            done.touch()


def _write(folder: Path, service: str, settings: str) -> None:
    (folder / f"{service}.conf").write_text(settings.replace("{folder}", str(folder)))


def _manage(python: Path, service: str, folder: Path, commands: Sequence[Sequence[str]]) -> None:
    """Carry out management commands, each in a copy of one process, since loading the service takes seconds."""
    made = subprocess.run(
        [str(python), "-P", "-W", "ignore", "-c", _MANAGE.format(service=service), json.dumps(commands)],
        check=False,
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert made.returncode == 0, made.stderr


def _digest(made_of: bytes) -> str:
    return hashlib.sha256(made_of).hexdigest()[:16]
