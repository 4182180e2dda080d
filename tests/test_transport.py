"""One request over HTTP: it ends in time whatever the server does, within its caps, and shows nothing of either side."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
import trustme
from http_server import Asked, HttpServer, always, reply

from sync.errors import Fault, TransportError
from sync.transport import HttpTransport, Response, translate

SOON = 0.4  # seconds that a test lets an exchange take
FAR = 20.0  # seconds that no test waits
Script = Callable[[socket.socket, Asked], object]


def send(url: str, *, seconds: float = FAR, max_bytes: int = 1000, timeout: float | None = None) -> Response:
    """One request with a secret in each of its parts."""
    with HttpTransport(url, seconds) as http:
        where, headers = f"{url}/canary?canary=1", {"X-Auth-Token": "canary"}
        return http.send("POST", where, headers, b"canary", max_bytes=max_bytes, timeout=timeout)


def fails(url: str, fault: Fault, *, seconds: float = FAR, timeout: float | None = None) -> TransportError:
    """A request that gets no whole answer; why it does not, after a look that no secret is in the error."""
    with pytest.raises(TransportError) as caught:
        send(url, seconds=seconds, timeout=timeout)
    error = caught.value
    assert (error.__context__, error.__cause__) == (None, None)
    assert "canary" not in f"{error!r} {vars(error)}"
    assert url.rpartition("/")[2] not in str(error)
    assert error.fault is fault
    return error


def drip(start: bytes) -> Script:
    """Send a beginning, and then a byte each twentieth of a second, for ever."""

    def script(connection: socket.socket, _: Asked) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    return script


HEAD = b"HTTP/1.1 200 OK\r\nX: "
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"
BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"


@pytest.fixture(params=[False, True], ids=["http", "https"])
def context(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext | None]:
    """What the server encrypts with, and the client trusts; None for plain http."""
    if not request.param:
        yield None
        return
    authority, made = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(made)
    with authority.cert_pem.tempfile() as file:
        monkeypatch.setenv("SSL_CERT_FILE", file)
        yield made


@pytest.mark.parametrize("start", [b"", HEAD, BODY, ENDLESS], ids=["status", "head", "body", "no length"])
def test_a_server_that_drips_is_cut_off(start: bytes, context: ssl.SSLContext | None) -> None:
    """Each of its bytes is in time, and the whole is not; the connection is closed, too."""
    with HttpServer(drip(start), context) as server:
        began = time.monotonic()
        error = fails(server.url, Fault.OVER, seconds=SOON)

        assert time.monotonic() - began < FAR / 2
        assert str(error) == f"no answer within {SOON:g} s"
        until(lambda: not server._open)


def test_what_one_thread_waits_for_ends_with_the_transport() -> None:
    """All exchanges of one transport share its time; one that begins after it gets no answer either."""
    faults: list[Fault] = []

    def ask() -> None:
        try:
            http.send("GET", server.url, {}, timeout=FAR)
        except TransportError as error:
            faults.append(error.fault)

    with HttpServer(drip(HEAD)) as server, HttpTransport(server.url, SOON) as http:
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(FAR)
        ask()

    assert faults == [Fault.OVER] * 4


def test_what_is_on_its_way_ends_when_the_transport_is_closed() -> None:
    """A thread that no one waits for any more does not read on."""
    faults: list[Fault] = []

    def ask() -> None:
        try:
            http.send("GET", server.url, {})
        except TransportError as error:
            faults.append(error.fault)

    with HttpServer(lambda connection, _: connection.recv(1)) as server:
        with HttpTransport(server.url, FAR) as http:
            thread = threading.Thread(target=ask)
            thread.start()
            until(lambda: server.asked)
        thread.join(FAR / 2)

    assert faults == [Fault.OVER]


def test_a_server_that_is_silent_is_not_waited_for() -> None:
    """The time-out of one read is shorter than the whole, and the error says so."""
    with HttpServer(lambda connection, _: connection.recv(1)) as server:
        error = fails(server.url, Fault.SILENT, timeout=SOON)

    assert str(error) == f"no answer within {SOON:g} s"


def test_a_body_is_read_up_to_its_cap() -> None:
    """To the byte; a longer one is an error, and with a cap of 0 none is read, however long it is."""
    with HttpServer(always(reply(b"x" * 1000))) as server:
        assert send(server.url).content == b"x" * 1000
        assert send(server.url, max_bytes=0).content == b""
    with HttpServer(always(reply(b"x" * 1001))) as server:
        fails(server.url, Fault.TOO_LARGE)
    with HttpServer(drip(ENDLESS)) as server:
        assert send(server.url, max_bytes=0).status == 200


def test_of_an_error_as_much_is_read_as_says_something() -> None:
    """A long body of an error is cut, and its status counts; one that is compressed is left out."""
    with HttpServer(always(reply(b"x" * 1_000_000, status=500))) as server:
        response = send(server.url, max_bytes=10_000_000)
    with HttpServer(always(reply(b"x", status=500, headers={"Content-Encoding": "gzip"}))) as server:
        compressed = send(server.url)

    assert response.status == 500
    assert 64_000 < len(response.content) < 200_000
    assert (compressed.status, compressed.content) == (500, b"")


def test_a_compressed_answer_is_refused() -> None:
    """It was not asked for, and may be a thousand times as large as it looks."""
    with HttpServer(always(reply(b"canary", headers={"Content-Encoding": "gzip"}))) as server:
        fails(server.url, Fault.COMPRESSED)

        assert server.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/", "http://canary:canary/", "//", "http://["])
def test_a_redirect_is_an_answer_like_any_other(location: str) -> None:
    """It is not followed, and the address in it is not even looked at."""
    with HttpServer(always(reply(status=302, headers={"Location": location}))) as server:
        assert send(server.url).status == 302
        assert len(server.asked) == 1


def test_a_response_does_not_show_what_it_holds() -> None:
    """Headers and body of a good login hold the new token."""
    with HttpServer(always(reply(b"canary", headers={"X-Subject-Token": "canary"}))) as server:
        assert "canary" not in repr(send(server.url))


@pytest.mark.parametrize("proxy", ["socks9://canary:canary@127.0.0.1:1", "http://canary@127.0.0.1:canary"])
def test_a_proxy_that_is_none_is_told(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable to check, and without the login in it; over plain http it is not looked at."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    error = fails("https://127.0.0.1:1", Fault.ENVIRONMENT)

    assert "check HTTPS_PROXY" in str(error)
    with HttpServer(always(reply())) as server:
        assert send(server.url).status == 200


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(httpx).values()
        if isinstance(kind, type) and issubclass(kind, httpx.RequestError) and not kind.__subclasses__()
    ],
)
def test_no_error_of_the_library_is_quoted(kind: type[httpx.RequestError]) -> None:
    """Its words may be a server's, and its request has the secrets; only the system's words are kept, apart."""
    request = httpx.Request("GET", "http://127.0.0.1/canary", headers={"X-Auth-Token": "canary"})
    error = translate(kind("407 canary", request=request), 1.0)

    assert "canary" not in str(error)
    assert ("canary" in error.words) == issubclass(kind, httpx.NetworkError)


def until(holds: Callable[[], object]) -> None:
    """Wait for something that must come about."""
    deadline = time.monotonic() + FAR
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)
