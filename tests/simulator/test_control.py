"""Commands over HTTP, and the server's lifetime."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

import pytest
from checkout import CHECKOUT
from simulator_client import ask, command, dial, ids, receive, send

from sync.errors import UsageError
from sync.simulator import TOKENS, Simulator, World
from sync.simulator.answers import Request
from sync.simulator.catalog import stamp
from sync.simulator.control import Control


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A cloud of 20 images that accepts commands."""
    with Simulator(World(1, 20), control=True) as simulator:
        yield simulator


def get(simulator: Simulator, name: str) -> object:
    """GET something under ``/_simulator/``."""
    return send(simulator.url, "GET", f"/_simulator/{name}", {}).json


def test_commands_change_the_world(simulator: Simulator) -> None:
    """The commands over HTTP do the same as the methods of the world."""
    created = command(simulator.url, "create", count=2).json
    assert created == ids(ask(simulator, limit=2))[::-1]
    deleted = command(simulator.url, "delete", count=3).json
    assert command(simulator.url, "restore", count=1).json[0] in deleted
    assert len(command(simulator.url, "change", count=4).json) == 4
    assert command(simulator.url, "put", image={"id": "x", "created_at": "2001-01-01T00:00:00Z"}).json == "x"
    assert get(simulator, "truth")["x"] == {"id": "x", "created_at": "2001-01-01T00:00:00Z"}
    command(simulator.url, "remove", key="x")
    assert command(simulator.url, "churn", percent=50).json.keys() == {"changed", "created", "restored", "deleted"}
    assert get(simulator, "truth") == simulator.world.truth()
    before = simulator.world.now
    assert command(simulator.url, "advance", seconds=3600).json == stamp(simulator.world.now)
    assert (simulator.world.now - before).total_seconds() == 3600


def test_commands_break_things(simulator: Simulator) -> None:
    """Commands make requests fail, hide images until cleared, shuffle ties and revoke tokens."""
    command(simulator.url, "fail", status=429, times=2, retry_after="1")
    login = send(simulator.url, "POST", TOKENS, {}, b"{}")
    replies = [ask(simulator) for _ in range(3)]
    command(simulator.url, "fail", status=503)
    unavailable = ask(simulator)

    assert login.status == 400  # only requests for images fail
    assert [reply.status for reply in replies] == [429, 429, 200]
    assert [reply.headers["Retry-After"] for reply in replies] == ["1", "1", None]
    assert replies[0].json["error_code"] == "APIGW.0308"
    assert (unavailable.status, unavailable.headers["Retry-After"], ask(simulator).status) == (503, None, 200)

    hidden = command(simulator.url, "lose", count=15).json
    assert hidden == sorted(simulator.world.truth())[:15]
    assert sorted(ids(ask(simulator))) == sorted(simulator.world.truth())[15:]
    assert [ask(simulator).json["total"], ask(simulator, id=hidden[0]).json["total"]] == [5, 0]
    command(simulator.url, "fail", status=500, times=9)
    command(simulator.url, "clear")
    assert ask(simulator).json["total"] == 20

    command(simulator.url, "ties", unstable=True)
    assert simulator.listing.unstable_ties
    command(simulator.url, "revoke")
    assert ask(simulator).status == 401


def test_the_page_has_every_command(simulator: Simulator) -> None:
    """docs/simulator.md has one row for each command with its method, and no other."""
    control = Control(simulator.world, simulator.faults, simulator.identity, simulator.listing)
    page = (CHECKOUT / "docs" / "simulator.md").read_text()

    rows = re.findall(r"^\| `(GET|POST) (\w+)[ `?]", page, re.MULTILINE)
    assert rows == [(method, name) for method in ("POST", "GET") for name in control.commands[method]]


def test_the_journal_can_be_read(simulator: Simulator) -> None:
    """Journal and statistics report what happened, from any number on, without a secret."""
    command(simulator.url, "delete", count=1)
    ask(simulator, limit=2)
    events, facts = get(simulator, "journal?since=1"), get(simulator, "statistics")

    assert [(event["seq"], event["kind"]) for event in events] == [(2, "deleted"), (3, "answer")]
    assert (events[1]["status"], events[1]["rows"], events[1]["total"], events[1]["query"]) == (200, 2, 19, "limit=2")
    assert (facts["images"], facts["seq"], facts["events"]) == (19, 3, {"created": 1, "deleted": 1, "answer": 1})
    assert simulator.token not in json.dumps([events, facts])


@pytest.mark.parametrize(
    ("name", "arguments", "status"),
    [
        ("flood", {}, 404),
        ("journal", {}, 404),
        ("create", {"number": 1}, 400),
        ("fail", {"status": 200}, 400),
        ("fail", {"status": 600}, 400),
        ("fail", {"status": 500, "times": 0}, 400),
        ("fail", {"status": "500"}, 400),
        ("fail", {}, 400),
        ("lose", {"count": "x"}, 400),
        ("lose", {"count": -1}, 400),
        ("advance", {"seconds": "x"}, 400),
        ("change", {"count": -1}, 400),
    ],
)
def test_invalid_commands_are_refused(
    simulator: Simulator, name: str, arguments: dict[str, object], status: int
) -> None:
    """An unknown or invalid command changes nothing and says why."""
    before = simulator.world.truth()
    reply = command(simulator.url, name, **arguments)

    assert reply.status == status
    assert reply.json["error"]
    assert simulator.world.truth() == before
    assert ask(simulator).json["total"] == 20


@pytest.mark.parametrize("api", ["ims", "glance"])
def test_commands_hide_and_share(api: str) -> None:
    """Commands hide, share, unshare and set properties, at random or by id; a refused one says why."""
    with Simulator(World(1, 30, api=api), control=True) as simulator:
        (hidden,), (shared,) = (command(simulator.url, name).json for name in ("hide", "share"))
        between = get(simulator, "truth")
        command(simulator.url, "unshare", ids=[shared])
        command(simulator.url, "set_property", ids=[hidden], name="os_distro", value="plan9")
        after = get(simulator, "truth")
        assert command(simulator.url, "show", ids=[hidden]).json == [hidden]
        refused = command(simulator.url, "share", ids=7)
        assert refused.status == 400
        assert get(simulator, "truth") == simulator.world.truth()

    assert {hidden, shared} <= between.keys()
    assert shared not in after
    assert after[hidden]["os_distro"] == "plan9"


def test_commands_that_the_api_does_not_know_are_refused(simulator: Simulator) -> None:
    """An API without hidden or shared images says so."""
    for name in ("hide", "show", "share", "unshare", "deactivate", "activate"):
        reply = command(simulator.url, name)
        assert (reply.status, "IEC" in reply.json["error"]) == (400, True)


def test_commands_are_off_by_default() -> None:
    """Without control, the paths of the commands do not exist."""
    with Simulator(World(1, 1)) as simulator:
        assert command(simulator.url, "delete").json["error_code"] == "APIGW.0101"
        assert len(simulator.world.truth()) == 1


@pytest.mark.parametrize(("client", "accepted"), [("127.0.0.1", True), ("::1", True), ("192.0.2.1", False)])
def test_commands_come_from_this_machine_only(simulator: Simulator, client: str, *, accepted: bool) -> None:
    """Commands are accepted only from this machine."""
    control = Control(simulator.world, simulator.faults, simulator.identity, simulator.listing)

    assert control.concerns(Request("1", "POST", "/_simulator/delete", client=client)) is accepted


def test_closing_ends_idle_connections_and_frees_the_port(simulator: Simulator) -> None:
    """Closing ends kept connections and frees the port at once, and may be repeated."""
    connection = dial(simulator)
    connection.recv(1)
    port = int(simulator.url.rsplit(":", 1)[1])
    simulator.close()
    simulator.close()

    assert receive(connection)[1] in {"end", "reset"}
    with Simulator(World(1, 2), port=port) as again:
        assert ask(again).json["total"] == 2


def test_a_port_in_use_is_a_clear_error(simulator: Simulator) -> None:
    """A port that is in use is named in one of our errors."""
    port = int(simulator.url.rsplit(":", 1)[1])
    with pytest.raises(UsageError, match=f"port {port}"):
        Simulator(World(1, 0), port=port)


@pytest.mark.parametrize("length", ["-1", "x", "99999999999999"])
def test_an_invalid_content_length_ends_the_connection(simulator: Simulator, length: str) -> None:
    """An invalid or far too large Content-Length is refused and the connection closed."""
    parts = simulator.url.removeprefix("http://").split(":")
    with socket.create_connection((parts[0], int(parts[1])), timeout=30) as connection:
        connection.sendall(f"POST {TOKENS} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        received, how = receive(connection)

    assert received.startswith(b"HTTP/1.1 413 ")
    assert how == "end"
