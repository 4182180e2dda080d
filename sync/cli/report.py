"""``image-sync report``: what changed in a time, what needs attention, and how complete the evidence is."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypedDict, Unpack

import click

from sync import wiring
from sync.cli import moments, say
from sync.errors import ImageSyncError, UsageError
from sync.reports.as_csv import as_csv
from sync.reports.as_json import as_json
from sync.reports.gather import gather
from sync.reports.markdown import markdown
from sync.reports.model import Report
from sync.store.reading import inventory

WRITERS: dict[str, Callable[[Report], str]] = {"md": markdown, "json": as_json, "csv": as_csv}


class Asked(TypedDict):
    """What was asked for."""

    begin: str
    end: str
    source: str | None
    style: str
    output: Path | None
    if_changed: bool


@click.command()
@click.option("--from", "begin", default="-7d", show_default=True, help="Moment after which changes count.")
@click.option("--to", "end", default="now", show_default=True, help="Moment up to which they do.")
@click.option("--source", help="Only this source.")
@click.option("--format", "style", type=click.Choice(list(WRITERS)), default="md", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="File to write, instead of standard output.")
@click.option("--if-changed", is_flag=True, help="Write nothing if nothing changed and nothing needs attention.")
@click.pass_obj
def report(config: Path | None, **asked: Unpack[Asked]) -> None:
    """Tell what changed between two moments, what needs attention, and how far that can be trusted.

    Moments are written as for `as-of`. Markdown is short enough for a chat message, JSON has everything, CSV has the
    changes. A report made twice for the same moments is the same, byte for byte.
    """
    source, output = asked["source"], asked["output"]
    if output is not None:
        _check_writable(output)
    loaded = wiring.load(os.environ, config, with_sources=False)
    with wiring.database(loaded, os.environ) as target, inventory(target) as found:
        found.check_source(source)
        begin = moments.moment(asked["begin"], found, source, begins=True, early=True)
        end = moments.moment(asked["end"], found, source, early=True)
        if begin > end:
            raise UsageError(f"{asked['begin']} is later than {asked['end']}; give the earlier moment as --from")
        made = gather(found, begin, end, source)
    if asked["if_changed"] and not made.changes and not list(made.attention()):
        say("nothing changed; nothing was written")
        return
    _write(WRITERS[asked["style"]](made), output)


def _check_writable(path: Path) -> None:
    """Make sure of it before any work.

    Raises:
        ImageSyncError: it can't be written.
    """
    folder = path.parent
    if path.is_dir() or not os.access(folder, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ImageSyncError(f"{path} can't be written; give --output a file in a folder that you may write to")


def _write(text: str, path: Path | None) -> None:
    """Write it as a whole, or not at all.

    Raises:
        ImageSyncError: it can't be written.
    """
    if path is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        raise ImageSyncError(f"{path} can't be written: {error.strerror}") from error
