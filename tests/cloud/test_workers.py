"""A few threads run requests at the same time, and none of them can block a run or its process."""

from __future__ import annotations

import subprocess
import sys
import threading
from threading import Barrier, Event

import pytest
from servers import environment

from sync.cloud.workers import Workers
from sync.errors import DeadlineError

PATIENCE = 30  # seconds; only a failing test waits this long


def no_check() -> None:
    """A check that always passes, as without a deadline."""


def test_each_argument_gets_its_own_result() -> None:
    """Results come in any order, each once and together with its argument."""
    with Workers(lambda number: number * number, 4, no_check) as workers:
        results, waiting = {}, list(range(50))
        while waiting or workers.busy:
            while waiting and workers.free:
                workers.ask(waiting.pop())
            argument, result = workers.next()
            results[argument] = result

    assert results == {number: number * number for number in range(50)}


def test_as_many_calls_run_at_the_same_time_as_there_are_threads() -> None:
    """Three threads meet at a barrier, so three calls run at the same time."""
    barrier = Barrier(3, timeout=PATIENCE)
    with Workers(lambda _: barrier.wait() >= 0, 3, no_check) as workers:
        for number in range(3):
            assert workers.free
            workers.ask(number)
        assert not workers.free
        results = [workers.next()[1] for _ in range(3)]

    assert results == [True, True, True]


def test_no_more_threads_than_needed_are_started() -> None:
    """One call at a time needs one thread, however many are allowed."""
    names = set()

    def name(_: int) -> None:
        names.add(threading.current_thread().name)

    with Workers(name, 32, no_check) as workers:
        for number in range(5):
            workers.ask(number)
            workers.next()

    assert len(names) == 1


@pytest.mark.parametrize("error_type", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_an_exception_is_a_result(error_type: type[BaseException]) -> None:
    """An exception in a thread is handed to the caller as a result, and the thread goes on."""

    def fails(number: int) -> int:
        if number == 1:
            raise error_type
        return number

    with Workers(fails, 1, no_check) as workers:
        workers.ask(1)
        _, first = workers.next()
        workers.ask(2)
        _, second = workers.next()

    assert isinstance(first, error_type)
    assert second == 2


def test_the_check_can_end_a_wait() -> None:
    """While no result comes, the check is called repeatedly, and its exception ends the wait."""
    never, checks = Event(), iter(range(3))

    def check() -> None:
        if next(checks) == 2:
            raise DeadlineError

    with Workers(lambda _: never.wait(), 1, check) as workers:
        workers.ask(1)
        with pytest.raises(DeadlineError):
            workers.next()
        never.set()


def test_the_threads_end_with_the_block() -> None:
    """After the block no idle thread is left."""
    with Workers(lambda number: number, 4, no_check) as workers:
        for number in range(4):
            workers.ask(number)
        for _ in range(4):
            workers.next()
        readers = [thread for thread in threading.enumerate() if thread.name.startswith("reader-")]
    for thread in readers:
        thread.join(PATIENCE)

    assert not any(thread.is_alive() for thread in readers)


def test_a_thread_that_hangs_does_not_keep_the_process() -> None:
    """A process ends even if a call never returns."""
    program = (
        "from threading import Event\n"
        "from sync.cloud.workers import Workers\n"
        "with Workers(lambda _: Event().wait(), 1, lambda: None) as workers:\n"
        "    workers.ask(1)\n"
        "print('done')\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment(), capture_output=True, check=True, text=True, timeout=PATIENCE)

    assert done.stdout == "done\n"
