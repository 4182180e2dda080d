"""What the tests of ``doctor`` share: one subject is examined, and a line of it is picked out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sync.doctor.cloud import SourceProbe, cloud_checks
from sync.doctor.database import DatabaseProbe, database_checks
from sync.doctor.report import Line, Report
from sync.settings import Source, Token
from sync.settings.secret import Secret
from sync.store.connection import Target

LONGEST = 900.0  # seconds, of a run


def probe(url: str, token: str | None = None, *, seconds: float = 5.0, **options: Any) -> SourceProbe:
    """A source at this address, to be checked with so much patience."""
    settings = Source(**({"endpoint": url, "credentials": Token(token=Secret(token or "some"))} | options))
    return SourceProbe(settings, seconds)


def look_at(source: SourceProbe, *, offline: bool = False) -> list[Line]:
    """What is found of the cloud of a source."""
    return lines(cloud_checks, source, offline=offline)


def lines(checks: Callable[..., None], *args: object, **options: object) -> list[Line]:
    """What some checks find."""
    report = Report("default")
    checks(report, *args, **options)
    return report.lines


def database_probe(url: str, **options: Any) -> DatabaseProbe:
    """A database at this address, for a run of one source."""
    return DatabaseProbe(Target(url, connect_timeout=2), **({"names": ["default"], "longest": LONGEST} | options))


def look_into(database: str | DatabaseProbe, **options: Any) -> list[Line]:
    """What is found of a database."""
    database = database_probe(database, **options) if isinstance(database, str) else database
    return lines(database_checks, database)


def levels(lines: Iterable[Line]) -> dict[str, str]:
    """The level of each check; the worst, where one has several lines."""
    order = ["ok", "skipped", "warning", "wrong"]
    found: dict[str, str] = {}
    for line in lines:
        found[line.check] = max(found.get(line.check, "ok"), line.level.value, key=order.index)
    return found


def not_ok(lines: Iterable[Line]) -> dict[str, str]:
    """The same without what is in order."""
    return {name: level for name, level in levels(lines).items() if level != "ok"}


def said(lines: Iterable[Line], check: str) -> str:
    """What one check tells, and advises."""
    return "\n".join(f"{line.found}; {line.advice}" for line in lines if line.check == check)
