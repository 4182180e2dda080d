"""The database: whether it can be reached, is fit for an inventory, and lets a run do what it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from sync.doctor.clock import database_clock
from sync.doctor.obstacles import event_trigger_checks, number_checks
from sync.doctor.pooler import pooler_check
from sync.doctor.privileges import privilege_checks
from sync.doctor.report import Lines, Report, ok, warning, wrong
from sync.errors import ImageSyncError
from sync.store.connection import NOT_UTF8, Target, open_connection
from sync.store.errors import AT_THE_PRIMARY
from sync.store.queries.doctor import About, Inspection, State
from sync.store.schema import migrate

OLDEST, NEWEST = 14, 18  # of PostgreSQL: the oldest that is promised, and the newest that was tested
_CHECKS = (
    *("reachable", "pooler", "version", "encoding", "writable", "TLS", "clock", "connections", "time-outs", "space"),
    *("schema", "privileges", "event triggers", "numbers"),
)
_UNVERIFIED = ("allow", "prefer", "require")  # modes of libpq that take any certificate


@dataclass(slots=True)
class DatabaseProbe:
    """One database to check.

    Attributes:
        target: the database, or None if it can't be checked.
        names: of the sources.
        at_once: how many of them are synced at the same time, each with a connection.
        longest: seconds for which a connection may be idle while a list is read.
        own: whether the server is the job's own.
        ahead: seconds that the database's clock turned out to be ahead of this machine's, or None.
        states: how the sources turned out to stand, by name; those without a run are missing.
        unseen: why that is not known, or "".
    """

    target: Target | None
    names: Sequence[str] = ()
    at_once: int = 1
    longest: float = 0.0
    own: bool = False
    ahead: float | None = None
    states: dict[str, State] = field(default_factory=dict)
    unseen: str = "the database can't be reached"


def database_checks(report: Report, probe: DatabaseProbe) -> None:
    """Check the database, and learn how the sources stand."""
    if probe.target is None:
        report.skip(probe.unseen, *_CHECKS)
        return
    inspection = report.check("reachable", _reachable(probe.target))
    if inspection is None:
        report.skip("the database can't be reached", *_CHECKS[1:])
        return
    with inspection.connection:
        if report.check("pooler", pooler_check(inspection, probe.target)) is None:
            probe.unseen = "the database can't be asked"
            report.skip(probe.unseen, *_CHECKS[2:])
            return
        about = report.check("version", _version(inspection))
        if about is None:
            report.skip("the server does not say what it is", *_CHECKS[3:])
            return
        _server(report, inspection, about, probe)
        has_schema = report.check("schema", _schema(inspection, about))
        report.check("privileges", privilege_checks(inspection, about, whole=has_schema is not None))
        report.check("event triggers", event_trigger_checks(inspection, about))
        if has_schema is False:
            probe.unseen = "there is no inventory yet"
            return
        try:
            probe.states, probe.unseen = inspection.states(probe.names), ""
        except ImageSyncError as error:
            probe.unseen = f"it can't be read: {error}"
        else:
            report.check("numbers", number_checks(inspection))


def _server(report: Report, inspection: Inspection, about: About, probe: DatabaseProbe) -> None:
    report.check("encoding", _encoding(about))
    report.check("writable", _writable(about))
    report.check("TLS", _tls(inspection, about))
    probe.ahead = report.check("clock", database_clock(inspection))
    report.check("connections", _connections(inspection, probe))
    report.check("time-outs", _timeouts(inspection, probe))
    report.check("space", _space(about, probe))


def _reachable(target: Target) -> Lines[Inspection]:
    inspection = Inspection(open_connection(target), target)
    info = inspection.connection.info
    yield ok(f"{info.user} at {info.host or 'this machine'} port {info.port}, database {info.dbname}")
    return inspection


def _version(inspection: Inspection) -> Lines[About]:
    about = inspection.about()
    text = f"PostgreSQL {about.version}"
    if about.major < OLDEST:
        yield wrong(text, f"use PostgreSQL {OLDEST} or newer")
    elif about.major > NEWEST:
        yield warning(text, f"this program was tested up to {NEWEST}; see whether there is a newer one")
    else:
        yield ok(text)
    return about


def _encoding(about: About) -> Lines[None]:
    yield ok(about.encoding) if about.encoding == "UTF8" else wrong(f"{about.encoding}, not UTF8", NOT_UTF8)


def _writable(about: About) -> Lines[None]:
    if about.standby:
        yield wrong("it is a read-only standby: reading commands work, and runs do not", AT_THE_PRIMARY)
    elif about.read_only:
        yield wrong(
            "transactions are read-only here (default_transaction_read_only)",
            f"set it to off by ALTER ROLE {about.role} or ALTER DATABASE {about.database}",
        )
    else:
        yield ok("it is a primary, and accepts changes")


def _tls(inspection: Inspection, about: About) -> Lines[None]:
    info, encrypted = inspection.connection.info, inspection.connection.pgconn.ssl_in_use
    mode, version = info.get_parameters().get("sslmode", "prefer"), about.tls or "TLS"
    if encrypted and mode not in _UNVERIFIED:
        yield ok(f"{version}, sslmode={mode}")
    elif _is_here(info.host, info.hostaddr):
        yield ok("the connection does not leave this machine")
    elif encrypted:
        yield warning(
            f"{version}, but sslmode={mode} takes any certificate",
            "add sslmode=verify-full and sslrootcert=... to the database URL",
        )
    else:
        yield warning(
            "none: passwords and images can be read on the way", "add sslmode=verify-full to the database URL"
        )


def _connections(inspection: Inspection, probe: DatabaseProbe) -> Lines[None]:
    left = inspection.connections_left()
    limits = (left.server, "server"), (left.role, "role"), (left.database, "database")
    # Ours is given back.
    free, whose = min((number + 1, whose) for number, whose in limits if number is not None)
    text = f"{free} are left by the limit of the {whose}, {probe.at_once} are needed"
    if free < probe.at_once:
        yield warning(text, "raise the limit, lower `jobs`, or end what holds the others (pg_stat_activity)")
    else:
        yield ok(text)


def _timeouts(inspection: Inspection, probe: DatabaseProbe) -> Lines[None]:
    """The one that a run can't set itself; lock_timeout and the like it does."""
    short = [each for each in inspection.timeouts() if each.seconds < probe.longest]
    for each in short:
        yield warning(
            f"{each.name} is {each.seconds:g} s, and a run may need {probe.longest:g} s",
            f"ALTER ROLE {inspection.connection.info.user} SET {each.name} = 0",
        )
    if not short:
        yield ok("none that could end a run")


def _space(about: About, probe: DatabaseProbe) -> Lines[None]:
    size = f"the database has {about.bytes / 1e6:.0f} MB"
    yield ok(size if probe.own else f"{size}; a server does not say how much is free, so monitor its disk there")


def _schema(inspection: Inspection, about: About) -> Lines[bool]:
    """Whether there is an inventory; one of another revision is an error."""
    if inspection.revision() is not None:
        yield ok(f"at revision {migrate.head()}, as this program needs")
        return True
    if about.may_create:
        yield warning("there is no inventory yet", "the first run creates it; so does `image-sync db upgrade`")
    else:
        yield wrong(
            f"there is no inventory yet, and the role {about.role} may not create it",
            "run `image-sync db upgrade` once as a role that may CREATE in the database",
        )
    return False


def _is_here(host: str, address: str) -> bool:
    try:
        return host.startswith("/") or not host or ip_address(address or host).is_loopback
    except ValueError:
        return host == "localhost"
