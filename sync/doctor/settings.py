"""The settings: where they came from, what is doubtful about them, and who else may read the secrets."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sync.doctor.result import Findings, Result, check, ok, skip, warning, wrong
from sync.errors import SettingsError
from sync.settings import Settings, files_of_secrets

_LITTLE = 1 << 30  # bytes; the changes of a first load of a million images take some 600 MB


def settings_checks(
    loaded: Settings | None, mistakes: SettingsError | None, environ: Mapping[str, str], file: Path | None
) -> Iterator[Result]:
    """All that can be told of the settings.

    Args:
        loaded: what could be read of them, or None.
        mistakes: what is wrong with them, or None.
        environ: the environment.
        file: the settings file, if one was named.
    """
    yield from _values(loaded, mistakes)
    if loaded is not None:
        yield from _doubts(loaded.warnings)
    else:
        yield from skip("the settings can't be read", "warnings")
    yield from _secrets(files_of_secrets(environ, file=file))
    yield from _temporary_folder(environ)


@check("settings")
def _values(loaded: Settings | None, mistakes: SettingsError | None) -> Findings[None]:
    for mistake in mistakes.mistakes if mistakes else ():
        yield wrong(mistake)
    if loaded is not None and not mistakes:
        place = f"the environment and {loaded.file}" if loaded.file else "the environment; there is no settings file"
        yield ok(f"read from {place}; {_count(len(loaded.sources), 'source')}")


@check("warnings")
def _doubts(sentences: Sequence[str]) -> Findings[None]:
    for sentence in sentences:
        yield warning(sentence, "")
    if not sentences:
        yield ok("none")


@check("secrets")
def _secrets(files: Sequence[tuple[str, Path]]) -> Findings[None]:
    open_to_all = [(where, path) for where, path in files if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)]
    for where, path in open_to_all:
        mode = stat.S_IMODE(path.stat().st_mode)
        yield warning(
            f"{where}: everyone on this machine may read {path} (mode {mode:04o})",
            f"chmod 0600 {path}; of a Kubernetes secret: defaultMode: 0400 (0440 with an fsGroup)",
        )
    if not open_to_all:
        yield ok(f"{_count(len(files), 'file')} with secrets, closed to others" if files else "none is kept in a file")


@check("temporary folder")
def _temporary_folder(environ: Mapping[str, str]) -> Findings[None]:
    """Where a run keeps its changes between reading and writing; looked at without writing a file into it."""
    named = [environ[name] for name in ("TMPDIR", "TEMP", "TMP") if environ.get(name)]
    usable = [path for path in (*named, "/tmp", "/var/tmp", "/usr/tmp") if os.access(path, os.W_OK | os.X_OK)]  # noqa: S108 - as Python itself chooses
    if not usable:
        yield wrong("no folder for temporary files can be written", "mount one at /tmp, or set TMPDIR")
        return
    free = shutil.disk_usage(usable[0]).free
    if named and usable[0] != named[0]:
        yield warning(f"{named[0]} can't be written, so {usable[0]} is used", "mend TMPDIR")
    elif free < _LITTLE:
        yield warning(
            f"{free / 1e6:.0f} MB are free in {usable[0]}", "make room, or set TMPDIR; a large first load needs it"
        )
    else:
        yield ok(f"{free / 1e9:.0f} GB are free in {usable[0]}")


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'s' if number != 1 else ''}"
