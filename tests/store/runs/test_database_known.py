"""What is stored, as a run compares it with the list: in the list's order, with starts for chains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from builders import encoded, image
from servers import Server
from store_tools import Edge

from sync.domain.apis import GLANCE, IMS
from sync.domain.apis.api import Api
from sync.domain.image import raw_digest
from sync.domain.stored_digests import StoredDigests

# In the order of their bytes; a language's order would have "a" before "B".
IDS = ["B", "a", "a-1", "b", "c", "d", "e"]


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """Seven images, created in the reverse order of their ids."""
    with Edge(each_server, 0) as edge:
        for n, name in enumerate(reversed(IDS)):
            edge.world.put(image(name, created_at=f"2024-05-0{n + 1}T00:00:00Z"))
        edge.run()
        edge.world.remove("e")
        edge.run()
        yield edge


def known(edge: Edge, api: Api, step: int = 2) -> tuple[StoredDigests, list[str]]:
    """The digests that a run of this API knows, and the ids in their order."""
    names = dict(edge.rows("SELECT raw_digest, id FROM inventory.images"))
    with edge.parts() as (store, parts):
        store.step = step
        run = store.start(parts.source, "command")
        digests = store.known(replace(run, source=replace(parts.source, api=api)))
    return digests, [names[raw] for raw in digests.unlisted()]


def test_a_list_by_offset_is_in_the_order_of_creation(edge: Edge) -> None:
    """IEC's list needs no starts."""
    with edge.parts() as (store, parts):
        digests = store.known(store.start(parts.source, "command"))

    names = dict(edge.rows("SELECT raw_digest, id FROM inventory.images"))
    assert [names[raw] for raw in digests.unlisted()] == IDS[-2::-1]
    assert (digests.live, digests.starts, digests.hidden_from) == (6, {}, 6)
    assert raw_digest(encoded(image("B", created_at="2024-05-07T00:00:00Z"))) in list(digests.unlisted())


@pytest.mark.parametrize(
    ("api", "hide"), [(GLANCE, "hidden = true"), (IMS, "isregistered = false")], ids=["glance", "ims"]
)
def test_a_list_by_marker_is_in_the_order_of_ids(edge: Edge, api: Api, hide: str) -> None:
    """Images of the other part come last; starts are live images of the usual list, with their positions."""
    edge.do(f"UPDATE inventory.images SET {hide} WHERE id IN ('a', 'c')")

    digests, order = known(edge, api)

    assert order == ["B", "a-1", "b", "d", "a", "c"]
    assert (digests.live, digests.hidden_from) == (6, 4)
    assert digests.starts == {"a-1": 1, "d": 3}


def test_images_that_are_not_live_are_no_starts(edge: Edge) -> None:
    """What the cloud lists as deleted has its place in the order, but no chain begins there; the rest is left out."""
    edge.do("UPDATE inventory.images SET status = 'deleted' WHERE id = 'e'")
    edge.do("UPDATE inventory.images SET invisible_since = valid_from, invisible_run = 1 WHERE id = 'd'")

    digests, order = known(edge, GLANCE, 3)

    assert order == ["B", "a", "a-1", "b", "c", "e"]
    assert (digests.live, digests.starts, digests.hidden_from) == (5, {"a-1": 2}, 6)


def test_an_empty_inventory_has_no_starts(server: Server) -> None:
    """Before the first run there is nothing to start at."""
    with Edge(server, 0) as edge:
        digests, order = known(edge, GLANCE)

        assert (len(digests), order, digests.starts, digests.hidden_from) == (0, [], {}, 0)


def test_live_images_have_their_owner(edge: Edge) -> None:
    """A missing image comes with the project that owns it, and an invisible one is not missing."""
    edge.do("UPDATE inventory.images SET owner = 'them' WHERE id = 'a'")
    edge.do("UPDATE inventory.images SET invisible_since = valid_from, invisible_run = 1 WHERE id = 'b'")
    with edge.parts() as (store, parts):
        run = store.start(parts.source, "command")
        raws = [row[0] for row in edge.rows("SELECT raw_digest FROM inventory.images WHERE id IN ('a', 'b', 'e')")]
        found = list(store.live_images(run, raws))

    assert [(each.id, each.owner) for each in found] == [("a", "them")]
