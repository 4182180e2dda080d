"""Many sources: several at once, each in its own transaction, and shards for several machines."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import breakage
import psycopg
import pytest
from cli_inside import call
from cli_tools import Job, ask
from fault_rules import FaultySimulator
from servers import Server

from sync.cli.options import Shard
from sync.simulator import Simulator, World


@pytest.fixture
def cloud() -> Iterator[Simulator]:
    """A cloud of 30 images."""
    with FaultySimulator(World(seed=5, size=30)) as simulator:
        yield simulator


def job_with_sources(folder: Path, server: Server, cloud: Simulator, names: list[str], **settings: str) -> Job:
    """A job with these sources, all of one cloud."""
    sources = "".join(f'[[sources]]\nname = "{name}"\n' for name in names)
    folder.joinpath("image-sync.toml").write_text(
        f'[defaults]\nendpoint = "{cloud.url}"\ntoken = "{cloud.token}"\n{sources}'
    )
    return Job(folder, server.migrated(), **settings)


def test_sources_are_synced_at_the_same_time(tmp_path: Path, server: Server, cloud: Simulator) -> None:
    """With three jobs the runs of three sources overlap; with one they do not."""
    cloud.faults.add(breakage.delay(0.4), times=None)
    job = job_with_sources(tmp_path, server, cloud, ["a", "b", "c"])
    overlaps = (
        "SELECT count(*) FROM inventory.runs x JOIN inventory.runs y ON x.run < y.run "
        "AND x.started_at < y.finished_at AND y.started_at < x.finished_at"
    )

    assert job("run", "--jobs", "1").code == 0
    assert ask(job.url, overlaps) == 0
    assert job("run", IMAGE_SYNC_JOBS="3").code == 0
    assert ask(job.url, overlaps) == 3


def test_rows_come_in_the_order_of_the_settings(tmp_path: Path, server: Server, cloud: Simulator) -> None:
    """Rows come in the order of the settings, and a failing source does not stop the others."""
    job = job_with_sources(tmp_path, server, cloud, ["z", "broken", "a"])
    text = tmp_path.joinpath("image-sync.toml").read_text()
    tmp_path.joinpath("image-sync.toml").write_text(text.replace('"broken"\n', '"broken"\ntoken = "wrong"\n'))

    done = job("run", "--format", "json")

    assert [(row["source"], row["status"]) for row in done.rows] == [("z", "done"), ("broken", "failed"), ("a", "done")]
    assert done.code == 1


BREAKING = """
import sys
from sync.__main__ import main
from sync.store.runs.database import Database
known = Database.known

def break_or_know(self, run):
    if run.source.name == "broken":
        raise RuntimeError("unforeseen")
    return known(self, run)

Database.known = break_or_know
sys.argv[0] = "image-sync"
main()
"""


@pytest.mark.parametrize("level", ["info", "debug"])
def test_an_unforeseen_error_hides_no_other_result(
    tmp_path: Path, server: Server, cloud: Simulator, level: str
) -> None:
    """If a library breaks in one source, the others are shown, and only the log of level debug has a traceback."""
    job = job_with_sources(tmp_path, server, cloud, ["z", "broken", "a"], IMAGE_SYNC_LOG_LEVEL=level)
    done = subprocess.run(
        [sys.executable, "-c", BREAKING, "run", "--format", "json"],
        env=job.environ(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 1, done.stderr
    assert [(row["source"], row["status"]) for row in rows] == [("z", "done"), ("broken", "failed"), ("a", "done")]
    assert rows[1]["reason"].startswith("unexpected RuntimeError: unforeseen; please report it")
    assert ("Traceback" in done.stderr) == (level == "debug")
    assert ask(job.url, "SELECT reason FROM inventory.runs WHERE source = 'broken'") == rows[1]["reason"]


def test_an_empty_database_is_prepared_once(tmp_path: Path, server: Server, cloud: Simulator) -> None:
    """Several sources that meet an empty database at once make one schema."""
    job = job_with_sources(tmp_path, server, cloud, list("abcdef"))
    job.settings["IMAGE_SYNC_DATABASE_URL"] = url = server.empty()

    assert job("run", "--jobs", "6").code == 0
    assert ask(url, "SELECT count(*) FROM inventory.images") == 6 * 30


def test_shards_share_the_sources(tmp_path: Path, server: Server, cloud: Simulator) -> None:
    """Each source is in exactly one of three shards, and a run syncs only its own."""
    names = [f"source-{n}" for n in range(12)]
    job = job_with_sources(tmp_path, server, cloud, names)

    synced = [[row["source"] for row in job("run", "--shard", f"{n}/3", "--format", "json").rows] for n in range(3)]

    assert sorted(name for shard in synced for name in shard) == sorted(names)
    assert all(Shard(n, 3).holds(name) for n, shard in enumerate(synced) for name in shard)


def test_a_shard_may_be_empty(tmp_path: Path, server: Server, cloud: Simulator) -> None:
    """A shard without sources exits with 0."""
    job = job_with_sources(tmp_path, server, cloud, ["only"])
    other = next(n for n in range(100) if not Shard(n, 100).holds("only"))

    done = job("run", "--shard", f"{other}/100")

    assert (done.code, done.out.strip()) == (0, "nothing to show")


@pytest.mark.parametrize("text", ["", "1", "3/3", "1/0", "-1/3", "a/b", "1/3/5", "\u0661/3"])
def test_a_wrong_shard_is_refused(tmp_path: Path, text: str) -> None:
    """An invalid shard exits with 2 and says what is allowed."""
    done = Job(tmp_path)("run", "--shard", text)

    assert done.code == 2
    assert "from 0/N to N-1/N" in done.err


def test_shards_are_even_and_stable() -> None:
    """Sources are spread evenly, and the shard of a source depends only on its name."""
    parts = [sum(Shard(n, 4).holds(f"account-{name}") for name in range(4000)) for n in range(4)]

    assert sum(parts) == 4000
    assert max(parts) - min(parts) < 200
    assert [Shard(n, 4).holds("eu-west") for n in range(4)] == [True, False, False, False]


@pytest.mark.long
def test_hundreds_of_small_sources(tmp_path: Path, server: Server, cloud: Simulator) -> None:
    """One process syncs 300 sources, and a second run finds no change."""
    names = [f"s{n:04}" for n in range(300)]
    job = job_with_sources(tmp_path, server, cloud, names)

    first, second = (job("run", "--jobs", "8", "--format", "json") for _ in range(2))

    assert (first.code, second.code) == (0, 0)
    assert [row["created"] for row in first.rows] == [30] * 300
    assert [row["unchanged"] for row in second.rows] == [30] * 300


def test_many_at_once_in_a_serializable_database(tmp_path: Path, each_server: Server) -> None:
    """Eight sources at the same time, again and again, all end as done where transactions are serializable by default."""
    cloud = FaultySimulator(World(seed=5, size=1200))
    job = job_with_sources(tmp_path, each_server, cloud, [f"s{number}" for number in range(8)])
    name = job.url.rpartition("/")[2]
    with psycopg.connect(job.url, autocommit=True) as owner:
        owner.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'".encode())
    codes = []
    with cloud:
        for _ in range(4):
            done = call(
                "--config", str(tmp_path / "image-sync.toml"), "run", "--jobs", "8", IMAGE_SYNC_DATABASE_URL=job.url
            )
            codes.append(done.code)
            cloud.world.churn(10)

    assert codes == [0] * 4
    assert ask(job.url, "SELECT count(*) FROM inventory.runs WHERE status = 'done'") == 32
