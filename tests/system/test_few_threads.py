"""A machine or container that allows only a few threads: fewer of them do the work, or one sentence says why not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tools import Done, Job, ask, until
from servers import Server

from sync.simulator import Simulator, World

OTHER_USER = 1_000_000 + os.getpid()  # no other process counts against its limit
SOURCES = ("one", "two", "three", "four")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        os.getuid() != 0 or not shutil.which("setpriv") or not shutil.which("prlimit"),
        reason="only root can take another user's limits",
    ),
]


@pytest.fixture
def job(tmp_path: Path, server_newest: Server) -> Job:
    """A job with four sources; it needs a cloud."""
    return Job(tmp_path, server_newest.migrated(), IMAGE_SYNC_TOKEN="example")


def configure(job: Job, cloud: Simulator) -> None:
    """Write a settings file with the four sources, which are the same cloud."""
    tables = [
        f'[[sources]]\nname = "{name}"\nendpoint = "{cloud.url}"\ntoken = "example"\ngrace = "0s"\n' for name in SOURCES
    ]
    (job.folder / "image-sync.toml").write_text("\n".join(tables))
    job.settings.pop("IMAGE_SYNC_TOKEN", None)


def limited(job: Job, threads: int, *arguments: str) -> subprocess.Popen[str]:
    """Start a command whose process may have only this many threads."""
    privileges = ["setpriv", "--ruid", str(OTHER_USER), "--bounding-set", "-sys_resource,-sys_admin"]
    return subprocess.Popen(
        [*privileges, "prlimit", f"--nproc={threads}:{threads}", sys.executable, "-m", "sync", *arguments],
        env=job.environ(),
        cwd=job.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(job: Job, threads: int, *arguments: str) -> Done:
    """Run a command to its end."""
    with limited(job, threads, *arguments) as process:
        out, err = process.communicate(timeout=60)
    return Done(process.returncode, out, err)


@pytest.mark.parametrize("threads", [3, 5, 40])
def test_fewer_threads_do_the_work(job: Job, threads: int) -> None:
    """With three threads or more all sources are read in full, whatever `jobs` and `concurrency` ask for."""
    with Simulator(World(1, 1_600), token="example") as cloud:
        configure(job, cloud)
        done = run(job, threads, "run", "--jobs", "8", "--format", "json")

    assert done.code == 0, done.err
    assert [row["status"] for row in done.rows] == ["done"] * 4
    assert ask(job.url, "SELECT count(*) FROM inventory.images") == 4 * 1_600
    assert ("fewer threads" in done.err) == (threads < 40)


@pytest.mark.parametrize("threads", [1, 2])
def test_too_few_threads_are_one_sentence(job: Job, threads: int) -> None:
    """With fewer the command fails with a sentence; runs that could begin are on record."""
    with Simulator(World(1, 10), token="example") as cloud:
        configure(job, cloud)
        done = run(job, threads, "run", "--jobs", "8")

    assert done.code == 1
    assert "The system allows no more threads; raise its limit" in done.err
    assert "Traceback" not in done.err
    assert ask(job.url, "SELECT count(*) FROM inventory.runs WHERE status = 'failed'") == (4 if threads == 2 else 0)


@pytest.mark.parametrize("threads", [1, 3])
def test_other_commands_end_with_a_sentence(job: Job, threads: int) -> None:
    """`doctor` and `status` say what is wrong, or work."""
    with Simulator(World(1, 10), token="example") as cloud:
        configure(job, cloud)
        results = [run(job, threads, *command) for command in (["doctor"], ["status"], ["notify", "--test"])]

    assert not [done.err for done in results if "Traceback" in done.err + done.out]
    assert results[1].code == 0


@pytest.mark.parametrize("threads", [5])
def test_the_scheduler_goes_round_with_few_threads(job: Job, threads: int) -> None:
    """A scheduler that gets fewer threads than `jobs` still runs every source again and again."""
    with Simulator(World(1, 10), token="example") as cloud:
        configure(job, cloud)
        process = limited(job, threads, "schedule", "--every", "1s")
        done = "SELECT min(count) FROM (SELECT count(*) FROM inventory.runs WHERE status = 'done' GROUP BY source) q"
        until(lambda: process.poll() is not None or (ask(job.url, done) or 0) >= 2)
        ended = process.poll()
        process.terminate()
        _, err = process.communicate(timeout=60)

    assert ended is None, err
    assert process.returncode == 0
    assert "Traceback" not in err
