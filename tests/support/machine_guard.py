"""What a deletion needs: a proven list, a confirmation by id, and the guard's permission or an approval."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from machine_observed import ObservedRun

from sync import wiring


def guarded(observed: ObservedRun) -> Iterator[str]:
    """I8: every deletion met all conditions."""
    yield from _sure(observed)
    yield from _within_limits(observed)
    yield from _of_the_same_filter(observed)
    yield from _of_the_same_scope(observed)
    yield from _by_their_owners(observed)


def _sure(observed: ObservedRun) -> Iterator[str]:
    """Nothing is deleted by an empty list, by one with nameless records, or without a confirmation."""
    if observed.lie == "empty":
        if observed.gone - _approved(observed):
            yield f"{observed.gone - _approved(observed)} were deleted by an empty list"
        return
    gone = observed.gone - observed.dead
    if gone and all(observed.nameless(state) for state in observed.watch.states):
        yield f"{gone} were deleted, and a record without an id might be any of them"
    if observed.asked_by_name and (wrong := gone - observed.watch.asked_in_vain()):
        yield f"{wrong} were deleted and not asked for"


def _within_limits(observed: ObservedRun) -> Iterator[str]:
    """Deletions beyond the limits need an approval, and only those beyond the limits are held."""
    record, waiting = observed.record, observed.before.open_cases(observed.source).keys() - _approved(observed)
    removed = {
        key[1]
        for key, row in observed.after.images.items()
        if observed.number in (row["deleted_run"], row["invisible_run"])
    }
    unasked = removed - _approved(observed)
    beyond = _beyond_limits(observed, len(unasked) + record["held"])
    if unasked and beyond:
        yield f"{len(unasked)} were deleted without a person's word, beyond the limits"
    if unasked & waiting:
        yield f"{unasked & waiting} were deleted, and were waiting for a person's word"
    open_now = observed.after.open_cases(observed.source)
    fresh = open_now.keys() - observed.before.open_cases(observed.source).keys()
    if fresh and not beyond and record["listed"] > record["quarantined"]:
        yield f"{fresh} were held, which nobody asked for"
    if record["held"] > len(open_now):
        yield f"{record['held']} held are on record, and {len(open_now)} cases are open"


def _of_the_same_filter(observed: ObservedRun) -> Iterator[str]:
    """A run with another filter than the inventory's does not write."""
    source = observed.before.rows["sources"].get((observed.source,), {"epoch": 0})
    stored = source["filter"] if source["epoch"] else observed.filter
    if stored != observed.filter:
        yield f"it ran with the filter {observed.filter!r}, and the inventory was made with {stored!r}"


def _of_the_same_scope(observed: ObservedRun) -> Iterator[str]:
    """A run with another project or other roles than the inventory's does not write."""
    stored = observed.before.rows["sources"].get((observed.source,), {}).get("scope")
    if stored not in (None, observed.scope.text()):
        yield f"it ran as {observed.scope.text()!r}, and the inventory was made as {stored!r}"
    if observed.after.rows["sources"][observed.source,]["scope"] != observed.scope.text():
        yield "it did not record what its token was for"


def _by_their_owners(observed: ObservedRun) -> Iterator[str]:
    """Images of other projects become invisible, and only those of the token's own project are deleted."""
    source = wiring.source_of(observed.watch.account.settings())
    for name in observed.gone - observed.dead:
        before, after = (tables.images[observed.source, name] for tables in (observed.before, observed.after))
        is_own = source.is_gone(observed.scope, before["owner"])
        if (after["deleted_at"] is not None, after["invisible_since"] is not None) != (is_own, not is_own):
            yield f"{name} belongs to {before['owner']}; deleted {after['deleted_at']}, invisible {after['invisible_since']}"


def _approved(observed: ObservedRun) -> set[str]:
    return {
        name for name, case in observed.before.open_cases(observed.source).items() if case["approved_at"] is not None
    }


def _beyond_limits(observed: ObservedRun, deletions: int) -> bool:
    limits, live = (
        wiring.source_of(observed.watch.account.settings()).limits,
        len(observed.before.live(observed.source)),
    )
    since = observed.record["effective_at"] - timedelta(hours=24)
    day = sum(
        run["deleted"] + run["invisible"] - run["approved"]
        for run in observed.before.runs.values()
        if run["source"] == observed.source and run["effective_at"] is not None and run["effective_at"] > since
    )
    return _beyond(deletions, live, limits.images, limits.percent) or _beyond(
        deletions + day, live + day, limits.day_images, limits.day_percent
    )


def _beyond(gone: int, live: int, images: int, percent: float) -> bool:
    return gone > images and gone * 100 > live * percent
