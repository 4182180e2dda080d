"""The lines of the report. A check is a function that yields them; one that breaks keeps no other from its line."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeVar

from sync.errors import ImageSyncError
from sync.logs import mask

T = TypeVar("T")


class Level(Enum):
    """How serious a line is."""

    OK = "ok"
    WARNING = "warning"  # a run works, but someone should look at it
    WRONG = "wrong"  # a run would fail, or do what is not meant
    SKIPPED = "skipped"  # something else keeps it from being checked


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report.

    Attributes:
        about: the subject: settings, database, own server, or the name of a source.
        check: the name of the check.
        found: what it found, in words.
        advice: what to do, or "".
    """

    about: str
    check: str
    level: Level
    found: str
    advice: str = ""


Lines = Generator[Line, None, T]


def ok(found: str) -> Line:
    """All is well."""
    return Line("", "", Level.OK, found)


def warning(found: str, advice: str = "") -> Line:
    """Someone should look at it."""
    return Line("", "", Level.WARNING, found, advice)


def wrong(found: str, advice: str = "") -> Line:
    """It must be fixed; sentences of our own errors already say what to do."""
    return Line("", "", Level.WRONG, found, advice)


def unknown(because: str) -> Line:
    """It can't be checked."""
    return Line("", "", Level.SKIPPED, f"because {because}")


@dataclass(slots=True)
class Report:
    """The lines on one subject, with every secret masked."""

    about: str
    lines: list[Line] = field(default_factory=list)

    def check(self, name: str, lines: Lines[T]) -> T | None:
        """Add the lines of a check.

        Returns:
            what later checks need of it, or None if it ended with an error, which becomes a line.
        """
        try:
            while True:
                self._add(name, next(lines))
        except StopIteration as end:
            value: T = end.value
            return value
        except ImageSyncError as error:
            self._add(name, wrong(str(error)))
        except Exception as error:  # noqa: BLE001 - one check that breaks must not hide what the others find
            self._add(name, _broken(error))
        return None

    @contextmanager
    def guarded(self, name: str) -> Iterator[None]:
        """Turn an error between the checks of the block into a line."""
        try:
            yield
        except ImageSyncError as error:
            self._add(name, wrong(str(error)))
        except Exception as error:  # noqa: BLE001 - as above
            self._add(name, _broken(error))

    def skip(self, because: str, *names: str) -> None:
        """Add a line per check that can't be made."""
        for name in names:
            self._add(name, unknown(because))

    def _add(self, name: str, line: Line) -> None:
        masked = replace(line, about=self.about, check=name, found=mask(line.found), advice=mask(line.advice))
        self.lines.append(masked)


def _broken(error: Exception) -> Line:
    return wrong(f"the check broke: {type(error).__name__}: {error}", "report this as a bug")
