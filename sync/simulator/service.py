"""Decides which answer a request gets: images, a token, the result of a command, or a refusal."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qsl

from sync.simulator.answers import Answer, Members, Request
from sync.simulator.apis import Behaviour, RefusedError
from sync.simulator.control import Control
from sync.simulator.faults import Fault, Faults
from sync.simulator.identity import Identity
from sync.simulator.listing import Listing, Page, Query
from sync.simulator.world import World


class Service:
    """Answers requests; safe to call from any thread.

    Args:
        world: the images.
        behaviour: that of the API.
        listing: cuts the pages.
        identity: decides who may ask.
        faults: decides what goes wrong.
        control: the commands under ``/_simulator/``; None for none.
        latency: seconds by which every answer about images is delayed.
    """

    def __init__(
        self,
        world: World,
        behaviour: Behaviour,
        listing: Listing,
        identity: Identity,
        faults: Faults,
        *,
        control: Control | None = None,
        latency: float = 0.0,
    ) -> None:
        self._world = world
        self._behaviour = behaviour
        self._listing = listing
        self._identity = identity
        self._faults = faults
        self._control = control
        self._latency = latency

    def respond(self, request: Request) -> Answer:
        """The answer to this request."""
        if self._control is not None and self._control.concerns(request):
            return self._control.respond(request)
        fault = self._faults.strike(request)
        if request.method == "GET" and self._is_about_images(request):
            return self._images(request, fault)
        answer = self._identity.answer(request) or self._behaviour.other(request)
        return fault.answer(answer, request)

    def _is_about_images(self, request: Request) -> bool:
        api = self._behaviour.api
        return request.path == api.path or bool(api.image_path and request.path.startswith(f"{api.path}/"))

    def _images(self, request: Request, fault: Fault) -> Answer:
        flaw = self._identity.flaw(request)
        with self._world.lock:  # the page and its place in the journal belong together
            answer, page = (self._behaviour.unauthorized(flaw, request), None) if flaw else self._page(request, fault)
            answer = fault.answer(answer, request)
            self._world.journal.note(
                "answer",
                [entry.id for entry in page.entries if entry.id is not None] if page else (),
                path=request.path,
                query=request.query,
                status=answer.status,
                request_id=request.id,
                rows=len(page.entries) if page else 0,
                total=page.total if page else None,
                revision=self._world.revision,
            )
        return replace(answer, delay=answer.delay + self._latency)

    def _page(self, request: Request, fault: Fault) -> tuple[Answer, Page | None]:
        viewer = self._identity.viewer_of(request)
        if request.path != self._behaviour.api.path:
            identity = request.path.removeprefix(f"{self._behaviour.api.path}/")
            return self._one(identity, fault.ask(Query((("id", identity),), viewer=viewer)), request)
        try:
            query = self._behaviour.read(parse_qsl(request.query, keep_blank_values=True), self._world, viewer)
        except RefusedError as error:
            return self._behaviour.error(error.status, request, error.message, error.code), None
        page = self._listing.page(fault.ask(query))
        images = b"".join((b"[", b",".join([entry.body for entry in page.entries]), b"]"))
        return Answer(200, _object(fault.shape(self._behaviour.members(page, images, request)))), page

    def _one(self, identity: str, query: Query, request: Request) -> tuple[Answer, Page | None]:
        """The image with this id; a fault that hides it from lists hides it here too."""
        for entry in self._world.with_id(identity):
            if identity not in query.hidden and self._behaviour.sees(entry, query.viewer):
                return Answer(200, entry.body), Page([entry], 1)
        return self._behaviour.missing(identity, request), None


def _object(members: Members) -> bytes:
    """The JSON object; joined, as formatting half a megabyte takes ten times as long."""
    pieces: list[bytes] = []
    for name, value in members.items():
        pieces += (b"," if pieces else b"{", json.dumps(name).encode(), b":", value)
    return b"".join((*pieces, b"}")) if pieces else b"{}"
