"""The state machine: whatever happens to clouds, runs and database, in any order, the invariants hold."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any, ClassVar

import effects
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from machine_bench import Bench, Change
from machine_clouds import PRIVATE
from machine_draws import CHANGE, CONTENTS, FIRST, LOSSES, MIDWAY, OPTIONS, VIEWERS, WHO, WORLDS
from machine_faults import FAULTS, TOTALS, Overtaken, Stale, fail_questions, hide, lag
from machine_shown import content
from machine_tables import is_live, read_tables, set_clock
from proxy import Lose
from servers import Server

from sync.errors import ScopeChangedError, UnknownError
from sync.simulator import Viewer
from sync.store.approvals import accept_filter, accept_scope, approve
from sync.store.runs.dry_run import DryRun


class Machine(RuleBasedStateMachine):
    """Two sources in one database, each with its own cloud; the bench checks every run.

    Attributes:
        server: where the databases are made.
        kills: whether real processes are killed too, which takes a second each.
        happened: how often the examples so far met each kind of event; without events they prove nothing.
    """

    server: ClassVar[Server]
    kills: ClassVar[bool] = False
    happened: ClassVar[Counter[str]] = Counter()
    bench: Bench | None = None

    @initialize(
        first=WORLDS,
        second=WORLDS,
        options=OPTIONS,
        others=OPTIONS,
        seed=st.integers(1, 1000),
        apart=st.sampled_from([0, 1]),
        conforming=st.booleans(),
    )
    def begin(self, **worlds_and_options: Any) -> None:
        """Make a new database and two clouds."""
        self.bench = Bench(self.server, **worlds_and_options)
        self.admin, self.target, self.accounts = self.bench.admin, self.bench.target, self.bench.accounts
        self.run, self.change = self.bench.run, self.bench.change

    def teardown(self) -> None:
        """Check the whole past once more."""
        if self.bench is not None:
            self.happened.update(self.bench.happened)
            self.bench.close()

    # Changes of the clouds.

    @rule(who=WHO, changes=st.lists(CHANGE, min_size=1, max_size=4))
    def images_change(self, who: str, changes: list[Change]) -> None:
        """Create, change, delete or restore images, few or many."""
        self.change(who, *changes)

    @rule(who=WHO, unstable=st.booleans(), cap=st.sampled_from([8, 12, 20, None]))
    def order_and_cap(self, who: str, unstable: bool, cap: int | None) -> None:  # noqa: FBT001 - drawn
        """Change the page size and the order of ties."""
        listing = self.accounts[who].simulator.listing
        listing.unstable_ties, listing.page_cap = unstable, cap

    # Actions of people.

    @rule(who=WHO, agreed=st.sampled_from([True, True, True, True, False]))
    def change_filter(self, who: str, agreed: bool) -> None:  # noqa: FBT001 - drawn
        """Change the filter in the settings; most of the time it is accepted."""
        account = self.accounts[who]
        account.filter = () if account.filter else PRIVATE
        filter = account.settings().filter_query
        stored = read_tables(self.admin).rows["sources"].get((who,), {}).get("filter", filter)
        if stored != filter and agreed:
            accept_filter(self.target, who, filter)
            self.happened["accepted"] += 1

    @rule(who=WHO, viewer=st.sampled_from(VIEWERS), agreed=st.booleans())
    def change_scope(self, who: str, viewer: Viewer, agreed: bool) -> None:  # noqa: FBT001 - drawn
        """Give the user another project or other roles: runs are refused until that is accepted or taken back."""
        identity = self.accounts[who].simulator.identity
        before, identity.viewer = identity.viewer, viewer
        stored = read_tables(self.admin).rows["sources"].get((who,), {}).get("scope")
        if stored in (None, self.accounts[who].scope.text()):
            return
        observed = self.run(who)
        assert not observed.committed
        self.happened["scope refused"] += isinstance(observed.error, ScopeChangedError)
        if agreed:
            accept_scope(self.target, who)
            self.run(who)
            self.happened["scope accepted"] += 1
        else:
            identity.viewer = before

    @rule(which=st.integers(0, 3), who=WHO, changes=FIRST)
    def approve(self, which: int, who: str, changes: list[Change]) -> None:
        """Approve what a run held, check that exactly that is released, and run."""
        before = read_tables(self.admin).rows["held_deletions"]
        waiting = {key for key, case in before.items() if case["closed_at"] is None and case["approved_at"] is None}
        numbers = sorted({key[2] for key in waiting})
        number = numbers[which % len(numbers)] if numbers else 1
        try:
            released = approve(self.target, number, "a tester")
        except UnknownError:
            released = 0
        after = read_tables(self.admin).rows["held_deletions"]
        approved = {key for key in waiting if key[2] == number}
        assert released == len(approved)
        assert {key for key in after if after[key]["xmin"] != before[key]["xmin"]} == approved
        assert all(after[key]["approved_at"] is not None for key in approved)
        source = next((key[0] for key in approved), who)
        self.change(source, *changes)
        self.run(source)

    @rule(releasing=WHO, regretted=st.booleans())
    def hold_in_both(self, releasing: str, regretted: bool) -> None:  # noqa: FBT001 - drawn
        """Delete many images in both clouds, release one source's deletions, and perhaps restore the images."""
        for who in self.accounts:
            self.change(who, ("delete", 13))
            self.run(who)
        cases = read_tables(self.admin).open_cases(releasing).values()
        for number in {case["run"] for case in cases if case["approved_at"] is None}:
            approve(self.target, number, "a tester")
        if regretted:
            self.change(releasing, ("restore", 24))
        for who in self.accounts:
            self.run(who)

    @rule(seconds=st.sampled_from([-90_000, -3600, 0, 3600, 90_000]))
    def jump(self, seconds: int) -> None:
        """Let the database's clock jump, by up to a day and an hour."""
        set_clock(self.admin, seconds)

    # Runs.

    @rule(who=WHO, changes=FIRST, midway=MIDWAY)
    def sync(self, who: str, changes: list[Change], midway: dict[int, Change]) -> None:
        """Run while the cloud may change between any two answers."""
        self.change(who, *changes)
        self.run(who, midway)

    @rule(who=WHO, changes=FIRST)
    def sync_twice(self, who: str, changes: list[Change]) -> None:
        """Run twice on an unchanged cloud: the second run changes nothing."""
        self.change(who, *changes)
        first, second = self.run(who), self.run(who)
        if all(
            observed.record.get("status") == "done" and not observed.record["missing"] for observed in (first, second)
        ):
            for table in CONTENTS:
                assert second.after.rows[table] == first.after.rows[table], f"the second run wrote to {table}"

    @rule(who=WHO, changes=FIRST, fault=st.sampled_from(sorted(FAULTS)), nth=st.integers(1, 8), once=st.booleans())
    def sync_with_fault(self, who: str, changes: list[Change], fault: str, nth: int, once: bool) -> None:  # noqa: FBT001
        """Run with a fault in one answer, or in all from one on."""
        self.change(who, *changes)
        times = 1 if once else None
        self.run(who, fault=lambda one: one.simulator.faults.add(FAULTS[fault], nth=nth, times=times))

    @rule(who=WHO, number=st.integers(1, 3))
    def sync_drained(self, who: str, number: int) -> None:
        """Delete a few images before each of several runs, which together exceed the daily limit."""
        for _ in range(4):
            self.change(who, ("delete", number))
            self.run(who)

    @rule(who=WHO)
    def sync_emptied(self, who: str) -> None:
        """Run on a cloud that shows no image, as without permission."""
        empty = effects.images("empty")
        self.run(who, lie="empty", fault=lambda one: one.simulator.faults.add(empty, times=None))

    @rule(who=WHO, kind=st.sampled_from(sorted(TOTALS)), changes=FIRST, midway=MIDWAY)
    def sync_with_wrong_total(self, who: str, kind: str, changes: list[Change], midway: dict[int, Change]) -> None:
        """Run with a wrong total; missing images are asked for by id."""
        self.change(who, *changes)
        if self.accounts[who].asks_by_name and self.accounts[who].api.counted:
            self.run(who, midway, lie="total", fault=lambda one: one.simulator.faults.add(TOTALS[kind], times=None))

    @rule(who=WHO, number=st.integers(1, 3), fault=st.sampled_from(sorted(FAULTS)))
    def sync_unanswered(self, who: str, number: int, fault: str) -> None:
        """Delete some images, and let the requests for them fail."""
        self.change(who, ("delete", number))
        self.run(who, fault=lambda one: fail_questions(one, FAULTS[fault]))

    @rule(who=WHO, number=st.integers(1, 8))
    def sync_with_hidden(self, who: str, number: int) -> None:
        """Run with images hidden from the list that answer by id."""
        if self.accounts[who].asks_by_name:
            self.run(who, lie="hidden", fault=lambda one: hide(one, number))

    @rule(who=WHO, number=st.integers(1, 24))
    def sync_lagging(self, who: str, number: int) -> None:
        """Run on a replica that does not show some recently listed images, neither in lists nor by id."""
        account, tables = self.accounts[who], read_tables(self.admin)
        margin = timedelta(seconds=account.settings().grace - 60)
        young = [
            name
            for (source, name), row in tables.images.items()
            if source == who and is_live(row) and row["listed_since"] + margin > tables.now
        ]
        if account.settings().grace and young:
            self.happened["lagging"] += 1
            self.run(who, lie="lagging", fault=lambda one: lag(one, young[:number]))

    @rule(who=WHO, turn=st.integers(0, 1), number=st.sampled_from([4, 24]))
    def sync_stale(self, who: str, turn: int, number: int) -> None:
        """Run on two replicas, one with older contents: of an image shown in both ways the newest is stored."""
        account = self.accounts[who]
        older = account.world.truth()
        self.change(who, ("change", number))
        if not self.run(who).committed:
            return
        newest = account.world.truth()
        fault = Stale(older, turn)
        observed = self.run(who, lie="stale", fault=lambda one: one.simulator.faults.add(fault.effect, times=None))
        if not observed.committed or observed.record["read_attempts"] > 1:
            return
        live, once = observed.after.live(who), {name for name, shown in account.shows().items() if len(shown) == 1}
        for name in fault.both & once & live.keys() & newest.keys() & older.keys():
            if str(older[name].get("updated_at")) < str(newest[name].get("updated_at")):
                self.happened["stale"] += 1
                assert live[name] == content(newest[name], account.api), (
                    f"of {name} an older content is stored than was shown"
                )

    @rule(who=WHO, changes=FIRST, nth=st.integers(1, 50), lose=st.sampled_from(LOSSES))
    def sync_with_lost_connection(self, who: str, changes: list[Change], nth: int, lose: Lose) -> None:
        """Break the database connection at the n-th message, before or after it arrives."""
        self.change(who, *changes)
        self.bench.strike(nth, lose)
        self.run(who)

    @rule(who=WHO, changes=FIRST, nth=st.integers(1, 4), lose=st.sampled_from(LOSSES))
    def sync_with_lost_commit(self, who: str, changes: list[Change], nth: int, lose: Lose) -> None:
        """Break the connection at one COMMIT: of the run's start, of a reading, or of all changes."""
        self.change(who, *changes)
        self.bench.strike(nth, lose, only="COMMIT")
        self.run(who)

    @rule(who=WHO, other=WHO, step=st.sampled_from(["known", "live_images", "writing"]), changes=FIRST, midway=MIDWAY)
    def sync_overtaken(self, who: str, other: str, step: str, changes: list[Change], midway: dict[int, Change]) -> None:
        """Let a whole run happen during another one."""

        def something() -> None:
            self.change(who, *changes)
            self.run(other)

        self.run(who, midway, store=lambda target: Overtaken(target, step, something))

    @rule(who=WHO, changes=FIRST)
    def plan(self, who: str, changes: list[Change]) -> None:
        """A plan writes nothing and predicts the next run."""
        self.change(who, *changes)
        before = read_tables(self.admin)
        account = self.accounts[who]
        planned, _error = self.bench.sync(account, DryRun)
        assert read_tables(self.admin).rows == before.rows, "a plan wrote"
        observed = self.run(who)
        if planned is not None and observed.outcome is not None and not account.simulator.listing.unstable_ties:
            assert observed.outcome.plan == planned.plan
            self.happened["planned"] += 1

    @rule(who=WHO, changes=FIRST, at_question=st.booleans(), nth=st.integers(0, 40), often=st.integers(0, 2))
    def kill(self, who: str, changes: list[Change], at_question: bool, nth: int, often: int) -> None:  # noqa: FBT001
        """Sometimes kill a real process; the record agrees with what it wrote."""
        self.change(who, *changes)
        if self.kills and not often:
            self.bench.run_child(who, nth % 8 + 1 if at_question else nth + 10, at_question=at_question)
