"""On a hot standby each reading command answers as on the primary, and each writing one says what to do."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from cli_inside import call
from cli_tools import Done, Job, ask, dump, until
from doctor_tools import look_into, not_ok, said
from standby_tools import Pair, primary_and_standby

from sync.cli import COMMANDS
from sync.cli.watching import check_ready
from sync.errors import DatabaseBusyError, DatabaseRefusedError
from sync.simulator import Simulator, World
from sync.store.connection import Target
from sync.store.queries.inventory import inventory
from sync.store.queries.metrics import MetricsQuery

READING = {
    "status": ("status", "--format", "csv"),
    "held": ("status", "--held", "--format", "json"),
    "missing": ("status", "--missing", "--format", "json"),
    "as-of": ("as-of", "now", "--format", "json"),
    "diff": ("diff", "1", "2", "--format", "json"),
    "history": ("history", "{id}", "--format", "json"),
    "check": ("check", "--format", "json"),
    "report": ("report", "--from", "1", "--to", "2"),
    "workbook": ("report", "--from", "1", "--to", "2", "--format", "json"),
    "verify": ("verify",),
    "notify": ("notify", "2", "--print"),
    "db": ("db", "status"),
    "prune": ("prune", "--keep", "1d", "--format", "csv"),
}
WRITING = {
    "run": ("run",),
    "approve": ("approve", "2"),
    "prune": ("prune", "--keep", "1d", "--yes"),
    "sources": ("sources", "accept-filter", "default"),
}
ELSEWHERE = {"doctor", "schedule", "plan", "demo", "simulate"}  # tested below, or with a database of their own
WHAT_TO_DO = "this server is a read-only standby; point IMAGE_SYNC_DATABASE_URL at the primary, or name all servers"


class Both(NamedTuple):
    """One inventory on both servers, and its cloud."""

    pair: Pair
    cloud: Simulator
    url: str

    @property
    def copy(self) -> str:
        """The URL of the inventory on the standby, which has caught up."""
        return self.pair.on_standby(self.url)

    def call(self, url: str, *arguments: str, **settings: str) -> Done:
        """Run a command with the inventory at this URL."""
        own = {"IMAGE_SYNC_DATABASE_URL": url, "IMAGE_SYNC_ENDPOINT": self.cloud.url, "IMAGE_SYNC_GRACE": "0"}
        return call(
            *arguments, **own | {"IMAGE_SYNC_TOKEN": self.cloud.token, "IMAGE_SYNC_LOG_FORMAT": "text"} | settings
        )


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A primary and its standby."""
    with primary_and_standby() as pair:
        yield pair


@pytest.fixture(scope="module")
def both(pair: Pair) -> Iterator[Both]:
    """An inventory after two runs, of which the second holds deletions."""
    with Simulator(World(seed=3, size=60)) as cloud:
        both = Both(pair, cloud, pair.primary.migrated())
        assert both.call(both.url, "run").code == 0
        cloud.world.change(5)
        cloud.world.create(2)
        cloud.world.delete(30)
        assert both.call(both.url, "run").code == 4
        yield both


def test_every_command_is_tried() -> None:
    """Each command is either tried on the standby here, or has no database of the settings."""
    tried = {arguments[0] for arguments in (*READING.values(), *WRITING.values())}

    assert tried | ELSEWHERE == set(COMMANDS)


@pytest.mark.parametrize("name", READING)
def test_reading(both: Both, name: str) -> None:
    """A reading command has the same output and exit code as on the primary."""
    image = ask(both.url, "SELECT id FROM inventory.image_versions LIMIT 1")
    arguments = [argument.replace("{id}", image) for argument in READING[name]]
    on_primary, on_standby = (both.call(url, *arguments) for url in (both.url, both.copy))

    assert on_standby.code == on_primary.code == 0
    assert _lasting(on_standby.out) == _lasting(on_primary.out)
    assert on_standby.out or name in {"missing", "verify", "db"}


def _lasting(output: str) -> str | list[dict[str, str]]:
    """The output without what depends on the time of the command."""
    if not output.startswith("source,"):
        return output
    return [row | {"proven_seconds_ago": "", "pruned_before": ""} for row in csv.DictReader(io.StringIO(output))]


def test_metrics_and_psql(both: Both, tmp_path: Path) -> None:
    """Metrics and a shell read the standby too."""
    copy = both.copy

    assert MetricsQuery(Target(copy)).source_metrics() == MetricsQuery(Target(both.url)).source_metrics()
    done = Job(tmp_path, copy)("db", "psql", "-Atc", "SELECT count(*) FROM inventory.live_images")
    assert (done.code, done.out) == (0, f"{ask(both.url, 'SELECT count(*) FROM inventory.live_images')}\n")


@pytest.mark.parametrize("name", WRITING)
def test_writing(both: Both, name: str) -> None:
    """D11: a writing command says in one sentence that this is a standby, and what to do; the cloud is not asked."""
    before, since = dump(both.url), both.cloud.journal.seq
    done = both.call(both.copy, *WRITING[name], IMAGE_SYNC_FILTER="visibility=private" if name == "sources" else "")

    assert done.code == 1
    assert done.err.count(WHAT_TO_DO) == 1
    assert "target_session_attrs=read-write" in done.err
    assert len(done.err.splitlines()) == 1
    assert both.cloud.journal.answers(since) == []
    assert dump(both.url) == before


def test_planning(pair: Pair) -> None:
    """A plan without changes works; one that has to stage some needs a temporary table, and says so."""
    with Simulator(World(seed=4, size=30)) as cloud:
        one = Both(pair, cloud, pair.primary.migrated())
        one.call(one.url, "run")
        on_primary, on_standby = (one.call(url, "plan", "--format", "csv") for url in (one.url, one.copy))
        cloud.world.change(1)
        refused = one.call(one.copy, "plan")

    assert (on_standby.code, on_standby.out) == (0, on_primary.out)
    assert refused.code == 1
    assert "cannot execute CREATE TABLE in a read-only transaction; " + WHAT_TO_DO in refused.err


def test_a_report_that_cannot_be_remembered(both: Both) -> None:
    """The report is written as on the primary; then a sentence says that its end is not remembered, and exit code 1."""
    assert both.call(both.url, "report", "--since-last", "boss", "--to", "1").code == 0
    options = ("report", "--since-last", "boss", "--to", "2")
    on_standby, on_primary = both.call(both.copy, *options), both.call(both.url, *options)

    assert (on_standby.code, on_primary.code) == (1, 0)
    assert on_standby.out == on_primary.out
    assert "the report is written, but its end can't be remembered, so the next one of boss begins" in on_standby.err
    assert WHAT_TO_DO in on_standby.err


def test_upgrading(pair: Pair, both: Both) -> None:
    """An upgrade that has nothing to do succeeds; one that has is refused with the same sentence."""
    done = both.call(both.copy, "db", "upgrade")
    empty = both.call(pair.on_standby(pair.primary.empty()), "db", "upgrade")

    assert (done.code, empty.code) == (0, 1)
    assert WHAT_TO_DO in empty.err


def test_scheduling(both: Both, tmp_path: Path) -> None:
    """A scheduler on a standby is not ready, says why at each turn, and ends when it is asked to."""
    with pytest.raises(DatabaseRefusedError, match="read-only standby"):
        check_ready(Target(both.copy))
    process = Job(tmp_path, both.copy, both.cloud).start("schedule", "--every", "1h")
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    failed = next(line for line in lines if "run failed" in line)
    process.terminate()
    rest = process.communicate(timeout=60)[1]

    assert WHAT_TO_DO in failed
    assert process.returncode == 0
    assert "Traceback" not in rest


def test_doctor(both: Both) -> None:
    """D11: the standby is named as what is wrong; all else is looked at as on the primary."""
    lines = look_into(both.copy, names=["default"])

    assert not_ok(lines) == {"writable": "wrong"}
    assert "read-only standby" in said(lines, "writable")
    assert "target_session_attrs=read-write" in said(lines, "writable")


def test_the_url_that_the_sentence_suggests(both: Both, pair: Pair) -> None:
    """With both servers in the URL, a run finds the primary."""
    hosts = f"127.0.0.1:{pair.standby.port},127.0.0.1:{pair.primary.port}"
    name = both.url.rpartition("/")[2]
    done = both.call(f"postgresql://owner@{hosts}/{name}?target_session_attrs=read-write", "run")

    assert done.code == 4
    assert ask(both.url, "SELECT status FROM inventory.runs ORDER BY run DESC LIMIT 1") == "withheld"


@pytest.mark.parametrize("busy", [True, False], ids=["during a query", "between queries"])
def test_a_query_that_holds_up_the_replication(both: Both, pair: Pair, *, busy: bool) -> None:
    """A reader whose rows the primary removes is ended by the standby, and the message says to ask again or elsewhere."""
    copy = both.copy
    with psycopg.connect(pair.standby.url(), autocommit=True) as standby:
        standby.execute("ALTER SYSTEM SET max_standby_streaming_delay = 0")
        standby.execute("SELECT pg_reload_conf()")
        until(lambda: ask(copy, "SHOW max_standby_streaming_delay") == "0")
    with psycopg.connect(both.url, autocommit=True) as primary:
        primary.execute("CREATE TABLE public.t AS SELECT generate_series(1, 1000) AS n")
        both.pair.on_standby(both.url)

        def remove() -> None:
            sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            until(lambda: not busy or ask(copy, sleeping))
            primary.execute("DELETE FROM public.t WHERE n > 1")
            primary.execute("VACUUM public.t")

        thread = threading.Thread(target=remove)
        with pytest.raises(DatabaseBusyError, match="run the command again, or ask the primary"):
            _read_meanwhile(copy, thread, "SELECT pg_sleep(60)" if busy else "SELECT 1")
        thread.join()
        primary.execute("DROP TABLE public.t")


def _read_meanwhile(url: str, thread: threading.Thread, query: str) -> None:
    """Read while the thread removes rows that this snapshot sees."""
    with inventory(Target(url)) as opened:
        opened.bounds(None)
        thread.start()
        until(lambda: not opened.rows(query))
