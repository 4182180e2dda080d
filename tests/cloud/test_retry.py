"""How often a run asks again, how long it waits, and what ends its waiting; the clock is real, the waits short."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Event, Thread

import breakage
import effects
import pytest
from cloud_tools import LONG, Reader, questions
from fault_rules import FaultySimulator

from sync.cloud.retry import TRIES, RetryPolicy
from sync.errors import (
    ConnectionFailedError,
    ContractError,
    DeadlineError,
    InterruptedRunError,
    ServerFaultError,
    ThrottledError,
)
from sync.simulator import Simulator, World


@pytest.fixture
def small() -> Iterator[Simulator]:
    """A cloud of 60 images: one page."""
    with FaultySimulator(World(seed=2, size=60)) as simulator:
        yield simulator


class Asking:
    """A question that fails so many times with an error before it is answered."""

    def __init__(self, failures: int, error: Callable[[], Exception] = ServerFaultError) -> None:
        self.asked, self._failures, self._error = 0, failures, error

    def __call__(self) -> str:
        """Ask."""
        self.asked += 1
        if self.asked <= self._failures:
            raise self._error()
        return "answer"


def test_a_good_answer_is_asked_for_once() -> None:
    """No retry, no wait."""
    asking, policy = Asking(0), RetryPolicy(LONG, 0)

    assert policy.call(asking) == "answer"
    assert (asking.asked, policy.stats.retries, policy.stats.throttled_seconds) == (1, 0, 0)


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_the_budget_of_retries_is_the_whole_runs(retries: int) -> None:
    """So many requests may be repeated, in all questions together; then the error of the moment is raised."""
    policy = RetryPolicy(LONG, retries)
    questions = [Asking(1) for _ in range(retries)]
    for asking in questions:
        policy.call(asking)
    last = Asking(1, ConnectionFailedError)
    with pytest.raises(ConnectionFailedError):
        policy.call(last)

    assert [asking.asked for asking in questions] == [2] * retries
    assert last.asked == 1
    assert policy.stats.retries == retries


def test_one_question_is_asked_a_few_times_at_most() -> None:
    """However large the budget is, one question is not asked for ever."""
    policy = RetryPolicy(LONG, 1000)
    asking = Asking(10**6, lambda: ThrottledError(wait=0))
    with pytest.raises(ThrottledError):
        policy.call(asking)

    assert asking.asked == TRIES
    assert policy.stats.retries == TRIES - 1


def test_what_is_no_passing_fault_is_not_repeated() -> None:
    """A contract that is not kept, or a bug of ours, is raised at once."""
    for kind in (ContractError, DeadlineError, InterruptedRunError, ValueError):
        asking = Asking(1, kind)
        with pytest.raises(kind):
            RetryPolicy(LONG, 9).call(asking)

        assert asking.asked == 1


def test_a_throttled_thread_makes_all_of_them_wait() -> None:
    """The cloud throttles a user, not a question: once one thread is told to wait, no other asks before."""
    policy, told = RetryPolicy(LONG, 9), []

    def throttle() -> Exception:
        told.append(time.monotonic())
        return ThrottledError(wait=1)

    thread = Thread(target=policy.call, args=(Asking(1, throttle),))
    thread.start()
    while not policy._not_before:
        time.sleep(0.01)
    asked = policy.call(time.monotonic)
    thread.join()

    assert asked >= told[0] + 1


@pytest.mark.parametrize(
    ("wait", "text"), [(3600.0, "3600 s"), (315_360_000.0, "315360000 s"), (1e12, "s would be after")]
)
def test_a_wait_beyond_the_deadline_is_not_begun(wait: float, text: str) -> None:
    """A run that would have to wait longer than it may ends at once, and says what the cloud asked for."""
    asking = Asking(9, lambda: ThrottledError("the cloud asks for fewer requests", wait=wait, status=429))
    with pytest.raises(DeadlineError, match="fewer requests") as caught:
        RetryPolicy(600, 9).call(asking)

    assert text in str(caught.value)
    assert "HTTP 429" in str(caught.value)
    assert asking.asked == 1


def test_the_past_deadline_ends_everything() -> None:
    """Once the deadline is over, nothing is asked."""
    policy, asking = RetryPolicy(0, 9), Asking(0)
    with pytest.raises(DeadlineError, match="raise `deadline`"):
        policy.call(asking)

    assert asking.asked == 0


def test_a_stop_goes_before_the_deadline() -> None:
    """A run that was stopped says so, even if its time is over as well."""
    stop = Event()
    stop.set()
    with pytest.raises(InterruptedRunError):
        RetryPolicy(0, 9, stop).remaining()


@pytest.mark.parametrize(
    ("window", "retry_after"),
    [
        ("5 minute", None),
        ("1 hour", None),
        ("1 second", "3600"),
        ("1 second", "315360000"),
        ("5 minute", "-1"),
        ("5 minute", "soon"),
        ("5 minute", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("1 second", "Thu, 01 Jan 2150 00:00:00 GMT"),
        ("1 second", format_datetime(datetime.now(UTC) + timedelta(minutes=9), usegmt=True)),
    ],
    ids=[str(n) for n in range(9)],
)
def test_a_window_that_does_not_fit_ends_the_run(small: Simulator, window: str, retry_after: str | None) -> None:
    """Where the cloud asks for a longer rest than the deadline leaves, it is asked once and left alone."""
    small.faults.add(effects.throttled(200, window, retry_after=retry_after), times=None)
    reader = Reader.of(small, seconds=60)
    error = reader.fails(DeadlineError)

    assert "asks for fewer requests" in str(error)
    assert questions(small) == (1, 0)


@pytest.mark.parametrize(
    ("window", "retry_after"),
    [("1 second", None), ("5 minute", "1"), ("1 second", "-5"), ("1 second", "0"), ("0 second", "junk")],
)
def test_a_window_that_fits_is_waited_for_once(small: Simulator, window: str, retry_after: str | None) -> None:
    """One wait of at least the window, never under a second, and the next answer is taken."""
    small.faults.add(effects.throttled(200, window, retry_after=retry_after))
    reader = Reader.of(small)

    assert reader.read().verdict.complete
    assert (reader.stats.requests, reader.stats.retries) == (2, 1)
    assert reader.stats.throttled_seconds == 1


@pytest.mark.parametrize("retry_after", [None, "0", "-1", "junk"])
def test_throttling_without_a_window_rests_a_second_too(small: Simulator, retry_after: str | None) -> None:
    """Where the cloud does not say how long, it is still left alone for a second or more."""
    small.faults.add(effects.status(429, retry_after=retry_after))
    reader = Reader.of(small)
    reader.read()

    assert reader.stats.throttled_seconds >= 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_burst_costs_no_more_than_its_retries(cloud: Simulator, status: int) -> None:
    """Every other answer is a fault: the list is read all the same, for pages plus faults requests."""
    for nth in (1, 2, 3):
        cloud.faults.add(effects.status(status), nth=nth)
    reader = Reader.of(cloud)

    assert reader.read().verdict.complete
    assert set(reader.rows) == set(cloud.world.truth())
    assert questions(cloud)[0] == reader.stats.requests == 3 + reader.stats.retries
    assert reader.stats.retries == 3


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_pages_and_retries_bound_all_requests(cloud: Simulator, concurrency: int) -> None:
    """However many threads ask, a cloud that fails from page two on is asked pages plus retries times at most."""
    cloud.faults.add(effects.status(503), nth=2, times=None)
    reader = Reader.of(cloud, concurrency=concurrency, max_retries=2)
    reader.fails(ServerFaultError)

    assert questions(cloud)[0] <= 3 + 2
    assert reader.stats.retries <= 2


def test_faults_of_all_kinds_share_one_budget(small: Simulator) -> None:
    """A run that meets a reset, garbage and a fault has used three retries."""
    for effect in (breakage.drop(), effects.garbage("html"), effects.status(500)):
        small.faults.add(effect)
    reader = Reader.of(small, max_retries=2)
    reader.fails(ServerFaultError)

    assert questions(small)[0] == 3
