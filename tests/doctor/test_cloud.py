"""``image-sync doctor`` on clouds: each fault is told on its own line, and what depends on it is skipped."""

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

from sync.doctor.clock import cloud_clock
from sync.doctor.cloud import SourceProbe
from sync.doctor.report import Line, Report
from sync.settings import Keys, Password
from sync.settings.secret import Secret
from sync.simulator import TOKENS, Login, Simulator, World
from sync.simulator import Keys as StoredDigests

ALL = {"proxy", "name", "connection", "TLS", "login", "list"}
PAGE = reply({"images": [{"id": "1", "created_at": "2024-01-01T00:00:00Z"}], "total": 1})
LOGIN = Login("reader", "a password", "account")
PAIR = StoredDigests("SOMEACCESSKEY", "some-secret-key")


@pytest.fixture
def cloud() -> Iterator[Simulator]:
    """A cloud that knows a token, a user and a key pair."""
    with FaultySimulator(World(seed=1, size=30), login=LOGIN, keys=PAIR) as simulator:
        yield simulator


def person(cloud: Simulator, password: str = LOGIN.password) -> Password:
    """The credentials of the user."""
    return Password(iam_endpoint=cloud.url, username=LOGIN.user, password=Secret(password), domain=LOGIN.domain)


def pair(secret: str = PAIR.secret) -> Keys:
    """The key pair."""
    return Keys(access_key=Secret(PAIR.access), secret_key=Secret(secret))


def clock(source: SourceProbe, database_ahead: float) -> list[Line]:
    """What is found of its clock."""
    report = Report("default")
    report.check("clock", cloud_clock(source, database_ahead))
    return report.lines


def test_a_cloud_that_is_in_order_is_asked_for_one_image(cloud: Simulator) -> None:
    """Every check is told and fine; one request was made, for one image, with the filter of the source."""
    lines = look_at(probe(cloud.url, cloud.token, filter=(("visibility", "private"),)))

    assert levels(lines) == dict.fromkeys(ALL, "ok")
    (answer,) = cloud.journal.answers()
    query = dict(parse_qsl(str(answer.detail["query"])))
    assert (query["limit"], query["visibility"]) == ("1", "private")
    assert "visibility=private" in said(lines, "list")


@pytest.mark.parametrize("kind", ["user", "keys"])
def test_other_credentials_are_tried_as_a_run_would(cloud: Simulator, kind: str) -> None:
    """A user logs in once; a key pair signs."""
    lines = look_at(probe(cloud.url, credentials=person(cloud) if kind == "user" else pair()))

    assert levels(lines) == dict.fromkeys(ALL, "ok")
    assert cloud.identity.token_calls == (kind == "user")


def test_offline_asks_nothing(cloud: Simulator) -> None:
    """With --offline each line says that it was skipped, and why; the cloud hears nothing."""
    lines = look_at(probe(cloud.url, cloud.token), offline=True)

    assert levels(lines) == dict.fromkeys(ALL, "skipped")
    assert "because of --offline" in said(lines, "list")
    assert cloud.journal.answers() == []


# --- login and permission ---------------------------------------------------------------------------------------------


def test_a_refused_token(cloud: Simulator) -> None:
    """The login is wrong, with the vendor's request id; the list is skipped."""
    lines = look_at(probe(cloud.url, "stale"))

    assert not_ok(lines) == {"login": "wrong", "list": "skipped"}
    assert "renew the token" in said(lines, "login")
    assert str(cloud.journal.answers()[-1].detail["request_id"]) in said(lines, "login")


def test_a_wrong_password_is_tried_once(cloud: Simulator) -> None:
    """Wrong passwords lock a login: it is asked for once, and the list not at all."""
    lines = look_at(probe(cloud.url, credentials=person(cloud, "another")))

    assert not_ok(lines) == {"login": "wrong", "list": "skipped"}
    assert "check user name, password" in said(lines, "login")
    assert cloud.identity.token_calls == 1
    assert "another" not in str(lines)


def test_a_wrong_key(cloud: Simulator) -> None:
    """A signature that is refused."""
    lines = look_at(probe(cloud.url, credentials=pair("another")))

    assert not_ok(lines) == {"login": "wrong", "list": "skipped"}


@pytest.mark.parametrize("kind", ["token", "user"])
def test_who_may_not_list(cloud: Simulator, kind: str) -> None:
    """The login is fine, and the list wrong: grant the permission."""
    cloud.faults.add(effects.status(403), times=None)
    given = {"credentials": person(cloud)} if kind == "user" else {}
    lines = look_at(probe(cloud.url, cloud.token, **given))

    assert not_ok(lines) == {"list": "wrong"}
    assert "grant the permission" in said(lines, "list")


def test_an_identity_service_that_is_broken(cloud: Simulator) -> None:
    """It is asked once."""
    cloud.faults.add(effects.status(503), path=TOKENS, times=None)
    lines = look_at(probe(cloud.url, credentials=person(cloud)))

    assert not_ok(lines) == {"login": "wrong", "list": "skipped"}
    assert len(cloud.journal.answers()) <= 1


def test_a_fault_says_nothing_of_the_credentials(cloud: Simulator) -> None:
    """With a 500, whether the token is good is not known."""
    cloud.faults.add(effects.status(500), times=None)
    lines = look_at(probe(cloud.url, cloud.token))

    assert not_ok(lines) == {"login": "skipped", "list": "wrong"}
    assert len(cloud.journal.answers()) == 1


@pytest.mark.parametrize("effect", [breakage.black_hole(), breakage.drip(1.0)], ids=["silent", "drip"])
def test_a_cloud_that_does_not_answer_keeps_nobody_waiting(cloud: Simulator, effect: effects.Effect) -> None:
    """The look ends when its patience does."""
    cloud.faults.add(effect, times=None)
    lines = look_at(probe(cloud.url, cloud.token, seconds=0.5))

    assert not_ok(lines) == {"login": "skipped", "list": "wrong"}


def test_an_empty_list_is_worth_a_look(cloud: Simulator) -> None:
    """It may be right; it may be a permission that is gone."""
    cloud.faults.add(effects.images("empty"), times=None)

    lines = look_at(probe(cloud.url, cloud.token))

    assert not_ok(lines) == {"list": "warning"}
    assert "permissions" in said(lines, "list")


# --- the way there ----------------------------------------------------------------------------------------------------


def test_a_name_that_is_not_known() -> None:
    """All that needs it is skipped."""
    lines = look_at(probe("https://nowhere.invalid"))

    assert not_ok(lines) == {"name": "wrong"} | dict.fromkeys(("connection", "TLS", "login", "list"), "skipped")
    assert "nowhere.invalid" in said(lines, "name")


def test_a_closed_port() -> None:
    """The machine is there, the service is not."""
    lines = look_at(probe("http://127.0.0.1:1"))

    assert not_ok(lines) == {"connection": "wrong"} | dict.fromkeys(("TLS", "login", "list"), "skipped")
    assert "127.0.0.1 port 1: Connection refused" in said(lines, "connection")


def test_one_of_several_machines_is_away(cloud: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with two addresses, one of which does not answer: runs work, and wait in vain now and then."""
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


def test_the_identity_service_is_looked_at_as_well(cloud: Simulator) -> None:
    """Where it has an address of its own, the way there is checked, and without it nothing is asked."""
    away = Password(iam_endpoint="http://127.0.0.1:1", username="x", password=Secret("x"), domain="x")
    lines = look_at(probe(cloud.url, credentials=away))

    assert not_ok(lines) == {"connection": "wrong", "TLS": "skipped", "login": "skipped", "list": "skipped"}
    assert cloud.journal.answers() == []


# --- TLS and proxies --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Somebody who signs certificates."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine trusts that authority and no other."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """TLS of a server that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def ends_in(authority: trustme.CA, **span: float) -> trustme.LeafCert:
    """A certificate of that much life."""
    return authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(**span))


@pytest.mark.usefixtures("trusted")
def test_a_certificate_that_is_in_order(authority: trustme.CA) -> None:
    """Its version of TLS, and the days that are left, are told."""
    with HttpServer(always(PAGE), serving(ends_in(authority, days=40.5))) as server:
        lines = look_at(probe(server.url))

    assert levels(lines) == dict.fromkeys(ALL, "ok")
    assert "TLSv1.3" in said(lines, "TLS")
    assert "40 days" in said(lines, "TLS") or "41 days" in said(lines, "TLS")


@pytest.mark.usefixtures("trusted")
def test_a_certificate_that_ends_soon(authority: trustme.CA) -> None:
    """It works today, and should be renewed."""
    with HttpServer(always(PAGE), serving(ends_in(authority, days=5))) as server:
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
def test_a_certificate_that_is_wrong(authority: trustme.CA, fault: str, advice: str) -> None:
    """What is wrong with it, and what to do; no token is sent."""
    wrong = {
        "expired": lambda: ends_in(authority, days=-1),
        "name": lambda: authority.issue_cert("iecs.example.org"),
        "authority": lambda: trustme.CA().issue_cert("127.0.0.1"),
    }
    with HttpServer(always(PAGE), serving(wrong[fault]())) as server:
        lines = look_at(probe(server.url))

    assert not_ok(lines) == {"TLS": "wrong", "login": "skipped", "list": "skipped"}
    assert advice in said(lines, "TLS")
    assert server.asked == []


@pytest.mark.usefixtures("trusted")
def test_a_port_without_tls() -> None:
    """An endpoint that is https and a server that is not."""
    with HttpServer(always(PAGE)) as server:
        lines = look_at(probe(server.url.replace("http:", "https:")))

    assert not_ok(lines) == {"TLS": "wrong", "login": "skipped", "list": "skipped"}


@pytest.mark.usefixtures("trusted")
def test_a_proxy_that_is_used_is_told(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the proxy does for us is skipped, and the list goes through it; its password is not shown."""

    def carry(connection: socket.socket, asked: Asked) -> None:
        tunnel(connection, int(asked.target.rpartition(":")[2]))

    with HttpServer(always(PAGE), serving(authority.issue_cert("127.0.0.1"))) as server, HttpServer(carry) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:canary@"))
        lines = look_at(probe(server.url))

    assert not_ok(lines) == dict.fromkeys(("name", "connection", "TLS"), "skipped")
    assert f"127.0.0.1:{proxy.port}" in said(lines, "proxy")
    assert "canary" not in str(lines)
    assert len(proxy.asked) == 1


def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy only the login meets the file that is missing: it is a line, and the other subjects get theirs."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    lines = look_at(probe("https://127.0.0.1:1"))

    assert not_ok(lines) == dict.fromkeys(("name", "connection", "TLS", "list"), "skipped") | {"login": "wrong"}
    assert "check HTTPS_PROXY and SSL_CERT_FILE" in said(lines, "login")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("spared", ["*", "127.0.0.1", "x.org, 127.0.0.1"])
def test_who_needs_no_proxy(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, spared: str) -> None:
    """NO_PROXY is understood as the run's own requests understand it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", spared)
    with HttpServer(always(PAGE), serving(authority.issue_cert("127.0.0.1"))) as server:
        lines = look_at(probe(server.url))

    assert levels(lines) == dict.fromkeys(ALL, "ok")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "all_proxy"])
def test_a_proxy_that_is_ignored_is_told(cloud: Simulator, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Over plain http no proxy is asked, and whoever set one should know."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    lines = look_at(probe(cloud.url, cloud.token))

    assert not_ok(lines) == {"proxy": "warning"}
    assert f"ignored over plain http, where a proxy would see the token: {name.upper()}" in said(lines, "proxy")


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "kind", "level"),
    [(0, "token", "ok"), (3600, "token", "warning"), (-3600, "keys", "wrong"), (120, "keys", "warning")],
)
def test_the_cloud_has_another_time(skew: float, kind: str, level: str) -> None:
    """A token bears it; signatures are good for a quarter of an hour only. Also told where the login failed for it."""
    with FaultySimulator(World(seed=1, size=30), keys=PAIR, skew=skew) as cloud:
        source = probe(cloud.url, cloud.token, **({"credentials": pair()} if kind == "keys" else {}))
        look_at(source)

    lines = clock(source, 0.0)
    assert levels(lines) == {"clock": level}
    side = "within a second of" if not skew else "ahead of" if skew > 0 else "behind"
    assert said(lines, "clock").count(side) == 2 if level != "ok" else side in said(lines, "clock")


def test_the_database_has_another_time(cloud: Simulator) -> None:
    """The cloud agrees with this machine, and the database with neither."""
    source = probe(cloud.url, cloud.token)
    look_at(source)

    lines = clock(source, 600.0)

    assert levels(lines) == {"clock": "warning"}
    assert "behind the database's" in said(lines, "clock")


def test_a_cloud_that_was_not_asked_has_no_clock() -> None:
    """Then nothing is said of it."""
    assert levels(clock(probe("http://127.0.0.1:1"), 0.0)) == {"clock": "skipped"}
