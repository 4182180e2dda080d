"""The images that a simulated cloud shows at one moment, and a record of it while a run reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from builders import canonical

from sync.domain.apis import APIS, Api
from sync.domain.proof.page import PageRequest
from sync.simulator import Simulator
from sync.simulator.journal import Event
from sync.simulator.viewer import Viewer

if TYPE_CHECKING:
    from machine_clouds import Account


@dataclass(frozen=True)
class Shown:
    """One image as the cloud shows it at one moment.

    Attributes:
        id: its id, or None if it is unreadable.
        text: its content, equal for documents with the same meaning.
        dead: the cloud lists it as deleted.
        readable: whether it can be stored as an image.
        private: whether it is in the one filter of the state machine.
        listed: whether it is in a list; else only those who ask for its id see it.
        hidden: whether it is in the list of hidden images.
    """

    id: str | None
    text: str
    dead: bool
    readable: bool
    private: bool
    listed: bool = True
    hidden: bool = False


State = Mapping[str | None, Sequence[Shown]]
"""The images that a cloud shows at one moment, by id; under None those without an id."""


def content(document: Mapping[str, Any], api: Api) -> str:
    """The content of an image, equal for documents with the same meaning."""
    plain = canonical(document, api)
    return json.dumps(plain, default=lambda moment: moment.astimezone(UTC).isoformat(), sort_keys=True)


def shows(simulator: Simulator) -> State:
    """The images that a cloud shows now: each one that its lists have, in any part, or that can be asked for by its id."""
    world, behaviour, viewer = simulator.world, simulator.behaviour, viewer_of(simulator)
    by_id: dict[str | None, list[Shown]] = {}
    with world.lock:
        listed = {
            entry.key
            for part in world.api.parts
            for entry in behaviour.matching(world, behaviour.read(_first_page(world.api, part.name), world, viewer))
        }
        for entry in world.entries():
            by_itself = bool(world.api.image_path) and behaviour.sees(entry, viewer)
            if entry.key in listed or by_itself:
                shown = _shown(entry.body, world.api.name, listed=entry.key in listed, hidden=entry.hidden)
                by_id.setdefault(shown.id, []).append(shown)
    return by_id


def viewer_of(simulator: Simulator) -> Viewer | None:
    """The project and roles of the credentials; None if the API has no projects."""
    return simulator.identity.viewer if simulator.world.api.project_scoped else None


def asked_for(api: Api, path: str, query: str) -> str | None:
    """The id that a request asks for; None for a page of the list."""
    return dict(parse_qsl(query)).get("id") if path == api.path else unquote(path.rpartition("/")[2])


def _first_page(api: Api, part: str) -> list[tuple[str, str]]:
    return list(api.page_query({}, PageRequest(part=part)).items())


@lru_cache(maxsize=5_000)
def _shown(body: bytes, api: str, *, listed: bool, hidden: bool) -> Shown:
    document = json.loads(body)
    if not isinstance(document, dict):
        return Shown(None, "", dead=False, readable=False, private=False, listed=listed)
    name = document.get("id")
    return Shown(
        id=name,
        text=content(document, APIS[api]),
        dead=document.get("deleted") is True or document.get("status") == "deleted",
        readable=isinstance(name, str) and "\\u0000" not in body.decode(),
        private=document.get("visibility") == "private",
        listed=listed,
        hidden=hidden,
    )


@dataclass
class Watch:
    """The images that a cloud showed from one moment on.

    Attributes:
        states: what it showed at each moment at which that may have changed.
        first: number of the last earlier event in the cloud's journal.
        account: whose cloud it is.
        midway: what is done just before the requests of these numbers are answered.
    """

    account: Account
    midway: Mapping[int, Callable[[], object]]
    first: int
    states: list[State]
    questions: int = 0

    @property
    def still(self) -> bool:
        """Whether nothing changed."""
        return all(state == self.states[0] for state in self.states)

    def throughout(self, *, listed: bool) -> set[str]:
        """The ids that it showed the whole time: in its lists, or at least to those who ask for them."""
        there = [
            {name for name, some in state.items() if name and any(one.listed or not listed for one in some)}
            for state in self.states
        ]
        return set.intersection(*there)

    def moved_often(self) -> set[str]:
        """The ids of images that were hidden or shown more than once."""
        moves: dict[str, list[bool]] = {}
        for state in self.states:
            for name, some in state.items():
                places = moves.setdefault(name or "", [])
                places += [one.hidden for one in some if places[-1:] != [one.hidden]]
        return {name for name, places in moves.items() if len(places) > 2}

    def listed(self) -> set[str]:
        """The ids in the last reading of the list."""
        answers = list(self._pages())
        orders = [str(each.detail["query"]).partition("sort_dir=")[2] for each in answers]
        # A page that closes a gap may begin the list, too; but each reading of several pages asks for its end once.
        # Of a list by marker there is one reading.
        ends = [n for n, order in enumerate(orders) if order.startswith("desc")]
        starts = [n for n, order in enumerate(orders) if order.startswith("asc") and order.endswith("offset=0")]
        start = max((n for n in starts if not ends or n < ends[-1]), default=0)
        return {name for each in answers[start:] for name in each.ids}

    def ever_listed(self) -> set[str]:
        """The ids in any answer of any reading."""
        return {name for each in self._pages() for name in each.ids}

    def asked_in_vain(self) -> set[str]:
        """The ids that were asked for in each of the API's ways and not found."""
        api, ways = self.account.api, dict[str, set[str]]()
        nothing = 404 if api.image_path else 200
        for each in self.account.world.journal.answers(self.first):
            name = self._asked_for(each)
            if name is not None and each.detail["status"] == nothing and not each.ids:
                ways.setdefault(name, set()).add(str(each.detail["query"]))
        return {name for name, queries in ways.items() if len(queries) == len(set(api.lookups))}

    def _pages(self) -> Iterator[Event]:
        answers = self.account.world.journal.answers(self.first)
        return (each for each in answers if self._asked_for(each) is None)

    def _asked_for(self, answer: Event) -> str | None:
        return asked_for(self.account.api, str(answer.detail["path"]), str(answer.detail["query"]))
