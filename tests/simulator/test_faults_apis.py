"""Faults of the simulated IMS and Glance: in the form of each API, and on lists by marker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from effects import hidden, images, in_between, marker_ignored, next_page, status, throttled
from fault_rules import FaultySimulator
from simulator_client import ask, command, ids

from sync.simulator import World

LISTS = {"ims": "/v2/cloudimages", "glance": "/v2/images"}


@pytest.fixture(params=LISTS)
def simulator(request: pytest.FixtureRequest) -> Iterator[FaultySimulator]:
    """A cloud of 40 images, of each of the two APIs."""
    with FaultySimulator(World(1, 40, api=request.param), control=True) as simulator:
        yield simulator


def path_of(simulator: FaultySimulator) -> str:
    """The path of the list."""
    return simulator.world.api.path


def in_order(simulator: FaultySimulator, **query: object) -> list[str]:
    """The ids of a page sorted by id."""
    return ids(ask(simulator, path_of(simulator), sort_key="id", sort_dir="asc", **query))


def test_failures_have_the_form_of_the_api(simulator: FaultySimulator) -> None:
    """An error that is asked for is a web page of Glance, and JSON of IMS; the next answer is good."""
    for number in (400, 401, 403, 404, 429, 500, 503):
        simulator.faults.add(status(number, retry_after="1"))
        reply = ask(simulator, path_of(simulator))
        html = reply.headers["Content-Type"].startswith("text/html")

        assert (reply.status, reply.headers["Retry-After"]) == (number, "1")
        assert html is (simulator.world.api.name == "glance")
        assert html or reply.json.keys() in ({"error"}, {"error_code", "error_msg", "request_id"})
        assert ("WWW-Authenticate" in reply.headers) is (html and number == 401)
    assert ask(simulator, path_of(simulator)).status == 200


def test_commands_break_either_api(simulator: FaultySimulator) -> None:
    """``fail`` strikes the list and the request for one image, and ``lose`` hides images from both."""
    image_path = f"{path_of(simulator)}/" if simulator.world.api.image_path else f"{path_of(simulator)}?id="
    command(simulator.url, "fail", status=503, times=2)
    name = in_order(simulator, limit=1) if ask(simulator, path_of(simulator)).status == 200 else []
    failed = ask(simulator, f"{image_path}x").status
    lost = command(simulator.url, "lose", count=20).json
    left = in_order(simulator, limit=100)
    one = ask(simulator, image_path + lost[0])
    command(simulator.url, "clear")

    assert (name, failed) == ([], 503)
    assert not set(left) & set(lost)
    assert one.status == 404 or one.json["images"] == []
    assert ask(simulator, image_path + left[0]).status == 200
    assert len(in_order(simulator, limit=100)) > len(left)


def test_a_page_from_in_between_lacks_the_services_header(simulator: FaultySimulator) -> None:
    """What stands in between can say 404 and name the image, but has no id of the request; the service's own has."""
    simulator.faults.add(in_between(404, "No image found with ID x"))
    simulator.faults.add(status(404))
    header = simulator.behaviour.request_id_header
    between, own = (ask(simulator, path_of(simulator)) for _ in range(2))

    assert (between.status, own.status) == (404, 404)
    assert b"ID x" in between.body
    assert (header in between.headers, header in own.headers) == (False, True)


def test_throttling_names_its_window() -> None:
    """The 429 of IMS is the gateway's, with the window in its text."""
    with FaultySimulator(World(1, 3, api="ims")) as simulator:
        simulator.faults.add(throttled(60, "1 minute"))
        reply = ask(simulator, LISTS["ims"])

    assert (reply.status, reply.json["error_code"]) == (429, "APIG.0308")
    assert "limit:60,time:1 minute" in reply.json["error_msg"]


def test_faults_find_markers(simulator: FaultySimulator) -> None:
    """A fault can be limited to a marker, or to the first page, or to an image."""
    path, marker = path_of(simulator), in_order(simulator, limit=5)[-1]
    simulator.faults.add(status(500), marker=marker)
    simulator.faults.add(status(502), marker="")
    simulator.faults.add(status(504), id=marker)

    assert [ask(simulator, path, **query).status for query in ({"marker": marker}, {}, {})] == [500, 502, 200]
    one = f"{path}/{marker}" if simulator.world.api.image_path else f"{path}?id={marker}"
    assert [ask(simulator, one).status for _ in range(2)] == [504, 200]


def test_a_marker_can_be_ignored(simulator: FaultySimulator) -> None:
    """The list starts again at its first page, whatever the marker."""
    first = in_order(simulator, limit=5)
    simulator.faults.add(marker_ignored())

    assert in_order(simulator, limit=5, marker=first[-1]) == first
    assert in_order(simulator, limit=5, marker=first[-1])[0] > first[-1]


def test_next_can_point_elsewhere() -> None:
    """``next`` can be any text, even another host."""
    with FaultySimulator(World(1, 10, api="glance")) as simulator:
        simulator.faults.add(next_page("http://192.0.2.1/v2/images"))
        assert ask(simulator, LISTS["glance"]).json["next"] == "http://192.0.2.1/v2/images"


def test_pages_can_be_empty_or_odd(simulator: FaultySimulator) -> None:
    """``images`` can be empty, null or missing; no ``total`` is added."""
    for kind in ("empty", "null", "missing"):
        simulator.faults.add(images(kind))
    pages = [ask(simulator, path_of(simulator)).json for _ in range(3)]

    assert [page.get("images", "missing") for page in pages] == [[], None, "missing"]
    assert not any("total" in page for page in pages)


def test_the_world_may_change_before_each_answer(simulator: FaultySimulator) -> None:
    """The hook runs before each list and each request for one image, and its changes are in the answer."""
    path, seen = path_of(simulator), []
    last = in_order(simulator, limit=100)[-1]

    def change(request: object) -> None:
        seen.append(request)
        simulator.world.remove(last)

    simulator.faults.before_answer = change
    listed = in_order(simulator, limit=100)
    one = ask(simulator, f"{path}/{last}" if simulator.world.api.image_path else f"{path}?id={last}")

    assert last not in listed
    assert one.status == 404 or one.json["images"] == []
    assert len(seen) == 2


def test_a_replica_that_lags_knows_no_single_image_either(simulator: FaultySimulator) -> None:
    """An image that a fault hides is neither listed nor found by its id."""
    name = in_order(simulator, limit=1)[0]
    simulator.faults.add(hidden([name]), times=None)
    simulator.faults.add(hidden([name]), times=None, id=name)
    one = f"{path_of(simulator)}/{name}" if simulator.world.api.image_path else f"{path_of(simulator)}?id={name}"
    reply = ask(simulator, one)

    assert name not in in_order(simulator, limit=100)
    assert reply.status == 404 or reply.json["images"] == []
