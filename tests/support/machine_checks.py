"""The checks of one run from outside: its tables before and after, and what its cloud showed meanwhile.

They are named after the invariants in ``invariants.py``, and check what the tables at one moment cannot show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from machine_clouds import SECRETS, Shown
from machine_exact import confirmed, exact, returned, unread, updated
from machine_guard import guarded
from machine_tables import Row, plain
from machine_told import Told

from sync.errors import FilterChangedError, ImageSyncError, InterruptedRunError, SupersededError

Check = Callable[[Told], Iterator[str]]


def check_run(told: Told) -> list[str]:
    """Every rule that the run broke, in words."""
    checks = _COMMITTED if told.committed else _NOT_COMMITTED
    if told.committed and told.certain and told.watch.still and told.record["proven"]:
        checks += _OF_A_CLOUD_THAT_STOOD_STILL
    return [f"{name}: run {told.number}: {flaw}" for name, check in (*_ALWAYS, *checks) for flaw in check(told)]


def _only_what_was_shown(told: Told) -> Iterator[str]:
    """Everything stored was shown during the run, or was stored before."""
    if told.lie in ("empty", "stale"):
        return
    before = told.before.live(told.source)
    seen: dict[str | None, set[str]] = {}
    for state in told.watch.states:
        for name, shown in state.items():
            seen.setdefault(name, set()).update(one.text for one in shown)
    for name, text in told.after.live(told.source).items():
        if text not in seen.get(name, set()) and text != before.get(name):
            yield f"{name} has a content that was never shown: {text}"


def _nothing_written(told: Told) -> Iterator[str]:
    """A run that did not commit wrote only its record; a source new to it has no committed run."""
    for table, rows in told.before.rows.items():
        now = told.after.rows[table]
        if table == "sources":
            fresh = [row for key, row in now.items() if key not in rows]
            if any(row["epoch"] or row["effective_at"] for row in fresh) or any(now[key] != rows[key] for key in rows):
                yield "it did not commit, and its source changed"
        elif table != "runs" and now != rows:
            yield f"it did not commit, and {table} changed"


def _untouched(told: Told) -> Iterator[str]:
    """No row was rewritten unchanged."""
    for table in ("images", "image_versions", "held_deletions", "missing_images", "quarantine", "findings"):
        for key, row in told.before.rows[table].items():
            now = told.after.rows[table].get(key, {})
            if row["xmin"] != now.get("xmin") and plain([row]) == plain([now]):
                yield f"{table} {key} was rewritten as it was"


def _by_the_clock_of_the_database(told: Told) -> Iterator[str]:
    """The effective moment comes from the database, within the writing transaction."""
    moment = told.record["effective_at"]
    last = told.before.rows["sources"].get((told.source,), {}).get("effective_at")
    next_one = last + timedelta(microseconds=1) if last else None
    if moment != next_one and not told.clock <= moment <= told.after.now:
        yield f"it took effect at {moment}, which was not between {told.clock} and {told.after.now}"


def _what_stayed_is_there(told: Told) -> Iterator[str]:
    """Images listed the whole time were not deleted, and are stored if the list was proven."""
    if told.lie == "empty":
        return
    if wrong := told.gone & told.watch.throughout() - told.dead:
        yield f"{wrong} were deleted, and were there the whole time"
    if told.record["proven"] and not told.lie and (wrong := _steady(told) - told.after.live(told.source).keys()):
        yield f"{wrong} were there the whole time, and are not stored"


def _what_stayed_was_listed(told: Told) -> Iterator[str]:
    """A proven list shows everything that was listed the whole time."""
    if not told.record["proven"] or told.lie or told.record["retries"] or not told.asked_by_name:
        return
    if missed := _steady(told) - told.watch.listed():
        yield f"its list is proven, and shows nothing of {missed}"


def _kept_as_it_was(told: Told) -> Iterator[str]:
    """If content changed or an image was deleted, its last version was closed unchanged."""
    for key, row in told.before.images.items():
        if row["deleted_at"] is None and _lasting(told.after.images.get(key, {})) != _lasting(row):
            version = told.after.versions.get((*key, row["valid_from"]))
            if version is None or version["valid_to"] != told.record["effective_at"]:
                yield f"{key} changed, and its version was not closed"
            elif told.after.content("image_versions", (*key, row["valid_from"])) != told.before.content("images", key):
                yield f"{key} changed, and its last version was not kept as it was"


def _lasting(row: Row) -> Row:
    """The row of an image without what may change while its content stays."""
    return {name: value for name, value in row.items() if name not in ("xmin", "listed_since")}


def _accounted(told: Told) -> Iterator[str]:
    """I8: a live image that a proven list lacked is recorded as still there, unconfirmed, pending or held."""
    if not told.record["proven"]:
        return
    missing, held = told.after.missing(told.source), told.after.open_cases(told.source).keys()
    stayed = told.before.live(told.source).keys() & told.after.live(told.source).keys()
    if lost := stayed - told.watch.ever_listed() - missing.keys() - held:
        yield f"{lost} were not listed and stayed, and nothing says why"
    if told.record["unconfirmed"] and told.record["status"] != "withheld":
        yield f"{told.record['unconfirmed']} were not confirmed, and the run ends as {told.record['status']}"


def _graceful(told: Told) -> Iterator[str]:
    """I8: nothing is deleted before its grace is over, by the database's clock."""
    grace = timedelta(seconds=told.watch.account.settings().grace)
    for name in told.gone - told.dead:
        since = told.before.images[told.source, name]["listed_since"]
        is_set_back = told.clock < since - grace  # so far that the grace does not apply
        if since + grace > told.record["effective_at"] and not is_set_back:
            yield f"{name} was deleted, and its grace lasts until {since + grace}"


def _others(told: Told) -> Iterator[str]:
    """No row of another source was touched."""
    for source in {key[0] for key in told.after.rows["sources"]} - {told.source}:
        if told.before.of_source(source) != told.after.of_source(source):
            yield f"rows of source {source} changed"


def _updated(told: Told) -> Iterator[str]:
    """The record counts the updated images, which the tables alone cannot show exactly."""
    contents = [key for key in told.before.images if key[0] == told.source and _rewritten(told, key)]
    if told.record["updated"] != len(contents):
        yield f"{told.record['updated']} updated are on record, and {len(contents)} were"


def _record(told: Told) -> Iterator[str]:
    """The run's result agrees with its record."""
    if told.outcome is not None:
        result = told.outcome.as_json() | {"effective_at": told.outcome.effective_at}
        for name, value in result.items():
            if name in told.record and told.record[name] != value:
                yield f"it said {name} {value}, and {told.record[name]} is on record"
        if told.outcome.exit_code != {"done": 0, "withheld": 4}.get(told.record.get("status", "")):
            yield f"it ends with {told.outcome.exit_code}, and {told.record.get('status')} is on record"
    elif isinstance(told.error, ImageSyncError) and told.error.run is not None:
        recorded = (told.record.get("status"), told.record.get("error"))
        if recorded != (_status(told.error), type(told.error).__name__):
            yield f"it raised {told.error!r}, and {recorded} is on record"


def _standing(told: Told) -> Iterator[str]:
    """A failed run wrote nothing, and no run before a committed one is recorded as running."""
    if told.error is not None and told.committed:
        yield f"it raised {told.error!r}, and yet it wrote"
    if told.error is not None and told.certain and not isinstance(told.error, FilterChangedError):
        yield f"nothing was done to it, and it raised {told.error!r}"
    earlier = [n for n, run in told.after.runs.items() if run["source"] == told.source and n < (told.number or 0)]
    if told.committed and any(told.after.runs[number]["status"] == "running" for number in earlier):
        yield "it committed, and an earlier run is still on record as running"


def _secrets(told: Told) -> Iterator[str]:
    """No secret is in the result, the error or the record."""
    text = repr((told.error, getattr(told.error, "__notes__", ()), told.outcome, told.record))
    yield from (f"{secret} was told" for secret in SECRETS if secret in text)


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


def _rewritten(told: Told, key: tuple[Any, ...]) -> bool:
    """Whether its content changed and it was not restored."""
    before, after = told.before.images[key], told.after.images[key]
    back = before["deleted_at"] is not None and after["deleted_at"] is None
    return not back and told.before.content("images", key) != told.after.content("images", key)


def _steady(told: Told) -> set[str]:
    """The ids that were shown the whole time, storable, with one content at a time."""
    shown = told.watch.throughout() & {name for name in told.watch.states[0] if name}
    return {name for name in shown if _clear(told, [state.get(name, ()) for state in told.watch.states])}


def _clear(told: Told, states: list[Sequence[Shown]]) -> bool:
    if not all(len(shown) == 1 and _storable(told, shown[0]) for shown in states):
        return False
    ways = {shown[0].text: updated(shown[0]) for shown in states}
    return len(set(ways.values())) == len(ways)  # else the contents may tie, and neither is believed


def _storable(told: Told, shown: Shown) -> bool:
    return shown.readable and not shown.dead and (shown.private or not told.watch.account.filter)
