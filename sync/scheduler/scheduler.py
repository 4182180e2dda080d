"""Runs jobs when they are due, in UTC, never one of them twice at once, until told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_SUBMITTED, JobSubmissionEvent
from apscheduler.executors.debug import DebugExecutor
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from sync import logs
from sync.scheduler.schedule import Schedule, Trigger

Skipped = Callable[[str, datetime, str], None]
BUSY = "the run before it had not ended"
_log = logs.get(__name__)
_BEAT = 0.25  # seconds
_TICK = 0.02  # seconds
_PATIENCE = 10.0  # seconds; a run that is stopped while its database is silent ends within eight
_JUMP = 5.0  # seconds by which the clock may differ from the time that passed
_STALE = 30.0  # seconds without a beat, after which the loop counts as stuck
_PULSE = "the pulse"  # no source can have this name
_PULSE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, and when."""

    turns: Schedule
    run: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks: one that can be set, and one that only runs."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    passed: Callable[[], float] = time.monotonic


class Scheduler:
    """Runs jobs by name, each when it is due.

    Args:
        skipped: told of each turn that was due and did not begin: the name, when it was due, and why. It must not
            block: it is called by the thread that starts all others.
        at_a_time: how many jobs run at the same time; the others wait for their turn.
        clock: what time it is.
        patience: seconds that what runs has to end once it was interrupted.
    """

    def __init__(
        self, skipped: Skipped, *, at_a_time: int = 4, clock: Clock | None = None, patience: float = _PATIENCE
    ) -> None:
        self._skipped, self._clock, self._patience = skipped, clock or Clock(), patience
        self._jobs: dict[str, Job] = {}
        self._due: dict[str, Trigger] = {}
        self._last_due: dict[str, datetime] = {}
        self._running = self._left = 0
        self._ending = False
        self._lock = threading.Lock()
        self._began = self._clock.now(), self._clock.passed()
        self._beaten = self._pulsed = self._clock.passed()
        # A turn that is late is made up for, once; the library's own grace is one second.
        usual = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(at_a_time), "at once": DebugExecutor()},
            job_defaults=usual,
        )
        self._keep_pulse()
        self._scheduler.add_listener(self._hear, EVENT_JOB_MAX_INSTANCES | EVENT_JOB_SUBMITTED)

    @property
    def alive(self) -> bool:
        """Whether the loop went round lately, and the library's thread did something."""
        return self._ending or self._clock.passed() - min(self._beaten, self._pulsed) < _STALE

    @property
    def running(self) -> int:
        """How many jobs run at this moment."""
        return self._running

    @property
    def left(self) -> int:
        """How many jobs were due and waited for their turn when the end came."""
        return self._left

    def gaps(self) -> dict[str, float]:
        """Seconds between the last turn and the next one, by job."""
        now = self._clock.now()
        return {name: due.gap(now) for name, due in self._due.items()}

    def set(self, jobs: Mapping[str, Job], *, at_once: bool = False) -> None:
        """Have these jobs instead of those before; what runs goes on, and what is as it was keeps its turns.

        Args:
            jobs: by name.
            at_once: whether those that are new run now for the first time, or when their turn comes.
        """
        for name in self._jobs.keys() - jobs.keys():
            self._scheduler.remove_job(name)
            del self._due[name]
        for name, job in jobs.items():
            known = self._jobs.get(name)
            if known is not None and known.turns == job.turns:
                self._scheduler.modify_job(name, func=self._counted(job.run))
            else:
                self._add(name, job, at_once=at_once and known is None)
        self._jobs = dict(jobs)

    def run(self, stop: threading.Event, every_beat: Callable[[], None] = lambda: None) -> None:
        """Go round until ``stop`` is set; then no job begins any more, and those that run go on.

        Args:
            stop: ends it.
            every_beat: called each time round, some times a second.
        """
        self._scheduler.start()
        while not stop.wait(_BEAT):
            self.beat()
            every_beat()
        self._ending = True
        self._scheduler.pause()

    def beat(self) -> None:
        """See whether the clock was set; turns are then reckoned afresh, so that none waits for a time that is gone."""
        (began, passed_before), (now, passed) = self._began, (self._clock.now(), self._clock.passed())
        self._beaten = passed
        jump = (now - began).total_seconds() - (passed - passed_before)
        if abs(jump) > _JUMP:
            _log.warning("clock jumped", seconds=round(jump, 1))
            self._began = (now, passed)
            if jump < 0:
                self._keep_pulse()
                for name, job in self._jobs.items():
                    self._add(name, job, at_once=False)

    def end(self, grace: float, hurry: threading.Event, interrupt: Callable[[], None]) -> None:
        """Wait for what still runs; where it does not end though it was interrupted, leave it running.

        Args:
            grace: seconds in which it may end by itself.
            hurry: set where there is no time for that any more.
            interrupt: called then, for what runs to end at once.
        """
        deadline = self._clock.passed() + grace
        while self._running and self._clock.passed() < deadline and not hurry.wait(_BEAT):
            pass
        interrupt()
        deadline = self._clock.passed() + self._patience
        while self._running and self._clock.passed() < deadline:
            time.sleep(_TICK)
        self._scheduler.shutdown(wait=not self._running)

    def _add(self, name: str, job: Job, *, at_once: bool) -> None:
        more = {"next_run_time": self._clock.now()} if at_once else {}
        trigger = job.turns.trigger(self._clock.now() if at_once else None)
        self._last_due.pop(name, None)
        self._due[name] = trigger
        self._scheduler.add_job(self._counted(job.run), trigger, id=name, replace_existing=True, **more)

    def _keep_pulse(self) -> None:
        """Have the library's own thread show that it is there: it starts the runs, and might have died of an error.

        It also keeps that thread from sleeping for hours, by a clock that stands still while the machine does.
        """
        every = IntervalTrigger(seconds=_PULSE_SECONDS, start_date=self._clock.now(), timezone=UTC)
        self._scheduler.add_job(self._feel, every, id=_PULSE, executor="at once", replace_existing=True)

    def _feel(self) -> None:
        self._pulsed = self._clock.passed()

    def _counted(self, run: Callable[[], object]) -> Callable[[], None]:
        def counted() -> None:
            with self._lock:
                if self._ending:
                    self._left += 1
                    return
                self._running += 1
            try:
                run()
            finally:
                with self._lock:
                    self._running -= 1

        return counted

    def _hear(self, event: JobSubmissionEvent) -> None:
        """Tell of a turn that found the one before still running, and of turns that no one was there for."""
        due, job, before = event.scheduled_run_times[-1], self._due.get(event.job_id), self._last_due.get(event.job_id)
        if job is None:
            return
        if event.code == EVENT_JOB_MAX_INSTANCES:
            self._skipped(event.job_id, due, BUSY)
        if before is not None and (missed := job.between(before, due)):
            self._skipped(event.job_id, due, f"{missed} turns before it were missed: the scheduler stood still")
        self._last_due[event.job_id] = due
