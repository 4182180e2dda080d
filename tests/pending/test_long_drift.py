"""Thousands of readings of a list that changes between any two answers: nothing that stayed is ever taken for gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from sync import job, settings, wiring
from sync.cloud.images import ImageList
from sync.domain.answer import Answer
from sync.settings.secret import Secret
from sync.simulator import Simulator, World
from sync.store.connect import Target
from sync.store.database import Database

READINGS = 800
RUNS = 60


def weather(simulator: Simulator, rng: Random, *, storm: int) -> None:
    """Before each answer some images come, go, come back or change, and ties and caps with them."""
    world = simulator.world

    def before_answer(_request: object) -> None:
        simulator.listing.unstable_ties = rng.random() < 0.5
        for _ in range(rng.randrange(storm + 1)):
            happens = rng.choice((world.create, world.delete, world.restore, world.change))
            happens(rng.randrange(1, 3))

    simulator.faults.before_answer = before_answer


@contextmanager
def images_of(simulator: Simulator, concurrency: int) -> Iterator[ImageList]:
    """The image list of a simulated cloud, through the real parts."""
    given = source(simulator, concurrency=concurrency)
    with wiring.parts(given, None, threading.Event()) as parts:  # type: ignore[arg-type] # nothing is stored
        yield parts.cloud


def source(simulator: Simulator, **options: int) -> settings.Source:
    """The settings for a simulated cloud."""
    token = settings.Token(token=Secret(simulator.token))
    return settings.Source(name="drift", endpoint=simulator.url, credentials=token, **options)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(("storm", "concurrency", "least"), [(1, 4, 0.97), (6, 1, 0.9)], ids=["steady change", "storm"])
def test_no_reading_that_is_proven_misses_what_stayed(storm: int, concurrency: int, least: float) -> None:
    """Of 800 readings none is wrongly proven, and nearly all are proven while the list keeps changing."""
    rng, proven = Random(storm), 0
    world = World(seed=storm, size=100)
    with Simulator(world, page_cap=25) as simulator, images_of(simulator, concurrency) as images:
        weather(simulator, rng, storm=storm)
        for number in range(READINGS):
            seen: set[str] = set()

            def take(answer: Answer, seen: set[str] = seen) -> None:
                seen.update(row.id for row in answer.page.rows)

            first = world.journal.seq
            reading = images.read(take, number)
            stayed = world.journal.present_throughout(first, world.journal.seq)
            if reading.verdict.complete:
                proven += 1
                assert stayed <= seen, f"reading {number} missed {stayed - seen}"
            keep_size(world, rng)

    assert proven >= least * READINGS


@pytest.mark.slow
def test_no_run_deletes_what_stayed(target: Target) -> None:
    """Sixty real runs, each while the list changes, mark deleted what went and nothing that stayed."""
    rng, proven, went = Random(7), 0, 0
    world = World(seed=7, size=100)
    with Simulator(world, page_cap=25) as simulator, Database(target) as database:
        given = source(simulator, guard_images=10**6, daily_images=10**6)
        for _ in range(RUNS):
            live = live_ids(database)
            first = world.journal.seq
            weather(simulator, rng, storm=2)
            with wiring.parts(given, database, threading.Event()) as parts:
                outcome = job.run_sync(parts.source, parts.cloud, parts.store, parts.spool, "command")
            gone = live - live_ids(database)
            proven, went = proven + outcome.proven, went + len(gone)
            assert not gone & world.journal.present_throughout(first, world.journal.seq)
            keep_size(world, rng)
        simulator.faults.clear()
        with wiring.parts(given, database, threading.Event()) as parts:
            job.run_sync(parts.source, parts.cloud, parts.store, parts.spool, "command")

        assert live_ids(database) == set(world.truth())
    assert proven >= 0.97 * RUNS
    assert went > RUNS


def live_ids(database: Database) -> set[str]:
    """The ids of the live images."""
    return {row[0] for row in database.connection.execute("SELECT id FROM inventory.images WHERE deleted_at IS NULL")}


def keep_size(world: World, rng: Random) -> None:
    """Keep the list at about its size."""
    live = len(world.journal.present_throughout(world.journal.seq, world.journal.seq))
    if live < 80:
        world.create(rng.randrange(10, 30))
    elif live > 130:
        world.delete(rng.randrange(10, 20))
