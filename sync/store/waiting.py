"""A connection that is never waited on for ever: by our own clock, whatever the server and the network do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from psycopg.abc import PQGen

T = TypeVar("T")
Over = Callable[[], bool]
_LOOK = 0.1  # seconds; our clock is looked at this often while we wait, since the driver wakes up as often
_LAST = 1.0  # seconds for the server to answer a request to cancel, and to end what was cancelled


class NoAnswerError(psycopg.OperationalError):
    """The server did not answer within our limit, and the connection was closed."""


def never() -> bool:
    """Say that nothing is over."""
    return False


def later(over: Over, seconds: float) -> Over:
    """Say that it is over once it has been so for these seconds."""
    since: list[float] = []

    def put_off() -> bool:
        if not over():
            return False
        since[:] = since or [time.monotonic()]
        return time.monotonic() - since[0] >= seconds

    return put_off


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose every wait can be ended by us.

    The time-outs of the server and of TCP do not help where the server's process stands still, or where something on
    the way keeps the connection open and hands nothing on.

    Attributes:
        limit: seconds for one answer; None: as long as it takes.
        over: whether to wait no longer, such as for a run past its deadline; called in the midst of a wait.
    """

    limit: float | None = None
    over: Over = staticmethod(never)

    @contextmanager
    def patient(self, limit: float | None, over: Over | None = None) -> Iterator[None]:
        """Have these limits for as long as the block lasts."""
        before = self.limit, self.over
        self.limit, self.over = limit, over or self.over
        try:
            yield
        finally:
            self.limit, self.over = before

    def wait(self, gen: PQGen[T], *arguments: Any, **options: Any) -> T:
        """Wait as the driver does, within the limits; everything but connecting and cancelling comes through here."""
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE and self.over():
            self._give_up("the data was not yet all sent when the run had to end")  # in the middle of COPY
        return super().wait(self._watched(gen), *arguments, **options)

    def _watched(self, gen: PQGen[T]) -> PQGen[T]:
        """Hand on what the driver and its generator say to each other, and look at the clock where it takes long."""
        began, cancelled = time.monotonic(), None
        try:
            state = next(gen)
            while True:
                ready = yield state
                state = gen.send(ready)  # first, so that an answer that is there counts
                now = time.monotonic()
                if now - began < _LOOK:
                    continue
                if self.limit is not None and now - began >= self.limit:
                    self._cancel()
                    self._give_up(f"the server did not answer within {self.limit:g} s")
                if cancelled is None and self.over():
                    cancelled = now
                    self._cancel()
                elif cancelled is not None and now - cancelled >= _LAST:
                    self._give_up("the server did not answer, and the run had to end")
        except StopIteration as end:
            result: T = end.value
            return result

    def _cancel(self) -> None:
        """Have the server end the statement, should it be there; this goes by a connection of its own."""
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=_LAST)

    def _give_up(self, why: str) -> None:
        self.pgconn.finish()
        raise NoAnswerError(why)
