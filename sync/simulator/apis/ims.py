"""IMS: a project's list by marker, without a total; only registered images unless others are asked for.

What its documents leave open is a choice made here: the largest page, the codes of most errors, and what becomes of a
page after an image that is gone, which is therefore an option.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import ClassVar

from sync.domain.apis import IMS
from sync.simulator.answers import Answer, Members, Request, gateway_error, json_answer
from sync.simulator.apis.behaviour import Behaviour, Pairs, RefusedError, choice, number
from sync.simulator.apis.comparing import fits_moment, is_moment
from sync.simulator.catalog import Document
from sync.simulator.entry import Entry
from sync.simulator.listing import Page, Query
from sync.simulator.viewer import ACCEPTED, Viewer, lists, sees
from sync.simulator.world import World

_CHOICES = {parameter.name: parameter.choices for parameter in IMS.parameters}
_LARGEST_PAGE = 1000
_INVALID, _NO_MARKER, _NO_ENTERPRISE_PROJECT = "IMG.0024", "IMG.0057", "IMG.0090"
_ERRORS = {
    400: ("IMG.0001", "The request message format is invalid."),
    401: ("APIG.0301", "Incorrect IAM authentication information: decrypt token fail"),
    403: ("APIG.0302", "The IAM user is not authorized to access the API"),
    404: ("APIG.0101", "The API does not exist or has not been published in the environment"),
    429: ("APIG.0308", "The throttling threshold has been reached: policy user over ratelimit"),
    500: ("IMG.0029", "Internal error, try again later."),
}
_GATEWAY = "APIG"
_ALL = "all_granted_eps"
_UNFILTERED = frozenset({"__isregistered", "visibility", "member_status", "flavor_id"})


class ImsBehaviour(Behaviour):
    """How IMS behaves."""

    api: ClassVar = IMS
    options: ClassVar = frozenset({"lost_marker", "enterprise_project"})

    def read(self, pairs: Pairs, world: World, viewer: Viewer | None) -> Query:
        """The query of these parameters; ignores those that the API does not have."""
        given = dict(pairs)
        filters = {name: value for name, value in given.items() if name in IMS.filters}
        self._check(filters)
        sort_key = choice("sort_key", given.get("sort_key", "created_at"), _CHOICES["sort_key"], _INVALID)
        descending = choice("sort_dir", given.get("sort_dir", "desc"), ("asc", "desc"), _INVALID) == "desc"
        limit = number("limit", given.get("limit", str(IMS.limit)), 1, 2**31 - 1, _INVALID)
        return Query(
            filters=tuple(sorted(filters.items())),
            limit=min(limit, _LARGEST_PAGE),
            sort_key=sort_key,
            descending=descending,
            then=(("id", descending),) if sort_key != "id" else (),
            marker=self._marker(given["marker"], world, viewer) if given.get("marker") else None,
            viewer=viewer,
        )

    def matching(self, world: World, query: Query) -> Iterable[Entry]:
        """The registered images, or the others, that have these values and that the project sees."""
        filters = dict(query.filters)
        unregistered = filters.get("__isregistered", "true") == "false"
        visibility, status = filters.get("visibility", ""), filters.get("member_status", ACCEPTED)
        entries = world.with_id(filters["id"]) if "id" in filters else world.entries()
        rest = {name: value for name, value in filters.items() if name not in _UNFILTERED}
        for entry in entries:
            if entry.hidden is unregistered and lists(entry, query.viewer, visibility, status):
                document = entry.document if rest else {}
                if all(_has(document, name, value) for name, value in rest.items()):
                    yield entry

    def members(self, page: Page, images: bytes, request: Request) -> Members:  # noqa: ARG002 - one shape for all
        """The images, and the marker of the next page if there may be one."""
        following = page.entries[-1].id if page.full else None
        info = {"page_info": json.dumps({"next_marker": following}).encode()} if following else {}
        return {"images": images} | info

    @classmethod
    def error(cls, status: int, request: Request, message: str = "", code: str = "") -> Answer:
        """An error of the service or, by its code, of the gateway in front of it."""
        usual = _ERRORS.get(status, ("APIG.0201", "Backend unavailable"))
        code, message = code or usual[0], message or usual[1]
        if code.startswith(_GATEWAY):
            return gateway_error(status, code, message, request)
        return json_answer(status, {"error": {"message": message, "code": code}})

    def _check(self, filters: Mapping[str, str]) -> None:
        for name, value in filters.items():
            if _CHOICES[name]:
                choice(name, value, _CHOICES[name], _INVALID)
            if name in {"created_at", "updated_at"} and not is_moment(value):
                raise RefusedError(400, f"The parameter {name} must be an operator and a time.", _INVALID)
        if "member_status" in filters and filters.get("visibility") != "shared":
            raise RefusedError(400, "The parameter member_status needs visibility=shared.", _INVALID)
        if self.enterprise_project and not filters.get("enterprise_project_id"):
            message = "Policy doesn't allow ims:images:list to be performed without enterprise_project_id."
            raise RefusedError(403, message, _NO_ENTERPRISE_PROJECT)

    def _marker(self, identity: str, world: World, viewer: Viewer | None) -> Entry | None:
        there = next((entry for entry in world.with_id(identity) if sees(entry, viewer)), None)
        if there is not None or self.lost_marker == "restart":
            return there
        gone = world.deleted(identity) if self.lost_marker == "continue" else None
        if gone is None:
            raise RefusedError(400, f"The image {identity} of the parameter marker is not found.", _NO_MARKER)
        return gone


def _has(document: Document, name: str, value: str) -> bool:
    held = document.get(name)
    if name == "enterprise_project_id":
        return value in {_ALL, held or "0"}
    if name == "tag":
        tags = document.get("tags")
        return isinstance(tags, list) and value in tags
    if name == "architecture":
        return (document.get("__support_arm") == "true") is (value == "arm")
    if name in {"created_at", "updated_at"}:
        return fits_moment(held, value)
    return (str(held).lower() if isinstance(held, bool) else str("" if held is None else held)) == value
