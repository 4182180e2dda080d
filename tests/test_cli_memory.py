"""What a run holds in memory: digests and hashes, never the images themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli_tools import PATIENCE, Job
from servers import Server

from sync.simulator import Simulator, World

MOST_READ = 100  # bytes of each image that is read back
FEW, MANY = 20_000, 60_000
MOST = 700  # bytes an image: as many as its JSON text alone has
# A process inherits the peak of the one that started it, which here holds the whole cloud: a small one stands between.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def peak(job: Job, *arguments: str) -> int:
    """Carry out a command, with success; the most bytes that were held at a time."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "sync", *(arguments or ["run"])]
    return int(subprocess.check_output(command, env=job.environ(), cwd=job.folder, timeout=PATIENCE))


@pytest.mark.slow
def test_memory_grows_by_little_with_each_image(tmp_path: Path, server: Server) -> None:
    """A first load, a run without changes and one that changes all images hold less of each than its text.

    What is read back is streamed: hardly anything of it is held.
    """
    held: dict[str, list[int]] = {}
    read: dict[str, list[int]] = {}
    for size in (FEW, MANY):
        with Simulator(World(seed=5, size=size)) as cloud:
            job = Job(tmp_path, server.migrated(), cloud)
            held.setdefault("first load", []).append(peak(job))
            held.setdefault("no change", []).append(peak(job))
            cloud.world.change(size)
            held.setdefault("all changed", []).append(peak(job))
            for style in ("csv", "json", "parquet"):
                read.setdefault(style, []).append(peak(job, "as-of", "now", "--format", style))

    growth = {run: (many - few) // (MANY - FEW) for run, (few, many) in held.items()}
    assert max(growth.values()) < MOST, growth
    assert max((many - few) // (MANY - FEW) for few, many in read.values()) < MOST_READ, read
    assert min(growth.values()) > 32, growth  # the digests alone are so many: it is measured
