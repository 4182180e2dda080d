"""One source in the inventory: its filter, its last run, the age of its proof, and the deletions that are held."""

from __future__ import annotations

from sync.doctor.report import Lines, Report, ok, warning
from sync.domain.clock import set_back, span
from sync.domain.run import Source
from sync.store.queries.doctor import State
from sync.store.runs import refusals

_LATE = 3  # times the usual time between two runs
_AT_LEAST = 3600.0  # seconds; runs by hand may come close together
_WITHOUT_HABIT = 26 * 3600.0  # seconds; a day, and some time for the run


def inventory_checks(report: Report, source: Source, state: State | None, unseen: str) -> None:
    """Check a source by what the database knows of it.

    Args:
        report: takes the lines.
        source: as the settings have it.
        state: as the database has it; None if it never ran.
        unseen: why the database can't say, or "".
    """
    if state is None or unseen:
        report.skip(unseen or "the source had no run yet", "filter", "last run", "proof", "held deletions")
        return
    report.check("filter", _filter(source, state))
    report.check("last run", _last_run(state))
    report.check("proof", _proof(state))
    report.check("held deletions", _held(state))


def _filter(source: Source, state: State) -> Lines[None]:
    if state.committed and (error := refusals.changed(source, state.api, state.filter)):
        raise error
    yield ok(f"{source.filter or 'none'}, " + ("the same as in the inventory" if state.committed else "the first"))


def _last_run(state: State) -> Lines[None]:
    text = f"run {state.run}: {state.status}"
    if state.status in ("failed", "abandoned"):
        yield warning(f"{text}: {state.reason}", "fix what the reason names, unless the next run succeeds by itself")
    else:
        yield ok(text)
    if future := set_back(state.in_future):
        yield warning(future, "see that it is right now (NTP)")


def _proof(state: State) -> Lines[None]:
    if state.proven_ago is None:
        yield warning("the list was never proven complete", "see the reasons of its runs: `image-sync status`")
        return
    text = f"the list was last proven complete {span(max(state.proven_ago, 0.0))} ago"
    limit = _WITHOUT_HABIT
    if state.usual is not None:
        text += f", and runs are usually {span(state.usual)} apart"
        limit = max(_LATE * state.usual, _AT_LEAST)
    if state.proven_ago > limit:
        yield warning(text, "check that the schedule runs, and why runs fail: `image-sync status`")
    else:
        yield ok(text)


def _held(state: State) -> Lines[None]:
    if not state.held:
        yield ok("none wait")
        return
    ways = ", ".join(f"`image-sync approve {run}`" for run in state.held_by)
    yield warning(
        f"{state.held} wait for approval", f"look at them: `image-sync status --held`; then {ways} releases them"
    )
