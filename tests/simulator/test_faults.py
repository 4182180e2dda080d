"""Faults of the simulated cloud: how they change a response, and which requests they affect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from breakage import drip, drop
from effects import (
    body,
    garbage,
    hidden,
    images,
    offset_ignored,
    reformatted,
    status,
    throttled,
    total,
    total_missing,
    total_off,
)
from fault_rules import FaultySimulator
from simulator_client import ask, ids, send

from sync.simulator import TOKENS, Simulator, World


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A cloud of 20 images."""
    with FaultySimulator(World(1, 20)) as simulator:
        yield simulator


@pytest.mark.parametrize("retry_after", [None, "7", "-1", "Wed, 21 Oct 2037 07:28:00 GMT", "soon"])
def test_throttling_has_the_gateways_text(simulator: Simulator, retry_after: str | None) -> None:
    """A 429 names its window in the text; Retry-After is exactly the given one; the next response is good."""
    simulator.faults.add(throttled(200, "5 minute", retry_after=retry_after))
    reply = ask(simulator)

    assert reply.status == 429
    assert reply.json["error_code"] == "APIGW.0308"
    assert "policy user over ratelimit,limit:200,time:5 minute" in reply.json["error_msg"]
    assert reply.json["request_id"] == reply.headers["X-Request-Id"]
    assert reply.headers.get("Retry-After") == retry_after
    assert ask(simulator).status == 200


@pytest.mark.parametrize(
    ("http_status", "code"),
    [
        (400, "IEC.000000"),
        (401, "APIGW.0301"),
        (403, "APIGW.0302"),
        (404, "APIGW.0101"),
        (500, "IEC.000000"),
        (502, "APIGW.0201"),
        (503, "APIGW.0201"),
        (504, "APIGW.0201"),
    ],
)
def test_statuses_have_the_vendors_format(simulator: Simulator, http_status: int, code: str) -> None:
    """Each status has the vendor's error code by default; code, text and format can be set."""
    simulator.faults.add(status(http_status))
    simulator.faults.add(status(http_status, code="X.1", message="no", style="iec"))
    simulator.faults.add(status(http_status, style="html"))
    simulator.faults.add(status(http_status, style="iam", message="no"))
    usual, own, page, iam = (ask(simulator) for _ in range(4))

    assert {reply.status for reply in (usual, own, page, iam)} == {http_status}
    assert usual.json["error_code"] == code
    assert own.json == {"error_msg": "no", "error_code": "X.1"}
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.body.startswith(b"<html>")
    assert iam.json["error"]["message"] == "no"


def test_a_redirect_has_a_location(simulator: Simulator) -> None:
    """A 302 has the given Location."""
    simulator.faults.add(status(302, location="http://127.0.0.1:9/"))
    reply = ask(simulator)

    assert (reply.status, reply.headers["Location"]) == (302, "http://127.0.0.1:9/")


@pytest.mark.parametrize("kind", ["html", "nan", "duplicate_keys", "deep", "empty", "error", "list", "text"])
def test_garbage_comes_as_a_success(simulator: Simulator, kind: str) -> None:
    """Each kind of garbage comes with status 200 as JSON and contains no image of this world."""
    simulator.faults.add(garbage(kind))
    reply = ask(simulator)

    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert not any(name.encode() in reply.body for name in simulator.world.truth())


def test_bodies_come_byte_for_byte(simulator: Simulator) -> None:
    """A given body is served unchanged."""
    simulator.faults.add(body(b"\xff\x00"))
    simulator.faults.add(body("[1]", "text/plain"))

    assert ask(simulator).body == b"\xff\x00"
    assert ask(simulator).headers["Content-Type"] == "text/plain"


def test_images_and_total_can_be_anything(simulator: Simulator) -> None:
    """``images`` and ``total`` can have each of the wrong forms; the other member is unchanged."""
    wrong = [images("null"), images("missing"), images("object"), images("empty")]
    wrong += [total(-1), total("20"), total(None), total(1.5), total_off(3), total_off(-1), total_missing()]
    for effect in wrong:
        simulator.faults.add(effect)
    first = [ask(simulator).json for _ in range(4)]
    second = [ask(simulator).json for _ in range(7)]

    assert first == [
        {"images": None, "total": 20},
        {"total": 20},
        {"images": {}, "total": 20},
        {"images": [], "total": 0},
    ]
    assert [page.get("total", "missing") for page in second] == [-1, "20", None, 1.5, 23, 19, "missing"]
    assert all(len(page["images"]) == 20 for page in second)


def test_offset_can_be_ignored(simulator: Simulator) -> None:
    """The first page is returned for every offset."""
    simulator.faults.add(offset_ignored(), times=None)
    first = ids(ask(simulator, limit=5))

    assert all(ids(ask(simulator, limit=5, offset=offset)) == first for offset in (5, 10, 100))


def test_images_can_be_hidden(simulator: Simulator) -> None:
    """Hidden images are missing from list and total in the requests of the rule only."""
    name = ids(ask(simulator))[3]
    simulator.faults.add(hidden([name]), times=None, offset=0)

    assert name not in ids(ask(simulator))
    assert ask(simulator).json["total"] == 19
    assert len(ids(ask(simulator, offset=1))) == 19


def test_reformatted_is_the_same_in_other_bytes(simulator: Simulator) -> None:
    """Reformatted pages have the same content in new bytes each time."""
    plain = ask(simulator)
    simulator.faults.add(reformatted(), times=None)
    replies = [ask(simulator) for _ in range(3)]

    assert all(reply.json == plain.json for reply in replies)
    assert len({plain.body, *(reply.body for reply in replies)}) == 4


def test_faults_queue_up_and_constant_ones_stay(simulator: Simulator) -> None:
    """Counted faults hit one request each in their order, a constant one hits all, and clear ends both."""
    simulator.faults.add(total_off(1), times=None)
    simulator.faults.add(status(500), times=2)
    simulator.faults.add(status(503))
    seen = [ask(simulator) for _ in range(4)]

    assert [reply.status for reply in seen] == [500, 500, 503, 200]
    assert seen[3].json["total"] == 21
    assert simulator.faults.struck[0] == ["total_off", "status 500"]
    simulator.faults.clear()
    assert ask(simulator).json["total"] == 20


def test_faults_find_their_request(simulator: Simulator) -> None:
    """A fault can be limited to the n-th request, an offset, an id or another path."""
    name = ids(ask(simulator))[0]
    simulator.faults.add(status(500), nth=3, times=2)
    assert [ask(simulator).status for _ in range(5)] == [200, 200, 500, 500, 200]
    simulator.faults.add(status(500), offset=10)
    assert [ask(simulator, offset=offset).status for offset in (0, 10, 10)] == [200, 500, 200]
    simulator.faults.add(status(500), offset=0)
    assert [ask(simulator).status, ask(simulator).status] == [500, 200]
    simulator.faults.add(status(500), id=name)
    assert [ask(simulator, id="x").status, ask(simulator, id=name).status] == [200, 500]
    simulator.faults.add(status(429), path=TOKENS)
    assert ask(simulator).status == 200
    assert send(simulator.url, "POST", TOKENS, {}, b"{}").status == 429


def test_the_world_may_change_between_responses(simulator: Simulator) -> None:
    """The hook runs before each response with its request, and its changes are in that response."""
    queries = []
    simulator.faults.before_answer = lambda request: (queries.append(request.query), simulator.world.delete())
    totals = [ask(simulator, limit=limit).json["total"] for limit in (1, 2, 3)]

    assert totals == [19, 18, 17]
    assert queries == ["limit=1", "limit=2", "limit=3"]


def test_invalid_effects_are_refused() -> None:
    """An invalid effect is a clear error when it is created."""
    for wrong in (
        lambda: garbage("x"),
        lambda: images("x"),
        lambda: drop("tail"),
        lambda: drip(0),
        lambda: status(500, style="x"),
    ):
        with pytest.raises(ValueError, match=r"take one of|can be dropped|needs a rate"):
            wrong()
