"""The views and functions that analysts query give the same answers as a plain replay of everything that happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from builders import image
from replay import Replay, played
from servers import Server
from store_tools import Edge

from sync.domain.fields import COLUMNS
from sync.domain.outcome import Outcome
from sync.store.schema import migrate
from sync.store.schema.tables import SCHEMA

CHANGES = "SELECT id, kind, field, old, new FROM inventory.image_changes WHERE run = %s ORDER BY 1, 2, 3"
DEFINITIONS = """
SELECT relname, pg_get_viewdef(oid) FROM pg_class WHERE relnamespace = 'inventory'::regnamespace AND relkind = 'v'
UNION ALL SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'inventory'::regnamespace
ORDER BY 1, 2
"""
RUN_DIFF = "SELECT id, change, field, old, new FROM inventory.run_diff(%s) ORDER BY 1, 2, 3"


@pytest.fixture(params=[4, 5])
def history(request: pytest.FixtureRequest, each_server: Server) -> Iterator[tuple[Edge, Replay]]:
    """The inventory and its model after a dozen runs with random changes."""
    with played(each_server, request.param) as edge_and_replay:
        yield edge_and_replay


def test_live_and_deleted_images(history: tuple[Edge, Replay]) -> None:
    """Live images are those of the last run, deleted images are all others; none is in both."""
    edge, replay = history

    live = {row[0] for row in edge.rows("SELECT id FROM inventory.live_images")}
    gone = {row[0]: row[1:] for row in edge.rows("SELECT id, last_seen_at, deleted_at FROM inventory.deleted_images")}

    assert live == replay.states[-1].keys()
    assert gone.keys() == {name for state in replay.states for name in state} - live
    for name, (last_seen, deleted) in gone.items():
        last = max(n for n, state in enumerate(replay.states) if name in state)
        assert (last_seen, deleted) == (replay.moments[last], replay.moments[last + 1])


def test_every_change_of_every_run(history: tuple[Edge, Replay]) -> None:
    """The changes of each run are those of the replay; none is repeated and none is missing."""
    edge, replay = history
    known: set[str] = set()
    for run, (old, new) in enumerate(pairwise([{}, *replay.states]), start=1):
        rows = edge.rows(CHANGES, run)
        came = {name: "restored" if name in known else "created" for name in new.keys() - old.keys()}

        assert {row[0]: row[1] for row in rows if row[1] in ("created", "restored")} == came
        assert {row[0] for row in rows if row[1] == "deleted"} == old.keys() - new.keys()
        assert {row[0] for row in rows if row[1] == "updated"} == {
            name for name in old.keys() & new.keys() if old[name] != new[name]
        }
        assert len({row[:3] for row in rows}) == len(rows)
        assert all((row[2] is None) == (row[3] is None and row[4] is None) for row in rows)
        known |= new.keys()


def test_run_diff_agrees_with_image_changes(history: tuple[Edge, Replay]) -> None:
    """`run_diff` lists the same changes as `image_changes`, except the fields of restored images."""
    edge, replay = history
    for run in range(1, len(replay.moments) + 1):
        changes = [row for row in edge.rows(CHANGES, run) if row[1] != "restored" or row[2] is None]

        assert edge.rows(RUN_DIFF, run) == changes
    assert edge.rows(RUN_DIFF, len(replay.moments) + 1) == []


def test_between_which_moments_a_change_happened(history: tuple[Edge, Replay]) -> None:
    """A change happened no later than the run that found it, and no earlier than the run before."""
    edge, replay = history
    before: dict[datetime, datetime | None] = dict(zip(replay.moments, [None, *replay.moments], strict=False))

    rows = edge.rows("SELECT DISTINCT at, not_before FROM inventory.image_changes ORDER BY 1")

    assert rows
    assert all(before[at] == not_before for at, not_before in rows)


def test_history_has_no_two_versions_of_a_moment(history: tuple[Edge, Replay]) -> None:
    """The versions of an image do not overlap, and each moment has the versions of its images."""
    edge, replay = history
    overlaps = """
        SELECT count(*) FROM inventory.image_history a JOIN inventory.image_history b
        ON a.source = b.source AND a.id = b.id AND a.valid_from < b.valid_from AND a.valid && b.valid"""

    assert edge.value(overlaps) == 0
    for moment in replay.moments:
        ids = edge.rows("SELECT id FROM inventory.image_history WHERE valid @> %s", moment)
        assert {row[0] for row in ids} == replay.at(moment).keys()


def test_how_well_a_moment_was_observed(server: Server) -> None:
    """For moments before, between, in a gap and after the runs, the answer says how far it can be trusted."""
    with Edge(server) as edge:
        first, second = edge.run(), edge.run()
        in_gap = edge.run_unproven()
        third = edge.run()

        answers = [_observed(edge, run.effective_at) for run in (first, second, in_gap, third)]
        assert [row[:2] for row in answers] == [(1, 2), (2, 4), (2, 4), (4, None)]
        assert [row[2:4] for row in answers] == [(0, False), (1, True), (1, True), (0, False)]
        assert "in a gap" in answers[1][4]
        before = _observed(edge, _moment(first) - timedelta(microseconds=1))
        assert before[:4] == (None, 1, 0, True)
        assert "not known" in before[4]
        edge.run_unproven()
        assert _observed(edge, _moment(third))[2:4] == (1, True)
        rows = edge.rows(
            "SELECT DISTINCT observed_run, observed_next_run FROM inventory.images_as_of(%s)", second.effective_at
        )
        assert rows == [(2, 4)]


def test_withheld_deletions_leave_doubt(server: Server) -> None:
    """After a run withheld deletions, the moment and each of its rows are marked as doubtful."""
    with Edge(server) as edge:
        edge.run()
        edge.world.delete(30)
        held = edge.run()

        assert "withheld deletions" in _observed(edge, held.effective_at)[4]
        assert edge.rows("SELECT DISTINCT observed_doubt FROM inventory.images_as_of(now())") == [(True,)]


def test_an_image_first_listed_as_deleted_is_created_when_live(server: Server) -> None:
    """An image first listed as deleted has no change until it is live; then it is created, and does not flap."""
    with Edge(server, 3) as edge:
        edge.world.put(image("dead", status="deleted"))
        edge.run()
        edge.world.put(image("dead", status="active"))
        second = edge.run()

        changes = edge.rows("SELECT run, kind FROM inventory.image_changes WHERE id = 'dead'")
        assert changes == [(second.run, "created")]
        assert edge.rows("SELECT change FROM inventory.run_diff(2) WHERE id = 'dead'") == [("created",)]
        assert edge.rows("SELECT id FROM inventory.flapping_images") == []


def test_the_earliest_time_of_a_change(server: Server) -> None:
    """Runs that could not see the image, or withheld it, do not count as the earliest time of a change."""
    with Edge(server, 6, show_deleted=True, max_deletions=100) as edge:
        edge.world.put(image("odd"))
        first = edge.run()
        edge.world.put(b'{"id":"odd","name":"\\u0000"}')
        edge.run_unclear()
        edge.world.put(image("odd", name="new"))
        edge.run()
        (gone,) = edge.world.delete(1)
        last = edge.run()

        since = "SELECT kind, not_before FROM inventory.image_changes WHERE id = %s AND at > %s"
        assert edge.rows(since, "odd", first.effective_at) == [("updated", first.effective_at)]
        (kind, not_before), *_ = edge.rows(f"{since} AND kind = 'deleted'", gone, first.effective_at)
        assert (kind, not_before < _moment(last)) == ("deleted", True)


def test_changes_of_large_runs_are_joined_by_key(each_server: Server) -> None:
    """The planner joins the changes of a run of 10,000 deletions by image id, on old servers too."""
    columns = "source, name, valid_from, valid_from_run"
    with Edge(each_server, 1) as edge:
        edge.run()
        edge.do(
            f"INSERT INTO inventory.images (id, {columns}, first_seen_at, listed_since, raw_digest, content_digest) "
            "SELECT 'i' || n, source, name, valid_from + interval '1 hour', 1, first_seen_at, first_seen_at, '', '' "
            "FROM inventory.images, generate_series(1, 50000) AS n"
        )
        edge.do(
            f"INSERT INTO inventory.image_versions (id, {columns}, valid_to, valid_to_run) SELECT id, source, name, "
            "first_seen_at, 1, valid_from, 1 FROM inventory.images WHERE id < 'i2' AND valid_from > first_seen_at"
        )
        edge.do("ANALYZE")
        changes = "SELECT * FROM inventory.image_changes WHERE at > (SELECT min(effective_at) FROM inventory.runs)"
        plan = [row[0].strip() for row in edge.rows(f"EXPLAIN {changes}")]

        conditions = [line for line in plan if line.startswith(("Join Filter", "Merge Cond", "Hash Cond"))]
        assert not [line for line in conditions if line.startswith("Join Filter") and ".id = " in line], plan


def _observed(edge: Edge, moment: datetime | None) -> tuple[Any, ...]:
    query = "SELECT run_before, run_after, failed, doubt, says FROM inventory.observed(%s)"
    return edge.rows(query, moment)[0]


def _moment(outcome: Outcome) -> datetime:
    assert outcome.effective_at is not None
    return outcome.effective_at


def test_counts_of_each_day(server: Server) -> None:
    """There is a row per day from the first run on, even for days without a run; live counts carry over."""
    with Edge(server, 10) as edge:
        edge.run()
        edge.world.create(3)
        edge.world.change(2)
        edge.run()
        edge.world.delete(4)
        edge.run()
        edge.do("UPDATE inventory.runs SET effective_at = effective_at - interval '1 day' * (4 - run)")

        rows = edge.rows("SELECT day, runs, live, created, changed, deleted FROM inventory.daily_counts ORDER BY day")

        today = edge.value("SELECT (effective_at AT TIME ZONE 'UTC')::date FROM inventory.runs WHERE run = 3")
        days: list[date] = [today + timedelta(days=n) for n in (-2, -1, 0, 1)]
        assert rows[:4] == [
            (days[0], 1, 10, 10, 0, 0),
            (days[1], 1, 13, 3, 2, 0),
            (days[2], 1, 9, 0, 0, 4),
            (days[3], 0, 9, 0, 0, 0),
        ]


def test_exposed_and_flapping_images(server: Server) -> None:
    """Changes of visibility and protection say which way they went; an image that returned is flapping."""
    with Edge(server, 5) as edge:
        edge.world.put(image("open", visibility="private", protected=True))
        edge.world.put(image("flaps"))
        edge.run()
        edge.world.put(image("open", visibility="public", protected=True))
        edge.world.remove("flaps")
        edge.run()
        edge.world.put(image("open", visibility="public", protected=False))
        edge.world.put(image("flaps"))
        edge.run()

        exposed = edge.rows(
            "SELECT id, run, field, old, new, exposure FROM inventory.exposure_changes WHERE id = 'open' ORDER BY run"
        )
        assert exposed == [
            ("open", 2, "visibility", "private", "public", "widened"),
            ("open", 3, "protected", "true", "false", "widened"),
        ]
        assert edge.rows("SELECT id, deletions, returns, changes FROM inventory.flapping_images") == [
            ("flaps", 1, 1, 0)
        ]


def test_every_field_can_change(server: Server) -> None:
    """A change in any column of an image is found."""
    with Edge(server, 3) as edge:
        edge.run()
        for column in COLUMNS[1:]:
            kind = edge.value(
                "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
                "WHERE attrelid = 'inventory.image_history'::regclass AND attname = %s",
                column,
            )
            value = {"text": '"x"', "bigint": "7", "boolean": "true", "text[]": '["a, b", "c"]'}.get(
                kind, '"2020-01-01T00:00:00.5Z"'
            )
            old, new = (
                f"jsonb_populate_record(NULL::inventory.image_version, '{{{row}}}')"
                for row in ("", f'"{column}": {value}')
            )

            assert edge.value(f"SELECT inventory.changed_fields({old}, {new})") == [column]
            text = edge.value(f"SELECT inventory.field_text({new}, '{column}')")
            assert text == (value if kind == "text[]" else value.strip('"').replace(".5Z", ".500000Z"))


def test_instants_do_not_depend_on_the_session(server: Server) -> None:
    """Instants are written in UTC, whatever time zone and date style the session has."""
    with Edge(server, 3) as edge:
        edge.do("SET TimeZone = 'Asia/Tokyo'")
        edge.do("SET DateStyle = 'German'")
        moments = [datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 12, microsecond=5, tzinfo=UTC)]

        texts = [edge.value("SELECT inventory.instant(%s)", moment) for moment in moments]

        assert texts == ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000005Z"]


def test_views_and_functions_match_their_files(each_server: Server) -> None:
    """Each view and function has a file, and running the newest file again changes nothing."""
    with Edge(each_server, 3) as edge:
        folder = migrate.sql_folder()
        names = {path.stem for path in folder.glob("*/*.sql")} - {"column_comments"}
        views = "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'v'"
        functions = "SELECT proname FROM pg_proc WHERE pronamespace = %s::regnamespace AND proname !~ '^id_.*range$'"

        assert {row[0] for query in (views, functions) for row in edge.rows(query, SCHEMA)} == names
        for name in names:
            newest = max(folder.glob(f"*/{name}.sql"))
            text = newest.read_text(encoding="utf-8")
            assert text.startswith("-- "), "what it answers stands at the top"
            again = text.replace("CREATE VIEW", "CREATE OR REPLACE VIEW").replace(
                "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
            )
            before = edge.rows(DEFINITIONS)
            edge.do(again)
            assert edge.rows(DEFINITIONS) == before
