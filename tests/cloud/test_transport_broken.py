"""Answers that break on their way are never taken for a list: cuts, resets, silence, slowness, no server at all."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import breakage
import effects
import pytest
from cloud_tools import LONG, Reader, before_answer, questions
from fault_rules import FaultySimulator
from http_server import Asked, HttpServer, always, reply, reset

from sync.domain.answer import Answer
from sync.errors import (
    BrokenAnswerError,
    ConnectionFailedError,
    DeadlineError,
    InterruptedRunError,
    RejectedError,
    ServerFaultError,
)
from sync.simulator import Simulator, World

PAGE = {
    "images": [{"id": str(n), "name": "Bäume", "created_at": f"2024-01-0{n}T00:00:00Z"} for n in (1, 2)],
    "total": 2,
}
BODY = json.dumps(PAGE).encode()


def ignore(_: Answer) -> None:
    """Take an answer and do nothing with it."""


@pytest.fixture
def small() -> Iterator[Simulator]:
    """A cloud of 60 images: one page."""
    with FaultySimulator(World(seed=2, size=60)) as simulator:
        yield simulator


def test_a_cut_body_is_never_a_list() -> None:
    """A body that ends with its connection is cut after each number of bytes: only the whole is a list."""
    cuts = iter(range(len(BODY) + 1))

    def cut(connection: socket.socket, _: Asked) -> None:
        connection.sendall(reply(BODY[: next(cuts)], sized=False))

    with HttpServer(cut) as server, Reader(server.url, max_retries=0).images() as images:
        for _ in range(len(BODY)):
            with pytest.raises(BrokenAnswerError):
                images.read(ignore, 1)

        assert images.read(ignore, 1).verdict.complete


@pytest.mark.parametrize("abrupt", [True, False], ids=["reset", "closed"])
def test_a_connection_that_breaks_is_never_a_list(abrupt: bool) -> None:  # noqa: FBT001 - both ways to end
    """The same with a length told: the bytes break off anywhere in head and body, by a reset or a close."""
    answer = reply(PAGE)
    cuts = iter(range(len(answer)))

    def broken(connection: socket.socket, _: Asked) -> None:
        connection.sendall(answer[: next(cuts)])
        if abrupt:
            reset(connection)

    with HttpServer(broken) as server, Reader(server.url, max_retries=0).images() as images:
        for _ in range(len(answer)):
            with pytest.raises(ConnectionFailedError):
                images.read(ignore, 1)


@pytest.mark.parametrize(
    "effect",
    [
        breakage.drop(),
        breakage.drop(reset=False),
        breakage.drop("head", 40),
        breakage.drop("body", 0),
        breakage.drop("body", 10_000),
        breakage.drop("body", 10_000, reset=False),
        breakage.truncate(0),
        breakage.truncate(10_000),
        breakage.gzip(),
        effects.garbage("html"),
        effects.garbage("empty"),
        effects.status(500),
        effects.status(502),
        effects.status(503, style="html"),
        effects.status(504),
        effects.status(400, code="IEC.000000"),
    ],
    ids=lambda effect: effect.name,
)
def test_what_broke_once_is_asked_for_again(small: Simulator, effect: effects.Effect) -> None:
    """One broken answer costs one retry and nothing else."""
    small.faults.add(effect)
    reader = Reader.of(small)

    assert reader.read().verdict.complete
    assert set(reader.rows) == set(small.world.truth())
    assert (reader.stats.requests, reader.stats.retries) == (2, 1)


@pytest.mark.parametrize("abrupt", [True, False], ids=["reset", "closed"])
def test_a_connection_lost_between_pages_is_made_anew(abrupt: bool) -> None:  # noqa: FBT001 - both ways to end
    """A connection that was kept is gone when the next page is asked for on it; that page comes on a new one."""
    used: set[socket.socket] = set()

    def once(connection: socket.socket, _: Asked) -> bool:
        if connection in used and abrupt:
            reset(connection)
        elif connection not in used:
            connection.sendall(reply(PAGE))
        fresh = connection not in used
        used.add(connection)
        return fresh and abrupt

    with HttpServer(once) as server, Reader(server.url).images() as images:
        complete = [images.read(ignore, 1).verdict.complete for _ in range(3)]

    assert complete == [True, True, True]
    assert server.connections == 3
    assert images.stats.retries <= 2


def test_silence_ends_by_the_timeout(small: Simulator) -> None:
    """A server that takes the question and never answers is given up, and told as such."""
    small.faults.add(breakage.black_hole(), times=None)
    error = Reader.of(small, timeout=0.2, max_retries=1).fails(ConnectionFailedError)

    assert "does not answer in time" in str(error)
    assert questions(small) == (2, 0)


def test_silence_ends_by_the_deadline(small: Simulator) -> None:
    """No timeout is as long as that the run could outlive its deadline."""
    small.faults.add(breakage.black_hole(), times=None)
    error = Reader.of(small, seconds=0.5).fails(DeadlineError)

    assert "deadline of 0.5 s" in str(error)


@pytest.mark.parametrize("rate", [1, 1000])
def test_a_slow_body_ends_by_the_deadline(small: Simulator, rate: int) -> None:
    """Each byte comes well within the timeout, and would go on for hours; the run ends by its deadline all the same."""
    small.faults.add(breakage.drip(rate), times=None)

    Reader.of(small, seconds=0.7).fails(DeadlineError)


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"]
)
def test_a_slow_answer_ends_by_the_deadline_wherever_it_is_slow(start: bytes) -> None:
    """The same in the status line, in a header and in the body."""

    def slow(connection: socket.socket, _: Asked) -> None:
        connection.sendall(start)
        while not server.closing.wait(0.02):
            connection.sendall(b"H")

    with HttpServer(slow) as server:
        Reader(server.url, seconds=0.7).fails(DeadlineError)


def test_a_slow_error_ends_by_the_deadline(small: Simulator) -> None:
    """The body of an error is bounded in time as well."""
    small.faults.add(breakage.drip(10), times=None)
    small.faults.add(effects.status(403), times=None)

    Reader.of(small, seconds=0.7).fails(DeadlineError)


@pytest.mark.parametrize(
    "effect", [breakage.black_hole(), breakage.drip(10), effects.status(500)], ids=lambda e: e.name
)
def test_a_stop_ends_any_wait(small: Simulator, effect: effects.Effect) -> None:
    """Nothing but the stop can end this reading in time: timeout and deadline are an hour away."""
    reader = Reader.of(small, max_retries=1000)
    small.faults.add(effect, times=None)
    before_answer(small, 1, reader.stop.set)
    error = reader.fails(InterruptedRunError)

    assert error.exit_code == 1
    assert questions(small)[0] <= 1


def test_a_stop_ends_the_wait_that_a_throttling_cloud_asked_for(small: Simulator) -> None:
    """An hour's window does not keep a run that is told to stop."""
    reader = Reader.of(small, seconds=10 * LONG)
    small.faults.add(effects.throttled(1, "2 hour"), times=None)
    before_answer(small, 1, reader.stop.set)

    reader.fails(InterruptedRunError)


def test_no_server_at_all_is_told() -> None:
    """Where nothing listens, the message names the endpoint and what to check."""
    with HttpServer(always(b"")) as server:
        url = server.url
    error = Reader(url, max_retries=0).fails(ConnectionFailedError)

    assert url in str(error)
    assert "check network and endpoint" in str(error)


@pytest.mark.parametrize("host", ["image-sync.invalid", "a..b", "a" * 64 + ".example"])
def test_a_name_that_is_nowhere_is_told(host: str) -> None:
    """A host that cannot be found, or that cannot be a name, is an error of ours like any other."""
    with pytest.raises((ConnectionFailedError, RejectedError), match=host[:8]):
        Reader(f"http://{host}", max_retries=0).read()


def test_the_next_address_of_a_name_is_tried(small: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a dead IPv6 address and a live IPv4 address is reached."""
    port, ask = int(small.url.rpartition(":")[2]), socket.getaddrinfo

    def both(host: str | bytes | None, *rest: object, **named: object) -> list[tuple[object, ...]]:
        dead = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        return (
            [dead, *ask("127.0.0.1", port, type=socket.SOCK_STREAM)]
            if host == "two.test"
            else ask(host, *rest, **named)
        )  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    reader = Reader(f"http://two.test:{port}", small.token, max_retries=0)

    assert reader.read().verdict.complete


def test_a_server_fault_with_no_body_is_told() -> None:
    """A bare 502 is a fault of the cloud."""
    with HttpServer(always(reply(status=502))) as server:
        assert Reader(server.url, max_retries=0).fails(ServerFaultError).status == 502
