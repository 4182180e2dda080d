"""A clock that was set back is noticed by what is on record in the future: by people, by doctor and by monitoring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cli_inside import call
from doctor_tools import database_probe, levels, lines, look_into, said
from servers import Server
from store_tools import Edge

from sync.doctor.inventory import inventory_checks
from sync.domain.clock import set_back, span
from sync.domain.metrics import ProcessMetrics
from sync.domain.run import Source
from sync.metrics.collector import MetricsCollector
from sync.store.queries.metrics import MetricsQuery

FUTURE = "the last run began or took effect 3 days in the future; the clock of the database was set back"


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A synced source."""
    with Edge(server) as edge:
        edge.run()
        yield edge


def move(edge: Edge, seconds: float) -> None:
    """Make the run as if it had been this much later, as after the clock was set back by as much."""
    for table, columns in (
        ("runs", ("started_at", "finished_at", "effective_at")),
        ("sources", ("effective_at", "proven_at")),
    ):
        moved = ", ".join(f"{column} = {column} + make_interval(secs => {seconds})" for column in columns)
        edge.do(f"UPDATE inventory.{table} SET {moved}")


def reported(edge: Edge) -> tuple[str, dict[str, Any], list[Any], float]:
    """What status says in words and in JSON, what doctor says, and the metric."""
    name = edge.inventory.source.name
    database = database_probe(edge.url, names=[name])
    look_into(database)
    words = call("status", IMAGE_SYNC_DATABASE_URL=edge.url).err
    row = call("status", "--format", "json", IMAGE_SYNC_DATABASE_URL=edge.url).row
    checks = lines(inventory_checks, Source(name, edge.cloud.url), database.states.get(name), database.unseen)
    collector = MetricsCollector(MetricsQuery(edge.target).source_metrics(), ProcessMetrics(), up=True)
    value = collector.registry().get_sample_value("image_sync_last_run_in_future_seconds", {"source": name})
    assert value is not None
    return words, row, checks, value


def test_a_clock_that_was_set_back_for_days(edge: Edge) -> None:
    """Three days are reported by status, doctor and a metric, each source by its name."""
    move(edge, 3 * 86_400)
    words, row, checks, value = reported(edge)

    assert f"{edge.inventory.source.name}: {FUTURE}" in words
    assert 259_100 < row["in_future_seconds"] <= 259_200
    assert levels(checks)["last run"] == "warning"
    assert FUTURE in said(checks, "last run")
    assert 259_100 < value <= 259_200


def test_a_clock_that_is_right_again(edge: Edge) -> None:
    """The next run begins now, but takes effect after the one before it: in the future, as long as that lasts."""
    move(edge, 3 * 86_400)
    edge.inventory.run()
    words, _, checks, value = reported(edge)

    assert FUTURE in words
    assert levels(checks)["last run"] == "warning"
    assert 259_100 < value <= 259_200


@pytest.mark.parametrize("seconds", [0, 30, -86_400])
def test_clocks_that_differ_a_little(edge: Edge, seconds: float) -> None:
    """Some seconds, and every run of the past, are no reason to worry anyone."""
    move(edge, seconds)
    words, row, checks, value = reported(edge)

    assert "future" not in words
    assert levels(checks)["last run"] == "ok"
    assert 0 <= row["in_future_seconds"] <= max(seconds, 0)
    assert 0 <= value <= max(seconds, 0)


def test_a_source_without_runs(edge: Edge) -> None:
    """A source that never ran has no last run that could be in the future."""
    edge.do("INSERT INTO inventory.sources (name, endpoint, filter) VALUES ('idle', 'x', '')")
    database = database_probe(edge.url, names=["idle"])
    look_into(database)

    assert database.states["idle"].in_future == 0
    assert call("status", IMAGE_SYNC_DATABASE_URL=edge.url).code == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(61, "61 seconds"), (3600, "60 minutes"), (90_000, "25 hours"), (864_000, "10 days")]
)
def test_spans(seconds: float, text: str) -> None:
    """A length of time is written in one unit, of which there are at least two."""
    assert span(seconds) == text
    assert f" {text} in the future" in set_back(seconds)
