"""What must hold of one run, seen from outside: its tables before and after, and what its cloud showed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from machine_clouds import Shown, State
from machine_exact import exact, updated
from machine_tables import Row, plain
from machine_told import Told

from sync import wiring
from sync.errors import ImageSyncError, InterruptedRunError, ScopeChangedError, SupersededError


def check_run(told: Told) -> list[str]:
    """Every way in which a run did what it must not, in words."""
    parts: list[Callable[[Told], Iterator[str]]] = [_record, _standing, _others, _append_only]
    if told.committed:
        parts += [_moment, _counts, _untouched, _deletions, _guard, _content, _proof]
        parts += [exact] if told.certain and told.watch.still and told.record["proven"] else []
    else:
        parts.append(_nothing_written)
    return [f"run {told.number}: {flaw}" for part in parts for flaw in part(told)]


def _record(told: Told) -> Iterator[str]:
    """14: what the run said and what is on record are the same."""
    if told.outcome is not None:
        said = told.outcome.as_json() | {"effective_at": told.outcome.effective_at}
        for name, value in said.items():
            if told.record.get(name) != value:
                yield f"it said {name} {value}, and {told.record.get(name)} is on record"
        if told.outcome.exit_code != {"done": 0, "withheld": 4}.get(told.record.get("status", "")):
            yield f"it ends with {told.outcome.exit_code}, and {told.record.get('status')} is on record"
    elif isinstance(told.error, ImageSyncError) and told.error.run is not None:
        found = (told.record.get("status"), told.record.get("error"))
        if found != (_status(told.error), type(told.error).__name__):
            yield f"it raised {told.error!r}, and {found} is on record"


def _standing(told: Told) -> Iterator[str]:
    """14: a failed run wrote nothing, and no run before a committed one is said to be under way."""
    if told.error is not None and told.committed:
        yield f"it raised {told.error!r}, and yet it wrote"
    if told.error is not None and told.certain and not isinstance(told.error, ScopeChangedError):
        yield f"nothing was done to it, and it raised {told.error!r}"
    earlier = [n for n, run in told.after.runs.items() if run["source"] == told.source and n < (told.number or 0)]
    if told.committed and any(told.after.runs[number]["status"] == "running" for number in earlier):
        yield "it committed, and an earlier run is still on record as running"
    stored = told.before.rows["sources"].get((told.source,), {}).get("scope", told.scope)
    if stored != told.scope and (told.outcome or told.committed):
        yield f"it ran with the filter {told.scope!r}, and the inventory was made with {stored!r}"


def _status(error: BaseException) -> str:
    if isinstance(error, SupersededError):
        return "superseded"
    return "interrupted" if isinstance(error, InterruptedRunError) else "failed"


def _others(told: Told) -> Iterator[str]:
    """11: no row of another source was touched."""
    for source in {key[0] for key in told.after.rows["sources"]} - {told.source}:
        if told.before.of_source(source) != told.after.of_source(source):
            yield f"rows of source {source} changed"


def _append_only(told: Told) -> Iterator[str]:
    """10, 13: what is past stays as it was."""
    for table in ("image_versions", "quarantine", "findings", "run_pages"):
        after = told.after.rows[table]
        changed = [key for key, row in told.before.rows[table].items() if after.get(key) != row]
        if changed:
            yield f"{table} {changed[:3]} changed, and it is past"
    for key, row in told.before.rows["held_deletions"].items():
        now = told.after.rows["held_deletions"].get(key, {})
        if row["closed_at"] is not None and row != now:
            yield f"the closed case {key} changed"
    for number, run in told.before.runs.items():
        now = told.after.runs.get(number, {})
        if run["status"] not in {"running", "abandoned"} and number != told.number and plain([run]) != plain([now]):
            yield f"the record of run {number} changed"


def _nothing_written(told: Told) -> Iterator[str]:
    """2: a run that did not commit wrote nothing but its record."""
    for table, rows in told.before.rows.items():
        now = told.after.rows[table]
        if table == "sources":
            fresh = [row for key, row in now.items() if key not in rows]
            if any(row["epoch"] or row["effective_at"] for row in fresh) or any(now[key] != rows[key] for key in rows):
                yield "it did not commit, and its source changed"
        elif table != "runs" and now != rows:
            yield f"it did not commit, and {table} changed"


def _moment(told: Told) -> Iterator[str]:
    """7: the moment comes from the database, and is later than the one before."""
    moment = told.record["effective_at"]
    last = told.before.rows["sources"].get((told.source,), {}).get("effective_at")
    next_one = last + timedelta(microseconds=1) if last else None
    if last is not None and moment <= last:
        yield f"it took effect at {moment}, not after {last}"
    if moment != next_one and not told.clock <= moment <= told.after.now:
        yield f"it took effect at {moment}, which was not between {told.clock} and {told.after.now}"


def _counts(told: Told) -> Iterator[str]:
    """12, 14: the record counts what really changed."""
    before, after = told.before.images, told.after.images
    ours = [key for key in after if key[0] == told.source]
    created = [key for key in ours if key not in before]
    restored = [key for key in ours if key in before and _came_back(before[key], after[key])]
    contents = [key for key in ours if key in before and _rewritten(told, key) and key not in restored]
    deleted = [key for key in ours if after[key]["deleted_run"] == told.number]
    cases = told.after.open_cases(told.source)
    found = {"created": created, "restored": restored, "updated": contents, "deleted": deleted}
    for name, keys in found.items():
        if told.record[name] != len(keys):
            yield f"{told.record[name]} {name} are on record, and {len(keys)} were"
    if told.record["held"] > len(cases):
        yield f"{told.record['held']} held are on record, and {len(cases)} cases are open"


def _came_back(before: Row, after: Row) -> bool:
    return before["deleted_at"] is not None and after["deleted_at"] is None


def _rewritten(told: Told, key: tuple[Any, ...]) -> bool:
    return told.before.content("images", key) != told.after.content("images", key)


def _untouched(told: Told) -> Iterator[str]:
    """6: no row was rewritten without a reason; a version is written where content changed, and nowhere else."""
    for table in ("images", "image_versions", "held_deletions", "quarantine", "findings"):
        for key, row in told.before.rows[table].items():
            now = told.after.rows[table].get(key, {})
            if row["xmin"] != now.get("xmin") and plain([row]) == plain([now]):
                yield f"{table} {key} was rewritten as it was"
    for key, row in told.before.images.items():
        if row["deleted_at"] is None and told.after.images[key] != row:
            version = told.after.versions.get((*key, row["valid_from"]))
            if version is None or version["valid_to"] != told.record["effective_at"]:
                yield f"{key} changed, and its version was not closed"
            elif told.after.content("image_versions", (*key, row["valid_from"])) != told.before.content("images", key):
                yield f"{key} changed, and its last version was not kept as it was"


def _deletions(told: Told) -> Iterator[str]:
    """8, 9: what is marked deleted was not there the whole time, by a proven list, and was asked for by name."""
    dead = {name for state in told.watch.states for name, shown in state.items() if any(one.dead for one in shown)}
    approved = {name for name, case in told.before.open_cases(told.source).items() if case["approved_at"]}
    if told.gone and not told.record["proven"]:
        yield f"{told.gone} were deleted by a list that is not proven"
    if told.lie == "empty":
        if told.gone - approved:
            yield f"{told.gone - approved} were deleted by an empty list"
        return
    if wrong := told.gone & told.watch.throughout() - dead:
        yield f"{wrong} were deleted, and were there the whole time"
    if (wrong := told.gone - dead) and all(_nameless(told, state) for state in told.watch.states):
        yield f"{wrong} were deleted, and a record without an id might be any of them"
    if told.asked_by_name and (wrong := told.gone - dead - told.watch.asked_in_vain()):
        yield f"{wrong} were deleted and not asked for"


def _nameless(told: Told, state: State) -> bool:
    """The list holds a record that bears no id."""
    return any(shown.private or not told.scope for shown in state.get(None, ()))


def _guard(told: Told) -> Iterator[str]:
    """8: more than the limits is only deleted if a person said so, and what is held says so."""
    limits, cases = wiring.source_of(told.watch.account.settings()).limits, told.before.open_cases(told.source)
    deleted = {key[1] for key, row in told.after.images.items() if row["deleted_run"] == told.number}
    approved = {name for name in deleted if name in cases and cases[name]["approved_at"] is not None}
    live = len(told.before.live(told.source))
    since = told.record["effective_at"] - timedelta(hours=24)
    day = sum(
        run["deleted"] - run["approved"]
        for run in told.before.runs.values()
        if run["source"] == told.source and run["effective_at"] is not None and run["effective_at"] > since
    )
    unasked = len(deleted - approved)
    wanted = unasked + told.record["held"]
    beyond = _beyond(wanted, live, limits.images, limits.percent)
    beyond |= _beyond(wanted + day, live + day, limits.day_images, limits.day_percent)
    if told.record["approved"] != len(approved):
        yield f"{told.record['approved']} approved are on record, and {len(approved)} were"
    if unasked and beyond:
        yield f"{unasked} of {live} were deleted without a person's word, {day} before within a day"
    if told.record["held"] and not beyond and told.record["listed"] > told.record["quarantined"]:
        yield f"{told.record['held']} of {live} were held, which nobody asked for"
    if told.record["held"] and unasked:
        yield f"{unasked} were deleted though {told.record['held']} were held"


def _beyond(gone: int, live: int, images: int, percent: float) -> bool:
    return gone > images and gone * 100 > live * percent


def _content(told: Told) -> Iterator[str]:
    """1, 9: what is stored was shown during the run, or stood before; what was there the whole time is there."""
    if told.lie == "empty":
        return
    before, after = told.before.live(told.source), told.after.live(told.source)
    seen: dict[str | None, set[str]] = {}
    for state in told.watch.states:
        for name, shown in state.items():
            seen.setdefault(name, set()).update(one.text for one in shown)
    for name, text in after.items():
        if text not in seen.get(name, set()) and text != before.get(name):
            yield f"{name} has a content that was never shown: {text}"
    if told.record["proven"] and not told.lie:
        lost = {name for name in told.watch.states[0] if name and _steady(told, name)} - after.keys()
        if lost:
            yield f"{lost} were there the whole time, and are not stored"


def _proof(told: Told) -> Iterator[str]:
    """9: a proven list shows everything that was in it the whole time."""
    if not told.record["proven"] or told.lie or told.record["retries"] or not told.asked_by_name:
        return
    steady = {name for name in told.watch.states[0] if name and _steady(told, name)}
    if missed := steady - told.watch.listed():
        yield f"its list is proven, and shows nothing of {missed}"


def _steady(told: Told, name: str) -> bool:
    """It was shown the whole time, fit to be stored, in one way at a time."""
    states = [state.get(name, ()) for state in told.watch.states]
    good = all(len(shown) == 1 and _storable(told, shown[0]) for shown in states)
    ways = {shown[0].text: updated(shown[0]) for shown in states if shown and shown[0].readable}
    clear = len(set(ways.values())) == len(ways)  # else the list may contradict itself, and neither way is believed
    return good and clear and name in told.watch.throughout()


def _storable(told: Told, shown: Shown) -> bool:
    return shown.readable and not shown.dead and (shown.private or not told.watch.account.scope)
