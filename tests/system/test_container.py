"""The container image, really built and really run: as uid 10001, with a read-only root, without a shell.

`make image-test` runs these; they need root, buildah and mmdebstrap, and take minutes, so that other commands do not.
"""

from __future__ import annotations

import shutil
import signal
import socket
import stat
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cli_tools import ask, finished, until
from container_tools import REVISION, SOURCE, Image, beside, build, first_process
from servers import Server

from sync import __version__
from sync.simulator import Simulator

pytestmark = pytest.mark.image
MEGABYTE = 10**6
ROOM = 4 * 2**30  # bytes; 0.7 GB were needed
RUNTIMES = {
    "proc",
    "dev",
    "sys",
    "run",
    "run/secrets",
    "etc/hosts",
}  # what builders and runtimes mount, they make first
# Imports all of the job, and prints what would have to be compiled.
UNCOMPILED = """
import importlib, pkgutil, sys, sync, alembic.command
for found in pkgutil.walk_packages(sync.__path__, "sync."):
    if found.name.startswith(("sync.__main__", "sync.migrations", "sync.cli.parquet")):
        continue
    importlib.import_module(found.name)
missing = [name for name, module in list(sys.modules.items())
           if getattr(module, "__cached__", None) and name != "__main__"
           and not __import__("os").path.exists(module.__cached__)]
print(len(sys.modules), *missing)
"""
WRITING = """
import os, sys
for folder in ("/", "/app", "/app/lib", "/etc/image-sync", "/usr", "/var", "/tmp"):
    try:
        open(os.path.join(folder, "tried"), "w").close()
    except OSError as error:
        print(folder, error.strerror)
    else:
        print(folder, "written")
"""


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """The image of this checkout; built in memory where there is room, as each step copies all files."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    room = memory.is_dir() and shutil.disk_usage(memory).free > ROOM
    with TemporaryDirectory(prefix="image-sync-", dir=memory if room else None) as folder:
        Path(folder).chmod(0o755)
        yield build(Path(folder))


@pytest.fixture
def place(server: Server, cloud: Simulator) -> Iterator[Path]:
    """A settings file, and the secrets in files of their own, as they are mounted into a container.

    Its account must be able to read them; pytest's own folders are closed to it, and stay so.
    """
    with TemporaryDirectory(prefix="mounted-") as folder:
        Path(folder).chmod(0o755)
        yield _filled(Path(folder), server.empty(), cloud)


def _filled(place: Path, database_url: str, cloud: Simulator) -> Path:
    (place / "config").mkdir()
    (place / "secrets").mkdir()
    (place / "secrets" / "database-url").write_text(database_url + "\n")
    (place / "secrets" / "token").write_text(cloud.token + "\n")
    settings = f"""
        database_url_file = "/run/secrets/database-url"

        [[sources]]
        name = "tried"
        endpoint = "{cloud.url}"
        token_file = "/run/secrets/token"
        max_retries = 0
    """
    (place / "config" / "image-sync.toml").write_text(textwrap.dedent(settings))
    return place


def database(place: Path) -> str:
    """The database that the settings name."""
    return (place / "secrets" / "database-url").read_text().strip()


def start(image: Image, place: Path, *arguments: str, tmp: bool = True) -> subprocess.Popen[str]:
    """Start the image with the settings and secrets of ``place``."""
    return image.start(*arguments, config=place / "config", secrets=place / "secrets", tmp=tmp)


def test_it_says_what_it_is(image: Image) -> None:
    """Version, revision, source and licence are labels; user, signal, entrypoint and health check need no shell."""
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in image.config["Labels"].items()}

    assert labels.items() >= {("version", __version__), ("revision", REVISION), ("source", SOURCE)}
    assert labels["licenses"] == "Apache-2.0"
    assert image.config["User"] == "10001:10001"
    assert image.config["StopSignal"] == "SIGTERM"
    assert image.config["Entrypoint"] == ["image-sync"]
    assert image.config["Healthcheck"]["Test"][0] == "CMD"


def test_it_is_small(image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    """It has less than 200 MB in all, and of its own so little that a base of 120 MB still leaves it below that."""
    whole, own = (image.size(own=own) / MEGABYTE for own in (False, True))

    with capsys.disabled():
        print(f"\nthe image has {whole:.0f} MB, {own:.0f} MB of them its own")  # noqa: T201 - what was measured
    assert whole < 200
    assert own < 80


def test_it_holds_nothing_that_builds(image: Image) -> None:
    """No installer, compiler or shell is in it: the build needs none in the base, and leaves none behind."""
    programs = {path.name for path in image.files() if path.parent.name in {"bin", "sbin"}}
    packages = {path.name.split("-")[0] for path in image.files() if path.parent.name.endswith("-packages")}

    assert {name for name in programs if name.startswith(("pip", "gcc", "cc", "make", "git", "apt"))} == set()
    assert packages & {"pip", "setuptools", "wheel", "pkg_resources", "hatchling"} == set()
    assert not [path for path in image.files() if path.name == "ensurepip"]
    assert programs & {"sh", "bash", "dash", "busybox"} == set()
    assert "python3" in programs
    assert "sqlalchemy" in packages


def test_it_adds_two_folders_to_its_base(image: Image) -> None:
    """Beside bytecode and what it removes, an image differs from its base by /app and /etc/image-sync."""
    added = {image.inside(path) for path in image.files()} - image.base
    outside = {path for path in added if not path.startswith("app") and "__pycache__" not in path}

    assert "etc/image-sync" in outside
    assert outside - {"etc/image-sync"} <= RUNTIMES


def test_nobody_but_root_may_change_it(image: Image) -> None:
    """Nothing is its user's, nothing may be written by others but /tmp, and nothing makes its user another one."""
    found = {image.inside(path): path.lstat() for path in image.files() if not path.is_symlink()}
    kept = {path: facts for path, facts in found.items() if not path.startswith(("proc", "dev", "sys"))}

    assert {path for path, facts in kept.items() if facts.st_mode & stat.S_IWOTH} == {"tmp"}
    assert {path for path, facts in kept.items() if 10001 in {facts.st_uid, facts.st_gid}} == set()
    assert {path for path, facts in kept.items() if facts.st_mode & (stat.S_ISUID | stat.S_ISGID)} == set()


def test_its_user_writes_only_to_tmp(image: Image) -> None:
    """With a read-only root, /tmp is the only place that can be written to."""
    done = finished(image.start("-c", WRITING, program=["/app/bin/python3"]))

    assert [line for line in done.out.splitlines() if line.endswith("written")] == ["/tmp written"], done.err  # noqa: S108 - what is tried


def test_all_of_it_is_bytecode(image: Image) -> None:
    """Whatever the job imports, its own or the interpreter's, was compiled when the image was built."""
    done = finished(image.start("-c", UNCOMPILED, program=["/app/bin/python3"]))

    number, *missing = done.out.split()
    assert int(number) > 500, done.err
    assert missing == []


def test_it_tells_its_version(image: Image) -> None:
    """The entrypoint is the command line."""
    done = finished(image.start("--version"))

    assert done.out == f"image-sync, version {__version__}\n", done.err


def test_it_syncs(image: Image, place: Path, cloud: Simulator) -> None:
    """A first load makes the schema and brings every image; a second run finds nothing to do."""
    first, second = (finished(start(image, place, "run", "--format", "json")) for _ in range(2))

    assert (first.code, first.row["created"]) == (0, len(cloud.world.truth())), first.err
    assert (second.code, second.row["created"], second.row["unchanged"]) == (0, 0, first.row["created"]), second.err
    assert ask(database(place), "SELECT count(*) FROM inventory.live_images") == first.row["created"]


def test_a_small_run_needs_no_tmp(image: Image, place: Path) -> None:
    """With nothing to write to at all, a run that keeps little between reading and writing still works."""
    done = finished(start(image, place, "run", tmp=False))

    assert done.code == 0, done.err


def test_it_ends_with_the_exit_code_of_the_run(image: Image, place: Path) -> None:
    """A refused token is 1, wrong settings are 2: process 1 hands its code on."""
    (place / "secrets" / "token").write_text("wrong")
    refused = finished(start(image, place, "run"))
    with (place / "config" / "image-sync.toml").open("a") as settings:
        settings.write("retreis = 1\n")
    mistaken = finished(start(image, place, "run"))

    assert refused.code == 1, refused.err
    assert mistaken.code == 2, mistaken.err
    assert "max_retries" in mistaken.err


def test_a_schedule_ends_on_sigterm(image: Image, place: Path) -> None:
    """As process 1 the scheduler runs, says that it is alive, and ends on SIGTERM with 0."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    container = start(image, place, "schedule", "--every", "1s", "--listen", f"127.0.0.1:{port}")
    until(lambda: _ended_runs(place) > 1 or container.poll() is not None)
    first = first_process(container)
    assert first is not None
    health = beside(container, image.config["User"], image.config["Healthcheck"]["Test"][1:])
    subprocess.run(["kill", f"-{signal.SIGTERM.value}", str(first)], check=True)

    done = finished(container)
    assert health.returncode == 0, health.stderr
    assert done.code == 0, done.err
    assert ask(database(place), "SELECT count(*) FROM inventory.runs WHERE status = 'running'") == 0


def _ended_runs(place: Path) -> int:
    if not ask(database(place), "SELECT to_regclass('inventory.runs') IS NOT NULL"):
        return 0
    count: int = ask(database(place), "SELECT count(*) FROM inventory.runs WHERE status = 'done'")
    return count
