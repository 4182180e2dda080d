"""A few threads answer questions at the same time, and none of them can keep a run or its process."""

from __future__ import annotations

import subprocess
import sys
import threading
from threading import Barrier, Event

import pytest
from servers import environment

from sync.cloud.workers import Workers
from sync.errors import DeadlineError

PATIENCE = 30  # seconds; only a test that fails waits so long


def no_check() -> None:
    """There is no deadline."""


def test_each_question_gets_its_own_answer() -> None:
    """Whatever the order of the answers, each comes with its question, and each once."""
    with Workers(lambda number: number * number, 4, no_check) as workers:
        told, waiting = {}, list(range(50))
        while waiting or workers.busy:
            while waiting and workers.free:
                workers.ask(waiting.pop())
            question, answer = workers.next()
            told[question] = answer

    assert told == {number: number * number for number in range(50)}


def test_so_many_questions_are_answered_at_the_same_time() -> None:
    """Three threads meet at a barrier; then all three answers come."""
    together = Barrier(3, timeout=PATIENCE)
    with Workers(lambda _: together.wait() >= 0, 3, no_check) as workers:
        for number in range(3):
            assert workers.free
            workers.ask(number)
        assert not workers.free
        answers = [workers.next()[1] for _ in range(3)]

    assert answers == [True, True, True]


def test_no_more_threads_than_questions_are_started() -> None:
    """One question at a time takes one thread, however many there may be."""
    names = set()

    def name(_: int) -> None:
        names.add(threading.current_thread().name)

    with Workers(name, 32, no_check) as workers:
        for number in range(5):
            workers.ask(number)
            workers.next()

    assert len(names) == 1


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_an_exception_is_an_answer(kind: type[BaseException]) -> None:
    """What a thread raises comes where the answer is awaited; the thread goes on."""

    def fails(number: int) -> int:
        if number == 1:
            raise kind
        return number

    with Workers(fails, 1, no_check) as workers:
        workers.ask(1)
        _, first = workers.next()
        workers.ask(2)
        _, second = workers.next()

    assert isinstance(first, kind)
    assert second == 2


def test_a_wait_without_an_answer_is_checked() -> None:
    """While nothing comes, the check is made again and again; what it raises ends the waiting."""
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
    """After the block no thread is left that has nothing to do."""
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
    """A process ends although an answer never comes."""
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
