"""Two sources with a cloud each, one database behind a proxy, and the checks of every run."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import count
from typing import Any

import psycopg
from fault_rules import FaultySimulator
from invariants import Past, check
from machine_changes import CHANGES, tie
from machine_checks import check_run
from machine_child import Child
from machine_clouds import PASSWORD, SECRETS, TOKEN, Account
from machine_faults import Strike
from machine_observed import ObservedRun
from machine_past import Moment, check_last_seen, check_past, check_told_past
from machine_tables import Tables, give_clock, read_tables
from proxy import Lose, Passing, Proxy
from servers import Server

from sync import runner, wiring
from sync.domain.outcome import Outcome
from sync.errors import ImageSyncError
from sync.simulator import World
from sync.simulator.apis import BEHAVIOURS
from sync.store.connection import Target
from sync.store.runs.database import Database

Change = tuple[str, int]
OPTIONS: dict[str, Any] = {"concurrency": 1, "max_retries": 0}
WORLD: dict[str, Any] = {
    "api": "iec",
    "size": 45,
    "page_cap": 12,
    "unstable_ties": False,
    "show_deleted": False,
    "ties": 0,
    "lost_marker": "refuse",
}
_STEP = 9  # images from one start of a chain to the next; far more would fit the small clouds of a machine


class Bench:
    """Makes, disturbs and checks runs.

    Args:
        server: where the database will be.
        first: the world of the first source.
        second: that of the second.
        options: settings of the first source.
        others: those of the second.
        seed: chooses the images.
        apart: 0 gives both sources images with the same ids, like public images.
        conforming: whether the database has standard_conforming_strings on.

    Attributes:
        happened: how often each kind of event was met so far.
        tables: as they were before the latest run, or after it.
    """

    def __init__(
        self,
        server: Server,
        *,
        first: Mapping[str, Any] = WORLD,
        second: Mapping[str, Any] = WORLD,
        options: Mapping[str, Any] = OPTIONS,
        others: Mapping[str, Any] = OPTIONS,
        seed: int = 1,
        apart: int = 1,
        conforming: bool = True,
    ) -> None:
        self.happened: Counter[str] = Counter()
        self._server, self._open = server, ExitStack()
        self._past, self._lasting = list[Moment](), Past()
        self._database = server.migrated().rpartition("/")[2]
        url = server.url(self._database)
        self.admin = self._open.enter_context(psycopg.connect(url, autocommit=True))
        give_clock(self.admin)
        if not conforming:
            self.admin.execute(f"ALTER DATABASE {self._database} SET standard_conforming_strings = off".encode())
        self._proxy = self._open.enter_context(Proxy(url))
        self.target = Target(self._proxy.url.replace("owner@", f"owner:{PASSWORD}@"))
        self.accounts = {
            "first": self._account("first", first, options, seed),
            "second": self._account("second", second, others, seed + apart),
        }
        self.tables = read_tables(self.admin)

    def change(self, who: str, *changes: Change) -> None:
        """Change the images of a source."""
        account = self.accounts[who]
        with account.world.lock:  # so that no answer shows what is between two states
            for kind, number in changes:
                CHANGES[kind](account, number)
            account.look()

    def strike(self, nth: int, lose: Lose, *, only: str | None = None) -> None:
        """Break the next run's database connection at its n-th message, or the n-th of this statement."""
        self._proxy.before = Strike(nth, lose, only=only)

    def run(
        self,
        who: str,
        midway: Mapping[int, Change] | None = None,
        *,
        lie: str = "",
        fault: Callable[[Account], object] | None = None,
        store: Callable[[Target], Database] = Database,
    ) -> ObservedRun:
        """Run the job for one source, and check it.

        Args:
            who: the source.
            midway: what happens to its images just before the n-th request is answered.
            lie: what its cloud lies about: "empty", "total", "hidden", "lagging", "stale" or nothing.
            fault: makes its cloud fail.
            store: makes the store that the run uses.
        """
        account = self.accounts[who]
        disturbed = bool(fault or lie or store is not Database or isinstance(self._proxy.before, Strike))
        self.tables = read_tables(self.admin)
        known, clock, scope = set(self.tables.runs), self.tables.now, account.scope
        changes = {nth: lambda change=change: self.change(who, change) for nth, change in (midway or {}).items()}
        with account.watched(changes) as watch:
            if fault is not None:
                fault(account)
            outcome, error = self.sync(account, store)
        after = self._settled()
        number = min((n for n, run in after.runs.items() if n not in known and run["source"] == who), default=None)
        observed = ObservedRun(
            watch, number, self.tables, after, clock, outcome, error, lie, scope, certain=not disturbed
        )
        self._judge(observed)
        return observed

    def run_child(self, who: str, nth: int, *, at_question: bool) -> None:
        """Run the real program, and kill it at the n-th request to the cloud or message to the database."""
        self.tables = read_tables(self.admin)
        child = Child(self.accounts[who], self.target.url)
        midway = {nth: child.kill} if at_question else {}
        if not at_question:
            self._proxy.before = Strike(nth, Lose.REPLY if nth % 2 else Lose.REQUEST, action=child.kill)
        with self.accounts[who].watched(midway) as watch:
            code, result, printed = child.end()
        after = self._settled()
        number = max((n for n in after.runs if n not in self.tables.runs), default=None)
        observed = ObservedRun(watch, number, self.tables, after, self.tables.now, scope=self.accounts[who].scope)
        self._judge(observed)
        self.happened["killed"] += code < 0
        _nothing_wrong([f"I15: {secret} is printed" for secret in SECRETS if secret.encode() in printed])
        status = observed.record.get("status")
        if code >= 0 and result.get("run") is not None:
            assert (result["run"], result["status"]) == (number, status)
            assert code == {"done": 0, "withheld": 4, "superseded": 3}.get(str(status), 1)

    def sync(
        self, account: Account, store: Callable[[Target], Database]
    ) -> tuple[Outcome | None, ImageSyncError | None]:
        """Run the job as the command line does; return its outcome or error."""
        try:
            with store(self.target) as database:
                database.prepare()
                database.step = _STEP
                with wiring.parts(account.settings(), database, threading.Event()) as parts:
                    return runner.sync(parts, "command"), None
        except ImageSyncError as error:
            return None, error

    def close(self) -> None:
        """Check that the past is unchanged and no secret is in a table; then end everything."""
        try:
            text = repr(read_tables(self.admin).rows)
            flaws = [f"I15: {secret} is stored" for secret in SECRETS if secret in text]
            _nothing_wrong(flaws + check_told_past(self.target, self._past))
        finally:
            self._open.close()
            with psycopg.connect(self._server.url(), autocommit=True) as admin:
                admin.execute(f"DROP DATABASE {self._database} WITH (FORCE)")  # type: ignore[arg-type]

    def _account(self, name: str, world: Mapping[str, Any], options: Mapping[str, Any], seed: int) -> Account:
        images = World(seed, world["size"], api=world["api"], show_deleted=world["show_deleted"])
        options_of_api = {name: world[name] for name in BEHAVIOURS[world["api"]].options & {"lost_marker"}}
        shape = {name: world[name] for name in ("page_cap", "unstable_ties")}
        cloud = FaultySimulator(images, token=TOKEN, **shape, **options_of_api)
        account = Account(name, self._open.enter_context(cloud), {"max_images": 30_000} | options)
        tie(account, world["ties"])
        return account

    def _settled(self) -> Tables:
        """Read the tables once no message is lost any more and all sessions of ended clients are over."""
        self._proxy.before = _nothing
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'image-sync'"
        around = sum(account.watching for account in self.accounts.values())
        for attempt in count():
            row: Sequence[Any] = self.admin.execute(query, [self._database]).fetchone() or ()
            if row[0] <= around:
                return read_tables(self.admin)
            assert attempt < 5_000, "a session of the job never ended"
            time.sleep(0.002)
        raise AssertionError

    def _judge(self, observed: ObservedRun) -> None:
        if observed.committed:
            self._past.append(
                Moment(
                    observed.source,
                    observed.watch.account.api.name,
                    observed.record["effective_at"],
                    observed.shown,
                    observed.after.live(observed.source),
                )
            )
            _nothing_wrong(check_last_seen(observed.after, observed.number, self._past))
        flaws = check(self.admin) + self._lasting.check(self.admin)
        _nothing_wrong(flaws + check_run(observed) + check_past(observed.after, self._past))
        self.tables = observed.after
        record = observed.record
        names = (
            "proven",
            "created",
            "updated",
            "restored",
            "deleted",
            "invisible",
            "approved",
            "held",
            "quarantined",
            "still_there",
            "unconfirmed",
            "pending",
        )
        met = {
            str(record.get("status")): True,
            **{name: bool(record.get(name)) for name in names},
            "runs": True,
            "unproven": observed.committed and not record["proven"],
            "several pages": (record.get("pages") or 0) > 1,
            "drifting and proven": bool(record.get("proven")) and not observed.watch.still,
            "chains": observed.committed and _has_chains(observed),
            f"{observed.watch.account.api.name} proven": bool(record.get("proven")),
        }
        self.happened += Counter({name: int(value) for name, value in met.items()})


def _has_chains(observed: ObservedRun) -> bool:
    """Whether its list was read from ids on that an earlier run had left, and not only from one page to the next."""
    pages = [page for page in observed.after.rows["run_pages"].values() if page["run"] == observed.number]
    ends = {page["last_id"] for page in pages}
    return any(page["marker"] not in ends for page in pages if page["marker"] is not None and not page["descending"])


def _nothing(_message: Passing) -> None:
    """Let every message pass."""


def _nothing_wrong(flaws: list[str]) -> None:
    assert not flaws, "\n".join(flaws)
