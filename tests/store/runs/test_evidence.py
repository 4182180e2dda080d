"""The evidence of lists that are read by marker: a range of ids per answer, which add up to everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from builders import source
from servers import Server
from store_tools import Edge

from sync.domain.apis import GLANCE, IEC
from sync.domain.run import Listing, Missing, PageEvidence, Run
from sync.store.connection import transaction
from sync.store.queries.invariants import violations
from sync.store.runs import evidence

COVER = "I8: a list that is proven by cover, and whose pages do not cover it"
PART = "I8: a list that is proven without one of its parts"
WHOLE = "I8: a list that is proven by one answer that does not hold as many images as it says there are"
ODD = 'c"\\,)]b'


def page(part: str, covers: Any, rows: int = 1, marker: str | None = None, *, descending: bool = False) -> PageEvidence:
    """An answer of a list by marker."""
    return PageEvidence(
        1, 0, descending, rows, "a", "z", None, None, None, 1, marker=marker, part=part, covers_ids=covers
    )


def empty(part: str) -> list[PageEvidence]:
    """The two answers of an empty part."""
    return [page(part, None, 0), page(part, None, 0, descending=True)]


VISIBLE = [
    page("visible", (None, "b")),
    page("visible", ("k", None, True), descending=True),
    page("visible", ("b", ODD), marker="b"),
    page("visible", (ODD, "k"), marker=ODD),
]


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A source with one run."""
    with Edge(server, 3) as edge:
        edge.run()
        edge.world.change(1)
        edge.run()
        yield edge


def write(edge: Edge, pages: list[PageEvidence], proven_by: str = "cover", api: str = "glance") -> list[str]:
    """Put this evidence on record in place of that of the second run; the rules that it violates."""
    name = edge.inventory.source.name
    edge.do("DELETE FROM inventory.run_pages WHERE run = 2")
    edge.do("UPDATE inventory.runs SET proven_by = %s, pages = %s WHERE run = 2", proven_by, len(pages))
    edge.do("UPDATE inventory.sources SET api = %s", api)
    kind = {"glance": GLANCE, "iec": IEC}[api]
    with edge.parts() as (store, _parts):
        run = Run(2, replace(source(name=name), api=kind), 1, edge.value("SELECT now()"))
        listing = Listing.__new__(Listing)
        object.__setattr__(listing, "pages", pages)
        with transaction(store.connection, edge.target, "test"):
            evidence.write(store.connection, run, listing, Missing())
    return [each.rule for each in violations(edge.connection) if each.rule.startswith("I8")]


def test_ranges_of_ids_add_up(edge: Edge) -> None:
    """Markers, parts and ranges are on record, whatever characters ids have; an empty part needs no range."""
    pages = [*empty("hidden"), *VISIBLE, page("hidden again", (None, None))]

    assert write(edge, pages) == []

    assert edge.rows(
        "SELECT row_offset, marker, part, covers, upper(covers_ids), upper_inc(covers_ids), lower_inc(covers_ids) "
        "FROM inventory.run_pages WHERE run = 2 AND part = 'visible' ORDER BY page"
    ) == [
        (None, None, "visible", None, "b", True, False),
        (None, None, "visible", None, None, False, True),
        (None, "b", "visible", None, ODD, True, False),
        (None, ODD, "visible", None, "k", True, False),
    ]
    assert edge.value("SELECT range_agg(covers_ids)::text FROM inventory.run_pages WHERE part = 'visible'") == "{(,)}"


@pytest.mark.parametrize("left_out", range(4))
def test_a_gap_between_ids_is_reported(edge: Edge, left_out: int) -> None:
    """Without any one of its answers the part is not covered."""
    pages = [*empty("hidden"), *VISIBLE, *empty("hidden again")]
    del pages[2 + left_out]

    assert write(edge, pages) == [COVER]


def test_a_part_that_is_not_there_is_reported(edge: Edge) -> None:
    """All parts of the API must have been read, unless the filter selects one; then it has no name."""
    assert write(edge, [*VISIBLE, *empty("hidden again")]) == [PART]
    assert write(edge, [replace(each, part="") for each in VISIBLE]) == []


@pytest.mark.parametrize("part", ["hidden", "hidden again"])
def test_half_an_empty_part_is_no_proof(edge: Edge, part: str) -> None:
    """A list is empty only if both of its orders are; each part is added up by itself."""
    parts = {name: empty(name) for name in ("hidden", "hidden again")}
    del parts[part][1]

    assert write(edge, [*parts["hidden"], *VISIBLE, *parts["hidden again"]]) == [COVER]


def test_ids_are_compared_by_their_bytes(edge: Edge) -> None:
    """Capitals come before small letters: (B, a] covers what a language's order would not."""
    pages = [page("", (None, "B")), page("", ("B", "a"), marker="B"), page("", ("a", None, True), descending=True)]

    assert write(edge, pages) == []


def test_an_empty_list_may_be_whole(edge: Edge) -> None:
    """Of a list by marker only an empty one is held by one answer."""
    assert write(edge, empty(""), "whole") == []
    assert write(edge, [page("", (None, "z")), page("", ("a", None), descending=True)], "whole") == [WHOLE]


def test_lists_by_offset_are_as_they_were(edge: Edge) -> None:
    """Their answers have an offset, and ranges of ids prove nothing of them."""
    assert COVER in write(edge, [replace(each, part="") for each in VISIBLE], api="iec")
    assert edge.rows("SELECT DISTINCT row_offset FROM inventory.run_pages WHERE run = 2") == [(0,)]
