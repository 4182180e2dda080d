"""Where further chains of pages begin."""

from __future__ import annotations

from marker_model import uid

from sync.domain.proof.id_cover import IdCover, IdInterval
from sync.domain.proof.starts import Starts


def test_the_longest_stretch_is_halved() -> None:
    """Each start lies in the middle of the longest stretch that is neither covered nor being read."""
    starts, cover = Starts(uid(number) for number in range(1, 8)), IdCover()
    taken: list[str] = []
    for _ in range(3):
        start = starts.next(cover.gaps(), sorted(taken))
        assert start is not None
        starts.remove(start)
        taken.append(start)

    assert taken == [uid(4), uid(2), uid(6)]


def test_a_start_that_is_covered_is_of_no_use() -> None:
    """Only ids within a gap are requested; the gap's own left edge is not one of them."""
    starts, cover = Starts([uid(1), uid(5), uid(7), uid(9)]), IdCover()
    cover.add(IdInterval(None, uid(5)))
    cover.add(IdInterval(uid(9), None))

    assert starts.next(cover.gaps(), []) == uid(9)  # not covered itself
    starts.remove(uid(9))
    assert starts.next(cover.gaps(), []) == uid(7)
    starts.remove(uid(7))
    assert starts.next(cover.gaps(), []) is None


def test_a_marker_that_is_no_start_removes_none() -> None:
    """The beginning of the list, and markers that replace others, are no starts."""
    starts = Starts([uid(1)])
    starts.remove(None)
    starts.remove(uid(2))

    assert starts.next(IdCover().gaps(), []) == uid(1)
