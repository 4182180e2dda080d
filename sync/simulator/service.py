"""Which answer a request gets: the images, a token, a control command, or a no; with the faults on top."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from sync.errors import UsageError
from sync.simulator.answers import Answer, Request, gateway_error, iec_error
from sync.simulator.faults import IMAGES, TOKENS
from sync.simulator.listing import Listing, Page, Query, read_query

if TYPE_CHECKING:
    from sync.simulator.control import Control
    from sync.simulator.effects import Effect, Members
    from sync.simulator.faults import Faults
    from sync.simulator.identity import Identity
    from sync.simulator.world import World


class Service:
    """Answers requests; safe to call from any thread.

    Args:
        world: the images.
        listing: cuts the pages.
        identity: decides who may ask.
        faults: what goes wrong.
        control: the commands under ``/_simulator/``, or None for none.
        latency: seconds every answer about images takes longer.
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
        effects = self._faults.strike(request)
        if (request.method, request.path) == ("GET", IMAGES):
            return self._images(request, effects)
        if (request.method, request.path) == ("POST", TOKENS):
            return _changed(self._identity.give_token(request), effects, request)
        missing = "The API does not exist or has not been published in the environment"
        return _changed(gateway_error(404, "APIGW.0101", missing, request), effects, request)

    def _images(self, request: Request, effects: list[Effect]) -> Answer:
        self._faults.prepare(request)
        refusal = self._identity.refusal(request)
        with self._world.lock:  # what is listed and its place in the journal belong together
            answer, page = (refusal, None) if refusal else self._page(request, effects)
            answer = _changed(answer, effects, request)
            self._note(request, answer, page, effects)
        delay = answer.delivery.delay + self._latency
        return replace(answer, delivery=replace(answer.delivery, delay=delay))

    def _page(self, request: Request, effects: list[Effect]) -> tuple[Answer, Page | None]:
        try:
            query = read_query(parse_qsl(request.query, keep_blank_values=True))
        except UsageError as error:
            return iec_error(400, "IEC.000006", str(error)), None
        page = self._listing.page(_asked(query, effects))
        rows = b",".join([entry.body for entry in page.entries])
        members = {"images": b"".join((b"[", rows, b"]")), "total": b"%d" % page.total}
        for effect in effects:
            members = effect.shape(members)
        return Answer(200, _object(members)), page

    def _note(self, request: Request, answer: Answer, page: Page | None, effects: list[Effect]) -> None:
        self._world.journal.note(
            "answer",
            [entry.id for entry in page.entries if entry.id is not None] if page else (),
            query=request.query,
            status=answer.status,
            request_id=request.id,
            rows=len(page.entries) if page else 0,
            total=page.total if page else None,
            revision=self._world.revision,
            faults=[effect.name for effect in effects],
        )


def _asked(query: Query, effects: list[Effect]) -> Query:
    for effect in effects:
        query = effect.ask(query)
    return query


def _object(members: Members) -> bytes:
    """The JSON object; joined, as formatting half a megabyte takes ten times as long."""
    pieces: list[bytes] = []
    for name, value in members.items():
        pieces += (b"," if pieces else b"{", json.dumps(name).encode(), b":", value)
    return b"".join((*pieces, b"}")) if pieces else b"{}"


def _changed(answer: Answer, effects: list[Effect], request: Request) -> Answer:
    for effect in effects:
        answer = effect.answer(answer, request)
    return answer
