"""One HTTP request ends in time whatever the server does, stays within its limits, and its errors contain no secret."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from cli_tools import until
from http_server import Asked, HttpServer, always, library_errors, reply

from sync.errors import Fault, TransportError
from sync.transport import HttpTransport, Response, translate, trust

SOON = 0.4  # seconds: a limit that tests wait for
FAR = 20.0  # seconds: a limit that no test reaches
Script = Callable[[socket.socket, Asked], object]


def send(url: str, *, seconds: float = FAR, max_bytes: int = 1000, timeout: float | None = None) -> Response:
    """The response to one request that has a secret in each of its parts."""
    with HttpTransport(url, seconds) as http:
        target, headers = f"{url}/canary?canary=1", {"X-Auth-Token": "canary"}
        return http.send("POST", target, headers, b"canary", max_bytes=max_bytes, timeout=timeout)


def fails(url: str, fault: Fault, *, seconds: float = FAR, timeout: float | None = None) -> TransportError:
    """The error of a request that gets no complete response, after a check that it contains no secret."""
    with pytest.raises(TransportError) as caught:
        send(url, seconds=seconds, timeout=timeout)
    error = caught.value
    assert (error.__context__, error.__cause__) == (None, None)
    assert "canary" not in f"{error!r} {vars(error)}"
    assert url.rpartition("/")[2] not in str(error)
    assert error.fault is fault
    return error


def drip(start: bytes) -> Script:
    """A script that sends some bytes and then one byte every twentieth of a second, forever."""

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
    """The TLS context of a server that the client trusts; None for plain http."""
    if not request.param:
        yield None
        return
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with authority.cert_pem.tempfile() as file:
        monkeypatch.setenv("SSL_CERT_FILE", file)
        yield context


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_authorities_of_the_environment_replace_the_public_ones(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a variable the public authorities are trusted, and with one only those that it names."""
    assert trust().cert_store_stats()["x509_ca"] > 50
    authority, file = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    (tmp_path / "01234567.0").symlink_to(file)
    monkeypatch.setenv(variable, str(file if variable == "SSL_CERT_FILE" else tmp_path))

    assert trust().cert_store_stats()["x509_ca"] == (1 if variable == "SSL_CERT_FILE" else 0)  # a folder is read later


@pytest.mark.parametrize("start", [b"", HEAD, BODY, ENDLESS], ids=["status", "head", "body", "no length"])
def test_a_server_that_drips_is_cut_off(start: bytes, context: ssl.SSLContext | None) -> None:
    """A response that arrives byte by byte is cut off when the time is over, and its connection is closed."""
    with HttpServer(drip(start), context) as server:
        started = time.monotonic()
        error = fails(server.url, Fault.OVER, seconds=SOON)

        assert time.monotonic() - started < FAR / 2
        assert str(error) == f"no answer within {SOON:g} s"
        until(lambda: not server._open)


def test_all_requests_end_when_the_transports_time_is_over() -> None:
    """All requests of one transport share its time, and one that starts later fails at once."""
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


def test_closing_the_transport_ends_pending_requests() -> None:
    """A request that is still waiting when its transport is closed ends."""
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


def test_a_silent_server_is_given_up_after_the_timeout() -> None:
    """The timeout of one read is shorter than the time of the whole request, and the error names it."""
    with HttpServer(lambda connection, _: connection.recv(1)) as server:
        error = fails(server.url, Fault.SILENT, timeout=SOON)

    assert str(error) == f"no answer within {SOON:g} s"


def test_a_body_is_read_up_to_its_limit() -> None:
    """A body of exactly the limit is read, a longer one is an error, and with a limit of 0 no body is read."""
    with HttpServer(always(reply(b"x" * 1000))) as server:
        assert send(server.url).content == b"x" * 1000
        assert send(server.url, max_bytes=0).content == b""
    with HttpServer(always(reply(b"x" * 1001))) as server:
        fails(server.url, Fault.TOO_LARGE)
    with HttpServer(drip(ENDLESS)) as server:
        assert send(server.url, max_bytes=0).status == 200


def test_only_the_start_of_an_error_body_is_read() -> None:
    """A long body of an error is cut and its status kept; a compressed one is not read."""
    with HttpServer(always(reply(b"x" * 1_000_000, status=500))) as server:
        response = send(server.url, max_bytes=10_000_000)
    with HttpServer(always(reply(b"x", status=500, headers={"Content-Encoding": "gzip"}))) as server:
        compressed = send(server.url)

    assert response.status == 500
    assert 64_000 < len(response.content) < 200_000
    assert (compressed.status, compressed.content) == (500, b"")


def test_a_compressed_response_is_refused() -> None:
    """A compressed response was not asked for and may be a thousand times larger than it looks, so it is refused."""
    with HttpServer(always(reply(b"canary", headers={"Content-Encoding": "gzip"}))) as server:
        fails(server.url, Fault.COMPRESSED)

        assert server.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/", "http://canary:canary/", "//", "http://["])
def test_a_redirect_is_not_followed(location: str) -> None:
    """A redirect is returned like any other response; its address is not even parsed."""
    with HttpServer(always(reply(status=302, headers={"Location": location}))) as server:
        assert send(server.url).status == 302
        assert len(server.asked) == 1


def test_the_repr_of_a_response_shows_no_content() -> None:
    """The headers and body of a login response contain the new token, so its repr shows neither."""
    with HttpServer(always(reply(b"canary", headers={"X-Subject-Token": "canary"}))) as server:
        assert "canary" not in repr(send(server.url))


@pytest.mark.parametrize("proxy", ["socks9://canary:canary@127.0.0.1:1", "http://canary@127.0.0.1:canary"])
def test_an_invalid_proxy_is_named_by_its_variable(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid proxy is an error that names its variable but not its login; plain http ignores the proxy."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    error = fails("https://127.0.0.1:1", Fault.ENVIRONMENT)

    assert str(error).startswith("HTTPS_PROXY (environment): ")
    with HttpServer(always(reply())) as server:
        assert send(server.url).status == 200


@pytest.mark.parametrize("error_type", library_errors())
def test_no_error_of_the_library_is_quoted(error_type: type[httpx.RequestError]) -> None:
    """The text of an HTTP library error may hold secrets, so it is dropped; only the system's is kept, in `words`."""
    request = httpx.Request("GET", "http://127.0.0.1/canary", headers={"X-Auth-Token": "canary"})
    error = translate(error_type("407 canary", request=request), 1.0)

    assert "canary" not in str(error)
    assert ("canary" in error.words) == issubclass(error_type, httpx.NetworkError)
