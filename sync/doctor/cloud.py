"""One source: the way to its services, whether it lets us in, and whether we may read the list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Protocol

from sync.doctor.network import Address, way_to
from sync.doctor.result import Findings, Result, check, ok, skip, unknown, warning, wrong
from sync.domain.answer import Answer
from sync.domain.run import Source
from sync.errors import DeadlineError, ForbiddenError, ImageSyncError, UnauthorizedError
from sync.settings import Password
from sync.settings import Source as RawValue

if TYPE_CHECKING:
    from sync.cloud.auth.credential import Credential
    from sync.cloud.client import Client
    from sync.cloud.image_list import ImageList

_CHECKS = ("proxy", "name", "connection", "TLS", "login", "list")


class Asking(Protocol):
    """What asks the cloud of one source."""

    @property
    def credential(self) -> Credential:
        """Proves who asks."""

    @property
    def client(self) -> Client:
        """Knows the cloud's clock after an answer."""

    @property
    def images(self) -> ImageList:
        """The list."""


@dataclass(slots=True)
class SourceProbe:
    """One source to look at.

    Attributes:
        given: its settings.
        source: the same as the rules see it.
        asking: gives what asks its cloud, with the patience of one look.
        date: what the last answer said of the time, or None.
        seen_at: when that was by this machine's clock, in seconds since 1970.
    """

    given: RawValue
    source: Source
    asking: Callable[[], AbstractContextManager[Asking]]
    date: str | None = None
    seen_at: float = 0.0


def cloud_checks(patient: SourceProbe, *, offline: bool) -> Iterator[Result]:
    """All that can be told of a source without the database: at most one login, and one request for one image."""
    if offline:
        yield from skip("of --offline", *_CHECKS)
        return
    reached = yield from way_to(Address.of(patient.given.endpoint))
    identity = getattr(patient.given.credentials, "iam_endpoint", patient.given.endpoint)
    if identity != patient.given.endpoint:
        known = yield from way_to(Address.of(identity))
        reached = reached and known
    if reached:
        yield from _entry(patient)
    else:
        yield from skip("the way there is not open", "login", "list")


def _entry(patient: SourceProbe) -> Iterator[Result]:
    """Log in where that takes a request of its own, and ask for one image."""
    own_login = isinstance(patient.given.credentials, Password)
    with patient.asking() as asking:
        if own_login and not (yield from _login(patient.given, asking)):
            yield from skip("the login failed", "list")
            return
        answer = _peek(patient, asking)
    if not own_login:
        yield from _credentials(answer)
    yield from _list(patient, answer)


@check("login")
def _login(given: RawValue, asking: Asking) -> Findings[bool]:
    asking.credential.headers("GET", given.endpoint)
    yield ok("the identity service gives a token")
    return True


def _peek(patient: SourceProbe, asking: Asking) -> Answer | ImageSyncError:
    try:
        return asking.images.peek()
    except ImageSyncError as error:
        return error
    finally:
        patient.date, patient.seen_at = asking.client.date, time()


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
def _list(patient: SourceProbe, answer: Answer | ImageSyncError) -> Findings[None]:
    scope = f" with the filter {patient.source.scope}" if patient.source.scope else ""
    if isinstance(answer, DeadlineError):
        yield wrong("no whole answer came in time", "see why the cloud or the network is slow")
    elif isinstance(answer, UnauthorizedError) and not isinstance(patient.given.credentials, Password):
        yield unknown("the credentials are refused")
    elif isinstance(answer, ImageSyncError):
        raise answer
    elif not answer.images:
        yield warning(
            f"it may be read{scope}, and is empty",
            "if there are images, check filter, project and permissions; a run holds all deletions until this is clear",
        )
    else:
        total = "an unknown number of" if answer.page.total is None else answer.page.total
        yield ok(f"it may be read{scope}; the cloud tells of {total} images")
