"""The settings: where they came from, what is doubtful about them, and who else may read the secrets."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from sync.doctor.report import Lines, Report, ok, warning, wrong
from sync.errors import SettingsError
from sync.settings import Settings, files_of_secrets
from sync.wiring import check_environment

_LITTLE = 1 << 30  # bytes; the changes of a first load of a million images take about 600 MB


def settings_checks(
    report: Report,
    settings: Settings | None,
    mistakes: SettingsError | None,
    environ: Mapping[str, str],
    file: Path | None,
) -> None:
    """Check the settings.

    Args:
        report: takes the lines.
        settings: those that could be read, or None.
        mistakes: the errors in them, or None.
        environ: the environment.
        file: the settings file, if the user named one.
    """
    report.check("settings", _values(settings, mistakes))
    if settings is not None:
        report.check("warnings", _warnings(settings.warnings))
        report.check("network", _network(settings))
    else:
        report.skip("the settings can't be read", "warnings", "network")
    report.check("secrets", _secrets(environ, file))
    report.check("temporary folder", _temporary_folder(environ))


def _values(settings: Settings | None, mistakes: SettingsError | None) -> Lines[None]:
    for mistake in mistakes.mistakes if mistakes else ():
        yield wrong(mistake)
    if settings is not None and not mistakes:
        origin = (
            f"the environment and {settings.file}" if settings.file else "the environment; there is no settings file"
        )
        yield ok(f"read from {origin}; {_count(len(settings.sources), 'source')}")


def _warnings(sentences: Sequence[str]) -> Lines[None]:
    yield from map(warning, sentences)
    if not sentences:
        yield ok("none")


def _network(settings: Settings) -> Lines[None]:
    """Whether requests are possible with the proxies and certificates that the environment names."""
    check_environment(settings)
    yield ok("proxies and certificates of the environment can be used")


def _secrets(environ: Mapping[str, str], file: Path | None) -> Lines[None]:
    files = files_of_secrets(environ, file=file)
    modes = [(where, path, stat.S_IMODE(path.stat().st_mode)) for where, path in files]
    exposed = [each for each in modes if each[2] & (stat.S_IROTH | stat.S_IWOTH)]
    for where, path, mode in exposed:
        yield warning(
            f"{where}: everyone on this machine has access to {path} (mode {mode:04o})",
            f"chmod 0600 {path}; for a Kubernetes secret, defaultMode: 0400 (0440 with an fsGroup)",
        )
    if not exposed:
        yield ok(
            f"{_count(len(files), 'file')} with secrets, closed to others"
            if files
            else "none is kept in a file of its own"
        )


def _temporary_folder(environ: Mapping[str, str]) -> Lines[None]:
    """The folder where a run keeps its changes between reading and writing; nothing is written into it."""
    named = [environ[name] for name in ("TMPDIR", "TEMP", "TMP") if environ.get(name)]
    folders = (*named, "/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - as Python itself chooses
    folder = next((path for path in folders if os.access(path, os.W_OK | os.X_OK)), None)
    if folder is None:
        yield wrong("no folder for temporary files can be written", "mount one at /tmp, or set TMPDIR")
        return
    free = shutil.disk_usage(folder).free
    if named and folder != named[0]:
        yield warning(f"{named[0]} can't be written, so {folder} is used", "fix TMPDIR")
    elif free < _LITTLE:
        yield warning(
            f"{free / 1e6:.0f} MB are free in {folder}", "free some space, or set TMPDIR; a large first load needs it"
        )
    else:
        yield ok(f"{free / 1e9:.0f} GB are free in {folder}")


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'s' if number != 1 else ''}"
