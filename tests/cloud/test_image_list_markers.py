"""Lists by marker over HTTP: whatever becomes of markers, pages, limits and look-ups, nothing is taken for gone."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import breakage
import effects
import pytest
from cloud_tools import Reader
from effects import Effect
from fault_rules import FaultySimulator
from http_server import Asked, HttpServer, reply
from listing_model import chance
from machine_shown import asked_for

from sync.domain.apis import APIS, GLANCE, IEC, IMS, Api
from sync.domain.run import Reading
from sync.errors import ContractError, ForbiddenError, RejectedError
from sync.simulator import LOST_MARKERS, World
from sync.simulator.answers import Answer, Request

BY_MARKER = [api for api in APIS.values() if api.by_marker]
BOTH = pytest.mark.parametrize("api", BY_MARKER, ids=lambda api: api.name)
SIZE, CAP = 240, 20
MOST_LONELY = 4  # requests of a part without images: either end of the list, and each once more


@contextmanager
def cloud_of(api: Api, size: int = SIZE, *, page_cap: int | None = CAP, **options: Any) -> Iterator[FaultySimulator]:
    """A cloud of this API."""
    with FaultySimulator(World(seed=9, size=size, api=api.name), page_cap=page_cap, **options) as cloud:
        yield cloud


def reader_of(cloud: FaultySimulator, **options: Any) -> Reader:
    """A reader of its list; errors that pass are not waited for."""
    return Reader.of(cloud, **({"api": cloud.world.api, "max_retries": 0} | options))


def starts_of(cloud: FaultySimulator, count: int) -> tuple[str, ...]:
    """Ids at equal steps, as an earlier run would know them."""
    ids = sorted(cloud.world.truth())
    return tuple(ids[:: len(ids) // count][1:])


def visible(cloud: FaultySimulator) -> int:
    """The number of images in the usual list."""
    return len(cloud.world.truth()) - len(hidden(cloud))


def hidden(cloud: FaultySimulator) -> set[str]:
    """The ids of the images that the usual list leaves out."""
    with cloud.world.lock:
        return {str(entry.id) for entry in cloud.world.entries() if entry.hidden} & cloud.world.truth().keys()


def delete_markers(cloud: FaultySimulator, *, every: int = 1) -> set[str]:
    """From now on, delete the image of every n-th marker just before it is asked for; the ids of these images."""
    gone: set[str] = set()
    seen = 0

    def before(request: Request) -> None:
        nonlocal seen
        marker = parse_qs(request.query).get("marker", [""])[0]
        if marker in cloud.world.truth():
            seen += 1
            if seen % every == 0:
                gone.update(cloud.world.delete(ids=[marker]))

    cloud.faults.before_answer = before
    return gone


def requests(cloud: FaultySimulator) -> tuple[int, int]:
    """How many requests for pages, and for single images, the cloud has answered."""
    answers = [
        asked_for(cloud.world.api, str(each.detail["path"]), str(each.detail["query"]))
        for each in cloud.journal.answers()
    ]
    return answers.count(None), len(answers) - answers.count(None)


@pytest.mark.parametrize("concurrency", [1, 4])
@BOTH
def test_a_quiet_list_takes_few_requests(api: Api, concurrency: int) -> None:
    """Each page is requested once, and the end of the list once more; known ids add one request per chain at most."""
    with cloud_of(api, page_cap=None) as cloud:
        reader = reader_of(cloud, concurrency=concurrency)
        reading = reader.read()

        assert set(reader.rows) == set(cloud.world.truth())
    parts = [part.name for part in api.parts]
    assert reading.verdict.by == "cover"
    assert [page.part for page in reading.pages if page.descending] == parts
    assert reader.stats.requests <= len(parts) * 3


@BOTH
def test_chains_are_read_at_the_same_time(api: Api) -> None:
    """With ids known from an earlier run, pages at several places are in flight together, and none is read twice."""
    with cloud_of(api, latency=0.05) as cloud:
        starts = starts_of(cloud, 4)
        alone, together = reader_of(cloud, concurrency=4), reader_of(cloud, concurrency=4, starts=starts)
        _, chains = alone.read(), together.read()
        pages = [page for page in chains.pages if page.part == api.parts[1].name]

        assert set(together.rows) == set(cloud.world.truth())
        assert len({page.marker for page in pages} & set(starts)) >= 3
        assert together.stats.requests <= alone.stats.requests + len(starts)
    assert chains.verdict.by == "cover"


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("lost", LOST_MARKERS)
def test_markers_that_are_deleted_are_replaced(lost: str, concurrency: int) -> None:
    """However IMS answers a marker that is gone, the list is proven, and every image that stayed is seen."""
    with cloud_of(IMS, lost_marker=lost) as cloud:
        starts = starts_of(cloud, 6) if concurrency > 1 else ()
        reader = reader_of(cloud, concurrency=concurrency, starts=starts)
        gone = delete_markers(cloud, every=6)
        reading = reader.read()

        assert reading.verdict.complete, reading.verdict.reason
        assert cloud.world.truth().keys() <= set(reader.rows)
    assert gone
    assert reader.stats.requests <= 3 * SIZE // CAP + 5 * len(gone)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_markers_that_are_deleted_in_glance_are_replaced(concurrency: int) -> None:
    """Glance refuses a marker that is gone with 400, which is neither an error of the run nor the end of the list."""
    with cloud_of(GLANCE) as cloud:
        reader = reader_of(cloud, concurrency=concurrency, starts=starts_of(cloud, 6))
        gone = delete_markers(cloud, every=6)
        reading = reader.read()

        assert cloud.world.truth().keys() <= set(reader.rows)
    assert reading.verdict.complete, reading.verdict.reason
    assert reading.verdict.refused_markers >= len(gone) > 0


@pytest.mark.parametrize("status", [400, 403, 404])
@BOTH
def test_one_refused_marker_is_replaced(api: Api, status: int) -> None:
    """A marker may be refused as gone, as no longer visible, or as not found: the row before it takes its place."""
    with cloud_of(api) as cloud:
        cloud.faults.add(effects.status(status), marker=_last_of_first_page(cloud))
        reader = reader_of(cloud, concurrency=1)
        verdict = reader.read().verdict

        assert set(reader.rows) == set(cloud.world.truth())
    assert (verdict.by, verdict.refused_markers) == ("cover", 1)


def _last_of_first_page(cloud: FaultySimulator) -> str:
    return sorted(cloud.world.truth().keys() - hidden(cloud))[CAP - 1]


@pytest.mark.parametrize(("status", "kind"), [(400, RejectedError), (403, ForbiddenError)])
@BOTH
def test_a_refused_beginning_is_an_error(api: Api, status: int, kind: type[RejectedError | ForbiddenError]) -> None:
    """Without a marker, a refusal is the credentials' or the query's, and no list is read."""
    with cloud_of(api) as cloud:
        cloud.faults.add(effects.status(status), marker="", times=None)
        reader_of(cloud).fails(kind)

        assert requests(cloud)[0] <= 2


@pytest.mark.parametrize("concurrency", [1, 4])
@BOTH
def test_a_server_that_ignores_markers_is_named(api: Api, concurrency: int) -> None:
    """If each page is the first one, the run fails after few requests, whether or not ids are known."""
    with cloud_of(api) as cloud:
        cloud.faults.add(effects.marker_ignored(), times=None)
        starts = starts_of(cloud, 8) if concurrency > 1 else ()
        error = reader_of(cloud, concurrency=concurrency, starts=starts).fails(ContractError)

        assert "ignores the marker" in str(error)
        assert requests(cloud)[0] <= 2 * MOST_LONELY + 4 * concurrency + len(starts)


@pytest.mark.parametrize("cap", [1, 2, 7, 239, 1000])
@BOTH
def test_a_short_page_is_not_the_end(api: Api, cap: int) -> None:
    """Whatever the limit is cut to, the list is read to its end."""
    with cloud_of(api, 60 if cap < 5 else SIZE, page_cap=cap) as cloud:
        reader = reader_of(cloud)
        verdict = reader.read().verdict

        assert set(reader.rows) == set(cloud.world.truth())
        assert reader.stats.requests <= 2 * (visible(cloud) + 2 * len(hidden(cloud))) / cap + 4 * MOST_LONELY
    assert verdict.complete, verdict.reason


@pytest.mark.parametrize("seed", range(3))
@BOTH
def test_pages_of_varying_size_are_complete(api: Api, seed: int) -> None:
    """If the limit is cut differently for each page, no image is missing, and the list is proven."""
    rng = chance(seed)
    with cloud_of(api) as cloud:
        cloud.faults.before_answer = lambda _: setattr(cloud.listing, "page_cap", rng.randrange(1, 60))
        reader = reader_of(cloud, starts=starts_of(cloud, 5))
        verdict = reader.read().verdict

        assert set(reader.rows) == set(cloud.world.truth())
    assert verdict.complete, verdict.reason


@BOTH
def test_ids_that_are_no_uuids_are_read_as_one_chain(api: Api) -> None:
    """Such ids can't be compared: pages share rows instead, also where ids of an earlier run are known."""
    with cloud_of(api) as cloud:
        image = next(iter(cloud.world.truth().values()))
        for name in ("Base-1", "base-2", "ubuntu_22"):
            cloud.world.put(image | {"id": name, "owner": cloud.identity.viewer.project, "visibility": "private"})
        chained, late = reader_of(cloud), reader_of(cloud, starts=starts_of(cloud, 4))
        chain, switched = chained.read(), late.read()

        assert set(chained.rows) == set(late.rows) == set(cloud.world.truth())
    assert (chain.verdict.by, switched.verdict.by) == ("chain", "chain")
    assert chained.stats.requests <= 2 * SIZE / (CAP - 1) + 4 * MOST_LONELY


def hide_midway(cloud: FaultySimulator, nth: int, move: Callable[[], object]) -> None:
    """Do this just before the n-th request."""
    seen = 0

    def before(_: Request) -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            move()

    cloud.faults.before_answer = before


@pytest.mark.parametrize("nth", range(1, 18, 2))
@BOTH
def test_images_that_are_hidden_or_shown_meanwhile_are_seen(api: Api, nth: int) -> None:
    """An image that moves once between the usual list and the one of hidden images is in one of the three readings."""
    with cloud_of(api) as cloud:
        cloud.world.hide(30)
        hide_midway(cloud, nth, lambda: (cloud.world.show(15), cloud.world.hide(15)))
        reader = reader_of(cloud)
        verdict = reader.read().verdict

        assert set(reader.rows) == set(cloud.world.truth())
    assert verdict.complete, verdict.reason


def test_a_look_up_distinguishes_hidden_and_gone(started: Callable[[Api], tuple[FaultySimulator, Reader]]) -> None:
    """Hidden, deactivated and unregistered images are still there; deleted ones, and those of others, are not."""
    for api in BY_MARKER:
        cloud, reader = started(api)
        moved = set(cloud.world.hide(2))
        moved |= set(cloud.world.deactivate(2)) if "deactivated" in APIS[api.name].by_name["status"].choices else set()
        gone = {*cloud.world.delete(2), *cloud.world.unshare(1)} - moved
        confirmation = reader.ask(sorted(moved | gone))

        assert (confirmation.still_there - gone, confirmation.gone) == (moved - gone, gone)
        assert confirmation.failure == ""


@pytest.fixture
def started() -> Iterator[Callable[[Api], tuple[FaultySimulator, Reader]]]:
    """Clouds with their readers, closed at the end."""
    clouds: list[FaultySimulator] = []

    def start(api: Api) -> tuple[FaultySimulator, Reader]:
        clouds.append(FaultySimulator(World(seed=9, size=SIZE, api=api.name)))
        return clouds[-1], reader_of(clouds[-1])

    yield start
    for cloud in clouds:
        cloud.close()


NOT_ABOUT_THE_IMAGE = {
    "a proxy": effects.status(404, style="html"),
    "a gateway": effects.status(404, style="gateway"),
    "no such path": effects.status(404),
    "nothing at all": Effect("empty 404", answer=lambda _answer, _request: Answer(404)),
}


@pytest.mark.parametrize("who", NOT_ABOUT_THE_IMAGE)
@BOTH
def test_a_404_about_anything_else_is_no_word_about_an_image(api: Api, who: str) -> None:
    """A 404 that does not name the image came from something in between: the image is unconfirmed, never gone."""
    with cloud_of(api) as cloud:
        gone = cloud.world.delete(2)
        for image in gone:
            cloud.faults.add(NOT_ABOUT_THE_IMAGE[who], id=image, times=None)
        confirmation = reader_of(cloud).ask(gone)

    assert (confirmation.gone, confirmation.still_there) == (set(), set())
    assert "404" in confirmation.failure


@pytest.mark.parametrize(
    ("effect", "unasked"),
    [
        (effects.status(403), True),
        (effects.status(500), True),
        (effects.status(401), True),
        (breakage.drop(), True),
        (breakage.drop("body", 5), True),
        (effects.garbage("list"), False),
    ],
    ids=["403", "500", "401", "reset", "cut short", "no object"],
)
@BOTH
def test_a_look_up_that_fails_confirms_nothing(api: Api, effect: Effect, unasked: bool) -> None:  # noqa: FBT001 - drawn
    """After an error about one image it is unconfirmed; after one that others would meet too, these are not asked for."""
    with cloud_of(api) as cloud:
        gone = cloud.world.delete(5)
        cloud.faults.add(effect, id=gone[0], times=None)
        confirmation = reader_of(cloud, concurrency=1).ask(gone)

    assert confirmation.gone == (set() if unasked else set(gone[1:]))
    assert confirmation.failure


@BOTH
def test_a_look_up_without_an_answer_confirms_nothing(api: Api) -> None:
    """If the cloud does not answer in time, the image is unconfirmed, and no other is asked for."""
    with cloud_of(api) as cloud:
        gone = cloud.world.delete(3)
        cloud.faults.add(breakage.delay(5), id=gone[0], times=None)
        confirmation = reader_of(cloud, concurrency=1, timeout=0.3).ask(gone)

        assert (confirmation.gone, confirmation.still_there) == (set(), set())
        assert confirmation.failure
        assert requests(cloud)[1] == 1


@BOTH
def test_an_answer_about_another_image_is_no_answer(api: Api) -> None:
    """If the cloud ignores the id and shows another image, nothing is known of the one that was asked for."""
    with cloud_of(api) as cloud:
        other, *_ = cloud.world.truth().values()
        gone = cloud.world.delete(1)
        raw = json.dumps(other) if api.image_path else json.dumps({"images": [other]})
        answer = Effect("another image", answer=lambda *_: Answer(200, raw.encode()))
        cloud.faults.add(answer, id=gone[0], times=None)
        confirmation = reader_of(cloud).ask(gone)

    assert (confirmation.gone, confirmation.still_there) == (set(), set())
    assert "about one id" in confirmation.failure


def test_the_second_list_of_glance_shows_all_that_can_be_asked_for() -> None:
    """Images of others that left the usual list, but can be asked for, are in the list that confirms: they are not gone."""
    with cloud_of(GLANCE) as cloud:
        image = next(iter(cloud.world.truth().values()))
        cloud.world.put(image | {"id": _uuid(1), "owner": "3" * 32, "visibility": "community"})
        cloud.world.put(image | {"id": _uuid(2), "owner": "3" * 32, "visibility": "shared"}, status="pending")
        reader = reader_of(cloud)
        with reader.images() as images:
            reading = images.read_all(reader.take)
        listed, there = set(reader.rows), reader.ask([_uuid(1), _uuid(2)]).still_there

    assert there == {_uuid(1), _uuid(2)}
    assert there <= listed
    assert reading.verdict.complete


def test_an_endless_list_is_given_up() -> None:
    """A list that never ends is given up after ``max_images``, and is not complete."""

    def endless(connection: socket.socket, request: Asked) -> bool:
        query = parse_qs(urlsplit(request.target).query)
        start = int(query.get("marker", ["0"])[0].replace("-", ""), 16)
        ids = [_uuid(start + n) for n in range(1, 1001)] if query["sort_dir"] == ["asc"] else []
        connection.sendall(reply({"images": [{"id": each} for each in ids if query.get("os_hidden") != ["true"]]}))
        return True

    with HttpServer(endless) as server:
        verdict = Reader(server.url, api=GLANCE, max_images=5_000).read().verdict

    assert not verdict.complete
    assert "the end of the list was not reached" in verdict.reason
    assert len(server.asked) <= 20


def _uuid(number: int) -> str:
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def test_pages_that_change_between_two_answers_never_prove_too_much() -> None:
    """While images come, go and move between any two answers, each proven reading has all that stayed in the list."""
    for seed, api in [(seed, api) for seed in range(4) for api in BY_MARKER]:
        rng = chance(seed)
        with cloud_of(api, 100, page_cap=12) as cloud:
            world = cloud.world
            happens = (world.create, world.delete, world.change, world.share, world.unshare, world.restore)
            cloud.faults.before_answer = lambda _, rng=rng, happens=happens: rng.choice(happens)(rng.randrange(3))
            proven = 0
            for _ in range(6):
                reader = reader_of(cloud, concurrency=rng.choice((1, 4)), starts=starts_of(cloud, 4))
                first = world.journal.seq
                reading: Reading = reader.read()
                stayed = world.journal.present_throughout(first, world.journal.seq)
                proven += reading.verdict.complete
                assert not reading.verdict.complete or stayed <= set(reader.rows)
        assert proven >= 5


@pytest.mark.parametrize("size", [6_000])
def test_as_many_requests_as_the_list_has_pages(size: int) -> None:
    """A long quiet list by marker takes no more requests than the same number of images over IEC, and 1 or 2 per part."""
    counts = {}
    for api in (IEC, IMS, GLANCE):
        with cloud_of(api, size, page_cap=200) as cloud:
            starts = starts_of(cloud, size // 250) if api.by_marker else ()
            reader = reader_of(cloud, starts=starts)
            reader.read()
            counts[api.name] = reader.stats.requests
            assert set(reader.rows) == set(cloud.world.truth())

    assert counts["ims"] <= 1.3 * counts["iec"] + 2 * MOST_LONELY
    assert counts["glance"] <= 1.3 * counts["iec"] + 2 * MOST_LONELY
