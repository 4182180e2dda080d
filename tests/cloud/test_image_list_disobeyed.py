"""Clouds that don't do what a request asks: named after a bounded number of requests, and never believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import effects
import pytest
from cloud_tools import Inventory, Reader, questions
from effects import Effect
from fault_rules import FaultySimulator
from listing_model import chance

from sync.domain.status import Status
from sync.errors import ContractError
from sync.simulator import START, World
from sync.simulator.images import IecCatalog
from sync.simulator.listing import Page, Query
from sync.store.connection import Target

Start = Callable[[FaultySimulator], object]

TOTALS = {
    "right": None,
    "missing": effects.total_missing(),
    "too small": effects.total_off(-1),
    "too big": effects.total_off(1),
    "zero": effects.total(0),
    "huge": effects.total_off(10**9),
}


def asked_otherwise(ask: Callable[[Query], Query]) -> Start:
    """A cloud that answers another query than the one it gets."""
    return lambda cloud: cloud.faults.add(Effect("asked otherwise", ask=ask), times=None)


def ties_that_change(cloud: FaultySimulator) -> None:
    """700 images of one time, of which one goes and one comes before each answer, in a new order each time."""
    catalog, rng = IecCatalog(chance(3)), chance(4)
    cloud.listing.unstable_ties = True
    tied: list[str] = []

    def create() -> None:
        tied.append(cloud.world.put(catalog.image(START, until=START + timedelta(days=9))))

    def swap(_: object) -> None:
        cloud.world.remove(tied.pop(rng.randrange(len(tied))))
        create()

    for _ in range(700):
        create()
    cloud.faults.before_answer = swap


FAULTS: dict[str, tuple[Start, str]] = {
    "another order": (
        asked_otherwise(lambda query: replace(query, sort_key="name")),
        "the images at offset 0 are not sorted by created_at as requested",
    ),
    "always descending": (
        asked_otherwise(lambda query: replace(query, descending=True)),
        "the images at offset 0 are not sorted by created_at as requested",
    ),
    "always ascending": (
        asked_otherwise(lambda query: replace(query, descending=False)),
        "the cloud ignores the descending order",
    ),
    "nothing in descending order": (
        asked_otherwise(lambda query: replace(query, offset=10**6) if query.descending else query),
        "the first page is empty in descending order",
    ),
    "ties that change": (ties_that_change, "images share 2026-03-01T08:00:00Z, too many for one page of 500"),
}


@contextmanager
def disobedient(start: Start, size: int = 1200, total: Effect | None = None) -> Iterator[FaultySimulator]:
    """A cloud with a fault, and with a wrong total if there is an effect for that."""
    with FaultySimulator(World(seed=1, size=size)) as cloud:
        start(cloud)
        if total is not None:
            cloud.faults.add(total, times=None)
        yield cloud


@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_cloud_that_disobeys_is_never_believed(name: str, total: str) -> None:
    """No reading is complete, whatever `total` says; the reason names the fault, and few requests are made."""
    start, reason = FAULTS[name]
    with disobedient(start, 600 if start is ties_that_change else 1200, TOTALS[total]) as cloud:
        reader = Reader.of(cloud)
        verdict = reader.read().verdict

    assert not verdict.complete
    assert reason in verdict.reason
    assert reader.stats.requests <= 6 + reader.concurrency * (total == "huge")


@pytest.mark.parametrize("total", TOTALS)
def test_an_ignored_offset_is_told_whatever_total_says(total: str) -> None:
    """If every page is the first one, the reading fails after four requests."""
    with disobedient(
        lambda cloud: cloud.faults.add(effects.offset_ignored(), times=None), total=TOTALS[total]
    ) as cloud:
        error = Reader.of(cloud, max_images=20_000).fails(ContractError)

        assert "ignores the offset" in str(error)
        assert questions(cloud) == (4, 0)


@pytest.mark.parametrize(("total", "most"), [("right", 43), ("too big", 43), ("too small", 43), ("huge", 47)])
@pytest.mark.parametrize("rows", [1, 2])
def test_pages_of_one_or_two_rows_are_told(rows: int, total: str, most: int) -> None:
    """Pages too short to cover anything are read to the end of the list, one request per row at most."""
    with disobedient(lambda cloud: setattr(cloud.listing, "page_cap", rows), 40, TOTALS[total]) as cloud:
        reader = Reader.of(cloud)
        verdict = reader.read().verdict

        assert set(reader.rows) == set(cloud.world.truth())
    assert not verdict.complete
    assert f"as pages hold no more than {rows} rows" in verdict.reason
    assert reader.stats.requests <= most


@pytest.mark.parametrize("total", ["missing", "zero"])
def test_pages_of_one_row_without_a_usable_total_prove_nothing(total: str) -> None:
    """If nothing says that there is more than one row, the reading ends early, and is not complete."""
    with disobedient(lambda cloud: setattr(cloud.listing, "page_cap", 1), 40, TOTALS[total]) as cloud:
        reader = Reader.of(cloud)
        verdict = reader.read().verdict

    assert "no answer covers the end of the list" in verdict.reason
    assert reader.stats.requests <= 4


@pytest.mark.parametrize("total", ["missing", "too small", "too big"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_run_on_a_disobedient_cloud_deletes_nothing(target: Target, name: str, total: str) -> None:
    """A run on such a list stores what it shows, deletes nothing, and says why; two readings prove it no more."""
    start, reason = FAULTS[name]
    with FaultySimulator(World(seed=1, size=600)) as cloud:
        inventory = Inventory(target, cloud)
        inventory.run()
        gone = cloud.world.delete(3)
        start(cloud)
        cloud.faults.add(TOTALS[total] or effects.total_missing(), times=None)
        since = cloud.journal.seq
        outcome = inventory.run()

        assert (outcome.proven, outcome.plan.deleted, outcome.plan.held) == (False, 0, 0)
        assert (outcome.status, outcome.exit_code) == (Status.WITHHELD, 4)
        assert reason in outcome.reason
        assert set(gone) <= inventory.live()
        assert not inventory.deleted()
        assert questions(cloud, since)[0] <= 2 * 5


def undated_last(cloud: FaultySimulator) -> None:
    """Put images without a readable time last in both orders, in pages of 50, as some search engines do."""
    page_of = cloud.listing.page

    def page(query: Query) -> Page:
        whole = page_of(replace(query, limit=10**6, offset=0))
        entries = sorted(whole.entries, key=lambda entry: entry.created < 0)
        return Page(entries[query.offset :][: min(query.limit, 50)], whole.total)

    cloud.listing.page = page  # type: ignore[method-assign]


def test_images_without_a_time_are_not_believed_gone_by_the_order_alone(target: Target) -> None:
    """If they stand last in both orders no answer may show them, so their absence deletes none of them."""
    with FaultySimulator(World(seed=1, size=100)) as cloud:
        inventory = Inventory(target, cloud, max_single_confirms=0, max_daily_deletions=1000, max_deletions=1000)
        catalog = IecCatalog(chance(5))
        for _ in range(30):
            cloud.world.put(catalog.image(START, until=START) | {"created_at": ""})
        inventory.run()
        undated_last(cloud)
        outcome = inventory.run()

        assert not inventory.deleted()
        assert (outcome.status, outcome.unconfirmed) == (Status.WITHHELD, 30)
        assert "without a readable created_at, only an answer about its id shows" in outcome.reason
