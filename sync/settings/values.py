"""From what was given to what it means: one option after the other."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from sync.settings.gather import RawValue
from sync.settings.options import Option
from sync.settings.rules import WrongValueError


def read_values(wanted: Iterable[Option], given: Mapping[str, RawValue], mistakes: list[str]) -> dict[str, object]:
    """Read what is given of the wanted options; what is wrong is noted and left out."""
    values: dict[str, object] = {}
    for option in wanted:
        found = given.get(option.key)
        if found is None or not found.usable:
            continue
        try:
            value = option.about.rule.read(found.value)
        except WrongValueError as error:
            mistakes.extend(f"{found.where}: {reason}" for reason in error.args)
        else:
            values[option.key] = (found.folder / value).absolute() if isinstance(value, Path) else value
    return values


def require(called: str, wanted: Iterable[Option], given: Mapping[str, RawValue], mistakes: list[str]) -> None:
    """Note which of the wanted options must be given, but are not. ``called`` says whose they are."""
    mistakes.extend(
        f"{called}: {option.key} is missing; set {option.env}, or {option.key} in the settings file"
        + (f" (such as {option.about.example})" if option.about.example else "")
        for option in wanted
        if option.required and option.key not in given
    )
