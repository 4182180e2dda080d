"""What one run costs: time, CPU, memory, WAL, rows and requests. And whether it did its work."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.cloud import Cloud, Truth
from benchmarks.database import Database, Rows, ask, rows
from benchmarks.peers import EPOCH, Peer

TOKEN = "benchmark"  # noqa: S105 - the fake cloud takes any


class RunError(Exception):
    """A peer failed, or was wrong; the message says which."""


class TooSlowError(RunError):
    """A peer took more time than it may."""


@dataclass(frozen=True)
class Cost:
    """What one run of a whole process cost.

    Attributes:
        seconds: wall time.
        cpu: seconds of CPU of its processes.
        database_cpu: seconds of CPU of PostgreSQL meanwhile.
        memory: peak bytes, summed over its processes.
        wal: bytes of WAL.
        rows: inserted, updated and deleted, by table; only tables that were written.
        requests: what it asked of the cloud.
    """

    seconds: float
    cpu: float
    database_cpu: float
    memory: int
    wal: int
    rows: Rows
    requests: int

    def as_json(self) -> dict[str, Any]:
        """For the file of results."""
        return asdict(self)


@dataclass(frozen=True)
class Bench:
    """Where everything is measured.

    Attributes:
        folder: what peers keep between runs; logs too.
        limit: seconds that a run may take.
    """

    cloud: Cloud
    database: Database
    folder: Path
    limit: float

    def measure(self, peer: Peer, url: str) -> Cost:
        """Run a peer once against a database, and hold what it made against the truth.

        Raises:
            RunError: it failed, was too slow, or was wrong.
        """
        self.database.settle(url)
        before, rows_before = self.cloud.set(), rows(url)
        wal, cpu = self.database.wal(), self.database.cpu()
        ended = self.run(peer, url)
        self.database.quiet()
        wal, cpu = self.database.wal() - wal, self.database.cpu() - cpu
        truth = self.cloud.set()
        check(peer, url, truth)
        written = _written(rows_before, rows(url))
        requests = truth.requests - before.requests
        return Cost(ended.seconds, ended.cpu, cpu, ended.memory, wal, written, requests)

    def run(self, peer: Peer, url: str) -> processes.Ended:
        """Run a peer once.

        Raises:
            RunError: it failed.
            TooSlowError: it was killed.
        """
        with tempfile.TemporaryFile() as log:
            env = _environment(self.cloud.url, url, self.folder / peer.name) | {
                f"IMAGE_SYNC_{name}": value for name, value in peer.settings.items()
            }
            ended = processes.run(peer.command, env, log, self.limit)
            log.seek(0)
            said = log.read().decode(errors="replace")
        if ended.seconds >= self.limit:
            raise TooSlowError(f"a run took more than {self.limit:.0f} s")
        if ended.code:
            raise RunError(f"it failed with exit code {ended.code}:\n{said[-2000:]}")
        return ended


def check(peer: Peer, url: str, truth: Truth) -> None:
    """See that a peer has as many live images as the cloud, each of them in its newest version.

    Raises:
        RunError: it has not.
    """
    count, updated = ask(url, peer.live)
    if (count, int(updated or 0) - EPOCH * count) != (truth.live, truth.updated):
        raise RunError(f"it is wrong: {count} live images where the cloud has {truth.live}, or some are out of date")


def _environment(endpoint: str, url: str, folder: Path) -> dict[str, str]:
    """The same for all, and nothing of the user's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IMAGE_SYNC_", "PG"))}
    own = {"ENDPOINT": endpoint, "DATABASE_URL": url, "TOKEN": TOKEN}
    peers = {f"BENCH_{name}": value for name, value in own.items()}
    # The folder of this project first, for python -m.
    kept["PYTHONPATH"] = str(Path(__file__).parents[1])
    # Without the grace for replicas that lag, which no peer has: a deletion counts at once.
    ours = {f"IMAGE_SYNC_{name}": value for name, value in (own | {"GRACE": "0s"}).items()}
    return kept | peers | ours | {"BENCH_FOLDER": str(folder)}


def _written(before: Rows, after: Rows) -> Rows:
    found = {}
    for table, now in after.items():
        new, changed, gone = (a - b for a, b in zip(now, before.get(table, (0, 0, 0)), strict=True))
        if new or changed or gone:
            found[table] = (new, changed, gone)
    return found
