"""Find the checks, the product's own and the user's, and run them."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

from sync.domain.checks import COLUMNS, Check, Finding
from sync.errors import UnknownError, UsageError
from sync.files import UnreadableFileError, read_text
from sync.store.queries.inventory import Inventory, Value, inline_parameters

_OWN = Path(__file__).with_name("sql")
_SYSTEMS = _OWN / "end_of_life.csv"
# Gives the SQL of a check the images that existed at the moment; its last line may be a comment.
_AT_A_MOMENT = """
WITH live_images AS (SELECT * FROM inventory.images_as_of(CAST(:moment AS timestamptz), CAST(:asked_source AS text)))
SELECT * FROM ({sql}
) AS found
"""


def checks(
    folder: Path | None = None, *, off: Collection[str] = (), thresholds: Mapping[str, Mapping[str, int]] | None = None
) -> list[Check]:
    """All checks by name; a check in the user's folder replaces the product's of the same name.

    Args:
        folder: folder of the user's own checks, one ``.sql`` file each.
        off: names of checks to leave out.
        thresholds: numbers by name of check and threshold.

    Raises:
        UnknownError: there is no check or threshold of a given name.
        UsageError: a check can't be read.
    """
    if folder and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; set `check_folder` to the folder of your own checks, .sql files")
    paths = {path.stem: path for place in (_OWN, folder) if place for path in sorted(place.glob("*.sql"))}
    numbers = thresholds or {}
    for name in (*off, *numbers):
        if name not in paths:
            raise UnknownError(f"there is no check {name}; there are {', '.join(sorted(paths))}")
    chosen = [Check.parse(name, _text(path)) for name, path in sorted(paths.items()) if name not in off]
    return [check.using(numbers.get(check.name, {})) for check in chosen]


def systems(file: Path | None = None) -> list[dict[str, str]]:
    """Operating systems and the day on which their updates end: rows of system, until and source.

    Args:
        file: a CSV file of the user's; None for the product's.

    Raises:
        UsageError: a row of the file lacks a system or a day.
    """
    path = file or _SYSTEMS
    rows = list(csv.DictReader(_text(path).splitlines()))
    for number, row in enumerate(rows, start=2):
        if not (row.get("system") and _is_day(row.get("until"))):
            raise UsageError(f"{path}, line {number}: give system,until,source with a day such as 2024-06-30")
    return rows


def find(
    inventory: Inventory, checks: Iterable[Check], dates: list[dict[str, str]], moment: datetime, source: str | None
) -> Iterator[Finding]:
    """Run checks, one after the other, on the inventory as it was at a moment.

    Args:
        inventory: the inventory to search.
        checks: the checks to run.
        dates: operating systems and the day on which their updates end; see ``systems``.
        moment: the moment.
        source: the only source to search; None for all.

    Raises:
        UsageError: the SQL of a check fails, or returns other columns than it must.
    """
    for check in checks:
        for row in inventory.ask(check.name, *_query(check, dates, moment, source)):
            if set(row) != set(COLUMNS):
                raise UsageError(f"check {check.name} returns {', '.join(row)}; it must return {', '.join(COLUMNS)}")
            if source is None or row["source"] == source:
                yield Finding(check.name, check.severity, row["source"], row["id"], row["name"], str(row["detail"]))


def sql(check: Check, dates: list[dict[str, str]], moment: datetime, source: str | None) -> str:
    """The query that ``find`` runs for a check, ready to be run by anyone."""
    return inline_parameters(*_query(check, dates, moment, source))


def _query(
    check: Check, dates: list[dict[str, str]], moment: datetime, source: str | None
) -> tuple[str, dict[str, Value]]:
    """The SQL of a check at a moment, and its parameters."""
    values = {**check.thresholds, "moment": moment, "asked_source": source, "systems": json.dumps(dates)}
    return _AT_A_MOMENT.format(sql=check.sql), values


def _is_day(text: str | None) -> bool:
    try:
        return bool(date.fromisoformat(text or ""))
    except ValueError:
        return False


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except UnreadableFileError as error:
        raise UsageError(f"{path} can't be read: {error}") from error
