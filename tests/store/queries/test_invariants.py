"""The rules of ``verify`` that no other room's tests break: the evidence of a proof."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers import Server
from store_tools import Edge

from sync.store.queries.invariants import violations

COVER = "I8: a list that is proven by cover, and whose pages do not cover it"
WHOLE = "I8: a list that is proven by one answer that does not hold as many images as it says there are"
KIND = "I8: a run that is proven and does not say how, or the other way round"
PAGES = "UPDATE inventory.run_pages SET covers = {} WHERE run = 2 AND {}"


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """An inventory with a run that one page proves, and a run that several pages prove."""
    with Edge(server) as edge:
        edge.run()
        edge.cloud.listing.page_cap = 15
        edge.world.change(3)
        edge.run()
        yield edge


def test_what_pages_cover_adds_up(edge: Edge) -> None:
    """The ranges on record cover all times."""
    assert edge.rows("SELECT run, proven_by FROM inventory.runs ORDER BY run") == [(1, "whole"), (2, "cover")]
    assert edge.value("SELECT range_agg(covers)::text FROM inventory.run_pages WHERE run = 2") == "{(,)}"
    assert violations(edge.connection) == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        (PAGES.format("NULL", "descending"), COVER),
        (PAGES.format("NULL", "row_offset = 0 AND NOT descending"), COVER),
        (PAGES.format("tstzrange(now(), NULL, '()')", "descending"), COVER),
        (
            # the page begins exactly where the first one ends: the images of that second may be missing
            PAGES.format(
                "tstzrange((SELECT upper(covers) FROM inventory.run_pages WHERE run = 2 AND lower_inf(covers)), NULL, '()')",
                "NOT lower_inf(covers)",
            ),
            COVER,
        ),
        ("UPDATE inventory.run_pages SET row_count = 39 WHERE run = 1", WHOLE),
        ("UPDATE inventory.run_pages SET total = 41 WHERE run = 1", WHOLE),
        ("UPDATE inventory.runs SET proven_by = 'cover' WHERE run = 1", COVER),
        ("UPDATE inventory.runs SET proven_by = 'whole' WHERE run = 2", WHOLE),
        ("UPDATE inventory.runs SET proven_by = NULL WHERE run = 2", KIND),
    ],
)
def test_evidence_that_does_not_prove_is_reported(edge: Edge, statement: str, rule: str) -> None:
    """I8: if the pages on record do not prove the list as the run says, the rule is named."""
    edge.do(statement)

    assert rule in {violation.rule for violation in violations(edge.connection)}
