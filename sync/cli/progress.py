"""Progress for a person who waits, and nothing for a program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tick = Callable[[int, int | None], None]


@contextmanager
def progress() -> Iterator[Callable[[str], Tick | None]]:
    """Show how many images were read, a line a source, on standard error, if that is a terminal.

    What is yielded gives the source of a name a line of its own, and returns what to tell its progress to.
    """
    if not sys.stderr.isatty():
        yield lambda _label: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def line(label: str) -> Tick:
            task = bar.add_task(f"reading {label}", total=None)
            return lambda done, total: bar.update(task, completed=done, total=max(done, total) if total else None)

        yield line
