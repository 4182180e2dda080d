"""A source that is no longer what its inventory was made with is refused, and the sentence names what changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from servers import Server
from store_tools import Edge

from sync import job
from sync.domain.apis import GLANCE
from sync.domain.outcome import Outcome
from sync.domain.scope import Scope
from sync.errors import ApiChangedError, ContractError, FilterChangedError, ScopeChangedError, UnknownError
from sync.store.approvals import accept_filter, accept_scope
from sync.store.runs.dry_run import DryRun

SCOPE = "SELECT scope FROM inventory.sources"
OURS = "project=p1&roles=member,reader"


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A source that never ran."""
    with Edge(server, 5) as edge:
        yield edge


def sync(edge: Edge, scope: str) -> Outcome:
    """Sync once with credentials of this scope, as a run does."""
    with edge.parts() as (store, parts):
        run = store.start(parts.source, "command")
        run = store.claim(run, scope)
        listing = job.read_listing(run, parts.cloud, store, parts.spool)
        missing = job.find_missing(run, listing, parts.cloud, Scope())
        with store.transaction(run) as transaction:
            staged = transaction.stage(parts.spool, listing)
            plan = transaction.plan(staged, missing)
            transaction.write(staged, plan)
            return transaction.finish(staged, plan, missing, parts.cloud.stats)


def refused(edge: Edge, scope: str) -> str:
    """The sentence of a run that is refused for its scope, which writes nothing."""
    before = edge.inventory.dump()
    with pytest.raises(ScopeChangedError) as caught:
        sync(edge, scope)
    assert edge.inventory.dump() == before
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_scope_is_recorded_by_a_commit(edge: Edge) -> None:
    """The first run that commits records its scope; one that only claims it does not; later equal ones go on."""
    with edge.parts() as (store, parts):
        assert store.claim(store.start(parts.source, "command"), OURS).scope == OURS
    assert edge.rows(SCOPE) == [(None,)]

    sync(edge, OURS)
    assert edge.rows(SCOPE) == [(OURS,)]
    sync(edge, OURS)

    assert edge.rows(SCOPE) == [(OURS,)]


def test_no_project_is_a_scope_too(edge: Edge) -> None:
    """An empty scope is known, so credentials of a project are another one; a run that claims none keeps it."""
    sync(edge, "")
    edge.run()

    assert edge.rows(SCOPE) == [("",)]
    assert "the project was none and is p1; they gained the roles member, reader" in refused(edge, OURS)


@pytest.mark.parametrize(
    ("scope", "sentence"),
    [
        ("project=p2&roles=member,reader", "changed: the project was p1 and is p2; they reach other images"),
        ("project=p1&roles=reader", "changed: they lost the role member; they reach other images"),
        ("project=p1&roles=", "changed: they lost the roles member, reader; they reach other images"),
        ("project=p1&roles=admin,member,reader", "changed: they gained the role admin; they reach other images"),
        (
            "project=p1&roles=admin,reader",
            "changed: they lost the role member; they gained the role admin; they reach other images",
        ),
        ("", "changed: the project was p1 and is none; they lost the roles member, reader; they reach other images"),
    ],
)
def test_another_scope_is_refused_and_named(edge: Edge, scope: str, sentence: str) -> None:
    """The sentence names the project and the roles that differ, and the command that accepts it."""
    sync(edge, OURS)

    text = refused(edge, scope)

    assert sentence in text
    assert f"image-sync sources accept-scope {edge.inventory.source.name}" in text


def test_an_accepted_scope_is_that_of_the_next_run(edge: Edge) -> None:
    """After `accept-scope` the next run takes its own; there is nothing to accept twice."""
    sync(edge, OURS)
    name = edge.inventory.source.name

    accept_scope(edge.target, name)
    sync(edge, "project=p2&roles=reader")

    assert edge.rows(SCOPE) == [("project=p2&roles=reader",)]
    assert "p2 and is p1" in refused(edge, "project=p1&roles=reader")
    with pytest.raises(UnknownError, match="has no scope on record"):
        accept_scope(edge.target, "nobody")


def test_a_plan_is_refused_as_well(edge: Edge) -> None:
    """A dry run compares the scope, and records none."""
    sync(edge, OURS)

    with edge.parts() as (_store, parts), DryRun(edge.target) as dry:
        run = dry.start(parts.source, "plan")
        with pytest.raises(ScopeChangedError):
            dry.claim(run, "project=p2")
        assert dry.claim(run, OURS).scope == OURS


def test_a_source_with_another_api_needs_another_name(edge: Edge) -> None:
    """The run is refused at once, on record, and a plan is; the API is on record from the first run on."""
    edge.run()
    assert edge.rows("SELECT api FROM inventory.sources") == [("iec",)]
    edge.do("UPDATE inventory.sources SET api = 'ims', filter = 'name=x'")

    error = edge.inventory.fails(ApiChangedError)

    assert str(error).endswith("changed from ims to iec, so all its images would seem to be gone; give it a new name")
    assert error.exit_code == 2
    with edge.parts() as (_store, parts), DryRun(edge.target) as dry, pytest.raises(ApiChangedError):
        dry.start(parts.source, "plan")


def test_a_changed_filter_is_refused_after_that(edge: Edge) -> None:
    """A filter that changed is named with the command that accepts it."""
    edge.run()
    edge.do("UPDATE inventory.sources SET filter = 'name=x'")

    assert "changed from name=x to no filter" in str(edge.fails(FilterChangedError))


def test_a_skipped_run_registers_the_api(edge: Edge) -> None:
    """A source whose first run is skipped is on record with its API."""
    with edge.parts() as (store, parts):
        store.skip(replace(parts.source, name="cloud", api=GLANCE), "too early")

    assert edge.rows("SELECT name, api FROM inventory.sources") == [("cloud", "glance")]


def test_a_run_that_wrote_nothing_settles_nothing(edge: Edge) -> None:
    """API and filter are those of the first run that commits, not of one that failed because they were wrong."""
    with edge.parts() as (store, parts):
        first = store.start(replace(parts.source, api=GLANCE, filter="visibility=public"), "command")
        store.fail(first, ContractError("no such list"), parts.cloud.stats)
        dry = DryRun(edge.target)
        assert dry.start(parts.source, "plan").epoch == 0
        dry.connection.close()

    assert edge.run().plan.created == 5
    assert edge.rows("SELECT api, filter FROM inventory.sources") == [("iec", "")]
    assert edge.run().plan.changes == 0


def test_the_filter_on_record_is_the_one_of_the_rows(edge: Edge) -> None:
    """A run that began before another filter was accepted, and commits after that, keeps its own on record."""
    edge.run()
    with edge.parts() as (store, parts):
        run = store.start(parts.source, "command")
        run = store.claim(run, "")
        accept_filter(edge.target, parts.source.name, "visibility=public")
        listing = job.read_listing(run, parts.cloud, store, parts.spool)
        missing = job.find_missing(run, listing, parts.cloud, Scope())
        with store.transaction(run) as transaction:
            staged = transaction.stage(parts.spool, listing)
            plan = transaction.plan(staged, missing)
            transaction.write(staged, plan)
            transaction.finish(staged, plan, missing, parts.cloud.stats)

    assert edge.rows("SELECT filter FROM inventory.sources") == [("",)]
    assert edge.run().plan.changes == 0


def test_a_source_without_projects_has_no_scope_to_accept(edge: Edge) -> None:
    """The list of an account is not one of a project, so there is nothing to accept."""
    edge.run()

    with pytest.raises(UnknownError, match="has no scope on record"):
        accept_scope(edge.target, edge.inventory.source.name)
