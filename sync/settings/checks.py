"""What no single value shows: filters and fields the API does not have, plain http, and things worth a warning."""

import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync.settings.addresses import is_plain_elsewhere, passwords_in
from sync.settings.gather import Document, Environment, RawValue
from sync.settings.model import GENERAL, PER_SOURCE, Source, did_you_mean

_PLAIN = (
    "plain http would show the credentials to the network; write https://, or set allow_http to true "
    "(http to 127.0.0.0/8, ::1 and localhost is always allowed)"
)
_PLAIN_WEBHOOK = (
    "plain http would show the address and the notices to the network; use https, or set notice_allow_http to true "
    "(http to 127.0.0.0/8, ::1 and localhost is always allowed)"
)


@dataclass(frozen=True, slots=True)
class Api:
    """What is known of the API: filter parameters with their values (() for any text), and response fields."""

    filters: Mapping[str, tuple[str, ...]]
    fields: Collection[str]


def source_mistakes(values: Mapping[str, Any], given: Mapping[str, RawValue], api: Api) -> Iterator[str]:
    """What is wrong with values of a source, its credentials included, that are right one by one."""
    for name, value in values.get("filter", ()):
        yield from _with_place(given, "filter", _filter_mistake(name, value, api))
    for name in values.get("ignore_fields", ()):
        if name not in api.fields:
            hint = did_you_mean(name, api.fields)
            yield from _with_place(given, "ignore_fields", f"the API has no field {name!r}{hint}")
    for key in ("endpoint", "iam_endpoint"):
        if is_plain_elsewhere(values.get(key, "")) and not values.get("allow_http"):
            yield from _with_place(given, key, _PLAIN)


def general_mistakes(values: Mapping[str, Any], given: Mapping[str, RawValue]) -> Iterator[str]:
    """What is wrong with values of the whole program that are right one by one."""
    if _is_plain_webhook(values) and not values.get("notice_allow_http"):
        yield from _with_place(given, "notice_url", _PLAIN_WEBHOOK)


def warnings(
    path: Path | None, document: Document, general: Mapping[str, Any], sources: Iterable[Source]
) -> Iterator[str]:
    """What is allowed, but should be known. ``general`` holds the values that were given of all sources."""
    secrets = list(_inline_secrets(document))
    if path is not None and secrets and path.stat().st_mode & stat.S_IROTH:
        yield f"{path} holds {secrets[0]} and everyone on this machine may read it; run: chmod o-r {path}"
    if {"database_url", "data_folder"} <= set(general):
        yield "data_folder has no effect, because database_url is set"
    if idle := sorted(key for key in general if key.startswith("notice_") and "notice_url" not in general):
        yield f"{', '.join(idle)} without effect, because notice_url is not set"
    if _is_plain_webhook(general):
        yield "notices are sent over plain http; use https as soon as you can"
    for source in sources:
        addresses = (source.endpoint, getattr(source.credentials, "iam_endpoint", ""))
        if any(map(is_plain_elsewhere, addresses)):
            yield f"source {source.name} sends its credentials over plain http; use https as soon as you can"


def _is_plain_webhook(values: Mapping[str, Any]) -> bool:
    url = values.get("notice_url")
    return url is not None and is_plain_elsewhere(url.reveal())


def secret_files(environment: Environment, document: Document) -> Iterator[tuple[str, Path]]:
    """The files that hold one secret each and could be read: where each is named, and its path."""
    secret = {option.key for option in GENERAL + PER_SOURCE if option.about.rule.secret}
    layers = (environment.general, environment.source, environment.vendor, document.general, document.defaults)
    for layer in (*layers, *(table for _, table in document.sources)):
        yield from ((found.where, found.file) for key, found in layer.items() if key in secret and found.file)


def _filter_mistake(name: str, value: str, api: Api) -> str:
    allowed = api.filters.get(name)
    if allowed is None:
        hint = did_you_mean(name, api.filters)
        return f"the API has no filter {name!r}{hint}; it has {', '.join(sorted(api.filters))}"
    if not value:
        return f"{name} has no value; give one or remove it"
    return f"{name} takes {', '.join(allowed)}, not {value!r}" if allowed and value not in allowed else ""


def _with_place(given: Mapping[str, RawValue], key: str, mistake: str) -> Iterator[str]:
    if mistake:
        yield f"{given[key].where}: {mistake}"


def _inline_secrets(document: Document) -> Iterator[str]:
    secret = {option.key for option in GENERAL + PER_SOURCE if option.about.rule.secret}
    for layer in (document.general, document.defaults, *(table for _, table in document.sources)):
        for key, found in layer.items():
            if key in secret and found.inline and (key != "database_url" or passwords_in(str(found.value))):
                yield key
