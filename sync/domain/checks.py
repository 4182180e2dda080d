"""A check of the inventory: what it looks for, how bad that is, and what to do about it. Each is a file of SQL.

The file begins with a header of comments, ``-- name: text``, and is one SELECT after that, which returns source, id,
name and detail of each image it finds. Its thresholds are numbers with names, such as ``-- threshold: days = 7 -- what
it means``, and stand in the SQL as ``:days``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Self

from sync.errors import UnknownError, UsageError

COLUMNS = ("source", "id", "name", "detail")
_HEADER = re.compile(r"-- ([a-z]+): (.+)")
_THRESHOLD = re.compile(r"([a-z_]+) = (\d{1,9})(?: -- (.+))?")
_REQUIRED = ("title", "severity", "why", "do")


class Severity(IntEnum):
    """How bad a finding is."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """An image that a check found."""

    check: str
    severity: Severity
    source: str
    id: str
    name: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: its name, that of its file.
        title: what it finds, in a line.
        severity: how bad that is.
        why: why it matters.
        action: what to do.
        sql: one SELECT of source, id, name and detail.
        thresholds: number by name.
        meanings: what each number means.
    """

    name: str
    title: str
    severity: Severity
    why: str
    action: str
    sql: str
    thresholds: Mapping[str, int] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, name: str, text: str) -> Self:
        """Read a check from the text of its file.

        Raises:
            UsageError: the header lacks something, or something in it can't be understood.
        """
        told, sql = _split(name, text)
        if missing := [key for key in _REQUIRED if key not in told]:
            raise UsageError(f"check {name}: its header lacks `-- {missing[0]}: ...`")
        severity = told["severity"][0].upper()
        if severity not in Severity.__members__:
            raise UsageError(f"check {name}: severity {told['severity'][0]} is none of low, medium, high")
        thresholds = {found[1]: found for found in (_threshold(name, line) for line in told.get("threshold", ()))}
        return cls(
            name=name,
            title=told["title"][0],
            severity=Severity[severity],
            why=told["why"][0],
            action=told["do"][0],
            sql=sql,
            thresholds={key: int(found[2]) for key, found in thresholds.items()},
            meanings={key: found[3] or "" for key, found in thresholds.items()},
        )

    def using(self, given: Mapping[str, int]) -> Self:
        """The same check with some thresholds set otherwise.

        Raises:
            UnknownError: it has no threshold of that name.
        """
        for key in given:
            if key not in self.thresholds:
                known = ", ".join(self.thresholds) or "none at all"
                raise UnknownError(f"check {self.name} has no threshold {key}; it has {known}")
        return replace(self, thresholds={**self.thresholds, **given})


def _split(name: str, text: str) -> tuple[dict[str, list[str]], str]:
    """The header, by key, and the SQL."""
    told: dict[str, list[str]] = {}
    last, lines = "", text.splitlines()
    while lines and lines[0].startswith("--"):
        line = lines.pop(0)
        if found := _HEADER.fullmatch(line):
            last = found[1]
            told.setdefault(last, []).append(found[2].strip())
        elif last and line.startswith("--  "):
            told[last][-1] += f" {line[2:].strip()}"
        else:
            raise UsageError(f"check {name}: its header has the line {line!r}, which is not `-- name: text`")
    return told, "\n".join(lines).strip().removesuffix(";")


def _threshold(name: str, line: str) -> re.Match[str]:
    found = _THRESHOLD.fullmatch(line)
    if found is None:
        raise UsageError(f"check {name}: the threshold {line!r} is not `name = number -- meaning`")
    return found
