"""Raw values, and where they are set: in the environment, the settings file, and files that hold one value each."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sync.files import UnreadableFileError, read_text
from sync.settings.model import CONFIG, GENERAL, OF_CREDENTIALS, PER_SOURCE, did_you_mean
from sync.settings.options import PREFIX, Option
from sync.settings.rules import WrongValueError

RENAMED = {
    "readings": "max_gap_requests",
    "max_read_attempts": "max_gap_requests",
    "confirm_limit": "max_single_confirms",
    "page_bytes": "max_response_bytes",
    "retries": "max_retries",
    "guard_images": "max_deletions",
    "guard_percent": "max_deletions_percent",
    "daily_images": "max_daily_deletions",
    "daily_percent": "max_daily_deletions_percent",
    "check_off": "checks_disabled",
    "check_systems": "end_of_life_file",
    "notice_failures": "notify_after_failures",
}  # what drafts of the first version called a setting
SECRET = frozenset(option.key for option in GENERAL + PER_SOURCE if option.rule.secret)
# Not ours: what Kubernetes and old container links put in every pod beside a service called "image-sync", and the
# secrets of the simulated cloud.
_OTHERS = re.compile(
    r"IMAGE_SYNC_((\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)|SIMULATOR_\w+)"
)
_LARGEST_FILE = 2 * 2**20  # bytes; tokens grow with the rights in them
_HINT = "give the path of a file that holds the value"


@dataclass(frozen=True, slots=True)
class RawValue:
    """A value as it is set, and where.

    Attributes:
        value: not read by its rule yet.
        where: the name it is set by, and the place, for messages.
        folder: where a relative path starts.
        usable: False if a mistake was noted already.
        file: the file that holds the value, where one does and could be read.
    """

    value: object = field(repr=False)
    where: str
    folder: Path
    usable: bool = True
    file: Path | None = field(default=None, repr=False)


Layer = dict[str, RawValue]  # by the options' keys


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment sets: of the whole program, of one source, and by the vendor's own names."""

    general: Layer
    source: Layer
    vendor: Layer


@dataclass(frozen=True, slots=True)
class Document:
    """What the settings file sets; ``readable`` is False if it could not be read at all."""

    general: Layer = field(default_factory=dict)
    defaults: Layer = field(default_factory=dict)
    sources: tuple[tuple[str, Layer], ...] = ()
    readable: bool = True

    def layers(self) -> tuple[Layer, ...]:
        """All that it sets."""
        return (self.general, self.defaults, *(table for _, table in self.sources))


@dataclass(frozen=True, slots=True)
class _Place:
    """A table of names and values, what to call it, where relative paths in it start, and the suffix for files."""

    table: Mapping[str, object]
    called: str
    folder: Path
    suffix: str

    def label(self, name: str) -> str:
        return f"{name} ({self.called})"


def read_environment(environ: Mapping[str, str], mistakes: list[str]) -> Environment:
    """Take the options out of ``environ``; an unknown ``IMAGE_SYNC_`` name is a mistake."""
    place = _Place(environ, "environment", Path(), "_FILE")
    known = [CONFIG, *(name for option in GENERAL + PER_SOURCE for name in (option.env, option.env + "_FILE"))]
    mistakes.extend(
        f"{place.label(name)}: {_renamed(name) or f'there is no such setting{did_you_mean(name, known)}'}"
        for name in environ
        if name.startswith(PREFIX) and name not in known and not _OTHERS.fullmatch(name)
    )
    general = _take(place, {option.env: option for option in GENERAL}, mistakes)
    source = _take(place, {option.env: option for option in PER_SOURCE}, mistakes)
    vendor = {option.vendor: option for option in OF_CREDENTIALS if option.vendor}
    others = _Place({name: environ[name] for name in vendor if environ.get(name)}, "environment", Path(), "_FILE")
    return Environment(general, source, _take(others, vendor, mistakes))


def read_document(path: Path, mistakes: list[str]) -> Document:
    """Take the options out of the TOML file at ``path``; an unknown key is a mistake."""
    content = _parse(path, mistakes)
    if content is None:
        return Document(readable=False)
    defaults, tables = content.pop("defaults", {}), content.pop("sources", [])
    if not isinstance(defaults, dict):
        mistakes.append(f"defaults ({path.name}): must be a table, written [defaults]")
        defaults = {}
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        mistakes.append(f"sources ({path.name}): must be tables, each written [[sources]]")
        tables = []
    shared = tuple(option for option in PER_SOURCE if option.key != "name")
    called = [_called(path, number, table) for number, table in enumerate(tables, 1)]
    return Document(
        general=_table(content, path.name, path.parent, GENERAL, mistakes),
        defaults=_table(defaults, f"{path.name}, [defaults]", path.parent, shared, mistakes),
        sources=tuple(
            (name, _table(table, name, path.parent, PER_SOURCE, mistakes))
            for name, table in zip(called, tables, strict=True)
        ),
    )


def _parse(path: Path, mistakes: list[str]) -> dict[str, object] | None:
    try:
        return tomllib.loads(read_text(path))
    except UnreadableFileError as error:
        mistakes.append(f"{path}: cannot be read as the settings file: {error}")
    except tomllib.TOMLDecodeError as error:
        mistakes.append(f"{path}: is not valid TOML: {error}")
    except (ValueError, RecursionError):
        mistakes.append(f"{path}: is not a settings file: a number is too long, or tables are nested too deep")
    return None


def _called(path: Path, number: int, table: Mapping[str, object]) -> str:
    name = table.get("name")
    printable = isinstance(name, str) and name.isprintable() and name
    return f"{path.name}, [[sources]] {name if printable else f'no. {number}'}"


def _table(
    table: Mapping[str, object], called: str, folder: Path, options: Iterable[Option], mistakes: list[str]
) -> Layer:
    by_key = {option.key: option for option in options}
    known = [name for key in by_key for name in (key, f"{key}_file")]
    place = _Place(table, called, folder, "_file")
    mistakes.extend(f"{place.label(name)}: {_unknown(name, known)}" for name in table if name not in known)
    return _take(place, by_key, mistakes)


def _unknown(name: str, known: Iterable[str]) -> str:
    key = name.removesuffix("_file")
    if key in {option.key for option in GENERAL}:
        return "does not belong here; move it to the top of the file, above the first [ ]"
    if key in {option.key for option in PER_SOURCE} and key != "name":
        return "does not belong here; move it below [[sources]] or [defaults]"
    return _renamed(name) or f"there is no such setting{did_you_mean(name, [*known, 'defaults', 'sources'])}"


def _renamed(name: str) -> str | None:
    """A sentence with the new name of a renamed setting, in the style of the old name; None for any other name."""
    key, env = name.lower().removeprefix(PREFIX.lower()), name.startswith(PREFIX)
    suffix = "_file" if key.endswith("_file") else ""
    new = RENAMED.get(key.removesuffix("_file"))
    return new and f"is now {PREFIX + (new + suffix).upper() if env else new + suffix}"


def _take(place: _Place, options: Mapping[str, Option], mistakes: list[str]) -> Layer:
    """The options that ``place`` sets. ``options`` are by their names there."""
    layer: Layer = {}
    for name, option in options.items():
        names = [each for each in (name, name + place.suffix) if each in place.table]
        if not names:
            continue
        where = place.label(names[0])
        try:
            layer[option.key] = _raw_value(place, names, option, by_file=names[0] != name)
        except WrongValueError as error:
            mistakes.extend(f"{where}: {reason}" for reason in error.args)
            layer[option.key] = RawValue(None, where, place.folder, usable=False)
    return layer


def _raw_value(place: _Place, names: list[str], option: Option, *, by_file: bool) -> RawValue:
    if len(names) > 1:
        raise WrongValueError(f"is set together with {names[1]}; keep one of them")
    value, where, folder = place.table[names[0]], place.label(names[0]), place.folder
    if by_file:
        return RawValue(_content(value, folder), where, folder, file=folder / str(value))
    if value == "" and not option.rule.blank:
        raise WrongValueError(f"is empty; remove it, or give {option.rule.expects}")
    return RawValue(value, where, folder)


def _content(path: object, folder: Path) -> str:
    """The content of the file. The path is not quoted: it may be the secret itself."""
    if not isinstance(path, str) or not path or "\0" in path:
        raise WrongValueError(_HINT)
    return read_file(folder / path)


def read_file(path: Path) -> str:
    """The content of a file that holds one value, without its last line break.

    Raises:
        WrongValueError: it cannot be read, or holds no value.
    """
    try:
        text = read_text(path, _LARGEST_FILE).removesuffix("\n")
    except UnreadableFileError as error:
        raise WrongValueError(f"the file cannot be read ({error}); {_HINT}") from None
    if not text:
        raise WrongValueError(f"the file is empty; {_HINT}")
    return text
