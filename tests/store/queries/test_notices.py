"""What the database says that people may be told: real runs against a real PostgreSQL, and what follows of each."""

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
    with Edge(server) as made:
        made.run()
        yield made


def told(
    edge: Edge, run: int | None = None, *, wanted: tuple[str, ...] = NOTICES[:-1], failures: int = 3
) -> list[Notice]:
    """The notices of a run, or of the last one."""
    facts = facts_of(edge.target, run or edge.record["run"], wanted)
    return notices_of(facts, wanted, failures) if facts else []


def kinds(edge: Edge, run: int | None = None, **known: Any) -> list[str]:
    """Which kinds they are."""
    return [notice.kind for notice in told(edge, run, **known)]


def record(edge: Edge, status: str, at: object = None) -> int:
    """Put a run on record that ended so, just now or at a moment."""
    facts = {"source": edge.inventory.source.name, "status": status, "at": at}
    row = edge.connection.execute(STAND_IN, facts).fetchone()
    assert row is not None
    return int(row[0])


def test_a_run_that_is_not_over_has_nothing_to_tell(edge: Edge) -> None:
    """Nor has one that never was."""
    assert facts_of(edge.target, record(edge, "running"), NOTICES) is None
    assert facts_of(edge.target, 999_999, NOTICES) is None


def test_a_run_without_changes_has_nothing_to_tell(edge: Edge) -> None:
    """And it takes few questions to know."""
    edge.run()

    assert told(edge) == []


def test_held_deletions_are_told_by_the_run_that_held_them_first(edge: Edge) -> None:
    """With how many and which; not again by the next run, but more of them are; and the same whenever it is asked."""
    gone = edge.world.delete(20)
    first = edge.run()
    (notice,) = told(edge)
    edge.run()
    again = told(edge)
    edge.world.delete(3)
    edge.run()
    more = told(edge)

    assert (notice.kind, dict(notice.numbers)) == ("held", {"held": 20, "waiting": 20})
    assert len(notice.examples) == 5
    assert {example["id"] for example in notice.examples} < set(gone)
    assert f"approve {first.run}" in notice.sentence
    assert again == []
    assert [dict(each.numbers) for each in more] == [{"held": 3, "waiting": 23}]
    assert told(edge, first.run)[0].id == notice.id
    approve(edge.target, first.run or 0, "ann")
    edge.run()
    assert told(edge) == []


def test_images_that_became_public_are_told(edge: Edge) -> None:
    """And those that lost their protection; the reverse, and what is public from the start, is nothing to tell."""
    edge.world.put(image("a", visibility="private", protected=True, __isregistered="true"))
    edge.world.put(image("b", visibility="public", protected=False))
    edge.run()
    before = kinds(edge)
    edge.world.put(image("a", visibility="public", protected=False, updated_at="2026-01-02T00:00:00Z"))
    edge.world.put(image("b", visibility="private", protected=True, updated_at="2026-01-02T00:00:00Z"))
    edge.run()
    (notice,) = told(edge)
    edge.run()

    assert before == []
    assert (notice.kind, dict(notice.numbers)) == ("exposure", {"changes": 2})
    assert [(each["id"], each["field"], each["old"], each["new"]) for each in notice.examples] == [
        ("a", "protected", "true", "false"),
        ("a", "visibility", "private", "public"),
    ]
    assert told(edge) == []


def test_quarantined_records_are_told_once(edge: Edge) -> None:
    """By the run that met them first, with the reason."""
    edge.world.put(b'{"id":"broken","name":"\\u0000"}')
    edge.run_unclear()
    (notice,) = told(edge)
    edge.run_unclear()

    assert (notice.kind, dict(notice.numbers)) == ("quarantined", {"quarantined": 1})
    assert notice.examples[0]["id"] == "broken"
    assert notice.examples[0]["reason"]
    assert told(edge) == []


def test_unproven_lists_are_told_once_and_their_end(edge: Edge) -> None:
    """A failed run in between changes nothing."""
    seen = []
    for step in (edge.run_unproven, edge.run_unproven, lambda: fail(edge), edge.run_unproven, edge.run, edge.run):
        step()
        seen.append(kinds(edge))

    assert seen == [["unproven"], [], [], [], ["unproven_over"], []]


def test_unconfirmed_images_are_told_once_and_their_end(edge: Edge) -> None:
    """When the cloud stops saying whether images are gone, and when it says so again; a failed run changes nothing."""
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


def test_failed_runs_are_told_once_and_their_end(edge: Edge) -> None:
    """At the number that is set, by the run that reaches it."""
    seen = []
    for step in (*[lambda: fail(edge)] * 4, edge.run, lambda: fail(edge), edge.run):
        step()
        seen.append(kinds(edge))

    assert seen == [[], [], ["failures"], [], ["failures_over"], [], []]


def test_killed_runs_count_and_the_next_tells(edge: Edge) -> None:
    """What was killed or stopped told nothing: the run after it does, whether it fails too or succeeds."""
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
    """Nor do those that were skipped: another run was ahead, and tells for itself."""
    for status in ("failed", "superseded", "failed", "skipped"):
        record(edge, status)
        assert kinds(edge) == []
    record(edge, "failed")
    assert kinds(edge) == ["failures"]


def test_runs_at_the_same_time_are_told_once(edge: Edge) -> None:
    """Whichever ends last of those that fail reaches the number; of those that a later good run overtook, none does."""
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
    """Have a run fail that was under way."""
    edge.do("UPDATE inventory.runs SET status = 'failed', finished_at = clock_timestamp() WHERE run = %s", run)


def fail(edge: Edge) -> None:
    """Sync in vain."""
    edge.cloud.faults.add(effects.status(403), times=None)
    edge.fails(ForbiddenError)
    edge.cloud.faults.clear()


def test_day_is_told_by_its_first_run(server: Server) -> None:
    """In UTC; with the numbers of the day before; not by the second, nor by one that was killed."""
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
        (notice,) = told(edge, today, wanted=("daily",))

        assert [kinds(edge, run, wanted=("daily",)) for run in (first, yesterday, killed, later)] == [
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


def test_sources_do_not_tell_of_each_other(edge: Edge) -> None:
    """Failed runs and days are those of one source."""
    for _ in range(3):
        record(edge, "failed")
    other = Inventory(edge.target, edge.cloud)
    other.run()

    assert kinds(edge, other.last_run()["run"]) == []
    assert kinds(edge) == ["failures"]
