"""One run, seen from outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from machine_shown import Shown, State, Watch
from machine_tables import Row, Tables

from sync.domain.outcome import Outcome
from sync.domain.scope import Scope

_NO_PROJECT = Scope()


@dataclass(frozen=True)
class ObservedRun:
    """One run.

    Attributes:
        watch: what its cloud showed during the run.
        number: of its record; None without one.
        before: the tables just before the run.
        after: the tables now.
        clock: the database's clock before the run.
        outcome: what it returned.
        error: what it raised; a killed run has neither outcome nor error.
        lie: what its cloud lied about; see ``test_state_machine``.
        scope: what its token was for.
        certain: whether it was undisturbed and its cloud showed the truth.
    """

    watch: Watch
    number: int | None
    before: Tables
    after: Tables
    clock: datetime
    outcome: Outcome | None = None
    error: BaseException | None = None
    lie: str = ""
    scope: Scope = _NO_PROJECT
    certain: bool = False

    @property
    def source(self) -> str:
        """The name of its source."""
        return self.watch.account.name

    @property
    def filter(self) -> str:
        """Its filter."""
        return urlencode(self.watch.account.filter)

    @property
    def record(self) -> Row:
        """Its record."""
        return self.after.runs.get(self.number or 0, {})

    @property
    def committed(self) -> bool:
        """Whether it committed."""
        return self.record.get("effective_at") is not None

    @property
    def gone(self) -> set[str]:
        """The ids that it marked as deleted or as no longer visible."""
        return self.before.live(self.source).keys() - self.after.live(self.source).keys()

    @property
    def shown(self) -> frozenset[str | None]:
        """The ids that its cloud had at any time meanwhile."""
        return frozenset(name for state in self.watch.states for name in state)

    @property
    def dead(self) -> set[str]:
        """The ids that its cloud listed as deleted at some moment."""
        shows = [shown for state in self.watch.states for shown in state.items()]
        return {name for name, shown in shows if name and any(one.dead for one in shown)}

    def nameless(self, state: State) -> bool:
        """Whether the list had a record without an id, so that nothing is asked for by id."""
        return any(self.includes(shown) for shown in state.get(None, ()))

    def includes(self, shown: Shown) -> bool:
        """Whether the list that it read has this image."""
        return shown.listed and (shown.private or not self.filter)

    @property
    def asked_by_name(self) -> bool:
        """Whether missing images were asked for by id instead of in a second list."""
        return bool(self.record["missing"] <= self.watch.account.settings().max_single_confirms)
