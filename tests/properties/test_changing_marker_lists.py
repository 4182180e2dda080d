"""A reading of a changing list by marker is never called proven if it lacks an image that existed the whole time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations_with_replacement
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from listing_changes import every_order
from marker_model import PARTS, MarkerCloud, MarkerWeather, Play, read, scan_of, uid

from sync.errors import ContractError

LOST = ("refused", "tolerated", "restart", "empty")
WEATHER = st.builds(
    MarkerWeather,
    count=st.integers(0, 60),
    span=st.sampled_from([70, 300, 10**6]),
    limit=st.integers(1, 12),
    window=st.integers(1, 5),
    starts=st.integers(0, 9),
    churn=st.sampled_from([0, 0.1, 0.3, 1]),
    cap=st.sampled_from(["none", "none", "fixed", "varying"]),
    lost=st.sampled_from(LOST),
    odd=st.sampled_from([0, 0, 0, 0.05, 0.5, 1]),
    hidden=st.sampled_from([0, 0, 0.2]),
    ignores_descending=st.sampled_from([False, False, False, True]),
    unlisted=st.sampled_from([0, 0, 0, 0.1, 1]),
    seed=st.integers(0, 2**32),
)


def weather_of(rng: Random, *, plain: bool = False) -> MarkerWeather:
    """Random conditions; plain ones are those of a cloud that does as it is asked."""
    return MarkerWeather(
        count=rng.randrange(60),
        span=rng.choice((70, 300, 10**6)),
        limit=rng.randint(2 if plain else 1, 12),
        window=rng.randint(1, 5),
        starts=rng.choice((0, 0, 1, 4, 9)),
        churn=rng.choice((0, 0.1, 0.3) if plain else (0, 0.1, 0.3, 1)),
        cap=rng.choice(("none", "none", "fixed", "varying")),
        lost=rng.choice(LOST),
        odd=0 if plain else rng.choice((0, 0, 0.05, 0.5, 1)),
        hidden=rng.choice((0, 0, 0.2)),
        ignores_descending=not plain and rng.random() < 0.2,
        unlisted=0 if plain else rng.choice((0, 0, 0.1, 1)),
        seed=rng.randrange(2**32),
    )


def play(weather: MarkerWeather) -> tuple[str, set[str]]:
    """Read a list; return how it is proven, and what a proven reading lacks.

    A cloud that removes rows from answers after it cut them can make both ends look empty, or the last row look alone.
    That the list is not empty, and that the order is descending, then rests on nothing; those cases are left out.
    """
    try:
        verdict, lost = Play(weather).read()
    except ContractError:
        return "ignored", set()
    blind = weather.unlisted and (weather.ignores_descending or "empty from both ends" in verdict.reason)
    return verdict.by, set() if blind or not verdict.complete else lost


@given(WEATHER)
@settings(max_examples=400, derandomize=True, deadline=None, database=None)
def test_a_proven_list_by_marker_lacks_nothing(weather: MarkerWeather) -> None:
    """Whatever changes, is cut, refused, hidden, sorted otherwise or answered out of order."""
    assert not play(weather)[1]


@pytest.mark.long
@given(WEATHER)
@settings(
    max_examples=6000, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
def test_a_proven_list_by_marker_lacks_nothing_at_length(weather: MarkerWeather) -> None:
    """The same with more examples."""
    assert not play(weather)[1]


def test_thousands_of_readings_lack_nothing() -> None:
    """No reading under random conditions is proven wrongly, and each kind of proof is among them."""
    rng = Random(1)
    kinds: Counter[str] = Counter()
    for _ in range(1500):
        weather = weather_of(rng)
        kind, lost = play(weather)
        assert not lost, weather
        kinds[kind] += 1

    assert kinds["cover"] > 300
    assert kinds["chain"] > 150
    assert kinds["whole"] > 10
    assert kinds[""] > 200


def test_a_changing_list_is_always_proven() -> None:
    """Where the cloud does as it is asked, every reading is proven, whatever changes between two answers."""
    rng = Random(2)
    for _ in range(1500):
        weather = weather_of(rng, plain=True)
        kind, lost = play(weather)
        assert (kind != "", lost) == (True, set()), weather


def changes(numbers: list[int], answers: range, most: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Yield every choice of changes: after which answer which image is created, or deleted if it exists."""
    single = [(answer, number) for answer in answers for number in numbers]
    for count in range(most + 1):
        yield from combinations_with_replacement(single, count)


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("starts", [(), (4,), (3, 4)])
def test_every_placement_of_two_changes_in_a_small_list(lost: str, starts: tuple[int, ...]) -> None:
    """Of five images in pages of two, any two are created or deleted after any answers."""
    for placement in changes([0, 1, 3, 4, 6, 7, 9], range(1, 7), 2):
        cloud = MarkerCloud({uid(number): "" for number in (1, 3, 4, 6, 7)}, lost=lost)

        def change(
            answers: int, cloud: MarkerCloud = cloud, placement: tuple[tuple[int, int], ...] = placement
        ) -> None:
            for answer, number in placement:
                if answer == answers:
                    (cloud.delete if uid(number) in cloud.images else cloud.insert)(uid(number))

        verdict, seen = read(cloud, scan_of(2, map(uid, starts)), limit=2, window=2, change=change)

        assert verdict.complete, placement
        assert cloud.alive <= seen, placement


def test_every_order_of_answers() -> None:
    """Of three requests in flight, any is answered next, while one image is created and one deleted."""
    orders = 0
    for pick in every_order():
        cloud = MarkerCloud({uid(number): "" for number in range(6)})

        def change(answers: int, cloud: MarkerCloud = cloud) -> None:
            if answers == 2:
                cloud.delete(uid(4))
                cloud.insert(uid(9))

        verdict, seen = read(cloud, scan_of(3, [uid(4)]), limit=3, window=3, pick=pick, change=change)
        orders += 1

        assert (verdict.by, cloud.alive <= seen) == ("cover", True)

    assert orders > 50


@pytest.mark.parametrize("moved", [1, 5, 8])
def test_an_image_that_moves_between_the_parts_is_in_one_of_them(moved: int) -> None:
    """Hidden, visible, hidden: whatever the moment at which an image moves, it is seen, with others moving too."""
    for moment in range(1, 16):
        for other in range(1, 16):
            cloud = MarkerCloud({uid(number): "hidden" if number < 5 else "" for number in range(10)})

            def change(answers: int, cloud: MarkerCloud = cloud, moment: int = moment, other: int = other) -> None:
                if answers == moment:
                    cloud.move(uid(moved))
                if answers == other:
                    cloud.move(uid(2))

            verdict, seen = read(cloud, scan_of(3, parts=PARTS), limit=3, window=2, change=change)

            assert verdict.complete
            assert seen == set(cloud.images)
