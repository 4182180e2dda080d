"""After an undisturbed, proven run on an unchanged cloud, exactly what the cloud showed is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator

from machine_observed import ObservedRun
from machine_shown import Shown


def exact(observed: ObservedRun) -> Iterator[str]:
    """I1: every image is stored as the cloud showed it."""
    shows, before = observed.watch.states[-1], observed.before.live(observed.source)
    after = observed.after.live(observed.source)
    record = observed.record
    all_done = not record["held"] and not record["reason"]
    for name in {*shows, *before, *after} - {None}:
        expected = _expected(observed, list(shows.get(name, ())), before.get(str(name)))
        if name in before and observed.after.missing(observed.source).get(str(name)) == "pending":
            expected |= {before[str(name)]}
        if not all_done and name in before:
            expected |= {before[str(name)]} if None in expected else set()
        if not all_done and any(one.dead for one in shows.get(name, ())):
            continue
        if after.get(str(name)) not in expected:
            yield f"{name} is stored as {after.get(str(name))}, and should be one of {expected}"


def returned(observed: ObservedRun) -> Iterator[str]:
    """I8: an image that returned has no waiting deletion."""
    shows = observed.watch.states[-1]
    for name in observed.after.open_cases(observed.source):
        shown = shows.get(name, ())  # if the contents tie, neither is believed
        if len(shown) == 1 and shown[0].readable and shown[0].listed and not shown[0].dead:
            yield f"{name} is there, and its deletion still waits"


def confirmed(observed: ObservedRun) -> Iterator[str]:
    """I8: whatever proves a list also proves the one that confirms it, so nothing stays unconfirmed."""
    shows = observed.watch.states[-1]
    is_plain = all(name and len(shown) == 1 and shown[0].readable for name, shown in shows.items())
    if is_plain and not observed.filter and observed.record["unconfirmed"]:
        yield f"{observed.record['unconfirmed']} are unconfirmed: {observed.record['reason']}"


def unread(observed: ObservedRun) -> Iterator[str]:
    """I12: every unreadable record is quarantined."""
    kept = {row["id"] for row in observed.after.rows["quarantine"].values() if row["source"] == observed.source}
    for name, shown in observed.watch.states[-1].items():
        if name not in kept and any(not one.readable and observed.includes(one) for one in shown):
            yield f"a record of {name} cannot be read, and is not kept"


def _expected(observed: ObservedRun, shown: list[Shown], before: str | None) -> set[str | None]:
    """The contents an image may have after a run; None if it may be absent."""
    good = [one for one in shown if one.readable]
    outside = [one for one in shown if not observed.includes(one)]
    if not shown:
        return {None}
    asked = observed.asked_by_name and not observed.nameless(observed.watch.states[-1])
    if before and len(shown) == len(outside) == len(good) == 1 and asked:
        # An image outside the filter still exists; if the cloud lists it as deleted, it may be deleted at once.
        return {before, None} if good[0].dead else {good[0].text}
    if outside or len(good) < len(shown):  # asked for by name, or beside something unreadable
        texts = {None if one.dead else one.text for one in good}
        return {before, *texts} if before or len(outside) < len(shown) else {None}
    stored = [Shown("", before, dead=False, readable=True, private=True)] if before else []
    others = stored if len({one.text for one in good}) > 1 else []  # if the list contradicts itself
    newest = max(updated(one) for one in (*good, *others))
    chosen = {one.text: one for one in (*others, *good) if updated(one) == newest}
    if len(chosen) > 1:
        return {before}
    (one,) = chosen.values()
    return {None} if one.dead else {one.text}


def updated(shown: Shown) -> str:
    """When the image was last changed, by its own field."""
    return str(json.loads(shown.text).get("updated_at"))
