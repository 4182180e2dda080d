"""``GET /v2/cloudimages`` of the simulated IMS, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from simulator_client import ask, ids, send

from sync.errors import UsageError
from sync.simulator import PROJECT, Simulator, World

LIST = "/v2/cloudimages"
OTHER = "f" * 32


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A cloud of 700 images that the project sees, and some that it does not see."""
    with Simulator(World(1, 700, api="ims")) as simulator:
        yield simulator


@pytest.fixture
def small() -> Iterator[Simulator]:
    """A cloud of 40 images, to be changed."""
    with Simulator(World(2, 40, api="ims")) as simulator:
        yield simulator


def walk(simulator: Simulator, **query: object) -> list[dict[str, Any]]:
    """All images of a list, page by page until one is empty."""
    images: list[dict[str, Any]] = []
    while page := ask(simulator, LIST, **query).json["images"]:
        images += page
        query["marker"] = page[-1]["id"]
    return images


def by_id(simulator: Simulator, **query: object) -> list[str]:
    """The ids of a list in their order."""
    return [image["id"] for image in walk(simulator, sort_key="id", sort_dir="asc", **query)]


def image(name: str, **fields: object) -> dict[str, object]:
    """A private image of the project."""
    usual = {"id": name, "name": name, "status": "active", "owner": PROJECT, "visibility": "private"}
    return {**usual, "__isregistered": "true", "created_at": "2024-01-01T00:00:00Z", **fields}


def test_markers_lead_through_the_whole_list(simulator: Simulator) -> None:
    """Page after page until an empty one gives each registered image once; the others are a list of their own."""
    registered, others = by_id(simulator, limit=60), by_id(simulator, limit=60, __isregistered="false")

    assert registered == sorted(set(registered))
    assert sorted(registered + others) == sorted(simulator.world.truth())
    assert len(registered + others) == 700
    assert {simulator.world.truth()[name]["__isregistered"] for name in others} == {"false"}
    assert others


def test_an_answer_has_images_and_the_next_marker_only(simulator: Simulator) -> None:
    """There is no total; a full page says which marker comes next, others do not."""
    full, part = ask(simulator, LIST, limit=5), ask(simulator, LIST, limit=1000)

    assert full.json.keys() == {"images", "page_info"}
    assert full.json["page_info"] == {"next_marker": ids(full)[-1]}
    assert part.json.keys() == {"images"}
    assert ask(simulator, LIST, limit=5, marker=ids(part)[-1]).json == {"images": []}


def test_defaults_are_the_documents(simulator: Simulator) -> None:
    """By default there are 500 rows, newest first; parameters of other APIs are ignored."""
    reply = ask(simulator, LIST)
    created = [row["created_at"] for row in reply.json["images"]]

    assert len(created) == 500
    assert created == sorted(created, reverse=True)
    assert ask(simulator, LIST, offset=100, unknown="x").json == reply.json
    assert len(ids(ask(simulator, LIST, limit=600))) == 600


def test_equal_dates_are_sorted_by_id() -> None:
    """Images of one second are sorted by id, in the direction of the order."""
    with Simulator(World(1, 0, api="ims")) as simulator:
        for name in ("b", "a", "c"):
            simulator.world.put(image(name))

        assert ids(ask(simulator, LIST, sort_dir="asc")) == ["a", "b", "c"]
        assert ids(ask(simulator, LIST)) == ["c", "b", "a"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": "ten"},
        {"sort_key": "updated_at"},
        {"sort_dir": "up"},
        {"__imagetype": "silver"},
        {"status": "lost"},
        {"created_at": "gt:yesterday"},
        {"member_status": "pending"},
    ],
)
def test_bad_parameters_are_refused(simulator: Simulator, query: dict[str, object]) -> None:
    """Invalid parameters get status 400 and the service's form of an error."""
    reply = ask(simulator, LIST, **query)

    assert reply.status == 400
    assert reply.json.keys() == {"error"}
    assert reply.json["error"]["code"] == "IMG.0024"
    assert next(iter(query)) in reply.json["error"]["message"]


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({"__imagetype": "gold"}, lambda row: row["__imagetype"] == "gold"),
        ({"__imagetype": "shared"}, lambda row: row["__imagetype"] == "shared"),
        ({"visibility": "private"}, lambda row: row["visibility"] == "private"),
        ({"__platform": "Ubuntu"}, lambda row: row["__platform"] == "Ubuntu"),
        ({"protected": "true"}, lambda row: row["protected"] is True),
        ({"min_disk": 100}, lambda row: row["min_disk"] == 100),
        ({"tag": "golden"}, lambda row: "golden" in row["tags"]),
        ({"enterprise_project_id": "0"}, lambda row: row.get("enterprise_project_id", "0") == "0"),
        ({"architecture": "arm"}, lambda row: row.get("__support_arm") == "true"),
        ({"architecture": "x86"}, lambda row: row.get("__support_arm") != "true"),
        ({"__support_xen": "true"}, lambda row: row.get("__support_xen") == "true"),
        ({"created_at": "gt:2023-01-01T00:00:00Z"}, lambda row: row["created_at"] > "2023-01-01T00:00:00Z"),
    ],
)
def test_filters_select(simulator: Simulator, query: dict[str, object], fits: Any) -> None:
    """Each filter gives exactly the registered images that it describes."""
    registered = [row for row in simulator.world.truth().values() if row["__isregistered"] == "true"]
    expected = {row["id"] for row in registered if fits(row)}

    assert set(by_id(simulator, **query)) == expected
    assert 0 < len(expected) < len(registered)


def test_all_granted_enterprise_projects_are_all_images(simulator: Simulator) -> None:
    """all_granted_eps hides nothing; an enterprise project's id selects its images."""
    every = by_id(simulator, enterprise_project_id="all_granted_eps")
    own = {row.get("enterprise_project_id") for row in simulator.world.truth().values()} - {"0", None}

    assert every == by_id(simulator)
    for name in own:
        rows = walk(simulator, enterprise_project_id=name)
        assert rows
        assert {row["enterprise_project_id"] for row in rows} == {name}


def test_id_finds_registered_images_unless_others_are_asked_for(small: Simulator) -> None:
    """``id`` finds an image where it is listed: unregistered ones only with ``__isregistered=false``."""
    (name,) = small.world.hide()

    assert ask(small, LIST, id=name).json == {"images": []}
    assert ask(small, LIST, id=name, __isregistered="false").json["images"] == [small.world.truth()[name]]
    small.world.show(ids=[name])
    assert ids(ask(small, LIST, id=name)) == [name]
    assert ask(small, LIST, id=name[:-1]).json == {"images": []}


def test_deleted_images_are_in_no_list(small: Simulator) -> None:
    """A deleted image is found by nothing."""
    (name,) = small.world.delete()

    for query in ({}, {"status": "deleted"}, {"id": name}, {"id": name, "__isregistered": "false"}):
        assert name not in by_id(small, **query)


def test_images_of_others_are_shown_once_shared(small: Simulator) -> None:
    """An image of another project is listed if it was shared and accepted, and a pending one with its status only."""
    (accepted,), (pending,) = small.world.share(), small.world.share(status="pending")
    foreign = small.world.put(image("foreign", owner=OTHER))
    usual = by_id(small)
    waiting = by_id(small, visibility="shared", member_status="pending")

    assert {accepted, pending, foreign} & set(usual) == {accepted}
    assert small.world.truth()[accepted]["owner"] != PROJECT
    assert pending in waiting
    assert accepted not in waiting
    small.world.unshare(ids=[accepted])
    assert accepted not in by_id(small)
    assert ask(small, LIST, id=accepted).json == {"images": []}


@pytest.mark.parametrize(("way", "rows"), [(None, None), ("refuse", None), ("restart", 0), ("continue", 4)])
def test_a_lost_marker(way: str | None, rows: int | None) -> None:
    """After an image that is gone: an error by default, or the first page, or the right one."""
    with Simulator(World(3, 60, api="ims"), lost_marker=way) as simulator:
        before = by_id(simulator)
        simulator.world.delete(ids=[before[4]])
        reply = ask(simulator, LIST, limit=10, sort_key="id", sort_dir="asc", marker=before[4])
        there = by_id(simulator)
        never = ask(simulator, LIST, marker="nowhere")

    if rows is None:
        assert (reply.status, reply.json["error"].keys()) == (400, {"code", "message"})
        assert before[4] in reply.json["error"]["message"]
    else:
        assert (ids(reply), there) == ((before[:4] + before[5:])[rows:][:10], before[:4] + before[5:])
    assert never.status == (200 if way == "restart" else 400)


def test_an_enterprise_project_can_be_required() -> None:
    """Requests that name no enterprise project are refused with 403, and the error names the parameter."""
    with Simulator(World(3, 60, api="ims"), enterprise_project=True) as simulator:
        refused = ask(simulator, LIST)
        accepted = ask(simulator, LIST, enterprise_project_id="all_granted_eps")

    assert refused.status == 403
    assert refused.json["error"]["code"].startswith("IMG.")
    assert "enterprise_project_id" in refused.json["error"]["message"]
    assert (accepted.status, len(ids(accepted)) > 50) == (200, True)


@pytest.mark.parametrize("options", [{"lost_marker": "restart"}, {"enterprise_project": True}])
@pytest.mark.parametrize("api", ["iec", "glance"])
def test_other_apis_have_no_such_options(api: str, options: dict[str, Any]) -> None:
    """What only IMS leaves open is no option of the others."""
    with pytest.raises(UsageError, match=next(iter(options))):
        Simulator(World(1, 0, api=api), **options)


def test_ways_of_lost_markers_are_known() -> None:
    """Another way than the three is refused."""
    with pytest.raises(UsageError, match="refuse, restart, continue"):
        Simulator(World(1, 0, api="ims"), lost_marker="vanish")


def test_errors_of_the_gateway(simulator: Simulator) -> None:
    """Credentials, paths and rates are the gateway's; its codes begin with APIG."""
    none, path = send(simulator.url, "GET", LIST, {}), ask(simulator, "/v1/images")
    simulator.faults.fail(429)
    throttled = ask(simulator, LIST)
    simulator.faults.fail(503, retry_after="3")
    broken = ask(simulator, LIST)

    replies = (none, path, throttled, broken)
    assert [reply.status for reply in replies] == [401, 404, 429, 503]
    codes = [reply.json["error_code"] for reply in replies]
    assert codes == ["APIG.0301", "APIG.0101", "APIG.0308", "APIG.0201"]
    assert {reply.json["request_id"] == reply.headers["X-Request-Id"] for reply in replies} == {True}
    assert broken.headers["Retry-After"] == "3"
    assert "x-auth-token not found" in none.json["error_msg"]
