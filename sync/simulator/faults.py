"""What goes wrong on purpose: the hook that the service calls, and the faults that a user can ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from threading import Lock

from sync.errors import UsageError
from sync.simulator.answers import Answer, Members, Request
from sync.simulator.apis import Behaviour, behaviour_at
from sync.simulator.listing import Query


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
        self._failure: Callable[[type[Behaviour]], Fault] = lambda _: Fault()
        self._times = 0

    def lose(self, ids: Iterable[str]) -> None:
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
        headers = (("Retry-After", str(retry_after)),) if retry_after is not None else ()

        def failure(behaviour: type[Behaviour]) -> Fault:
            return Fault(answer=lambda _, request: _with_headers(behaviour.error(status, request), headers))

        with self._lock:
            self._times, self._failure = times, failure

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._hidden, self._times = frozenset(), 0

    def strike(self, request: Request) -> Fault:
        """The fault that hits this request. Called once per request, before anything is looked up."""
        with self._lock:
            behaviour = behaviour_at(request.path) if self._times else None
            if behaviour is not None:
                self._times -= 1
                return self._failure(behaviour)
            hidden = self._hidden
        return Fault(ask=lambda query: replace(query, hidden=query.hidden | hidden)) if hidden else Fault()


def _with_headers(answer: Answer, headers: tuple[tuple[str, str], ...]) -> Answer:
    return replace(answer, headers=answer.headers + headers)
