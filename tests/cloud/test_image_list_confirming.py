"""A missing image is looked up by its id, and only a clear answer confirms that it is gone; otherwise its row stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import breakage
import effects
import pytest
from builders import image
from cloud_tools import Inventory, Reader, before_answer, filter_ignored, gap, only_by_id, questions
from fault_rules import FaultySimulator
from http_server import HttpServer, always, reply

from sync.domain.outcome import Outcome
from sync.domain.run import Confirmation
from sync.domain.status import Status
from sync.simulator import Simulator, World
from sync.store.connection import Target


def test_each_missing_id_is_looked_up_once(cloud: Simulator) -> None:
    """Each id is looked up once, without the filter of the source; only images still in the cloud are found."""
    gone, there = cloud.world.delete(3), sorted(cloud.world.truth())[:3]
    odd = ["a b+c&d=/é"]
    reader = Reader.of(cloud, filter="visibility=private")
    confirmation = reader.ask([*gone, *there, *odd])
    queries = [dict(parse_qsl(str(event.detail["query"]))) for event in cloud.journal.answers()]

    assert sorted(query["id"] for query in queries) == sorted([*gone, *there, *odd])
    assert all(set(query) == {"id"} for query in queries)
    assert (confirmation.gone, confirmation.still_there, confirmation.failure) == ({*gone, *odd}, set(there), "")
    assert sorted(reader.rows) == there


@pytest.mark.parametrize(
    "body",
    [
        {"images": [], "total": 1},
        {"images": [], "total": 1200},
        {"images": [{"id": "another"}], "total": 1},
        {"images": [{"id": "wanted"}, {"id": "another"}], "total": 2},
        {"images": [{"id": None}], "total": 1},
        {"images": [{"id": 7}], "total": 1},
        {"images": [{}], "total": 1},
        {"images": [None], "total": 1},
        {"images": ["wanted"], "total": 1},
        {"images": None, "total": 0},
        {"images": {}, "total": 0},
        {"total": 0},
        {},
        [],
        None,
        {"error_code": "IEC.000000", "error_msg": "Internal error"},
        {"image": {"id": "wanted"}},
    ],
    ids=str,
)
def test_an_ambiguous_response_confirms_nothing(body: object) -> None:
    """Only a response that clearly lacks the image confirms that it is gone."""
    with HttpServer(always(reply(body))) as server:
        confirmation = Reader(server.url, max_retries=0).ask(["wanted"])

    assert confirms_nothing(confirmation)


def test_an_ignored_filter_confirms_nothing(cloud: Simulator) -> None:
    """If the cloud answers a lookup with a page of all images, it confirms nothing."""
    cloud.faults.add(filter_ignored(), times=None)

    confirmation = Reader.of(cloud).ask(["gone", *sorted(cloud.world.truth())[:1]])

    assert confirms_nothing(confirmation)
    assert "ignores the id" in confirmation.failure


def test_a_wait_beyond_the_deadline_confirms_nothing(cloud: Simulator) -> None:
    """If the cloud asks for a longer wait than the time left, the lookups stay open and the run goes on."""
    cloud.faults.add(only_by_id(effects.throttled(window="1 hour")), times=None)

    assert confirms_nothing(Reader.of(cloud, seconds=60).ask(["one", "another"]))


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_lookups_stop_after_a_lasting_failure(cloud: Simulator, status: int) -> None:
    """After a lasting failure only lookups under way are finished, and no image counts as gone."""
    cloud.faults.add(only_by_id(effects.status(status)), times=None)
    confirmation = Reader.of(cloud, max_retries=0, concurrency=2).ask([str(n) for n in range(100)])

    assert confirms_nothing(confirmation)
    assert f"HTTP {status}" in confirmation.failure
    assert questions(cloud)[1] <= 4


def test_lookups_continue_after_a_single_refusal(cloud: Simulator) -> None:
    """If the cloud refuses one id, the others are still looked up."""
    cloud.faults.add(effects.status(400, code="IEC.000006"), id="2", times=None)
    confirmation = Reader.of(cloud).ask(["1", "2", "3"])

    assert confirmation.gone == {"1", "3"}
    assert "IEC.000006" in confirmation.failure


def confirms_nothing(confirmation: Confirmation) -> bool:
    """Whether no image was confirmed as gone or as present, and the reason is known."""
    return bool(not confirmation.gone and not confirmation.still_there and confirmation.failure)


def run_with_failing_lookup(target: Target, cloud: Simulator, effect: effects.Effect, **options: Any) -> Outcome:
    """A run in which one image is gone but its lookup fails: the image must stay, and the outcome must say so."""
    inventory = Inventory(target, cloud, **options)
    inventory.run()
    gone = cloud.world.delete(1)
    cloud.world.change(2)
    cloud.faults.add(only_by_id(effect), times=None)
    since = cloud.journal.seq
    outcome = inventory.run()

    assert (outcome.missing, outcome.unconfirmed, outcome.plan.deleted, outcome.plan.held) == (1, 1, 0, 0)
    assert (outcome.status, outcome.exit_code) == (Status.WITHHELD, 4)
    assert outcome.reason.startswith("1 missing image could not be confirmed gone: ")
    assert outcome.plan.updated == 2
    assert set(gone) <= inventory.live()
    assert not inventory.deleted()
    assert questions(cloud, since)[1] <= 1 + outcome.stats.retries
    return outcome


def test_an_image_found_by_its_id_is_kept(target: Target, small: Simulator) -> None:
    """An image that the list leaves out but that is found by its id is kept, and its found content is stored."""
    inventory = Inventory(target, small)
    inventory.run()
    left_out = [*small.world.truth()][:5]
    small.world.put(small.world.truth()[left_out[0]] | {"name": "renamed meanwhile"})
    small.faults.add(gap(left_out), times=None)
    outcome = inventory.run()

    assert (outcome.missing, outcome.still_there, outcome.plan.deleted, outcome.plan.updated) == (5, 5, 0, 1)
    assert (outcome.status, outcome.exit_code) == (Status.DONE, 0)
    assert outcome.proven
    assert "renamed meanwhile" in {row["name"] for row in inventory.images("name")}
    assert set(left_out) <= inventory.live()


@pytest.mark.parametrize(
    "effect",
    [
        effects.status(400),
        effects.status(401),
        effects.status(403),
        effects.status(404),
        effects.status(429),
        effects.status(500),
        effects.status(504),
        effects.status(302, location="http://127.0.0.1:9/"),
        effects.garbage("html"),
        effects.garbage("error"),
        effects.garbage("list"),
        effects.garbage("empty"),
        effects.garbage("duplicate_keys"),
        effects.body('{"images": [], "total": 1}'),
        effects.body('{"images": null, "total": 0}'),
        breakage.drop(),
        breakage.drop("body", 5),
        breakage.truncate(5),
        breakage.gzip(),
    ],
    ids=lambda effect: effect.name,
)
def test_a_failed_lookup_keeps_the_image(target: Target, small: Simulator, effect: effects.Effect) -> None:
    """If a lookup is refused, throttled, broken or ambiguous, the image stays and the rest of the run is written."""
    run_with_failing_lookup(target, small, effect, max_retries=0)


def test_a_lookup_that_times_out_keeps_the_image(target: Target, small: Simulator) -> None:
    """A lookup that gets no response ends after the timeout, and the image stays."""
    run_with_failing_lookup(target, small, breakage.black_hole(), max_retries=0, timeout=0.5)


def test_an_ignored_filter_keeps_the_image(target: Target, small: Simulator) -> None:
    """If the cloud answers a lookup with all other images, nothing is deleted."""
    inventory = Inventory(target, small)
    inventory.run()
    gone = small.world.delete(1)
    small.faults.add(filter_ignored(), times=None)
    outcome = inventory.run()

    assert (outcome.missing, outcome.unconfirmed, outcome.plan.deleted) == (1, 1, 0)
    assert set(gone) <= inventory.live()


def test_only_confirmed_images_are_deleted(target: Target, small: Simulator) -> None:
    """Of several missing images, the confirmed ones are deleted and the one whose lookup fails stays."""
    inventory = Inventory(target, small)
    inventory.run()
    gone = sorted(small.world.delete(4))
    small.faults.add(effects.status(400, code="IEC.000006"), id=gone[1], times=None)
    outcome = inventory.run()

    assert (outcome.missing, outcome.unconfirmed, outcome.plan.deleted) == (4, 1, 3)
    assert inventory.deleted() == {*gone} - {gone[1]}
    assert outcome.status is Status.WITHHELD
    assert "IEC.000006" in outcome.reason


def test_an_image_restored_before_its_lookup_is_kept(target: Target, small: Simulator) -> None:
    """An image that is restored after the list was read but before its lookup is kept."""
    inventory = Inventory(target, small)
    inventory.run()
    gone = small.world.delete(1)
    before_answer(small, 2, lambda: small.world.restore(1))
    outcome = inventory.run()

    assert (outcome.missing, outcome.still_there, outcome.plan.deleted) == (1, 1, 0)
    assert set(gone) <= inventory.live()


def test_many_missing_images_are_confirmed_by_a_second_reading(target: Target, small: Simulator) -> None:
    """Above `max_single_confirms` the list is read a second time instead, and both lists must lack an image."""
    inventory = Inventory(target, small, max_single_confirms=3)
    inventory.run()
    gone = small.world.delete(4)
    since = small.journal.seq
    outcome = inventory.run()

    assert questions(small, since) == (2, 0)
    assert inventory.deleted() == set(gone)
    assert outcome.plan.deleted == 4


def test_a_second_reading_that_is_not_proven_confirms_nothing(target: Target, small: Simulator) -> None:
    """If the second list is not proven, all missing images are kept."""
    inventory = Inventory(target, small, max_single_confirms=3)
    inventory.run()
    small.world.delete(4)
    other_order = effects.Effect("other order", ask=lambda q: replace(q, sort_key="name", limit=20))
    small.faults.add(other_order, nth=2, times=None)
    small.faults.add(effects.total_off(1), nth=2, times=None)
    outcome = inventory.run()

    assert (outcome.missing, outcome.unconfirmed, outcome.plan.deleted) == (4, 4, 0)
    assert (outcome.status, outcome.exit_code) == (Status.WITHHELD, 4)
    assert "second list is not proven" in outcome.reason
    assert not inventory.deleted()


def test_a_second_list_that_is_proven_by_count_confirms(target: Target) -> None:
    """The second list may be proven by count as well, as when more images than a page holds share one created_at."""
    with FaultySimulator(World(seed=4, size=0), page_cap=60) as cloud:
        for n in range(200):
            created = f"2026-01-01T00:00:{n // 100:02}Z"
            cloud.world.put(image(f"img-{n:03}", created_at=created, updated_at=created))
        inventory = Inventory(target, cloud, max_single_confirms=3, max_deletions_percent=100)
        inventory.run()
        for n in range(30):
            cloud.world.remove(f"img-{n * 6:03}")
        outcome = inventory.run()

    assert "two consecutive readings saw the same" in outcome.proof
    assert (outcome.missing, outcome.unconfirmed, outcome.plan.deleted) == (30, 0, 30)


def test_a_second_reading_that_fails_confirms_nothing(target: Target, small: Simulator) -> None:
    """If the second reading fails, nothing is deleted, and what the first list shows is written."""
    inventory = Inventory(target, small, max_single_confirms=3)
    inventory.run()
    small.world.delete(4)
    new = small.world.create(2)
    small.faults.add(effects.status(403), nth=2, times=None)
    outcome = inventory.run()

    assert (outcome.unconfirmed, outcome.plan.deleted, outcome.status) == (4, 0, Status.WITHHELD)
    assert "HTTP 403" in outcome.reason
    assert {*new} <= inventory.live()
