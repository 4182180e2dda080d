"""How often a run retries, how long it waits, and what ends a wait; the clock is real and the waits are short."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Event, Thread

import breakage
import effects
import pytest
from cloud_tools import LONG, Reader, questions

from sync.cloud.retry import TRIES, RetryPolicy
from sync.errors import (
    ConnectionFailedError,
    ContractError,
    DeadlineError,
    InterruptedRunError,
    ServerFaultError,
    ThrottledError,
)
from sync.simulator import Simulator


class Request:
    """A request that fails a number of times before it succeeds."""

    def __init__(self, failures: int, error: Callable[[], Exception] = ServerFaultError) -> None:
        self.calls, self._failures, self._error = 0, failures, error

    def __call__(self) -> str:
        """Send the request."""
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error()
        return "answer"


def test_a_request_that_succeeds_is_sent_once() -> None:
    """A request that succeeds is sent once, without a wait."""
    request, policy = Request(0), RetryPolicy(LONG, 0)

    assert policy.call(request) == "answer"
    assert (request.calls, policy.stats.retries, policy.stats.throttled_seconds) == (1, 0, 0)


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_all_requests_of_a_run_share_one_retry_budget(retries: int) -> None:
    """All requests of a run share `max_retries`; once it is used up, the next error is raised."""
    policy = RetryPolicy(LONG, retries)
    requests = [Request(1) for _ in range(retries)]
    for request in requests:
        policy.call(request)
    last = Request(1, ConnectionFailedError)
    with pytest.raises(ConnectionFailedError):
        policy.call(last)

    assert [request.calls for request in requests] == [2] * retries
    assert last.calls == 1
    assert policy.stats.retries == retries


def test_one_request_is_sent_a_few_times_at_most() -> None:
    """A single request is sent at most ``TRIES`` times, however large the budget is."""
    policy = RetryPolicy(LONG, 1000)
    request = Request(10**6, lambda: ThrottledError(wait=0))
    with pytest.raises(ThrottledError):
        policy.call(request)

    assert request.calls == TRIES
    assert policy.stats.retries == TRIES - 1


def test_only_transient_errors_are_retried() -> None:
    """A contract error, a deadline, an interruption or a bug is raised at once."""
    for error_type in (ContractError, DeadlineError, InterruptedRunError, ValueError):
        request = Request(1, error_type)
        with pytest.raises(error_type):
            RetryPolicy(LONG, 9).call(request)

        assert request.calls == 1


def test_throttling_makes_all_threads_wait() -> None:
    """The cloud throttles a user, not a request, so once one thread is throttled, all wait."""
    policy, throttled_at = RetryPolicy(LONG, 9), []

    def throttle() -> Exception:
        throttled_at.append(time.monotonic())
        return ThrottledError(wait=1)

    thread = Thread(target=policy.call, args=(Request(1, throttle),))
    thread.start()
    while not policy._not_before:
        time.sleep(0.01)
    called_at = policy.call(time.monotonic)
    thread.join()

    assert called_at >= throttled_at[0] + 1


@pytest.mark.parametrize(
    ("wait", "text"), [(3600.0, "3600 s"), (315_360_000.0, "315360000 s"), (1e12, "s would be after")]
)
def test_a_wait_beyond_the_deadline_is_not_started(wait: float, text: str) -> None:
    """A run that would have to wait beyond its deadline fails at once and says what wait the cloud asked for."""
    request = Request(9, lambda: ThrottledError("the cloud asks for fewer requests", wait=wait, status=429))
    with pytest.raises(DeadlineError, match="fewer requests") as caught:
        RetryPolicy(600, 9).call(request)

    assert text in str(caught.value)
    assert "HTTP 429" in str(caught.value)
    assert request.calls == 1


def test_nothing_is_sent_after_the_deadline() -> None:
    """After the deadline no request is sent."""
    policy, request = RetryPolicy(0, 9), Request(0)
    with pytest.raises(DeadlineError, match="raise `deadline`"):
        policy.call(request)

    assert request.calls == 0


def test_a_stop_takes_precedence_over_the_deadline() -> None:
    """A stopped run is interrupted even if its deadline is over as well."""
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
        ("1 second", format_datetime(datetime.now(UTC) + timedelta(hours=3), usegmt=True)),
    ],
    ids=[str(n) for n in range(9)],
)
def test_a_throttling_window_beyond_the_deadline_ends_the_run(
    small: Simulator, window: str, retry_after: str | None
) -> None:
    """If the cloud asks for a wait longer than the time left, the run fails after one request."""
    small.faults.add(effects.throttled(200, window, retry_after=retry_after), times=None)
    reader = Reader.of(small, seconds=60)
    error = reader.fails(DeadlineError)

    assert "asks for fewer requests" in str(error)
    assert questions(small) == (1, 0)


@pytest.mark.parametrize(
    ("window", "retry_after"),
    [("1 second", None), ("5 minute", "1"), ("1 second", "-5"), ("1 second", "0"), ("0 second", "junk")],
)
def test_a_throttling_window_within_the_deadline_is_waited_for(
    small: Simulator, window: str, retry_after: str | None
) -> None:
    """The run waits once, for the window but at least a second, and then succeeds."""
    small.faults.add(effects.throttled(200, window, retry_after=retry_after))
    reader = Reader.of(small)

    assert reader.read().verdict.complete
    assert (reader.stats.requests, reader.stats.retries) == (2, 1)
    assert reader.stats.throttled_seconds == 1


@pytest.mark.parametrize("retry_after", [None, "0", "-1", "junk"])
def test_throttling_without_a_window_waits_a_second(small: Simulator, retry_after: str | None) -> None:
    """If the cloud names no usable wait, the run waits at least a second."""
    small.faults.add(effects.status(429, retry_after=retry_after))
    reader = Reader.of(small)
    reader.read()

    assert reader.stats.throttled_seconds >= 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_burst_of_faults_costs_one_retry_each(cloud: Simulator, status: int) -> None:
    """If every other response is a fault, the list is complete after one request per page and one per fault."""
    for nth in (1, 2, 3):
        cloud.faults.add(effects.status(status), nth=nth)
    reader = Reader.of(cloud)

    assert reader.read().verdict.complete
    assert set(reader.rows) == set(cloud.world.truth())
    assert questions(cloud)[0] == reader.stats.requests == 3 + reader.stats.retries
    assert reader.stats.retries == 3


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_pages_and_retries_bound_all_requests(cloud: Simulator, concurrency: int) -> None:
    """With any number of threads, a run sends at most one request per page plus its retries."""
    cloud.faults.add(effects.status(503), nth=2, times=None)
    reader = Reader.of(cloud, concurrency=concurrency, max_retries=2)
    reader.fails(ServerFaultError)

    assert questions(cloud)[0] <= 3 + 2
    assert reader.stats.retries <= 2


def test_faults_of_all_kinds_share_one_budget(small: Simulator) -> None:
    """A reset, garbage and a server fault together use three retries."""
    for effect in (breakage.drop(), effects.garbage("html"), effects.status(500)):
        small.faults.add(effect)
    reader = Reader.of(small, max_retries=2)
    reader.fails(ServerFaultError)

    assert questions(small)[0] == 3
