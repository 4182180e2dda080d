"""The log line about metrics that could not be pushed gives the reason, without any text of the other side."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import time
from base64 import b64encode
from pathlib import Path
from threading import Event

import pytest
import trustme
from http_server import Asked, HttpServer, always, reply

from sync.domain.metrics import ProcessMetrics
from sync.logs.formatter import FIELDS
from sync.metrics.collector import MetricsCollector
from sync.metrics.publish import push, write

LOGIN = b64encode(b"user:canary").decode()
NO_HTTP = "no valid answer came (RemoteProtocolError); is there a proxy in between?"


def reason(caplog: pytest.LogCaptureFixture, address: str) -> str:
    """The logged reason why a push failed, after a check that the line shows no secret."""
    push(MetricsCollector([], ProcessMetrics(), up=True), address, {})
    (record,) = [entry for entry in caplog.records if entry.getMessage() == "metrics not pushed"]
    fields = record.__dict__[FIELDS]
    assert "canary" not in str(fields)
    assert LOGIN not in str(fields)
    return str(fields["reason"])


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (reply(b"canary", status=500), "HTTP 500"),
        (b"HTTP/1.1 401 canary\r\n\r\n", "HTTP 401"),
        (reply(status=302, headers={"Location": "http://canary/"}), "HTTP 302"),
        (b"canary\r\n\r\n", NO_HTTP),
        (b"HTTP/9.canary 200 OK\r\n\r\n", NO_HTTP),
        (b"HTTP/1.1 99 canary\r\n\r\n", NO_HTTP),
        (b"HTTP/1.1 200 OK\r\nX: " + b"canary" * 20_000, NO_HTTP),
        (b"", "the connection ended before the answer was whole"),
    ],
    ids=["fault", "phrase", "redirect", "no HTTP", "version", "status", "long header", "hangs up"],
)
def test_the_text_of_a_gateway_is_not_shown(response: bytes, expected: str, caplog: pytest.LogCaptureFixture) -> None:
    """The status of a response is shown, or the kind of fault if it is not HTTP."""
    with HttpServer(lambda connection, _: connection.sendall(response)) as gateway:
        address = gateway.url.replace("://", "://user:canary@")

        assert reason(caplog, address) == expected


def test_the_text_of_a_proxy_is_not_shown(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a proxy that refuses, only the status is shown."""
    with HttpServer(always(b"HTTP/1.1 407 canary\r\n\r\n")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)

        logged = reason(caplog, "https://user:canary@gateway.invalid")

    assert logged.startswith(f"the proxy 127.0.0.1:{proxy.port} answers with status 407: it does not accept its login")
    assert "canary" not in logged


def test_a_slow_gateway_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """A response that arrives byte by byte is given up after 3 seconds, and the connection is closed."""
    ended = Event()

    def drip(connection: socket.socket, _: Asked) -> None:
        try:
            while True:
                connection.sendall(b"x")
                time.sleep(0.05)
        finally:
            ended.set()

    with HttpServer(drip) as gateway:
        assert reason(caplog, gateway.url) == "no answer within 3 s"
        assert ended.wait(20)


def test_the_reason_of_a_failed_connection_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """If nothing listens there, the text of the operating system is shown."""
    assert reason(caplog, "http://127.0.0.1:1") == "Connection refused"


def test_an_untrusted_certificate_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """The reason is that TLS failed, without any content of the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1", common_name="canary").configure_cert(context)
    with HttpServer(lambda *_: None, context) as gateway:
        assert reason(caplog, gateway.url).startswith("TLS failed (CERTIFICATE_VERIFY_FAILED)")


def test_a_pipe_in_the_place_of_the_metrics_file_holds_up_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A pipe that nobody reads is not written to, and the log says so; a link to a file is followed."""
    pipe, link, metrics = tmp_path / "pipe", tmp_path / "link", MetricsCollector([], ProcessMetrics(), up=True)
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "file")

    write(metrics, pipe)
    write(metrics, link)

    assert [entry.getMessage() for entry in caplog.records] == ["metrics not written"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert link.is_symlink()
    assert b"image_sync_database_up 1.0" in (tmp_path / "file").read_bytes()
