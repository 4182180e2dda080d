"""What is said of a pushgateway that does not take the metrics: this machine's words, and none of its own."""

from __future__ import annotations

import socket
import ssl
import time
from base64 import b64encode
from threading import Event

import pytest
import trustme
from http_server import Asked, HttpServer, always, reply

from sync.domain.metrics import ProcessMetrics
from sync.logs.formatter import FIELDS
from sync.metrics.collector import MetricsCollector
from sync.metrics.publish import push

LOGIN = b64encode(b"user:canary").decode()
NO_HTTP = "no valid answer came (RemoteProtocolError); is there a proxy in between?"


def reason(caplog: pytest.LogCaptureFixture, address: str) -> str:
    """Why a push to this address came to nothing, after a look that the whole line shows no secret."""
    push(MetricsCollector([], ProcessMetrics(), up=True), address, {})
    (record,) = [one for one in caplog.records if one.getMessage() == "metrics not pushed"]
    fields = record.__dict__[FIELDS]
    assert "canary" not in str(fields)
    assert LOGIN not in str(fields)
    return str(fields["reason"])


@pytest.mark.parametrize(
    ("answer", "said"),
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
def test_the_words_of_a_gateway_are_not_shown(answer: bytes, said: str, caplog: pytest.LogCaptureFixture) -> None:
    """The status of its answer is shown; for an answer that is not HTTP, the kind of fault."""
    with HttpServer(lambda connection, _: connection.sendall(answer)) as gateway:
        address = gateway.url.replace("://", "://user:canary@")

        assert reason(caplog, address) == said


def test_the_words_of_a_proxy_are_not_shown(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are those of a proxy that refuses to carry the metrics."""
    with HttpServer(always(b"HTTP/1.1 407 canary\r\n\r\n")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)

        assert reason(caplog, "https://user:canary@gateway.invalid") == "the proxy answers with status 407"


def test_a_gateway_that_drips_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """Each of its bytes is in time, and the whole is not: that is told, and the connection ends."""
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


def test_why_a_gateway_is_out_of_reach_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody listens there: the system's own words are shown."""
    assert reason(caplog, "http://127.0.0.1:1") == "Connection refused"


def test_a_certificate_that_is_not_trusted_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The reason says that TLS failed, and nothing that stands in the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1", common_name="canary").configure_cert(context)
    with HttpServer(lambda *_: None, context) as gateway:
        assert reason(caplog, gateway.url).startswith("TLS failed (CERTIFICATE_VERIFY_FAILED)")
