"""Every change of a small list between two answers, and every order in which requests in flight are answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement

from listing_model import Cloud

Change = tuple[int, str, int]  # after which answer, what happens, and at which minute or place


def placements(size: int, changes: int, *, gaps: Sequence[int], minutes: Sequence[int]) -> Iterator[tuple[Change, ...]]:
    """Yield every choice of changes of a list: a creation at one of these minutes, or a deletion.

    Args:
        size: images in the list.
        changes: the most changes.
        gaps: after which answers they may happen.
        minutes: at which images may be created.
    """
    single = [
        *((gap, "create", minute) for gap in gaps for minute in minutes),
        *((gap, "delete", place) for gap in gaps for place in range(size)),
    ]
    for count in range(changes + 1):
        yield from combinations_with_replacement(single, count)


def changer(cloud: Cloud, placement: tuple[Change, ...]) -> Callable[[int], None]:
    """Return a function that makes the changes due after an answer."""

    def change(answers: int) -> None:
        for gap, what, where in placement:
            if gap == answers and what == "create":
                cloud.insert(where)
            elif gap == answers and where < len(cloud.rows):
                cloud.delete(where)

    return change


def every_order() -> Iterator[Callable[[int], int]]:
    """Yield a ``pick`` for each order of answers; read with it before taking the next.

    The same choices must lead to the same answers, so a cloud that draws needs the same seed each time.
    """
    taken: list[tuple[int, int]] = []  # which of how many requests in flight is answered
    while True:
        answers = 0

        def pick(flying: int) -> int:
            nonlocal answers
            if answers == len(taken):
                taken.append((0, flying))
            answers += 1
            return taken[answers - 1][0]

        yield pick
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        taken[-1] = (taken[-1][0] + 1, taken[-1][1])
