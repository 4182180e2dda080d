"""The list is read completely or not at all, whatever the cloud does with limit, offset, total and ties."""

from __future__ import annotations

import socket
from datetime import timedelta
from urllib.parse import parse_qsl

import breakage
import effects
import pytest
from cloud_tools import Reader, before_answer, questions
from fault_rules import FaultySimulator
from http_server import Asked, HttpServer, reply
from listing_model import Seen, chance

from sync.domain.proof.verdict import prove
from sync.errors import ContractError, ForbiddenError, InterruptedRunError, ServerFaultError
from sync.simulator import START, Simulator, World
from sync.simulator.catalog import stamp
from sync.simulator.images import IecCatalog

TOTALS = {
    "one too small": (effects.total_off(-1), "total says 1199, but 1200 images came"),
    "much too small": (effects.total_off(-700), "total says 500, but 990 images are there"),
    "zero": (effects.total(0), "total says 0, but 500 images are there"),
    "one too big": (effects.total_off(1), "total says 1201"),
    "much too big": (effects.total_off(10**9), "total says 1000001200"),
    "beyond 64 bits": (effects.total(10**30), "total"),
    "missing": (effects.total_missing(), "no usable total"),
    "null": (effects.total(None), "no usable total"),
    "negative": (effects.total(-1), "no usable total"),
    "digits in text": (effects.total("1200"), "no usable total"),
    "text": (effects.total("many"), "no usable total"),
    "a fraction": (effects.total(1200.0), "no usable total"),
    "a truth": (effects.total(value=True), "no usable total"),
    "a list": (effects.total([1200]), "no usable total"),
    "an object": (effects.total({"count": 1200}), "no usable total"),
}


def tied(count: int, *, before: int = 0, after: int = 0) -> World:
    """A world with a number of images of one ``created_at``, and others before and after it."""
    world, catalog = World(size=0), IecCatalog(chance(3))
    moments = [START - timedelta(days=1, minutes=n) for n in range(before)]
    moments += [START] * count + [START + timedelta(days=1, minutes=n) for n in range(after)]
    for moment in moments:
        world.put(catalog.image(moment, until=START + timedelta(days=9)))
    return world


def test_a_quiet_list_is_read_once(cloud: Simulator) -> None:
    """1,200 images take three sorted pages that overlap by ten rows, each requested once."""
    reader = Reader.of(cloud, filter="visibility=private&name=a+b%26c", max_retries=0)
    everything = Reader.of(cloud, max_retries=0)
    reader.read()
    reading = everything.read()
    first, *pages = [dict(parse_qsl(str(event.detail["query"]))) for event in cloud.journal.answers()]

    assert first == {
        "visibility": "private",
        "name": "a b&c",
        "sort_key": "created_at",
        "sort_dir": "asc",
        "limit": "500",
        "offset": "0",
    }
    assert sorted((page["offset"], page["sort_dir"]) for page in pages) == [("0", "asc"), ("0", "desc"), ("490", "asc")]
    assert reading.verdict.complete
    assert set(everything.rows) == set(cloud.world.truth())
    assert len(everything.rows) == 3 * 500
    assert everything.stats.requests == 3
    assert everything.stats.retries == 0


def test_each_page_is_recorded(cloud: Simulator) -> None:
    """Every page is recorded with its rows, first and last id, total and the gateway's request id."""
    reading = Reader.of(cloud).read()
    served = {str(event.detail["request_id"]): event for event in cloud.journal.answers()}

    assert {page.request_id for page in reading.pages} == set(served)
    for page in reading.pages:
        event = served[str(page.request_id)]
        assert (page.first_id, page.last_id) == (event.ids[0], event.ids[-1])
        assert (page.rows, page.total, page.reading) == (len(event.ids), 1200, 1)
    assert sum(page.rows for page in reading.pages) == 1500
    assert {page.covers is None for page in reading.pages} == {False}


def test_progress_is_reported_after_each_page(cloud: Simulator) -> None:
    """After each page the number of rows received and the cloud's total are reported."""
    reader = Reader.of(cloud, concurrency=1)
    reader.read()

    assert reader.ticks == [(500, 1200), (1000, 1200), (1500, 1200)]


@pytest.mark.parametrize("size", [0, 1, 499, 500, 501, 990, 991])
def test_lists_of_any_size_are_complete(size: int) -> None:
    """Lists that fill their pages exactly, or with one image more or fewer, are complete."""
    with FaultySimulator(World(4, size)) as cloud:
        reader = Reader.of(cloud)
        verdict = reader.read().verdict

    assert verdict.complete
    assert set(reader.rows) == set(cloud.world.truth())
    assert verdict.total == size


@pytest.mark.parametrize("cap", [1, 3, 10, 11, 100, 499])
def test_a_short_page_is_not_the_end(cap: int) -> None:
    """If a server silently caps the page size, the list is read to its end by the rows received."""
    with FaultySimulator(World(5, 40 if cap < 100 else 1200), page_cap=cap) as cloud:
        reader = Reader.of(cloud)
        verdict = reader.read().verdict

    assert set(reader.rows) == set(cloud.world.truth())
    assert verdict.complete is (cap > 3)


@pytest.mark.parametrize("seed", range(5))
def test_pages_of_varying_size_are_complete(cloud: Simulator, seed: int) -> None:
    """If each page has another size, no image is missing and the list is proven."""
    rng = chance(seed)

    def cap(_: object) -> None:
        cloud.listing.page_cap = rng.randrange(20, 500)

    cloud.faults.before_answer = cap
    reader = Reader.of(cloud)
    verdict = reader.read().verdict

    assert verdict.complete
    assert set(reader.rows) == set(cloud.world.truth())


def test_a_server_that_ignores_the_limit_is_complete(cloud: Simulator) -> None:
    """A list that comes on one page although a limit was set is complete."""
    cloud.faults.add(effects.Effect("no limit", ask=lambda query: effects.replace(query, limit=10**6)), times=None)
    reader = Reader.of(cloud)

    assert reader.read().verdict.complete
    assert set(reader.rows) == set(cloud.world.truth())


@pytest.mark.parametrize(
    ("concurrency", "delayed"),
    [(1, 9), (4, 3), (4, 2)],
)
def test_an_ignored_offset_is_noticed_at_once(cloud: Simulator, concurrency: int, delayed: int) -> None:
    """If every page is the first one, the run fails after at most two more pages, in any order."""
    cloud.faults.add(effects.offset_ignored(), times=None)
    cloud.faults.add(breakage.delay(0.3), nth=delayed)
    error = Reader.of(cloud, concurrency=concurrency).fails(ContractError)

    assert "ignores the offset" in str(error)
    assert questions(cloud) == (4, 0)


@pytest.mark.parametrize("name", TOTALS)
def test_a_wrong_total_does_not_stop_the_proof(cloud: Simulator, name: str) -> None:
    """Whatever `total` says, the list is proven by the images themselves, and the doubt is reported."""
    effect, doubt = TOTALS[name]
    cloud.faults.add(effect, times=None)
    reader = Reader.of(cloud)
    verdict = reader.read().verdict

    assert verdict.complete
    assert set(reader.rows) == set(cloud.world.truth())
    assert doubt in prove(verdict, Seen(reader.rows))[0].reason
    assert reader.stats.requests <= 3 + 1 + reader.concurrency


@pytest.mark.parametrize("kind", ["null", "missing", "object"])
def test_a_missing_list_is_not_an_empty_list(cloud: Simulator, kind: str) -> None:
    """A response without a list of images is an error, not an empty list, and is not retried."""
    cloud.faults.add(effects.images(kind))
    error = Reader.of(cloud).fails(ContractError)

    assert "no list of images" in str(error)
    assert questions(cloud) == (1, 0)


def test_few_shuffled_ties_are_harmless() -> None:
    """If images of one created_at change places on every page, the pages are joined by other images."""
    with FaultySimulator(tied(300, before=400, after=400), unstable_ties=True) as cloud:
        reader = Reader.of(cloud)
        verdict = reader.read().verdict

    assert verdict.complete
    assert set(reader.rows) == set(cloud.world.truth())


def test_a_page_full_of_ties_is_proven_by_counting_twice() -> None:
    """More than a page of one created_at in a steady order is proven by two equal readings with the right total."""
    with FaultySimulator(tied(1100, before=50)) as cloud:
        first, second = Reader.of(cloud), Reader.of(cloud)
        one, two = first.read().verdict, second.read().verdict
        once, tally = prove(one, Seen(first.rows))
        twice, _ = prove(two, Seen(second.rows), tally)

    assert not one.complete
    assert not once.proven
    assert (twice.proven, twice.by) == (True, "count")
    assert set(second.rows) == set(cloud.world.truth())


def test_a_page_full_of_shuffled_ties_is_never_complete() -> None:
    """If ties change places between pages, images are missed, and the count shows it."""
    with FaultySimulator(tied(1100, before=50), unstable_ties=True) as cloud:
        reader = Reader.of(cloud)
        verdict = reader.read().verdict
        proof, tally = prove(verdict, Seen(reader.rows))

    assert set(reader.rows) < set(cloud.world.truth())
    assert not proof.proven
    assert tally is None


@pytest.mark.parametrize("key", ["name", "status"])
def test_a_list_in_another_order_is_never_complete(cloud: Simulator, key: str) -> None:
    """A list in another order than requested is read, but never proven by that order."""
    sort = effects.Effect("sorted otherwise", ask=lambda query: effects.replace(query, sort_key=key))
    cloud.faults.add(sort, times=None)
    verdict = Reader.of(cloud).read().verdict

    assert not verdict.complete
    assert "not sorted by created_at" in verdict.reason


def test_an_endless_list_is_given_up() -> None:
    """A list that never ends is given up after `max_images`, and is not complete."""

    def endless(connection: socket.socket, request: Asked) -> bool:
        offset = int(dict(parse_qsl(request.target.partition("?")[2]))["offset"])
        moments = ((n, stamp(START + timedelta(seconds=n))) for n in range(offset, offset + 500))
        connection.sendall(reply({"images": [{"id": str(n), "created_at": at} for n, at in moments], "total": 10**12}))
        return True

    with HttpServer(endless) as server:
        verdict = Reader(server.url, max_images=5_000).read().verdict

    assert not verdict.complete
    assert "the end of the list was not reached" in verdict.reason
    assert len(server.asked) <= 12


def test_one_page_that_fails_ends_the_reading(cloud: Simulator) -> None:
    """If one page cannot be read, there is no list."""
    cloud.faults.add(effects.status(403), offset=490, times=None)
    error = Reader.of(cloud).fails(ForbiddenError)

    assert error.status == 403
    assert questions(cloud)[0] <= 4


def test_a_lasting_fault_costs_a_bounded_number_of_requests(cloud: Simulator) -> None:
    """If one page always fails, a run sends at most one request per page plus its retries."""
    cloud.faults.add(effects.status(500), offset=490, times=None)
    reader = Reader.of(cloud, max_retries=2)
    reader.fails(ServerFaultError)

    assert reader.stats.retries == 2
    assert questions(cloud)[0] == reader.stats.requests <= 3 + 2


def test_a_stop_ends_a_reading(cloud: Simulator) -> None:
    """After a run is stopped, no new page is requested."""
    reader = Reader.of(cloud, concurrency=1)
    before_answer(cloud, 2, reader.stop.set)
    error = reader.fails(InterruptedRunError)

    assert "stopped" in str(error) or "ended" in str(error)
    assert questions(cloud) == (2, 0)
