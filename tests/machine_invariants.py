"""What must hold of the tables at any moment, whatever happened before; the numbers are those of the design."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from machine_tables import Row, Tables

COMMITTED = ("done", "withheld")


def check(tables: Tables) -> list[str]:
    """Every way in which the tables contradict themselves, in words."""
    parts = (_periods, _moments, _runs, _held)
    return [flaw for part in parts for flaw in part(tables)]


def _periods(tables: Tables) -> Iterator[str]:
    """3, 4, 5: periods are not empty, disjoint, and differ where they touch; a gap is where it was deleted."""
    periods: dict[tuple[str, str], list[tuple[Any, Any, str]]] = defaultdict(list)
    for key, row in tables.versions.items():
        periods[key[:2]].append((row["valid_from"], row["valid_to"], tables.content("image_versions", key)))
    for key, row in tables.images.items():
        if row["deleted_at"] is None:
            periods[key[0], key[1]].append((row["valid_from"], None, tables.content("images", key)))
    for image, found in periods.items():
        found.sort(key=lambda period: period[0])
        if image not in tables.images:
            yield f"{image} has versions and no row of its own"
            continue
        yield from _one_image(image, found, tables.images[image])


def _one_image(image: tuple[str, str], periods: list[tuple[Any, Any, str]], row: Row) -> Iterator[str]:
    for (start, end, content), (next_start, _, next_content) in pairwise(periods):
        if end is None or end > next_start:
            yield f"{image} has two versions at {next_start}"
        elif end == next_start and content == next_content:
            yield f"{image} has two equal versions that touch at {end}"
        if end is not None and start >= end:
            yield f"{image} has an empty version at {start}"
    if row["deleted_at"] is not None and periods and row["deleted_at"] < periods[-1][1]:
        yield f"{image} lived on after it was deleted at {row['deleted_at']}"
    first = periods[0][0]
    if row["first_seen_at"] > first:
        yield f"{image} had a version at {first}, before it was first seen at {row['first_seen_at']}"


def _moments(tables: Tables) -> Iterator[str]:
    """Every bound is the effective_at of the run that is named beside it, and that run is of the same source."""
    pairs = {
        "images": (("valid_from", "valid_from_run"), ("deleted_at", "deleted_run")),
        "image_versions": (("valid_from", "valid_from_run"), ("valid_to", "valid_to_run")),
        "quarantine": (("first_seen_at", "first_run"),),
        "held_deletions": (("held_at", "run"), ("closed_at", "closed_run")),
        "findings": (("first_seen_at", "first_run"),),
    }
    for table, columns in pairs.items():
        for key, row in tables.rows[table].items():
            for moment, number in columns:
                if row[number] is None and row[moment] is None:
                    continue
                run = tables.runs.get(row[number], {})
                if run.get("effective_at") != row[moment] or run.get("source") != row["source"]:
                    yield f"{table} {key}: {moment} is not when run {row[number]} took effect"


def _runs(tables: Tables) -> Iterator[str]:
    """7: effective_at rises. 12: every row that came is accounted for. 14: the record fits itself."""
    last: dict[str, Any] = {}
    for number, run in sorted(tables.runs.items()):
        committed = run["effective_at"] is not None
        if committed != (run["status"] in COMMITTED):
            yield f"run {number} is {run['status']}, and took effect at {run['effective_at']}"
        if not committed:
            continue
        names = ("created", "updated", "restored", "unchanged", "duplicates", "quarantined")
        if run["received"] != sum(run[name] for name in names):
            told = ", ".join(f"{name} {run[name]}" for name in ("received", *names))
            yield f"run {number} does not account for every row: {told}"
        if run["deleted"] and not run["proven"]:
            yield f"run {number} deleted {run['deleted']} images by a list that is not proven"
        if (run["status"] == "withheld") != bool(run["reason"]):
            yield f"run {number} is {run['status']} for the reason {run['reason']!r}"
        source = tables.rows["sources"][run["source"],]
        last[run["source"]] = max(last.get(run["source"], run["effective_at"]), run["effective_at"])
        if run["finished_at"] is None:
            yield f"run {number} took effect and never ended"
        if source["epoch"] <= run["epoch"]:
            yield f"run {number} committed at epoch {run['epoch']}, and the source is at {source['epoch']}"
    for name, moment in last.items():
        if tables.rows["sources"][name,]["effective_at"] != moment:
            yield f"source {name} does not know its last moment {moment}"
    yield from _epochs(tables)


def _epochs(tables: Tables) -> Iterator[str]:
    """7: of the runs of one source, each epoch was committed by one, and their moments rise with it."""
    committed: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for run in tables.runs.values():
        if run["effective_at"] is not None:
            committed[run["source"]].append((run["epoch"], run["effective_at"]))
    for source, found in committed.items():
        for (epoch, moment), (next_epoch, next_moment) in pairwise(sorted(found)):
            if epoch == next_epoch or moment >= next_moment:
                yield f"source {source}: epochs {epoch}, {next_epoch} took effect at {moment}, {next_moment}"


def _held(tables: Tables) -> Iterator[str]:
    """8: a deletion is withheld of an image that is there, and once at a time; a closed case tells the truth."""
    opened: set[tuple[str, str]] = set()
    for case in tables.rows["held_deletions"].values():
        image = (case["source"], case["id"])
        if case["closed_at"] is None:
            if image in opened or image not in tables.images or tables.images[image]["deleted_at"] is not None:
                yield f"the deletion of {image} is withheld, but it is not there or withheld twice"
            opened.add(image)
        if case["approved_at"] is not None and case["approved_by"] is None:
            yield f"the deletion of {image} was approved by nobody"
