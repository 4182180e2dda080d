"""The facts that the database gives for notices, from real runs, and the notices that follow from them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import effects
import pytest
from builders import image
from cloud_tools import Inventory, only_by_id
from servers import Server
from store_tools import Edge

from sync.domain.notices import Notice
from sync.errors import ForbiddenError
from sync.notices.decision import notices_of
from sync.settings.model import NOTICES
from sync.store.approvals import approve
from sync.store.queries.notices import facts_of

STAND_IN = """
INSERT INTO inventory.runs (source, status, reason, error, trigger, deadline_at, epoch, version, host, started_at,
                            finished_at)
SELECT %(source)s, %(status)s, 'stand-in', CASE WHEN %(status)s <> 'abandoned' THEN 'StoreError' END, 'test', now(), 1,
       '0', 'h', s.at, CASE WHEN %(status)s <> 'running' THEN s.at END
FROM (SELECT coalesce(%(at)s::timestamptz, clock_timestamp()) AS at) AS s RETURNING run
"""


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """Forty images, just loaded."""
    with Edge(server) as edge:
        edge.run()
        yield edge


def notices(
    edge: Edge, run: int | None = None, *, enabled: tuple[str, ...] = NOTICES[:-1], failures: int = 3
) -> list[Notice]:
    """The notices of a run; of the last one by default."""
    facts = facts_of(edge.target, run or edge.record["run"], enabled)
    return notices_of(facts, enabled, failures) if facts else []


def kinds(edge: Edge, run: int | None = None, **known: Any) -> list[str]:
    """The kinds of a run's notices."""
    return [notice.kind for notice in notices(edge, run, **known)]


def record(edge: Edge, status: str, at: object = None) -> int:
    """Record a run that ended with this status, now or at the given moment."""
    facts = {"source": edge.inventory.source.name, "status": status, "at": at}
    row = edge.connection.execute(STAND_IN, facts).fetchone()
    assert row is not None
    return int(row[0])


def test_no_facts_about_running_or_unknown_runs(edge: Edge) -> None:
    """A run that is still running, or never existed, has no facts."""
    assert facts_of(edge.target, record(edge, "running"), NOTICES) is None
    assert facts_of(edge.target, 999_999, NOTICES) is None


def test_no_notice_about_a_run_without_changes(edge: Edge) -> None:
    """A run that changed nothing sends no notice."""
    edge.run()

    assert notices(edge) == []


def test_held_deletions_are_reported_once(edge: Edge) -> None:
    """The run that first held deletions reports them; later runs report only further ones; the id never changes."""
    gone = edge.world.delete(20)
    first = edge.run()
    (notice,) = notices(edge)
    edge.run()
    again = notices(edge)
    edge.world.delete(3)
    edge.run()
    more = notices(edge)

    assert (notice.kind, dict(notice.numbers)) == ("held", {"held": 20, "waiting": 20})
    assert len(notice.examples) == 5
    assert {example["id"] for example in notice.examples} < set(gone)
    assert f"approve {first.run}" in notice.sentence
    assert again == []
    assert [dict(each.numbers) for each in more] == [{"held": 3, "waiting": 23}]
    assert notices(edge, first.run)[0].id == notice.id
    approve(edge.target, first.run or 0, "ann")
    edge.run()
    assert notices(edge) == []


def test_newly_exposed_images_are_reported(edge: Edge) -> None:
    """Images that became public or unprotected are reported; the reverse, and images public from the start, are not."""
    edge.world.put(image("a", visibility="private", protected=True, __isregistered="true"))
    edge.world.put(image("b", visibility="public", protected=False))
    edge.run()
    before = kinds(edge)
    edge.world.put(image("a", visibility="public", protected=False, updated_at="2026-01-02T00:00:00Z"))
    edge.world.put(image("b", visibility="private", protected=True, updated_at="2026-01-02T00:00:00Z"))
    edge.run()
    (notice,) = notices(edge)
    edge.run()

    assert before == []
    assert (notice.kind, dict(notice.numbers)) == ("exposure", {"changes": 2})
    assert [(each["id"], each["field"], each["old"], each["new"]) for each in notice.examples] == [
        ("a", "protected", "true", "false"),
        ("a", "visibility", "private", "public"),
    ]
    assert notices(edge) == []


def test_quarantined_records_are_reported_once(edge: Edge) -> None:
    """The run that first met a quarantined record reports it with the reason."""
    edge.world.put(b'{"id":"broken","name":"\\u0000"}')
    edge.run_unclear()
    (notice,) = notices(edge)
    edge.run_unclear()

    assert (notice.kind, dict(notice.numbers)) == ("quarantined", {"quarantined": 1})
    assert notice.examples[0]["id"] == "broken"
    assert notice.examples[0]["reason"]
    assert notices(edge) == []


def test_unproven_lists_and_their_end_are_reported_once(edge: Edge) -> None:
    """The first unproven list and the next proven one are reported; a failed run in between changes nothing."""
    seen = []
    for step in (edge.run_unproven, edge.run_unproven, lambda: fail(edge), edge.run_unproven, edge.run, edge.run):
        step()
        seen.append(kinds(edge))

    assert seen == [["unproven"], [], [], [], ["unproven_over"], []]


def test_unconfirmed_images_and_their_end_are_reported_once(edge: Edge) -> None:
    """The first run with unconfirmed images and the first without are reported; a failure between changes nothing."""
    edge.world.delete(2)
    seen = []
    for refused in (True, True, None, True, False, False):
        if refused:
            edge.cloud.faults.add(only_by_id(effects.status(404)), times=None)
        if refused is None:
            fail(edge)
        else:
            edge.run()
        edge.cloud.faults.clear()
        seen.append(kinds(edge))

    assert seen == [["unconfirmed"], [], [], [], ["unconfirmed_over"], []]


def test_failures_and_their_end_are_reported_once(edge: Edge) -> None:
    """The run that reaches the configured number of failures reports them, and the next success reports their end."""
    seen = []
    for step in (*[lambda: fail(edge)] * 4, edge.run, lambda: fail(edge), edge.run):
        step()
        seen.append(kinds(edge))

    assert seen == [[], [], ["failures"], [], ["failures_over"], [], []]


def test_the_next_run_reports_killed_runs(edge: Edge) -> None:
    """Killed and stopped runs send no notice, so the next run reports them, whether it fails or succeeds."""
    for status in ("failed", "abandoned", "interrupted"):
        record(edge, status)
    assert kinds(edge) == []
    fail(edge)
    assert kinds(edge) == ["failures"]
    fail(edge)
    assert kinds(edge) == []
    edge.run()
    assert kinds(edge) == ["failures_over"]
    for _ in range(3):
        record(edge, "abandoned")
    edge.run()
    assert kinds(edge) == ["failures_over"]


def test_overtaken_runs_do_not_count(edge: Edge) -> None:
    """Superseded and skipped runs do not count as failures."""
    for status in ("failed", "superseded", "failed", "skipped"):
        record(edge, status)
        assert kinds(edge) == []
    record(edge, "failed")
    assert kinds(edge) == ["failures"]


def test_concurrent_failures_are_reported_once(edge: Edge) -> None:
    """The last of several concurrent failed runs reports them; runs that a later success overtook report nothing."""
    early, late = record(edge, "running"), record(edge, "running")
    record(edge, "failed")
    end(edge, late)
    first = kinds(edge, late)
    end(edge, early)
    second = kinds(edge, early)
    fail(edge)

    assert (first, second, kinds(edge)) == ([], ["failures"], [])
    slow = record(edge, "running")
    edge.run()
    assert kinds(edge, edge.record["run"]) == ["failures_over"]
    end(edge, slow)
    assert kinds(edge, slow, failures=1) == []


def end(edge: Edge, run: int) -> None:
    """Make a running run fail."""
    edge.do("UPDATE inventory.runs SET status = 'failed', finished_at = clock_timestamp() WHERE run = %s", run)


def fail(edge: Edge) -> None:
    """Run a sync that fails."""
    edge.cloud.faults.add(effects.status(403), times=None)
    edge.fails(ForbiddenError)
    edge.cloud.faults.clear()


def test_the_first_run_of_a_day_sends_the_summary(server: Server) -> None:
    """The first run of a UTC day that was not killed sends the summary of the day before; later runs do not."""
    with Edge(server) as edge:
        edge.inventory.run()
        first, moment = edge.record["run"], edge.record["finished_at"]
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        edge.do(
            "UPDATE inventory.runs SET finished_at = finished_at - interval '24 hours' WHERE run = %s", first
        )  # yesterday
        yesterday = record(edge, "failed", midnight - timedelta(seconds=1))
        killed = record(edge, "abandoned", midnight + timedelta(seconds=1))
        today = record(edge, "failed", midnight + timedelta(seconds=2))
        edge.inventory.run()
        later = edge.record["run"]
        (notice,) = notices(edge, today, enabled=("daily",))

        assert [kinds(edge, run, enabled=("daily",)) for run in (first, yesterday, killed, later)] == [
            ["daily"],
            [],
            [],
            [],
        ]
        assert {name: notice.numbers[name] for name in ("runs", "failed", "created", "live", "held")} == {
            "runs": 1,
            "failed": 1,
            "created": 40,
            "live": 40,
            "held": 0,
        }
        assert notice.numbers["proven_seconds_ago"] is not None


def test_sources_do_not_report_each_other(edge: Edge) -> None:
    """Failures are counted per source."""
    for _ in range(3):
        record(edge, "failed")
    other = Inventory(edge.target, edge.cloud)
    other.run()

    assert kinds(edge, other.last_run()["run"]) == []
    assert kinds(edge) == ["failures"]
