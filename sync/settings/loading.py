"""From the places where settings are set to the settings: which place wins, and one message with all mistakes.

``gather`` takes raw values out of the environment and the settings file, in layers; a ``ChainMap`` of layers, the
nearest first, says which value counts; ``read_values`` reads it by the option's rule; the classes of ``model`` hold it.
"""

import os
from collections import ChainMap, Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sync.errors import SettingsError
from sync.settings.apis import ApiSupport, api_mistakes, without_prefix
from sync.settings.checks import general_mistakes, source_mistakes, warnings
from sync.settings.credentials import choose_credentials, login_mistakes
from sync.settings.gather import (
    SECRET,
    Document,
    Environment,
    Layer,
    RawValue,
    read_document,
    read_environment,
    read_file,
)
from sync.settings.logins import Kind
from sync.settings.model import (
    CONFIG,
    DEFAULT_API,
    FILE_NAME,
    GENERAL,
    OF_CREDENTIALS,
    OF_SOURCE,
    PER_SOURCE,
    Settings,
    Source,
    did_you_mean,
)
from sync.settings.options import Option, options
from sync.settings.rules import WrongValueError
from sync.settings.secret import Secret


def load(
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    apis: Mapping[str, ApiSupport],
    with_sources: bool = True,
) -> Settings:
    """Read all settings once.

    Args:
        environ: the environment.
        file: the settings file; else ``IMAGE_SYNC_CONFIG``, else ``image-sync.toml`` in the current directory, if any.
        apis: what a source may have in its settings, by the name of its API.
        with_sources: whether to read the sources; otherwise there are none, and their mistakes are ignored.

    Raises:
        SettingsError: names every mistake, and no secret.
    """
    mistakes: list[str] = []
    path, document, environment = _gather(environ, file, mistakes)
    raw = ChainMap(environment.general, document.general)
    general = _read_values(GENERAL, raw, mistakes)
    mistakes.extend(general_mistakes(general, raw))
    sources = _sources(environment, document, apis, mistakes) if with_sources else ()
    if mistakes:
        raise SettingsError(list(dict.fromkeys(mistakes)))
    return Settings(**general, sources=sources, file=path, warnings=tuple(warnings(path, document, general, sources)))


def files_of_secrets(environ: Mapping[str, str], *, file: Path | None = None) -> list[tuple[str, Path]]:
    """The readable files that hold one secret each: where each is named, and its path."""
    _, document, environment = _gather(environ, file, [])
    layers = (environment.general, environment.source, environment.vendor, *document.layers())
    return [(raw.where, raw.file) for layer in layers for key, raw in layer.items() if key in SECRET and raw.file]


def _gather(
    environ: Mapping[str, str], file: Path | None, mistakes: list[str]
) -> tuple[Path | None, Document, Environment]:
    """The settings file, what is set in it, and what is set in the environment."""
    path = file or (Path(environ[CONFIG]) if CONFIG in environ else Path(FILE_NAME))
    if file is None and CONFIG not in environ and not os.path.isfile(path):  # noqa: PTH113 - a folder that may not be entered holds none
        return None, Document(), read_environment(environ, mistakes)
    return path, read_document(path, mistakes), read_environment(environ, mistakes)


def _sources(
    environment: Environment, document: Document, apis: Mapping[str, ApiSupport], mistakes: list[str]
) -> tuple[Source, ...]:
    if not document.readable:  # what is missing may be set in the file, so only what is set can be judged
        _read_values(PER_SOURCE, environment.source, mistakes)
        return ()
    tables = document.sources or ((("source of the environment", Layer()),) if environment.source else ())
    number = _number_of_source(environment.source, _names(tables), mistakes) if document.sources else 0
    for name, count in Counter(_names(tables)).items():
        if count > 1:
            mistakes.append(f"[[sources]]: {name!r} is the name of {count} of them; give each a name of its own")
    sources = []
    for each, (called, table) in enumerate(tables):
        nearest = environment.source if each == number else Layer()
        source = _source(called, (nearest, table, document.defaults), environment.vendor, apis, mistakes)
        sources += [source] if source is not None else []
    return tuple(sources)


def _number_of_source(layer: Layer, names: Sequence[str], mistakes: list[str]) -> int | None:
    """Which source of the file the environment changes: the one it names, else the only one."""
    named = layer.get("name")
    if named is None and len(names) == 1:
        return 0
    if named is not None and named.usable:
        if named.value in names:
            return names.index(str(named.value))
        hint = did_you_mean(str(named.value), names)
        mistakes.append(f"{named.where}: no source of that name is in the file{hint}; there are {', '.join(names)}")
    elif named is None and layer:
        places = ", ".join(raw.where for raw in layer.values())
        mistakes.append(f"{places}: say which source is meant; set IMAGE_SYNC_SOURCE to one of {', '.join(names)}")
    _read_values(PER_SOURCE, layer, mistakes)
    return None


def _names(tables: Iterable[tuple[str, Layer]]) -> list[str]:
    return [str(table["name"].value) if "name" in table else "default" for _, table in tables]


def _source(
    called: str, layers: Sequence[Layer], vendor: Layer, apis: Mapping[str, ApiSupport], mistakes: list[str]
) -> Source | None:
    """One source, or None if anything about it is wrong."""
    before = len(mistakes)
    raw = ChainMap(*layers)
    values = _read_values(OF_SOURCE, raw, mistakes)
    _require(called, OF_SOURCE, raw, mistakes)
    kind, raw_credentials = choose_credentials(called, layers, vendor, mistakes)
    credentials = _credentials(called, kind, raw_credentials, mistakes)
    where = {**raw_credentials, **raw}
    mistakes.extend(source_mistakes(values | credentials, where))
    api = _api(values, where, apis, mistakes)
    if api:
        mistakes.extend(api_mistakes(called, kind, {"api": DEFAULT_API} | values | credentials, where, api))
    usable = all(each.usable for each in where.values())
    if api is None or kind is None or len(mistakes) > before or not usable:
        return None
    return Source(**without_prefix(values, api), credentials=kind(**credentials))


def _credentials(called: str, kind: Kind | None, raw: Mapping[str, RawValue], mistakes: list[str]) -> dict[str, Any]:
    """The values of credentials of this kind; of all kinds, if that is unclear, so that their mistakes are found."""
    if kind is None:
        return _read_values(OF_CREDENTIALS, raw, mistakes)
    values = _read_values(options(kind), raw, mistakes)
    _require(called, options(kind), raw, mistakes)
    mistakes.extend(login_mistakes(called, kind, raw))
    return values


def _api(
    values: Mapping[str, Any], raw: Mapping[str, RawValue], apis: Mapping[str, ApiSupport], mistakes: list[str]
) -> ApiSupport | None:
    """Return the settings that the API of a source supports; None, and a mistake, if there is no such API."""
    if "api" in raw and "api" not in values:
        return None
    name = values.get("api", DEFAULT_API)
    if name not in apis:
        mistakes.append(f"{raw['api'].where}: takes one of {', '.join(apis)}, not {name!r}")
    return apis.get(name)


def _read_values(known: Iterable[Option], raw: Mapping[str, RawValue], mistakes: list[str]) -> dict[str, Any]:
    """Read the options that are set; what is wrong is added to the mistakes and left out."""
    values: dict[str, Any] = {}
    for option in known:
        each = raw.get(option.key)
        if each is None or not each.usable:
            continue
        try:
            value = _read_value(option, each)
        except WrongValueError as error:
            mistakes.extend(f"{each.where}: {reason}" for reason in error.args)
        else:
            values[option.key] = (each.folder / value).absolute() if isinstance(value, Path) else value
    return values


def _read_value(option: Option, raw: RawValue) -> Any:
    """The value by its rule; a secret from a file can be read again, as others may replace it there."""
    value = option.rule.read(raw.value)
    if raw.file is None or not isinstance(value, Secret):
        return value
    path = raw.file.absolute()

    def read() -> str | None:
        try:
            new: Secret = option.rule.read(read_file(path))
        except WrongValueError:
            return None
        return new.reveal()

    return Secret(value.reveal(), read)


def _require(called: str, needed: Iterable[Option], raw: Mapping[str, RawValue], mistakes: list[str]) -> None:
    """Add to the mistakes each required option that is not set; ``called`` says whose they are."""
    for option in needed:
        if option.required and option.key not in raw:
            example = f" (such as {option.example})" if option.example else ""
            mistakes.append(
                f"{called}: {option.key} is missing; set {option.env}, or {option.key} in the settings file{example}"
            )
