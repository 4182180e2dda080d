"""The whole job under everything that can happen to it, in any order; see ``machine.py``.

The short walk always runs. With ``TEST_STATE_MACHINE=2000`` in the environment the long walk has 2000 random examples,
and a failure is reduced to its shortest form; without it, both walks are the same in every run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import effects
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from machine import Machine
from machine_bench import OPTIONS, WORLD, Bench
from machine_changes import spoil
from machine_clouds import PRIVATE
from machine_faults import FAULTS, fail_questions
from proxy import Lose
from servers import Server

from sync.domain.apis import APIS
from sync.errors import FilterChangedError, ScopeChangedError
from sync.simulator import ADMIN_ROLES, LOST_MARKERS, PROJECT, Viewer
from sync.store.approvals import accept_filter, accept_scope, approve

MET = (
    *("done", "withheld", "failed", "superseded", "proven", "unproven", "several pages", "drifting and proven"),
    *(
        "created",
        "updated",
        "restored",
        "deleted",
        "invisible",
        "held",
        "quarantined",
        "still_there",
        "unconfirmed",
        "pending",
        "approved",
    ),
    *("accepted", "planned", "lagging", "stale", "chains", "scope refused", "scope accepted"),
    *(f"{api} proven" for api in APIS),
)
"""Everything that the long walk must meet."""
EACH_API = pytest.mark.parametrize("api", APIS)
OF_PROJECTS = pytest.mark.parametrize("api", [name for name, api in APIS.items() if api.project_scoped])
EXAMPLES = int(os.environ.get("TEST_STATE_MACHINE", "0"))


def test_invariants_hold(server: Server) -> None:
    """A short walk keeps all invariants."""
    walk(server, settings(max_examples=7, stateful_step_count=15, derandomize=True), kills=False)

    assert Machine.happened["proven"] > 10
    assert {api for api in APIS if Machine.happened[f"{api} proven"]} == set(APIS)


@EACH_API
def test_a_failed_confirmation_deletes_nothing(server: Server, api: str) -> None:
    """I8, I11: if asking for images by id fails in any way, the missing images and other sources stay."""
    with new_bench(server, apart=0, api=api) as bench:
        bench.run("second")
        bench.run("first")
        bench.change("first", ("delete", 2))
        for name in ("400, later", "404", "503", "reset", "a web page", "an error as 200"):
            result = bench.run("first", fault=partial(fail_questions, effect=FAULTS[name]))
            assert (result.gone, result.record["missing"], result.record["unconfirmed"]) == (set(), 2, 2), name
            assert result.record["status"] == "withheld"
        last = bench.run("first").record

    assert (last["missing"], last["deleted"] + last["invisible"]) == (2, 2)


@EACH_API
def test_an_empty_list_is_never_believed(server: Server, api: str) -> None:
    """I8: an empty list deletes nothing, even if it is proven and each deletion is confirmed."""
    with new_bench(server, size=8, api=api) as bench:
        bench.run("first")
        empty = effects.hidden([name for name in bench.accounts["first"].shows() if name])
        result = bench.run("first", lie="empty", fault=lambda account: account.simulator.faults.add(empty, times=None))

    assert (result.gone, result.record["held"], result.record["status"]) == (set(), 8, "withheld")


@EACH_API
def test_at_the_limits_of_the_guard_nothing_is_held(server: Server, api: str) -> None:
    """I8: deletions up to the limit are made; one more holds them all."""
    with new_bench(server, {"max_deletions": 3, "max_daily_deletions": 1000}, size=15, api=api) as bench:
        bench.run("first")
        bench.change("first", ("delete", 3))
        at = bench.run("first").record
        bench.change("first", ("delete", 4))
        beyond = bench.run("first").record

    assert (at["deleted"] + at["invisible"], at["held"]) == (3, 0)
    assert (beyond["deleted"] + beyond["invisible"], beyond["held"]) == (0, 4)


def test_a_run_knows_whether_it_committed(server: Server) -> None:
    """I14: whichever COMMIT loses its answer, a run reports what the tables say."""
    with new_bench(server) as bench:
        results = []
        for nth in range(1, 7):
            bench.change("first", ("change", 1), ("swap", 1))
            bench.strike(nth, Lose.REPLY, only="COMMIT")
            results.append(bench.run("first"))

    assert {each.record["status"] for each in results if each.committed} == {"done"}
    assert any(not each.committed for each in results)


@EACH_API
def test_a_changed_filter_writes_nothing(server: Server, api: str) -> None:
    """I8: images outside a changed filter are not taken for gone until the filter is accepted."""
    with new_bench(server, api=api) as bench:
        bench.run("first")
        bench.accounts["first"].filter = PRIVATE
        result = bench.run("first")

    assert isinstance(result.error, FilterChangedError)
    assert not result.committed


@pytest.mark.parametrize("viewer", [Viewer("3" * 32), Viewer(roles=ADMIN_ROLES), Viewer(roles=("reader",))], ids=str)
@OF_PROJECTS
def test_a_changed_scope_writes_nothing(server: Server, api: str, viewer: Viewer) -> None:
    """I8: images that another project or other roles do not reach are not taken for gone, and never for deleted."""
    with new_bench(server, api=api) as bench:
        bench.run("first")
        bench.accounts["first"].simulator.identity.viewer = viewer
        refused = bench.run("first")
        accept_scope(bench.target, "first")
        accepted = bench.run("first")

    assert isinstance(refused.error, ScopeChangedError)
    assert not refused.committed
    assert accepted.committed
    assert accepted.record["deleted"] == 0


@OF_PROJECTS
def test_shared_images_that_are_taken_back_are_invisible(server: Server, api: str) -> None:
    """I8: an image of another project is never deleted, passes the same guard, and is restored when it returns."""
    options = {"max_deletions": 1, "max_deletions_percent": 1, "max_daily_deletions": 1000}
    with new_bench(server, options, api=api) as bench:
        bench.change("first", ("share", 4))
        bench.run("first")
        bench.change("first", ("unshare", 1))
        one = bench.run("first").record
        bench.change("first", ("unshare", 2))
        held = bench.run("first").record
        approve(bench.target, held["run"], "a tester")
        approved = bench.run("first").record
        bench.change("first", ("share", 3))
        back = bench.run("first").record

    assert (one["invisible"], one["deleted"], one["held"]) == (1, 0, 0)
    assert (held["invisible"], held["held"]) == (0, 2)
    assert (approved["invisible"], approved["deleted"], approved["approved"]) == (2, 0, 2)
    assert back["restored"] + back["created"] == 3


@OF_PROJECTS
def test_hidden_and_deactivated_images_stay(server: Server, api: str) -> None:
    """I9: whatever else happens to an image, it is live as long as there is an answer about it."""
    with new_bench(server, api=api) as bench:
        bench.run("first")
        bench.change("first", ("hide", 13), ("deactivate", 4))
        hidden = bench.run("first", {n: ("hide" if n % 2 else "show", 3) for n in range(1, 12, 3)})
        bench.change("first", ("show", 24), ("activate", 4))
        shown = bench.run("first")

    assert (hidden.gone, shown.gone) == (set(), set())
    assert hidden.record["updated"] >= 13
    assert shown.record["proven"]


@OF_PROJECTS
def test_an_administrator_sees_which_images_of_others_are_deleted(server: Server, api: str) -> None:
    """I8: where a token sees all projects' images, one that is not found is deleted, whoever owned it."""
    with new_bench(server, api=api) as bench:
        bench.accounts["first"].simulator.identity.viewer = Viewer(roles=ADMIN_ROLES)
        bench.change("first", ("share", 4))
        bench.run("first")
        world = bench.accounts["first"].world
        world.delete(ids=[name for name, image in world.truth().items() if image["owner"] != PROJECT][:3])
        record = bench.run("first").record

    assert (record["deleted"], record["invisible"]) == ((3, 0) if APIS[api].admins_see_all else (0, 3))


@EACH_API
def test_recently_listed_images_wait_for_the_end_of_their_grace(server: Server, api: str) -> None:
    """I8: an image that was first listed within its grace is neither asked for nor removed."""
    with new_bench(server, {"grace": 3600.0}, api=api) as bench:
        bench.run("first")
        bench.change("first", ("delete", 3))
        result = bench.run("first")

    assert (result.gone, result.record["pending"]) == (set(), 3)
    assert result.watch.asked_in_vain() == set()


@EACH_API
def test_an_image_outside_the_filter_is_stored_as_it_is_now(server: Server, api: str) -> None:
    """An image that left the filter is asked for by its id, and stored as the cloud shows it."""
    with new_bench(server, api=api) as bench:
        bench.run("first")
        bench.accounts["first"].filter = PRIVATE
        accept_filter(bench.target, "first", "visibility=private")
        bench.run("first")
        bench.change("first", ("change", 45))
        record = bench.run("first").record

    assert record["still_there"] > 0
    assert record["updated"] >= record["still_there"]


@OF_PROJECTS
def test_images_without_a_time_are_found_by_a_list_by_marker(server: Server, api: str) -> None:
    """The order by id shows images without a readable time too, so a second list confirms that these are gone."""
    limits = {"max_single_confirms": 0, "max_deletions": 1000, "max_daily_deletions": 1000}
    with new_bench(server, limits, api=api, page_cap=None) as bench:
        account = bench.accounts["first"]
        own = [image for image in account.world.truth().values() if image["owner"] == PROJECT][:20]
        for image in own:
            account.world.put(image | {"created_at": ""})
        bench.run("first")
        for image in own:
            account.world.remove(str(image["id"]))
        record = bench.run("first").record

    assert (record["deleted"], record["unconfirmed"]) == (20, 0)


@OF_PROJECTS
def test_a_list_by_marker_is_proven_whatever_its_times(server: Server, api: str) -> None:
    """If the time of creation of an image changes, the order by id is still the same, and its images are believed."""
    with new_bench(server, api=api) as bench:
        bench.run("first")
        account = bench.accounts["first"]
        for image in [*account.world.truth().values()][:3]:
            account.world.put(image | {"created_at": "2026-01-01T00:00:00Z"})
        bench.change("first", ("delete", 2))
        result = bench.run("first")

    assert (result.record["proven"], result.record["updated"], len(result.gone)) == (True, 3, 2)


@pytest.mark.parametrize("lost", LOST_MARKERS)
def test_markers_that_are_lost_cost_no_image(server: Server, lost: str) -> None:
    """I9: however a cloud answers markers that are gone, what stayed stays, and the list is proven."""
    with new_bench(server, {"max_deletions": 1000, "max_daily_deletions": 1000}, api="ims", lost_marker=lost) as bench:
        bench.run("first")
        runs = [bench.run("first", dict.fromkeys(range(2, 9), ("swap", 2))) for _ in range(3)]

    assert all(run.record["proven"] for run in runs)
    assert sum(run.record["deleted"] for run in runs) > 0


def test_a_list_proven_by_count_can_confirm(server: Server) -> None:
    """If ties prevent a cover, counts prove both the first list and the one that confirms."""
    with new_bench(server, {"max_single_confirms": 2, "max_gap_requests": 0}, size=0, ties=40) as bench:
        bench.run("first")
        bench.change("first", ("take back", 6))
        record = bench.run("first").record

    assert "two consecutive readings" in record["proof"]
    assert (record["missing"], record["unconfirmed"], record["deleted"]) == (6, 0, 6)


def test_a_released_image_that_is_live_again_stays(server: Server) -> None:
    """An image that was listed as deleted, held and released stays if it is listed as live again."""
    with new_bench(server, show_deleted=True) as bench:
        bench.run("first")
        bench.change("first", ("delete", 13))
        held = bench.run("first").record
        approve(bench.target, held["run"], "a tester")
        bench.change("first", ("restore", 13))
        result = bench.run("first")

    assert (held["held"], result.record["deleted"], result.gone) == (13, 0, set())


@pytest.mark.parametrize("doubt", ["nameless", "unproven"])
def test_an_image_listed_as_deleted_goes_once_there_is_no_doubt(server: Server, doubt: str) -> None:
    """If deletions are withheld, the next good run marks images listed as deleted."""
    with new_bench(server, show_deleted=True) as bench:
        bench.change("first", ("tie", 24))
        bench.run("first")
        bench.change("first", ("delete", 2), ("take back", 1))
        doubted = _DOUBTS[doubt](bench)
        result = bench.run("first")

    assert (doubted["deleted"], doubted["status"]) == (0, "withheld")
    assert (result.record["deleted"], result.record["status"]) == (3, "done")


def test_a_released_image_that_cannot_be_read_stays(server: Server) -> None:
    """An image that was listed as deleted, held and released stays while its record cannot be read."""
    with new_bench(server, show_deleted=True) as bench:
        bench.run("first")
        bench.change("first", ("delete", 13))
        held = bench.run("first").after.open_cases("first")
        approve(bench.target, next(iter(held.values()))["run"], "a tester")
        account, name = bench.accounts["first"], min(held)
        account.world.put(account.world.truth()[name] | {"name": "a\0b"})
        result = bench.run("first")

    assert result.gone == held.keys() - {name}


def test_an_image_that_returns_outside_the_filter_is_not_held(server: Server) -> None:
    """I8: the case of a returned image is closed, whether or not the image is in the filter."""
    with new_bench(server) as bench:
        bench.run("first")
        bench.accounts["first"].filter = PRIVATE
        accept_filter(bench.target, "first", "visibility=private")
        bench.change("first", ("delete", 50))
        bench.run("first")
        bench.change("first", ("restore", 60))
        result = bench.run("first")

    assert result.after.open_cases("first") == {}


def test_a_released_image_outside_the_filter_is_deleted(server: Server) -> None:
    """I8: an approved deletion is made by the next run, whether or not the image is in the filter."""
    with new_bench(server, show_deleted=True) as bench:
        bench.run("first")
        bench.accounts["first"].filter = PRIVATE
        accept_filter(bench.target, "first", "visibility=private")
        bench.change("first", ("delete", 50))
        held = bench.run("first").record
        approve(bench.target, held["run"], "a tester")
        record = bench.run("first").record

    assert record["deleted"] == held["held"]


def test_an_unproven_second_list_deletes_nothing_outside_the_filter(server: Server) -> None:
    """If the second list, which looks for images outside a new filter, is unproven, none is deleted."""
    with new_bench(server, {"max_single_confirms": 2}, unstable_ties=True) as bench:
        account = bench.accounts["first"]
        created = "2026-01-01T00:00:00Z"
        for image in [*account.world.truth().values()][:24]:
            account.world.put(image | {"created_at": created, "visibility": "public"})
        bench.run("first")
        account.filter = PRIVATE
        accept_filter(bench.target, "first", "visibility=private")
        runs = [bench.run("first") for _ in range(4)]

    assert [run.gone for run in runs] == [set()] * 4
    assert {run.record["status"] for run in runs if run.record["unconfirmed"]} <= {"withheld"}
    assert {run.record["proven"] for run in runs} == {True}


@pytest.mark.long
def test_invariants_hold_for_long(server: Server) -> None:
    """A long walk with really killed processes keeps all invariants and meets everything that matters."""
    walk(
        server,
        settings(max_examples=EXAMPLES or 24, stateful_step_count=25, derandomize=not EXAMPLES),
        kills=True,
    )

    assert [kind for kind in MET if not Machine.happened[kind]] == []


@pytest.mark.long
@EACH_API
def test_a_killed_process_leaves_all_or_nothing(server: Server, api: str) -> None:
    """I2, I14: wherever a real process is killed, it has written all of its run or nothing."""
    with new_bench(server, api=api) as bench:
        bench.run("first")
        for nth in range(12, 48, 3):
            bench.change("first", ("change", 2), ("swap", 2))
            bench.run_child("first", nth, at_question=False)
        for nth in (1, 3, 6):
            bench.run_child("first", nth, at_question=True)
        bench.run("first")

    assert bench.happened["killed"] > 10
    assert bench.happened["running"] > 5


@contextmanager
def new_bench(
    server: Server, options: Mapping[str, object] | None = None, *, apart: int = 1, **world: object
) -> Iterator[Bench]:
    """A bench with two sources, checked once more at the end."""
    bench = Bench(server, first=WORLD | world, options=OPTIONS | dict(options or {}), apart=apart)
    try:
        yield bench
    finally:
        bench.close()


def walk(server: Server, options: settings, *, kills: bool) -> None:
    """Run the state machine, and count from zero what it meets."""
    Machine.server, Machine.kills = server, kills
    Machine.happened.clear()
    unhurried = settings(
        options,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
    )
    run_state_machine_as_test(Machine, settings=unhurried)


def _nameless(bench: Bench) -> dict[str, object]:
    """A run that meets a record without an id, which is removed afterwards."""
    account = bench.accounts["first"]
    spoil(account, "no id", known=False)
    record = bench.run("first").record
    account.world.remove(account.put.pop())
    return record


def _unproven(bench: Bench) -> dict[str, object]:
    """A run of a list whose ties are unstable and whose total keeps changing."""
    listing = bench.accounts["first"].simulator.listing
    listing.unstable_ties = True
    record = bench.run("first", dict.fromkeys(range(1, 100), ("create", 1))).record
    listing.unstable_ties = False
    return record


_DOUBTS: dict[str, Callable[[Bench], dict[str, object]]] = {"nameless": _nameless, "unproven": _unproven}
