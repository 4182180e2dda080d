"""Faults between the job and its cloud for the state machine, and the points at which another run may intervene."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import breakage
import effects
from effects import Effect
from machine_clouds import Account
from machine_shown import asked_for
from proxy import Lose, Passing

from sync.domain.comparison import StoredDigests
from sync.domain.run import Run
from sync.simulator.answers import Request
from sync.simulator.listing import Query
from sync.store.connection import Target
from sync.store.runs.database import Database
from sync.store.runs.transaction import RunTransaction

FAULTS: dict[str, Effect] = {
    "302": effects.status(302, location="http://127.0.0.1:9/"),
    "400, later": effects.status(400),
    "401": effects.status(401),
    "403": effects.status(403),
    "404": effects.status(404),
    "429": effects.status(429, retry_after="1"),
    "503": effects.status(503),
    "reset": breakage.drop(),
    "reset in the body": breakage.drop("body", 40),
    "cut short": breakage.truncate(60),
    "a web page": effects.garbage("html"),
    "an error as 200": effects.garbage("error"),
    "null": effects.images("null"),
    "offset ignored": effects.offset_ignored(),
    "marker ignored": effects.marker_ignored(),
}
TOTALS: dict[str, Effect] = {
    "total too large": effects.total_off(3),
    "total too small": effects.total_off(-3),
    "no total": effects.total_missing(),
    "total as text": effects.total("many"),
}


class Strike:
    """Breaks the database connection at the n-th message of the job.

    Args:
        nth: 1 is the next message.
        lose: the message itself, or its answer.
        only: count only messages of this statement.
        action: done just before.
    """

    def __init__(
        self, nth: int, lose: Lose, *, only: str | None = None, action: Callable[[], object] = lambda: None
    ) -> None:
        self._left, self._lose, self._only, self._action = nth, lose, only, action

    def __call__(self, message: Passing) -> Lose | None:
        """Count a message; called by the proxy."""
        self._left -= self._only in {None, message.statement}
        if self._left:
            return None
        self._left -= 1
        self._action()
        return self._lose


def hide(account: Account, count: int) -> None:
    """Leave some images out of every list, but not out of answers by id."""
    ids = [name for name in account.shows() if name][:count]

    def ask(query: Query) -> Query:
        named = any(name == "id" for name, _value in query.filters)
        return query if named else replace(query, hidden=frozenset(ids))

    account.simulator.faults.add(Effect("hidden from lists", ask=ask), times=None)


def fail_questions(account: Account, effect: Effect) -> None:
    """Let requests by id for images that are gone fail."""

    def is_question(request: Request) -> bool:
        return request.path.startswith(account.api.path) and bool(asked_for(account.api, request.path, request.query))

    account.simulator.faults.add(
        Effect(
            f"{effect.name} by name",
            answer=lambda answer, request: effect.answer(answer, request) if is_question(request) else answer,
        ),
        times=None,
    )


def lag(account: Account, ids: Iterable[str]) -> None:
    """Leave images out of every list and every answer by id, like a replica that does not know them yet."""
    unseen = frozenset(ids)
    account.simulator.faults.add(Effect("lag", ask=lambda query: replace(query, hidden=unseen)), times=None)


class Stale:
    """Gives older contents of some images in every second answer, like a replica that lags behind another.

    Args:
        older: the older images, by id.
        turn: 0 lets the second answer be the first stale one, 1 the first.
    """

    def __init__(self, older: Mapping[str, Mapping[str, object]], turn: int) -> None:
        self._older, self._calls = older, turn
        self._shown: dict[str, set[bool]] = {}
        self.effect = Effect("stale", shape=self._shape)

    @property
    def both(self) -> set[str]:
        """The ids of images that came both ways."""
        return {name for name, ways in self._shown.items() if len(ways) > 1}

    def _shape(self, members: dict[str, bytes]) -> dict[str, bytes]:
        self._calls += 1
        images, is_stale = json.loads(members["images"]), self._calls % 2 == 0
        for one in images:
            self._shown.setdefault(str(one.get("id")) if isinstance(one, dict) else "", set()).add(is_stale)
        if is_stale:
            images = [self._older.get(str(one.get("id")), one) if isinstance(one, dict) else one for one in images]
        return members | {"images": json.dumps(images, ensure_ascii=False, separators=(",", ":")).encode()}


class Overtaken(Database):
    """A database that lets something happen at one step of its run.

    Args:
        target: where it is.
        step: known, live_images or writing: what the something comes just before.
        something: happens once.
    """

    def __init__(self, target: Target, step: str, something: Callable[[], object]) -> None:
        super().__init__(target)
        self._step, self._something = step, something

    def known(self, run: Run) -> StoredDigests:
        """What is stored, after the something if this is its step."""
        self._happen("known")
        return super().known(run)

    def live_images(self, run: Run, raw_digests: Iterable[bytes]) -> Iterator[tuple[str, datetime | None]]:
        """The live images, after the something if this is its step."""
        self._happen("live_images")
        return super().live_images(run, raw_digests)

    @contextmanager
    def transaction(self, run: Run) -> Iterator[RunTransaction]:
        """The writing transaction, after the something if this is its step."""
        self._happen("writing")
        with super().transaction(run) as tables:
            yield tables

    def _happen(self, step: str) -> None:
        if step == self._step:
            self._step = ""
            self._something()
