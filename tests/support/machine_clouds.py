"""A simulated cloud account for the state machine, of any API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from machine_shown import State, Watch, shows, viewer_of

from sync import settings
from sync.domain.apis import Api
from sync.domain.scope import Scope
from sync.settings.secret import Secret
from sync.simulator import Simulator, World
from sync.simulator.images import CATALOGS

TOKEN = "canary-token-8d1f"
PASSWORD = "canary-password-71c0"
SECRETS = (TOKEN, PASSWORD)
MAX_SINGLE_CONFIRMS = (200, 2)
PRIVATE = (("visibility", "private"),)


@dataclass
class Account:
    """One source of the machine: its cloud and its settings.

    Attributes:
        name: of the source.
        options: its settings, except name, api, endpoint, credentials and filter.
        filter: its filter.
        put: keys of the records that were added one by one.
        rng: chooses images.
        catalog: makes images that are added one by one.
    """

    name: str
    simulator: Simulator
    options: dict[str, Any]
    filter: tuple[tuple[str, str], ...] = ()
    put: list[str] = field(default_factory=list)
    _watches: list[Watch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = Random(self.name)
        self.catalog = CATALOGS[self.api.name](self.rng)

    @property
    def api(self) -> Api:
        """Its API."""
        return self.world.api

    @property
    def world(self) -> World:
        """Its images."""
        return self.simulator.world

    @property
    def watching(self) -> int:
        """How many runs are reading it now."""
        return len(self._watches)

    @property
    def asks_by_name(self) -> bool:
        """Whether every missing image is asked for by id, however many there are."""
        return bool(self.settings().max_single_confirms == max(MAX_SINGLE_CONFIRMS))

    def settings(self) -> settings.Source:
        """Its settings."""
        return settings.Source(
            name=self.name,
            api=self.api.name,
            endpoint=self.simulator.url,
            credentials=settings.Token(token=Secret(TOKEN), iam_endpoint=self.iam_endpoint),
            filter=self.filter,
            **({"grace": 0.0} | self.options),
        )

    @property
    def iam_endpoint(self) -> str | None:
        """Where the scope of the token is asked for; None if the API has no projects."""
        return f"{self.simulator.url}/identity" if self.api.project_scoped else None

    @property
    def scope(self) -> Scope:
        """The scope of the token."""
        viewer = viewer_of(self.simulator)
        return Scope(viewer.project, viewer.roles) if viewer else Scope()

    def shows(self) -> State:
        """What it shows now."""
        return shows(self.simulator)

    @contextmanager
    def watched(self, midway: Mapping[int, Callable[[], object]]) -> Iterator[Watch]:
        """Record what it shows while a run reads it, and remove all faults at the end."""
        watch = Watch(self, midway, self.world.journal.seq, [self.shows()])
        self._watches.append(watch)
        self.simulator.faults.before_answer = lambda _request: self._heed_question(watch)
        try:
            yield watch
        finally:
            self.simulator.faults.clear()
            self.look()
            self._watches.remove(watch)

    def look(self) -> None:
        """Record what it shows now."""
        for watch in self._watches:
            watch.states.append(self.shows())

    def _heed_question(self, watch: Watch) -> None:
        watch.questions += 1
        if change := watch.midway.get(watch.questions):
            change()
            self.look()
