"""Responses that break on the way are never taken for a list: cut, reset, silent or slow, or no server at all."""

from __future__ import annotations

import json
import socket

import breakage
import effects
import pytest
from cloud_tools import LONG, Reader, before_answer, questions
from http_server import Asked, HttpServer, always, reply, reset

from sync.domain.answer import Answer
from sync.errors import (
    BrokenAnswerError,
    CloudError,
    ConnectionFailedError,
    DeadlineError,
    ForbiddenError,
    InterruptedRunError,
    RejectedError,
    ServerFaultError,
    UnauthorizedError,
)
from sync.simulator import Simulator

PAGE = {
    "images": [{"id": str(n), "name": "Bäume", "created_at": f"2024-01-0{n}T00:00:00Z"} for n in (1, 2)],
    "total": 2,
}
BODY = json.dumps(PAGE).encode()


def ignore(_: Answer) -> None:
    """Ignore a page."""


def test_a_cut_body_is_never_a_list() -> None:
    """A body without a length that is cut after any number of bytes is an error; only the whole body is a list."""
    cuts = iter(range(len(BODY) + 1))

    def cut(connection: socket.socket, _: Asked) -> None:
        connection.sendall(reply(BODY[: next(cuts)], sized=False))

    with HttpServer(cut) as server, Reader(server.url, max_retries=0).images() as images:
        for _ in range(len(BODY)):
            with pytest.raises(BrokenAnswerError):
                images.read(ignore, 1)

        assert images.read(ignore, 1).verdict.complete


@pytest.mark.parametrize(("status", "error"), [(401, UnauthorizedError), (403, ForbiddenError)])
def test_a_refusal_whose_body_breaks_off_is_not_repeated(status: int, error: type[CloudError]) -> None:
    """What was refused is refused, whatever becomes of the rest of the answer: more tries could lock an account."""
    whole = reply({"error_msg": "x" * 300}, status=status)

    with HttpServer(lambda connection, _: connection.sendall(whole[:-200])) as server:
        with Reader(server.url, max_retries=5).images() as images, pytest.raises(error):
            images.read(ignore, 1)

        assert len(server.asked) == 1


@pytest.mark.parametrize("abrupt", [True, False], ids=["reset", "closed"])
def test_a_connection_that_breaks_is_never_a_list(abrupt: bool) -> None:  # noqa: FBT001 - both ways to end
    """A response with a length that breaks off anywhere, by a reset or a close, is an error."""
    response = reply(PAGE)
    cuts = iter(range(len(response)))

    def broken(connection: socket.socket, _: Asked) -> None:
        connection.sendall(response[: next(cuts)])
        if abrupt:
            reset(connection)

    with HttpServer(broken) as server, Reader(server.url, max_retries=0).images() as images:
        for _ in range(len(response)):
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
def test_a_broken_response_is_retried(small: Simulator, effect: effects.Effect) -> None:
    """One broken response costs one retry and nothing else."""
    small.faults.add(effect)
    reader = Reader.of(small)

    assert reader.read().verdict.complete
    assert set(reader.rows) == set(small.world.truth())
    assert (reader.stats.requests, reader.stats.retries) == (2, 1)


@pytest.mark.parametrize("abrupt", [True, False], ids=["reset", "closed"])
def test_a_connection_lost_between_pages_is_replaced(abrupt: bool) -> None:  # noqa: FBT001 - both ways to end
    """If a kept connection is gone when the next page is requested, the page comes over a new one."""
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


def test_a_silent_server_is_given_up_after_the_timeout(small: Simulator) -> None:
    """A server that accepts a request and never responds is given up after the timeout, and the error says so."""
    small.faults.add(breakage.black_hole(), times=None)
    error = Reader.of(small, timeout=0.2, max_retries=1).fails(ConnectionFailedError)

    assert "does not answer in time" in str(error)
    assert questions(small) == (2, 0)


def test_a_silent_server_is_given_up_at_the_deadline(small: Simulator) -> None:
    """Even with a long timeout a run does not outlive its deadline."""
    small.faults.add(breakage.black_hole(), times=None)
    error = Reader.of(small, seconds=0.5).fails(DeadlineError)

    assert "deadline of 0.5 s" in str(error)


@pytest.mark.parametrize("rate", [1, 1000])
def test_a_slow_body_ends_at_the_deadline(small: Simulator, rate: int) -> None:
    """A body of which each byte comes within the timeout still ends at the deadline."""
    small.faults.add(breakage.drip(rate), times=None)

    Reader.of(small, seconds=0.7).fails(DeadlineError)


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"]
)
def test_a_slow_response_ends_at_the_deadline(start: bytes) -> None:
    """A response that is slow in its status line, a header or its body ends at the deadline."""

    def slow(connection: socket.socket, _: Asked) -> None:
        connection.sendall(start)
        while not server.closing.wait(0.02):
            connection.sendall(b"H")

    with HttpServer(slow) as server:
        Reader(server.url, seconds=0.7).fails(DeadlineError)


def test_a_slow_error_ends_at_the_deadline(small: Simulator) -> None:
    """The slow body of an error ends at the deadline as well."""
    small.faults.add(breakage.drip(10), times=None)
    small.faults.add(effects.status(403), times=None)

    Reader.of(small, seconds=0.7).fails(DeadlineError)


@pytest.mark.parametrize(
    "effect", [breakage.black_hole(), breakage.drip(10), effects.status(500)], ids=lambda e: e.name
)
def test_a_stop_ends_any_wait(small: Simulator, effect: effects.Effect) -> None:
    """A stop ends a reading at once, even if timeout and deadline are an hour away."""
    reader = Reader.of(small, max_retries=1000)
    small.faults.add(effect, times=None)
    before_answer(small, 1, reader.stop.set)
    error = reader.fails(InterruptedRunError)

    assert error.exit_code == 1
    assert questions(small)[0] <= 1


def test_a_stop_ends_a_throttling_wait(small: Simulator) -> None:
    """A stop ends a run that waits for a throttling window of hours."""
    reader = Reader.of(small, seconds=10 * LONG)
    small.faults.add(effects.throttled(1, "2 hour"), times=None)
    before_answer(small, 1, reader.stop.set)

    reader.fails(InterruptedRunError)


def test_no_server_at_all_is_a_clear_error() -> None:
    """If nothing listens, the error names the endpoint and what to check."""
    with HttpServer(always(b"")) as server:
        url = server.url
    error = Reader(url, max_retries=0).fails(ConnectionFailedError)

    assert url in str(error)
    assert "check network and endpoint" in str(error)


@pytest.mark.parametrize("host", ["image-sync.invalid", "a..b", "a" * 64 + ".example"])
def test_an_unknown_host_is_a_clear_error(host: str) -> None:
    """A host that cannot be resolved, or whose name is invalid, is one of our errors."""
    with pytest.raises((ConnectionFailedError, RejectedError), match=host[:8]):
        Reader(f"http://{host}", max_retries=0).read()


def test_the_next_address_of_a_name_is_tried(small: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with an unreachable IPv6 address and a reachable IPv4 address is reached."""
    port, getaddrinfo = int(small.url.rpartition(":")[2]), socket.getaddrinfo

    def two_addresses(host: str | bytes | None, *rest: object, **named: object) -> list[tuple[object, ...]]:
        dead = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        return (
            [dead, *getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)]
            if host == "two.test"
            else getaddrinfo(host, *rest, **named)
        )  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    reader = Reader(f"http://two.test:{port}", small.token, max_retries=0)

    assert reader.read().verdict.complete


def test_a_server_fault_without_a_body_is_recognised() -> None:
    """A 502 without a body is a server fault."""
    with HttpServer(always(reply(status=502))) as server:
        assert Reader(server.url, max_retries=0).fails(ServerFaultError).status == 502
