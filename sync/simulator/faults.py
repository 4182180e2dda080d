"""What goes wrong on purpose: the hook that the service calls, and the faults that a user can ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from threading import Lock

from sync.errors import UsageError
from sync.simulator.answers import IMAGES, Answer, Request, gateway_error
from sync.simulator.listing import Query

Members = dict[str, bytes]
"""The members of a page, each already JSON: ``images`` and ``total``."""

_CODES = {
    401: ("APIGW.0301", "Incorrect IAM authentication information: decrypt token fail"),
    403: ("APIGW.0302", "The IAM user is not authorized to access the API"),
    429: ("APIGW.0308", "The throttling threshold has been reached: policy user over ratelimit"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Changes to the answer to one request; by default there are none.

    Attributes:
        ask: changes the query before the page is looked up.
        shape: changes the members of the page before they become its body.
        answer: changes the answer, or how it is sent.
    """

    ask: Callable[[Query], Query] = lambda query: query
    shape: Callable[[Members], Members] = lambda members: members
    answer: Callable[[Answer, Request], Answer] = lambda answer, _: answer


class Faults:
    """Hidden images and failing requests; safe to use from any thread.

    A subclass that overrides ``strike`` can let anything else go wrong; it may change the world there.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._hidden: frozenset[str] = frozenset()
        self._failure = Fault()
        self._times = 0

    def hide(self, ids: Iterable[str]) -> None:
        """Leave these images out of every answer, as a replica does that does not know them."""
        self._hidden = frozenset(ids)

    def fail(self, status: int, times: int = 1, retry_after: str | None = None) -> None:
        """Answer the next requests for images with this status.

        Args:
            status: from 400 to 599.
            times: how many requests fail.
            retry_after: the ``Retry-After`` header; None for none.

        Raises:
            UsageError: the status is none of an error, or no request would fail.
        """
        if not (400 <= status <= 599 and times > 0):  # noqa: PLR2004 - the errors of HTTP
            raise UsageError("A failure needs a status from 400 to 599, and to happen at least once.")
        code, message = _CODES.get(status, ("APIGW.0201", "Backend unavailable"))
        headers = (("Retry-After", str(retry_after)),) if retry_after is not None else ()
        with self._lock:
            self._times = times
            self._failure = Fault(
                answer=lambda _, request: replace(gateway_error(status, code, message, request), headers=headers)
            )

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._hidden, self._times = frozenset(), 0

    def strike(self, request: Request) -> Fault:
        """The fault that hits this request. Called once per request, before anything is looked up."""
        with self._lock:
            if self._times and request.path == IMAGES:
                self._times -= 1
                return self._failure
            hidden = self._hidden
        return Fault(ask=lambda query: replace(query, hidden=query.hidden | hidden)) if hidden else Fault()
