"""All requests, answers and changes of the world in one order, so that it can be proven what was listed when."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

_KEPT = 20_000  # events; what present_throughout needs is kept beside them and never dropped


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        seq: its place in the one order of all events, from 1.
        kind: what happened to images (created, changed, deleted, restored, hidden, shown, shared, unshared, activated,
            deactivated, property set, property removed, put or removed); or answer, token or note.
        ids: the images concerned; of an answer those it listed.
        detail: the rest, fit for JSON, without secrets.
    """

    seq: int
    kind: str
    ids: tuple[str, ...] = ()
    detail: dict[str, object] = field(default_factory=dict)


class Journal:
    """All events in order; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self._counts: Counter[str] = Counter()
        self._seq = 0
        self._listed_since: dict[str, int] = {}
        self._listed_before: list[tuple[str, int, int]] = []

    def note(
        self,
        kind: str,
        ids: Iterable[str] = (),
        *,
        came: Iterable[str] = (),
        went: Iterable[str] = (),
        **detail: object,
    ) -> None:
        """Record an event.

        Args:
            kind: what happened.
            ids: the images concerned.
            came: those of them that are listed from now on.
            went: those of them that are no longer listed.
            detail: anything else, fit for JSON.
        """
        with self._lock:
            self._seq += 1
            self._counts[kind] += 1
            self._events.append(Event(self._seq, kind, tuple(ids), detail))
            since = self._listed_since
            since |= {identity: self._seq for identity in came if identity not in since}
            self._listed_before += [(gone, since.pop(gone), self._seq) for gone in went if gone in since]

    @property
    def seq(self) -> int:
        """Number of the latest event, 0 before the first."""
        return self._seq

    @property
    def counts(self) -> dict[str, int]:
        """Number of events of each kind, including those no longer kept."""
        with self._lock:
            return dict(self._counts)

    def events(self, since: int = 0, kind: str | None = None) -> list[Event]:
        """The events after this number, in order; only those of one kind if it is named."""
        with self._lock:
            return [event for event in self._events if event.seq > since and kind in {None, event.kind}]

    def answers(self, since: int = 0) -> list[Event]:
        """The answers after this number, in order."""
        return self.events(since, "answer")

    def present_throughout(self, first: int, last: int) -> set[str]:
        """The ids that were listed from event ``first`` to event ``last`` without a gap."""
        with self._lock:
            still = {identity for identity, since in self._listed_since.items() if since <= first}
            before = {identity for identity, since, until in self._listed_before if since <= first and until > last}
            return still | before
