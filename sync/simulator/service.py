"""Decides which answer a request gets: images, a token, the result of a command, or a refusal."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qsl

from sync.errors import UsageError
from sync.simulator.answers import IMAGES, TOKENS, Answer, Request, gateway_error, iec_error
from sync.simulator.control import Control
from sync.simulator.faults import Fault, Faults, Members
from sync.simulator.identity import Identity
from sync.simulator.listing import Listing, Page, read_query
from sync.simulator.world import World


class Service:
    """Answers requests; safe to call from any thread.

    Args:
        world: the images.
        listing: cuts the pages.
        identity: decides who may ask.
        faults: decides what goes wrong.
        control: the commands under ``/_simulator/``; None for none.
        latency: seconds by which every answer about images is delayed.
    """

    def __init__(
        self,
        world: World,
        listing: Listing,
        identity: Identity,
        faults: Faults,
        *,
        control: Control | None = None,
        latency: float = 0.0,
    ) -> None:
        self._world = world
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
        if (request.method, request.path) == ("GET", IMAGES):
            return self._images(request, fault)
        if (request.method, request.path) == ("POST", TOKENS):
            return fault.answer(self._identity.give_token(request), request)
        missing = "The API does not exist or has not been published in the environment"
        return fault.answer(gateway_error(404, "APIGW.0101", missing, request), request)

    def _images(self, request: Request, fault: Fault) -> Answer:
        refusal = self._identity.refusal(request)
        with self._world.lock:  # the page and its place in the journal belong together
            answer, page = (refusal, None) if refusal else self._page(request, fault)
            answer = fault.answer(answer, request)
            self._world.journal.note(
                "answer",
                [entry.id for entry in page.entries if entry.id is not None] if page else (),
                query=request.query,
                status=answer.status,
                request_id=request.id,
                rows=len(page.entries) if page else 0,
                total=page.total if page else None,
                revision=self._world.revision,
            )
        return replace(answer, delay=answer.delay + self._latency)

    def _page(self, request: Request, fault: Fault) -> tuple[Answer, Page | None]:
        try:
            query = read_query(parse_qsl(request.query, keep_blank_values=True))
        except UsageError as error:
            return iec_error(400, "IEC.000006", str(error)), None
        page = self._listing.page(fault.ask(query))
        images = b"".join((b"[", b",".join([entry.body for entry in page.entries]), b"]"))
        return Answer(200, _object(fault.shape({"images": images, "total": b"%d" % page.total}))), page


def _object(members: Members) -> bytes:
    """The JSON object; joined, as formatting half a megabyte takes ten times as long."""
    pieces: list[bytes] = []
    for name, value in members.items():
        pieces += (b"," if pieces else b"{", json.dumps(name).encode(), b":", value)
    return b"".join((*pieces, b"}")) if pieces else b"{}"
