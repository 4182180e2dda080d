"""Rules for faults of the simulated cloud: which requests have which effect, and how often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

from effects import Effect

from sync.simulator import Faults, Simulator
from sync.simulator.answers import Answer, Members, Request
from sync.simulator.apis import behaviour_at
from sync.simulator.faults import Fault
from sync.simulator.listing import Query


class FaultySimulator(Simulator):
    """A simulated cloud whose ``faults`` accept rules.

    Args:
        arguments: those of ``Simulator``.
        options: those of ``Simulator`` by name, all but ``faults``.
    """

    faults: FaultRules

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, faults=FaultRules(), **options)


@dataclass(slots=True)
class _Rule:
    effect: Effect
    times: int | None
    nth: int
    path: str | None
    where: dict[str, str]
    seen: int = 0

    def fits(self, request: Request) -> bool:
        """Whether the rule applies to this request, which is counted if so."""
        query = {"offset": "0", "marker": ""} | dict(parse_qsl(request.query, keep_blank_values=True))
        query |= {} if is_list(request) else {"id": request.path.rpartition("/")[2]}
        of_pages = not self.where.keys().isdisjoint({"offset", "marker"})
        at_home = is_list(request) or (not of_pages and is_about_images(request))
        at_home = request.path == self.path if self.path else at_home
        if not at_home or any(query.get(name) != value for name, value in self.where.items()):
            return False
        self.seen += 1
        return self.seen >= self.nth and self.times != 0


class FaultRules(Faults):
    """The faults of coming requests; safe to use from any thread.

    Attributes:
        before_answer: called before each answer about images is looked up, one at a time; may change the world.
        struck: the names of the effects on each affected request.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before_answer: Callable[[Request], object] | None = None
        self.struck: list[list[str]] = []
        self._turn = Lock()
        self._rules_lock = Lock()
        self._rules: list[_Rule] = []

    def add(
        self,
        effect: Effect,
        *,
        times: int | None = 1,
        nth: int = 1,
        path: str | None = None,
        offset: int | None = None,
        marker: str | None = None,
        id: str | None = None,
    ) -> None:
        """Add a fault.

        Of the rules with a number of ``times``, only the first that fits a request applies to it, so that they queue up
        in the order they were added; all permanent rules (``times=None``) apply as well.

        Args:
            effect: the fault.
            times: for how many requests; None for all.
            nth: from which fitting request on, counted from now; 1 is the next.
            path: only for requests to this path; None for any list of images, or one image.
            offset: only for requests for this offset.
            marker: only for requests with this marker; "" for those without one.
            id: only for requests for this id, in the list or by itself.
        """
        given = {"offset": offset, "marker": marker, "id": id}
        where = {name: str(value) for name, value in given.items() if value is not None}
        with self._rules_lock:
            self._rules.append(_Rule(effect, times, nth, path, where))

    def clear(self) -> None:
        """Remove all faults."""
        super().clear()
        with self._rules_lock:
            self._rules.clear()
            self.before_answer = None

    def strike(self, request: Request) -> Fault:
        """All effects on this request as one fault: first those asked for by a user, then the rules in their order."""
        fault = super().strike(request)
        effects = self._hit(request)
        if request.method == "GET" and is_about_images(request):
            with self._turn:
                if self.before_answer is not None:
                    self.before_answer(request)
        return _combined([fault, *effects]) if effects else fault

    def _hit(self, request: Request) -> list[Effect]:
        with self._rules_lock:
            fitting = [rule for rule in self._rules if rule.fits(request)]
            counted = next((rule for rule in fitting if rule.times is not None), None)
            if counted is not None and counted.times is not None:
                counted.times -= 1
            effects = [rule.effect for rule in fitting if rule.times is None or rule is counted]
            if effects:
                self.struck.append([effect.name for effect in effects])
            return effects


def is_about_images(request: Request) -> bool:
    """Whether it is for a list of images, of any API, or for one image."""
    return behaviour_at(request.path) is not None


def is_list(request: Request) -> bool:
    """Whether it is for a list of images."""
    behaviour = behaviour_at(request.path)
    return behaviour is not None and request.path == behaviour.api.path


def _combined(faults: Sequence[Fault | Effect]) -> Fault:
    def ask(query: Query) -> Query:
        return reduce(lambda query, fault: fault.ask(query), faults, query)

    def shape(members: Members) -> Members:
        return reduce(lambda members, fault: fault.shape(members), faults, members)

    def answer(answer: Answer, request: Request) -> Answer:
        return reduce(lambda answer, fault: fault.answer(answer, request), faults, answer)

    return Fault(ask, shape, answer)
