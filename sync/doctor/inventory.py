"""How one source stands in the inventory: its filter, its last run, the age of its proof, what waits for a person."""

from __future__ import annotations

from collections.abc import Iterator

from sync.doctor.result import Findings, Result, check, ok, skip, warning, wrong
from sync.domain.run import Source
from sync.store.queries.doctor import State
from sync.store.runs.records import filter_changed

_CHECKS = ("filter", "last run", "proof", "held deletions")
_LATE = 3  # times the usual distance between two runs
_AT_LEAST = 3600.0  # seconds; runs by hand may come close together
_WITHOUT_HABIT = 26 * 3600.0  # seconds; a day, and a bit for a run that takes its time


def inventory_checks(source: Source, state: State | None, unseen: str) -> Iterator[Result]:
    """All that the database tells of a source.

    Args:
        source: as the settings have it.
        state: as the database has it; None if it never ran.
        unseen: why the database does not tell, or "".
    """
    if unseen:
        yield from skip(unseen, *_CHECKS)
    elif state is None:
        yield from skip("the source had no run yet", *_CHECKS)
    else:
        yield from _filter(source, state)
        yield from _last_run(state)
        yield from _proof(state)
        yield from _held(state)


@check("filter")
def _filter(source: Source, state: State) -> Findings[None]:
    if source.filter != state.filter:
        yield wrong(str(filter_changed(source, state.filter)))
    else:
        yield ok(f"{source.filter or 'none'}, as the inventory was made with")


@check("last run")
def _last_run(state: State) -> Findings[None]:
    found = f"run {state.run}: {state.status}"
    if state.status in ("failed", "abandoned"):
        yield warning(f"{found}: {state.reason}", "mend what it says, if the next run does not go through by itself")
    else:
        yield ok(found)


@check("proof")
def _proof(state: State) -> Findings[None]:
    if state.proven_ago is None:
        yield warning("the list was never proven complete", "see the reasons of its runs: `image-sync status`")
        return
    found = f"the list was last proven complete {_ago(state.proven_ago)}"
    usual = f", and runs are usually {span(state.usual)} apart" if state.usual is not None else ""
    limit = _WITHOUT_HABIT if state.usual is None else max(_LATE * state.usual, _AT_LEAST)
    if state.proven_ago > limit:
        yield warning(found + usual, "see that the schedule runs, and why runs fail: `image-sync status`")
    else:
        yield ok(found + usual)


@check("held deletions")
def _held(state: State) -> Findings[None]:
    if not state.held:
        yield ok("none wait")
        return
    ways = ", ".join(f"`image-sync approve {run}`" for run in state.held_by)
    yield warning(
        f"{state.held} wait for a person", f"look at them: `image-sync status --held`; then {ways} releases them"
    )


def span(seconds: float) -> str:
    """A length of time as people say it, in one unit."""
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _ago(seconds: float) -> str:
    return f"{span(max(seconds, 0.0))} ago"
