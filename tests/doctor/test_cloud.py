"""``image-sync doctor`` on clouds: each fault has its own line, and checks that depend on it are skipped."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import breakage
import effects
import pytest
import trustme
from doctor_tools import levels, look_at, not_ok, probe, said
from fault_rules import FaultySimulator
from http_server import Asked, HttpServer, always, reply, tunnel
from identity_server import Identity

from sync.doctor.clock import cloud_clock
from sync.doctor.cloud import SourceProbe
from sync.doctor.report import Line, Report
from sync.domain.apis import APIS
from sync.settings import Keys, Password, Token
from sync.settings.secret import Secret
from sync.simulator import TOKENS, Login, Simulator, World
from sync.simulator import Keys as KeyPair

ALL = {"proxy", "name", "connection", "TLS", "login", "list"}
PAGE = reply({"images": [{"id": "1", "created_at": "2024-01-01T00:00:00Z"}], "total": 1})
LOGIN = Login("reader", "a password", "account")
PAIR = KeyPair("SOMEACCESSKEY", "some-secret-key")


@pytest.fixture
def cloud() -> Iterator[Simulator]:
    """A cloud that knows a token, a user and a key pair."""
    with FaultySimulator(World(seed=1, size=30), login=LOGIN, keys=PAIR) as simulator:
        yield simulator


def user_credentials(cloud: Simulator, password: str = LOGIN.password) -> Password:
    """The credentials of the user."""
    return Password(iam_endpoint=cloud.url, username=LOGIN.user, password=Secret(password), domain=LOGIN.domain)


def key_credentials(secret: str = PAIR.secret) -> Keys:
    """The key pair."""
    return Keys(access_key=Secret(PAIR.access), secret_key=Secret(secret))


def clock(source: SourceProbe, database_ahead: float) -> list[Line]:
    """The lines about the cloud's clock."""
    report = Report("default")
    report.check("clock", cloud_clock(source, database_ahead))
    return report.lines


def test_a_good_cloud_gets_one_request(cloud: Simulator) -> None:
    """Every check is ok after one request for one image, with the source's filter."""
    lines = look_at(probe(cloud.url, cloud.token, filter=(("visibility", "private"),)))

    assert levels(lines) == dict.fromkeys(ALL, "ok")
    (answer,) = cloud.journal.answers()
    query = dict(parse_qsl(str(answer.detail["query"])))
    assert (query["limit"], query["visibility"]) == ("1", "private")
    assert "visibility=private" in said(lines, "list")


@pytest.mark.parametrize("kind", ["user", "keys"])
def test_other_credentials_are_tried_as_a_run_would(cloud: Simulator, kind: str) -> None:
    """A user logs in once, and a key pair signs."""
    lines = look_at(probe(cloud.url, credentials=user_credentials(cloud) if kind == "user" else key_credentials()))

    assert levels(lines) == dict.fromkeys(ALL, "ok")
    assert cloud.identity.token_calls == (kind == "user")


def test_offline_makes_no_request(cloud: Simulator) -> None:
    """With --offline each check is skipped with the reason, and no request is made."""
    lines = look_at(probe(cloud.url, cloud.token), offline=True)

    assert levels(lines) == dict.fromkeys(ALL, "skipped")
    assert "because of --offline" in said(lines, "list")
    assert cloud.journal.answers() == []


# --- login and permission ---------------------------------------------------------------------------------------------


def test_a_refused_token(cloud: Simulator) -> None:
    """With a refused token the login is wrong, with the cloud's request id, and the list is skipped."""
    lines = look_at(probe(cloud.url, "stale"))

    assert not_ok(lines) == {"login": "wrong", "list": "skipped"}
    assert "renew the token" in said(lines, "login")
    assert str(cloud.journal.answers()[-1].detail["request_id"]) in said(lines, "login")


def test_a_wrong_password_is_tried_once(cloud: Simulator) -> None:
    """A wrong password is tried once, as more could lock the user, and the list is skipped."""
    lines = look_at(probe(cloud.url, credentials=user_credentials(cloud, "another")))

    assert not_ok(lines) == {"login": "wrong", "list": "skipped"}
    assert "check user name, password" in said(lines, "login")
    assert cloud.identity.token_calls == 1
    assert "another" not in str(lines)


def test_a_wrong_key(cloud: Simulator) -> None:
    """With a refused signature the login is wrong, and the list is skipped."""
    lines = look_at(probe(cloud.url, credentials=key_credentials("another")))

    assert not_ok(lines) == {"login": "wrong", "list": "skipped"}


@pytest.mark.parametrize("kind", ["token", "user"])
def test_missing_permission_to_list(cloud: Simulator, kind: str) -> None:
    """Without permission to list, the login is ok, and the list says to grant it."""
    cloud.faults.add(effects.status(403), times=None)
    credentials = {"credentials": user_credentials(cloud)} if kind == "user" else {}
    lines = look_at(probe(cloud.url, cloud.token, **credentials))

    assert not_ok(lines) == {"list": "wrong"}
    assert "grant the permissions iec:image:list and iec:image:get" in said(lines, "list")


@pytest.mark.parametrize("api", APIS)
def test_the_permissions_of_each_api(api: str) -> None:
    """Whatever the API, a list that may not be read says by name what it takes."""
    with Identity(forbidden=True) as identity:
        own = Token(token=Secret("given"), project_id="p1")
        lines = look_at(probe(f"{identity.url}/image", api=api, credentials=own))

    assert not_ok(lines) == {"list": "wrong"}
    assert all(name in said(lines, "list") for name in APIS[api].permissions)


@pytest.mark.parametrize(("roles", "level"), [(("admin",), "warning"), (("reader",), "ok")])
def test_the_token_of_an_administrator(roles: tuple[str, ...], level: str) -> None:
    """A token with the role admin is a warning, as it sees all projects' images; the catalog's endpoint is tried."""
    with Identity(scope=("p1", roles)) as identity:
        own = Password(iam_endpoint=identity.url, username="x", password=Secret("x"), domain="x", project="demo")
        lines = look_at(probe("", api="glance", endpoint=None, credentials=own))

    assert levels(lines)["login"] == level
    assert ("sees all projects' images" in said(lines, "login")) == (level == "warning")
    assert f"the scope is project=p1&roles={roles[0]}" in said(lines, "login")
    assert f"the service catalog names {identity.url.replace('/identity', '/image')}" in said(lines, "login")
    assert identity.tokens == 1
    assert identity.asked[-1].target.startswith("/image/")


def test_a_catalog_that_names_no_endpoint() -> None:
    """Without an image service in the catalog the login is wrong, with what to set, and the list is skipped."""
    with Identity(image="") as identity:
        own = Password(iam_endpoint=identity.url, username="x", password=Secret("x"), domain="x", project="demo")
        lines = look_at(probe("", api="glance", endpoint=None, credentials=own))

    assert not_ok(lines) == {"login": "wrong", "list": "skipped"}
    assert "has no image service, only identity; set endpoint" in said(lines, "login")


def test_a_broken_identity_service(cloud: Simulator) -> None:
    """A broken identity service gets at most one request."""
    cloud.faults.add(effects.status(503), path=TOKENS, times=None)
    lines = look_at(probe(cloud.url, credentials=user_credentials(cloud)))

    assert not_ok(lines) == {"login": "wrong", "list": "skipped"}
    assert len(cloud.journal.answers()) <= 1


def test_a_server_fault_leaves_the_login_unknown(cloud: Simulator) -> None:
    """After a server fault the list is wrong and the login is unknown."""
    cloud.faults.add(effects.status(500), times=None)
    lines = look_at(probe(cloud.url, cloud.token))

    assert not_ok(lines) == {"login": "skipped", "list": "wrong"}
    assert len(cloud.journal.answers()) == 1


@pytest.mark.parametrize("effect", [breakage.black_hole(), breakage.drip(1.0)], ids=["silent", "drip"])
def test_a_silent_cloud_times_out(cloud: Simulator, effect: effects.Effect) -> None:
    """The check of a silent or slow cloud ends at its time limit."""
    cloud.faults.add(effect, times=None)
    lines = look_at(probe(cloud.url, cloud.token, seconds=0.5))

    assert not_ok(lines) == {"login": "skipped", "list": "wrong"}


def test_an_empty_list_is_a_warning(cloud: Simulator) -> None:
    """An empty list may be right, or a permission may be missing."""
    cloud.faults.add(effects.images("empty"), times=None)

    lines = look_at(probe(cloud.url, cloud.token))

    assert not_ok(lines) == {"list": "warning"}
    assert "permissions" in said(lines, "list")


# --- connecting -------------------------------------------------------------------------------------------------------


def test_an_unknown_host_name() -> None:
    """With an unknown host name all further checks are skipped."""
    lines = look_at(probe("https://nowhere.invalid"))

    assert not_ok(lines) == {"name": "wrong"} | dict.fromkeys(("connection", "TLS", "login", "list"), "skipped")
    assert "nowhere.invalid" in said(lines, "name")


def test_a_closed_port() -> None:
    """With a closed port the connection is wrong, and further checks are skipped."""
    lines = look_at(probe("http://127.0.0.1:1"))

    assert not_ok(lines) == {"connection": "wrong"} | dict.fromkeys(("TLS", "login", "list"), "skipped")
    assert "127.0.0.1 port 1: Connection refused" in said(lines, "connection")


def test_one_of_several_addresses_is_unreachable(cloud: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a host name has several addresses, an unreachable one is a warning."""
    port = int(cloud.url.rpartition(":")[2])
    real = socket.getaddrinfo
    both = [entry for host in ("127.0.0.1", "127.0.0.2") for entry in real(host, port, type=socket.SOCK_STREAM)]
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: both if host == "localhost" else real(host, *a, **k)
    )

    lines = look_at(probe(f"http://localhost:{port}", cloud.token))

    assert not_ok(lines) == {"connection": "warning"}
    assert "127.0.0.1, 127.0.0.2" in said(lines, "name")
    assert "127.0.0.2" in said(lines, "connection")
    assert f"127.0.0.1 port {port}" not in said(lines, "connection")


def test_the_identity_service_is_checked_too(cloud: Simulator) -> None:
    """An identity service with its own address is checked too, and without it the cloud gets no request."""
    away = Password(iam_endpoint="http://127.0.0.1:1", username="x", password=Secret("x"), domain="x")
    lines = look_at(probe(cloud.url, credentials=away))

    assert not_ok(lines) == {"connection": "wrong", "TLS": "skipped", "login": "skipped", "list": "skipped"}
    assert cloud.journal.answers() == []


# --- TLS and proxies --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust only this authority."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """The TLS context of a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def certificate_ending_in(authority: trustme.CA, **span: float) -> trustme.LeafCert:
    """A certificate that expires after this time."""
    return authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(**span))


@pytest.mark.usefixtures("trusted")
def test_a_good_certificate(authority: trustme.CA) -> None:
    """A good certificate is ok, with its TLS version and remaining days."""
    with HttpServer(always(PAGE), server_context(certificate_ending_in(authority, days=40.5))) as server:
        lines = look_at(probe(server.url))

    assert levels(lines) == dict.fromkeys(ALL, "ok")
    assert "TLSv1.3" in said(lines, "TLS")
    assert "40 days" in said(lines, "TLS") or "41 days" in said(lines, "TLS")


@pytest.mark.usefixtures("trusted")
def test_a_certificate_that_expires_soon(authority: trustme.CA) -> None:
    """A certificate that expires soon is a warning."""
    with HttpServer(always(PAGE), server_context(certificate_ending_in(authority, days=5))) as server:
        lines = look_at(probe(server.url))

    assert not_ok(lines) == {"TLS": "warning"}
    assert "have it renewed" in said(lines, "TLS")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ("expired", "have it renewed"),
        ("name", "a name that the certificate is issued for"),
        ("authority", "SSL_CERT_FILE"),
    ],
)
def test_a_wrong_certificate(authority: trustme.CA, fault: str, advice: str) -> None:
    """The line says what is wrong with the certificate and what to do; no request is made."""
    wrong = {
        "expired": lambda: certificate_ending_in(authority, days=-1),
        "name": lambda: authority.issue_cert("iecs.example.org"),
        "authority": lambda: trustme.CA().issue_cert("127.0.0.1"),
    }
    with HttpServer(always(PAGE), server_context(wrong[fault]())) as server:
        lines = look_at(probe(server.url))

    assert not_ok(lines) == {"TLS": "wrong", "login": "skipped", "list": "skipped"}
    assert advice in said(lines, "TLS")
    assert server.asked == []


@pytest.mark.usefixtures("trusted")
def test_a_port_without_tls() -> None:
    """An https endpoint on a server without TLS is wrong."""
    with HttpServer(always(PAGE)) as server:
        lines = look_at(probe(server.url.replace("http:", "https:")))

    assert not_ok(lines) == {"TLS": "wrong", "login": "skipped", "list": "skipped"}


@pytest.mark.usefixtures("trusted")
def test_a_used_proxy_is_reported(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy the checks it takes over are skipped, and its password is not shown."""

    def carry(connection: socket.socket, request: Asked) -> None:
        tunnel(connection, int(request.target.rpartition(":")[2]))

    with (
        HttpServer(always(PAGE), server_context(authority.issue_cert("127.0.0.1"))) as server,
        HttpServer(carry) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:canary@"))
        lines = look_at(probe(server.url))

    assert not_ok(lines) == dict.fromkeys(("name", "connection", "TLS"), "skipped")
    assert f"127.0.0.1:{proxy.port}" in said(lines, "proxy")
    assert "canary" not in str(lines)
    assert len(proxy.asked) == 1


def test_a_missing_certificate_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the certificate file is missing, the login is wrong, and the remaining checks are still reported."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    lines = look_at(probe("https://127.0.0.1:1"))

    assert not_ok(lines) == dict.fromkeys(("name", "connection", "TLS", "list"), "skipped") | {"login": "wrong"}
    assert "SSL_CERT_FILE (environment): /nowhere.pem cannot be read" in said(lines, "login")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("spared", ["*", "127.0.0.1", "x.org, 127.0.0.1"])
def test_no_proxy_is_respected(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, spared: str) -> None:
    """NO_PROXY is understood as in the requests of a run."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", spared)
    with HttpServer(always(PAGE), server_context(authority.issue_cert("127.0.0.1"))) as server:
        lines = look_at(probe(server.url))

    assert levels(lines) == dict.fromkeys(ALL, "ok")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "all_proxy"])
def test_an_ignored_proxy_is_reported(cloud: Simulator, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A proxy that is ignored because the endpoint is plain http is a warning."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    lines = look_at(probe(cloud.url, cloud.token))

    assert not_ok(lines) == {"proxy": "warning"}
    assert f"ignored over plain http, where a proxy would see the token: {name.upper()}" in said(lines, "proxy")


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "kind", "level"),
    [(0, "token", "ok"), (3600, "token", "warning"), (-3600, "keys", "wrong"), (120, "keys", "warning")],
)
def test_a_wrong_cloud_clock(skew: float, kind: str, level: str) -> None:
    """A wrong clock is a warning with a token, and wrong with signatures, even if the login failed because of it."""
    with FaultySimulator(World(seed=1, size=30), keys=PAIR, skew=skew) as cloud:
        source = probe(cloud.url, cloud.token, **({"credentials": key_credentials()} if kind == "keys" else {}))
        look_at(source)

    lines = clock(source, 0.0)
    assert levels(lines) == {"clock": level}
    if skew:  # else it depends on when within a second the answer came, and how long that took
        assert said(lines, "clock").count("ahead of" if skew > 0 else "behind") == 2


def test_a_wrong_database_clock(cloud: Simulator) -> None:
    """A database clock that differs from this machine and the cloud is a warning."""
    source = probe(cloud.url, cloud.token)
    look_at(source)

    lines = clock(source, 600.0)

    assert levels(lines) == {"clock": "warning"}
    assert "behind the database's" in said(lines, "clock")


def test_a_cloud_that_was_not_asked_has_no_clock() -> None:
    """Without an answer from the cloud the check of its clock is skipped."""
    assert levels(clock(probe("http://127.0.0.1:1"), 0.0)) == {"clock": "skipped"}
