"""Checks beyond single values: plain http, and warnings."""

import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sync.settings.addresses import is_plain_elsewhere, passwords_in
from sync.settings.gather import SECRET, Document, RawValue
from sync.settings.logins import Token
from sync.settings.model import Source

_PLAIN = (
    "plain http would show the credentials to the network; write https://, or set allow_http to true "
    "(http to 127.0.0.0/8, ::1 and localhost is always allowed)"
)
_PLAIN_WEBHOOK = (
    "plain http would show the address and the notices to the network; use https, or set notice_allow_http to true "
    "(http to 127.0.0.0/8, ::1 and localhost is always allowed)"
)


def source_mistakes(values: Mapping[str, Any], raw: Mapping[str, RawValue]) -> Iterator[str]:
    """The mistakes of a source whose values, those of its credentials included, are valid one by one."""
    for key in ("endpoint", "iam_endpoint"):
        if is_plain_elsewhere(values.get(key) or "") and not values.get("allow_http"):
            yield f"{raw[key].where}: {_PLAIN}"


def general_mistakes(values: Mapping[str, Any], raw: Mapping[str, RawValue]) -> Iterator[str]:
    """The mistakes of the whole program's values, which are valid one by one."""
    if _is_plain_webhook(values) and not values.get("notice_allow_http"):
        yield f"{raw['notice_url'].where}: {_PLAIN_WEBHOOK}"


def warnings(
    path: Path | None, document: Document, general: Mapping[str, Any], sources: Iterable[Source]
) -> Iterator[str]:
    """Warnings of what is allowed, but risky or without effect. ``general`` holds only values that are set."""
    secrets = list(_inline_secrets(document))
    if path is not None and secrets and _is_public(path):
        yield f"{path} holds {secrets[0]}, and everyone on this machine may read it; run: chmod o-r {path}"
    if {"database_url", "data_folder"} <= set(general):
        yield "data_folder has no effect, because database_url is set"
    if idle := sorted(key for key in general if key.startswith("notice_") and "notice_url" not in general):
        yield f"{', '.join(idle)} {'have' if idle[1:] else 'has'} no effect, because notice_url is not set"
    if _is_plain_webhook(general):
        yield "notices are sent over plain http; use https as soon as you can"
    for source in sources:
        if any(map(is_plain_elsewhere, source.addresses)):
            yield f"source {source.name} sends its credentials over plain http; use https as soon as you can"
        own = source.credentials
        if isinstance(own, Token) and own.project_id and own.iam_endpoint is None:
            yield (
                f"source {source.name} has a token but no iam_endpoint to say whether it is for its project_id, so no "
                "image will be called deleted, only no longer visible"
            )


def _is_public(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:  # it was read, and is gone by now
        return False


def _is_plain_webhook(values: Mapping[str, Any]) -> bool:
    url = values.get("notice_url")
    return url is not None and is_plain_elsewhere(url.reveal())


def _inline_secrets(document: Document) -> Iterator[str]:
    """The keys of the secrets that stand in the settings file itself."""
    for layer in document.layers():
        for key, raw in layer.items():
            if key in SECRET and not raw.file and (key != "database_url" or passwords_in(str(raw.value))):
                yield key
