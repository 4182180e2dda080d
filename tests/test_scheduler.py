"""The scheduler: again and again, never twice at once, and a clean end."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from sync.scheduler import run_every

WAIT = 30.0  # seconds; only a test that fails waits so long


class Counted:
    """A job that counts its runs, and how many of them there ever were at once; may wait to be let go on."""

    def __init__(self, stop_after: int, stop: threading.Event, gate: threading.Event | None = None) -> None:
        self.runs = self.ended = self.most = self._now = 0
        self._stop_after, self._stop, self._gate = stop_after, stop, gate
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Run once; the last one sets the stop."""
        with self._lock:
            self.runs += 1
            self._now += 1
            self.most = max(self.most, self._now)
        if self._gate is not None:
            assert self._gate.wait(WAIT)
        with self._lock:
            self._now -= 1
            self.ended += 1
        if self.runs >= self._stop_after:
            self._stop.set()


def ignore(_name: str, _due: datetime) -> None:
    """Nobody is told of what was skipped."""


def test_runs_at_once_and_again() -> None:
    """The first run starts at once, the others follow, and the end comes when the event is set."""
    stop = threading.Event()
    job = Counted(2, stop)
    run_every(1, {"job": job}, stop, ignore, at_once=True)

    assert (job.runs, job.ended, job.most) == (2, 2, 1)


def test_first_run_may_wait_for_its_turn() -> None:
    """With ``at_once`` off, the first run comes one interval after the start."""
    stop, began = threading.Event(), datetime.now(UTC)
    times: list[datetime] = []

    def job() -> None:
        times.append(datetime.now(UTC))
        stop.set()

    run_every(1, {"job": job}, stop, ignore, at_once=False)

    assert len(times) == 1
    assert (times[0] - began).total_seconds() >= 1


def test_never_twice_at_once_and_what_is_skipped_is_told() -> None:
    """While a run goes on past its next turn, that turn is skipped, and told by name and time in UTC."""
    stop, gate, began = threading.Event(), threading.Event(), datetime.now(UTC)
    job, skipped = Counted(1, stop, gate), []

    def tell(name: str, due: datetime) -> None:
        skipped.append((name, due))
        gate.set()

    run_every(1, {"slow": job}, stop, tell, at_once=True)
    name, due = skipped[0]

    assert job.most == 1
    assert (name, due.utcoffset()) == ("slow", timedelta(0))
    assert timedelta(seconds=1) <= due - began < timedelta(seconds=2)  # its very next turn, as the schedule has it


def test_one_job_does_not_wait_for_another() -> None:
    """Each source has its own turn: a slow one does not keep the others waiting."""
    stop, gate = threading.Event(), threading.Event()
    slow, quick = Counted(1, stop, gate), Counted(1, gate)
    run_every(60, {"slow": slow, "quick": quick}, stop, ignore, at_once=True)

    assert (slow.ended, quick.ended) == (1, 1)


def test_returns_when_the_last_run_has_ended() -> None:
    """The event ends the schedule, not the run: that one is waited for."""
    stop, gate = threading.Event(), threading.Event()
    job = Counted(99, stop, gate)

    def stop_then_open() -> None:
        stop.set()
        threading.Timer(0.3, gate.set).start()

    run_every(60, {"slow": job, "stopper": stop_then_open}, stop, ignore, at_once=True)

    assert (job.runs, job.ended) == (1, 1)


def test_job_that_raises_gets_its_next_turn() -> None:
    """An error that nobody foresaw does not end the schedule."""
    stop = threading.Event()
    errors = [RuntimeError("unforeseen")]

    def job() -> None:
        if errors:
            raise errors.pop()
        stop.set()

    run_every(1, {"job": job}, stop, ignore, at_once=True)

    assert stop.is_set()
    assert not errors
