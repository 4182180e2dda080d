"""What is said of each option, beside its type and default, where it stands in ``model``."""

from dataclasses import MISSING, dataclass, fields
from typing import Any, get_args

from sync.settings.rules import Rule

PREFIX = "IMAGE_SYNC_"


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """What is said of an option beside its type and default.

    Attributes:
        rule: what it takes.
        meaning: what it does, in one line.
        env: its name in the environment, where that is not ``IMAGE_SYNC_`` and its key.
        vendor: its name in the vendor's own tools, taken where no credentials are given otherwise.
        example: a right value, for the page and for messages.
    """

    rule: Rule[Any]
    meaning: str
    env: str = ""
    vendor: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One option, derived from its line below."""

    key: str
    env: str
    about: OptionSpec
    default: object
    required: bool
    per_source: bool


def options(cls: type, *, per_source: bool = True) -> tuple[Option, ...]:
    """The options of one of the classes of ``model``, in their order."""
    marked = ((field, get_args(field.type)[1]) for field in fields(cls) if hasattr(field.type, "__metadata__"))
    return tuple(
        Option(
            key=field.name,
            env=about.env or PREFIX + field.name.upper(),
            about=about,
            default=None if field.default is MISSING else field.default,
            required=field.default is MISSING,
            per_source=per_source,
        )
        for field, about in marked
    )
