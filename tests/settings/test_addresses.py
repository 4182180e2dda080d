"""Plain http is allowed only to this machine, in every setting that takes a URL."""

from __future__ import annotations

import re

import pytest
from psycopg.conninfo import conninfo_to_dict
from settings_tools import SUPPORT

from sync.errors import SettingsError
from sync.settings import load
from sync.settings.addresses import passwords_in

HERE = [
    "localhost",
    "LOCALHOST",
    "localhost:80",
    "127.0.0.1",
    "127.0.0.1:8080",
    "127.255.255.254",
    "[::1]",
    "[::1]:9",
]
ELSEWHERE = [
    "evil-localhost",
    "notlocalhost",
    "xlocalhost:80",
    "evil.localhost",
    "localhost.example.com",
    "localhost.localdomain",
    "localhost-evil",
    "localhostx",
    "local",
    "host",
    "127.0.0.1.example.com",
    "x127.0.0.1",
    "127.0.0.1x",
    "126.255.255.255",
    "128.0.0.1",
    "0.0.0.0",  # noqa: S104 - to be refused
    "10.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "[::]",
    "[::2]",
    "[fe80::1]",
    "[::ffff:10.0.0.1]",
]
ENDPOINT = {"IMAGE_SYNC_ENDPOINT": "https://iecs.example.com", "IMAGE_SYNC_TOKEN": "t0ken"}
LOGIN = {
    "IMAGE_SYNC_ENDPOINT": "https://iecs.example.com",
    "IMAGE_SYNC_USERNAME": "reader",
    "IMAGE_SYNC_PASSWORD": "p4ss",
    "IMAGE_SYNC_DOMAIN": "acme",
}
PLACES = {
    "endpoint": ("IMAGE_SYNC_ENDPOINT", "http://{}", ENDPOINT),
    "iam_endpoint": ("IMAGE_SYNC_IAM_ENDPOINT", "http://{}", LOGIN),
    "notice_url": ("IMAGE_SYNC_NOTICE_URL", "http://{}/hook", ENDPOINT),
    "metrics_push": ("IMAGE_SYNC_METRICS_PUSH", "http://user:p4ss@{}", ENDPOINT),
}


def errors_of(place: str, host: str) -> tuple[str, ...]:
    """The errors in settings in which one URL is plain http to this host."""
    name, address, others = PLACES[place]
    try:
        load(others | {name: address.format(host)}, file=None, apis=SUPPORT)
    except SettingsError as error:
        return error.mistakes
    return ()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("host", HERE)
def test_plain_http_to_this_machine_is_allowed(host: str, place: str) -> None:
    """Plain http to this machine never leaves it, so it is allowed."""
    assert errors_of(place, host) == ()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("host", ELSEWHERE)
def test_plain_http_to_another_machine_is_an_error(host: str, place: str) -> None:
    """A host that only looks like this machine is one error, which names the setting and suggests https."""
    (error,) = errors_of(place, host)

    assert error.startswith(PLACES[place][0])
    assert "to the network" in error
    assert "https" in error


def database(url: str) -> str:
    """The database URL of settings, as the program holds it."""
    settings = load({"IMAGE_SYNC_DATABASE_URL": url}, file=None, apis=SUPPORT)
    assert settings.database_url is not None
    assert set(passwords_in(url)) <= set(settings.secrets())
    return settings.database_url.reveal()


@pytest.mark.parametrize(
    ("url", "hosts", "passwords"),
    [
        ("postgresql://u:c%40nary@h1:5432,h2:5433/db?target_session_attrs=read-write", "h1,h2", {"c%40nary", "c@nary"}),
        ("postgres://u@[::1]:5432,[::2],h3/db?password=canary", "::1,::2,h3", {"canary"}),
        ("POSTGRESQL://%2Frun%2Fpostgresql/db", "/run/postgresql", set()),
        ("host=h1,h2 port=5432,5433 dbname=db password=canary target_session_attrs=any", "h1,h2", {"canary"}),
        (r"host = h1 password = 'can\'ary two' dbname=db", "h1", {r"can\'ary two", "can'ary two"}),
        ("dbname=db sslpassword=first password=second", None, {"first", "second"}),
        ("service=inventory", None, set()),
    ],
)
def test_what_libpq_takes_is_a_database_url(url: str, hosts: str | None, passwords: set[str]) -> None:
    """Several hosts, parameters of the session and connection strings are taken, and each password is known."""
    held = conninfo_to_dict(database(url))

    assert held.get("host") == hosts
    assert set(passwords_in(url)) == passwords


def test_the_password_of_a_gateway_is_known() -> None:
    """The password in the address of a pushgateway is masked as the one of a database is."""
    settings = load({"IMAGE_SYNC_METRICS_PUSH": "https://u:c%40nary@gateway"}, file=None, apis=SUPPORT)

    assert set(settings.secrets()) == {"c%40nary", "c@nary"}


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:canary@h/db",
        "postgresql://u:canary@h1:0,h2/db",
        "postgresql://u:canary@h1,h2:99999/db",
        "postgresql://u:canary@h1:five,h2/db",
        "postgresql://u:can@ary@h/db",
        "postgresql://u:can/ary@h/db",
        "postgresql://u:canary@h/db#part",
        "host=h password=canary nosuchkey=1",
        "host=h password='canary",
        "canary",
        "=canary",
    ],
)
def test_what_libpq_does_not_take_is_no_database_url(url: str) -> None:
    """What is not a database URL is one error, which never quotes it."""
    with pytest.raises(SettingsError) as caught:
        database(url)

    (mistake,) = caught.value.mistakes
    assert "takes postgresql://USER" in mistake
    assert not re.search("canary|can@|can/", mistake)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("IMAGE_SYNC_DATABASE_URL", "postgresql://user:p4ss%zz@host/inventory"),
        ("IMAGE_SYNC_DATABASE_URL", "postgresql://user:p4ss%@host/inventory"),
        ("IMAGE_SYNC_ENDPOINT", "https://host%zz"),
        ("IMAGE_SYNC_NOTICE_URL", "https://host/p4ss%zz"),
        ("IMAGE_SYNC_METRICS_PUSH", "https://user:p4ss%zz@host"),
    ],
)
def test_a_broken_escape_in_a_url_is_an_error(name: str, address: str) -> None:
    """A % that begins no escape is an error in every setting that takes a URL, and the value is not shown."""
    with pytest.raises(SettingsError) as caught:
        load(ENDPOINT | {name: address}, file=None, apis=SUPPORT)

    assert len(caught.value.mistakes) == 1
    assert name in str(caught.value)
    assert "p4ss" not in str(caught.value)


@pytest.mark.parametrize("address", ["127.0.0.1:9808", "[::1]:9808", ":9808"])
def test_an_address_to_listen_on(address: str) -> None:
    """The setting takes what the option --listen takes."""
    loaded = load(ENDPOINT | {"IMAGE_SYNC_LISTEN": address}, file=None, apis=SUPPORT)

    assert loaded.listen == address
