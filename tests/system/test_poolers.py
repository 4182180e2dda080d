"""Every command works through a connection pooler in transaction mode, and leaves nothing on its connections."""

from __future__ import annotations

import io
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cli_tools import Done, InProcess, Job, column, dump, finished, until
from fault_rules import FaultySimulator
from poolers import IN_TURN, Pooler, left_over, pooling
from pyarrow import parquet
from receiver import Receiver
from servers import Server, newest
from session_defaults import DEFAULTS, set_defaults

from sync.cli import COMMANDS
from sync.simulator import Simulator, World
from sync.store.connection import Target
from sync.store.pruning import ago, prune

SIZE: int = IN_TURN["default_pool_size"]
WITHOUT_DATABASE = {"demo", "simulate"}  # the demo has its own
IN_PROCESSES = {"schedule", "db psql"}  # they have tests of their own below
READING = (
    *("status --format json", "status --held --format json", "status --missing --format json", "history {id}"),
    *("as-of now --format json", "as-of 1 --format csv", "as-of 2 --format parquet"),
    *("diff 1 3 --format json", "diff last --format csv", "check --format json", "check --format sarif"),
    *("check --format junit --fail-on low", "report --from 1 --format md", "report --from 1 --format html"),
    *("report --from 1 --format json", "report --from 1 --format csv", "report --from 1 --format xlsx"),
    *("report --since-last reader --format json", "report --since-last reader --format md --if-changed"),
    *("verify --format json", "prune --keep 1d --format json", "notify 3 --print", "notify 3", "notify --test"),
    *("doctor --format json", "db status", "db upgrade", "db status"),
)
ENDING = ("prune --keep 1d --yes --format json", "db upgrade", "status --format json", "verify --format json")
VARYING = (
    r'(?s)<h2 id="growth">.*?<h2',  # counts by the second
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?",
    r"(\b|(?<=evt_))[0-9a-f]{8,64}\b",
    r'(?<="proven_seconds_ago":)\d+',
)
NAMES = [f"source-{number}" for number in range(8)]
STATUSES = "SELECT status FROM inventory.runs ORDER BY run"


@pytest.fixture(scope="module")
def pooler(server_newest: Server) -> Iterator[Pooler]:
    """PgBouncer in transaction mode: each transaction is on another connection than the one before."""
    with pooling(server_newest) as pooler:
        yield pooler


@pytest.fixture
def small() -> Iterator[Simulator]:
    """A simulated cloud of 40 images."""
    with FaultySimulator(World(seed=7, size=40)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def plain(server_newest: Server, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What all commands say without a pooler."""
    return story(tmp_path_factory.mktemp("plain"), server_newest.empty())


def story(folder: Path, url: str) -> list[Any]:
    """What each command exits with and says, from an empty database on, without what differs each time."""
    with FaultySimulator(World(seed=7, size=40)) as cloud, Receiver() as receiver:
        job = InProcess(folder, url, cloud, IMAGE_SYNC_NOTICE_URL=receiver.address)
        return list(_told(job, cloud.world))


def _told(job: InProcess, world: World) -> Iterator[Any]:
    first = min(world.truth())

    def do(*commands: str, **settings: str) -> Iterator[Any]:
        for text in commands:
            words = text.format(id=first).split()
            yield text, *_said(words, job(*words, **settings), job.binary)

    yield from do("db status", "plan --format json", "run --format json", "run --format json")
    world.change(4)
    world.create(2)
    world.delete(1)
    yield from do("plan --format json", "run --format json")
    gone = world.delete(20)
    yield from do("run --format json", "status --held --format json", "approve 4", "approve 4", "run --format json")
    world.restore(len(gone))
    yield from do("run --format json", *READING)
    world.change(2)
    other = {"IMAGE_SYNC_FILTER": "os_type=Linux"}
    yield from do("run --format json", "sources accept-filter default", "run --format json", **other)
    target = Target(job.url)
    removed = prune(target, ago(target, 0), "ann", remove=True)  # the command keeps at least a day
    yield "prune", 0, [(one.source, one.versions, one.pages) for one in removed]
    yield from do(*ENDING)


def _said(words: list[str], done: Done, binary: bytes) -> tuple[int, Any]:
    """The exit code, and the output in a form that can be compared."""
    if words[0] == "doctor":
        return done.code, [(row["about"], row["check"], row["level"]) for row in done.rows]
    if "parquet" in words and not done.code:
        return done.code, [row["id"] for row in parquet.read_table(io.BytesIO(binary)).to_pylist()]
    if "xlsx" in words and not done.code:
        return done.code, binary[:2]
    text = done.out + "\n".join(line for line in done.err.splitlines() if not line.startswith("{"))
    for pattern in VARYING:
        text = re.sub(pattern, "#", text)
    return done.code, text


def test_the_story_has_every_command(plain: list[Any]) -> None:
    """No command is forgotten."""
    carried_out = {text.split()[0] for text, *_ in plain} | {text.split()[0] for text in IN_PROCESSES}

    assert carried_out == COMMANDS.keys() - WITHOUT_DATABASE
    assert {code for _, code, _ in plain} == {0, 2, 4}


def test_the_pool_gives_each_transaction_another_connection(server: Server, pooler: Pooler) -> None:
    """The pool is such that state of a session would be missed, and found where it does not belong."""
    url = pooler.fill(server.empty())
    with psycopg.connect(url, autocommit=True) as one:
        processes = [one.execute("SELECT pg_backend_pid()").fetchone() for _ in range(SIZE + 1)]
        one.execute("SET lock_timeout = '1s'")

    assert len(set(processes)) == SIZE
    assert processes[0] == processes[-1]
    assert left_over(url, SIZE) == ["setting lock_timeout"]


@pytest.mark.parametrize("defaults", ["usual", "hostile"])
def test_every_command_in_transaction_mode(
    server: Server, pooler: Pooler, plain: list[Any], tmp_path: Path, defaults: str
) -> None:
    """Every command exits and says the same as without a pooler, and leaves nothing on the pool's connections."""
    direct = server.empty()
    if defaults == "hostile":
        set_defaults(direct, DEFAULTS)
    url = pooler.fill(direct)

    assert story(tmp_path, url) == plain
    assert defaults == "hostile" or left_over(url, SIZE) == []


@pytest.mark.parametrize("options", [{"default_pool_size": 1}, {"pool_mode": "session", "default_pool_size": 2}])
def test_every_command_in_other_pools(
    server: Server, plain: list[Any], tmp_path: Path, options: dict[str, Any]
) -> None:
    """One connection to the server is enough in transaction mode, and session mode works as well."""
    url = server.empty()
    with pooling(server, **options) as pooler:
        assert story(tmp_path, pooler.url(url)) == plain


def test_first_runs_at_once(server: Server, pooler: Pooler, tmp_path: Path, small: Simulator) -> None:
    """Of four first runs in an empty database, in four processes, one makes the schema, and all are done."""
    url = pooler.fill(server.empty())
    job = Job(tmp_path, url, small)
    results = [finished(each) for each in [job.start("run", IMAGE_SYNC_SOURCE=name) for name in NAMES[:4]]]

    assert [each.code for each in results] == [0] * 4, results
    assert left_over(url, SIZE) == []


def test_many_sources_at_once(server: Server, tmp_path: Path, small: Simulator) -> None:
    """Eight runs at once share two connections, and each is done."""
    sources = "".join(f'[[sources]]\nname = "{name}"\n' for name in NAMES)
    defaults = f'[defaults]\nendpoint = "{small.url}"\ntoken = "{small.token}"\n'
    (tmp_path / "image-sync.toml").write_text(defaults + sources)
    with pooling(server, default_pool_size=2) as pooler:
        job = InProcess(tmp_path, pooler.fill(server.empty()))
        first = job("run", "--jobs", "8", "--format", "json")
        small.world.change(5)
        second = job("run", "--jobs", "8", "--format", "json")
        left = left_over(job.url, 2)

    assert [(row["source"], row["created"]) for row in first.rows] == [(name, 40) for name in NAMES]
    assert [(row["status"], row["updated"]) for row in second.rows] == [("done", 5)] * len(NAMES)
    assert left == []


def test_the_scheduler(server: Server, pooler: Pooler, tmp_path: Path, small: Simulator) -> None:
    """The scheduler runs again and again, and ends when it should."""
    url = pooler.fill(server.migrated())
    running = Job(tmp_path, url, small).start("schedule", "--every", "1s")
    until(lambda: column(url, STATUSES).count("done") > 1)
    running.send_signal(signal.SIGTERM)
    done = finished(running)

    assert (done.code, "Traceback" in done.err) == (0, False)
    assert set(column(url, STATUSES)) == {"done"}
    assert left_over(url, SIZE) == []


def test_psql(server: Server, pooler: Pooler, tmp_path: Path) -> None:
    """`db psql` opens a shell through the pooler."""
    job = Job(tmp_path, pooler.url(server.migrated()))
    path = f"{newest()}:{job.environ()['PATH']}"
    done = job("db", "psql", "-At", "-c", "SELECT count(*) FROM inventory.runs", PATH=path)

    assert (done.code, done.out) == (0, "0\n"), done.err


def test_listeners_hear_of_runs_behind_a_pooler(
    server: Server, pooler: Pooler, tmp_path: Path, small: Simulator
) -> None:
    """A run behind a pooler notifies those who listen on a connection of their own."""
    direct = server.migrated()
    with psycopg.connect(direct, autocommit=True) as listener:
        listener.execute("LISTEN inventory_changes")
        assert InProcess(tmp_path, pooler.fill(direct), small)("run").code == 0
        heard = list(listener.notifies(timeout=10, stop_after=1))

    assert [each.channel for each in heard] == ["inventory_changes"]


def test_roles_behind_a_pooler(server: Server, pooler: Pooler, tmp_path: Path, small: Simulator) -> None:
    """The pool of each role has its rights: a writer runs and may not prune; a reader reads and may not run."""
    direct = server.migrated()
    with psycopg.connect(direct, autocommit=True) as owner:
        owner.execute("CREATE ROLE writing LOGIN; GRANT inventory_writer TO writing")
        owner.execute("CREATE ROLE reading LOGIN; GRANT inventory_reader TO reading")
    results = []
    for user in ("writing", "reading"):
        job = InProcess(tmp_path, pooler.url(direct, user), small)
        results += [job(*words.split()) for words in ("run", "as-of now --format json", "prune --keep 1d --yes")]
    with psycopg.connect(direct, autocommit=True) as owner:
        owner.execute("DROP OWNED BY writing, reading; DROP ROLE writing, reading")

    assert [each.code for each in results] == [0, 0, 2, 1, 0, 2], results
    assert len(results[4].rows) == 40


@pytest.mark.parametrize("database", ["empty", "migrated"])
def test_statement_mode_is_refused_by_name(server: Server, tmp_path: Path, small: Simulator, database: str) -> None:
    """Each command exits with 1, says which pooler is in which mode and what to do, and writes nothing."""
    direct = getattr(server, database)()
    before = shape(direct)
    commands = ("run", "plan", *READING, "approve 1", "sources accept-filter default", "prune --keep 1d --yes")
    with pooling(server, pool_mode="statement") as pooler:
        job = InProcess(tmp_path, pooler.url(direct), small)
        results = {text: job(*text.format(id="x").split()) for text in commands if text != "notify --test"}

    for text, done in results.items():
        said = done.err + done.out
        assert (text, done.code, "Traceback" in said) == (text, 1, False), said
        assert f"the pooler at {pooler.address} is in statement mode" in said
        assert "set pool_mode = transaction" in said
    assert shape(direct) == before


def shape(url: str) -> tuple[list[str], dict[str, list[str]]]:
    """All schemas of a database, and the rows of the inventory."""
    schemas = column(url, "SELECT nspname FROM pg_namespace ORDER BY 1")
    return schemas, dump(url) if "inventory" in schemas else {}
