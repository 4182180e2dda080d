"""The command line inside this process, which saves the start of another one."""

from __future__ import annotations

from cli_tools import Done
from click.testing import CliRunner

from sync.cli import command


def call(*arguments: str, **settings: str) -> Done:
    """Run a command in this process; an exception that it does not turn into a sentence is raised."""
    result = CliRunner().invoke(command, arguments, env=settings)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)
