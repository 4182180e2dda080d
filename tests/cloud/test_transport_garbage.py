"""Invalid responses are never taken for a list: floods, compression, garbage and other protocols."""

from __future__ import annotations

import json
import os
import socket
import sys

import breakage
import effects
import pytest
from checkout import CHECKOUT, TESTS
from cloud_tools import Reader, questions
from http_server import Asked, HttpServer, always, reply
from servers import environment, peak

from sync.errors import (
    BrokenAnswerError,
    CloudError,
    ConnectionFailedError,
    ContractError,
    ForbiddenError,
    TooLargeError,
    TransientError,
)
from sync.simulator import Simulator

PAGE = {"images": [{"id": "1", "name": "Bäume", "created_at": "2024-01-01T00:00:00Z"}], "total": 1}
BODY = json.dumps(PAGE).encode()


@pytest.mark.parametrize(("padding", "layers"), [(0, 1), (64, 1), (1, 2)], ids=["plain", "bomb", "twice"])
def test_a_compressed_response_is_refused_unread(small: Simulator, padding: int, layers: int) -> None:
    """A compressed response, which was not asked for, is refused without reading a byte of its body."""
    small.faults.add(breakage.gzip(padding, layers), times=None)
    reader = Reader.of(small, max_retries=0)
    error = reader.fails(BrokenAnswerError)

    assert "compressed" in str(error)
    assert reader.stats.bytes == 0


def test_a_compressed_error_is_known_by_its_status() -> None:
    """An error with a compressed body is recognised by its status; the body is not read."""
    with HttpServer(always(reply(b"\x1f\x8b", status=403, headers={"Content-Encoding": "gzip"}))) as server:
        reader = Reader(server.url)
        reader.fails(ForbiddenError)

    assert reader.stats.requests == 1


def test_a_page_of_too_many_values_is_refused() -> None:
    """A page with over a million JSON values is refused, because many tiny values take much memory once decoded."""
    with HttpServer(always(reply(b'{"images":[' + b"{}," * 1_000_001 + b'{}],"total":1}'))) as server:
        reader = Reader(server.url)

        assert "1000000 values" in str(reader.fails(ContractError))


@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip", "chunked, gzip"])
def test_a_compressed_transfer_is_refused(coding: str) -> None:
    """A response compressed by its transfer encoding is refused as well."""
    response = reply(BODY, headers={"Transfer-Encoding": coding}, sized=False)
    with HttpServer(always(response)) as server:
        Reader(server.url, max_retries=0).fails(ContractError)


def test_an_endless_response_is_cut_off(small: Simulator) -> None:
    """At most `max_response_bytes` are read, and the error names the setting."""
    small.faults.add(breakage.endless(), times=None)
    reader = Reader.of(small, max_response_bytes=1 << 20)
    error = reader.fails(TooLargeError)

    assert "raise `max_response_bytes`" in str(error)
    assert reader.stats.requests == 1


def test_an_endless_error_is_cut_off(small: Simulator) -> None:
    """Only the start of an endless error body is read, and its status still counts."""
    small.faults.add(effects.status(403), times=None)
    small.faults.add(breakage.endless(), times=None)

    assert "grant the permission" in str(Reader.of(small).fails(ForbiddenError))


def test_no_flood_takes_much_memory(small: Simulator) -> None:
    """With the default limits a process stays under 200 MB, even with an endless body on each of its connections."""
    small.faults.add(breakage.endless(), times=None, nth=3)
    small.listing.page_cap = 11
    program = (
        "import sys\n"
        "from dataclasses import fields\n"
        "from cloud_tools import Reader\n"
        "from sync.errors import TooLargeError\n"
        "from sync.settings import Source\n"
        "usual = {field.name: field.default for field in fields(Source)}\n"
        'limits = {name: usual[name] for name in ("max_response_bytes", "concurrency")}\n'
        "Reader(sys.argv[1], sys.argv[2], **limits).fails(TooLargeError)\n"
    )
    command = [sys.executable, "-c", program, small.url, small.token]

    assert peak(command, environment(PYTHONPATH=f"{TESTS / 'support'}{os.pathsep}{CHECKOUT}")) < 200_000_000


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("nan", BrokenAnswerError),
        ("deep", BrokenAnswerError),
        ("empty", BrokenAnswerError),
        ("html", BrokenAnswerError),
        ("duplicate_keys", ContractError),
        ("error", ContractError),
        ("list", ContractError),
        ("text", ContractError),
    ],
)
def test_garbage_with_200_is_never_a_list(small: Simulator, kind: str, error: type[CloudError]) -> None:
    """Each kind of garbage is an error that names it; only what may have broken on the way is retried."""
    small.faults.add(effects.garbage(kind), times=None)
    reader = Reader.of(small, max_retries=1)
    reader.fails(error)

    assert questions(small) == (2 if issubclass(error, TransientError) else 1, 0)


@pytest.mark.parametrize(
    "body",
    [
        b'{"images": [], "total": 0, "images": [{"id": "1"}]}',
        b'{"images": [{"id": "1"}], "total": 1, "total": 0}',
        pytest.param(
            b'{"images": [{"id": "1"}], "total": 1, "imag\\u0065s": []}',
            id="a key twice, once with an escape",
        ),
        b'{"images": [], "total": NaN}',
        b'{"images": [], "total": Infinity}',
        b'{"images": [], "total": -Infinity}',
        b'{"images": [], "total": 01}',
        b'{"images": [], "total": 0',
        b'{"images": [], "total": 0}}',
        b'{"images": [], "total": 0} {"images": [], "total": 0}',
        b"{'images': [], 'total': 0}",
        b'{"images": [,], "total": 0}',
        b'{"images": [], "total": 0, // nothing\n}',
        b"\x00",
    ],
    ids=lambda body: body.decode("latin-1"),
)
def test_bad_json_is_never_an_empty_list(body: bytes) -> None:
    """A body that a lenient parser would take for an empty list is refused."""
    with HttpServer(always(reply(body))) as server, pytest.raises(CloudError) as caught:
        Reader(server.url, max_retries=0).read()

    assert type(caught.value) in (BrokenAnswerError, ContractError)


@pytest.mark.parametrize(
    ("response", "error_type"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", ConnectionFailedError),  # so far, it is the start of a response that was cut short
        (b"\x16\x03\x01\x02\x00", ContractError),
        (b"HTTP/1.1 2000 OK\r\n\r\n", ContractError),
    ],
)
def test_another_protocol_is_a_clear_error(
    response: bytes, error_type: type[ConnectionFailedError | ContractError]
) -> None:
    """If the server speaks another protocol, the error names the endpoint."""

    def respond(connection: socket.socket, _: Asked) -> None:
        connection.sendall(response)

    with HttpServer(respond) as server:
        error = Reader(server.url, max_retries=0).fails(error_type)

    assert server.url in str(error)


@pytest.mark.parametrize("extra", [b"A: b\r\n" * 100_000, b"A: " + b"b" * 200_000 + b"\r\n"], ids=["many", "long"])
def test_endless_headers_are_cut_off(extra: bytes) -> None:
    """Headers of more than about 100 kB are refused."""
    response = b"HTTP/1.1 200 OK\r\n" + extra + b"Content-Length: 24\r\n\r\n" + b'{"images":[],"total":0}\n'
    with HttpServer(always(response)) as server:
        Reader(server.url, max_retries=0).fails(ContractError)


def test_an_early_hint_is_ignored() -> None:
    """Interim responses (1xx) before the real one are ignored."""

    def hinting(connection: socket.socket, _: Asked) -> None:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + reply(PAGE))

    with HttpServer(hinting) as server:
        assert Reader(server.url, max_retries=0).read().verdict.complete


def test_a_chunked_body_is_read(small: Simulator) -> None:
    """A chunked body is read, but not one that is cut between two chunks."""
    chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (BODY[:9], BODY[9:50], BODY[50:]))
    head = reply(b"", headers={"Transfer-Encoding": "chunked"}, sized=False)
    with HttpServer(always(head + chunks + b"0\r\n\r\n")) as server:
        assert Reader(server.url, max_retries=0).read().verdict.complete

    def cut(connection: socket.socket, _: Asked) -> None:
        connection.sendall(head + chunks)

    with HttpServer(cut) as server:
        Reader(server.url, max_retries=0).fails(ConnectionFailedError)
