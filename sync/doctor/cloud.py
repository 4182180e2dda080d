"""One source: the way to its services, whether it lets us in, and whether we may read the list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING

from sync.doctor.network import Address, way_to
from sync.doctor.result import Findings, Result, check, ok, skip, unknown, warning, wrong
from sync.domain.answer import Answer
from sync.domain.run import Source
from sync.errors import DeadlineError, ForbiddenError, ImageSyncError, UnauthorizedError
from sync.settings import Password
from sync.settings import Source as SourceSettings

if TYPE_CHECKING:
    from sync.cloud.session import CloudSession

_CHECKS = ("proxy", "name", "connection", "TLS", "login", "list")


@dataclass(slots=True)
class SourceProbe:
    """One source to look at.

    Attributes:
        given: its settings.
        source: the same as the rules see it.
        open_session: opens a session with its cloud for one look.
        date: what the last answer said of the time, or None.
        seen_at: when that was by this machine's clock, in seconds since 1970.
    """

    given: SourceSettings
    source: Source
    open_session: Callable[[], AbstractContextManager[CloudSession]]
    date: str | None = None
    seen_at: float = 0.0


def cloud_checks(probe: SourceProbe, *, offline: bool) -> Iterator[Result]:
    """All that can be told of a source without the database: at most one login, and one request for one image."""
    if offline:
        yield from skip("of --offline", *_CHECKS)
        return
    reached = yield from way_to(Address.of(probe.given.endpoint))
    identity = getattr(probe.given.credentials, "iam_endpoint", probe.given.endpoint)
    if identity != probe.given.endpoint:
        known = yield from way_to(Address.of(identity))
        reached = reached and known
    if reached:
        yield from _entry(probe)
    else:
        yield from skip("the way there is not open", "login", "list")


def _entry(probe: SourceProbe) -> Iterator[Result]:
    """Log in where that takes a request of its own, and ask for one image."""
    own_login = isinstance(probe.given.credentials, Password)
    with probe.open_session() as session:
        if own_login and not (yield from _login(probe.given, session)):
            yield from skip("the login failed", "list")
            return
        answer = _peek(probe, session)
    if not own_login:
        yield from _credentials(answer)
    yield from _list(probe, answer)


@check("login")
def _login(given: SourceSettings, session: CloudSession) -> Findings[bool]:
    session.credential.headers("GET", given.endpoint)
    yield ok("the identity service gives a token")
    return True


def _peek(probe: SourceProbe, session: CloudSession) -> Answer | ImageSyncError:
    try:
        return session.images.peek()
    except ImageSyncError as error:
        return error
    finally:
        probe.date, probe.seen_at = session.client.date, time()


@check("login")
def _credentials(answer: Answer | ImageSyncError) -> Findings[None]:
    """A token or a signature is judged together with the request that bears it."""
    if isinstance(answer, UnauthorizedError):
        raise answer
    if isinstance(answer, Answer | ForbiddenError):
        yield ok("the credentials are accepted")
    else:
        yield unknown("the request for the list came to nothing")


@check("list")
def _list(probe: SourceProbe, answer: Answer | ImageSyncError) -> Findings[None]:
    filter = f" with the filter {probe.source.filter}" if probe.source.filter else ""
    if isinstance(answer, DeadlineError):
        yield wrong("no whole answer came in time", "see why the cloud or the network is slow")
    elif isinstance(answer, UnauthorizedError) and not isinstance(probe.given.credentials, Password):
        yield unknown("the credentials are refused")
    elif isinstance(answer, ImageSyncError):
        raise answer
    elif not answer.images:
        yield warning(
            f"it may be read{filter}, and is empty",
            "if there are images, check filter, project and permissions; a run holds all deletions until this is clear",
        )
    else:
        total = "an unknown number of" if answer.total is None else answer.total
        yield ok(f"it may be read{filter}; the cloud tells of {total} images")
