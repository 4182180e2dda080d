"""IEC: a list by offset, with the number of all images that match."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from sync.domain.apis import IEC
from sync.domain.fields import Kind
from sync.simulator.answers import Answer, Members, Request, gateway_error, json_answer
from sync.simulator.apis.behaviour import Behaviour, Pairs, choice, number
from sync.simulator.catalog import Document
from sync.simulator.entry import Entry
from sync.simulator.listing import Page, Query
from sync.simulator.viewer import Viewer
from sync.simulator.world import World

_CHOICES = {parameter.name: parameter.choices for parameter in IEC.parameters}
_INVALID = "IEC.000006"
_ERRORS = {
    401: ("APIGW.0301", "Incorrect IAM authentication information: decrypt token fail"),
    403: ("APIGW.0302", "The IAM user is not authorized to access the API"),
    404: ("APIGW.0101", "The API does not exist or has not been published in the environment"),
    429: ("APIGW.0308", "The throttling threshold has been reached: policy user over ratelimit"),
}


class IecBehaviour(Behaviour):
    """How IEC behaves."""

    api: ClassVar = IEC

    def read(self, pairs: Pairs, world: World, viewer: Viewer | None) -> Query:  # noqa: ARG002 - an account's list
        """The query of these parameters; ignores those that the API does not have, as it does itself."""
        parameters = dict(pairs)
        sort_key, sort_dir = parameters.get("sort_key", "created_at"), parameters.get("sort_dir", "desc")
        return Query(
            filters=tuple(sorted((name, value) for name, value in parameters.items() if name in IEC.filters)),
            limit=number("limit", parameters.get("limit", str(IEC.limit)), 1, IEC.limit, _INVALID),
            offset=number("offset", parameters.get("offset", "0"), 0, 2**31 - 1, _INVALID),
            sort_key=choice("sort_key", sort_key, _CHOICES["sort_key"], _INVALID),
            descending=choice("sort_dir", sort_dir, _CHOICES["sort_dir"], _INVALID) == "desc",
        )

    def matching(self, world: World, query: Query) -> Iterable[Entry]:
        """The images that have these values; deleted ones only if these are asked for."""
        filters = dict(query.filters)
        identity = filters.pop("id", None)
        deleted = filters.get("status") == "deleted"
        entries = world.entries(deleted=deleted) if identity is None or deleted else world.with_id(identity)
        for entry in entries:
            if identity in {None, entry.id} and _fits(entry, filters):
                yield entry

    def members(self, page: Page, images: bytes, request: Request) -> Members:  # noqa: ARG002 - one shape for all
        """The images and the total."""
        return {"images": images, "total": b"%d" % page.total}

    @classmethod
    def error(cls, status: int, request: Request, message: str = "", code: str = "") -> Answer:
        """An error of the service itself if the code is one of its own, else of the gateway."""
        usual = _ERRORS.get(status, ("APIGW.0201", "Backend unavailable"))
        if code.startswith("IEC."):
            return json_answer(status, {"error_msg": message, "error_code": code})
        return gateway_error(status, code or usual[0], message or usual[1], request)


def _fits(entry: Entry, filters: dict[str, str]) -> bool:
    document = entry.document if filters else {}  # parsing takes long
    return all(_has(document, name, value) for name, value in filters.items())


def _has(document: Document, name: str, value: str) -> bool:
    if name == "__isregistered" and document.get("visibility") == "public":
        return True  # "without effect on public images", says the document
    held = document.get(name)
    text = str(held).lower() if isinstance(held, bool) else held
    if IEC.by_name[name].kind is Kind.FLAG and value == "false":
        return text in {"false", None}  # a flag that is false is mostly left out
    return text == value
