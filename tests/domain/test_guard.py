"""The guard holds deletions that look like a fault, from exactly the limits on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.guard import Candidates, Limits, Plan, guard, withhold
from sync.domain.status import Status, status_of
from sync.errors import ForbiddenError, InterruptedRunError, SupersededError

USUAL = Limits()


@pytest.mark.parametrize(
    ("live", "gone", "held"),
    [
        (0, 0, False),
        (1, 1, False),  # one of one: not more than 10
        (10, 10, False),
        (11, 10, False),
        (11, 11, True),
        (50, 10, False),  # at most 10 always go, however large their share
        (50, 11, True),  # 22 %
        (54, 11, True),  # 20.4 %
        (55, 11, False),  # 20 % exactly
        (56, 11, False),
        (1000, 200, False),  # 20 % exactly
        (1000, 201, True),
        (1_000_000, 200_000, False),
        (1_000_000, 200_001, True),
    ],
)
def test_more_than_ten_and_more_than_a_fifth_is_held(live: int, gone: int, held: bool) -> None:  # noqa: FBT001 - a table
    """A17: deletions are held only above both limits, not at a limit."""
    assert bool(guard(Candidates(live, gone, listed=max(live - gone, 1)), USUAL)) is held


@pytest.mark.parametrize(
    ("limits", "live", "gone", "held"),
    [
        (Limits(0, 0, 0, 0), 100, 1, True),  # no deletion without approval
        (Limits(0, 0, 0, 0), 100, 0, False),
        (Limits(0, 20, 0, 20), 100, 20, False),
        (Limits(0, 20, 0, 20), 100, 21, True),
        (Limits(0, 20, 0, 20), 1, 1, True),
        (Limits(10, 0, 10, 0), 1000, 10, False),
        (Limits(10, 0, 10, 0), 1000, 11, True),
        (Limits(0, 100, 0, 100), 100, 100, False),  # 100 %: never held for its share
        (Limits(1000, 0, 1000, 0), 1000, 1000, False),
        (Limits(0, 33.3, 0, 33.3), 1000, 333, False),
        (Limits(0, 33.3, 0, 33.3), 1000, 334, True),
        (Limits(0, 0.1, 0, 0.1), 1000, 1, False),
        (Limits(0, 0.1, 0, 0.1), 1000, 2, True),
    ],
)
def test_both_limits_can_be_set(limits: Limits, live: int, gone: int, held: bool) -> None:  # noqa: FBT001 - a table
    """A17: limits of 0 and of 100 % mean exactly that."""
    assert bool(guard(Candidates(live, gone, listed=1), limits)) is held


@pytest.mark.parametrize(
    ("live", "gone", "day", "held"),
    [
        (100, 5, 5, False),  # 10 in a day are always fine
        (100, 1, 10, False),  # 11 of 110
        (44, 1, 10, True),  # 11 of 54
        (45, 1, 10, False),  # 11 of 55: exactly a fifth
        (80, 1, 19, True),  # 20 of 99
        (80, 0, 500, False),  # nothing to delete, nothing to hold
        (80, 5, 20, True),
        (1000, 1, 250, True),
        (1000, 1, 249, True),  # 250 of 1249
        (1000, 1, 248, False),  # 249 of 1248
    ],
)
def test_a_slow_drain_is_held(live: int, gone: int, day: int, held: bool) -> None:  # noqa: FBT001 - a table
    """A16: the deletions of 24 hours count together, compared with what was live before them."""
    assert bool(guard(Candidates(live, gone, day=day, listed=live), USUAL)) is held


def test_the_day_has_its_own_limits() -> None:
    """The limits per day may be larger or smaller than those per run."""
    wide = Limits(10, 20, day_images=100, day_percent=100)
    narrow = Limits(10, 20, day_images=0, day_percent=0)

    assert guard(Candidates(100, 5, day=60, listed=95), wide) == ""
    assert "24 hours" in guard(Candidates(100, 1, day=0, listed=99), narrow)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 100), st.integers(0, 10**6))
def test_an_empty_list_is_never_believed(live: int, gone: int, percent: int, images: int) -> None:
    """A01: an empty list never deletes anything, whatever the limits and however small the source."""
    limits = Limits(images, percent, images, percent)

    assert "empty" in guard(Candidates(live, min(live, gone), listed=0), limits)


def test_an_empty_list_of_an_empty_source_holds_nothing() -> None:
    """If no image is live, an empty list holds nothing."""
    assert guard(Candidates(0, 0, listed=0), USUAL) == ""


def test_approved_deletions_do_not_count() -> None:
    """Approved deletions count neither for the run nor against the other deletions."""
    assert guard(Candidates(100, 0, approved=100, listed=1), USUAL) == ""
    assert guard(Candidates(100, 10, approved=90, listed=1), USUAL) == ""


@given(
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.builds(Limits, st.integers(0, 50), st.integers(0, 100), st.integers(0, 50), st.integers(0, 100)),
)
def test_more_deletions_are_never_easier(live: int, gone: int, day: int, limits: Limits) -> None:
    """If some deletions are held, more of them are held too, and so are those after more on the same day."""
    gone = min(gone, live)
    if guard(Candidates(live, gone, day=day, listed=1), limits):
        if gone < live:
            assert guard(Candidates(live, gone + 1, day=day, listed=1), limits)
        if limits.day_percent < 100:
            assert guard(Candidates(live, gone, day=day + 1, listed=1), limits)


def test_the_reason_gives_the_numbers() -> None:
    """The reason says how many of how many images are gone, and which limits that exceeds."""
    reason = guard(Candidates(50, 30, listed=20), Limits(10, 12.5, 10, 20))

    assert reason == "30 of 50 images are gone: more than 10 and more than 12.5 %"


def test_deletions_that_wait_for_approval_stay_held() -> None:
    """If the guard lets all deletions pass, only those that an earlier run withheld stay held."""
    one, two, none = (withhold(Candidates(100, 3, waiting=n, listed=97), USUAL) for n in (1, 2, 0))

    assert one == (1, "1 deletion that was withheld waits for approval")
    assert two == (2, "2 deletions that were withheld wait for approval")
    assert none == (0, "")


def test_changes_are_what_is_written() -> None:
    """Held and quarantined images do not count as changes."""
    assert Plan(created=1, updated=2, restored=3, deleted=4, held=5, quarantined=6).changes == 10


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SupersededError(), Status.SUPERSEDED),
        (InterruptedRunError(), Status.INTERRUPTED),
        (KeyboardInterrupt(), Status.INTERRUPTED),
        (ForbiddenError(), Status.FAILED),
        (ZeroDivisionError(), Status.FAILED),
        (SystemExit(), Status.FAILED),
    ],
)
def test_every_error_has_a_status(error: BaseException, status: Status) -> None:
    """Any error that ends a run has a status, even if it is not one of ours."""
    assert status_of(error) is status
