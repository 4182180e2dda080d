"""The command line: one module per command, each imported only when it is called."""

from __future__ import annotations

import importlib
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sync import __version__

if TYPE_CHECKING:
    from sync.errors import ImageSyncError

COMMANDS = {
    "run": ("sync.cli.run", "run"),
    "plan": ("sync.cli.run", "plan"),
    "approve": ("sync.cli.approve", "approve"),
    "schedule": ("sync.cli.schedule", "schedule"),
    "status": ("sync.cli.reading", "status"),
    "history": ("sync.cli.reading", "history"),
    "as-of": ("sync.cli.reading", "as_of"),
    "diff": ("sync.cli.reading", "diff"),
    "report": ("sync.cli.report", "report"),
    "check": ("sync.cli.check", "check"),
    "doctor": ("sync.cli.doctor", "doctor"),
    "verify": ("sync.cli.verify", "verify"),
    "prune": ("sync.cli.prune", "prune"),
    "notify": ("sync.cli.notify", "notify"),
    "sources": ("sync.cli.sources", "sources"),
    "db": ("sync.cli.db", "db"),
    "demo": ("sync.cli.demo", "demo"),
    "simulate": ("sync.cli.simulate", "simulate"),
}
RENAMED = {"notice": "notify"}  # since the last drafts of the first version
FAILED = 1
_DEBUG = f"{__name__}.debug"


class _Commands(click.Group):
    """Finds commands by name, and turns our errors into a sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the same everywhere
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in RENAMED:
            ctx.fail(f"`{cmd_name}` is now `{RENAMED[cmd_name]}`")
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        from sync.errors import ImageSyncError

        try:
            return super().invoke(ctx)
        except ImageSyncError as error:
            if ctx.meta.get(_DEBUG):
                say(traceback.format_exc())
            _tell(error)
            ctx.exit(error.exit_code)


@click.command(cls=_Commands)
@click.version_option(__version__, prog_name="image-sync")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file; else image-sync.toml, if there is one.")
@click.option("--debug", is_flag=True, help="Show where an error was raised.")
@click.pass_context
def command(ctx: click.Context, *, config: Path | None, debug: bool) -> None:
    """Keep an inventory of cloud images in PostgreSQL, with its history.

    Settings come from IMAGE_SYNC_* in the environment and from image-sync.toml; see docs/settings.md.
    """
    ctx.obj, ctx.meta[_DEBUG] = config, debug


def say(text: str) -> None:
    """Tell a person something, on standard error, with nothing in it that could steer a terminal."""
    from sync.logs import escape, mask

    click.echo("\n".join(escape(line) for line in mask(text).splitlines()), err=True)


def user() -> str:
    """The name of the user at the keyboard, or the number where it has none, as in containers; for the record."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _tell(error: ImageSyncError) -> None:
    """Say what ended the command: as a line of the logs where a program reads those, else as a sentence."""
    from sync import logs

    notes = list(getattr(error, "__notes__", ()))
    if logs.for_programs():
        facts = error.facts() | ({"notes": notes} if notes else {})
        logs.get(__name__).error("command failed", reason=str(error), exit_code=error.exit_code, **facts)
        return
    for text in (error, *notes):
        say(f"image-sync: {text}")
