"""Pages by marker of a large world: fast, and the same whatever changes beside them."""

from __future__ import annotations

import time
from random import Random

import pytest
from simulator_client import ask, ids

from sync.simulator import PROJECT, Simulator, World

LARGE = pytest.param("glance", 1000, 100_000, marks=pytest.mark.long)


@pytest.mark.parametrize(("api", "rows", "size"), [("ims", 500, 20_000), ("glance", 1000, 20_000), LARGE])
def test_pages_of_a_large_world_take_milliseconds(api: str, rows: int, size: int) -> None:
    """However many images there are, any page takes less than a tenth of a second once the order is known, and is the right one."""
    rng, world = Random(1), World(1, 0, api=api)
    names = sorted(f"{rng.getrandbits(128):032x}" for _ in range(size))
    for name in names:
        world.put(b'{"id":"%s","owner":"%s","visibility":"private"}' % (name.encode(), PROJECT.encode()))
    order = {"sort_key": "id", "sort_dir": "asc", "limit": rows}
    with Simulator(world) as simulator:
        path, took = world.api.path, []
        assert ids(ask(simulator, path, **order)) == names[:rows]
        for place in (0, 17, size // 2, size - rows - 1, size - 1):
            start = time.perf_counter()
            page = ask(simulator, path, marker=names[place], **order)
            took.append(time.perf_counter() - start)
            assert ids(page) == names[place + 1 :][:rows]

    assert min(took) < 0.1, took


@pytest.mark.parametrize("api", ["ims", "glance"])
@pytest.mark.parametrize("seed", range(3))
def test_a_walk_sees_every_image_that_stays(api: str, seed: int) -> None:
    """While images come and go between any two pages, a walk by id sees all that were there throughout."""
    rng, world = Random(seed), World(seed, 150, api=api)
    with Simulator(world, page_cap=20) as simulator:
        first, seen, marker = world.journal.seq, [], {}
        while page := ids(ask(simulator, world.api.path, sort_key="id", sort_dir="asc", limit=1000, **marker)):
            seen += page
            marker = {"marker": page[-1]}
            others = [name for name in world.truth() if name != page[-1]]
            world.delete(ids=rng.sample(others, 3))
            world.create(3)
        throughout = world.journal.present_throughout(first, world.journal.seq)

    hidden = {entry.id for entry in world.entries() if entry.hidden}
    assert seen == sorted(set(seen))
    assert throughout - hidden <= set(seen)
    assert len(throughout) > 50
