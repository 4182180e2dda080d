"""Finds the checks, the product's own and the user's, and carries them out."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

from sync.domain.checks import COLUMNS, Check, Finding
from sync.errors import UnknownError, UsageError
from sync.store.queries.inventory import Inventory, Value, inline_parameters

_OWN = Path(__file__).with_name("sql")
_SYSTEMS = _OWN / "end_of_life.csv"
# The images that existed then, for the SQL of checks; its last line may be a comment.
_AT_A_MOMENT = """
WITH live_images AS (SELECT * FROM inventory.images_as_of(CAST(:moment AS timestamptz), CAST(:asked_source AS text)))
SELECT * FROM ({sql}
) AS found
"""


def checks(
    folder: Path | None = None, *, off: Collection[str] = (), thresholds: Mapping[str, Mapping[str, int]] | None = None
) -> list[Check]:
    """All checks by name; one in the user's folder replaces the product's of the same name.

    Args:
        folder: of the user's own checks, one ``.sql`` file each.
        off: names of checks to leave out.
        thresholds: numbers by name of check and threshold.

    Raises:
        UnknownError: a name is none of a check or threshold.
        UsageError: a check can't be read.
    """
    paths = {path.stem: path for place in (_OWN, folder) if place for path in sorted(_files(place))}
    given = thresholds or {}
    for name in (*off, *given):
        if name not in paths:
            raise UnknownError(f"there is no check {name}; there are {', '.join(sorted(paths))}")
    found = [Check.parse(name, _text(path)) for name, path in sorted(paths.items()) if name not in off]
    return [check.using(given.get(check.name, {})) for check in found]


def systems(file: Path | None = None) -> list[dict[str, str]]:
    """Operating systems and the day on which their updates end: rows of system, until and source.

    Args:
        file: a CSV file of the user's; None is the product's.

    Raises:
        UsageError: the file is not of that form.
    """
    path = file or _SYSTEMS
    rows = list(csv.DictReader(_text(path).splitlines()))
    for number, row in enumerate(rows, start=2):
        if not (row.get("system") and _is_day(row.get("until"))):
            raise UsageError(f"{path}, line {number}: give system,until,source with a day such as 2024-06-30")
    return rows


def find(
    inventory: Inventory, wanted: Iterable[Check], dates: list[dict[str, str]], moment: datetime, source: str | None
) -> Iterator[Finding]:
    """Carry out checks on the inventory as it was at a moment, one after the other.

    Args:
        inventory: to look at.
        wanted: the checks.
        dates: operating systems and the day on which their updates end; see ``systems``.
        moment: the one that is asked about.
        source: only this one; None is all of them.

    Raises:
        UsageError: the SQL of a check can't be carried out, or returns other columns.
    """
    for check in wanted:
        rows = inventory.ask(check.name, _query(check), _values(check, dates, moment, source))
        for row in rows:
            if set(row) != set(COLUMNS):
                raise UsageError(f"check {check.name} returns {', '.join(row)}; it must return {', '.join(COLUMNS)}")
            if source is None or row["source"] == source:
                yield Finding(check.name, check.severity, row["source"], row["id"], row["name"], str(row["detail"]))


def sql(check: Check, dates: list[dict[str, str]], moment: datetime, source: str | None) -> str:
    """What ``find`` asks for one check, as anyone can carry it out."""
    return inline_parameters(_query(check), _values(check, dates, moment, source))


def _query(check: Check) -> str:
    return _AT_A_MOMENT.format(sql=check.sql)


def _values(check: Check, dates: list[dict[str, str]], moment: datetime, source: str | None) -> dict[str, Value]:
    return {**check.thresholds, "moment": moment, "asked_source": source, "systems": json.dumps(dates)}


def _is_day(text: str | None) -> bool:
    try:
        return bool(date.fromisoformat(text or ""))
    except ValueError:
        return False


def _files(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; `check_folder` is where your own checks are, as .sql files")
    return folder.glob("*.sql")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from error
