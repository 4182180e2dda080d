"""Worlds of images of IMS and Glance: what happens to images, and what the project sees of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from sync.errors import UsageError
from sync.simulator import ADMIN_ROLES, PROJECT, Viewer, World
from sync.simulator.catalog import Document

API = pytest.mark.parametrize("api", ["ims", "glance"])


def digest(world: World) -> str:
    """A fingerprint of all images."""
    return hashlib.sha256(b"".join(entry.body for entry in world.entries())).hexdigest()


def changed_fields(before: dict[str, Document], after: dict[str, Document]) -> dict[str, set[str]]:
    """For each image in both, the fields that differ."""
    differ = {}
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        fields = {field for field in old.keys() | new.keys() if old.get(field) != new.get(field)}
        differ |= {name: fields} if fields else {}
    return differ


@API
def test_a_seed_gives_the_same_world(api: str) -> None:
    """The same seed gives the same bytes, even after days of changes; another one others."""
    worlds = [World(seed, 200, api=api) for seed in (7, 7, 8)]
    for world in worlds:
        world.churn(30)
        world.churn(30)

    assert digest(worlds[0]) == digest(worlds[1]) != digest(worlds[2])


@API
def test_the_project_sees_the_size_it_was_given(api: str) -> None:
    """The size counts what the project sees; beside it there are images of others that an administrator sees."""
    world = World(1, 200, api=api)

    assert len(world.truth()) == 200
    assert len(list(world.entries())) > 205
    assert len(world.truth(Viewer(roles=ADMIN_ROLES))) > 200
    shared = [
        image for image in world.truth().values() if image["owner"] != PROJECT and image["visibility"] == "shared"
    ]
    assert len(shared) == 10


@API
@pytest.mark.parametrize(
    ("act", "undo", "field"),
    [("hide", "show", {"os_hidden", "__isregistered"}), ("deactivate", "activate", {"status"})],
)
def test_states_can_be_left_again(api: str, act: str, undo: str, field: set[str]) -> None:
    """Hide and deactivate change one field of the project's images, which remain in truth; their opposites undo it."""
    world = World(1, 100, api=api)
    if (api, act) == ("ims", "deactivate"):
        with pytest.raises(UsageError, match="deactivated"):
            world.deactivate()
        return
    before = world.truth()
    names = getattr(world, act)(5)
    between = world.truth()
    again = getattr(world, undo)(ids=names)

    assert len(set(names)) == 5
    assert again == names
    assert {before[name]["owner"] for name in names} == {PROJECT}
    differ = changed_fields(before, between)
    assert set(differ) == set(names)
    assert all(fields - {"updated_at"} <= field and len(fields) == 2 for fields in differ.values())
    assert not set.union(*changed_fields(before, world.truth()).values()) - {"updated_at"}


def test_iec_hides_and_shares_nothing() -> None:
    """IEC refuses what it does not have, and nothing happened."""
    world = World(1, 10)
    before, now = digest(world), world.now
    for act in (world.hide, world.show, world.share, world.unshare, world.deactivate, world.activate):
        with pytest.raises(UsageError, match="no image can be"):
            act()
    with pytest.raises(UsageError, match="hidden"):
        world.churn(hidden=0.5)

    assert (digest(world), world.now) == (before, now)


@API
def test_shared_images_come_and_go(api: str) -> None:
    """A shared image of another project is in truth until it is unshared; the journal says so."""
    world = World(1, 60, api=api)
    before, start = set(world.truth()), world.journal.seq
    came = world.share(3)
    between = world.truth()
    gone = world.unshare(ids=came[:2])

    assert set(between) == before | set(came)
    assert len(set(came) - before) == 3
    assert {between[name]["owner"] == PROJECT for name in came} == {False}
    assert gone == came[:2]
    assert set(world.truth()) == before | {came[2]}
    kinds = [(event.kind, len(event.ids)) for event in world.journal.events(start)]
    assert kinds == [("shared", 3), ("unshared", 2)]
    assert world.journal.present_throughout(world.journal.seq, world.journal.seq) == before | {came[2]}


@API
def test_more_images_are_shared_than_there_were(api: str) -> None:
    """If others have too few images, they make more."""
    world = World(1, 0, api=api)

    assert world.share(4) == list(world.truth())
    assert world.share(2, status="pending")
    assert len(world.truth()) == 4


@API
def test_properties_are_set_and_removed(api: str) -> None:
    """A property can be set, changed and removed, by name and id; nothing else changes but updated_at."""
    world = World(1, 50, api=api)
    before = world.truth()
    (name,) = world.set_property(name="os_distro", value="plan9")
    assert world.truth()[name]["os_distro"] == "plan9"
    assert changed_fields(before, world.truth()) == {name: {"os_distro", "updated_at"}}
    assert world.remove_property(ids=[name], name="os_distro") == [name]
    assert "os_distro" not in world.truth()[name]
    assert world.remove_property(ids=[name], name="os_distro") == []
    some = world.set_property(20)
    assert len(some) == 20
    removed = world.remove_property(5)
    assert len(removed) == 5


@API
def test_a_day_has_all_kinds_of_events(api: str) -> None:
    """A day of churn touches about the given share of the images, in every way that the API has, most often changes."""
    world = World(5, 2000, api=api)
    before = world.truth()
    day = world.churn(20)
    after = world.truth()
    numbers = {kind: len(names) for kind, names in day.items()}

    assert 330 < sum(numbers.values()) <= 410
    assert max(numbers, key=lambda kind: numbers[kind]) == "changed"
    assert min(numbers.values()) > 2
    assert numbers.keys() >= {"hidden", "shown", "shared", "unshared", "property_set", "deleted", "created"}
    assert after.keys() - before.keys() == (set(day["created"]) | set(day["shared"])) & after.keys()
    assert before.keys() - after.keys() <= set(day["deleted"]) | set(day["unshared"])
    assert set(day["deleted"]).isdisjoint(after)


def test_shares_of_a_day_can_be_chosen() -> None:
    """A share of 0 leaves a kind out, and a larger one makes more of it."""
    world = World(5, 1000, api="glance")
    others = dict.fromkeys(world.churn(0), 0.0) | {"deactivated": 1.0}

    assert {kind: len(names) for kind, names in world.churn(3, **others).items() if names} == {"deactivated": 30}


@pytest.mark.parametrize("seed", range(4))
@API
def test_present_throughout_is_what_every_moment_had(api: str, seed: int) -> None:
    """In any interval, exactly those ids are present throughout that truth has at each of its moments."""
    world, rng = World(seed, 30, api=api), Random(seed)
    moments = {world.journal.seq: set(world.truth())}
    acts: list[Callable[[int], object]] = [world.create, world.change, world.delete, world.share, world.unshare]
    acts += [world.hide, world.show, world.restore]
    for _ in range(40):
        rng.choice(acts)(rng.randrange(1, 4))
        moments[world.journal.seq] = set(world.truth())

    for first in moments:
        for last in range(first, max(moments) + 1):
            always = set.intersection(*(moments[moment] for moment in range(first, last + 1)))
            assert world.journal.present_throughout(first, last) == always
    assert Counter(event.kind for event in world.journal.events())["shared"] > 0


@API
def test_put_keeps_owners_and_shares_apart(api: str) -> None:
    """An image that was put is seen if it is the project's, public or shared with it, and not if it is private."""
    world = World(1, 0, api=api)
    for name, owner, visibility in (
        ("own", PROJECT, "private"),
        ("public", "f", "public"),
        ("private", "f", "private"),
    ):
        world.put({"id": name, "owner": owner, "visibility": visibility})
    world.put({"id": "shared", "owner": "f", "visibility": "shared"})
    world.put({"id": "pending", "owner": "f", "visibility": "shared"}, status="pending")
    world.put({"id": "odd"})

    assert set(world.truth()) == {"own", "public", "shared", "odd"}
    assert world.unshare(ids=["shared"]) == ["shared"]
    assert "shared" not in world.truth()
    assert world.journal.present_throughout(world.journal.seq, world.journal.seq) == set(world.truth())
