"""The command line: one module per command, each imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sync import __version__

if TYPE_CHECKING:
    from sync.errors import ImageSyncError

COMMANDS = {
    "run": ("sync.cli.run", "run"),
    "plan": ("sync.cli.plan", "plan"),
    "approve": ("sync.cli.approve", "approve"),
    "schedule": ("sync.cli.schedule", "schedule"),
    "status": ("sync.cli.status", "status"),
    "history": ("sync.cli.history", "history"),
    "as-of": ("sync.cli.as_of", "as_of"),
    "diff": ("sync.cli.diff", "diff"),
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
RENAMED = {"notice": "notify"}  # what drafts of the first version called a command
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
        subcommand: click.Command = getattr(importlib.import_module(module), name)
        return subcommand

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command; it succeeds only if its output could be written, but a broken pipe is nothing to report."""
        from sync.cli.streams import discard_output
        from sync.errors import OutputClosedError, OutputError

        try:
            try:
                return super().main(*arguments, **options)
            finally:
                sys.stdout.flush()
        except OutputError as error:
            discard_output()
            if not isinstance(error, OutputClosedError):
                _report(error)
            sys.exit(error.exit_code)

    def invoke(self, ctx: click.Context) -> Any:
        from sync.errors import ImageSyncError, OutputError, UnexpectedError

        try:
            return super().invoke(ctx)
        except (OutputError, click.ClickException, click.Abort, click.exceptions.Exit):
            raise  # reported by ``main``, as the first may come from the help too
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported as a sentence
            if ctx.meta.get(_DEBUG):
                say(traceback.format_exc())
            from sync import logs

            ours = error if isinstance(error, ImageSyncError) else UnexpectedError(logs.unexpected(error))
            _report(ours)
            ctx.exit(ours.exit_code)


@click.command(cls=_Commands, context_settings={"show_default": True})
@click.version_option(__version__, prog_name="image-sync")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Settings file.  [default: image-sync.toml, if there is one]"
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def command(ctx: click.Context, *, config: Path | None, debug: bool) -> None:
    """Keep an inventory of cloud images in PostgreSQL, with its history.

    Settings are read from environment variables named IMAGE_SYNC_* and from image-sync.toml; docs/settings.md
    explains them.
    """
    ctx.obj, ctx.meta[_DEBUG] = config, debug


def say(text: str) -> None:
    """Write a human-readable text to standard error, without secrets or anything that a terminal would obey."""
    from sync.logs import escape, mask

    click.echo("\n".join(escape(line) for line in mask(text).splitlines()), err=True)


def user() -> str:
    """The name of the user who called, for the record; the number where there is no name, as in containers."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _report(error: ImageSyncError) -> None:
    """Report the error that ended the command: as a log line where programs read the logs, else as a sentence."""
    from sync import logs

    notes = list(getattr(error, "__notes__", ()))
    if logs.for_programs():
        facts = error.facts() | ({"notes": notes} if notes else {})
        logs.get(__name__).error("command failed", reason=str(error), exit_code=error.exit_code, **facts)
        return
    for text in (error, *notes):
        say(f"image-sync: {text}")
