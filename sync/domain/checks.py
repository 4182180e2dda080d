"""A check of the inventory: what it finds, how severe that is, and what to do about it. Each is a file of SQL.

The file begins with a header of comments, ``-- key: text``, followed by one SELECT that returns source, id, name and
detail of each image it finds. Its thresholds are named numbers, such as ``-- threshold: days = 7 -- what it means``,
which the SQL uses as ``:days``.
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
    """The severity of a finding."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """An image that a check found.

    Attributes:
        check: name of the check.
        severity: severity of the check.
        source: source of the image.
        id: id of the image.
        name: name of the image, or None if it has none.
        detail: what was found, in words.
    """

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
        name: its name, which is that of its file.
        title: what it finds, in one line.
        severity: how severe that is.
        why: why it matters.
        action: what to do about it.
        sql: one SELECT of source, id, name and detail.
        thresholds: numbers by name.
        meanings: the meaning of each number, by name.
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
            UsageError: the header is incomplete, or a line of it has a mistake.
        """
        header, sql = _split(name, text)
        if missing := [key for key in _REQUIRED if key not in header]:
            raise UsageError(f"check {name}: its header lacks `-- {missing[0]}: ...`")
        title, severity, why, action = (header[key][0] for key in _REQUIRED)
        if severity.upper() not in Severity.__members__:
            raise UsageError(f"check {name}: severity {severity} is none of low, medium, high")
        thresholds, meanings = {}, {}
        for line in header.get("threshold", ()):
            if (match := _THRESHOLD.fullmatch(line)) is None:
                raise UsageError(f"check {name}: the threshold {line!r} is not `name = number -- meaning`")
            thresholds[match[1]], meanings[match[1]] = int(match[2]), match[3] or ""
        return cls(name, title, Severity[severity.upper()], why, action, sql, thresholds, meanings)

    def using(self, thresholds: Mapping[str, int]) -> Self:
        """The same check with some thresholds replaced.

        Raises:
            UnknownError: the check has no threshold of that name.
        """
        for key in thresholds:
            if key not in self.thresholds:
                known = ", ".join(self.thresholds) or "none"
                raise UnknownError(f"check {self.name} has no threshold {key}; it has {known}")
        return replace(self, thresholds={**self.thresholds, **thresholds})


def _split(name: str, text: str) -> tuple[dict[str, list[str]], str]:
    """The texts of the header, by key, and the SQL."""
    header: dict[str, list[str]] = {}
    key, lines = "", re.split(r"\r\n?|\n", text)  # what ends a line for PostgreSQL; others may be in texts
    while lines and lines[0].startswith("--"):
        line = lines.pop(0)
        if match := _HEADER.fullmatch(line):
            key = match[1]
            header.setdefault(key, []).append(match[2].strip())
        elif key and line.startswith("--  "):
            header[key][-1] += f" {line[2:].strip()}"
        else:
            raise UsageError(f"check {name}: its header has the line {line!r}, which is not `-- key: text`")
    return header, "\n".join(lines).strip().removesuffix(";")
