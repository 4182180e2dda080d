"""A run holds digests and hashes in memory, never the images themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cli_tools import Job
from servers import Server, peak

from sync.domain.apis import APIS
from sync.simulator import PROJECT, Simulator, World

MOST_READ = 500  # bytes per image read back; as objects it takes ten times as much, and buffers vary
FEW, MANY = 20_000, 60_000
LARGE = 100_000
MOST = 700  # bytes per image: the size of its JSON text


def held_by(job: Job, *arguments: str) -> int:
    """The peak memory in bytes of a successful command; of a run by default."""
    return peak([sys.executable, "-m", "sync", *(arguments or ["run"])], job.environ(), job.folder)


@pytest.mark.long
def test_memory_grows_by_little_with_each_image(tmp_path: Path, server: Server) -> None:
    """First load, unchanged run and full change each hold less per image than its JSON text.

    Images that are read back are streamed, so hardly any memory is used.
    """
    held: dict[str, list[int]] = {}
    read: dict[str, list[int]] = {}
    for size in (FEW, MANY):
        with Simulator(World(seed=5, size=size)) as cloud:
            job = Job(tmp_path, server.migrated(), cloud)
            held.setdefault("first load", []).append(held_by(job))
            held.setdefault("no change", []).append(held_by(job))
            cloud.world.change(size)
            held.setdefault("all changed", []).append(held_by(job))
            for style in ("csv", "json", "parquet"):
                read.setdefault(style, []).append(held_by(job, "as-of", "now", "--format", style))

    growth = {run: (many - few) // (MANY - FEW) for run, (few, many) in held.items()}
    assert max(growth.values()) < MOST, growth
    assert max((many - few) // (MANY - FEW) for few, many in read.values()) < MOST_READ, read
    assert min(growth.values()) > 32, growth  # the digests alone take this much, so the growth is measured


@pytest.mark.long
def test_a_list_by_marker_takes_the_memory_of_a_list_by_offset(tmp_path: Path, server: Server) -> None:
    """An unchanged list of 100,000 images takes about as much memory with each API, whatever it is paged by."""
    held = {}
    for api in APIS:
        with Simulator(World(seed=5, size=LARGE, api=api)) as cloud:
            job = Job(tmp_path, server.migrated(), cloud, IMAGE_SYNC_API=api)
            job.settings |= {"IMAGE_SYNC_PROJECT_ID": PROJECT} if APIS[api].project_scoped else {}
            assert job("run").code == 0
            held[api] = held_by(job)

    assert max(held["ims"], held["glance"]) < 1.2 * held["iec"], held
