"""The settings, from everything that was given: which place wins, and one message of all mistakes."""

from collections import ChainMap
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from sync.errors import SettingsError
from sync.settings.checks import Api, general_mistakes, secret_files, source_mistakes, warnings
from sync.settings.credentials import find_credentials
from sync.settings.gather import Document, Environment, Layer, read_document, read_environment, settings_file
from sync.settings.model import GENERAL, OF_SOURCE, PER_SOURCE, Settings, Source, did_you_mean
from sync.settings.values import read_values, require


def load(
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    filters: Mapping[str, tuple[str, ...]],
    fields: Collection[str],
    with_sources: bool = True,
) -> Settings:
    """Read all settings once.

    Args:
        environ: the environment.
        file: the settings file; else ``IMAGE_SYNC_CONFIG``, else ``image-sync.toml`` in the current directory, if any.
        filters: the filter parameters of the API, each with the values it takes, or () for any text.
        fields: names of the response fields in the API.
        with_sources: read the sources, too; else there are none, and what is wrong about them is no matter.

    Raises:
        SettingsError: names every mistake there is, and no secret.
    """
    mistakes: list[str] = []
    path = settings_file(environ, file)
    document = read_document(path, mistakes) if path is not None else Document()
    environment = read_environment(environ, mistakes)
    given = ChainMap(environment.general, document.general)
    general = read_values(GENERAL, given, mistakes)
    mistakes.extend(general_mistakes(general, given))
    sources = _sources(environment, document, Api(filters, fields), mistakes) if with_sources else ()
    if mistakes:
        raise SettingsError(list(dict.fromkeys(mistakes)))
    told = tuple(warnings(path, document, general, sources))
    return Settings(**general, sources=sources, file=path, warnings=told)  # type: ignore[arg-type] # types by rule


def files_of_secrets(environ: Mapping[str, str], *, file: Path | None = None) -> list[tuple[str, Path]]:
    """The files that hold one secret each, of settings that can be read: where each is named, and its path."""
    mistakes: list[str] = []
    path = settings_file(environ, file)
    document = read_document(path, mistakes) if path is not None else Document()
    return list(secret_files(read_environment(environ, mistakes), document))


def _sources(environment: Environment, document: Document, api: Api, mistakes: list[str]) -> tuple[Source, ...]:
    if not document.readable:  # what is missing may stand in the file: only what is there can be judged
        read_values(PER_SOURCE, environment.source, mistakes)
        return ()
    tables = document.sources or ((("source of the environment", Layer()),) if environment.source else ())
    meant = _meant(environment.source, document.sources, mistakes) if document.sources else 0
    _require_own_names(tables, mistakes)
    sources = []
    for number, (called, table) in enumerate(tables):
        nearest = environment.source if number == meant else Layer()
        source = _source(called, (nearest, table, document.defaults), environment.vendor, api, mistakes)
        sources += [source] if source is not None else []
    return tuple(sources)


def _meant(given: Layer, tables: Sequence[tuple[str, Layer]], mistakes: list[str]) -> int | None:
    """Which source of the file the environment speaks of: the one it names, else the only one."""
    names = _names(tables)
    wanted = given.get("name")
    if wanted is not None and wanted.usable and wanted.value in names:
        return names.index(str(wanted.value))
    if wanted is None and len(names) == 1:
        return 0
    if wanted is not None and wanted.usable:
        hint = did_you_mean(str(wanted.value), names)
        mistakes.append(f"{wanted.where}: no source of that name is in the file{hint}; there are {', '.join(names)}")
    elif wanted is None and given:
        used = ", ".join(found.where for found in given.values())
        mistakes.append(f"{used}: say which source is meant; set IMAGE_SYNC_SOURCE to one of {', '.join(names)}")
    read_values(PER_SOURCE, given, mistakes)
    return None


def _names(tables: Sequence[tuple[str, Layer]]) -> list[str]:
    return [str(table["name"].value) if "name" in table else "default" for _, table in tables]


def _require_own_names(tables: Sequence[tuple[str, Layer]], mistakes: list[str]) -> None:
    names = _names(tables)
    mistakes.extend(
        f"[[sources]]: {name!r} is the name of {names.count(name)} of them; give each a name of its own"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    )


def _source(called: str, layers: Sequence[Layer], vendor: Layer, api: Api, mistakes: list[str]) -> Source | None:
    before = len(mistakes)
    given = ChainMap(*layers)
    values = read_values(OF_SOURCE, given, mistakes)
    require(called, OF_SOURCE, given, mistakes)
    found = find_credentials(called, layers, vendor, mistakes)
    mistakes.extend(source_mistakes(values | found.values, {**given, **found.given}, api))
    usable = all(each.usable for each in (*given.values(), *found.given.values()))
    if found.kind is None or len(mistakes) > before or not usable:
        return None
    credentials = found.kind(**found.values)  # type: ignore[arg-type] # each rule gives its option's type
    return Source(**values, credentials=credentials)  # type: ignore[arg-type] # likewise
