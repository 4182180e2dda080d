"""A dozen runs with random changes between them, and a plain replay of everything that happened."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from builders import canonical, image
from servers import Server
from store_tools import Edge

State = dict[str, dict[str, Any]]


@dataclass
class Replay:
    """A history in plain Python: a copy of all images after each run."""

    moments: list[datetime] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    def keep(self, moment: datetime, state: State) -> None:
        """Keep the state of a moment."""
        self.moments.append(moment)
        self.states.append(copy.deepcopy(state))

    def at(self, moment: datetime) -> State:
        """The state at a moment: that of the last run that had taken effect."""
        earlier = [state for taken, state in zip(self.moments, self.states, strict=True) if taken <= moment]
        return earlier[-1] if earlier else {}

    def versions(self, name: str) -> list[tuple[datetime, datetime | None, dict[str, Any]]]:
        """The periods of one image, with its content."""
        periods: list[tuple[datetime, datetime | None, dict[str, Any]]] = []
        current: dict[str, Any] | None = None
        for moment, state in zip(self.moments, self.states, strict=True):
            content = state.get(name)
            if content == current:
                continue
            if current is not None:
                periods[-1] = (periods[-1][0], moment, periods[-1][2])
            if content is not None:
                periods.append((moment, None, content))
            current = content
        return periods


@contextmanager
def played(server: Server, seed: int) -> Iterator[tuple[Edge, Replay]]:
    """A dozen runs with random changes between them: changes, deletions, returns, or none."""
    rng = Random(seed)
    with Edge(server, 12, max_deletions=100, max_daily_deletions=1000) as edge:
        replay = Replay()
        for name in "abcdef":
            edge.world.put(image(name))
        for _day in range(12):
            outcome = edge.run()
            assert outcome.effective_at is not None
            replay.keep(outcome.effective_at, {key: canonical(one) for key, one in edge.world.truth().items()})
            _busy_day(edge, rng)
        yield edge, replay


def _busy_day(edge: Edge, rng: Random) -> None:
    edge.world.churn(rng.choice((0, 0, 20, 60)))
    for name in rng.sample("abcdef", rng.randrange(4)):
        present = name in edge.world.truth()
        if present and rng.random() < 0.4:
            edge.world.remove(name)
        else:
            edge.world.put(_drawn(rng, name))


def _drawn(rng: Random, name: str) -> dict[str, Any]:
    value = rng.choice(["x", "y", 1, 1.5, None, {"a": [1]}, {"a": [2]}])
    return image(name, name=rng.choice(["one", "two", ""]), new=value, min_disk=rng.choice([40, "forty", None]))
