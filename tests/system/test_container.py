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
ROOM = 4 * 2**30  # bytes; a build needs 0.7 GB
RUNTIMES = {
    "proc",
    "dev",
    "sys",
    "run",
    "run/secrets",
    "etc/hosts",
}  # folders that builders and runtimes create for their mounts
# Imports every module of the job, and prints those that are not compiled.
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
    """The image of this checkout; built in memory if there is room, as each step copies all files."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    room = memory.is_dir() and shutil.disk_usage(memory).free > ROOM
    with TemporaryDirectory(prefix="image-sync-", dir=memory if room else None) as folder:
        Path(folder).chmod(0o755)
        yield build(Path(folder))


@pytest.fixture
def mounts(server: Server, cloud: Simulator) -> Iterator[Path]:
    """A folder with a settings file and secrets, as they are mounted into a container.

    The container's account must be able to read it, and pytest's own folders are closed to that account.
    """
    with TemporaryDirectory(prefix="mounted-") as folder:
        Path(folder).chmod(0o755)
        yield _fill(Path(folder), server.empty(), cloud)


def _fill(mounts: Path, database_url: str, cloud: Simulator) -> Path:
    (mounts / "config").mkdir()
    (mounts / "secrets").mkdir()
    (mounts / "secrets" / "database-url").write_text(database_url + "\n")
    (mounts / "secrets" / "token").write_text(cloud.token + "\n")
    settings = f"""
        database_url_file = "/run/secrets/database-url"

        [[sources]]
        name = "tried"
        endpoint = "{cloud.url}"
        token_file = "/run/secrets/token"
        max_retries = 0
    """
    (mounts / "config" / "image-sync.toml").write_text(textwrap.dedent(settings))
    return mounts


def database_url(mounts: Path) -> str:
    """The URL of the database in the settings."""
    return (mounts / "secrets" / "database-url").read_text().strip()


def start(image: Image, mounts: Path, *arguments: str, tmp: bool = True) -> subprocess.Popen[str]:
    """Start the image with the settings and secrets of ``mounts``."""
    return image.start(*arguments, config=mounts / "config", secrets=mounts / "secrets", tmp=tmp)


def test_labels_and_configuration(image: Image) -> None:
    """The labels name version, revision, source and licence; user, entrypoint and health check need no shell."""
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in image.config["Labels"].items()}

    assert labels.items() >= {("version", __version__), ("revision", REVISION), ("source", SOURCE)}
    assert labels["licenses"] == "Apache-2.0"
    assert image.config["User"] == "10001:10001"
    assert image.config["StopSignal"] == "SIGTERM"
    assert image.config["Entrypoint"] == ["image-sync"]
    assert image.config["Healthcheck"]["Test"][0] == "CMD"


def test_the_image_is_small(image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    """The image has under 200 MB, and so little of its own that a base of 120 MB stays below that."""
    whole, own = (image.size(own=own) / MEGABYTE for own in (False, True))

    with capsys.disabled():
        print(f"\nthe image has {whole:.0f} MB, {own:.0f} MB of them its own")  # noqa: T201 - what was measured
    assert whole < 200
    assert own < 80


def test_the_image_has_no_build_tools(image: Image) -> None:
    """The image has no installer, compiler or shell, neither from its base nor from the build."""
    programs = {path.name for path in image.files() if path.parent.name in {"bin", "sbin"}}
    packages = {path.name.split("-")[0] for path in image.files() if path.parent.name.endswith("-packages")}

    assert {name for name in programs if name.startswith(("pip", "gcc", "cc", "make", "git", "apt"))} == set()
    assert packages & {"pip", "setuptools", "wheel", "pkg_resources", "hatchling"} == set()
    assert not [path for path in image.files() if path.name == "ensurepip"]
    assert programs & {"sh", "bash", "dash", "busybox"} == set()
    assert "python3" in programs
    assert "sqlalchemy" in packages


def test_the_image_adds_two_folders_to_its_base(image: Image) -> None:
    """Besides bytecode and removed files, the image differs from its base by /app and /etc/image-sync."""
    added = {image.inside(path) for path in image.files()} - image.base
    outside = {path for path in added if not path.startswith("app") and "__pycache__" not in path}

    assert "etc/image-sync" in outside
    assert outside - {"etc/image-sync"} <= RUNTIMES


def test_only_root_may_change_the_image(image: Image) -> None:
    """The user owns no file, only /tmp is writable by others, and no file is setuid or setgid."""
    files = {image.inside(path): path.lstat() for path in image.files() if not path.is_symlink()}
    kept = {path: facts for path, facts in files.items() if not path.startswith(("proc", "dev", "sys"))}

    assert {path for path, facts in kept.items() if facts.st_mode & stat.S_IWOTH} == {"tmp"}
    assert {path for path, facts in kept.items() if 10001 in {facts.st_uid, facts.st_gid}} == set()
    assert {path for path, facts in kept.items() if facts.st_mode & (stat.S_ISUID | stat.S_ISGID)} == set()


def test_the_user_can_write_only_to_tmp(image: Image) -> None:
    """With a read-only root, /tmp is the only writable folder."""
    done = finished(image.start("-c", WRITING, program=["/app/bin/python3"]))

    assert [line for line in done.out.splitlines() if line.endswith("written")] == ["/tmp written"], done.err  # noqa: S108 - what is tried


def test_every_module_is_compiled(image: Image) -> None:
    """Every module the job imports was compiled when the image was built."""
    done = finished(image.start("-c", UNCOMPILED, program=["/app/bin/python3"]))

    number, *missing = done.out.split()
    assert int(number) > 500, done.err
    assert missing == []


def test_the_entrypoint_is_the_command_line(image: Image) -> None:
    """The entrypoint accepts --version."""
    done = finished(image.start("--version"))

    assert done.out == f"image-sync, version {__version__}\n", done.err


def test_the_image_syncs(image: Image, mounts: Path, cloud: Simulator) -> None:
    """A first run makes the schema and stores every image; a second run finds no change."""
    first, second = (finished(start(image, mounts, "run", "--format", "json")) for _ in range(2))

    assert (first.code, first.row["created"]) == (0, len(cloud.world.truth())), first.err
    assert (second.code, second.row["created"], second.row["unchanged"]) == (0, 0, first.row["created"]), second.err
    assert ask(database_url(mounts), "SELECT count(*) FROM inventory.live_images") == first.row["created"]


def test_a_small_run_needs_no_tmp(image: Image, mounts: Path) -> None:
    """A small run works even without a writable folder."""
    done = finished(start(image, mounts, "run", tmp=False))

    assert done.code == 0, done.err


def test_the_exit_code_is_passed_on(image: Image, mounts: Path) -> None:
    """The container exits with the code of the run: 1 for a refused token, 2 for invalid settings."""
    (mounts / "secrets" / "token").write_text("wrong")
    refused = finished(start(image, mounts, "run"))
    with (mounts / "config" / "image-sync.toml").open("a") as settings:
        settings.write("retreis = 1\n")
    invalid = finished(start(image, mounts, "run"))

    assert refused.code == 1, refused.err
    assert invalid.code == 2, invalid.err
    assert "max_retries" in invalid.err


def test_a_schedule_ends_on_sigterm(image: Image, mounts: Path) -> None:
    """As process 1 the scheduler runs, is healthy, and ends on SIGTERM with 0."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    container = start(image, mounts, "schedule", "--every", "1s", "--listen", f"127.0.0.1:{port}")
    until(lambda: _ended_runs(mounts) > 1 or container.poll() is not None)
    first = first_process(container)
    assert first is not None
    health = beside(container, image.config["User"], image.config["Healthcheck"]["Test"][1:])
    subprocess.run(["kill", f"-{signal.SIGTERM.value}", str(first)], check=True)

    done = finished(container)
    assert health.returncode == 0, health.stderr
    assert done.code == 0, done.err
    assert ask(database_url(mounts), "SELECT count(*) FROM inventory.runs WHERE status = 'running'") == 0


def _ended_runs(mounts: Path) -> int:
    if not ask(database_url(mounts), "SELECT to_regclass('inventory.runs') IS NOT NULL"):
        return 0
    count: int = ask(database_url(mounts), "SELECT count(*) FROM inventory.runs WHERE status = 'done'")
    return count
