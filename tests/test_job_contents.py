"""Images that change while their list is read: which content stands, and what a changed ``created_at`` means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import effects
import pytest
from cloud_tools import before_answer
from servers import Server
from store_tools import Edge

from sync.domain.status import Status


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A cloud of 40 images in pages of 30, synced once: the first pages of both orders share 20 images."""
    with Edge(server) as edge:
        edge.cloud.listing.page_cap = 30
        edge.run()
        yield edge


def shared(edge: Edge) -> dict[str, Any]:
    """An image that both first pages show."""
    ordered = sorted(edge.world.truth().values(), key=lambda image: str(image["created_at"]))
    return dict(ordered[20])


def put(edge: Edge, image: dict[str, Any], **changes: object) -> Callable[[], object]:
    """A function that changes an image, without another update time if it is not given."""
    return lambda: edge.world.put(image | changes)


def stored(edge: Edge, image: dict[str, Any], column: str = "name") -> object:
    """A stored value of an image."""
    return edge.value(f"SELECT {column} FROM inventory.images WHERE id = '{image['id']}'")


def asked(edge: Edge, since: int) -> list[str]:
    """The ids that were asked for."""
    queries = [parse_qs(str(event.detail["query"])) for event in edge.cloud.journal.answers(since)]
    return [name for query in queries for name in query.get("id", [])]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_of_two_contents_of_the_same_time_the_last_stands(edge: Edge, concurrency: int) -> None:
    """An image that changed between two answers is asked for by its id, and that content is stored."""
    image, since = shared(edge), edge.cloud.journal.seq
    before_answer(edge.cloud, 2, put(edge, image, name="later"))

    outcome = edge.run_unclear(concurrency=concurrency)

    assert (outcome.status, outcome.plan.updated, outcome.quarantined) == (Status.DONE, 1, 0)
    assert asked(edge, since) == [image["id"]]
    assert stored(edge, image) == "later"


def test_an_image_that_changed_back_is_unchanged(edge: Edge) -> None:
    """If the last content is the stored one, nothing is updated."""
    image = shared(edge)
    put(edge, image, name="for a moment")()
    before_answer(edge.cloud, 2, put(edge, image))

    outcome = edge.run_unclear(concurrency=1)

    assert (outcome.plan.changes, outcome.quarantined, outcome.unchanged) == (0, 0, 40)
    assert stored(edge, image) == image["name"]


def test_the_answer_by_id_is_the_last(edge: Edge) -> None:
    """If the image changes once more before it is asked for, the newest content stands."""
    image, since = shared(edge), edge.cloud.journal.seq
    answers = 0

    def change(_: object) -> None:
        nonlocal answers
        answers += 1
        put(edge, image, name=f"version {answers}")()

    edge.cloud.faults.before_answer = change
    edge.run_unclear(concurrency=1)

    assert asked(edge, since) == [image["id"]]
    assert stored(edge, image) == f"version {answers}"


def test_without_single_questions_the_content_that_came_last_stands(edge: Edge) -> None:
    """If no image may be asked for by its id, the content of the later answer is stored."""
    image, since = shared(edge), edge.cloud.journal.seq
    before_answer(edge.cloud, 2, put(edge, image, name="later"))

    edge.run_unclear(concurrency=1, max_single_confirms=0)

    assert asked(edge, since) == []
    assert stored(edge, image) == "later"


def test_an_older_content_does_not_replace_a_newer_one(edge: Edge) -> None:
    """A content that was updated earlier comes from a replica that lags, even if it is the last that came."""
    image = shared(edge)
    put(edge, image, name="newer", updated_at="2999-01-02T00:00:00Z")()
    before_answer(edge.cloud, 2, put(edge, image, name="older", updated_at="2999-01-01T00:00:00Z"))

    edge.run_unclear(concurrency=1)

    assert stored(edge, image) == "newer"


def test_a_created_at_that_changed_since_it_was_stored_proves_nothing_once(edge: Edge) -> None:
    """A run that finds another created_at than is stored deletes nothing; the next one compares with the new time."""
    (gone,), image = edge.world.delete(1), shared(edge)
    put(edge, image, created_at="2019-05-05T05:05:05Z")()
    edge.cloud.faults.add(effects.total_missing(), times=None)  # so that two equal counts prove nothing

    doubted = edge.run_unclear()
    edge.cloud.faults.clear()
    deleted = edge.run()

    assert (doubted.status, doubted.proven, doubted.unconfirmed) == (Status.WITHHELD, False, 1)
    assert f"the created_at of image {image['id']} changed from {image['created_at']} to 2019-05-05T05:05:05Z" in (
        doubted.reason
    )
    assert stored(edge, image, "inventory.instant(created_at)") == "2019-05-05T05:05:05Z"
    assert (deleted.proven_by, edge.inventory.deleted()) == ("cover", {gone})


@pytest.mark.parametrize("first", ["as stored", "changed"])
def test_a_created_at_that_changes_while_the_list_is_read_proves_nothing(edge: Edge, first: str) -> None:
    """Whether the stored content comes first or last, the image is seen to have moved."""
    edge.world.delete(1)
    edge.cloud.faults.add(effects.total_missing(), times=None)
    image = shared(edge)
    moved = put(edge, image, created_at=_a_second_later(str(image["created_at"])), updated_at="2999-01-01T00:00:00Z")
    if first == "changed":
        moved()
    before_answer(edge.cloud, 2, moved if first == "as stored" else put(edge, image))

    outcome = edge.run_unclear(concurrency=1)

    assert not outcome.proven
    assert f"the created_at of image {image['id']} changed" in outcome.reason
    assert edge.inventory.deleted() == set()


def test_two_equal_counts_prove_a_list_in_which_an_image_moved(edge: Edge) -> None:
    """A list that holds still is proven by counting it twice, whatever its order is worth."""
    (gone,) = edge.world.delete(1)
    put(edge, shared(edge), created_at="2019-05-05T05:05:05Z")()

    outcome = edge.run_unclear()

    assert (outcome.proven_by, outcome.read_attempts, edge.inventory.deleted()) == ("count", 2, {gone})


def test_an_image_that_moved_in_the_first_reading_is_not_forgotten_in_the_second(edge: Edge) -> None:
    """If an image moved and moved back, the order of the second reading is no evidence either; its count is."""
    image = shared(edge)
    put(edge, image, created_at=_a_second_later(str(image["created_at"])))()
    before_answer(edge.cloud, 2, put(edge, image))

    outcome = edge.run_unclear(concurrency=1)

    assert (outcome.proven_by, outcome.read_attempts) == ("count", 2)


def test_another_fraction_of_the_second_is_no_move(edge: Edge) -> None:
    """Times are compared by the second."""
    image = shared(edge)
    put(edge, image, created_at=str(image["created_at"]).replace("Z", ".25Z"))()

    assert edge.run_unclear().proven_by == "cover"


def test_one_answer_that_holds_the_whole_list_needs_no_order(edge: Edge) -> None:
    """If the list fits into one page, a changed created_at takes nothing from its proof."""
    edge.cloud.listing.page_cap = 500
    (gone,) = edge.world.delete(1)
    put(edge, shared(edge), created_at="2019-05-05T05:05:05Z")()

    assert edge.run_unclear().proven_by == "whole"
    assert edge.inventory.deleted() == {gone}


@pytest.mark.parametrize("place", [0, 9, 10, 20, 30, 39])
@pytest.mark.parametrize("written", ["+00", " UTC", ""])
def test_a_time_that_is_written_otherwise_hides_no_other_image(server: Server, place: int, written: str) -> None:
    """Wherever an image stands whose time can't be read, for example at the edge of a page, no other is missed."""
    with Edge(server, 40, max_single_confirms=0, max_deletions=100) as edge:
        edge.run()
        edge.cloud.listing.page_cap = 10
        ordered = sorted(edge.world.truth().values(), key=lambda image: str(image["created_at"]))
        image = dict(ordered[place])
        put(edge, image, created_at=str(image["created_at"])[:-1] + written)()

        outcomes = [edge.run_unclear() for _ in range(2)]

        assert [outcome.missing for outcome in outcomes] == [0, 0]
        assert edge.inventory.live() == set(edge.world.truth())


def test_a_deleted_image_is_not_restored_by_an_older_content(edge: Edge) -> None:
    """If a replica that lags shows an image as it was before the cloud listed it as deleted, it stays deleted."""
    image = shared(edge)
    dead = put(edge, image, status="deleted", updated_at="2999-01-02T00:00:00Z")
    dead()
    edge.run_unclear()
    put(edge, image)()
    before_answer(edge.cloud, 2, dead)

    outcome = edge.run_unclear(concurrency=1)

    assert (outcome.plan.changes, edge.inventory.deleted()) == (0, {image["id"]})


def _a_second_later(moment: str) -> str:
    return f"{moment[:17]}{(int(moment[17:19]) + 1) % 60:02}{moment[19:]}"
