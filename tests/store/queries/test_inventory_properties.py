"""A property without a column that changes is a change of that property, in differences, history and reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from builders import image
from psycopg.types.json import Jsonb
from servers import Server
from store_tools import Edge

from sync.domain.outcome import Outcome
from sync.store.queries.inventory import inventory

CHANGES = "SELECT field, old, new FROM inventory.image_changes WHERE run = %s AND id = 'x' ORDER BY field"


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """A source with few images."""
    with Edge(each_server, 3) as edge:
        yield edge


def changed(edge: Edge, before: dict[str, Any], after: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The changes of an image that has these properties, and then those."""
    edge.world.put(image("x", **before))
    edge.run()
    edge.world.put(image("x", **after))
    outcome: Outcome = edge.run()
    assert outcome.plan.updated == 1
    return edge.rows(CHANGES, outcome.run)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"os_distro": "ubuntu", "a": "1"}, {"os_distro": "debian", "a": "1"}, [("os_distro", "ubuntu", "debian")]),
        ({}, {"hw_disk_bus": "scsi"}, [("hw_disk_bus", None, "scsi")]),
        ({"hw_disk_bus": "scsi"}, {}, [("hw_disk_bus", "scsi", None)]),
        ({"b": 1, "a": 1, "c": 1}, {"b": 2, "a": 2, "c": 1}, [("a", "1", "2"), ("b", "1", "2")]),
        ({"n": 1}, {"n": "1"}, [("n", "1", "1")]),
        ({"n": {"a": 1}}, {"n": {"a": [1, None]}}, [("n", '{"a": 1}', '{"a": [1, null]}')]),
        ({"odd.name of: it": "x"}, {"odd.name of: it": "ü"}, [("odd.name of: it", "x", "ü")]),
        ({"t": "true", "n": None, "e": "", "a": 1}, {"t": True, "n": "", "a": 2}, [("a", "1", "2")]),
        ({"a": "x"}, {"a": ""}, [("a", "x", "")]),
        ({"a": "x"}, {"a": None}, [("a", "x", None)]),
        ({"a": "true"}, {"a": "false"}, [("a", "true", "false")]),
    ],
)
def test_each_property_is_a_field(
    edge: Edge, before: dict[str, Any], after: dict[str, Any], changes: list[tuple[str, str | None, str | None]]
) -> None:
    """Only properties that differ are named, with their values as text; what is read as equal does not differ."""
    expected = [(f"extra.{name}", old, new) for name, old, new in changes]

    assert changed(edge, before, after) == expected
    diff = "SELECT field, old, new FROM inventory.run_diff(2) WHERE id = 'x' ORDER BY field"
    assert edge.rows(diff) == expected


def test_a_value_that_no_longer_fits_its_column(edge: Edge) -> None:
    """It moves from its column to a property, and both are named."""
    found = changed(edge, {"min_disk": 40}, {"min_disk": "much"})

    assert found == [("extra.min_disk", None, "much"), ("min_disk", "40", None)]


def test_the_history_names_properties(edge: Edge) -> None:
    """The history of an image shows each as it was and is."""
    changed(edge, {"os_distro": "ubuntu", "name": "a"}, {"os_distro": "debian", "name": "b"})

    with inventory(edge.target) as reading:
        assert reading.history("x", None)[1]["changes"] == "extra.os_distro: ubuntu -> debian; name: a -> b"


def test_tags_are_compared_as_a_set(edge: Edge) -> None:
    """Stored tags are sorted; a difference shows both lists."""
    edge.world.put(image("x"))
    edge.run()
    version = "jsonb_populate_record(NULL::inventory.image_version, jsonb_build_object('tags', %s::text[]))"
    query = f"""
        SELECT inventory.changed_fields(o, n), inventory.field_text(o, 'tags'), inventory.field_text(n, 'tags')
        FROM (SELECT {version} AS o, {version} AS n) AS v"""

    assert edge.rows(query, ["a", "b, c"], ["a"]) == [(["tags"], '["a", "b, c"]', '["a"]')]
    assert edge.rows(query, ["a"], ["a"]) == [([], '["a"]', '["a"]')]
    assert edge.rows(query, None, []) == [(["tags"], None, "[]")]


def test_versions_without_a_difference_cost_nothing(edge: Edge) -> None:
    """Properties are compared only where ``extra`` differs."""
    edge.do(
        "CREATE OR REPLACE FUNCTION inventory.changed_properties(o jsonb, n jsonb) RETURNS text[] "
        "LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''compared''; END'"
    )
    version = "jsonb_populate_record(NULL::inventory.image_version, %s)"
    query = f"SELECT inventory.changed_fields({version}, {version})"
    one, renamed, other = (
        Jsonb({"name": name, "extra": {"a": value}}) for name, value in (("x", 1), ("y", 1), ("x", 2))
    )

    assert edge.value(query, one, renamed) == ["name"]
    with pytest.raises(psycopg.Error, match="compared"):
        edge.value(query, one, other)


@pytest.mark.parametrize(
    ("field", "old", "new", "exposure"),
    [
        ("visibility", "private", "shared", "widened"),
        ("visibility", "shared", "community", "widened"),
        ("visibility", "community", "public", "widened"),
        ("visibility", "public", "community", "narrowed"),
        ("visibility", "community", "shared", "narrowed"),
        ("visibility", "shared", "private", "narrowed"),
        ("visibility", "odd", "public", "widened"),
        ("visibility", "odd", "community", "unclear"),
        ("visibility", "public", "odd", "unclear"),
        ("protected", True, False, "widened"),
        ("protected", False, True, "narrowed"),
    ],
)
def test_what_widens_who_sees_an_image(server: Server, field: str, old: Any, new: Any, exposure: str) -> None:
    """Private, shared, community and public: each lets more projects see an image than the one before it."""
    with Edge(server, 1) as edge:
        changed(edge, {field: old}, {field: new})

        assert edge.rows("SELECT field, exposure FROM inventory.exposure_changes WHERE id = 'x'") == [(field, exposure)]
