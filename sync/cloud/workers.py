"""A few threads that send requests at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Generic, Self, TypeVar

from sync import logs
from sync.errors import NoThreadError
from sync.threads import start

Q = TypeVar("Q")
A = TypeVar("A")
_log = logs.get(__name__)
_TICK = 0.2  # seconds between two looks at the deadline while nothing comes


class Workers(Generic[Q, A]):
    """Answers questions in daemon threads.

    The interpreter waits for an executor's threads when the process ends, so one answer that never comes would keep a
    stopped job alive. It does not wait for daemon threads.

    Args:
        answer: called by a thread with a question.
        count: number of threads.
        check: called while waiting for an answer; raises to give up.
    """

    def __init__(self, answer: Callable[[Q], A], count: int, check: Callable[[], object]) -> None:
        self._answer, self._count, self._check = answer, count, check
        self._questions: SimpleQueue[tuple[Q] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Q, A | BaseException]] = SimpleQueue()
        self._threads = 0
        self.busy = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for _thread in range(self._threads):
            self._questions.put(None)

    @property
    def free(self) -> bool:
        """Whether a thread is free for one more question."""
        return self.busy < self._count

    def ask(self, question: Q) -> None:
        """Hand a question to a thread."""
        self.busy += 1
        self._questions.put((question,))
        if self._threads < self.busy:
            self._add_thread()

    def next(self) -> tuple[Q, A | BaseException]:
        """Wait for any answer; a thread's exception is an answer."""
        while True:
            try:
                answer = self._answers.get(timeout=_TICK)
            except Empty:
                self._check()
                continue
            self.busy -= 1
            return answer

    def _add_thread(self) -> None:
        """Start one more thread; where the system allows no more, the others do the work, or else this one."""
        work = copy_context().run  # its log lines have the run and the source, too
        name = f"reader-{self._threads}"
        try:
            start(threading.Thread(target=work, args=(self._work,), daemon=True, name=name))
        except NoThreadError as error:
            if self._count > max(self._threads, 1):  # not said already
                _log.warning("fewer threads", threads=self._threads, wanted=self._count, reason=str(error))
            self._count = max(self._threads, 1)
            if not self._threads:
                self._questions.put(None)
                self._work()
        else:
            self._threads += 1

    def _work(self) -> None:
        while (question := self._questions.get()) is not None:
            try:
                answer: A | BaseException = self._answer(question[0])
            except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
                answer = error
            self._answers.put((question[0], answer))
