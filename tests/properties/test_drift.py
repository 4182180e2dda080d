"""Many readings of a list that changes between any two answers: no image that stayed is ever taken for gone.

Eight clouds are read; ``TEST_DRIFT=200`` in the environment makes it 200 clouds, and thousands of readings.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from fault_rules import FaultySimulator
from invariants import check, stayed, truth

from sync import runner, settings, wiring
from sync.cloud.image_list import ImageList
from sync.cloud.retry import RetryPolicy
from sync.cloud.session import open_session
from sync.domain.answer import Answer
from sync.domain.apis import APIS
from sync.domain.outcome import Outcome
from sync.settings.secret import Secret
from sync.simulator import START, Simulator, World
from sync.simulator.images import IecCatalog
from sync.store.connection import Target
from sync.store.runs.database import Database

WORLDS = int(os.environ.get("TEST_DRIFT", "8"))
READINGS = 30
RUNS = 30
TIED_RUNS = 12


def change_before_answers(simulator: Simulator, rng: Random, *, storm: int) -> None:
    """Before each answer create, delete, restore or change some images, and vary the order of ties."""
    world = simulator.world

    def before_answer(_request: object) -> None:
        simulator.listing.unstable_ties = rng.random() < 0.5
        for _ in range(rng.randrange(storm + 1)):
            happens = rng.choice(
                (world.create, world.delete, world.restore, world.change, *events_of_shared_images(world))
            )
            happens(rng.randrange(1, 3))

    simulator.faults.before_answer = before_answer


def events_of_shared_images(world: World) -> Iterator[Callable[[int], object]]:
    """What else happens where images are shared; an image that is hidden or shown twice in a run may not be seen."""
    if world.api.project_scoped:
        yield from (world.share, world.unshare, world.set_property)


@contextmanager
def images_of(simulator: Simulator, concurrency: int) -> Iterator[ImageList]:
    """The image list of a simulated cloud, read by the real parts."""
    source_settings = source(simulator, concurrency=concurrency)
    with open_session(source_settings, RetryPolicy(source_settings.deadline, source_settings.max_retries)) as session:
        yield session.images


def source(simulator: Simulator, **options: Any) -> settings.Source:
    """The settings for a simulated cloud."""
    token = settings.Token(token=Secret(simulator.token), iam_endpoint=f"{simulator.url}/identity")
    return settings.Source(
        name="drift", api=simulator.world.api.name, endpoint=simulator.url, credentials=token, grace=0.0, **options
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("storm", "concurrency", "least"), [(1, 4, 0.95), (6, 1, 0.85)], ids=["steady change", "storm"]
)
def test_no_proven_reading_misses_an_image_that_stayed(storm: int, concurrency: int, least: float) -> None:
    """I9: of hundreds of readings of a changing list, nearly all are proven, and none wrongly."""
    proven = [
        complete for number in range(WORLDS) for complete in readings(World(seed=number, size=100), storm, concurrency)
    ]

    assert sum(proven) >= least * len(proven)


def readings(world: World, storm: int, concurrency: int) -> Iterator[bool]:
    """Read a changing list repeatedly, and yield whether each reading was proven."""
    rng = Random(storm)
    with FaultySimulator(world, page_cap=25) as simulator, images_of(simulator, concurrency) as images:
        change_before_answers(simulator, rng, storm=storm)
        for number in range(READINGS):
            seen: set[str] = set()

            def take(answer: Answer, seen: set[str] = seen) -> None:
                seen.update(row.id for row in answer.rows)

            first = world.journal.seq
            proven = images.read(take, number).verdict.complete
            missed = world.journal.present_throughout(first, world.journal.seq) - seen
            assert not (proven and missed), f"reading {number} is proven, and missed {missed}"
            keep_size(world, rng)
            yield proven


@pytest.mark.long
@pytest.mark.parametrize("api", APIS)
def test_no_run_deletes_an_image_that_stayed(target: Target, api: str) -> None:
    """I9, I1: runs on a changing list mark what went as deleted, and nothing that stayed."""
    rng, world = Random(7), World(seed=7, size=100, api=api)
    with FaultySimulator(world, page_cap=25) as simulator, psycopg.connect(target.url, autocommit=True) as connection:
        outcomes = []
        for _ in range(RUNS):
            first = world.journal.seq
            change_before_answers(simulator, rng, storm=2)
            outcomes.append(run(target, simulator))
            present = world.journal.present_throughout(first, world.journal.seq)
            assert stayed(connection, outcomes[-1].run, present) == check(connection) == []
            keep_size(world, rng)
        simulator.faults.clear()
        last = run(target, simulator)

        assert last.effective_at is not None
        assert truth(connection, "drift", world.truth().values(), last.effective_at, world.api) == []
    assert sum(outcome.proven for outcome in outcomes) >= 0.95 * RUNS
    assert sum(outcome.plan.removed for outcome in outcomes) > RUNS


@pytest.mark.long
@pytest.mark.parametrize(("ties", "size", "page_cap"), [(10, 400, 40), (100, 1500, 250)])
def test_no_run_deletes_an_image_that_stayed_among_ties(target: Target, ties: int, size: int, page_cap: int) -> None:
    """The same where 10 or 100 images share each created_at, as after a batch: nearly all runs are proven."""
    world, rng = World(size=0), Random(ties)
    with (
        FaultySimulator(world, page_cap=page_cap) as simulator,
        psycopg.connect(target.url, autocommit=True) as connection,
    ):
        change = changes_among_ties(simulator, rng, ties, size)
        outcomes = [run(target, simulator)]
        for _ in range(TIED_RUNS):
            stored, first = live(connection), world.journal.seq
            gone = stored - world.truth().keys()
            simulator.faults.before_answer = change
            outcomes.append(run(target, simulator))
            present = world.journal.present_throughout(first, world.journal.seq)
            assert stayed(connection, outcomes[-1].run, present) == check(connection) == []
            assert not (outcomes[-1].proven and (gone & live(connection) or outcomes[-1].still_there))
            for _ in range(10):
                change(None)
        simulator.faults.clear()
        last = run(target, simulator)

        assert last.effective_at is not None
        assert truth(connection, "drift", world.truth().values(), last.effective_at) == []
    assert sum(outcome.proven for outcome in outcomes) >= 0.9 * len(outcomes)
    assert sum(outcome.plan.deleted for outcome in outcomes) > TIED_RUNS


def changes_among_ties(simulator: Simulator, rng: Random, ties: int, size: int) -> Callable[[object], None]:
    """Fill the world, and return a function that creates or deletes some images, and varies the order of ties."""
    world, catalog, listed = simulator.world, IecCatalog(rng), []

    def create(minute: int) -> None:
        image = catalog.image(START - timedelta(minutes=minute), until=START + timedelta(days=1))
        listed.append(world.put(image))

    def change(_request: object) -> None:
        simulator.listing.unstable_ties = rng.random() < 0.5
        for _ in range(rng.randrange(1, 4)):
            if rng.random() < (0.5 if len(listed) < size else 0.4):
                create(rng.randrange(size // ties))
            elif listed:
                world.remove(listed.pop(rng.randrange(len(listed))))

    for number in range(size):
        create(number // ties)
    return change


def live(connection: psycopg.Connection[Any]) -> set[str]:
    """The ids of the live images."""
    return {name for (name,) in connection.execute("SELECT id FROM inventory.images WHERE deleted_at IS NULL")}


def run(target: Target, simulator: Simulator) -> Outcome:
    """Run once, with limits that let all deletions pass."""
    source_settings = source(simulator, max_deletions=10**6, max_daily_deletions=10**6)
    with Database(target) as database, wiring.parts(source_settings, database, threading.Event()) as parts:
        return runner.sync(parts, "command")


def keep_size(world: World, rng: Random) -> None:
    """Keep the list near its size."""
    live = len(world.truth())
    if live < 80:
        world.create(rng.randrange(10, 30))
    elif live > 130:
        world.delete(rng.randrange(10, 20))
