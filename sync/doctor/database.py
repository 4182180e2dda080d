"""The database: whether it can be reached, is fit for an inventory, and lets a run do what it does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from sync.doctor.clock import database_clock
from sync.doctor.privileges import privilege_checks
from sync.doctor.result import Findings, Result, check, ok, skip, warning, wrong
from sync.errors import ImageSyncError
from sync.store.connection import NOT_UTF8, Target, open_connection
from sync.store.queries.doctor import About, Inspection, State
from sync.store.schema import migrate

OLDEST, NEWEST = 14, 18  # of PostgreSQL: the oldest that is promised, and the newest that was tried
_CHECKS = (
    *("reachable", "version", "encoding", "writable", "TLS", "pooler", "clock", "connections", "time-outs", "space"),
    *("schema", "privileges"),
)
_SHORTEST = {"transaction_timeout": 60.0}  # seconds that a run may need
_UNSURE = ("allow", "prefer", "require")  # modes of libpq that take any certificate


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the runs will ask of the database.

    Attributes:
        names: of the sources.
        at_once: how many of them are synced at the same time, each with a connection.
        longest: seconds for which a connection may lie idle, while a list is read.
        own: whether the server is the job's own.
    """

    names: Sequence[str] = ()
    at_once: int = 1
    longest: float = 0.0
    own: bool = False


@dataclass(slots=True)
class DatabaseState:
    """What was learnt on the way.

    Attributes:
        ahead: seconds that the database's clock is ahead of this machine's, or None.
        states: how the sources stand, by name; those without a run are not among them.
        unseen: why that is not known, or "".
    """

    ahead: float | None = None
    states: dict[str, State] = field(default_factory=dict)
    unseen: str = "the database can't be reached"


def skipped(because: str) -> Iterator[Result]:
    """The lines of a database that can't be looked at."""
    return skip(because, *_CHECKS)


def database_checks(target: Target, demand: Requirements, seen: DatabaseState) -> Iterator[Result]:
    """All that can be told of the database; how the sources stand goes to ``seen``."""
    inspection = yield from _reachable(target)
    if inspection is None:
        yield from skip("the database can't be reached", *_CHECKS[1:])
        return
    with inspection.connection:
        about = yield from _version(inspection)
        if about is None:
            yield from skip("the server does not tell", *_CHECKS[2:])
            return
        yield from _server(inspection, about, demand, seen)
        there = yield from _schema(inspection, about)
        yield from privilege_checks(inspection, about, whole=there is not None)
        _look(inspection, demand, seen, there=there is not False)


def _server(inspection: Inspection, about: About, demand: Requirements, seen: DatabaseState) -> Iterator[Result]:
    yield from _encoding(about)
    yield from _writable(about)
    yield from _tls(inspection, about)
    yield from _pooler(inspection, about)
    seen.ahead = _ahead(inspection)
    yield from database_clock(seen.ahead)
    yield from _connections(inspection, demand)
    yield from _timeouts(inspection, demand)
    yield from _space(about, demand)


@check("reachable")
def _reachable(target: Target) -> Findings[Inspection]:
    inspection = Inspection(open_connection(target), target)
    info = inspection.connection.info
    yield ok(f"{info.user} at {info.host or 'this machine'} port {info.port}, database {info.dbname}")
    return inspection


@check("version")
def _version(inspection: Inspection) -> Findings[About]:
    about = inspection.about()
    found = f"PostgreSQL {about.version}"
    if about.major < OLDEST:
        yield wrong(found, f"take PostgreSQL {OLDEST} or newer")
    elif about.major > NEWEST:
        yield warning(
            found, f"newer than {NEWEST}, with which this program was tried; see whether there is a newer one"
        )
    else:
        yield ok(found)
    return about


@check("encoding")
def _encoding(about: About) -> Findings[None]:
    yield ok(about.encoding) if about.encoding == "UTF8" else wrong(f"{about.encoding}, not UTF8", NOT_UTF8)


@check("writable")
def _writable(about: About) -> Findings[None]:
    if about.standby:
        yield wrong("it is a standby", "point IMAGE_SYNC_DATABASE_URL at the primary")
    elif about.read_only:
        yield wrong(
            "transactions are read-only here (default_transaction_read_only)",
            f"point IMAGE_SYNC_DATABASE_URL at the primary, or ALTER ROLE {about.role} or the database SET it to off",
        )
    else:
        yield ok("it is a primary, and takes changes")


@check("TLS")
def _tls(inspection: Inspection, about: About) -> Findings[None]:
    info = inspection.connection.info
    mode = info.get_parameters().get("sslmode", "prefer")
    if inspection.connection.pgconn.ssl_in_use and mode not in _UNSURE:
        yield ok(f"{about.tls or 'TLS'}, sslmode={mode}")
    elif _is_here(info.host, info.hostaddr):
        yield ok("the connection does not leave this machine")
    elif inspection.connection.pgconn.ssl_in_use:
        yield warning(
            f"{about.tls or 'TLS'}, but sslmode={mode} takes any certificate",
            "add sslmode=verify-full and sslrootcert=... to the database URL",
        )
    else:
        yield warning(
            "none: passwords and images can be read on the way", "add sslmode=verify-full to the database URL"
        )


@check("pooler")
def _pooler(inspection: Inspection, about: About) -> Findings[None]:
    """A pooler tells a number of its own for the server's process; a server tells the true one."""
    if inspection.connection.info.backend_pid == about.process:
        yield ok("none in between")
    else:
        yield warning(
            "there is one in between (such as pgbouncer); runs work through it",
            "give `image-sync db upgrade` the address of the server itself: its lock does not hold through a pooler",
        )


@check("connections")
def _connections(inspection: Inspection, demand: Requirements) -> Findings[None]:
    left = inspection.connections_left()
    # Ours is given back.
    free, whose = min(
        (number + 1, whose)
        for number, whose in ((left.server, "server"), (left.role, "role"), (left.database, "database"))
        if number is not None
    )
    found = f"{free} are left by the limit of the {whose}, {demand.at_once} are needed"
    if free < demand.at_once:
        yield warning(found, "raise the limit, lower `jobs`, or end what holds the others (pg_stat_activity)")
    else:
        yield ok(found)


@check("time-outs")
def _timeouts(inspection: Inspection, demand: Requirements) -> Findings[None]:
    """Those that a run can't set itself; lock_timeout and the like it does."""
    shortest = {"idle_session_timeout": demand.longest} | _SHORTEST
    short = [each for each in inspection.timeouts() if each.seconds < shortest[each.name]]
    for each in short:
        yield warning(
            f"{each.name} is {each.seconds:g} s, and a run may need {shortest[each.name]:g} s",
            f"ALTER ROLE {inspection.connection.info.user} SET {each.name} = 0",
        )
    if not short:
        yield ok("none that could end a run")


@check("space")
def _space(about: About, demand: Requirements) -> Findings[None]:
    size = f"the database has {about.bytes / 1e6:.0f} MB"
    yield ok(size if demand.own else f"{size}; how much is free on its server can't be asked, so watch it there")


@check("schema")
def _schema(inspection: Inspection, about: About) -> Findings[bool]:
    """Whether there is an inventory; its revision is judged, too."""
    if inspection.revision() is not None:
        yield ok(f"at revision {migrate.head()}, as this program needs")
        return True
    if about.may_create:
        yield warning("there is no inventory yet", "the first run makes it; so does `image-sync db upgrade`")
    else:
        yield wrong(
            f"there is no inventory yet, and the role {about.role} may not make it",
            "run `image-sync db upgrade` once as a role that may CREATE in the database",
        )
    return False


def _look(inspection: Inspection, demand: Requirements, seen: DatabaseState, *, there: bool) -> None:
    if not there:
        seen.unseen = "there is no inventory yet"
        return
    try:
        seen.states, seen.unseen = inspection.states(demand.names), ""
    except ImageSyncError as error:
        seen.unseen = f"it can't be read: {error}"


def _ahead(inspection: Inspection) -> float:
    before = time.time()
    moment = inspection.now().timestamp()
    return moment - (before + time.time()) / 2


def _is_here(host: str, address: str) -> bool:
    try:
        return host.startswith("/") or not host or ip_address(address or host).is_loopback
    except ValueError:
        return host == "localhost"
