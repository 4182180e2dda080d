"""What the tests of ``doctor`` share: one subject is examined, and a line of it is picked out."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from sync import wiring
from sync.cloud.session import probe_session
from sync.doctor.cloud import SourceProbe, cloud_checks
from sync.doctor.database import DatabaseState, Requirements, database_checks
from sync.doctor.result import Result, about
from sync.settings import Source, Token
from sync.settings.secret import Secret
from sync.store.connection import Target

LONGEST = 900.0  # seconds, of a run


def probe(url: str, token: str | None = None, *, seconds: float = 5.0, **options: Any) -> SourceProbe:
    """A source at this address, to be looked at with so much patience."""
    given = Source(**({"endpoint": url, "credentials": Token(token=Secret(token or "some"))} | options))
    session: Any = partial(probe_session, given, seconds)
    return SourceProbe(given, wiring.source_of(given), session)


def look_at(source: SourceProbe, *, offline: bool = False) -> list[Result]:
    """What is found of the cloud of a source."""
    return about("default", cloud_checks(source, offline=offline))


def look_into(url: str, seen: DatabaseState | None = None, **demand: Any) -> list[Result]:
    """What is found of a database."""
    asked = Requirements(**({"names": ["default"], "longest": LONGEST} | demand))
    return about("database", database_checks(Target(url, connect_timeout=2), asked, seen or DatabaseState()))


def levels(lines: Iterable[Result]) -> dict[str, str]:
    """The level of each check; the worst, where one has several lines."""
    order = ["ok", "skipped", "warning", "wrong"]
    found: dict[str, str] = {}
    for line in lines:
        found[line.check] = max(found.get(line.check, "ok"), line.level.value, key=order.index)
    return found


def not_ok(lines: Iterable[Result]) -> dict[str, str]:
    """The same without what is in order."""
    return {name: level for name, level in levels(lines).items() if level != "ok"}


def said(lines: Iterable[Result], check: str) -> str:
    """What one check tells, and advises."""
    return "\n".join(f"{line.found}; {line.advice}" for line in lines if line.check == check)
