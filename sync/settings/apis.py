"""The settings of a source that depend on its API: filters, fields, credentials and endpoint."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sync.settings.gather import RawValue
from sync.settings.logins import ApplicationCredential as Application
from sync.settings.logins import Keys, Kind, Token
from sync.settings.model import did_you_mean

# Glance takes any unknown parameter as a property of images, and lists nothing if no image has it: a mistyped filter
# would read as an empty list. So what users define is marked as such.
PROPERTY = "property:"
_OWNER = "owner"  # the field of an image that says which project it belongs to


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSupport:
    """The settings that a source of one API may have.

    Attributes:
        filters: the parameters that select images, each with the values it takes, or () for any text.
        fields: names of the response fields.
        reserved: the parameters that select no images, but pages or their order.
        user_defined: whether users may add fields to an image; settings name them with ``property:`` before.
        in_catalog: whether the identity service's catalog can name the endpoint.
        project_scoped: whether it lists the images of one project, so that credentials must be for one.
        signed: whether requests may be signed with an access key instead of carrying a token.
    """

    filters: Mapping[str, tuple[str, ...]]
    fields: Collection[str]
    reserved: Collection[str] = ()
    user_defined: bool = False
    in_catalog: bool = False
    project_scoped: bool = False
    signed: bool = True


def api_mistakes(
    called: str, kind: Kind | None, values: Mapping[str, Any], raw: Mapping[str, RawValue], api: ApiSupport
) -> Iterator[str]:
    """Find settings of a source that do not fit its API, or are missing.

    Args:
        called: name of the source, for messages.
        kind: of its credentials, or None if that is unclear.
        values: of the source and its credentials.
        raw: where they are set.
        api: what the source's API has.
    """
    yield from _name_mistakes(values, raw, api)
    yield from _endpoint_mistakes(called, kind, values, raw, api)
    if kind:
        yield from _scope_mistakes(called, kind, values["api"], raw, api)


def without_prefix(values: Mapping[str, Any], api: ApiSupport) -> dict[str, Any]:
    """The values with the names of filters and fields as the API has them."""
    plain = dict(values)
    if api.user_defined and "filter" in values:
        plain["filter"] = tuple(sorted((_property(name) or name, value) for name, value in values["filter"]))
    if api.user_defined and "ignore_fields" in values:
        plain["ignore_fields"] = tuple(dict.fromkeys(_property(name) or name for name in values["ignore_fields"]))
    return plain


def _name_mistakes(values: Mapping[str, Any], raw: Mapping[str, RawValue], api: ApiSupport) -> Iterator[str]:
    """The filters and fields of a source that its API does not have."""
    for name, value in values.get("filter", ()):
        if mistake := _filter_mistake(values["api"], name, value, api):
            yield f"{raw['filter'].where}: {mistake}"
    for name in values.get("ignore_fields", ()):
        if mistake := _ignored_mistake(values["api"], name, api):
            yield f"{raw['ignore_fields'].where}: {mistake}"


def _endpoint_mistakes(
    called: str, kind: Kind | None, values: Mapping[str, Any], raw: Mapping[str, RawValue], api: ApiSupport
) -> Iterator[str]:
    """Find mistakes in the endpoint, and say where it could come from."""
    if not api.in_catalog and urlsplit(values.get("endpoint") or "").path:
        yield f"{raw['endpoint'].where}: holds a path; leave out what follows the host and port"
    if "endpoint" in raw:
        return
    missing = f"{called}: endpoint is missing; set IMAGE_SYNC_ENDPOINT, or endpoint in the settings file"
    if not api.in_catalog:
        yield f"{missing} (such as https://iecs.myhuaweicloud.com)"
    elif kind is Keys:
        yield f"{missing}; requests signed with an access key can't ask for the service catalog"
    elif kind is Token and "iam_endpoint" not in raw:
        yield f"{missing}, or iam_endpoint, so that the token's service catalog names it"


def _scope_mistakes(called: str, kind: Kind, name: str, raw: Mapping[str, RawValue], api: ApiSupport) -> Iterator[str]:
    """Why credentials of this kind can't be for what the API lists."""
    if kind is Keys and not api.signed:
        yield f"{called}: {name} takes no access keys; give a token, a user or an application credential"
    elif kind is Application and not api.project_scoped:
        yield f"{called}: an application credential is for one project, but {name} lists an account; give a user"
    elif kind is Application or not api.project_scoped or "project_id" in raw:
        return
    elif kind is Keys:
        yield f"{called}: {name} lists the images of a project; set project_id"
    elif kind is Token and "iam_endpoint" not in raw:
        yield f"{called}: {name} lists the images of the token's project; set project_id, or iam_endpoint to look it up"
    elif kind is not Token and "project" not in raw:
        yield f"{called}: {name} lists the images of a project; set project or project_id"


def _filter_mistake(name: str, filter: str, value: str, api: ApiSupport) -> str:
    own = _property(filter) if api.user_defined else ""
    if own in api.filters or own in api.reserved:
        return f"{own!r} is a parameter of {name} itself; leave out {PROPERTY}"
    allowed = () if own else api.filters.get(filter)
    if allowed is None:
        hint = did_you_mean(filter, api.filters)
        return f"{name} has no filter {filter!r}{hint}; it has {', '.join(sorted(api.filters))}{_own(api)}"
    if not value:
        return f"{filter} has no value; give one or remove it"
    return f"{filter} takes {', '.join(allowed)}, not {value!r}" if allowed and value not in allowed else ""


def _ignored_mistake(name: str, ignored: str, api: ApiSupport) -> str:
    own = _property(ignored) if api.user_defined else ""
    if own in api.fields:
        return f"{own!r} is a field of {name} itself; leave out {PROPERTY}"
    if ignored == _OWNER and api.project_scoped:
        return f"{_OWNER} can't be ignored: it decides whether an image that is gone counts as deleted"
    if own or ignored in api.fields:
        return ""
    return f"{name} has no field {ignored!r}{did_you_mean(ignored, api.fields)}{_own(api)}"


def _property(name: str) -> str:
    """The name of a user's property; "" if it is marked as none."""
    return name.removeprefix(PROPERTY) if name.startswith(PROPERTY) else ""


def _own(api: ApiSupport) -> str:
    return f"; a property that users define is written {PROPERTY}NAME" if api.user_defined else ""
