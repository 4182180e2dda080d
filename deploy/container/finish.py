"""Finish the image, as the last build step: compile, remove installers, and leave nothing to write to or become.

It needs no shell, so that the base image needs none. It removes itself.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

APP = Path("/app")
# Parts of the interpreter: installers, and what only developers use.
INSTALLERS = ("ensurepip", "pip", "pip-*", "setuptools*", "wheel*", "_distutils_hack", "pkg_resources")
UNUSED = ("idlelib", "lib2to3", "test", "tkinter", "turtledemo")
# Modules that the job never imports: the sources stay, and would be compiled on import.
UNCOMPILED = re.compile(r"/sqlalchemy/(testing|dialects/(mssql|mysql|oracle|sqlite))/")
# Not part of the image: the builder mounts them.
MOUNTED = {"/dev", "/proc", "/sys"}


def main() -> None:
    """Take all the steps, as root, inside the image."""
    remove_installers()
    compile_all()
    for path in everything(Path("/")):
        close(path)
    Path(__file__).unlink()


def remove_installers() -> None:
    """Remove pip and other installers from the interpreter of the base image, and what only developers use."""
    interpreter = {Path(sysconfig.get_path(name, vars={"base": sys.base_prefix})) for name in ("stdlib", "purelib")}
    for folder in interpreter | {Path(path) for path in base_packages()}:
        for pattern in (*INSTALLERS, *UNUSED):
            for path in folder.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for program in (Path(sys.base_prefix) / "bin").glob("pip*"):
        program.unlink()


def base_packages() -> Iterator[str]:
    """The folders in which the base's interpreter looks for packages."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for name in ("site-packages", "dist-packages"):
        yield f"{sys.base_prefix}/lib/{version}/{name}"
        yield f"{sys.base_prefix}/lib/python3/{name}"
        yield f"/usr/local/lib/{version}/{name}"


def compile_all() -> None:
    """Compile the job and the standard library, independent of the times of files, which builders change."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for folder in (APP / "lib", Path(sysconfig.get_path("stdlib"))):
        if not compileall.compile_dir(folder, quiet=1, force=True, rx=UNCOMPILED, invalidation_mode=mode):
            sys.exit(f"not everything in {folder} can be compiled")


def everything(root: Path) -> Iterator[Path]:
    """All files and folders of the image."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in MOUNTED]  # noqa: PTH118 - of text
        yield Path(folder)
        yield from (Path(folder, name) for name in files)


def close(path: Path) -> None:
    """Let only root write to a path, and nobody become another user by running it; /tmp stays as it is."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode) or str(path) == "/tmp":  # noqa: S108 - the one place to write to
        return
    mode = stat.S_IMODE(status.st_mode)
    closed = mode & ~(stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH)
    if closed != mode:
        path.chmod(closed)


if __name__ == "__main__":
    main()
