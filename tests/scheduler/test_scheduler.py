"""The scheduler: when a job is due, that it never runs twice at once, skipped turns, and a clean end."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from sync.errors import DatabaseUnavailableError, UsageError
from sync.scheduler.schedule import Schedule, parse_schedule
from sync.scheduler.scheduler import BUSY, Job, Scheduler
from sync.scheduler.skip_recorder import SkipRecorder

WAIT = 30.0  # seconds; only a failing test waits this long
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
SECOND = Schedule("1s", 1.0)


class Counted:
    """A job that counts its runs and the most of them at once; it may wait for a gate."""

    def __init__(self, stop_after: int, stop: threading.Event, gate: threading.Event | None = None) -> None:
        self.runs = self.ended = self.most = self._now = 0
        self._stop_after, self._stop, self._gate = stop_after, stop, gate
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Run once; the last run sets the stop."""
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


class Clock:
    """A running clock with an offset that tests set."""

    def __init__(self) -> None:
        self.offset, self._began = timedelta(0), datetime.now(UTC)

    def now(self) -> datetime:
        """The time that the clock shows."""
        return datetime.now(UTC) + self.offset


def ignore(_name: str, _due: datetime, _reason: str) -> None:
    """Ignore a skipped turn."""


def give_up(stop: threading.Event) -> None:
    """Stop a test that would not end by itself; only a failing test waits this long."""
    timer = threading.Timer(WAIT, stop.set)
    timer.daemon = True
    timer.start()


def run(
    jobs: dict[str, Callable[[], object]],
    stop: threading.Event,
    turn: Schedule = SECOND,
    *,
    at_once: bool = True,
    grace: float = WAIT,
    skipped: Callable[[str, datetime, str], None] = ignore,
) -> Scheduler:
    """Run jobs until the stop is set, then let those under way end."""
    loop = Scheduler(skipped)
    loop.set({name: Job(turn, job) for name, job in jobs.items()}, at_once=at_once)
    loop.run(stop)
    loop.end(grace, threading.Event(), lambda: None)
    return loop


def next_turns(text: str, count: int, after: datetime = MONDAY, seconds: float | None = None) -> list[str]:
    """The next turns of a schedule."""
    trigger, moment, turns = parse_schedule(text, seconds).trigger(), after, []
    for _ in range(count):
        due = trigger.get_next_fire_time(None, moment)
        assert due is not None
        turns.append(f"{due:%a %m-%d %H:%M}")
        moment = due + timedelta(seconds=1)
    return turns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/15 * * * *", ["Mon 03-02 00:00", "Mon 03-02 00:15"]),
        ("0 6 * * mon-fri", ["Mon 03-02 06:00", "Tue 03-03 06:00"]),
        ("0 6 * * 1", ["Mon 03-02 06:00", "Mon 03-09 06:00"]),
        ("0 6 * * 0", ["Sun 03-08 06:00", "Sun 03-15 06:00"]),
        ("0 6 * * 7", ["Sun 03-08 06:00", "Sun 03-15 06:00"]),
        ("0 6 * * Sunday", ["Sun 03-08 06:00", "Sun 03-15 06:00"]),
        ("0 6 * * 5-7", ["Fri 03-06 06:00", "Sat 03-07 06:00", "Sun 03-08 06:00", "Fri 03-13 06:00"]),
        ("0 6 * * sat-mon", ["Mon 03-02 06:00", "Sat 03-07 06:00", "Sun 03-08 06:00", "Mon 03-09 06:00"]),
        ("0 6 * * 0-7", ["Mon 03-02 06:00", "Tue 03-03 06:00"]),
        ("0 6 * * fri-0", ["Fri 03-06 06:00", "Sat 03-07 06:00", "Sun 03-08 06:00", "Fri 03-13 06:00"]),
        ("0 6 * * */3", ["Wed 03-04 06:00", "Sat 03-07 06:00", "Sun 03-08 06:00"]),
        ("0 0 13 * fri", ["Fri 03-06 00:00", "Fri 03-13 00:00", "Fri 03-20 00:00"]),
        ("0 0 4 * fri", ["Wed 03-04 00:00", "Fri 03-06 00:00", "Fri 03-13 00:00"]),
        ("30 4 1 jan,jul *", ["Wed 07-01 04:30", "Fri 01-01 04:30"]),
        ("30 4 1 july *", ["Wed 07-01 04:30"]),
        ("@daily", ["Mon 03-02 00:00", "Tue 03-03 00:00"]),
        ("@weekly", ["Sun 03-08 00:00"]),
        ("0 0 29 2 *", ["Tue 02-29 00:00"]),
    ],
)
def test_cron_has_the_meaning_of_crontab(text: str, expected: list[str]) -> None:
    """Sunday is 0 and 7, days may wrap around the week, and either kind of day may match. Source: crontab(5)."""
    assert next_turns(text, len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 31 2 *", "never comes"),
        ("0 0 30 feb *", "never comes"),
        ("0 6 * * funday", "'funday'"),
        ("0 6 * * sunnyday", "'sunnyday'"),
        ("0 6 * * mo", "'mo'"),
        ("0 6 * * 8", "0 and 7 are Sunday"),
        ("61 * * * *", "61"),
        ("* 24 * * *", "24"),
        ("*/0 * * * *", "not understood"),
        ("* * *", "give minute, hour"),
        ("@often", "@hourly"),
    ],
)
def test_an_invalid_schedule_is_an_error(text: str, message: str) -> None:
    """A schedule that is invalid or never due is an error that names the part and what to give instead."""
    with pytest.raises(UsageError, match=message):
        parse_schedule(text, None)


@pytest.mark.parametrize(
    ("text", "seconds", "days", "expected"),
    [
        ("15m", 900.0, 0.0, 900),
        ("*/15 * * * *", None, 0.4, 900),
        ("*/15 8-18 * * mon-fri", None, 9 / 24, 900),  # by day
        ("*/15 8-18 * * mon-fri", None, 23 / 24, 13.25 * 3600),  # overnight
        ("*/15 8-18 * * mon-fri", None, 5.0, 61.25 * 3600),  # over the weekend
        ("0 6 * * mon-fri", None, 1.5, 86_400),
        ("0 6 * * mon-fri", None, 6.2, 3 * 86_400),
        ("0 0 29 2 *", None, 0.0, 1461 * 86_400),
    ],
)
def test_time_between_the_last_turn_and_the_next(
    text: str, seconds: float | None, days: float, expected: float
) -> None:
    """The gap is the time between the turns around a moment, so that alerts fit both nights and days."""
    due = parse_schedule(text, seconds).trigger(MONDAY)

    assert due.gap(MONDAY + timedelta(days=days)) == expected
    assert due.gap(MONDAY + timedelta(days=days, minutes=1)) == expected


@pytest.mark.parametrize(("text", "seconds"), [("*/15 8-18 * * mon-fri", None), ("10m", 600.0)])
def test_time_between_turns_at_every_moment_of_a_week(text: str, seconds: float | None) -> None:
    """At any moment of a week, the gap is the time between the last turn and the next."""
    trigger = parse_schedule(text, seconds).trigger(MONDAY)
    turns = [MONDAY - timedelta(days=4)]
    while turns[-1] < MONDAY + timedelta(days=8):
        turns.append(trigger.get_next_fire_time(turns[-1], turns[-1]))
    moments = [MONDAY + timedelta(minutes=7 * n) for n in range(1440)] + [turn for turn in turns if turn >= MONDAY][:-1]

    for moment in moments:
        index = bisect_right(turns, moment)
        assert trigger.gap(moment) == (turns[index] - turns[index - 1]).total_seconds()


@pytest.mark.parametrize(("text", "seconds"), [("15m", 900.0), ("*/15 * * * *", None)])
@pytest.mark.parametrize("jitter", [60.0, 900.0, 5000.0])
def test_jitter_does_not_add_up(text: str, seconds: float | None, jitter: float) -> None:
    """Each turn is late by a random time, but no turn is left out and the delays do not add up."""
    due = parse_schedule(text, seconds, jitter).trigger(MONDAY)
    moments = [MONDAY]
    for _ in range(96):
        moments.append(due.get_next_fire_time(moments[-1], moments[-1]))
    delays = [(moment - MONDAY).total_seconds() - 900 * n for n, moment in enumerate(moments)]

    assert all(0 <= delay <= min(jitter, 900) for delay in delays)
    assert len(set(delays)) > 90


def test_jobs_that_wait_at_the_end_do_not_start() -> None:
    """Jobs that still wait for a free worker at the end are not started, and are counted."""
    stop, gate = threading.Event(), threading.Event()
    jobs = [Counted(99, stop, gate) for _ in range(5)]
    loop = Scheduler(ignore, at_a_time=2)
    loop.set({str(n): Job(Schedule("1h", 3600.0), job) for n, job in enumerate(jobs)}, at_once=True)
    loop.run(stop, lambda: stop.set() if sum(job.runs for job in jobs) == 2 else None)
    gate.set()
    loop.end(WAIT, threading.Event(), lambda: None)

    assert (sum(job.runs for job in jobs), loop.left) == (2, 3)


def test_an_error_of_the_scheduler_ends_it() -> None:
    """An error in the scheduler itself is raised, so that a supervisor can restart the command."""
    stop = threading.Event()
    loop = Scheduler(ignore)
    loop.set({"job": Job(SECOND, Counted(1, stop))})

    class Broken:
        def get_next_fire_time(self, _previous: object, _now: object) -> None:
            raise ZeroDivisionError

    give_up(stop)
    loop._scheduler.get_job("job").trigger = Broken()
    with pytest.raises(ZeroDivisionError):
        loop.run(stop)


def test_gaps_follow_the_turns() -> None:
    """The gap of a job is known at once, is updated at each turn and goes away with the job."""
    stop = threading.Event()
    loop = Scheduler(ignore)
    loop.set({"job": Job(SECOND, Counted(1, stop)), "other": Job(Schedule("1h", 3600.0), print)})
    before = loop.gaps()
    loop._gaps["job"] = 12345.0  # as if its last turn had been at night
    give_up(stop)
    loop.run(stop)
    after = loop.gaps()
    loop.set({"job": Job(SECOND, print)})
    loop.end(WAIT, threading.Event(), lambda: None)

    assert before == after == {"job": 1.0, "other": 3600.0}
    assert loop.gaps() == {"job": 1.0}


def test_a_turn_is_noticed_after_a_jump_of_the_clock() -> None:
    """After the clock jumps, as on a machine that slept, a turn that is due starts at the next beat."""
    stop = threading.Event()
    job = Counted(1, stop)
    loop = Scheduler(ignore)
    loop.set({"daily": Job(Schedule("1d", 86_400.0), job)})
    give_up(stop)

    def jump() -> None:
        if loop._scheduler.state and (daily := loop._scheduler.get_job("daily")) and not job.runs:
            daily._modify(next_run_time=datetime.now(UTC))  # as if it were a day later, without waking the scheduler
            loop._scheduler._lookup_jobstore("default").update_job(daily)

    loop.run(stop, jump)
    loop.end(WAIT, threading.Event(), lambda: None)

    assert job.runs >= 1


def test_recording_skipped_turns_blocks_nothing() -> None:
    """A database that hangs delays only the records, and an error in one record does not affect the next."""
    gate, recorded = threading.Event(), []

    def record(name: str, _due: datetime, _reason: str) -> None:
        assert gate.wait(WAIT)
        if name == "away":
            raise DatabaseUnavailableError
        if name == "bug":
            raise RuntimeError
        recorded.append(name)

    skips = SkipRecorder(record)
    for name in ("one", "away", "bug", "two"):
        skips(name, MONDAY, BUSY)
    before = list(recorded)
    gate.set()
    skips.close(WAIT)

    assert (before, recorded) == ([], ["one", "two"])


def test_runs_at_once_and_again() -> None:
    """The first run starts at once, the next ones on schedule, until the stop is set."""
    stop = threading.Event()
    job = Counted(2, stop)
    run({"job": job}, stop)

    assert (job.runs, job.ended, job.most) == (2, 2, 1)


def test_first_run_may_wait_for_its_turn() -> None:
    """Without ``at_once``, the first run starts one interval after the start."""
    stop, started = threading.Event(), datetime.now(UTC)
    times: list[datetime] = []

    def job() -> None:
        times.append(datetime.now(UTC))
        stop.set()

    run({"job": job}, stop, at_once=False)

    assert len(times) == 1
    assert (times[0] - started).total_seconds() >= 1


def test_a_job_never_runs_twice_at_once() -> None:
    """A turn during a run is skipped and reported with its name, its time in UTC and the reason."""
    stop, gate, started = threading.Event(), threading.Event(), datetime.now(UTC)
    job, skipped = Counted(1, stop, gate), []

    def record(name: str, due: datetime, reason: str) -> None:
        skipped.append((name, due, reason))
        gate.set()

    run({"slow": job}, stop, skipped=record)
    name, due, reason = skipped[0]

    assert job.most == 1
    assert (name, due.utcoffset(), reason) == ("slow", timedelta(0), BUSY)
    assert timedelta(seconds=1) <= due - started < timedelta(seconds=2)  # the next turn of the schedule


def test_one_job_does_not_wait_for_another() -> None:
    """A slow job does not delay the others."""
    stop, gate = threading.Event(), threading.Event()
    slow, quick = Counted(1, stop, gate), Counted(1, gate)
    run({"slow": slow, "quick": quick}, stop, Schedule("1m", 60.0))

    assert (slow.ended, quick.ended) == (1, 1)


def test_a_job_that_raises_gets_its_next_turn() -> None:
    """An unexpected error in a job does not end the schedule."""
    stop = threading.Event()
    errors = [RuntimeError("unforeseen")]

    def job() -> None:
        if errors:
            raise errors.pop()
        stop.set()

    run({"job": job}, stop)

    assert stop.is_set()
    assert not errors


def test_grace_lets_a_run_end() -> None:
    """At the end no job starts, and a run under way may end by itself within the grace period."""
    stop, gate = threading.Event(), threading.Event()
    job = Counted(99, stop, gate)
    quick = Counted(99, threading.Event())
    loop = Scheduler(ignore)
    loop.set({"slow": Job(Schedule("1m", 60.0), job), "quick": Job(SECOND, quick)}, at_once=True)
    threading.Timer(0.5, stop.set).start()
    loop.run(stop)
    runs_at_the_stop = quick.runs
    threading.Timer(2.5, gate.set).start()
    interrupted: list[int] = []

    loop.end(WAIT, threading.Event(), lambda: interrupted.append(job.ended))

    assert (job.runs, job.ended, interrupted) == (1, 1, [1])
    assert quick.runs == runs_at_the_stop


@pytest.mark.parametrize(("grace", "hurry"), [(0.0, False), (WAIT, True)])
def test_a_run_is_interrupted_without_grace(grace: float, hurry: bool) -> None:  # noqa: FBT001 - a case
    """A run is interrupted at once without a grace period or after a second signal."""
    stop, gate, hurried = threading.Event(), threading.Event(), threading.Event()
    job = Counted(99, stop, gate)
    loop = Scheduler(ignore)
    loop.set({"slow": Job(Schedule("1m", 60.0), job)}, at_once=True)
    threading.Timer(0.5, stop.set).start()
    loop.run(stop)
    if hurry:
        hurried.set()

    loop.end(grace, hurried, gate.set)

    assert (job.runs, job.ended) == (1, 1)


def test_jobs_can_be_replaced() -> None:
    """When jobs are replaced, new ones start, removed ones do not, and unchanged ones keep their turns."""
    stop = threading.Event()
    unchanged, removed, new = Counted(99, stop), Counted(99, stop), Counted(1, stop)
    loop = Scheduler(ignore)
    hourly = Schedule("1h", 3600.0)
    loop.set({"kept": Job(hourly, unchanged), "gone": Job(SECOND, removed)}, at_once=True)

    turns_of_unchanged = []

    def change() -> None:
        if unchanged.runs and removed.runs and not new.runs:
            turns_of_unchanged.append(loop._scheduler.get_job("kept").next_run_time)
            loop.set({"kept": Job(hourly, unchanged), "new": Job(hourly, new)}, at_once=True)
            turns_of_unchanged.append(loop._scheduler.get_job("kept").next_run_time)

    loop.run(stop, change)
    before = removed.runs
    loop.end(WAIT, threading.Event(), lambda: None)

    assert (unchanged.runs, new.runs) == (1, 1)
    assert len(set(turns_of_unchanged)) == 1
    assert removed.runs == before <= 2


def sleep(loop: Scheduler, schedule: Schedule, time: timedelta) -> None:
    """Set the last turn of the job into the past, as if the machine had slept for this time."""
    since = datetime.now(UTC) - time
    loop._scheduler.modify_job("job", trigger=schedule.trigger(since), next_run_time=since)


@pytest.mark.parametrize("jitter", [0.0, 9.0])
def test_a_late_scheduler_runs_once_and_reports_missed_turns(jitter: float) -> None:
    """After several missed turns, as on a machine that slept, one run starts and the others are reported."""
    stop = threading.Event()
    reasons: list[str] = []
    loop, job = Scheduler(lambda _name, _due, reason: reasons.append(reason)), Counted(99, stop)
    hourly = Schedule("1h", 3600.0, jitter)
    loop.set({"job": Job(hourly, job)})
    sleep(loop, hourly, timedelta(hours=5, minutes=30))
    threading.Timer(1.5, stop.set).start()

    loop.run(stop)
    loop.end(WAIT, threading.Event(), lambda: None)

    assert job.runs == 1
    assert reasons == ["5 turns before it were missed: the scheduler stood still"]


def test_turns_missed_during_a_run_are_reported() -> None:
    """The last missed turn is reported as skipped because of the run, the others as missed."""
    stop, gate = threading.Event(), threading.Event()
    reasons: list[str] = []
    loop = Scheduler(lambda _name, _due, reason: reasons.append(reason))
    hourly = Schedule("1h", 3600.0)
    loop.set({"job": Job(hourly, Counted(99, threading.Event(), gate))}, at_once=True)
    give_up(stop)

    def each_beat() -> None:
        if reasons:
            stop.set()
        elif loop.running:
            sleep(loop, hourly, timedelta(hours=2, minutes=30))

    loop.run(stop, each_beat)
    gate.set()
    loop.end(WAIT, threading.Event(), lambda: None)

    assert reasons == [BUSY, "2 turns before it were missed: the scheduler stood still"]


def test_a_clock_that_is_set_back_delays_nothing() -> None:
    """If the clock is set back, the turns are computed again, so no run waits for the old time."""
    clock = Clock()
    clock.offset = timedelta(hours=1)
    loop = Scheduler(ignore, now=clock.now)
    stop = threading.Event()
    job = Counted(1, stop)
    threading.Timer(WAIT, stop.set).start()
    # By the old time, its next turn is an hour from now.
    loop.set({"job": Job(SECOND, job)})
    loop._scheduler.modify_job("job", next_run_time=clock.now())
    clock.offset = timedelta(0)

    loop.run(stop)
    loop.end(WAIT, threading.Event(), lambda: None)

    assert job.runs == 1


def test_a_loop_that_stands_still_is_not_alive() -> None:
    """A scheduler without a beat for half a minute is not alive."""
    passed = [0.0]
    loop = Scheduler(ignore, passed=lambda: passed[0])
    loop.beat()
    passed[0] = 29.0
    alive = loop.alive
    passed[0] = 31.0

    assert (alive, loop.alive) == (True, False)
