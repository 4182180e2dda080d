"""Where the system allows only a few threads, those that there are do all the work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from threading import Event, Thread

import pytest

from sync.cloud.workers import Workers
from sync.errors import NoThreadError
from sync.signals import Stop
from sync.threads import Alarms, Pool, start

Allow = Callable[[int], None]
PATIENCE = 30.0  # seconds; only a failing test waits this long


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Allow:
    """A function that sets how many more threads can be started."""
    left, start_thread = [10**6], Thread.start

    def limited(thread: Thread) -> None:
        if left[0] <= 0:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start_thread(thread)

    def set_left(count: int) -> None:
        left[0] = count

    monkeypatch.setattr(Thread, "start", limited)
    return set_left


def test_no_thread_is_an_error_of_ours(allow: Allow) -> None:
    """A thread that can't be started is one sentence that says what to do."""
    allow(0)

    with pytest.raises(NoThreadError, match="ulimit -u"):
        start(Thread(target=print))
    with pytest.raises(NoThreadError):
        Pool(4, name="none")


@pytest.mark.parametrize("count", [1, 2])
def test_a_pool_does_everything_with_fewer_threads(allow: Allow, count: int, caplog: pytest.LogCaptureFixture) -> None:
    """All that is submitted is done, by as many threads as there are, and that is logged once."""
    Pool(1, name="first").shutdown()  # the thread of the alarms is there
    allow(count)
    with Pool(8, name="few") as pool:
        names = list(pool.map(lambda _: (time.sleep(0.01), threading.current_thread().name)[1], range(20)))

    assert len(names) == 20
    assert 1 <= len(set(names)) <= count
    assert [record.message for record in caplog.records] == ["fewer threads"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_workers_answer_everything_with_fewer_threads(
    allow: Allow, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Every question has its answer, even without any thread; no more are handed out than can be worked on."""
    results, waiting = {}, list(range(20))
    with Workers(lambda number: number * number, 4, lambda: None) as workers:
        allow(count)
        while waiting or workers.busy:
            while waiting and workers.free:
                workers.ask(waiting.pop())
            question, answer = workers.next()
            results[question] = answer

    assert results == {number: number * number for number in range(20)}
    assert [record.message for record in caplog.records] == ["fewer threads"]


def test_a_worker_without_a_thread_hands_on_errors(allow: Allow) -> None:
    """An error of a question that was answered without a thread is an answer, as any other."""
    allow(0)
    with Workers(lambda number: 1 // number, 4, lambda: None) as workers:
        workers.ask(0)

        assert isinstance(workers.next()[1], ZeroDivisionError)


def test_a_stop_needs_no_thread(allow: Allow) -> None:
    """A stop calls back though no thread can be started for it."""
    stop, called = Stop(), Event()
    with stop.on_set(called.set):
        allow(0)
        stop.set()

    assert called.is_set()
    assert stop.is_set()


def test_alarms_come_in_their_order() -> None:
    """Calls are made when they are due, whatever order they were set in; a cancelled one is not made."""
    alarms, calls, done = Alarms(), [], Event()
    alarms.set(0.3, done.set)
    alarms.set(0.2, lambda: calls.append("second"))
    cancelled = alarms.set(0.15, lambda: calls.append("cancelled"))
    alarms.set(0.1, lambda: calls.append("first"))
    alarms.cancel(cancelled)

    assert done.wait(PATIENCE)
    assert calls == ["first", "second"]


def test_an_alarm_that_fails_stops_no_other() -> None:
    """The next call is made though the one before raised an error."""
    alarms, done = Alarms(), Event()

    def fail() -> None:
        raise ValueError

    alarms.set(0.0, fail)
    alarms.set(0.05, done.set)

    assert done.wait(PATIENCE)
