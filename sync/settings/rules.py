"""Rules: what each kind of setting takes, and how its text or TOML value is read."""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

from sync.settings.quantities import SIZES, durations_between, measured, seconds
from sync.settings.secret import Secret

_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
KEY_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)
_CRON_FIELDS = 5
_QUOTED = 40
_HUNDRED = 100  # per cent
T = TypeVar("T")


class WrongValueError(ValueError):
    """A value that its rule does not take; each argument is a reason, without secrets."""

    args: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[T]):
    """One kind of setting.

    Attributes:
        expects: what it takes, in words.
        parse: the value as the program holds it, or None if it is not valid; may raise WrongValueError.
        unit: unit of the value as the program holds it, or "".
        secret: whether the value must never be shown.
        quoted: whether a message may quote the raw value.
        blank: whether an empty text is valid.
    """

    expects: str
    parse: Callable[[object], T | None]
    unit: str = ""
    secret: bool = False
    quoted: bool = True
    blank: bool = False

    def read(self, value: object) -> T:
        """The value as the program holds it.

        Raises:
            WrongValueError: the value is not valid.
        """
        result = self.parse(value)
        if result is None:
            shown = repr(value)
            quote = shown if len(shown) <= _QUOTED else f"{shown[:_QUOTED]}…"
            hidden = self.secret or not self.quoted
            raise WrongValueError(
                f"takes {self.expects}" + (" (your value is not shown)" if hidden else f", not {quote}")
            )
        return result


def whole(low: int, high: int, unit: str) -> Rule[int]:
    """A whole number."""

    def parse(value: object) -> int | None:
        if isinstance(value, str) and re.fullmatch(r"[0-9][0-9_]{0,17}", value.strip()):
            value = int(value.strip().replace("_", ""))
        return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None

    return Rule(expects=f"a whole number from {low} to {high}", parse=parse, unit=unit)


def percent() -> Rule[float]:
    """A percentage."""

    def parse(value: object) -> float | None:
        number = measured(value, {"": 1.0, "%": 1.0})
        return number if number is not None and 0 <= number <= _HUNDRED else None

    return Rule(expects=f"a number from 0 to {_HUNDRED}", parse=parse, unit="%")


def duration(low: float, high: float) -> Rule[float]:
    """A duration in seconds; text may have a unit."""

    def parse(value: object) -> float | None:
        number = seconds(value)
        return number if number is not None and low <= number <= high else None

    return Rule(expects=durations_between(low, high), parse=parse, unit="s")


INTERVAL = duration(1, 366 * 86_400)  # of schedules


def size(low: int, high: int) -> Rule[int]:
    """A number of bytes; text may have a unit."""

    def parse(value: object) -> int | None:
        number = measured(value, SIZES)
        return int(number) if number is not None and low <= number <= high and number == int(number) else None

    expects = f'bytes from {low} to {high}, or text with a unit such as "64MiB"'
    return Rule(expects=expects, parse=parse, unit="bytes")


def boolean() -> Rule[bool]:
    """True or false."""

    def parse(value: object) -> bool | None:
        if isinstance(value, str):
            return _BOOLEANS.get(value.strip().lower())
        return value if isinstance(value, bool) else None

    return Rule(expects="true or false", parse=parse)


def choice(*words: str) -> Rule[str]:
    """One of a few words."""

    def parse(value: object) -> str | None:
        word = value.strip().lower() if isinstance(value, str) else None
        return word if word in words else None

    return Rule(expects="one of " + ", ".join(words), parse=parse)


def name() -> Rule[str]:
    """A name that is safe in a file name, a URL and a metric."""

    def parse(value: object) -> str | None:
        return value if isinstance(value, str) and re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", value) else None

    return Rule(
        expects="1 to 63 characters of a-z, 0-9, '.', '_' and '-', starting with a letter or digit", parse=parse
    )


def word() -> Rule[str]:
    """A word, in letters of any case."""

    def parse(value: object) -> str | None:
        return value.strip().lower() or None if isinstance(value, str) else None

    return Rule(expects="one word", parse=parse)


def line() -> Rule[str]:
    """One line of text."""

    def parse(value: object) -> str | None:
        return value if isinstance(value, str) and value.isprintable() and value == value.strip() else None

    return Rule(expects="one line of text without spaces around it", parse=parse)


def path() -> Rule[Path]:
    """A path; a relative one starts at the folder of the settings file, or at the current directory."""

    def parse(value: object) -> Path | None:
        if isinstance(value, str) and value.isprintable() and not value.startswith("~"):
            return Path(value)
        return None

    return Rule(expects="a path without ~", parse=parse)


def header_secret() -> Rule[Secret]:
    """A secret that is sent in a header."""
    return Rule(expects="one word of visible ASCII characters", parse=_secret(r"[!-~]+"), secret=True)


def line_secret() -> Rule[Secret]:
    """A secret of any characters on one line."""
    return Rule(expects="one line of text", parse=_secret(r"[^\x00-\x1f\x7f\ud800-\udfff]+"), secret=True)


def names() -> Rule[tuple[str, ...]]:
    """Several names: a TOML array, or text with commas."""

    def parse(value: object) -> tuple[str, ...] | None:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            return None
        return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))

    return Rule(expects="names with commas between them (in TOML also an array)", parse=parse, blank=True)


def schedule() -> Rule[str]:
    """When something is due: an interval, or a cron expression, which the scheduler checks further."""

    def parse(value: object) -> str | None:
        text = " ".join(value.split()) if isinstance(value, str) else ""
        if len(text.split()) == _CRON_FIELDS or text.startswith("@"):
            return text
        return text if INTERVAL.parse(text) is not None else None

    expects = (
        'an interval from 1s to 366d such as "15m", or a cron expression of five fields in UTC such as '
        '"0 6 * * mon-fri"'
    )
    return Rule(expects=expects, parse=parse)


def signing_secret() -> Rule[Secret]:
    """The key of an HMAC, as in Standard Webhooks."""

    def parse(value: object) -> Secret | None:
        if not isinstance(value, str) or not value.startswith(KEY_PREFIX):
            return None
        try:
            key = b64decode(value.removeprefix(KEY_PREFIX), validate=True)
        except ValueError:
            return None
        return Secret(value) if len(key) in _KEY_BYTES else None

    expects = (
        f"{KEY_PREFIX} and 24 to 64 random bytes in base64, as made by `echo {KEY_PREFIX}$(openssl rand -base64 32)`"
    )
    return Rule(expects=expects, parse=parse, secret=True)


def some_of(*words: str) -> Rule[tuple[str, ...]]:
    """Some of a few words, or none: a TOML array, or text with commas."""
    several = names()

    def parse(value: object) -> tuple[str, ...] | None:
        chosen = several.parse(value)
        return chosen if chosen is not None and set(chosen) <= set(words) else None

    return Rule(expects=f"some of {', '.join(words)}, with commas between them", parse=parse, blank=True)


def thresholds() -> Rule[tuple[tuple[str, str, int], ...]]:
    """Thresholds of checks: a TOML array, or text with commas; held as (check, threshold, number)."""

    def parse(value: object) -> tuple[tuple[str, str, int], ...] | None:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list):
            return None
        matches = [re.fullmatch(r"\s*([\w-]+)\.(\w+)\s*=\s*(\d{1,9})\s*", str(part)) for part in parts if part]
        return tuple((match[1], match[2], int(match[3])) for match in matches if match) if all(matches) else None

    return Rule(expects='thresholds of checks, such as "old.days=365, flapping.returns=3"', parse=parse, blank=True)


def query() -> Rule[tuple[tuple[str, str], ...]]:
    """Query parameters: a TOML table, or text as in a URL; held as pairs in the order of their names."""
    expects = 'a query string such as "visibility=private&__os_type=Linux" (in TOML also a table of text)'
    return Rule(expects=expects, parse=_query, blank=True)


def _query(value: object) -> tuple[tuple[str, str], ...] | None:
    pairs = _table_pairs(value) if isinstance(value, Mapping) else _text_pairs(value)
    if pairs is None or not all(text.isprintable() for pair in pairs for text in pair):
        return None
    keys = [key for key, _ in pairs]
    if repeated := sorted({key for key in keys if keys.count(key) > 1}):
        raise WrongValueError(*(f"names {key!r} more than once; keep one" for key in repeated))
    return tuple(sorted(pairs))


def _table_pairs(table: Mapping[str, object]) -> list[tuple[str, str]] | None:
    pairs = [(name, str(part).lower() if isinstance(part, bool) else part) for name, part in table.items()]
    texts = [(name, part) for name, part in pairs if isinstance(part, str)]
    return texts if len(texts) == len(pairs) else None


def _text_pairs(text: object) -> list[tuple[str, str]] | None:
    if not isinstance(text, str):
        return None
    try:
        return parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict") if text else []
    except ValueError:
        return None


def _secret(allowed: str) -> Callable[[object], Secret | None]:
    return lambda value: Secret(value) if isinstance(value, str) and re.fullmatch(allowed, value) else None
