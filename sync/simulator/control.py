"""Commands over HTTP, under ``/_simulator/``, for other processes on this machine; docs/simulator.md has them all."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from itertools import islice
from urllib.parse import parse_qsl

from sync.errors import UsageError
from sync.simulator.answers import Answer, Request, json_answer
from sync.simulator.catalog import Document, stamp
from sync.simulator.faults import Faults
from sync.simulator.identity import Identity
from sync.simulator.listing import Listing
from sync.simulator.world import World

PREFIX = "/_simulator/"


class Control:
    """The commands, by HTTP method and name.

    Attributes:
        commands: for each method, the function that each name calls.
    """

    def __init__(self, world: World, faults: Faults, identity: Identity, listing: Listing) -> None:
        self._world = world
        self._faults = faults
        self._identity = identity
        self._listing = listing
        self.commands: dict[str, dict[str, Callable[..., object]]] = {
            "GET": {"journal": self._journal, "statistics": self._statistics, "truth": self._truth},
            "POST": {
                "create": world.create,
                "change": world.change,
                "delete": world.delete,
                "restore": world.restore,
                "churn": world.churn,
                "hide": world.hide,
                "show": world.show,
                "share": world.share,
                "unshare": world.unshare,
                "deactivate": world.deactivate,
                "activate": world.activate,
                "set_property": world.set_property,
                "remove_property": world.remove_property,
                "put": world.put,
                "remove": world.remove,
                "advance": lambda seconds: stamp(world.advance(timedelta(seconds=seconds))),
                "lose": self._lose,
                "fail": faults.fail,
                "ties": self._ties,
                "revoke": identity.revoke,
                "clear": faults.clear,
            },
        }

    def concerns(self, request: Request) -> bool:
        """Whether it is a command and from this machine; for other machines the path does not exist."""
        return request.path.startswith(PREFIX) and ip_address(request.client).is_loopback

    def respond(self, request: Request) -> Answer:
        """Carry out the command; 400 and a sentence if it is not understood, 404 if there is no such command."""
        command = self.commands.get(request.method, {}).get(request.path.removeprefix(PREFIX))
        if command is None:
            return json_answer(404, {"error": f"There is no {request.method} {request.path}."})
        try:
            return json_answer(200, command(**_arguments(request)))
        except (UsageError, ValueError, TypeError, OverflowError, RecursionError) as error:
            return json_answer(400, {"error": str(error)})

    def _journal(self, since: str = "0") -> list[dict[str, object]]:
        return [
            {"seq": event.seq, "kind": event.kind, "ids": event.ids, **event.detail}
            for event in self._world.journal.events(int(since))
        ]

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

    def _truth(self) -> dict[str, Document]:
        return self._world.truth()

    def _lose(self, count: int) -> list[str]:
        ids = list(islice(sorted(self._world.truth()), count))
        self._faults.lose(ids)
        return ids

    def _ties(self, *, unstable: bool) -> None:
        self._listing.unstable_ties = unstable


def _arguments(request: Request) -> dict[str, object]:
    arguments = dict(parse_qsl(request.query)) if request.method == "GET" else json.loads(request.body or b"{}")
    if not isinstance(arguments, dict):
        raise UsageError("A command takes a JSON object.")
    return arguments
