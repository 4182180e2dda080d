"""What a deletion needs: a proven list, a confirmation by id, and the guard's permission or an approval."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from machine_told import Told

from sync import wiring


def guarded(told: Told) -> Iterator[str]:
    """I8: every deletion met all conditions."""
    yield from _sure(told)
    yield from _within_limits(told)
    yield from _of_the_same_filter(told)


def _sure(told: Told) -> Iterator[str]:
    """Nothing is deleted by an empty list, by one with nameless records, or without a confirmation."""
    if told.lie == "empty":
        if told.gone - _approved(told):
            yield f"{told.gone - _approved(told)} were deleted by an empty list"
        return
    gone = told.gone - told.dead
    if gone and all(told.nameless(state) for state in told.watch.states):
        yield f"{gone} were deleted, and a record without an id might be any of them"
    if told.asked_by_name and (wrong := gone - told.watch.asked_in_vain()):
        yield f"{wrong} were deleted and not asked for"


def _within_limits(told: Told) -> Iterator[str]:
    """Deletions beyond the limits need an approval, and only those beyond the limits are held."""
    record, waiting = told.record, told.before.open_cases(told.source).keys() - _approved(told)
    deleted = {key[1] for key, row in told.after.images.items() if row["deleted_run"] == told.number}
    unasked = deleted - _approved(told)
    beyond = _beyond_limits(told, len(unasked) + record["held"])
    if unasked and beyond:
        yield f"{len(unasked)} were deleted without a person's word, beyond the limits"
    if unasked & waiting:
        yield f"{unasked & waiting} were deleted, and were waiting for a person's word"
    open_now = told.after.open_cases(told.source)
    fresh = open_now.keys() - told.before.open_cases(told.source).keys()
    if fresh and not beyond and record["listed"] > record["quarantined"]:
        yield f"{fresh} were held, which nobody asked for"
    if record["held"] > len(open_now):
        yield f"{record['held']} held are on record, and {len(open_now)} cases are open"


def _of_the_same_filter(told: Told) -> Iterator[str]:
    """A run with another filter than the inventory's does not write."""
    stored = told.before.rows["sources"].get((told.source,), {}).get("filter", told.filter)
    if stored != told.filter:
        yield f"it ran with the filter {told.filter!r}, and the inventory was made with {stored!r}"


def _approved(told: Told) -> set[str]:
    return {name for name, case in told.before.open_cases(told.source).items() if case["approved_at"] is not None}


def _beyond_limits(told: Told, deletions: int) -> bool:
    limits, live = wiring.source_of(told.watch.account.settings()).limits, len(told.before.live(told.source))
    since = told.record["effective_at"] - timedelta(hours=24)
    day = sum(
        run["deleted"] - run["approved"]
        for run in told.before.runs.values()
        if run["source"] == told.source and run["effective_at"] is not None and run["effective_at"] > since
    )
    return _beyond(deletions, live, limits.images, limits.percent) or _beyond(
        deletions + day, live + day, limits.day_images, limits.day_percent
    )


def _beyond(gone: int, live: int, images: int, percent: float) -> bool:
    return gone > images and gone * 100 > live * percent
