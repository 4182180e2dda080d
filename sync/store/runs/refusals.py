"""The errors of sources that are no longer what their inventory was made with."""

from __future__ import annotations

from urllib.parse import parse_qsl

from sync.domain.run import Source
from sync.errors import ApiChangedError, FilterChangedError, ScopeChangedError


def changed(source: Source, api: str, filter: str) -> ApiChangedError | FilterChangedError | None:
    """The error of a source that is not what its inventory was made with."""
    if api != source.api.name:
        return ApiChangedError(
            f"the api of source {source.name} changed from {api} to {source.api.name}, so all its images would seem to "
            "be gone; give it a new name"
        )
    return _filter_changed(source, filter) if filter != source.filter else None


def scope_changed(source: Source, stored: str, scope: str) -> ScopeChangedError:
    """The error of a source whose credentials do not have the stored scope."""
    before, now = (dict(parse_qsl(each, keep_blank_values=True)) for each in (stored, scope))
    roles_before, roles = (set(filter(None, each.pop("roles", "").split(","))) for each in (before, now))
    changes = [
        f"the {name} was {before.get(name) or 'none'} and is {now.get(name) or 'none'}"
        for name in sorted(before | now)
        if before.get(name) != now.get(name)
    ]
    for what, names in (("lost", roles_before - roles), ("gained", roles - roles_before)):
        if names:
            changes.append(f"they {what} the role{'s' * (len(names) > 1)} {', '.join(sorted(names))}")
    return ScopeChangedError(
        f"the credentials of source {source.name} changed: {'; '.join(changes)}; they reach other images "
        f"than those that the inventory was made of; if this is intended: image-sync sources accept-scope {source.name}"
    )


def _filter_changed(source: Source, stored: str) -> FilterChangedError:
    now, before = source.filter or "no filter", stored or "no filter"
    return FilterChangedError(
        f"the filter of source {source.name} changed from {before} to {now}, so images outside it would seem to be "
        f"gone; if this is intended: image-sync sources accept-filter {source.name}"
    )
