"""The grant of a token, by the identity service: a project with roles, and the catalog of services."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sync.domain.scope import Scope
from sync.errors import RejectedError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a service."""

    interface: str
    region: str
    url: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the catalog."""

    type: str
    name: str
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """The grant of a token; ``scope`` is None without a project, ``services`` is () if there is no catalog."""

    scope: Scope | None = None
    services: tuple[Service, ...] = ()


NO_GRANT = Grant()
# Huawei Cloud lists trials of new features among the roles; they come and go by the vendor's doing, and show no image.
_GATE = "op_gated_"


def read_grant(token: Mapping[str, object]) -> Grant:
    """Read the data on a token; whatever does not look as documented is left out."""
    project = _text(_mapping(token.get("project")), "id")
    names = {_text(role, "name") for role in _mappings(token.get("roles"))} - {""}
    roles = sorted(name for name in names if not name.startswith(_GATE))
    scope = Scope(project, tuple(roles)) if project else None
    return Grant(scope, tuple(map(_service, _mappings(token.get("catalog")))))


def check_same(first: Scope | None, scope: Scope | None) -> None:
    """Check that a token has the project and the roles of the run's first one.

    Raises:
        RejectedError: it has not: its pages would not be of the same list.
    """
    if scope != first:
        was, now = (each.text() if each else "no project" for each in (first, scope))
        raise RejectedError(
            f"project or roles of the token changed during the run: from {was} to {now}; its pages would not be one "
            "list, so the next run starts over"
        )


def find_endpoint(services: Collection[Service], types: Collection[str], interface: str, region: str | None) -> str:
    """The address of an API in the catalog.

    Args:
        services: the catalog.
        types: the service's type or name, in the order of preference.
        interface: public, internal or admin.
        region: one of the catalog's; None if there is only one.

    Raises:
        RejectedError: there is none, or more than one; the message names what there is.
    """
    if not services:
        raise RejectedError("the identity service gives no service catalog with this token; set endpoint")
    named = _named(services, types)
    if not named:
        there = ", ".join(sorted({service.type or service.name for service in services}))
        raise RejectedError(f"the service catalog has no image service, only {there}; set endpoint to its address")
    found = [endpoint for service in named for endpoint in service.endpoints]
    matching = [endpoint for endpoint in found if endpoint.interface == interface]
    if not matching:
        there = ", ".join(sorted({endpoint.interface for endpoint in found})) or "none"
        raise RejectedError(
            f"the service catalog has no {interface} address of the image service ({there}); set interface or endpoint"
        )
    return _one_of(matching, region)


def _named(services: Collection[Service], types: Collection[str]) -> list[Service]:
    """The entries of the service, by the first type that is there, else by its name."""
    for attribute in ("type", "name"):
        for wanted in types:
            if found := [service for service in services if getattr(service, attribute) == wanted]:
                return found
    return []


def _one_of(endpoints: Collection[Endpoint], region: str | None) -> str:
    regions = sorted({endpoint.region for endpoint in endpoints})
    choice = f"set region to one of {', '.join(regions)}"
    if region is None and len(regions) > 1:
        raise RejectedError(f"the service catalog has image services in several regions; {choice}")
    if region is not None and region not in regions:
        raise RejectedError(f"the service catalog has no image service in region {region}; {choice}")
    urls = {endpoint.url for endpoint in endpoints if region is None or endpoint.region == region}
    if len(urls) > 1:
        raise RejectedError(f"the service catalog has {len(urls)} addresses of the image service; set endpoint to one")
    return urls.pop()


def _service(entry: Mapping[str, object]) -> Service:
    endpoints = (
        Endpoint(_text(each, "interface"), _text(each, "region_id", "region"), _text(each, "url"))
        for each in _mappings(entry.get("endpoints"))
    )
    return Service(_text(entry, "type"), _text(entry, "name"), tuple(endpoints))


def _mappings(value: object) -> Iterator[Mapping[str, object]]:
    return (each for each in (value if isinstance(value, list) else ()) if isinstance(each, dict))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(values: Mapping[str, object], *names: str) -> str:
    """The first of these values that is text."""
    return next((value for name in names if isinstance(value := values.get(name), str) and value), "")
