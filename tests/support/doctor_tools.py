"""Tools for tests of ``doctor``: check one subject, and select its lines."""

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
    """A source at this address, checked within this many seconds."""
    settings = Source(**({"endpoint": url, "credentials": Token(token=Secret(token or "some"))} | options))
    return SourceProbe(settings, seconds)


def look_at(source: SourceProbe, *, offline: bool = False) -> list[Line]:
    """The lines about the cloud of a source."""
    return lines(cloud_checks, source, offline=offline)


def lines(checks: Callable[..., None], *args: object, **options: object) -> list[Line]:
    """The lines that some checks report."""
    report = Report("default")
    checks(report, *args, **options)
    return report.lines


def database_probe(url: str, **options: Any) -> DatabaseProbe:
    """A database at this address, for a run of one source."""
    return DatabaseProbe(Target(url, connect_timeout=2), **({"names": ["default"], "longest": LONGEST} | options))


def look_into(database: str | DatabaseProbe, **options: Any) -> list[Line]:
    """The lines about a database."""
    database = database_probe(database, **options) if isinstance(database, str) else database
    return lines(database_checks, database)


def levels(lines: Iterable[Line]) -> dict[str, str]:
    """The level of each check; the worst one if a check has several lines."""
    order = ["ok", "skipped", "warning", "wrong"]
    by_check: dict[str, str] = {}
    for line in lines:
        by_check[line.check] = max(by_check.get(line.check, "ok"), line.level.value, key=order.index)
    return by_check


def not_ok(lines: Iterable[Line]) -> dict[str, str]:
    """The levels of the checks that are not ok."""
    return {name: level for name, level in levels(lines).items() if level != "ok"}


def said(lines: Iterable[Line], check: str) -> str:
    """The findings and advice of one check."""
    return "\n".join(f"{line.found}; {line.advice}" for line in lines if line.check == check)
