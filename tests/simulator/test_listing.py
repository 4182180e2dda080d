"""``GET /v1/images`` of the simulated cloud over HTTP, compared with a simple reference."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from typing import TYPE_CHECKING

import pytest
from simulator_client import ask, ids, send

from sync.domain.apis import IEC
from sync.simulator import Simulator, World

if TYPE_CHECKING:
    from sync.simulator.catalog import Document

SAMPLE = b"""{
    "id" : "633724a7-4a4e-11eb-8f73-fa1640aee23e",
    "name" : "ces",
    "status" : "active",
    "disk_format" : "zvhd2",
    "min_disk" : 40,
    "min_ram" : 0,
    "owner" : "2b76febbe5d34eac85d26435c1f15809",
    "protected" : false,
    "visibility" : "private",
    "created_at" : "2020-12-30T03:23:29Z",
    "updated_at" : "2020-12-30T03:30:36Z",
    "self" : "/v1/self/633724a7-4a4e-11eb-8f73-fa1640aee23e",
    "deleted" : false,
    "virtual_env_type" : "FusionCompute",
    "deleted_at" : "",
    "__imagetype" : "private",
    "__platform" : "CentOS",
    "__os_type" : "Linux",
    "__os_version" : "CentOS 7.4 64bit",
    "__isregistered" : true,
    "__support_arm" : "true",
    "hw_firmware_type" : "uefi",
    "data_source" : "instance:a7c6deda-99eb-4f58-b7b4-04a36b75401b",
    "__support_gpu_t4" : "true"
  }"""
FILTERS = [parameter for parameter in IEC.parameters if parameter.filter and parameter.name not in {"id", "name"}]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A cloud of 700 images and 50 deleted ones."""
    world = World(5, 750)
    world.delete(50)
    with Simulator(world) as simulator:
        yield simulator


def reference(world: World, query: dict[str, str]) -> list[Document]:
    """All matching images in order, according to the API document."""
    images = [entry.document for entry in world.entries(deleted=query.get("status") == "deleted")]
    for parameter in IEC.parameters:
        if parameter.name in IEC.filters and parameter.name in query:
            images = [image for image in images if matches(image, parameter.name, query[parameter.name])]
    descending = query.get("sort_dir", "desc") == "desc"
    return sorted(images, key=lambda image: str(image[query.get("sort_key", "created_at")]), reverse=descending)


def matches(image: Document, name: str, expected: str) -> bool:
    """Whether an image passes one filter."""
    if name == "__isregistered" and image["visibility"] == "public":
        return True
    if name.startswith("__support") and expected == "false":
        return image.get(name, "false") == "false"
    value = image.get(name)
    return (json.dumps(value) if isinstance(value, bool) else value) == expected


def some_query(rng: Random) -> dict[str, str]:
    """A random query with up to three filters, an order and a page."""
    query = {filter_.name: rng.choice(filter_.choices) for filter_ in rng.sample(FILTERS, rng.randrange(4))}
    for parameter in IEC.parameters:
        if parameter.name in {"sort_key", "sort_dir"} and rng.random() < 0.7:
            query[parameter.name] = rng.choice(parameter.choices)
    if rng.random() < 0.7:
        query |= {"offset": str(rng.randrange(0, 720)), "limit": str(rng.randrange(1, 501))}
    return query


def test_pages_are_those_of_the_reference(simulator: Simulator) -> None:
    """150 random queries give the same rows and total as the reference."""
    rng, rows = Random(1), 0
    for _ in range(150):
        query = some_query(rng)
        expected, reply = reference(simulator.world, query), ask(simulator, **query)
        start = int(query.get("offset", 0))
        page = expected[start : start + int(query.get("limit", 500))]

        assert reply.json == {"images": page, "total": len(expected)}, query
        rows += len(page)
    assert rows > 500


@pytest.mark.parametrize("name", [filter_.name for filter_ in FILTERS])
def test_every_filter_has_an_effect(simulator: Simulator, name: str) -> None:
    """Each filter alone has an effect, for each value in the document."""
    choices = next(filter_.choices for filter_ in FILTERS if filter_.name == name)
    totals = [ask(simulator, **{name: choice}).json["total"] for choice in choices]

    assert all(totals)
    assert name == "virtual_env_type" or min(totals) < 700
    assert ask(simulator, **{name: "nonsense"}).json["total"] == (
        ask(simulator, visibility="public").json["total"] if name == "__isregistered" else 0
    )


def test_id_and_name_match_exactly(simulator: Simulator) -> None:
    """``id`` and ``name`` match the whole value, even with Chinese characters and spaces."""
    image = next(image for image in simulator.world.truth().values() if not str(image["name"]).isascii())
    name = str(image["name"])

    assert ids(ask(simulator, id=image["id"])) == [image["id"]]
    assert ask(simulator, id=str(image["id"])[:-1]).json == {"images": [], "total": 0}
    assert {match["name"] for match in ask(simulator, name=name).json["images"]} == {name}
    assert ask(simulator, name=name[:-1]).json["total"] == 0


def test_deleted_images_need_their_status(simulator: Simulator) -> None:
    """A deleted image is found only by ``status=deleted``, also together with its id."""
    gone = ask(simulator, status="deleted").json["images"]
    name = gone[0]["id"]

    assert len(gone) == 50
    assert all(image["deleted"] is True and image["deleted_at"] for image in gone)
    assert ask(simulator).json["total"] == 700
    assert ask(simulator, id=name).json["total"] == 0
    assert ids(ask(simulator, id=name, status="deleted")) == [name]


def test_defaults_are_the_documents(simulator: Simulator) -> None:
    """By default there are 500 rows, newest first; an offset beyond the end gives none, and the total."""
    reply = ask(simulator)
    created = [image["created_at"] for image in reply.json["images"]]

    assert len(created) == 500
    assert created == sorted(created, reverse=True)
    assert ask(simulator, offset=700).json == {"images": [], "total": 700}
    assert ask(simulator, unknown="x").json == reply.json


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 501},
        {"limit": -1},
        {"limit": "ten"},
        {"limit": ""},
        {"limit": "1.0"},
        {"limit": "٣"},
        {"limit": "9" * 5000},
        {"offset": -1},
        {"offset": "x"},
        {"offset": "9" * 11},
        {"sort_key": "id"},
        {"sort_key": ""},
        {"sort_dir": "up"},
    ],
)
def test_bad_parameters_are_refused(simulator: Simulator, query: dict[str, object]) -> None:
    """Invalid parameters get status 400 and the API's error code."""
    reply = ask(simulator, **query)

    assert reply.status == 400
    assert reply.json["error_code"] == "IEC.000006"
    assert next(iter(query)) in reply.json["error_msg"]


def test_unknown_paths_are_the_gateways(simulator: Simulator) -> None:
    """The gateway answers any other path or method, with the request id in header and body."""
    for reply in (ask(simulator, "/v2/images"), send(simulator.url, "POST", "/v1/images", {}, b"{}")):
        assert reply.status == 404
        assert reply.json["error_code"] == "APIGW.0101"
        assert reply.json["request_id"] == reply.headers["X-Request-Id"]


def test_every_response_has_an_id_and_a_date(simulator: Simulator) -> None:
    """Each response has a new X-Request-Id, which is in the journal, and a Date."""
    replies = [ask(simulator, limit=1) for _ in range(3)]
    noted = [event.detail["request_id"] for event in simulator.journal.answers()][-3:]

    assert [reply.headers["X-Request-Id"] for reply in replies] == noted
    assert len(set(noted)) == 3
    assert all(reply.headers["Date"].endswith("GMT") for reply in replies)


def test_one_connection_serves_several_requests(simulator: Simulator) -> None:
    """Pages and errors can follow each other on one connection."""
    connection = http.client.HTTPConnection(simulator.url.removeprefix("http://"), timeout=30)
    statuses, sockets = [], set()
    for target in ("/v1/images?limit=1", "/nowhere", "/v1/images?limit=0", "/v1/images?limit=500"):
        connection.request("GET", target, headers={"X-Auth-Token": simulator.token})
        sockets.add(connection.sock)
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
    connection.close()

    assert statuses == [200, 404, 400, 200]
    assert len(sockets) == 1


def test_ties_keep_their_order_or_change_it() -> None:
    """Images with equal created_at keep their order, or with unstable ties change only theirs in each response."""
    world = World(1, 0)
    for number in range(90):
        world.put({"id": f"{number:02}", "created_at": f"2024-01-01T00:00:{(number + 30) // 40:02}Z"})
    with Simulator(world) as simulator:
        query = {"sort_dir": "asc", "offset": 5, "limit": 50}
        stable = {tuple(ids(ask(simulator, **query))) for _ in range(5)}
        simulator.listing.unstable_ties = True
        shuffled = [ask(simulator, **query) for _ in range(5)]

    assert stable == {tuple(f"{number:02}" for number in range(5, 55))}
    assert len({tuple(ids(reply)) for reply in shuffled}) == 5
    for reply in shuffled:
        names = ids(reply)
        assert sorted(set(names)) == sorted(names)
        assert [image["created_at"][-3:-1] for image in reply.json["images"]] == ["00"] * 5 + ["01"] * 40 + ["02"] * 5
        assert set(names[5:45]) == {f"{number:02}" for number in range(10, 50)}
    assert len({name for reply in shuffled for name in ids(reply)}) > 50


def test_the_server_may_cap_pages() -> None:
    """With a cap, pages are shorter than requested, and the total does not show it."""
    with Simulator(World(1, 30), page_cap=10) as simulator:
        assert [len(ids(ask(simulator, limit=limit))) for limit in (500, 10, 3)] == [10, 10, 3]
        assert ask(simulator).json["total"] == 30


def test_created_at_is_sorted_as_a_time() -> None:
    """created_at is sorted as a time in any format; invalid ones come first."""
    world = World(1, 0)
    written = ["2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00Z", "2024-01-01T08:00:01+08:00", "2023-12-31T23:59:59"]
    for number, text in enumerate([*written, "once upon a time"]):
        world.put({"id": str(number), "created_at": text})
    with Simulator(world) as simulator:
        assert ids(ask(simulator, sort_dir="asc")) == ["4", "3", "1", "0", "2"]


def test_the_documents_sample_is_served_as_printed() -> None:
    """The example of the API document is served byte for byte."""
    world = World(1, 0)
    world.put(SAMPLE)
    with Simulator(world) as simulator:
        reply = ask(simulator, __os_type="Linux", __support_arm="true")

    assert SAMPLE in reply.body
    assert reply.json == {"images": [json.loads(SAMPLE)], "total": 1}


def churn_until(world: World, stop: Event) -> int:
    """Delete and restore images until an event is set; the number of days that took."""
    days = 0
    while not stop.is_set():
        world.churn(5, created=0, deleted=0.5, restored=0.5)
        days += 1
    return days


def test_responses_and_changes_have_one_order() -> None:
    """While images come and go, each full response shows exactly the images at its place in the journal."""
    world, stop, answers = World(1, 120), Event(), []
    with Simulator(world) as simulator, ThreadPoolExecutor(1) as executor:
        days = executor.submit(churn_until, world, stop)
        for _ in range(60):
            before = world.journal.seq
            ask(simulator)
            answers += world.journal.answers(before)  # at once: the journal keeps the newest events only
        stop.set()

    assert days.result() > 10
    for event in answers:
        assert set(event.ids) == world.journal.present_throughout(event.seq, event.seq)
        assert event.detail["total"] == len(event.ids)
    assert len(answers) == 60
