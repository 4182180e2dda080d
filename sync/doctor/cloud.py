"""One source: the way to its services, its login, and the permission to read its list."""

from __future__ import annotations

from dataclasses import dataclass
from time import time

from sync.cloud.access import logs_in
from sync.cloud.session import probe_session
from sync.doctor.network import Address, way_to
from sync.doctor.report import Lines, Report, ok, unknown, warning, wrong
from sync.domain.answer import Answer
from sync.errors import DeadlineError, ForbiddenError, ImageSyncError, UnauthorizedError
from sync.settings import Source

_PATIENCE = 10.0  # seconds


@dataclass(slots=True)
class SourceProbe:
    """One source to check.

    Attributes:
        settings: of the source.
        seconds: the longest time for the one or two requests to the cloud.
        date: the date of the last answer as the cloud gave it, or None.
        seen_at: when that came by this machine's clock, in seconds since 1970.
    """

    settings: Source
    seconds: float = _PATIENCE
    date: str | None = None
    seen_at: float = 0.0


def cloud_checks(report: Report, probe: SourceProbe, *, offline: bool) -> None:
    """Check a source without the database, by at most one login, and one request for one image."""
    if offline:
        report.skip("of --offline", "proxy", "name", "connection", "TLS", "login", "list")
        return
    reached = True
    for url in dict.fromkeys(probe.settings.addresses):
        reached = way_to(report, Address.of(url)) and reached
    if not reached:
        report.skip("the way there is not open", "login", "list")
        return
    answer = report.check("login", _login(probe))
    if answer is None:
        report.skip("the login failed", "list")
    else:
        report.check("list", _list(probe.settings, answer))


def _login(probe: SourceProbe) -> Lines[Answer | ImageSyncError]:
    """Log in, and ask for one image; credentials that log in by a request of their own never do so twice."""
    own_login = logs_in(probe.settings)
    with probe_session(probe.settings, probe.seconds) as session:
        if own_login:
            session.access.credential.grant()
            yield ok("the identity service issues a token")
        scope = session.scope()
        if scope.project:
            yield ok(f"the scope is {scope.text()}")
        if probe.settings.endpoint is None:
            yield ok(f"the service catalog names {session.client.endpoint}")
        if scope.sees_all:
            yield warning("it sees all projects' images", "give the user a role such as reader in one project")
        try:
            answer: Answer | ImageSyncError = session.images.peek()
        except ImageSyncError as error:
            answer = error
        probe.date, probe.seen_at = session.client.date, time()
    if isinstance(answer, UnauthorizedError) and not own_login:
        yield wrong(str(answer))
    elif isinstance(answer, Answer | ForbiddenError) and not own_login:
        yield ok("the credentials are accepted")
    elif not own_login:
        yield unknown("the request for the list failed")
    return answer


def _list(source: Source, answer: Answer | ImageSyncError) -> Lines[None]:
    filter = f" with the filter {source.filter_query}" if source.filter else ""
    if isinstance(answer, DeadlineError):
        yield wrong("no complete answer came in time", "find out why the cloud or the network is slow")
    elif isinstance(answer, UnauthorizedError) and not logs_in(source):
        yield unknown("the credentials are refused")
    elif isinstance(answer, ImageSyncError):
        raise answer
    elif not answer.images:
        yield warning(
            f"it may be read{filter}, but is empty",
            "if there are images, check filter, project and permissions; a run holds all deletions until this is clear",
        )
    else:
        total = "" if answer.total is None else f"; the cloud reports {answer.total} images"
        yield ok(f"it may be read{filter}{total}")
