"""The state machine: whatever happens to the clouds, the runs and the database, in any order, the invariants hold."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import count
from typing import Any, ClassVar

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from machine_checks import check_run
from machine_child import Child
from machine_clouds import CHANGES, CONFIRM_LIMITS, PRIVATE, TOKEN, Account
from machine_faults import FAULTS, TOTALS, Overtaken, hide
from machine_invariants import check
from machine_past import Moment, check_past, check_told_past
from machine_proxy import Proxy
from machine_tables import Tables, give_clock, read_tables, set_clock
from machine_told import Told
from servers import Server

from sync import job, wiring
from sync.domain.run import Outcome
from sync.errors import ImageSyncError, UnknownError
from sync.simulator import Simulator, World, effects
from sync.store.approvals import acknowledge, approve
from sync.store.connect import Target
from sync.store.database import Database, Planning

PASSWORD = "canary-password-71c0"
WHO = st.sampled_from(["first", "second", "first"])
Change = tuple[str, int]
USUAL = ("create", "change", "delete", "restore", "swap")
CHANGE = st.tuples(st.sampled_from((*USUAL, *USUAL, *CHANGES)), st.sampled_from([1, 2, 3, 4, 13, 24]))
FIRST = st.lists(CHANGE, max_size=3)
TIMES = st.sampled_from([1, None])
MIDWAY = st.dictionaries(st.integers(1, 8), CHANGE, max_size=3)
WORLDS = st.fixed_dictionaries(
    {
        "size": st.sampled_from([30, 45, 60, 14, 0]),
        "page_cap": st.sampled_from([12, 20, None]),
        "unstable_ties": st.booleans(),
        "show_deleted": st.booleans(),
    }
)
OPTIONS = st.fixed_dictionaries(
    {
        "concurrency": st.sampled_from([1, 3]),
        "confirm_limit": st.sampled_from(CONFIRM_LIMITS),
        "readings": st.sampled_from([3, 1]),
        "retries": st.sampled_from([0, 1]),
        "guard_images": st.sampled_from([10, 3]),
        "guard_percent": st.just(20),
        "daily_images": st.sampled_from([1000, 6]),
        "daily_percent": st.sampled_from([100, 20]),
    }
)


class Machine(RuleBasedStateMachine):
    """Two sources in one database, each with a cloud of its own.

    Attributes:
        happened: what the examples so far really met, by kind; a machine that meets nothing proves nothing.
    """

    server: ClassVar[Server]
    kills: ClassVar[bool] = False
    happened: ClassVar[Counter[str]] = Counter()

    @initialize(first=WORLDS, second=WORLDS, options=OPTIONS, others=OPTIONS, seed=st.integers(1, 1000))
    def begin(
        self, first: dict[str, Any], second: dict[str, Any], options: dict[str, Any], others: dict[str, Any], seed: int
    ) -> None:
        """A new database, and two clouds."""
        self.open = ExitStack()
        self.database = self.server.migrated().rpartition("/")[2]
        self.admin = self.open.enter_context(psycopg.connect(self.server.url(self.database), autocommit=True))
        give_clock(self.admin, self.database)
        self.proxy = self.open.enter_context(Proxy(self.server.port))
        self.target = Target(f"postgresql://owner:{PASSWORD}@127.0.0.1:{self.proxy.port}/{self.database}")
        self.accounts = {
            "first": self._account("first", first, options, seed),
            "second": self._account("second", second, others, seed + 1),
        }
        self.past: list[Moment] = []
        self.tables = read_tables(self.admin)

    def _account(self, name: str, given: dict[str, Any], options: dict[str, Any], seed: int) -> Account:
        world = World(seed, given["size"], show_deleted=given["show_deleted"])
        settings = {key: given[key] for key in ("page_cap", "unstable_ties")}
        return Account(name, self.open.enter_context(Simulator(world, token=TOKEN, **settings)), options)

    # What happens to the clouds.

    @rule(who=WHO, changes=st.lists(CHANGE, min_size=1, max_size=4))
    def change(self, who: str, changes: list[Change]) -> None:
        """Images come, change, go or come back, a few or many."""
        self._change(who, changes)

    @rule(who=WHO, unstable=st.booleans(), cap=st.sampled_from([8, 12, 20, None]))
    def order_and_cap(self, who: str, unstable: bool, cap: int | None) -> None:  # noqa: FBT001 - drawn
        """The cloud cuts pages in another way, and orders ties in another."""
        listing = self.accounts[who].simulator.listing
        listing.unstable_ties, listing.page_cap = unstable, cap

    # What people do.

    @rule(who=WHO, private=st.booleans(), agreed=st.sampled_from([True, True, False]))
    def rescope(self, who: str, private: bool, agreed: bool) -> None:  # noqa: FBT001 - drawn
        """The filter in the settings changes; most people acknowledge it."""
        account = self.accounts[who]
        account.scope = PRIVATE if private else ()
        scope = wiring.source_of(account.settings()).scope
        stored = read_tables(self.admin).rows["sources"].get((who,), {}).get("scope", scope)
        if stored != scope and agreed:
            acknowledge(self.target, who, scope)
            self.happened["acknowledged"] += 1

    @rule(which=st.integers(0, 3))
    def approve(self, which: int) -> None:
        """A person releases what a run held: exactly that."""
        before = read_tables(self.admin).rows["held_deletions"]
        waiting = {key for key, case in before.items() if case["closed_at"] is None and case["approved_at"] is None}
        numbers = sorted({key[2] for key in waiting})
        number = numbers[which % len(numbers)] if numbers else 1
        try:
            released = approve(self.target, number, "a tester")
        except UnknownError:
            released = 0
        after = read_tables(self.admin).rows["held_deletions"]
        meant = {key for key in waiting if key[2] == number}
        assert released == len(meant)
        assert {key for key in after if after[key]["xmin"] != before[key]["xmin"]} == meant
        assert all(after[key]["approved_at"] is not None for key in meant)
        self.happened["approved"] += bool(released)

    @rule(seconds=st.sampled_from([-90_000, -3600, 0, 3600, 90_000]))
    def jump(self, seconds: int) -> None:
        """The database's clock jumps, a day and an hour at most."""
        set_clock(self.admin, seconds)

    # Runs.

    @rule(who=WHO, changes=FIRST, midway=MIDWAY)
    def run(self, who: str, changes: list[Change], midway: dict[int, Change]) -> None:
        """One run, while the cloud may change between any two answers."""
        self._change(who, changes)
        self._run(who, midway)

    @rule(who=WHO, changes=FIRST)
    def run_twice(self, who: str, changes: list[Change]) -> None:
        """Two runs of a cloud that stands still: the second changes nothing."""
        self._change(who, changes)
        first, second = self._run(who), self._run(who)
        settled = all(told.record.get("status") == "done" and not told.record["missing"] for told in (first, second))
        if settled:
            for table in ("images", "image_versions", "quarantine", "held_deletions", "findings"):
                assert second.after.rows[table] == first.after.rows[table], f"the second run wrote to {table}"

    @rule(who=WHO, changes=FIRST, fault=st.sampled_from(sorted(FAULTS)), nth=st.integers(1, 8), times=TIMES)
    def run_with_fault(self, who: str, changes: list[Change], fault: str, nth: int, times: int | None) -> None:
        """One question is answered badly, or all from one on."""
        self._change(who, changes)
        self._run(who, fault=lambda one: one.simulator.faults.add(FAULTS[fault], nth=nth, times=times))

    @rule(who=WHO)
    def run_emptied(self, who: str) -> None:
        """The cloud shows nothing, as when rights were lost."""
        empty = effects.images("empty")
        self._run(who, lie="empty", fault=lambda one: one.simulator.faults.add(empty, times=None))

    @rule(who=WHO, kind=st.sampled_from(sorted(TOTALS)), changes=FIRST, midway=MIDWAY)
    def run_with_wrong_total(self, who: str, kind: str, changes: list[Change], midway: dict[int, Change]) -> None:
        """The total is not what it should be; what is missing is asked for by name."""
        self._change(who, changes)
        if self.accounts[who].asks_by_name:
            self._run(who, midway, lie="total", fault=lambda one: one.simulator.faults.add(TOTALS[kind], times=None))

    @rule(who=WHO, number=st.integers(1, 8))
    def run_with_hidden(self, who: str, number: int) -> None:
        """A replica leaves images out of the list; the question by name finds them."""
        if self.accounts[who].asks_by_name:
            self._run(who, lie="hidden", fault=lambda one: hide(one, number))

    @rule(who=WHO, changes=FIRST, nth=st.integers(14, 40), forward=st.booleans())
    def run_with_lost_connection(self, who: str, changes: list[Change], nth: int, forward: bool) -> None:  # noqa: FBT001 - drawn
        """The connection to the database breaks at the n-th message, before or after the server got it."""
        self._change(who, changes)
        self.proxy.strike(nth, forward=forward)
        self._run(who)

    @rule(who=WHO, other=WHO, step=st.sampled_from(["known", "live_ids", "writing"]), changes=FIRST, midway=MIDWAY)
    def run_two(self, who: str, other: str, step: str, changes: list[Change], midway: dict[int, Change]) -> None:
        """A whole run takes place while another one is under way."""

        def something() -> None:
            self._change(who, changes)
            self.accounts[who].look()
            self._run(other)

        self._run(who, midway, store=lambda target: Overtaken(target, step, something))

    @rule(who=WHO, changes=FIRST)
    def plan(self, who: str, changes: list[Change]) -> None:
        """A plan writes nothing, and says what a run then does."""
        self._change(who, changes)
        before = read_tables(self.admin)
        account = self.accounts[who]
        with account.watched({}):
            planned, _error = self._sync(account, Planning)
        assert read_tables(self.admin).rows == before.rows, "a plan wrote"
        told = self._run(who)
        if planned is not None and told.outcome is not None and not account.simulator.listing.unstable_ties:
            assert told.outcome.plan == planned.plan
            self.happened["planned"] += 1

    @rule(who=WHO, at_question=st.booleans(), nth=st.integers(1, 36))
    def run_and_kill(self, who: str, at_question: bool, nth: int) -> None:  # noqa: FBT001 - drawn
        """A real process is killed; what is on record is what it wrote."""
        if not self.kills:
            return
        self.tables = read_tables(self.admin)
        child = Child(self.accounts[who], self.target.url)
        midway: dict[int, Callable[[], object]] = {}
        if at_question:
            midway = {nth % 8 + 1: child.kill}
        else:
            self.proxy.strike(nth, forward=nth % 2 == 0, action=child.kill)
        with self.accounts[who].watched(midway) as watch:
            code, said, printed = child.end()
        self.proxy.strike(0, forward=False)
        self._wait_for_sessions()
        after = read_tables(self.admin)
        number = max((n for n in after.runs if n not in self.tables.runs), default=None)
        told = Told(watch, number, self.tables, after, self.tables.now)
        killed = code < 0
        self._judge(told)
        assert TOKEN.encode() not in printed
        assert PASSWORD.encode() not in printed
        status = told.record.get("status")
        self.happened["killed"] += killed
        if not killed and said.get("run") is not None:
            assert (said["run"], said["status"]) == (number, status)
            assert code == {"done": 0, "withheld": 4, "superseded": 3}.get(str(status), code or 1)
        if killed:
            assert status in {None, "running", "done", "withheld", "failed"}

    # What is common to them.

    def _change(self, who: str, changes: list[Change]) -> None:
        for kind, number in changes:
            CHANGES[kind](self.accounts[who], number)

    def _run(
        self,
        who: str,
        midway: Mapping[int, Change] | None = None,
        *,
        lie: str = "",
        fault: Callable[[Account], object] | None = None,
        store: Callable[[Target], Database] = Database,
    ) -> Told:
        account, disturbed = self.accounts[who], bool(fault or store is not Database or not self.proxy.struck)
        self.tables = read_tables(self.admin)
        known, clock = set(self.tables.runs), self.tables.now
        changes = {nth: lambda change=change: self._change(who, [change]) for nth, change in (midway or {}).items()}
        with account.watched(changes) as watch:
            if fault is not None:
                fault(account)
            outcome, error = self._sync(account, store)
        self.proxy.strike(0, forward=False)
        self._wait_for_sessions()
        after = read_tables(self.admin)
        number = min((n for n, run in after.runs.items() if n not in known and run["source"] == who), default=None)
        told = Told(watch, number, self.tables, after, clock, outcome, error, lie, certain=not disturbed)
        self._judge(told)
        return told

    def _sync(
        self, account: Account, store: Callable[[Target], Database]
    ) -> tuple[Outcome | None, ImageSyncError | None]:
        """The job as the command line runs it."""
        try:
            with store(self.target) as database:
                database.prepare()
                with wiring.parts(account.settings(), database, threading.Event()) as parts:
                    return job.run_sync(parts.source, parts.cloud, parts.store, parts.spool, "command"), None
        except ImageSyncError as error:
            return None, error

    def _judge(self, told: Told) -> None:
        if told.committed:
            self.past.append(Moment(told.source, told.record["effective_at"], told.after.live(told.source)))
        flaws = check(told.after) + check_run(told) + check_past(told.after, self.past)
        assert not flaws, "\n".join(flaws)
        self.tables = told.after
        self._count(told)

    def _count(self, told: Told) -> None:
        self.happened["runs"] += 1
        self.happened[str(told.record.get("status"))] += 1
        for name in ("proven", "created", "updated", "restored", "deleted", "held", "quarantined", "kept"):
            self.happened[name] += bool(told.record.get(name))
        self.happened["unproven"] += told.committed and not told.record["proven"]
        self.happened["several pages"] += (told.record.get("pages") or 0) > 1
        self.happened["drifting and proven"] += bool(told.record.get("proven")) and not told.watch.still
        self.happened["approved ones deleted"] += bool(told.record.get("approved"))
        self.happened["moments"] += told.committed

    def _wait_for_sessions(self) -> None:
        """A session whose client is gone may still be busy; what it does comes before what follows."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'image-sync'"
        for attempt in count():
            row = self.admin.execute(query, [self.database]).fetchone()
            assert row is not None
            if row[0] <= self._nested():
                return
            assert attempt < 5_000, "a session of the job never ended"
            time.sleep(0.002)

    def _nested(self) -> int:
        """How many runs are under way around this one."""
        return sum(len(account._watches) for account in self.accounts.values())

    def _no_secrets(self) -> None:
        """15: no secret in any table."""
        tables: Tables = read_tables(self.admin)
        text = repr(tables.rows)
        assert TOKEN not in text
        assert PASSWORD not in text

    def teardown(self) -> None:
        """The past is told as it was; then everything is closed."""
        if not hasattr(self, "open"):
            return
        try:
            if hasattr(self, "past"):
                self._no_secrets()
                flaws = check_told_past(self.target, self.past)
                assert not flaws, "\n".join(flaws)
        finally:
            self.open.close()
            with psycopg.connect(self.server.url(), autocommit=True) as admin:
                admin.execute(f"DROP DATABASE {self.database} WITH (FORCE)")  # type: ignore[arg-type]
