"""The token goes only to the server that the certificate names: TLS, proxies and the environment."""

from __future__ import annotations

import os
import socket
import ssl
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cloud_tools import TOKEN, Reader
from http_server import Asked, HttpServer, always, reply, tunnel

from sync.errors import ConnectionFailedError, RejectedError

PAGE = reply({"images": [{"id": "1", "created_at": "2024-01-01T00:00:00Z"}], "total": 1})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine trusts that authority and no other."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


def server_context(certificate: trustme.LeafCert, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """The TLS context of a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if newest < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # this server is old on purpose
            context.minimum_version = context.maximum_version = newest
    return context


@pytest.fixture
def cloud(authority: trustme.CA) -> Iterator[HttpServer]:
    """A cloud with a valid certificate."""
    with HttpServer(always(PAGE), server_context(authority.issue_cert("127.0.0.1"))) as server:
        yield server


@pytest.mark.usefixtures("trusted")
def test_a_valid_certificate_is_accepted(cloud: HttpServer) -> None:
    """With a valid certificate the list is read over TLS."""
    assert Reader(cloud.url).read().verdict.complete
    assert cloud.asked[0].headers["x-auth-token"] == TOKEN


def test_an_unknown_authority_is_refused(cloud: HttpServer) -> None:
    """By default only public authorities are trusted."""
    error = Reader(cloud.url, max_retries=0).fails(ConnectionFailedError)

    assert "check certificate and clock" in str(error)
    assert cloud.asked == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("fault", ["expired", "not yet", "wrong name", "self-signed", "other authority"])
def test_a_wrong_certificate_is_refused(authority: trustme.CA, fault: str) -> None:
    """With an invalid certificate no request is sent, so no token either; the error says what is wrong with it."""
    now = datetime.now(UTC)
    certificates = {
        "expired": lambda: authority.issue_cert("127.0.0.1", not_after=now - timedelta(days=1)),
        "not yet": lambda: authority.issue_cert(
            "127.0.0.1", not_before=now + timedelta(days=1), not_after=now + timedelta(days=2)
        ),
        "wrong name": lambda: authority.issue_cert("iecs.example.org"),
        "self-signed": lambda: trustme.CA().issue_cert("127.0.0.1"),
        "other authority": lambda: trustme.CA(organization_name="Other").issue_cert("127.0.0.1"),
    }
    messages = {
        "expired": "expired",
        "not yet": "not yet valid",
        "wrong name": "127.0.0.1",
        "self-signed": "certificate",
        "other authority": "certificate",
    }
    with HttpServer(always(PAGE), server_context(certificates[fault]())) as server:
        error = Reader(server.url, max_retries=0).fails(ConnectionFailedError)

    assert "check certificate and clock" in str(error)
    assert messages[fault] in str(error)
    assert server.asked == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(authority: trustme.CA, version: ssl.TLSVersion) -> None:
    """A server that supports nothing newer than TLS 1.1 gets no token."""
    with HttpServer(always(PAGE), server_context(authority.issue_cert("127.0.0.1"), version)) as server:
        Reader(server.url, max_retries=0).fails(ConnectionFailedError)

    assert server.asked == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", ["PYTHONHTTPSVERIFY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_VERIFY"])
def test_no_variable_turns_checking_off(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No environment variable turns off the check of certificates."""
    monkeypatch.setenv(name, "0" if "VERIFY" in name else "")
    with HttpServer(always(PAGE), server_context(authority.issue_cert("iecs.example.org"))) as server:
        Reader(server.url, max_retries=0).fails(ConnectionFailedError)

    assert server.asked == []


def test_plain_http_at_an_https_endpoint_is_a_clear_error() -> None:
    """If an https endpoint serves plain http, the error names the endpoint."""
    with HttpServer(always(PAGE)) as server:
        url = server.url.replace("http:", "https:")
        error = Reader(url, max_retries=0).fails(ConnectionFailedError)

    assert url in str(error)


@pytest.mark.usefixtures("trusted")
def test_an_https_proxy_sees_no_token(cloud: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With HTTPS_PROXY the list is read through a tunnel, in which the proxy sees no secret."""

    def carry(connection: socket.socket, request: Asked) -> None:
        tunnel(connection, int(request.target.rpartition(":")[2]))

    with HttpServer(carry) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        complete = Reader(cloud.url).read().verdict.complete

    assert complete
    assert {request.line.split(" ")[0] for request in proxy.asked} == {"CONNECT"}
    assert TOKEN not in repr(proxy.asked)
    assert cloud.asked[0].headers["x-auth-token"] == TOKEN


def test_a_proxy_that_refuses_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a proxy refuses, the error names it and the endpoint, nothing is retried, and the proxy gets no token."""
    with HttpServer(always(reply(status=403))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = Reader("https://iecs.invalid", max_retries=3).fails(RejectedError)

    assert "https://iecs.invalid cannot be reached" in str(error)
    assert f"the proxy 127.0.0.1:{proxy.port} answers with status 403: it does not allow this address" in str(error)
    assert [request.line for request in proxy.asked] == ["CONNECT iecs.invalid:443 HTTP/1.1"]
    assert TOKEN not in repr(proxy.asked)


@pytest.mark.usefixtures("trusted")
def test_the_no_proxy_variable_is_honoured(cloud: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts in NO_PROXY are reached directly."""
    with HttpServer(always(reply(status=403))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        complete = Reader(cloud.url).read().verdict.complete

    assert complete
    assert proxy.connections == 0


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_sees_a_token_over_plain_http(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Over plain http a proxy could read the token, so none is used, whatever the environment says."""
    with HttpServer(always(PAGE)) as proxy, HttpServer(always(PAGE)) as plain:
        monkeypatch.setenv(name, proxy.url)
        complete = Reader(plain.url).read().verdict.complete

    assert complete
    assert proxy.connections == 0
    assert len(plain.asked) == 1


def test_netrc_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Logins in ``~/.netrc`` are never sent."""
    (tmp_path / ".netrc").write_text("default login somebody password canary-netrc\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with HttpServer(always(PAGE)) as plain:
        Reader(plain.url).read()

    assert os.environ["HOME"] == str(tmp_path)
    assert "authorization" not in plain.asked[0].headers
