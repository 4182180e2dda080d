"""What happens to responses of the simulated cloud on their way, seen on plain sockets."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator

import pytest
from breakage import black_hole, delay, drip, drop, endless, truncate
from breakage import gzip as packed
from fault_rules import FaultySimulator
from simulator_client import PATIENCE, ask, dial, receive, send

from sync.simulator import TOKENS, Login, Simulator, World

HOLD = 3600.0  # seconds; a fault of this length must end with the server


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A cloud of 20 images."""
    with FaultySimulator(World(1, 20)) as simulator:
        yield simulator


@pytest.mark.parametrize(("part", "after"), [("head", 0), ("head", 1), ("head", 40), ("body", 0), ("body", 1000)])
@pytest.mark.parametrize("reset", [True, False])
def test_connections_break_after_the_given_bytes(simulator: Simulator, part: str, after: int, *, reset: bool) -> None:
    """After exactly the given number of bytes the connection is reset or closed."""
    simulator.faults.add(drop(part, after, reset=reset))
    received, how = receive(dial(simulator))
    head, _, content = received.partition(b"\r\n\r\n")

    assert how == ("reset" if reset else "end")
    assert len(head if part == "head" else content) == after
    assert part == "head" or int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]) > 10_000


def test_truncation_looks_like_an_end(simulator: Simulator) -> None:
    """A truncated body has no length and ends in order, so that only its content shows it."""
    simulator.faults.add(truncate(500))
    received, how = receive(dial(simulator))
    head, _, content = received.partition(b"\r\n\r\n")

    assert (len(content), how) == (500, "end")
    assert b"Content-Length" not in head
    assert b"Connection: close" in head


def first_bytes(connection: socket.socket, count: int) -> bytes:
    """The given number of bytes, or fewer if the connection ends."""
    received = b""
    while len(received) < count and (piece := connection.recv(count)):
        received += piece
    return received


@pytest.mark.parametrize("fault", [black_hole(), delay(HOLD), drip(0.001)], ids=["black hole", "delay", "drip"])
def test_a_hanging_response_ends_with_the_server(simulator: Simulator, fault: object) -> None:
    """At most one byte comes while the fault lasts, and closing the simulator ends it at once."""
    others = set(threading.enumerate())
    simulator.faults.add(fault)
    with dial(simulator) as connection:
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            first_bytes(connection, 2)
        connection.settimeout(PATIENCE)
        simulator.close()
        rest, how = receive(connection)

    assert len(rest) <= 1
    assert how == "end"
    assert set(threading.enumerate()) <= others


def test_endless_bodies_end_with_the_server(simulator: Simulator) -> None:
    """An endless body is longer than any page and ends with the server."""
    simulator.faults.add(endless())
    count = 0
    with dial(simulator) as connection:
        while count < 10_000_000:
            count += len(connection.recv(65_536))
        simulator.close()
        _, how = receive(connection)

    assert how in {"end", "reset"}


def test_drips_come_in_small_pieces(simulator: Simulator) -> None:
    """A slow response comes in small pieces and is complete in the end."""
    whole = ask(simulator, limit=1).body
    simulator.faults.add(drip(4000))
    with dial(simulator, "/v1/images?limit=1") as connection:
        first = connection.recv(65_536)
        received = first
        while not received.endswith(whole):
            received += connection.recv(65_536)

    assert len(first) < 1000


def test_gzip_is_gzip(simulator: Simulator) -> None:
    """The body unpacks to the page, layer by layer; a bomb is small in transit and large unpacked."""
    plain = ask(simulator).body
    simulator.faults.add(packed())
    simulator.faults.add(packed(layers=2))
    simulator.faults.add(packed(padding=20))
    once, twice, bomb = (ask(simulator) for _ in range(3))

    assert gzip.decompress(once.body) == plain
    assert once.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(gzip.decompress(twice.body)) == plain
    assert twice.headers["Content-Encoding"] == "gzip, gzip"
    assert len(bomb.body) < 100_000
    assert len(gzip.decompress(bomb.body)) > 20_000_000


def test_latency_affects_only_images() -> None:
    """With latency, images come late, but a token at once, and closing ends the wait."""
    login = Login("u", "p")
    with FaultySimulator(World(1, 1), latency=HOLD, login=login) as simulator, dial(simulator) as connection:
        assert send(simulator.url, "POST", TOKENS, {}, b"{}").status == 400
        simulator.close()
        received = receive(connection)

    assert received == (b"", "end")
