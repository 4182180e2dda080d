"""A live image that the list omits is still there, unconfirmed, pending or gone; each run records which."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import effects
import pytest
from builders import image
from cli_tools import Job
from cloud_tools import gap, only_by_id
from effects import Effect
from machine_faults import Overtaken, Stale
from servers import Server
from store_tools import Edge

from sync import job, runner, wiring
from sync.domain.guard import Plan
from sync.domain.outcome import Outcome
from sync.domain.run import Staged
from sync.domain.scope import Scope
from sync.domain.status import Status
from sync.errors import StoreError, SupersededError
from sync.store.approvals import approve
from sync.store.runs.dry_run import DryRun
from sync.store.runs.transaction import RunTransaction

HOUR = 3600.0
OPEN = "SELECT id, state, pending_until FROM inventory.missing_images WHERE ended_at IS NULL ORDER BY id"


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A cloud of 40 images, synced once."""
    with Edge(server) as edge:
        edge.run()
        yield edge


def lag(ids: list[str]) -> Effect:
    """A lagging replica: neither its lists nor its answers by id show these images yet."""
    return Effect("lag", ask=lambda query: replace(query, hidden=frozenset(ids)))


def states(edge: Edge) -> dict[str, str]:
    """The state of each missing image on record, by id."""
    return {row[0]: row[1] for row in edge.rows(OPEN)}


def test_a_lagging_replica_deletes_no_new_image(edge: Edge) -> None:
    """New images that a lagging replica does not show are pending, and later neither deleted nor restored."""
    new = edge.world.create(10)
    edge.run(grace=HOUR)
    edge.cloud.faults.add(lag(new), times=None)
    lagging = edge.run(grace=HOUR)
    pending = states(edge)
    edge.cloud.faults.clear()
    caught_up = edge.run(grace=HOUR)

    assert (lagging.status, lagging.missing, lagging.pending, lagging.plan.deleted) == (Status.DONE, 10, 10, 0)
    assert pending == dict.fromkeys(new, "pending")
    assert (caught_up.plan.restored, caught_up.unchanged, states(edge)) == (0, 50, {})


def test_a_pending_image_is_named_with_the_end_of_its_grace(edge: Edge, tmp_path: Path) -> None:
    """`status` counts pending images and says until when, `status --missing` lists them; the exit code is 0."""
    (gone,) = edge.world.delete(1)
    edge.run(grace=HOUR)
    until = edge.value(
        "SELECT inventory.instant(listed_since + interval '1 hour') FROM inventory.images WHERE id = %s", gone
    )
    command = Job(tmp_path, edge.url)
    plain, listed = command("status"), command("status", "--missing", "--format", "json")

    assert plain.code == listed.code == 0
    assert f"1 missing image was listed too recently to be believed gone, the last of them until {until}" in plain.err
    assert [(row["id"], row["state"], row["pending_until"]) for row in listed.rows] == [(gone, "pending", until)]


def test_a_refused_confirmation_is_reported_everywhere(tmp_path: Path, server: Server) -> None:
    """Exit code, JSON, status and metrics all report it if the cloud refuses to answer by id."""
    with Edge(server, 5) as edge:
        command = Job(tmp_path, edge.url, edge.cloud, IMAGE_SYNC_METRICS_FILE=str(tmp_path / "metrics.prom"))
        assert command("run").code == 0
        edge.world.delete(2)
        edge.cloud.faults.add(only_by_id(effects.status(403)), times=None)
        run, status = command("run", "--format", "json"), command("status")
        metrics = (tmp_path / "metrics.prom").read_text()

    assert run.code == 4
    assert (run.row["status"], run.row["missing"], run.row["unconfirmed"], run.row["deleted"]) == ("withheld", 2, 2, 0)
    assert run.row["reason"].startswith("2 missing images could not be confirmed gone: the credentials may not list")
    assert "2 missing images could not be confirmed gone: image-sync status --missing" in status.err
    assert 'image_sync_images_missing{source="default",state="unconfirmed"} 2.0' in metrics
    assert 'image_sync_images_missing{source="default",state="pending"} 0.0' in metrics


def test_after_its_grace_an_image_is_deleted(edge: Edge) -> None:
    """An image that is still missing after its grace is confirmed and deleted, and its case is closed."""
    gone = edge.world.delete(2)
    waiting = edge.run(grace=HOUR)
    done = edge.run(grace=0.0)

    assert (waiting.pending, waiting.plan.deleted) == (2, 0)
    assert (done.pending, done.plan.deleted) == (0, 2)
    assert edge.rows("SELECT DISTINCT outcome FROM inventory.missing_images") == [("deleted",)]
    assert edge.inventory.deleted() == set(gone)


def test_pending_images_are_not_asked_for(edge: Edge) -> None:
    """No request by id is made for an image within its grace."""
    edge.world.delete(3)
    since = edge.cloud.journal.seq
    edge.run(grace=HOUR)

    assert not [event for event in edge.cloud.journal.answers(since) if "id=" in str(event.detail["query"])]


def test_a_longer_grace_moves_its_end(edge: Edge) -> None:
    """The recorded end of the grace follows the current setting."""
    edge.world.delete(1)
    edge.run(grace=HOUR)
    before = edge.rows(OPEN)[0][2]
    edge.run(grace=2 * HOUR)

    assert (edge.rows(OPEN)[0][2] - before).total_seconds() == HOUR


def test_an_unconfirmed_image_once_listed_as_deleted_stays(server: Server) -> None:
    """An image that was listed as deleted, held and released stays while no list or answer confirms it."""
    with Edge(server, show_deleted=True) as edge:
        edge.run()
        names = edge.world.delete(15)
        held = edge.run()
        approve(edge.target, held.run or 0, "ann")
        edge.cloud.faults.add(only_by_id(effects.status(500)), times=None)
        edge.cloud.faults.add(gap(names), times=None)
        outcome = edge.run(max_retries=0)

    assert (held.plan.held, outcome.unconfirmed, outcome.plan.deleted) == (15, 15, 0)


def test_doubt_comes_before_grace(edge: Edge) -> None:
    """If the list is in doubt, all missing images are unconfirmed, recent or not."""
    edge.world.delete(2)
    edge.world.put(b'{"name":"nameless"}')
    outcome = edge.run(grace=HOUR)

    assert (outcome.unconfirmed, outcome.pending, outcome.status) == (2, 0, Status.WITHHELD)


def test_grace_restarts_when_an_image_is_listed_again(edge: Edge) -> None:
    """An image that was unlisted for a while and is listed again has a new grace."""
    (name,) = sorted(edge.world.truth())[:1]
    time.sleep(1.1)
    edge.cloud.faults.add(gap([name]), times=None)
    left = edge.run(grace=1.0)
    edge.cloud.faults.clear()
    edge.run(grace=1.0)
    edge.cloud.faults.add(lag([name]), times=None)
    again = edge.run(grace=1.0)

    assert (left.still_there, left.pending) == (1, 0)
    assert (again.still_there, again.pending, again.plan.deleted) == (0, 1, 0)


def test_grace_restarts_when_a_held_image_is_listed_again(edge: Edge) -> None:
    """An image whose deletion was held has a new grace once it is listed again."""
    names = sorted(edge.world.truth())[:15]
    time.sleep(1.1)
    edge.cloud.faults.add(lag(names), times=None)
    held = edge.run(grace=1.0)
    edge.cloud.faults.clear()
    edge.run(grace=1.0)
    edge.cloud.faults.add(lag(names), times=None)
    again = edge.run(grace=1.0)

    assert (held.plan.held, again.pending, again.plan.held) == (15, 15, 0)


def test_grace_restarts_when_an_image_is_restored(edge: Edge) -> None:
    """A restored image has a new grace."""
    edge.world.delete(1)
    edge.run()
    edge.world.restore(1)
    edge.run()
    edge.world.delete(1)

    assert edge.run(grace=HOUR).pending == 1


def test_each_state_of_a_missing_image_is_recorded(edge: Edge) -> None:
    """One row records that an image was still there, then unconfirmed, then deleted, and when each began."""
    (name,) = sorted(edge.world.truth())[:1]
    edge.cloud.faults.add(gap([name]), times=None)
    first = edge.run()
    seen = [states(edge)]
    edge.run()
    edge.cloud.faults.add(only_by_id(effects.status(404)), times=None)
    third = edge.run()
    seen.append(states(edge))
    edge.cloud.faults.clear()
    edge.world.remove(name)
    last = edge.run()

    assert seen == [{name: "still_there"}, {name: "unconfirmed"}]
    assert edge.rows("SELECT since, run, state_run, ended_run, outcome FROM inventory.missing_images") == [
        (first.effective_at, first.run, third.run, last.run, "deleted")
    ]


def test_unchanged_missing_images_are_not_rewritten(edge: Edge) -> None:
    """A run that finds the same images missing for the same reasons writes only its record."""
    names = sorted(edge.world.truth())[:3]
    edge.cloud.faults.add(gap(names), times=None)
    edge.run()
    before = edge.rows("SELECT xmin::text, id FROM inventory.missing_images ORDER BY id")
    edge.run()

    assert edge.rows("SELECT xmin::text, id FROM inventory.missing_images ORDER BY id") == before


def test_a_held_image_is_closed_as_held(edge: Edge) -> None:
    """When an unconfirmed image is confirmed gone but held, its missing record ends and its held one begins."""
    names = edge.world.delete(15)
    edge.cloud.faults.add(only_by_id(effects.status(500)), times=None)
    unconfirmed = edge.run(max_retries=0)
    edge.cloud.faults.clear()
    held = edge.run()

    assert (unconfirmed.unconfirmed, held.plan.held) == (15, 15)
    assert edge.rows("SELECT DISTINCT outcome FROM inventory.missing_images") == [("held",)]
    approve(edge.target, held.run or 0, "ann")
    assert edge.run().plan.deleted == len(names)


# --- missing rows are noticed -----------------------------------------------------------------------------------------


def test_a_legacy_setting_of_strings_changes_nothing(edge: Edge) -> None:
    """An empty list is held even if `standard_conforming_strings` is off by default."""
    name = edge.value("SELECT current_database()")
    edge.do(f"ALTER DATABASE {name} SET standard_conforming_strings = off")
    for gone in list(edge.world.truth()):
        edge.world.remove(gone)
    outcome = edge.run()

    assert (outcome.status, outcome.missing, outcome.plan.held) == (Status.WITHHELD, 40, 40)


def _look_up_after(edge: Edge, statement: str) -> None:
    edge.world.delete(2)
    with edge.parts() as (_, parts):
        store = Overtaken(edge.target, "live_images", lambda: edge.do(statement))
        with store:
            job.run_sync(parts.source, parts.cloud, store, parts.spool, "command")


def test_images_that_are_not_found_again_fail_the_run(edge: Edge) -> None:
    """Finding fewer ids than digests fails the run instead of counting as nothing missing."""
    with pytest.raises(StoreError, match="does not find 2 of the images that it holds"):
        _look_up_after(edge, "UPDATE inventory.images SET raw_digest = ''")

    assert edge.record["status"] == "failed"


def test_images_that_another_run_changed_are_no_error(edge: Edge) -> None:
    """If another run committed in the meantime, this one is superseded instead."""
    with pytest.raises(SupersededError):
        _look_up_after(
            edge, "UPDATE inventory.images SET raw_digest = ''; UPDATE inventory.sources SET epoch = epoch + 1"
        )
    edge.do("UPDATE inventory.sources SET epoch = epoch - 1")


SWALLOW = """
CREATE FUNCTION inventory.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER swallow BEFORE {event} ON inventory.{table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION inventory.swallow()
"""


@pytest.mark.parametrize(
    ("event", "table", "when", "what"),
    [
        ("INSERT", "images", "NEW.id = 'img-new'", "images created"),
        ("UPDATE", "images", "NEW.id = 'img-1'", "images updated"),
        ("UPDATE", "images", "NEW.id = 'img-2'", "images marked deleted"),
        ("INSERT", "run_pages", "NEW.page = 1", "pages of evidence"),
        ("INSERT", "image_versions", "NEW.id = 'img-1'", "versions closed"),
        ("INSERT", "image_versions", "NEW.id = 'img-2'", "versions of removed images closed"),
        ("INSERT", "missing_images", "NEW.id = 'img-3'", "missing images on record"),
        ("INSERT", "quarantine", "true", "records quarantined"),
        ("UPDATE", "sources", "NEW.epoch > OLD.epoch", "did not write the row of the source"),
        ("UPDATE", "sources", "NEW.proven_at IS DISTINCT FROM OLD.proven_at", "sources proven"),
        ("UPDATE", "runs", "NEW.changes_digest IS NOT NULL AND OLD.changes_digest IS NULL", "runs sealed"),
    ],
)
def test_rows_that_are_not_written_fail_the_run(edge: Edge, event: str, table: str, when: str, what: str) -> None:
    """If a trigger swallows a row, the run fails as a whole, as written rows are counted against the plan."""
    for name in ("img-1", "img-2", "img-3"):
        edge.world.put(image(name))
    edge.run()
    edge.do(SWALLOW.format(event=event, table=table, when=when))
    edge.cloud.faults.add(gap(["img-3"]), times=None)
    edge.world.put(b'{"id":"broken","name":"\\u0000"}')
    edge.world.put(image("img-new"))
    edge.world.put(image("img-1", name="another"))
    edge.world.remove("img-2")

    error = edge.fails(StoreError)

    assert what in str(error)


def test_a_deletion_that_is_not_held_on_record_fails_the_run(edge: Edge) -> None:
    """A held deletion without a row in held_deletions fails the run."""
    edge.do(SWALLOW.format(event="INSERT", table="held_deletions", when="true"))
    edge.world.delete(15)

    assert "deletions held" in str(edge.fails(StoreError))


def test_an_approval_during_a_run_is_no_error(edge: Edge) -> None:
    """Deletions can be approved while a later run is writing; the next run deletes them."""
    edge.world.delete(15)
    held = edge.run()
    with edge.parts() as (store, parts):
        write = RunTransaction.write

        class Approving(RunTransaction):
            def write(self, staged: Staged, plan: Plan) -> None:
                approve(edge.target, held.run or 0, "ann")
                write(self, staged, plan)

        begun = store.start(parts.source, "command")
        listing = job.read_listing(begun, parts.cloud, store, parts.spool)
        missing = job.find_missing(begun, listing, parts.cloud, Scope())
        with store.transaction(begun) as tables:
            tables.__class__ = Approving
            staged = tables.stage(parts.spool, listing)
            plan = tables.plan(staged, missing)
            tables.write(staged, plan)
            outcome = tables.finish(staged, plan, missing, parts.cloud.stats)

    assert (outcome.plan.held, outcome.held_by) == (15, ())
    assert edge.run().plan.deleted == 15


def test_a_first_load_that_comes_short_fails(server: Server) -> None:
    """A first load that writes fewer rows than planned fails."""
    with Edge(server, size=5) as edge:
        edge.world.put(image("img-1"))
        edge.do(SWALLOW.format(event="INSERT", table="images", when="NEW.id = 'img-1'"))

        assert "5 images loaded, and 6 were planned" in str(edge.fails(StoreError))


# --- a second list that contradicts the first one ---------------------------------------------------------------------


def confirmed_by(edge: Edge, second: Effect, hidden: int = 3) -> Outcome:
    """Run with a list that omits existing images, and a second list with another fault."""
    names = sorted(edge.world.truth())[:hidden]
    edge.cloud.faults.add(lag(names), nth=1, times=1)
    edge.cloud.faults.add(second, nth=2, times=None)
    return edge.inventory.run(max_single_confirms=0)


def test_an_empty_second_list_confirms_nothing(edge: Edge) -> None:
    """An empty second list lacks images of the first one, so it confirms no deletion."""
    outcome = confirmed_by(edge, effects.images("empty"))

    assert (outcome.plan.deleted, outcome.unconfirmed, outcome.status) == (0, 3, Status.WITHHELD)
    assert "the second list lacks 37 of 37 images that the first one shows" in outcome.reason


def test_an_empty_list_is_not_believed_because_one_image_answers(server: Server) -> None:
    """An answer by id does not make an empty list believable: the other deletions are held."""
    with Edge(server, 8) as edge:
        edge.run()
        every = frozenset(edge.world.truth())
        others = every - {min(every)}
        fault = Effect("empty", ask=lambda query: replace(query, hidden=others if query.filters else every))
        edge.cloud.faults.add(fault, times=None)
        outcome = edge.run()

    assert (outcome.still_there, outcome.plan.deleted, outcome.plan.held) == (1, 0, 7)
    assert "an empty list is never believed" in outcome.reason


def test_a_partial_second_list_confirms_nothing(edge: Edge) -> None:
    """A second list of only a part of the images confirms no deletion."""
    outcome = confirmed_by(edge, lag(sorted(edge.world.truth())[:30]))

    assert (outcome.plan.deleted, outcome.unconfirmed) == (0, 3)


def test_a_second_list_with_nameless_records_confirms_nothing(edge: Edge) -> None:
    """A nameless record might be any missing image, so a second list with one confirms no deletion."""
    hidden = set(sorted(edge.world.truth())[:3])

    def without_ids(page: dict[str, bytes]) -> dict[str, bytes]:
        shown = json.loads(page["images"])
        for one in shown:
            if one["id"] in hidden:
                del one["id"]
        return page | {"images": json.dumps(shown).encode()}

    outcome = confirmed_by(edge, Effect("nameless", shape=without_ids))

    assert (outcome.plan.deleted, outcome.unconfirmed) == (0, 3)
    assert "records without a readable id: 3" in outcome.reason


def test_an_empty_answer_without_a_total_confirms_nothing(edge: Edge) -> None:
    """An answer by id confirms a deletion only if its total says so too."""
    names = sorted(edge.world.truth())[:3]
    edge.cloud.faults.add(lag(names), times=None)
    edge.cloud.faults.add(only_by_id(effects.body('{"images": []}')), times=None)
    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.unconfirmed, outcome.status) == (0, 3, Status.WITHHELD)


def test_a_throttled_second_list_costs_only_the_deletions(edge: Edge) -> None:
    """If the second list is throttled beyond the deadline, the first list is still written, without deletions."""
    edge.world.delete(3)
    new = edge.world.create(5)
    edge.cloud.faults.add(effects.throttled(window="1 hour"), nth=2, times=None)
    outcome = edge.run(max_single_confirms=0, deadline=60.0)

    assert (outcome.plan.created, outcome.unconfirmed, outcome.plan.deleted) == (len(new), 3, 0)


# --- unproven lists ---------------------------------------------------------------------------------------------------


def test_an_unproven_list_restarts_the_grace_of_its_images(edge: Edge) -> None:
    """An image that was missing and is shown by an unproven list has a new grace."""
    (name,) = sorted(edge.world.truth())[:1]
    edge.cloud.faults.add(gap([name]), times=None)
    edge.run()
    edge.cloud.faults.clear()
    edge.run_unproven()
    edge.cloud.faults.add(lag([name]), times=None)

    assert edge.run(grace=HOUR).pending == 1


def test_an_approval_ends_with_a_list_that_shows_the_image(edge: Edge) -> None:
    """An approval ends when any list shows the image, even an unproven one."""
    names = sorted(edge.world.truth())[:15]
    edge.cloud.faults.add(lag(names), times=None)
    held = edge.run()
    approve(edge.target, held.run or 0, "ann")
    edge.cloud.faults.clear()
    edge.run_unproven()
    edge.cloud.faults.add(lag(names), times=None)
    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.plan.held) == (0, 15)


def test_an_answer_by_id_gives_no_grace(edge: Edge) -> None:
    """A held image that answers by its id is kept, but has no new grace, as no list showed it."""
    names = sorted(edge.world.truth())[:15]
    time.sleep(1.1)
    edge.cloud.faults.add(lag(names), times=None)
    edge.run(grace=1.0)
    edge.cloud.faults.clear()
    edge.cloud.faults.add(gap(names), times=None)
    first, second = edge.run(grace=1.0), edge.run(grace=1.0)

    assert (first.still_there, second.still_there, second.pending) == (15, 15, 0)


def test_a_held_deletion_stays_held_under_a_longer_grace(edge: Edge) -> None:
    """A longer grace does not turn a held deletion into a pending image."""
    edge.world.delete(15)
    edge.run()
    outcome = edge.run(grace=HOUR)

    assert (outcome.plan.held, outcome.pending, outcome.exit_code) == (15, 0, 4)


def test_a_clock_set_back_gives_no_grace(edge: Edge) -> None:
    """An image last listed in the future has no grace."""
    edge.do("UPDATE inventory.sources SET effective_at = effective_at + interval '30 days'")
    new = edge.world.create(2)
    edge.inventory.run()
    for name in new:
        edge.world.remove(name)
    outcome = edge.inventory.run(grace=300.0)

    assert (outcome.missing, outcome.pending, outcome.plan.deleted) == (2, 0, 2)


def test_an_image_was_last_seen_before_it_was_pending(edge: Edge) -> None:
    """A run that finds an image pending does not count as having seen it."""
    before = edge.run()
    (name,) = edge.world.delete(1)
    edge.run(grace=HOUR)
    edge.run()

    assert edge.value("SELECT last_seen_at FROM inventory.images WHERE id = %s", name) == before.effective_at


# --- an image with two contents ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize("cap", [30, 60])
def test_an_older_content_does_not_replace_the_stored_one(server: Server, turn: int, cap: int) -> None:
    """Of two versions of an image on different pages the newest is stored, whichever page comes first."""
    with Edge(server, 80) as edge:
        edge.run()
        older = {name: dict(document) for name, document in edge.world.truth().items()}
        edge.world.change(40)
        edge.run()
        newest = {name: str(document["updated_at"]) for name, document in edge.world.truth().items()}
        edge.cloud.listing.page_cap = cap
        fault = Stale(older, turn)
        edge.cloud.faults.add(fault.effect, times=None)
        edge.run_unclear(concurrency=1)
        stored = {row["id"]: row["at"] for row in edge.inventory.images("id, inventory.instant(updated_at) AS at")}

        assert fault.both
        assert {name: stored[name] for name in fault.both} == {name: newest[name] for name in fault.both}


def test_a_plan_says_what_is_missing_and_records_nothing(edge: Edge) -> None:
    """A plan counts pending images and records nothing."""
    edge.world.delete(2)
    source = replace(edge.inventory.source, grace=HOUR)
    with DryRun(edge.target) as store, wiring.parts(source, store, threading.Event()) as parts:
        outcome = runner.sync(parts, "plan")

    assert (outcome.missing, outcome.pending, outcome.plan.deleted) == (2, 2, 0)
    assert states(edge) == {}
