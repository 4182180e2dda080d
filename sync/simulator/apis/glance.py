"""Glance: a project's list by marker with a link to the next page; hidden images only if these are asked for.

It takes each parameter that it does not know for a property of images.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from sync.domain.apis import GLANCE
from sync.domain.apis.glance import VISIBILITIES
from sync.simulator.answers import Answer, Members, Request, host_url, html_error, json_answer
from sync.simulator.apis.behaviour import Behaviour, Pairs, RefusedError
from sync.simulator.apis.comparing import fits_moment, is_moment, one_of
from sync.simulator.catalog import Document
from sync.simulator.entry import Entry
from sync.simulator.images.glance import ATTRIBUTES
from sync.simulator.listing import Order, Page, Query
from sync.simulator.viewer import ACCEPTED, Viewer, lists, sees
from sync.simulator.world import World

_USUAL_PAGE, _LARGEST_PAGE = 25, 1000
_SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
_PAGING = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir"})
_SCOPE = frozenset({"visibility", "member_status", "os_hidden"})
_MEMBER_STATUSES = ("accepted", "pending", "rejected", "all")
_MOMENTS = frozenset({"created_at", "updated_at"})
_LISTS = frozenset({"id", "name", "status", "container_format", "disk_format"})
_LINKS = frozenset({"self", "file", "schema"})
_UNLISTED = frozenset({"killed", "deleted"})
_TRUTHS = frozenset({"true", "false"})
_MESSAGES = {
    401: "The request you have made requires authentication.",
    403: "You are not authorized to complete this action.",
    404: "The resource could not be found.",
    503: "The server is currently unavailable. Please try again at a later time.",
}


class GlanceBehaviour(Behaviour):
    """How Glance behaves."""

    api: ClassVar = GLANCE
    request_id_header: ClassVar = "x-openstack-request-id"

    def read(self, pairs: Pairs, world: World, viewer: Viewer | None) -> Query:
        """The query of these parameters."""
        given = dict(pairs)
        order = _read_order(pairs)
        filters = tuple(sorted((name, value) for name, value in pairs if name not in _PAGING))
        for name, value in filters:
            _check(name, value)
        return Query(
            filters=filters,
            limit=_read_limit(given.get("limit", str(_USUAL_PAGE))),
            sort_key=order[0][0],
            descending=order[0][1],
            then=order[1:],
            marker=_marker(given["marker"], world, viewer) if "marker" in given else None,
            viewer=viewer,
        )

    def matching(self, world: World, query: Query) -> Iterable[Entry]:
        """The images that are shown to the project and have these values and properties."""
        filters = dict(query.filters)
        visibility, status = filters.get("visibility", ""), filters.get("member_status", ACCEPTED)
        hidden = filters.get("os_hidden", "false").lower() == "true"
        rest = [(name, value) for name, value in query.filters if name not in _SCOPE]
        plain = filters.get("id", "in:").startswith("in:")
        for entry in world.entries() if plain else world.with_id(filters["id"]):
            if entry.hidden is hidden and entry.status not in _UNLISTED:
                if not lists(entry, query.viewer, visibility, status):
                    continue
                document = entry.document if rest else {}
                if all(_has(document, name, value) for name, value in rest):
                    yield entry

    def members(self, page: Page, images: bytes, request: Request) -> Members:
        """The images, and the links to the first and the next page; the latter whenever the page is full."""
        query = dict(parse_qsl(request.query, keep_blank_values=True))  # its links have one value of each parameter
        query.pop("marker", None)
        members = {"images": images, "first": _link(query)}
        if page.full:
            members["next"] = _link({**query, "marker": str(page.entries[-1].id)})
        return members | {"schema": b'"/v2/schemas/images"'}

    @classmethod
    def error(cls, status: int, request: Request, message: str = "", code: str = "") -> Answer:  # noqa: ARG003
        """A web page, whatever is wrong."""
        challenge = (("WWW-Authenticate", f'Keystone uri="{host_url(request)}/identity"'),)
        return html_error(status, message or _MESSAGES.get(status, ""), challenge if status == 401 else ())  # noqa: PLR2004

    def unauthorized(self, flaw: str, request: Request) -> Answer:  # noqa: ARG002 - it does not say what is wrong
        """The answer to wrong credentials, which what checks them gives before Glance sees the request."""
        return replace(self.error(401, request), own=False)

    def sees(self, entry: Entry, viewer: Viewer | None) -> bool:
        """Whether the image can be asked for by itself: hidden and community images can, deleted ones cannot."""
        return sees(entry, viewer) and entry.status != "deleted"

    def other(self, request: Request) -> Answer:
        """The versions of the API, which clients look for first."""
        if request.method == "GET" and request.path in {"/", "/versions"}:
            link = {"rel": "self", "href": f"{host_url(request)}/v2/"}
            version = {"id": "v2.17", "status": "CURRENT", "links": [link]}
            return json_answer(300, {"versions": [version]})
        return self.error(404, request)

    def request_id(self) -> str:
        """An id for a request."""
        return f"req-{uuid4()}"


def _link(query: Mapping[str, str]) -> bytes:
    return json.dumps(f"{GLANCE.path}?{urlencode(query)}" if query else GLANCE.path).encode()


def _read_limit(text: str) -> int:
    try:
        limit = int(text)
    except ValueError:
        raise RefusedError(400, "limit param must be an integer") from None
    if limit < 0:
        raise RefusedError(400, "limit param must be positive")
    return min(limit, _LARGEST_PAGE)


def _read_order(pairs: Pairs) -> Order:
    """The keys of the order and whether each descends; creation and id come last where they are not named."""
    sorts = [value for name, value in pairs if name == "sort"]
    keys = [value for name, value in pairs if name == "sort_key"]
    ways = [value for name, value in pairs if name == "sort_dir"]
    if sorts and (keys or ways):
        raise RefusedError(400, "Old and new sorting syntax cannot be combined")
    if sorts:
        parts = [part.strip().partition(":") for part in sorts[0].split(",")]
        keys, ways = [key for key, _, _ in parts], [way or "desc" for _, _, way in parts]
    keys = keys or ["created_at"]
    last = ways[0] if len(ways) == 1 and not sorts else "desc"
    ways = ways * len(keys) if len(ways) == 1 else ways or ["desc"] * len(keys)
    if len(keys) != len(ways):
        raise RefusedError(400, "Number of sort dirs does not match the number of sort keys")
    order = list(zip(keys, ways, strict=True))
    for key, way in order:
        if key not in _SORT_KEYS:
            known = ", ".join(_SORT_KEYS)
            raise RefusedError(400, f"Invalid sort key: {key}. It must be one of the following: {known}.")
        if way not in {"asc", "desc"}:
            raise RefusedError(400, f"Invalid sort direction: {way}")
    order += [(key, last) for key in ("created_at", "id") if key not in keys]
    unique = [key for key, _ in order].index("id") + 1  # nothing after the id changes the order
    return tuple((key, way == "desc") for key, way in order[:unique])


def _check(name: str, value: str) -> None:
    if name == "visibility" and value not in {*VISIBILITIES, "all"}:
        raise RefusedError(400, f"Invalid visibility value: {value}")
    if name == "member_status" and value not in _MEMBER_STATUSES:
        raise RefusedError(400, f"Invalid status: {value}")
    if (name == "os_hidden" and value.lower() not in _TRUTHS) or (name == "protected" and value not in _TRUTHS):
        allowed = "Valid values are 'true' or 'false'."
        raise RefusedError(400, f"Invalid value '{value}' for '{name}' filter. {allowed}")
    if name in _MOMENTS and not is_moment(value):
        raise RefusedError(400, f'Bad "{name}" query filter format. Use ISO 8601 DateTime notation.')
    if name in {"size_min", "size_max"} and not value.isdigit():
        raise RefusedError(400, "Unable to filter on a range with a non-numeric value.")


def _marker(identity: str, world: World, viewer: Viewer | None) -> Entry:
    there = next(iter(world.with_id(identity)), None)
    if there is None or there.status == "deleted":
        raise RefusedError(400, f"No image found with ID {identity}")
    if not sees(there, viewer):
        raise RefusedError(403, f"Forbidding request, image {identity} not visible")
    return there


def _has(document: Document, name: str, value: str) -> bool:
    held = document.get(name)
    if name == "tag":
        tags = document.get("tags")
        return isinstance(tags, list) and value in tags
    if name in {"size_min", "size_max"}:
        size = document.get("size")
        return isinstance(size, int) and (size >= int(value) if name == "size_min" else size <= int(value))
    if name in _MOMENTS:
        return fits_moment(held, value)
    if name in _LISTS:
        return one_of(held, value)
    if name in ATTRIBUTES - _LINKS and isinstance(held, bool | int):
        return str(held).lower() == value.lower()
    return name not in _LINKS and held == value
