"""Runs jobs when they are due, in UTC, never one of them twice at once, until it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_SUBMITTED, JobSubmissionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job as ScheduledJob
from apscheduler.schedulers.base import BaseScheduler

from sync import logs
from sync.scheduler.schedule import Schedule
from sync.threads import Pool

OnSkip = Callable[[str, datetime, str], None]
BUSY = "the run before it had not ended"
_log = logs.get(__name__)
_BEAT = 0.25  # seconds
_TICK = 0.02  # seconds
_PATIENCE = 10.0  # seconds; a run that is interrupted while its database is silent ends within eight
_JUMP = 5.0  # seconds by which the clock may differ from the time that passed
_STALE = 30.0  # seconds without a beat, after which the loop counts as stuck


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, and when."""

    schedule: Schedule
    run: Callable[[], object]


class _Beaten(BaseScheduler):  # type: ignore[misc] # the library ships no types
    """APScheduler without a thread of its own: at each beat of our loop it starts what is due.

    A thread of its own may die unnoticed, and sleeps by a clock that stands still while the machine does.
    """

    beat = BaseScheduler._process_jobs  # noqa: SLF001 - what the loops of all its schedulers call

    def wakeup(self) -> None:
        """Do nothing: the next beat comes soon."""

    def shutdown(self, wait: bool = True) -> None:  # noqa: FBT001, FBT002 - as the library has it
        """End the threads that run jobs."""
        super().shutdown(wait)


class _Once(ThreadPoolExecutor):  # type: ignore[misc] # the library ships no types
    """Makes up for missed turns with one run; unlike with ``coalesce``, the event still lists all of them."""

    def __init__(self, at_a_time: int) -> None:
        super().__init__(at_a_time)  # starts no thread
        self._pool = Pool(at_a_time, name="source")  # instead of the library's, which fails if it gets fewer threads

    def _do_submit_job(self, job: ScheduledJob, run_times: list[datetime]) -> None:
        super()._do_submit_job(job, run_times[-1:])


class Scheduler:
    """Runs jobs by name, each when it is due.

    Args:
        on_skip: called for each turn that was due and did not begin, with the name, when it was due, and why. It must
            not block: it is called by the thread that starts all jobs.
        at_a_time: how many jobs run at the same time; the others wait.
        now: the clock, which can be set.
        passed: a clock in seconds that can't be set.

    Attributes:
        running: how many jobs run at this moment.
        left: how many jobs were due and still waited when the end came.
    """

    def __init__(
        self,
        on_skip: OnSkip,
        *,
        at_a_time: int = 4,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        passed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.running = self.left = 0
        self._on_skip, self._now, self._passed = on_skip, now, passed
        self._jobs: dict[str, Job] = {}
        self._gaps: dict[str, float] = {}
        self._ending = False
        self._lock = threading.Lock()
        self._began = self._now(), self._passed()
        self._beaten = self._passed()
        # However late it is, a turn is made up for; APScheduler's own grace is one second.
        defaults = {"max_instances": 1, "coalesce": False, "misfire_grace_time": None}
        self._scheduler = _Beaten(timezone=UTC, executors={"default": _Once(at_a_time)}, job_defaults=defaults)
        self._scheduler.add_listener(self._on_turn, EVENT_JOB_MAX_INSTANCES | EVENT_JOB_SUBMITTED)

    @property
    def alive(self) -> bool:
        """Whether the loop went round lately."""
        return self._ending or self._passed() - self._beaten < _STALE

    def gaps(self) -> dict[str, float]:
        """Seconds between the last turn and the next one, by job: at night the night, by day a quarter of an hour."""
        return dict(self._gaps)

    def set(self, jobs: Mapping[str, Job], *, at_once: bool = False) -> None:
        """Replace the jobs; running ones go on, and a job whose schedule is the same keeps its turns.

        Args:
            jobs: by name.
            at_once: whether new jobs run now for the first time, or when their first turn comes.
        """
        for name in self._jobs.keys() - jobs.keys():
            self._scheduler.remove_job(name)
            del self._gaps[name]
        for name, job in jobs.items():
            known = self._jobs.get(name)
            if known is not None and known.schedule == job.schedule:
                self._scheduler.modify_job(name, func=self._counted(job.run))
            else:
                self._add(name, job, at_once=at_once and known is None)
        self._jobs = dict(jobs)

    def run(self, stop: threading.Event, every_beat: Callable[[], None] = lambda: None) -> None:
        """Start jobs until ``stop`` is set; those that run then go on.

        Args:
            stop: ends it.
            every_beat: called some times a second.
        """
        self._scheduler.start()
        while not stop.is_set():
            self.beat()
            every_beat()
            stop.wait(_BEAT)
        self._ending = True

    def beat(self) -> None:
        """Start what is due; if the clock was set back, compute new turns, so that none waits for the old time."""
        (began, passed_before), (now, passed) = self._began, (self._now(), self._passed())
        self._beaten = passed
        jump = (now - began).total_seconds() - (passed - passed_before)
        if abs(jump) > _JUMP:
            _log.warning("clock jumped", seconds=round(jump, 1))
            self._began = (now, passed)
            if jump < 0:
                for name, job in self._jobs.items():
                    self._add(name, job, at_once=False)
        self._scheduler.beat()

    def end(self, grace: float, hurry: threading.Event, interrupt: Callable[[], None]) -> None:
        """Wait for the running jobs; one that does not end though it was interrupted is left running.

        Args:
            grace: seconds in which they may end by themselves.
            hurry: set when there is no time for that any more.
            interrupt: called then, so that they end at once.
        """
        deadline = self._passed() + grace
        while self.running and self._passed() < deadline and not hurry.wait(_BEAT):
            pass
        interrupt()
        deadline = self._passed() + _PATIENCE
        while self.running and self._passed() < deadline:
            time.sleep(_TICK)
        self._scheduler.shutdown(wait=not self.running)

    def _add(self, name: str, job: Job, *, at_once: bool) -> None:
        now = self._now()
        trigger = job.schedule.trigger(now if at_once else None)
        first = {"next_run_time": now} if at_once else {}
        self._gaps[name] = trigger.gap(now)
        self._scheduler.add_job(self._counted(job.run), trigger, id=name, replace_existing=True, **first)

    def _counted(self, run: Callable[[], object]) -> Callable[[], None]:
        def counted() -> None:
            with self._lock:
                if self._ending:
                    self.left += 1
                    return
                self.running += 1
            try:
                run()
            finally:
                with self._lock:
                    self.running -= 1

        return counted

    def _on_turn(self, event: JobSubmissionEvent) -> None:
        """Report a turn whose job still runs, and turns that came while the scheduler stood still."""
        name, due = event.job_id, event.scheduled_run_times[-1]
        if (job := self._scheduler.get_job(name)) is None:
            return
        self._gaps[name] = job.trigger.gap(self._now())
        if event.code == EVENT_JOB_MAX_INSTANCES:
            self._on_skip(name, due, BUSY)
        if missed := len(event.scheduled_run_times) - 1:
            self._on_skip(name, due, f"{missed} turns before it were missed: the scheduler stood still")
