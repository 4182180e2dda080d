"""Commands over HTTP, under ``/_simulator/``, for other processes on this machine: let time pass, break things, look.

POST with a JSON object: ``advance``, ``churn``, ``create``, ``change``, ``delete``, ``restore``, ``put``, ``remove``,
``fault``, ``clear``, ``ties``, ``revoke``, such as ``/_simulator/churn {"percent": 5}``. GET: ``journal``
(``?since=N``), ``statistics``, ``truth``.
"""

from __future__ import annotations

import json
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from sync.errors import UsageError
from sync.simulator.answers import Answer, Request, json_answer
from sync.simulator.catalog import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.simulator.faults import Faults
    from sync.simulator.identity import Identity
    from sync.simulator.listing import Listing
    from sync.simulator.world import World

PREFIX = "/_simulator/"
_RULE = {"times", "nth", "path", "offset", "id"}


class Control:
    """The commands, and what each of them does."""

    def __init__(self, world: World, faults: Faults, identity: Identity, listing: Listing) -> None:
        self._world = world
        self._faults = faults
        self._identity = identity
        self._listing = listing

    def concerns(self, request: Request) -> bool:
        """It is a command, and from this machine; to others the path does not exist."""
        return request.path.startswith(PREFIX) and ip_address(request.client).is_loopback

    def respond(self, request: Request) -> Answer:
        """Do it; 400 and a sentence if it cannot be understood, 404 if there is no such command."""
        command = self._commands(request.method).get(request.path.removeprefix(PREFIX))
        if command is None:
            return json_answer(404, {"error": f"There is no {request.method} {request.path}."})
        try:
            return json_answer(200, command(**_arguments(request)))
        except (UsageError, ValueError, TypeError, OverflowError, RecursionError) as error:
            return json_answer(400, {"error": str(error)})

    def _commands(self, method: str) -> dict[str, Callable[..., object]]:
        world = self._world
        asked: dict[str, Callable[..., object]] = {
            "journal": self._journal,
            "statistics": self._statistics,
            "truth": world.truth,
        }
        done: dict[str, Callable[..., object]] = {
            "advance": lambda seconds: stamp(world.advance(timedelta(seconds=seconds))),
            "churn": world.churn,
            "create": world.create,
            "change": world.change,
            "delete": world.delete,
            "restore": world.restore,
            "put": world.put,
            "remove": world.remove,
            "fault": self._fault,
            "clear": self._faults.clear,
            "ties": self._ties,
            "revoke": self._identity.revoke,
        }
        return {"GET": asked, "POST": done}.get(method, {})

    def _journal(self, since: str = "0") -> list[dict[str, object]]:
        return [event.as_json() for event in self._world.journal.events(int(since))]

    def _statistics(self) -> dict[str, object]:
        with self._world.lock:
            return {
                "images": len(list(self._world.entries())),
                "revision": self._world.revision,
                "seq": self._world.journal.seq,
                "world_time": stamp(self._world.now),
                "token_calls": self._identity.token_calls,
                "events": self._world.journal.counts,
            }

    def _fault(self, effect: str, **arguments: object) -> None:
        rule = {name: value for name, value in arguments.items() if name in _RULE}
        rest = {name: value for name, value in arguments.items() if name not in _RULE}
        self._faults.add_named(effect, rest, **rule)

    def _ties(self, *, unstable: bool) -> None:
        self._listing.unstable_ties = unstable


def _arguments(request: Request) -> dict[str, object]:
    given = dict(parse_qsl(request.query)) if request.method == "GET" else json.loads(request.body or b"{}")
    if not isinstance(given, dict):
        raise UsageError("A command takes a JSON object.")
    return given
