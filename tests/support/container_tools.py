"""Builds the container image without an engine, and runs it as another user, with a read-only root, as process 1.

buildah builds with chroot isolation. As no registry of images can be reached, mmdebstrap makes the base images of this
machine's Debian packages: one for the build, and one with an interpreter and no shell. This machine's pip fetches the
wheels beforehand, by their hashes; the build itself fetches nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkout import CHECKOUT

from sync import __version__

REVISION, SOURCE = "0123456789abcdef", "https://example.org/image-sync"
_BASE, _BUILD_BASE, _IMAGE = "localhost/base", "localhost/build-base", "localhost/image-sync"
_RUNTIME = "python3-minimal,libpython3-stdlib,ca-certificates,tzdata"
_BUILDER = f"{_RUNTIME},python3-venv,dash,coreutils"
# The packages are only unpacked: make what configuring them would make, and remove what a slim image lacks.
_SLIM = (
    'cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1"/etc/ssl/certs/ca-certificates.crt',
    'cd "$1" && rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/perl5 var/lib/dpkg',
)
# What common bases have and the image must not: an installer, a setuid program, a folder that all can write to.
_USUAL = (
    'cd "$1" && mkdir -p usr/lib/python3/dist-packages/pip var/tmp && touch usr/lib/python3/dist-packages/pip/__init__.py',
    'cd "$1" && touch usr/bin/pip3 usr/bin/su && chmod 4755 usr/bin/su && chmod 1777 var/tmp',
)
# The mounts of a container runtime, in namespaces that end with the process; the network is this machine's.
_ENTER = """
set -e
root=$1; config=$2; secrets=$3; tmp=$4; shift 4
mkdir -p "$root/proc" "$root/dev" "$root/tmp" "$root/run/secrets"
mount --bind "$root" "$root"
mount -t tmpfs -o mode=755 dev "$root/dev"
for node in null zero random urandom; do touch "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
[ -z "$config" ] || mount --bind "$config" "$root/etc/image-sync"
[ -z "$secrets" ] || mount --bind "$secrets" "$root/run/secrets"
[ -z "$tmp" ] || mount -t tmpfs -o mode=1777,size=64m tmp "$root/tmp"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Image:
    """A built image, unpacked so that it can be inspected.

    Attributes:
        config: its configuration, by the names that Docker gives.
        root: its files.
        base: the files and folders of its base image, by their paths.
    """

    config: dict[str, Any]
    root: Path
    base: frozenset[str]

    def start(
        self,
        *arguments: str,
        program: Sequence[str] = (),
        config: Path | None = None,
        secrets: Path | None = None,
        tmp: bool = True,
    ) -> subprocess.Popen[str]:
        """Start the image with a read-only root, as its user, in its folder and environment.

        Args:
            arguments: for its entrypoint, or for ``program``.
            program: what to run instead of its entrypoint.
            config: folder to mount as /etc/image-sync.
            secrets: folder to mount as /run/secrets.
            tmp: whether there is a writable /tmp.
        """
        user, _, group = self.config["User"].partition(":")
        command = [*(program or self.config["Entrypoint"]), *arguments]
        # Full paths, as PATH is the image's from here on.
        inner = [_found("env"), "-i", *self.config["Env"], _found("setpriv"), "--no-new-privs", "--", _found("unshare")]
        inner += [
            f"--root={self.root}",
            f"--wd={self.config['WorkingDir']}",
            f"--setgid={group}",
            f"--setuid={user}",
            "--",
        ]
        mounts = [str(self.root), str(config or ""), str(secrets or ""), "tmp" if tmp else ""]
        spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation=private", "--"]
        return subprocess.Popen(
            [*spaces, "sh", "-c", _ENTER, "enter", *mounts, *inner, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def files(self) -> list[Path]:
        """All its files and folders."""
        return [Path(folder, name) for folder, folders, files in os.walk(self.root) for name in (*folders, *files)]

    def inside(self, path: Path) -> str:
        """The path within the image."""
        return str(path.relative_to(self.root))

    def size(self, *, own: bool) -> int:
        """The bytes of its files: of all, or only of those that its base lacks."""
        kept = (path for path in self.files() if not (own and self.inside(path) in self.base))
        return sum(path.lstat().st_size for path in kept if path.is_symlink() or not path.is_dir())


def first_process(container: subprocess.Popen[str]) -> int | None:
    """The machine's process id of the container's process 1; None before it exists."""
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
    return int(children[0]) if children else None


def beside(container: subprocess.Popen[str], user: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command within a running container, as its health check does."""
    own, _, group = user.partition(":")
    spaces = ["nsenter", f"--target={first_process(container)}", "--mount", "--pid", "--root", "--wd"]
    return subprocess.run(
        [*spaces, f"--setgid={group}", f"--setuid={own}", "--", *command],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


def build(folder: Path) -> Image:
    """Build the base images and the Dockerfile with them; everything stays below ``folder``."""
    _debian(folder / "base.tar", _RUNTIME, _SLIM + _USUAL)
    _debian(folder / "build-base.tar", _BUILDER, _SLIM)
    _fetch_wheels(folder)
    (folder / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    _commit(folder, _BASE, {"base.tar": "/"})
    _commit(folder, _BUILD_BASE, {"build-base.tar": "/", "wheels": "/wheels", "pip.conf": "/etc/pip.conf"})
    values = {"VERSION": __version__, "REVISION": REVISION, "SOURCE": SOURCE, "BASE": _BASE, "BUILD_BASE": _BUILD_BASE}
    arguments = [f"--build-arg={name}={value}" for name, value in values.items()]
    isolated = ("--isolation=chroot", "--format=docker", "--pull-never")
    _buildah(folder, "build", *isolated, f"--tag={_IMAGE}", *arguments, str(CHECKOUT))
    base = Image({}, _unpacked(folder, _BASE), frozenset())
    inspected = json.loads(_buildah(folder, "inspect", "--type=image", _IMAGE))
    base_files = frozenset(base.inside(path) for path in base.files())
    return Image(inspected["Docker"]["config"], _unpacked(folder, _IMAGE), base_files)


def _debian(archive: Path, packages: str, hooks: Sequence[str]) -> None:
    """Make a root file system of this machine's Debian from packages that are unpacked but not configured."""
    _carry_out(
        *("mmdebstrap", "--quiet", "--variant=extract", f"--include={packages}"),
        *(f"--extract-hook={hook}" for hook in hooks),
        *(_codename(), str(archive), *_mirrors()),
    )


def _codename() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return dict(line.partition("=")[::2] for line in lines)["VERSION_CODENAME"].strip('"')


def _mirrors() -> list[str]:
    """This machine's sources of Debian packages, if one of the usual files names them."""
    usual = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
    return [str(path) for path in usual if path.exists()][:1]


def _fetch_wheels(folder: Path) -> None:
    """Fetch the wheels that the Dockerfile installs, for the Python of this machine's Debian."""
    version = _carry_out("/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    machine = sysconfig.get_platform().partition("-")[2]
    _carry_out(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--require-hashes", "--only-binary=:all:", f"--python-version={version}", f"--dest={folder / 'wheels'}"),
        *(f"--platform={name}_{machine}" for name in ("manylinux_2_28", "manylinux2014")),
        *(f"--requirement=requirements/{name}.txt" for name in ("core", "build")),
    )


def _commit(folder: Path, name: str, content: dict[str, str]) -> None:
    container = _buildah(folder, "from", "scratch").strip()
    for source, place in content.items():
        _buildah(folder, "add", container, str(folder / source), place)
    _buildah(folder, "commit", "--format=docker", "--rm", container, name)


def _unpacked(folder: Path, name: str) -> Path:
    container = _buildah(folder, "from", "--pull-never", name).strip()
    return Path(_buildah(folder, "mount", container).strip())


def _buildah(folder: Path, *arguments: str) -> str:
    own = ("--storage-driver=vfs", f"--root={folder / 'storage'}", f"--runroot={folder / 'state'}")
    return _carry_out("buildah", *own, *arguments)


def _found(program: str) -> str:
    path = shutil.which(program)
    assert path is not None, f"there is no {program} on this machine"
    return path


def _carry_out(*command: str) -> str:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600, cwd=CHECKOUT
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
