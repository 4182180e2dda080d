"""Runs a job again and again, in UTC, never twice at once, until told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobExecutionEvent, JobSubmissionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

Skipped = Callable[[str, datetime], None]


def run_every(
    seconds: float,
    jobs: Mapping[str, Callable[[], object]],
    stop: threading.Event,
    skipped: Skipped,
    *,
    at_once: bool,
    at_a_time: int = 4,
) -> None:
    """Run each job every so many seconds, until ``stop`` is set; returns when the last of them has ended.

    Args:
        seconds: the interval.
        jobs: what to run, by name.
        stop: ends it all; the jobs watch it too.
        skipped: told of each time a job was due and did not start, because it was still running or came too late.
        at_a_time: how many jobs run at the same time; the others wait for their turn.
        at_once: whether the first runs start now, or one interval from now.
    """
    scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(at_a_time)})
    scheduler.add_listener(_teller(skipped), EVENT_JOB_MAX_INSTANCES | EVENT_JOB_MISSED)
    for name, job in jobs.items():
        scheduler.add_job(
            job,
            IntervalTrigger(seconds=seconds, timezone=UTC),
            id=name,
            next_run_time=datetime.now(UTC) if at_once else None,
            max_instances=1,
            coalesce=True,
            # The library's own grace is one second: a machine that slept would never catch up.
            misfire_grace_time=max(1, round(seconds)),
        )
        if not at_once:
            scheduler.resume_job(name)
    scheduler.start()
    try:
        stop.wait()
    finally:
        scheduler.shutdown(wait=True)


def _teller(skipped: Skipped) -> Callable[[JobSubmissionEvent | JobExecutionEvent], None]:
    def tell(event: JobSubmissionEvent | JobExecutionEvent) -> None:
        due = event.scheduled_run_times[0] if isinstance(event, JobSubmissionEvent) else event.scheduled_run_time
        skipped(event.job_id, due)

    return tell
