"""Faults on demand: which request is hit by which effect, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from sync.errors import UsageError
from sync.simulator import breakage, effects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sync.simulator.answers import Request
    from sync.simulator.effects import Effect

IMAGES = "/v1/images"
TOKENS = "/v3/auth/tokens"

_ON_CONTENT = (
    effects.status,
    effects.throttled,
    effects.body,
    effects.garbage,
    effects.images,
    effects.total,
    effects.total_off,
    effects.total_missing,
    effects.offset_ignored,
    effects.hidden,
    effects.reformatted,
)
_ON_THE_WAY = (
    breakage.delay,
    breakage.drip,
    breakage.black_hole,
    breakage.drop,
    breakage.truncate,
    breakage.endless,
    breakage.gzip,
)
EFFECTS: dict[str, Callable[..., Effect]] = {make.__name__: make for make in (*_ON_CONTENT, *_ON_THE_WAY)}
"""Every effect by the name it has over HTTP."""


@dataclass(slots=True)
class _Rule:
    effect: Effect
    times: int | None
    nth: int
    path: str
    where: dict[str, str]
    seen: int = 0

    def fits(self, request: Request) -> bool:
        """It is about this request; counts it if so."""
        given = {"offset": "0"} | dict(parse_qsl(request.query, keep_blank_values=True))
        if request.path != self.path or any(given.get(name) != value for name, value in self.where.items()):
            return False
        self.seen += 1
        return self.seen >= self.nth and self.times != 0


class Faults:
    """The faults to come; safe to use from any thread.

    Attributes:
        before_answer: called before each answer about images is looked up, one at a time; may change the world.
    """

    def __init__(self) -> None:
        self.before_answer: Callable[[Request], object] | None = None
        self._lock = Lock()
        self._turn = Lock()
        self._rules: list[_Rule] = []

    def add(
        self,
        effect: Effect,
        *,
        times: int | None = 1,
        nth: int = 1,
        path: str = IMAGES,
        offset: int | None = None,
        id: str | None = None,
    ) -> None:
        """Let this go wrong.

        Of the faults with a number of ``times``, a request is hit by the first that fits it, so they queue up in the
        order they were added; all that hold always (``times=None``) hit it as well.

        Args:
            effect: what goes wrong.
            times: with how many requests; None for always.
            nth: from which fitting request on, counted from now; 1 is the next.
            path: with requests to this path.
            offset: only with requests for this offset.
            id: only with requests for this id.
        """
        wanted = {"offset": offset, "id": id}
        where = {name: str(value) for name, value in wanted.items() if value is not None}
        with self._lock:
            self._rules.append(_Rule(effect, times, nth, path, where))

    def add_named(self, name: str, arguments: Mapping[str, object], **rule: object) -> None:
        """``add`` for those who have names and JSON instead of Python.

        Raises:
            UsageError: there is no such effect, or it takes other arguments.
        """
        if name not in EFFECTS:
            raise UsageError(f"There is no effect {name}: take one of {', '.join(EFFECTS)}.")
        try:
            self.add(EFFECTS[name](**arguments), **rule)  # type: ignore[arg-type] # the call itself checks the rule
        except TypeError as error:
            raise UsageError(f"The fault cannot be understood: {error}.") from error

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._rules.clear()
            self.before_answer = None

    def strike(self, request: Request) -> list[Effect]:
        """The effects that hit this request, in the order they were added."""
        with self._lock:
            fitting = [rule for rule in self._rules if rule.fits(request)]
            counted = next((rule for rule in fitting if rule.times is not None), None)
            if counted is not None and counted.times is not None:
                counted.times -= 1
            return [rule.effect for rule in fitting if rule.times is None or rule is counted]

    def prepare(self, request: Request) -> None:
        """Run ``before_answer``, if there is one."""
        with self._turn:
            if self.before_answer is not None:
                self.before_answer(request)
