"""The images of the simulated cloud and the operations on them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from random import Random

import pytest
from checkout import CHECKOUT

from sync.domain.apis import IEC
from sync.domain.apis.iec import GPU_TYPES, STATUSES
from sync.domain.fields import Kind
from sync.simulator import START, World

PROGRAM = (
    "import hashlib; from sync.simulator import World; w = World(7, 300); w.churn(20); w.churn(20);"
    "print(hashlib.sha256(b''.join(e.body for e in w.entries())).hexdigest(), w.now)"
)


def digest_of_a_process(hash_seed: str) -> str:
    """The digest of the world in another process, with this seed for its hashes."""
    environment = {"PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=CHECKOUT, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_a_seed_gives_the_same_world_in_every_process() -> None:
    """Two processes make the same bytes from the same seed, even after two days of changes."""
    digests = {digest_of_a_process("1"), digest_of_a_process("2")}

    assert len(digests) == 1
    assert all(digests)


def test_another_seed_gives_another_world() -> None:
    """Another seed gives other images."""
    assert not World(1, 50).truth().keys() & World(2, 50).truth().keys()


def test_every_field_occurs_in_its_kind() -> None:
    """All 30 fields and no others occur, each with the type that the API gives it."""
    forms = {Kind.TEXT: str, Kind.INTEGER: int, Kind.BOOLEAN: bool, Kind.FLAG: str, Kind.TIME: str}
    images = list(World(3, 2000).truth().values())

    assert set().union(*images) == {field.api for field in IEC.fields}
    for field in IEC.fields:
        values = [image[field.api] for image in images if field.api in image]
        assert {type(value) for value in values} == {forms[field.kind]}
        if field.kind is Kind.FLAG:
            assert set(values) <= {"true", "false"}
        if field.kind is Kind.TEXT:
            assert "" not in values


def test_images_are_consistent() -> None:
    """System and platform, gold and public, dates and states match in every image."""
    for image in World(4, 2000).truth().values():
        assert image["status"] in STATUSES
        assert (image["visibility"] == "public") == (image["__imagetype"] == "gold")
        assert (image["__os_type"] == "Windows") == ("Windows" in str(image["__os_version"]))
        assert image["self"] == f"/v1/self/{image['id']}"
        assert "2019-06-01" <= str(image["created_at"]) <= str(image["updated_at"]) <= "2026-03-01T08:00:00Z"
        assert image.get("__support_kvm_gpu_type", GPU_TYPES[0]) in GPU_TYPES
        assert image.get("__support_arm") is None or image["hw_firmware_type"] == "uefi"
        assert 40 <= int(str(image["min_disk"])) <= 1024
        assert (image["deleted"], image["deleted_at"]) == (False, "")


def test_few_images_share_a_created_at() -> None:
    """Some images share their created_at, but most do not."""
    moments = Counter(image["created_at"] for image in World(1, 1000).truth().values())

    assert 10 < sum(count for count in moments.values() if count > 1) < 150


def test_names_are_chinese_too() -> None:
    """Some names are not ASCII, and some look like ``web-frontend-2024.06``."""
    names = [str(image["name"]) for image in World(1, 500).truth().values()]

    assert any(not name.isascii() for name in names)
    assert any(name.startswith("web-frontend-20") for name in names)


def test_operations_do_what_they_say() -> None:
    """Create, change, delete and restore return exactly the ids of the images they affected."""
    world = World(1, 100)
    start = world.truth()

    created = world.create(3)
    assert set(created) == world.truth().keys() - start.keys()
    before = world.truth()
    changed = world.change(10)
    assert {name for name, image in world.truth().items() if image != before[name]} == set(changed)
    assert all(str(world.truth()[name]["updated_at"]) > str(before[name]["updated_at"]) for name in changed)
    deleted = world.delete(5)
    assert before.keys() - world.truth().keys() == set(deleted)
    restored = world.restore(9)
    assert sorted(restored) == sorted(deleted)
    assert world.truth().keys() == before.keys()
    assert all(world.truth()[name]["created_at"] == before[name]["created_at"] for name in restored)


def test_uploads_end() -> None:
    """A queued image becomes saving and then active, never the other way."""
    world = World(1, 0)
    world.create(30)
    seen: dict[str, list[object]] = {name: [image["status"]] for name, image in world.truth().items()}
    for _ in range(3):
        world.change(30)
        for name, image in world.truth().items():
            seen[name].append(image["status"])

    order = ["queued", "saving", "active"]
    assert all(states == sorted(states, key=order.index) for states in seen.values())
    assert {states[0] for states in seen.values()} == set(order)
    assert all(states[-1] == "active" for states in seen.values())


def test_a_day_takes_a_day() -> None:
    """Churn changes about the given share and advances the clock by a day; advance moves only the clock."""
    world = World(1, 1000)
    day = world.churn(10)
    after = world.now

    assert (len(day["changed"]), len(day["created"]), len(day["deleted"])) == (50, 25, 20)
    assert after == START + timedelta(days=1)
    assert world.advance(timedelta(hours=1)) == after + timedelta(hours=1)
    assert world.churn(0) == {"changed": [], "created": [], "restored": [], "deleted": []}


def test_show_deleted_keeps_deleted_images() -> None:
    """With show_deleted, a deleted image stays in the list and is marked as deleted."""
    world = World(1, 10, show_deleted=True)
    (name,) = world.delete()

    assert len(world.truth()) == 10
    assert (world.truth()[name]["status"], world.truth()[name]["deleted"]) == ("deleted", True)
    assert world.truth()[name]["deleted_at"]
    assert name in world.journal.present_throughout(1, world.journal.seq)


def test_an_image_that_was_put_is_never_changed() -> None:
    """An image that was put is served byte for byte and never changed at random, even if it is invalid."""
    world = World(1, 5)
    bodies = [b'{"id" : "x" , "name":"\xff\xfe"}', b'{"name":"no id"}', b"not json", b"[" * 100_000, b'{"id":17}']
    keys = [world.put(body) for body in bodies]
    world.put({"id": "d", "name": "lone \ud800"})
    for _ in range(5):
        world.churn(100)

    served = [entry.body for entry in world.entries()]
    assert all(served.count(body) == 1 for body in bodies)
    assert world.truth()["d"] == {"id": "d", "name": "lone \ud800"}
    for key in keys:
        world.remove(key)
    assert not set(bodies) & {entry.body for entry in world.entries()}


def test_one_id_twice() -> None:
    """An id can be listed twice, and is gone only when both are removed."""
    world = World(1, 0)
    world.put({"id": "a", "name": "one"})
    second = world.put({"id": "a", "name": "two"}, twice=True)
    listed = [json.loads(entry.body)["name"] for entry in world.entries()]

    assert listed == ["one", "two"]
    world.remove(second)
    assert world.journal.present_throughout(world.journal.seq, world.journal.seq) == {"a"}
    world.put({"id": "a", "name": "three"})
    assert [entry.document["name"] for entry in world.entries()] == ["three"]
    world.remove("a")
    assert world.truth() == {}
    assert world.journal.present_throughout(world.journal.seq, world.journal.seq) == set()


@pytest.mark.parametrize("seed", range(5))
def test_present_throughout_is_what_every_moment_had(seed: int) -> None:
    """In any interval, exactly those ids are present throughout that are present at each of its moments."""
    world, rng = World(seed, 12), Random(seed)
    moments = {world.journal.seq: set(world.truth())}
    for _ in range(30):
        operation = rng.choice((world.create, world.change, world.delete, world.delete, world.restore))
        operation(rng.randrange(1, 4))
        moments[world.journal.seq] = set(world.truth())

    for first in moments:
        for last in range(first, max(moments) + 1):
            always = set.intersection(*(moments[moment] for moment in range(first, last + 1)))
            assert world.journal.present_throughout(first, last) == always


def test_the_journal_keeps_counts_and_lifetimes() -> None:
    """Only the latest events are kept, but all are counted, and the lifetime of each image stays known."""
    world = World(1, 3)
    (name,) = world.delete()
    for _ in range(20_100):
        world.journal.note("note")

    assert len(world.journal.events()) == 20_000
    assert world.journal.counts == {"created": 1, "deleted": 1, "note": 20_100}
    assert name in world.journal.present_throughout(1, 1)
    assert name not in world.journal.present_throughout(1, 2)
