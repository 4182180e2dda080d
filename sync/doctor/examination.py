"""The whole examination: every subject at the same time, and the lines in an order that people expect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sync.doctor import database
from sync.doctor.clock import clock_checks
from sync.doctor.cloud import SourceProbe, cloud_checks
from sync.doctor.database import DatabaseState, Requirements
from sync.doctor.inventory import inventory_checks
from sync.doctor.own_server import own_server_checks
from sync.doctor.result import Result, about
from sync.doctor.settings import settings_checks
from sync.embedded.directory import ServerDirectory
from sync.errors import SettingsError
from sync.settings import Settings
from sync.store.connection import Target

_AT_ONCE = 16
_NOT_RUNNING = (
    "the job's own server does not run now, and doctor starts nothing; look while a run, `schedule` or `db psql` does"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be examined.

    Attributes:
        environ: the environment.
        file: the settings file, if one was named.
        loaded: the settings, or what could be read of them; None if nothing could.
        mistakes: what is wrong with them, or None.
        probes: the sources.
        target: the database that the settings name, or None.
        folder: gives where the job keeps a server of its own if they name none.
        offline: ask nothing of the clouds.
    """

    environ: Mapping[str, str]
    file: Path | None = None
    loaded: Settings | None = None
    mistakes: SettingsError | None = None
    probes: Sequence[SourceProbe] = ()
    target: Target | None = None
    folder: Callable[[], Path] = Path
    offline: bool = False


def diagnose(asked: Asked) -> list[Result]:
    """Look at everything; writes nothing anywhere, and takes some seconds whatever is broken."""
    seen = DatabaseState()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="doctor") as pool:
        settings = pool.submit(
            lambda: about("settings", settings_checks(asked.loaded, asked.mistakes, asked.environ, asked.file))
        )
        stored = pool.submit(_database, asked, seen)
        clouds = [
            pool.submit(about, probe.given.name, cloud_checks(probe, offline=asked.offline)) for probe in asked.probes
        ]
        lines = settings.result() + stored.result()
        for probe, cloud in zip(asked.probes, clouds, strict=True):
            lines += cloud.result() + about(probe.given.name, _rest(probe, seen))
    return lines


def _database(asked: Asked, seen: DatabaseState) -> list[Result]:
    if asked.loaded is None:
        seen.unseen = "the settings can't be read"
        return about("database", database.skipped(seen.unseen))
    demand = Requirements(
        names=[probe.given.name for probe in asked.probes],
        at_once=max(1, min(len(asked.probes), asked.loaded.jobs)),
        longest=max((probe.given.deadline for probe in asked.probes), default=0.0),
        own=asked.target is None,
    )
    if asked.target is not None:
        return about("database", database.database_checks(asked.target, demand, seen))
    return _own_server(asked.folder, demand, seen)


def _own_server(folder: Callable[[], Path], demand: Requirements, seen: DatabaseState) -> list[Result]:
    place: list[ServerDirectory | None] = []

    def server() -> Iterator[Result]:
        place.append((yield from own_server_checks(folder)))

    lines = about("own server", server())
    if place[0] is not None:
        target = Target(place[0].url(), connect_timeout=5)
        return lines + about("database", database.database_checks(target, demand, seen))
    seen.unseen = _NOT_RUNNING
    return lines + about("database", database.skipped(_NOT_RUNNING))


def _rest(probe: SourceProbe, seen: DatabaseState) -> Iterator[Result]:
    """What takes both the cloud and the database to say."""
    yield from clock_checks(probe, seen.ahead)
    yield from inventory_checks(probe.source, seen.states.get(probe.given.name), seen.unseen)
