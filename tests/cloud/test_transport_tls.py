"""The token goes to whom the certificate names and to nobody else: TLS, proxies, and no way around."""

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

from sync.errors import ConnectionFailedError

PAGE = reply({"images": [{"id": "1", "created_at": "2024-01-01T00:00:00Z"}], "total": 1})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Somebody who signs certificates."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine trusts that authority and no other."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


def serving(certificate: trustme.LeafCert, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """TLS of a server that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if newest < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # to be old is what this server is for
            context.minimum_version = context.maximum_version = newest
    return context


@pytest.fixture
def cloud(authority: trustme.CA) -> Iterator[HttpServer]:
    """A cloud with a certificate that is in order."""
    with HttpServer(always(PAGE), serving(authority.issue_cert("127.0.0.1"))) as server:
        yield server


@pytest.mark.usefixtures("trusted")
def test_a_certificate_that_is_in_order_is_taken(cloud: HttpServer) -> None:
    """The list is read over TLS."""
    assert Reader(cloud.url).read().verdict.complete
    assert cloud.asked[0].headers["x-auth-token"] == TOKEN


def test_an_authority_that_is_not_known_is_refused(cloud: HttpServer) -> None:
    """Without a setting of this machine, only the public authorities are believed."""
    error = Reader(cloud.url, max_retries=0).fails(ConnectionFailedError)

    assert "check certificate and clock" in str(error)
    assert cloud.asked == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("fault", ["expired", "not yet", "wrong name", "self-signed", "other authority"])
def test_a_wrong_certificate_is_refused(authority: trustme.CA, fault: str) -> None:
    """Nothing is asked, so no token is sent; the message says what is wrong with the certificate."""
    now = datetime.now(UTC)
    wrong = {
        "expired": lambda: authority.issue_cert("127.0.0.1", not_after=now - timedelta(days=1)),
        "not yet": lambda: authority.issue_cert(
            "127.0.0.1", not_before=now + timedelta(days=1), not_after=now + timedelta(days=2)
        ),
        "wrong name": lambda: authority.issue_cert("iecs.example.org"),
        "self-signed": lambda: trustme.CA().issue_cert("127.0.0.1"),
        "other authority": lambda: trustme.CA(organization_name="Other").issue_cert("127.0.0.1"),
    }
    words = {
        "expired": "expired",
        "not yet": "not yet valid",
        "wrong name": "127.0.0.1",
        "self-signed": "certificate",
        "other authority": "certificate",
    }
    with HttpServer(always(PAGE), serving(wrong[fault]())) as server:
        error = Reader(server.url, max_retries=0).fails(ConnectionFailedError)

    assert "check certificate and clock" in str(error)
    assert words[fault] in str(error)
    assert server.asked == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(authority: trustme.CA, version: ssl.TLSVersion) -> None:
    """A server that knows nothing newer than TLS 1.1 gets no token."""
    with HttpServer(always(PAGE), serving(authority.issue_cert("127.0.0.1"), version)) as server:
        Reader(server.url, max_retries=0).fails(ConnectionFailedError)

    assert server.asked == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", ["PYTHONHTTPSVERIFY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_VERIFY"])
def test_no_variable_turns_checking_off(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """There is no way to have a wrong certificate taken."""
    monkeypatch.setenv(name, "0" if "VERIFY" in name else "")
    with HttpServer(always(PAGE), serving(authority.issue_cert("iecs.example.org"))) as server:
        Reader(server.url, max_retries=0).fails(ConnectionFailedError)

    assert server.asked == []


def test_plain_http_where_tls_is_expected_is_told() -> None:
    """An endpoint that is https and a server that is not: an error that names the endpoint."""
    with HttpServer(always(PAGE)) as server:
        url = server.url.replace("http:", "https:")
        error = Reader(url, max_retries=0).fails(ConnectionFailedError)

    assert url in str(error)


@pytest.mark.usefixtures("trusted")
def test_a_proxy_of_the_environment_carries_https_and_sees_no_token(
    cloud: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With HTTPS_PROXY the list comes through a tunnel; the proxy is asked to CONNECT and gets no secret to see."""

    def carry(connection: socket.socket, asked: Asked) -> None:
        tunnel(connection, int(asked.target.rpartition(":")[2]))

    with HttpServer(carry) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        complete = Reader(cloud.url).read().verdict.complete

    assert complete
    assert {asked.line.split(" ")[0] for asked in proxy.asked} == {"CONNECT"}
    assert TOKEN not in repr(proxy.asked)
    assert cloud.asked[0].headers["x-auth-token"] == TOKEN


def test_a_proxy_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says that the endpoint is out of reach; the proxy got no token."""
    with HttpServer(always(reply(status=403))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = Reader("https://iecs.invalid", max_retries=0).fails(ConnectionFailedError)

    assert "https://iecs.invalid cannot be reached" in str(error)
    assert "403" in str(error)
    assert [asked.line for asked in proxy.asked] == ["CONNECT iecs.invalid:443 HTTP/1.1"]
    assert TOKEN not in repr(proxy.asked)


@pytest.mark.usefixtures("trusted")
def test_no_proxy_is_honoured(cloud: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What NO_PROXY names is asked directly."""
    with HttpServer(always(reply(status=403))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        complete = Reader(cloud.url).read().verdict.complete

    assert complete
    assert proxy.connections == 0


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_sees_a_token_over_plain_http(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Over plain http a proxy would read the token: it is not asked, whatever the environment says."""
    with HttpServer(always(PAGE)) as proxy, HttpServer(always(PAGE)) as plain:
        monkeypatch.setenv(name, proxy.url)
        complete = Reader(plain.url).read().verdict.complete

    assert complete
    assert proxy.connections == 0
    assert len(plain.asked) == 1


def test_a_password_file_of_this_machine_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Logins that ``~/.netrc`` holds are for others: none is sent along."""
    (tmp_path / ".netrc").write_text("default login somebody password canary-netrc\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with HttpServer(always(PAGE)) as plain:
        Reader(plain.url).read()

    assert os.environ["HOME"] == str(tmp_path)
    assert "authorization" not in plain.asked[0].headers
