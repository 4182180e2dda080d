"""What a check finds, and how a check is written: a function that yields findings, and can't take the others down."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from functools import wraps
from threading import Thread
from typing import ParamSpec, TypeVar

from sync.errors import ImageSyncError
from sync.logs import mask

P = ParamSpec("P")
T = TypeVar("T")


class Level(Enum):
    """What a finding means."""

    OK = "ok"
    WARNING = "warning"  # a run works, but someone should look at it
    WRONG = "wrong"  # a run would fail, or do what is not meant
    SKIPPED = "skipped"  # it can't be told, because of something else


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report.

    Attributes:
        about: whose it is: settings, a source, the database.
        check: what was looked at.
        found: what was found, in words.
        advice: what to do, or "".
    """

    about: str
    check: str
    level: Level
    found: str
    advice: str = ""


Findings = Generator[Result, None, T]


def ok(found: str) -> Result:
    """All is well."""
    return Result("", "", Level.OK, found)


def warning(found: str, advice: str) -> Result:
    """Someone should look at it."""
    return Result("", "", Level.WARNING, found, advice)


def wrong(found: str, advice: str = "") -> Result:
    """It must be mended; errors of this program say in themselves what to do."""
    return Result("", "", Level.WRONG, found, advice)


def unknown(because: str) -> Result:
    """It can't be told, because of something else."""
    return Result("", "", Level.SKIPPED, f"because {because}")


def skip(because: str, *checks: str) -> Iterator[Result]:
    """These checks tell nothing."""
    yield from (_named(unknown(because), name) for name in checks)


def check(name: str) -> Callable[[Callable[P, Findings[T]]], Callable[P, Findings[T | None]]]:
    """Make a function that yields findings a check of this name.

    It returns what the checks after it need, or None if it failed. An error of this program is a finding, whose
    sentence says what to do; any other is one too, so that the other checks still run.
    """

    def decorate(function: Callable[P, Findings[T]]) -> Callable[P, Findings[T | None]]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> Findings[T | None]:
            findings = function(*args, **kwargs)
            try:
                while True:
                    yield _named(next(findings), name)
            except StopIteration as end:
                value: T = end.value
                return value
            except ImageSyncError as error:
                yield _named(wrong(str(error)), name)
            except Exception as error:  # noqa: BLE001 - one check that breaks must not hide what the others find
                yield _named(wrong(f"the check broke: {type(error).__name__}: {error}", "report this as a fault"), name)
            return None

        return run

    return decorate


def about(subject: str, results: Iterator[Result]) -> list[Result]:
    """The results of one subject, without any secret."""
    return [replace(one, about=subject, found=mask(one.found), advice=mask(one.advice)) for one in results]


def within(seconds: float, ask: Callable[[], T]) -> T:
    """What a call gives that has no time-out of its own, such as a look-up of a name.

    Raises:
        TimeoutError: it took longer; its thread is left to itself.
    """
    answers: list[T] = []
    problems: list[BaseException] = []

    def work() -> None:
        try:
            answers.append(ask())
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            problems.append(error)

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if problems:
        raise problems[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return answers[0]


def _named(result: Result, name: str) -> Result:
    return replace(result, check=result.check or name)
