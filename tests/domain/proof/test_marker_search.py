"""Which marker replaces one that brings nothing."""

from __future__ import annotations

from marker_model import uid

from sync.domain.proof.id_cover import IdGap
from sync.domain.proof.marker_search import MarkerSearches


def gap(after: int, before: int) -> IdGap:
    """The gap between two ids."""
    return IdGap(uid(after) + "\0", uid(before))


def searches(count: int) -> MarkerSearches:
    """Searches after one page of this many rows."""
    made = MarkerSearches()
    made.add([uid(number) for number in range(count)], None, None)
    return made


def test_each_step_back_is_twice_as_far() -> None:
    """After the last id before the gap come earlier rows, and at last the beginning of the list."""
    found, place = searches(64), gap(63, 90)
    markers = [found.marker(place)]
    for _ in range(4):
        found.step_back(place)
        markers.append(found.marker(place))

    assert markers == [uid(63), uid(62), uid(56), None, None]  # of 63, 62, 60, 56, 48, 32 and 0


def test_the_last_row_of_an_answer_before_the_gap_is_the_next_marker() -> None:
    """From an earlier row on, the list is read again up to the gap."""
    found, place = searches(64), gap(63, 90)
    found.step_back(place)
    found.add([uid(40), uid(41)], uid(32), place)

    assert found.marker(place) == uid(41)
    assert found.retries(uid(41))
    found.add([uid(60), uid(64)], uid(41), place)  # that one reaches into it
    assert found.marker(place) == uid(41)


def test_a_gap_is_given_up_after_some_tries() -> None:
    """Every search ends, whatever the cloud answers."""
    found, place = searches(64), gap(63, 90)
    tries = 0
    while not found.hopeless(place):
        found.step_back(place)
        tries += 1

    assert tries == 16
    assert not found.hopeless(gap(5, 6))


def test_what_is_covered_needs_no_search() -> None:
    """The search for a gap that is closed is forgotten; one that is given up is not tried again."""
    found, place, other = searches(64), gap(63, 90), gap(95, 97)
    found.step_back(place)
    found.give_up(other)
    found.keep_only([other])

    assert (found.marker(place), found.retries(uid(62)), found.hopeless(other)) == (uid(63), False, True)
