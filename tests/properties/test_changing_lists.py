"""A reading of a changing list is never called proven if it lacks an image that existed the whole time."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from listing_model import Cloud, Seen, Weather, chance, cloud_of, maybe_change, read

from sync.domain.proof.page import Row
from sync.domain.proof.verdict import Proof, prove
from sync.errors import ContractError

WEATHER = st.builds(
    Weather,
    count=st.integers(0, 60),
    span=st.sampled_from([1, 3, 8, 30, 10**5]),
    limit=st.integers(5, 12),
    overlap=st.integers(2, 4),
    window=st.integers(1, 5),
    churn=st.sampled_from([0, 0.1, 0.3, 1]),
    cap=st.sampled_from(["none", "none", "fixed", "varying"]),
    claim=st.sampled_from(["true", "true", "true", "missing", -7, -2, -1, 1, 2, 7]),
    steady_ties=st.booleans(),
    seed=st.integers(0, 2**32),
)


@given(WEATHER)
@settings(max_examples=400, derandomize=True, deadline=None, database=None)
def test_a_proven_list_lacks_nothing(weather: Weather) -> None:
    """Whatever changes, is cut or is wrong, a proof's last reading has all that existed throughout its readings."""
    proof, lost = read_until_proven(weather)

    assert not (proof.proven and lost)


@pytest.mark.long
@given(WEATHER)
@settings(
    max_examples=6000, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
def test_a_proven_list_lacks_nothing_at_length(weather: Weather) -> None:
    """The same with more examples."""
    proof, lost = read_until_proven(weather)

    assert not (proof.proven and lost)


def read_until_proven(weather: Weather) -> tuple[Proof, set[Row]]:
    """Read up to twice, until proven; return the proof and the lost rows that existed throughout."""
    rng = chance(weather.seed)
    cloud = cloud_of(weather, rng)
    before = None
    alive = set(cloud.rows)
    proof = Proof(by="", reason="")
    for _ in range(2):
        cloud.watch()
        try:
            verdict, seen = read(
                cloud,
                limit=weather.limit,
                overlap=weather.overlap,
                window=weather.window,
                pick=rng.randrange,
                change=lambda _answers: maybe_change(cloud, rng, weather),
            )
        except ContractError:
            break
        proof, before = prove(verdict, Seen(row.id for row in seen), before)
        if proof.proven:
            return proof, (cloud.alive & alive if proof.by == "count" else cloud.alive) - seen
        alive = cloud.alive
    return proof, set()


@pytest.mark.parametrize("order", ["desc", "id", "shuffled"])
def test_another_sort_order_never_yields_a_wrong_proof(order: str) -> None:
    """If images are not sorted by creation time, no changing list is proven."""
    rng = chance(2)
    wrong = proven = 0
    for seed in range(300):
        weather = Weather(40, 10**5, 10, 3, 4, 0.5, "none", "true", steady_ties=False, seed=seed)
        cloud = cloud_of(weather, rng)
        cloud.order = order
        verdict, seen = read(
            cloud,
            limit=10,
            overlap=3,
            window=4,
            pick=rng.randrange,
            change=lambda _answers, cloud=cloud, weather=weather: maybe_change(cloud, rng, weather),
        )
        proven += verdict.complete
        wrong += verdict.complete and not cloud.alive <= seen

    assert (proven, wrong) == (0, 0)


def test_one_steady_reading_may_lack_an_image_and_two_do_not() -> None:
    """A proof by count needs two readings, as a single one of the right length sometimes lacks an image."""
    rng = chance(5)
    wrong_once = twice = wrong_twice = 0
    for _ in range(12_000):
        cloud = Cloud([0] * 5, rng)
        before = None
        for _ in range(2):
            verdict, seen = read(cloud, limit=4, overlap=2, pick=rng.randrange, change=lambda _, c=cloud: swap(c, rng))
            proof, before = prove(verdict, Seen(row.id for row in seen), before)
            lost = cloud.alive - seen
            wrong_once += before is not None and bool(lost)
        twice += proof.by == "count"
        wrong_twice += proof.by == "count" and bool(lost)

    assert (wrong_once > 20, wrong_twice) == (True, 0)
    assert twice > 100


def swap(cloud: Cloud, rng: Random) -> None:
    """Sometimes create one image and delete another, so that the total stays the same."""
    if rng.random() < 0.2:
        cloud.delete(rng.randrange(len(cloud.rows)))
        cloud.insert(0)


def test_what_two_readings_cover_together_proves_nothing() -> None:
    """Each reading has a gap of its own, where the other has none: an image in it may be gone by the second one."""
    cloud = Cloud([*[0] * 60, *range(10, 100)])
    first, seen = read(cloud, limit=50, overlap=10)
    cloud.rows[:60] = []
    for _ in range(60):
        cloud.insert(200)
    second, seen_again = read(cloud, limit=50, overlap=10)

    _, before = prove(first, Seen(row.id for row in seen))
    proof, _ = prove(second, Seen(row.id for row in seen_again), before)

    assert (first.complete, second.complete, proof.proven) == (False, False, False)


@pytest.mark.parametrize(("span", "least"), [(10**6, 99), (3000, 95)])
def test_a_steadily_changing_list_can_be_proven(span: int, least: int) -> None:
    """With one change after each answer and few ties, nearly all readings are proven."""
    rng = chance(3)
    proven = 0
    for _ in range(100):
        cloud = Cloud([rng.randrange(span) for _ in range(800)], rng)

        def change(_answers: int, cloud: Cloud = cloud) -> None:
            cloud.insert(rng.randrange(span)) if rng.random() < 0.5 else cloud.delete(rng.randrange(len(cloud.rows)))

        verdict, seen = read(cloud, limit=60, overlap=10, window=4, pick=rng.randrange, change=change)
        proven += verdict.complete
        assert not verdict.complete or cloud.alive <= seen

    assert proven >= least


def test_the_variations_cover_every_kind_of_proof() -> None:
    """The random conditions lead to every kind of proof, and to none."""
    rng = chance(4)
    ways: Counter[str] = Counter()
    for seed in range(1500):
        weather = Weather(
            count=rng.randrange(60),
            span=rng.choice((1, 3, 8, 30, 10**5)),
            limit=rng.randint(5, 12),
            overlap=rng.randint(2, 4),
            window=rng.randint(1, 5),
            churn=rng.choice((0, 0.1, 0.3, 1)),
            cap=rng.choice(("none", "fixed", "varying")),
            claim=rng.choice(("true", "missing", -2, 1)),
            steady_ties=rng.random() < 0.5,
            seed=seed,
        )
        proof, lost = read_until_proven(weather)
        ways[proof.by] += 1
        assert not lost

    assert ways["cover"] > 400
    assert ways["whole"] > 50
    assert ways["count"] > 20
    assert ways[""] > 100
