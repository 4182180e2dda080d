"""What a run trips over although its privileges suffice: event triggers of others, and a sequence left behind."""

from __future__ import annotations

from sync.doctor.report import Lines, ok, unknown, wrong
from sync.store.errors import sequence_behind
from sync.store.queries import obstacles
from sync.store.queries.doctor import About, Inspection


def event_trigger_checks(inspection: Inspection, about: About) -> Lines[None]:
    """Whether the event triggers of others let a run make its temporary tables; only where there are any, it tries."""
    names = obstacles.event_triggers(inspection)
    if not names:
        yield ok("none run when a temporary table is made")
    elif about.standby or about.read_only or not about.may_stage:
        yield unknown(f"no temporary table can be made here, by which to try {', '.join(names)}")
    else:
        obstacles.try_temporary_table(inspection)
        yield ok(f"{', '.join(names)}: a temporary table could be made, and was taken back")


def number_checks(inspection: Inspection) -> Lines[None]:
    """Whether the next run gets a number of its own."""
    numbers = obstacles.numbers(inspection)
    if not numbers.readable:
        yield ok("this role may not read the sequence; each run compares the number that it gets")
    elif numbers.drawn < numbers.newest:
        text = f"the last number drawn is {numbers.drawn or 'none'}, and there is a run {numbers.newest}"
        yield wrong(text, sequence_behind("runs", "run"))
    else:
        yield ok(f"the newest run is {numbers.newest or 'none'}, and the next one gets a number above it")
