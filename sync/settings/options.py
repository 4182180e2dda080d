"""Options: how ``model`` defines them, and what is known of each."""

from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, TypeVar, dataclass_transform

from sync.settings.rules import Rule

PREFIX = "IMAGE_SYNC_"
_METADATA = "option"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        rule: what it takes.
        meaning: what it does, in one line.
        env: its name in the environment.
        vendor: its name in the vendor's own tools, used where a source has no other credentials.
        example: a valid value, for the page and for messages.
        key: its name in TOML, and of the field.
        default: its value where it is not set.
        required: whether it has no default.
    """

    rule: Rule[Any]
    meaning: str
    env: str
    vendor: str
    example: str
    key: str = ""
    default: object = None
    required: bool = False


def option(
    rule: Rule[Any], meaning: str, *, default: Any = MISSING, env: str = "", vendor: str = "", example: str = ""
) -> Any:
    """A field of a settings class, with its ``Option``; see there. Its name in the environment follows from its key."""
    return field(default=default, metadata={_METADATA: Option(rule, meaning, env, vendor, example)})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option,))
def settings_class(cls: type[T]) -> type[T]:
    """Make a class of options a frozen dataclass."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


def options(cls: type) -> tuple[Option, ...]:
    """The options of a settings class, in their order."""
    return tuple(
        replace(
            each.metadata[_METADATA],
            key=each.name,
            env=each.metadata[_METADATA].env or PREFIX + each.name.upper(),
            default=None if each.default is MISSING else each.default,
            required=each.default is MISSING,
        )
        for each in fields(cls)
        if _METADATA in each.metadata
    )
