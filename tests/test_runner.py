"""Whole runs against a cloud that fails: without a complete list nothing is deleted, and failures are recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import breakage
import effects
import psycopg
import pytest
from cloud_tools import Inventory, gap, questions
from fault_rules import FaultySimulator
from servers import Server

from sync.domain.run import Run
from sync.domain.status import Status
from sync.domain.stored_digests import StoredDigests
from sync.errors import (
    BrokenAnswerError,
    ConnectionFailedError,
    ContractError,
    DeadlineError,
    FilterChangedError,
    ForbiddenError,
    ImageSyncError,
    RejectedError,
    ServerFaultError,
    ThrottledError,
    TooLargeError,
    UnauthorizedError,
    UnexpectedError,
)
from sync.runner import SourceRunner
from sync.settings import Source
from sync.signals import Stop
from sync.simulator import Simulator, World
from sync.store.connection import Target
from sync.store.runs.database import Database

Effect = effects.Effect

FAILING: dict[str, tuple[Effect, type[ImageSyncError], str]] = {
    "401": (effects.status(401), UnauthorizedError, "renew the token"),
    "403": (effects.status(403), ForbiddenError, "grant the permission"),
    "404": (effects.status(404), RejectedError, "no such API"),
    "413": (effects.status(413), RejectedError, "check endpoint and filter"),
    "302": (effects.status(302, location="http://127.0.0.1:9/"), RejectedError, "the endpoint redirects"),
    "429": (effects.status(429), ThrottledError, "asks for fewer requests"),
    "429, 5 minutes": (effects.throttled(), DeadlineError, "asks for fewer requests"),
    "500": (effects.status(500), ServerFaultError, "fault of its own"),
    "502, HTML": (effects.status(502, style="html"), ServerFaultError, "HTTP 502"),
    "503": (effects.status(503), ServerFaultError, "fault of its own"),
    "504": (effects.status(504), ServerFaultError, "fault of its own"),
    "400 IEC.000000": (effects.status(400), ServerFaultError, "asks to try later"),
    "400 IEC.000006": (effects.status(400, code="IEC.000006"), RejectedError, "check endpoint and filter"),
    "HTML": (effects.garbage("html"), BrokenAnswerError, "proxy or a portal"),
    "NaN": (effects.garbage("nan"), BrokenAnswerError, "not complete JSON"),
    "deep": (effects.garbage("deep"), BrokenAnswerError, "not complete JSON"),
    "nothing": (effects.garbage("empty"), BrokenAnswerError, "not complete JSON"),
    "a key twice": (effects.garbage("duplicate_keys"), ContractError, ""),
    "an error with 200": (effects.garbage("error"), ContractError, "no list of images"),
    "a JSON list": (effects.garbage("list"), ContractError, "no list of images"),
    "images null": (effects.images("null"), ContractError, "no list of images"),
    "images missing": (effects.images("missing"), ContractError, "no list of images"),
    "images an object": (effects.images("object"), ContractError, "no list of images"),
    "cut short": (breakage.truncate(300), BrokenAnswerError, "not complete JSON"),
    "reset": (breakage.drop(), ConnectionFailedError, "check network and endpoint"),
    "reset in the body": (breakage.drop("body", 300), ConnectionFailedError, "check network and endpoint"),
    "gzip": (breakage.gzip(), BrokenAnswerError, "compressed"),
    "endless": (breakage.endless(), TooLargeError, "raise `max_response_bytes`"),
    "silence": (breakage.black_hole(), ConnectionFailedError, "does not answer in time"),
    "offset ignored": (effects.offset_ignored(), ContractError, "ignores the offset"),
}


@pytest.fixture(scope="module")
def target(server_newest: Server) -> Target:
    """One database for all tests of this file; each test syncs its own source."""
    return Target(server_newest.migrated())


@pytest.fixture
def capped() -> Iterator[Simulator]:
    """A cloud of 90 images in pages of 40: three pages, overlaps included."""
    with FaultySimulator(World(seed=2, size=90), page_cap=40) as simulator:
        yield simulator


@pytest.mark.parametrize("name", FAILING)
def test_a_second_page_that_fails_writes_nothing(target: Target, capped: Simulator, name: str) -> None:
    """When every page after the first fails, the run fails with a clear message and changes no table but `runs`."""
    effect, error_type, message = FAILING[name]
    inventory = Inventory(target, capped)
    inventory.run()
    capped.world.churn(30)
    capped.faults.add(effect, nth=2, times=None)
    since = capped.journal.seq
    error = inventory.fails(error_type, max_retries=1, timeout=0.5, deadline=60, max_response_bytes=1 << 20)

    assert message in str(error)
    assert error.exit_code == 1
    assert questions(capped, since)[0] <= 1 + 4 + 1
    assert inventory.last_run()["requests"] <= 1 + 4 + 1


def test_the_run_after_a_failed_one_catches_up(target: Target, capped: Simulator) -> None:
    """The run after a failed one brings the inventory up to date."""
    inventory = Inventory(target, capped)
    inventory.run()
    capped.world.churn(10)
    capped.faults.add(effects.status(403), nth=2)
    inventory.fails(ForbiddenError)
    outcome = inventory.run()

    assert outcome.status is Status.DONE
    assert inventory.live() == set(capped.world.truth())


def test_a_first_run_that_fails_leaves_an_empty_inventory(target: Target, capped: Simulator) -> None:
    """Nothing is stored from a list that was not read to its end."""
    capped.faults.add(effects.status(403), nth=2, times=None)
    inventory = Inventory(target, capped)
    inventory.fails(ForbiddenError)

    assert inventory.live() == set()


@pytest.mark.parametrize("size", [5, 60, 300])
def test_an_empty_list_deletes_nothing(target: Target, size: int) -> None:
    """When the list is suddenly empty, with total 0, all deletions are withheld, and the exit code is 4."""
    with FaultySimulator(World(seed=3, size=size)) as cloud:
        inventory = Inventory(target, cloud)
        inventory.run()
        before = inventory.dump()
        cloud.faults.add(effects.images("empty"), times=None)
        outcome = inventory.run()
        again = inventory.run()
        after = inventory.dump()
        cloud.faults.clear()
        healed = inventory.run()

    assert (outcome.status, outcome.exit_code) == (Status.WITHHELD, 4)
    assert (outcome.plan.deleted, outcome.plan.held) == (0, size)
    assert "an empty list is never believed" in outcome.reason
    assert again.exit_code == 4
    assert (after["images"], after["image_versions"]) == (before["images"], before["image_versions"])
    assert (healed.status, healed.plan.held, healed.unchanged) == (Status.DONE, 0, size)


def test_an_empty_list_without_total_0_is_not_proven(target: Target, capped: Simulator) -> None:
    """An empty first page that contradicts its own total proves nothing."""
    inventory = Inventory(target, capped)
    inventory.run()
    before = inventory.dump()
    capped.faults.add(effects.body('{"images": [], "total": 90}'), times=None)
    outcome = inventory.run()
    after = inventory.dump()

    assert (outcome.exit_code, outcome.proven, outcome.plan.deleted, outcome.plan.held) == (4, False, 0, 0)
    assert outcome.unconfirmed == 90
    assert outcome.read_attempts == 1
    assert "the first page is empty, though total says 90" in outcome.reason
    assert [after[table] for table in ("images", "image_versions", "held_deletions")] == [
        before[table] for table in ("images", "image_versions", "held_deletions")
    ]


def test_a_list_that_is_not_proven_deletes_nothing(target: Target, capped: Simulator) -> None:
    """From a list that is not proven, new images are stored and missing ones stay; the exit code is 4."""
    inventory = Inventory(target, capped)
    inventory.run()
    gone, new = capped.world.delete(3), capped.world.create(2)
    capped.faults.add(Effect("sorted otherwise", ask=lambda q: effects.replace(q, sort_key="name")), times=None)
    capped.faults.add(effects.total_off(1), offset=30, times=None)
    outcome = inventory.run()

    assert (outcome.exit_code, outcome.proven, outcome.read_attempts) == (4, False, 1)
    assert "not proven complete" in outcome.reason
    assert (outcome.plan.created, outcome.plan.deleted, outcome.unconfirmed) == (2, 0, 3)
    assert {*gone, *new} <= inventory.live()


@pytest.mark.parametrize(
    "total",
    [
        10**30,
        2**63,
        2**63 - 1,
        0,
        "many",
    ],
)
def test_a_strange_total_does_not_stop_a_run(target: Target, capped: Simulator, total: object) -> None:
    """Whatever `total` says, the images of the list are stored."""
    capped.faults.add(effects.total(total), times=None)
    inventory = Inventory(target, capped)
    outcome = inventory.run()

    assert (outcome.status, outcome.plan.created) == (Status.DONE, 90)


def test_a_mass_deletion_is_held(target: Target, capped: Simulator) -> None:
    """When 60 % of the images vanish, all deletions are held; new and changed images are written."""
    inventory = Inventory(target, capped)
    inventory.run()
    capped.world.delete(54)
    capped.world.create(3)
    capped.world.change(4)
    outcome = inventory.run()

    assert (outcome.exit_code, outcome.plan.held, outcome.plan.deleted) == (4, 54, 0)
    assert "54 of 93 images are gone" in outcome.reason or "54 of 90 images are gone" in outcome.reason
    assert outcome.plan.created + outcome.plan.updated >= 3
    assert len(inventory.live()) == 93


def test_a_slow_drain_is_stopped_by_the_daily_limit(target: Target) -> None:
    """Losing 5 % per run stays under the limit per run, but after 20 % within 24 hours deletions need approval."""
    with FaultySimulator(World(seed=5, size=100)) as cloud:
        inventory = Inventory(target, cloud)
        inventory.run()
        outcomes = []
        for _ in range(12):
            cloud.world.delete(5)
            outcomes.append(inventory.run())

    assert [outcome.exit_code for outcome in outcomes] == [0] * 4 + [4] * 8
    assert "within 24 hours" in outcomes[4].reason
    assert len(inventory.deleted()) == 20
    assert outcomes[-1].plan.held == 40


def test_the_same_image_twice_is_one_row(target: Target, capped: Simulator) -> None:
    """A duplicate row is counted and does no harm; of two contents, the one updated last is stored."""
    same, newer = [dict(document) for document in list(capped.world.truth().values())[:2]]
    newer |= {"name": "the newer one", "updated_at": "2030-01-01T00:00:00Z"}
    capped.world.put(same, twice=True)
    capped.world.put(newer, twice=True)
    inventory = Inventory(target, capped)
    outcome = inventory.run()
    names = {row["id"]: row["name"] for row in inventory.images("id, name")}

    assert (outcome.plan.created, outcome.quarantined) == (90, 0)
    assert outcome.duplicates >= 2
    assert names[str(newer["id"])] == "the newer one"


def test_two_contents_updated_at_once_are_quarantined(target: Target, capped: Simulator) -> None:
    """Two contents with the same update time are both quarantined, and their image is not deleted."""
    inventory = Inventory(target, capped)
    inventory.run()
    document = dict(next(iter(capped.world.truth().values())))
    capped.world.put(document | {"name": "one"}, twice=True)
    capped.world.put(document | {"name": "another"}, twice=True)
    outcome = inventory.run()

    assert outcome.quarantined >= 1
    assert outcome.plan.deleted == 0
    assert len(inventory.live()) == 90


def test_invalid_utf8_affects_no_other_image(target: Target, capped: Simulator) -> None:
    """An image whose name is not UTF-8 is quarantined; all others are stored."""
    capped.world.put(b'{"id": "bad", "name": "\xff\xfe", "created_at": "2024-01-01T00:00:00Z"}')
    outcome = Inventory(target, capped).run()

    assert (outcome.plan.created, outcome.quarantined) == (90, 1)


def test_a_changed_filter_is_refused_before_any_request(target: Target, capped: Simulator) -> None:
    """A run with a changed filter is refused until it is accepted, so images outside it are not deleted."""
    inventory = Inventory(target, capped)
    inventory.run()
    since = capped.journal.seq
    error = inventory.fails(FilterChangedError, filter=(("visibility", "private"),))

    assert error.exit_code == 2
    assert "sources accept-filter edge-" in str(error)
    assert questions(capped, since) == (0, 0)


@pytest.mark.parametrize("shown", [True, False], ids=["listed as deleted", "not listed"])
def test_images_listed_as_deleted_are_deleted(target: Target, shown: bool) -> None:  # noqa: FBT001 - both clouds
    """Images are deleted whether the cloud lists them as deleted or not at all, and both kinds can return."""
    with FaultySimulator(World(seed=6, size=60, show_deleted=shown)) as cloud:
        inventory = Inventory(target, cloud)
        inventory.run()
        gone = cloud.world.delete(3)
        first = inventory.run()
        rows = [
            row for row in inventory.images("vendor_deleted, vendor_deleted_at IS NOT NULL AS dated") if row["gone"]
        ]
        cloud.world.restore(3)
        second = inventory.run()

    assert first.plan.deleted == 3
    assert rows == [{"vendor_deleted": shown, "dated": shown, "gone": True}] * 3
    assert (second.plan.restored, second.plan.deleted) == (3, 0)
    assert set(gone) <= inventory.live()
    assert {row["id"] for row in inventory.versions("id")} == set(gone)


def test_a_gap_in_the_list_is_told_apart_from_a_deletion(target: Target, capped: Simulator) -> None:
    """Of two missing images in one run, the deleted one is deleted and the one only left out stays."""
    inventory = Inventory(target, capped)
    inventory.run()
    gone = capped.world.delete(1)
    left_out = Random(1).sample(sorted(capped.world.truth()), 1)
    capped.faults.add(gap(left_out), times=None)
    outcome = inventory.run()

    assert (outcome.missing, outcome.still_there, outcome.plan.deleted) == (2, 1, 1)
    assert inventory.deleted() == set(gone)


class BreakingDatabase(Database):
    """A database whose library fails in an unforeseen way for the source "broken"."""

    def known(self, run: Run) -> StoredDigests:
        """Read what is stored, or break."""
        if run.source.name.startswith("broken"):
            raise RuntimeError("unforeseen")
        return super().known(run)


def fails_alone(target: Target, cloud: Simulator, broken: Source, store: type[Database] = Database) -> ImageSyncError:
    """The error of one source of three; the others must be done, and all three must be on record and notified."""
    good = [Inventory(target, cloud) for _ in range(2)]
    notified: list[int | None] = []
    runner = SourceRunner(target, Stop(), "schedule", store=store, notify=notified.append)

    results = runner.run_all([good[0].source, broken, good[1].source], 1)

    assert [result.exit_code for result in results] == [0, 1, 0]
    assert [result.as_json()["status"] for result in results] == ["done", "failed", "done"]
    assert notified == [result.as_json()["run"] for result in results]
    error = results[1].error
    assert error is not None
    with psycopg.connect(target.url) as connection:
        record = connection.execute(
            "SELECT status, reason, error, finished_at IS NOT NULL FROM inventory.runs WHERE run = %s", (error.run,)
        ).fetchone()
    assert record == ("failed", str(error), type(error).__name__, True)
    return error


def test_an_unforeseen_error_is_a_failed_run(
    target: Target, capped: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of any library fails its run with a sentence and a record; other sources and notices go on."""
    source = replace(Inventory(target, capped).source, name="broken-one")
    error = fails_alone(target, capped, source, BreakingDatabase)

    assert isinstance(error, UnexpectedError)
    assert str(error).startswith("unexpected RuntimeError: unforeseen; please report it")
    assert "Traceback" not in caplog.text


def test_an_unforeseen_error_before_a_run_is_its_result(target: Target, capped: Simulator) -> None:
    """What breaks while the database is made ready, before there can be a record, is a sentence of that source alone."""

    class Unready(Database):
        def prepare(self) -> None:
            raise RuntimeError("unforeseen")

    sources = [Inventory(target, capped).source] * 2
    results = SourceRunner(target, Stop(), "command", store=Unready).run_all(sources, 1)

    assert [type(result.error) for result in results] == [UnexpectedError] * 2
    assert [result.exit_code for result in results] == [1, 1]


def test_a_run_that_cannot_begin_is_on_record(
    target: Target, capped: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that turns out to be unusable only now fails its run, with a record; the other sources go on."""
    monkeypatch.setenv("HTTPS_PROXY", "socks://user:canary@127.0.0.1:1")
    source = replace(Inventory(target, capped).source, name="unsendable", endpoint="https://127.0.0.1:1")
    error = fails_alone(target, capped, source)

    assert "HTTPS_PROXY (environment): `socks://` cannot be used" in str(error)
    assert "canary" not in str(error)


def test_notices_that_break_do_not_fail_a_run(target: Target, capped: Simulator) -> None:
    """The result of a run counts, even if its notices can't be made."""

    def notify(_run: int | None) -> None:
        raise RuntimeError("can't start new thread")

    result = SourceRunner(target, Stop(), "command", notify=notify).run(Inventory(target, capped).source)

    assert (result.exit_code, result.error) == (0, None)
