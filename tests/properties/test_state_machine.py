"""The whole job under everything that can happen to it, in any order: see ``machine.py``.

The short walk always runs. ``TEST_STATE_MACHINE=2000`` in the environment makes the long one so many examples long,
with others each time, and finds the shortest way to a failure; without it, both are the same in every run.
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
from machine_clouds import PRIVATE
from machine_faults import FAULTS, fail_questions
from proxy import Lose
from servers import Server

from sync.errors import FilterChangedError
from sync.store.approvals import accept_filter, approve

MET = (
    *("done", "withheld", "failed", "superseded", "proven", "unproven", "several pages", "drifting and proven"),
    *(
        "created",
        "updated",
        "restored",
        "deleted",
        "held",
        "quarantined",
        "still_there",
        "unconfirmed",
        "pending",
        "approved",
    ),
    *("accepted", "planned", "lagging", "stale"),
)
"""What the long walk must have met to have proven anything."""
EXAMPLES = int(os.environ.get("TEST_STATE_MACHINE", "0"))


def test_invariants_hold(server: Server) -> None:
    """A short walk keeps all invariants."""
    walk(server, settings(max_examples=4, stateful_step_count=15, derandomize=True), kills=False)

    assert Machine.happened["proven"] > 10


def test_a_question_that_is_not_answered_confirms_nothing(server: Server) -> None:
    """I8, I11: whatever goes wrong with the questions by name, what is missing, and nothing of another source, stays."""
    with bench(server, apart=0) as one:
        one.run("second")
        one.run("first")
        one.change("first", ("delete", 2))
        for name in ("400, later", "503", "reset", "a web page", "an error as 200"):
            told = one.run("first", fault=partial(fail_questions, effect=FAULTS[name]))
            assert (told.gone, told.record["missing"], told.record["unconfirmed"]) == (set(), 2, 2)
            assert told.record["status"] == "withheld"
        last = one.run("first").record

    assert (last["missing"], last["deleted"]) == (2, 2)


def test_an_empty_list_is_never_believed(server: Server) -> None:
    """I8: few as they are, no images are deleted because a list is empty, though it is proven and each is confirmed."""
    with bench(server, size=8) as one:
        one.run("first")
        empty = effects.images("empty")
        told = one.run("first", lie="empty", fault=lambda account: account.simulator.faults.add(empty, times=None))

    assert (told.gone, told.record["held"], told.record["status"]) == (set(), 8, "withheld")


def test_at_the_limits_of_the_guard_nothing_is_held(server: Server) -> None:
    """I8: as many deletions as are allowed are made; one more is held."""
    with bench(server, {"max_deletions": 3, "max_daily_deletions": 1000}, size=15) as one:
        one.run("first")
        one.change("first", ("delete", 3))
        at = one.run("first").record
        one.change("first", ("delete", 4))
        beyond = one.run("first").record

    assert (at["deleted"], at["held"]) == (3, 0)
    assert (beyond["deleted"], beyond["held"]) == (0, 4)


def test_a_run_knows_whether_it_committed(server: Server) -> None:
    """I14: whichever COMMIT loses its answer, what the run says of itself is what the tables say."""
    with bench(server) as one:
        told = []
        for nth in range(1, 7):
            one.change("first", ("change", 1), ("swap", 1))
            one.strike(nth, Lose.REPLY, only="COMMIT")
            told.append(one.run("first"))

    assert {each.record["status"] for each in told if each.committed} == {"done"}
    assert any(not each.committed for each in told)


def test_with_another_filter_nothing_is_written(server: Server) -> None:
    """I8: images that left the filter in the settings are not taken for gone before a person accepted it."""
    with bench(server) as one:
        one.run("first")
        one.accounts["first"].filter = PRIVATE
        told = one.run("first")

    assert isinstance(told.error, FilterChangedError)
    assert not told.committed


def test_a_list_proven_by_count_is_confirmed_by_one(server: Server) -> None:
    """Where ties keep every list from being anchored, two counts prove the first list and the one that confirms."""
    with bench(server, {"max_single_confirms": 2, "max_read_attempts": 3}, size=0, ties=40) as one:
        one.run("first")
        one.change("first", ("take back", 6))
        record = one.run("first").record

    assert "two consecutive readings" in record["proof"]
    assert (record["missing"], record["unconfirmed"], record["deleted"]) == (6, 0, 6)


def test_what_was_released_and_came_back_stays(server: Server) -> None:
    """What the cloud listed as deleted, was held and then released, stays if the cloud lists it alive again."""
    with bench(server, show_deleted=True) as one:
        one.run("first")
        one.change("first", ("delete", 13))
        held = one.run("first").record
        approve(one.target, held["run"], "a tester")
        one.change("first", ("restore", 13))
        told = one.run("first")

    assert (held["held"], told.record["deleted"], told.gone) == (13, 0, set())


@pytest.mark.parametrize("doubt", ["nameless", "unproven"])
def test_what_the_cloud_calls_deleted_goes_once_there_is_no_doubt(server: Server, doubt: str) -> None:
    """An image that the cloud lists as deleted while deletions are withheld is marked deleted by the next good run."""
    with bench(server, show_deleted=True) as one:
        one.change("first", ("tie", 24))
        one.run("first")
        one.change("first", ("delete", 2), ("take back", 1))
        doubted = _DOUBTS[doubt](one)
        told = one.run("first")

    assert (doubted["deleted"], doubted["status"]) == (0, "withheld")
    assert (told.record["deleted"], told.record["status"]) == (3, "done")


def test_what_was_released_and_cannot_be_read_stays(server: Server) -> None:
    """What the cloud listed as deleted, was held and then released, stays while its record cannot be read."""
    with bench(server, show_deleted=True) as one:
        one.run("first")
        one.change("first", ("delete", 13))
        held = one.run("first").after.open_cases("first")
        approve(one.target, next(iter(held.values()))["run"], "a tester")
        account, name = one.accounts["first"], min(held)
        account.world.put(account.world.truth()[name] | {"name": "a\0b"})
        told = one.run("first")

    assert told.gone == held.keys() - {name}


def test_what_came_back_outside_of_the_filter_does_not_wait(server: Server) -> None:
    """I8: an image that is back is not deleted later by a word that a person gave before, in the filter or not."""
    with bench(server) as one:
        one.run("first")
        one.accounts["first"].filter = PRIVATE
        accept_filter(one.target, "first", "visibility=private")
        one.change("first", ("delete", 50))
        one.run("first")
        one.change("first", ("restore", 60))
        told = one.run("first")

    assert told.after.open_cases("first") == {}


def test_what_was_released_goes_outside_of_the_filter_too(server: Server) -> None:
    """I8: what the cloud calls deleted, was held and then released, goes with the next run, in the filter or not."""
    with bench(server, show_deleted=True) as one:
        one.run("first")
        one.accounts["first"].filter = PRIVATE
        accept_filter(one.target, "first", "visibility=private")
        one.change("first", ("delete", 50))
        held = one.run("first").record
        approve(one.target, held["run"], "a tester")
        told = one.run("first").record

    assert told["deleted"] == held["held"]


def test_what_left_the_filter_stays_though_the_second_list_is_not_proven(server: Server) -> None:
    """Images outside of a new filter are looked for in a second list; where that is not proven, none is deleted."""
    with bench(server, {"max_single_confirms": 2}, unstable_ties=True) as one:
        account = one.accounts["first"]
        created = "2026-01-01T00:00:00Z"
        for image in [*account.world.truth().values()][:24]:
            account.world.put(image | {"created_at": created, "visibility": "public"})
        one.run("first")
        account.filter = PRIVATE
        accept_filter(one.target, "first", "visibility=private")
        runs = [one.run("first") for _ in range(4)]

    assert [told.gone for told in runs] == [set()] * 4
    assert {told.record["status"] for told in runs if told.record["unconfirmed"]} <= {"withheld"}
    assert {told.record["proven"] for told in runs} == {True}


@pytest.mark.long
def test_invariants_hold_for_long(server: Server) -> None:
    """A long walk, with real processes really killed, keeps all invariants and meets everything that matters."""
    walk(
        server,
        settings(max_examples=EXAMPLES or 16, stateful_step_count=25, derandomize=not EXAMPLES),
        kills=True,
    )

    assert [kind for kind in MET if not Machine.happened[kind]] == []


@pytest.mark.long
def test_a_killed_process_leaves_all_or_nothing(server: Server) -> None:
    """I2, I14: killed at every third message to the database, a real process wrote all of its run or nothing."""
    with bench(server) as one:
        one.run("first")
        for nth in range(12, 48, 3):
            one.change("first", ("change", 2), ("swap", 2))
            one.run_child("first", nth, at_question=False)
        for nth in (1, 3, 6):
            one.run_child("first", nth, at_question=True)
        one.run("first")

    assert one.happened["killed"] > 10
    assert one.happened["running"] > 5


@contextmanager
def bench(
    server: Server, options: Mapping[str, object] | None = None, *, apart: int = 1, **world: object
) -> Iterator[Bench]:
    """Two sources; judged once more in the end."""
    one = Bench(server, first=WORLD | world, options=OPTIONS | dict(options or {}), apart=apart)
    try:
        yield one
    finally:
        one.close()


def walk(server: Server, given: settings, *, kills: bool) -> None:
    """Let the machine walk, and count anew what it meets."""
    Machine.server, Machine.kills = server, kills
    Machine.happened.clear()
    unhurried = settings(
        given,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
    )
    run_state_machine_as_test(Machine, settings=unhurried)


def _nameless(one: Bench) -> dict[str, object]:
    """A run that meets a record without an id, which is gone afterwards."""
    account = one.accounts["first"]
    account.spoil("no id", known=False)
    record = one.run("first").record
    account.world.remove(account.put.pop())
    return record


def _unproven(one: Bench) -> dict[str, object]:
    """A run of a list whose ties come in another order each time, and whose total never holds still."""
    listing = one.accounts["first"].simulator.listing
    listing.unstable_ties = True
    record = one.run("first", dict.fromkeys(range(1, 100), ("create", 1))).record
    listing.unstable_ties = False
    return record


_DOUBTS: dict[str, Callable[[Bench], dict[str, object]]] = {"nameless": _nameless, "unproven": _unproven}
