"""The checks of one run from outside: its tables before and after, and what its cloud showed meanwhile.

They are named after the invariants in ``invariants.py``, and check what the tables at one moment cannot show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from machine_clouds import SECRETS
from machine_exact import confirmed, exact, returned, unread, updated
from machine_guard import guarded
from machine_observed import ObservedRun
from machine_shown import Shown
from machine_tables import Row, is_live, plain

from sync.errors import FilterChangedError, ImageSyncError, InterruptedRunError, ScopeChangedError, SupersededError

_REFUSALS = (FilterChangedError, ScopeChangedError)
Check = Callable[[ObservedRun], Iterator[str]]


def check_run(observed: ObservedRun) -> list[str]:
    """Every rule that the run broke, in words."""
    checks = _COMMITTED if observed.committed else _NOT_COMMITTED
    if observed.committed and observed.certain and observed.watch.still and observed.record["proven"]:
        checks += _OF_A_CLOUD_THAT_STOOD_STILL
    return [f"{name}: run {observed.number}: {flaw}" for name, check in (*_ALWAYS, *checks) for flaw in check(observed)]


def _only_what_was_shown(observed: ObservedRun) -> Iterator[str]:
    """Everything stored was shown during the run, or was stored before."""
    if observed.lie in ("empty", "stale"):
        return
    before = observed.before.live(observed.source)
    seen: dict[str | None, set[str]] = {}
    for state in observed.watch.states:
        for name, shown in state.items():
            seen.setdefault(name, set()).update(one.text for one in shown)
    for name, text in observed.after.live(observed.source).items():
        if text not in seen.get(name, set()) and text != before.get(name):
            yield f"{name} has a content that was never shown: {text}"


def _nothing_written(observed: ObservedRun) -> Iterator[str]:
    """A run that did not commit wrote only its record; a source new to it has no committed run."""
    for table, rows in observed.before.rows.items():
        now = observed.after.rows[table]
        if table == "sources":
            fresh = [row for key, row in now.items() if key not in rows]
            if any(row["epoch"] or row["effective_at"] for row in fresh) or any(now[key] != rows[key] for key in rows):
                yield "it did not commit, and its source changed"
        elif table != "runs" and now != rows:
            yield f"it did not commit, and {table} changed"


def _untouched(observed: ObservedRun) -> Iterator[str]:
    """No row was rewritten unchanged."""
    for table in ("images", "image_versions", "held_deletions", "missing_images", "quarantine", "findings"):
        for key, row in observed.before.rows[table].items():
            now = observed.after.rows[table].get(key, {})
            if row["xmin"] != now.get("xmin") and plain([row]) == plain([now]):
                yield f"{table} {key} was rewritten as it was"


def _by_the_clock_of_the_database(observed: ObservedRun) -> Iterator[str]:
    """The effective moment comes from the database, within the writing transaction."""
    moment = observed.record["effective_at"]
    last = observed.before.rows["sources"].get((observed.source,), {}).get("effective_at")
    next_one = last + timedelta(microseconds=1) if last else None
    if moment != next_one and not observed.clock <= moment <= observed.after.now:
        yield f"it took effect at {moment}, which was not between {observed.clock} and {observed.after.now}"


def _what_stayed_is_there(observed: ObservedRun) -> Iterator[str]:
    """Images that were there the whole time, hidden or not, were not removed, and are stored if the list was proven."""
    if observed.lie == "empty":
        return
    there = observed.watch.throughout(listed=not observed.asked_by_name)
    if wrong := observed.gone & there - observed.dead:
        yield f"{wrong} were removed, and were there the whole time"
    if (
        observed.record["proven"]
        and not observed.lie
        and (wrong := _steady(observed) - observed.after.live(observed.source).keys())
    ):
        yield f"{wrong} were there the whole time, and are not stored"


def _what_stayed_was_listed(observed: ObservedRun) -> Iterator[str]:
    """A proven list shows everything that was listed the whole time."""
    if not observed.record["proven"] or observed.lie or observed.record["retries"] or not observed.asked_by_name:
        return
    if missed := _steady(observed) - observed.watch.listed():
        yield f"its list is proven, and shows nothing of {missed}"


def _kept_as_it_was(observed: ObservedRun) -> Iterator[str]:
    """If content changed or an image was deleted, its last version was closed unchanged."""
    for key, row in observed.before.images.items():
        if is_live(row) and _lasting(observed.after.images.get(key, {})) != _lasting(row):
            version = observed.after.versions.get((*key, row["valid_from"]))
            if version is None or version["valid_to"] != observed.record["effective_at"]:
                yield f"{key} changed, and its version was not closed"
            elif observed.after.content("image_versions", (*key, row["valid_from"])) != observed.before.content(
                "images", key
            ):
                yield f"{key} changed, and its last version was not kept as it was"


def _lasting(row: Row) -> Row:
    """The row of an image without what may change while its content stays."""
    return {name: value for name, value in row.items() if name not in ("xmin", "listed_since")}


def _accounted(observed: ObservedRun) -> Iterator[str]:
    """I8: a live image that a proven list lacked is recorded as still there, unconfirmed, pending or held."""
    if not observed.record["proven"]:
        return
    missing, held = observed.after.missing(observed.source), observed.after.open_cases(observed.source).keys()
    stayed = observed.before.live(observed.source).keys() & observed.after.live(observed.source).keys()
    if lost := stayed - observed.watch.ever_listed() - missing.keys() - held:
        yield f"{lost} were not listed and stayed, and nothing says why"
    if observed.record["unconfirmed"] and observed.record["status"] != "withheld":
        yield f"{observed.record['unconfirmed']} were not confirmed, and the run ends as {observed.record['status']}"


def _graceful(observed: ObservedRun) -> Iterator[str]:
    """I8: nothing is deleted before its grace is over, by the database's clock."""
    grace = timedelta(seconds=observed.watch.account.settings().grace)
    for name in observed.gone - observed.dead:
        since = observed.before.images[observed.source, name]["listed_since"]
        is_set_back = observed.clock < since - grace  # so far that the grace does not apply
        if since + grace > observed.record["effective_at"] and not is_set_back:
            yield f"{name} was deleted, and its grace lasts until {since + grace}"


def _others(observed: ObservedRun) -> Iterator[str]:
    """No row of another source was touched."""
    for source in {key[0] for key in observed.after.rows["sources"]} - {observed.source}:
        if observed.before.of_source(source) != observed.after.of_source(source):
            yield f"rows of source {source} changed"


def _updated(observed: ObservedRun) -> Iterator[str]:
    """The record counts the updated images, which the tables alone cannot show exactly."""
    contents = [key for key in observed.before.images if key[0] == observed.source and _rewritten(observed, key)]
    if observed.record["updated"] != len(contents):
        yield f"{observed.record['updated']} updated are on record, and {len(contents)} were"


def _record(observed: ObservedRun) -> Iterator[str]:
    """The run's result agrees with its record."""
    if observed.outcome is not None:
        result = observed.outcome.as_json() | {"effective_at": observed.outcome.effective_at}
        for name, value in result.items():
            if name in observed.record and observed.record[name] != value:
                yield f"it said {name} {value}, and {observed.record[name]} is on record"
        if observed.outcome.exit_code != {"done": 0, "withheld": 4}.get(observed.record.get("status", "")):
            yield f"it ends with {observed.outcome.exit_code}, and {observed.record.get('status')} is on record"
    elif isinstance(observed.error, ImageSyncError) and observed.error.run is not None:
        recorded = (observed.record.get("status"), observed.record.get("error"))
        if recorded != (_status(observed.error), type(observed.error).__name__):
            yield f"it raised {observed.error!r}, and {recorded} is on record"


def _standing(observed: ObservedRun) -> Iterator[str]:
    """A failed run wrote nothing, and no run before a committed one is recorded as running."""
    if observed.error is not None and observed.committed:
        yield f"it raised {observed.error!r}, and yet it wrote"
    if observed.error is not None and observed.certain and not isinstance(observed.error, _REFUSALS):
        yield f"nothing was done to it, and it raised {observed.error!r}"
    earlier = [
        n for n, run in observed.after.runs.items() if run["source"] == observed.source and n < (observed.number or 0)
    ]
    if observed.committed and any(observed.after.runs[number]["status"] == "running" for number in earlier):
        yield "it committed, and an earlier run is still on record as running"


def _secrets(observed: ObservedRun) -> Iterator[str]:
    """No secret is in the result, the error or the record."""
    text = repr((observed.error, getattr(observed.error, "__notes__", ()), observed.outcome, observed.record))
    yield from (f"{secret} was shown" for secret in SECRETS if secret in text)


_ALWAYS: tuple[tuple[str, Check], ...] = (
    ("I11", _others),
    ("I14", _record),
    ("I14", _standing),
    ("I15", _secrets),
)
_NOT_COMMITTED: tuple[tuple[str, Check], ...] = (("I2", _nothing_written),)
_COMMITTED: tuple[tuple[str, Check], ...] = (
    ("I1", _only_what_was_shown),
    ("I6", _untouched),
    ("I7", _by_the_clock_of_the_database),
    ("I8", guarded),
    ("I8", _accounted),
    ("I8", _graceful),
    ("I9", _what_stayed_is_there),
    ("I9", _what_stayed_was_listed),
    ("I10", _kept_as_it_was),
    ("I12", _updated),
)
_OF_A_CLOUD_THAT_STOOD_STILL: tuple[tuple[str, Check], ...] = (
    ("I1", exact),
    ("I8", returned),
    ("I8", confirmed),
    ("I12", unread),
)


def _status(error: BaseException) -> str:
    if isinstance(error, SupersededError):
        return "superseded"
    return "interrupted" if isinstance(error, InterruptedRunError) else "failed"


def _rewritten(observed: ObservedRun, key: tuple[Any, ...]) -> bool:
    """Whether its content changed and it was not restored."""
    before, after = observed.before.images[key], observed.after.images[key]
    back = is_live(after) and not is_live(before)
    return not back and observed.before.content("images", key) != observed.after.content("images", key)


def _steady(observed: ObservedRun) -> set[str]:
    """The ids that were shown the whole time, storable, with one content at a time."""
    shown = observed.watch.throughout(listed=True) - observed.watch.moved_often()
    return {name for name in shown if _clear(observed, [state.get(name, ()) for state in observed.watch.states])}


def _clear(observed: ObservedRun, states: list[Sequence[Shown]]) -> bool:
    if not all(len(shown) == 1 and _storable(observed, shown[0]) for shown in states):
        return False
    ways = {shown[0].text: updated(shown[0]) for shown in states}
    return len(set(ways.values())) == len(ways)  # else the contents may tie, and neither is believed


def _storable(observed: ObservedRun, shown: Shown) -> bool:
    return shown.readable and not shown.dead and observed.includes(shown)
