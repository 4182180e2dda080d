"""The way to an address: proxies, the name, every machine behind it, and TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Thread
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

from sync.doctor.report import Lines, Report, ok, warning, wrong
from sync.proxies import proxy_for, without_login
from sync.threads import Pool, start
from sync.transport import trust

T = TypeVar("T")
_PATIENCE = 5.0  # seconds
_FEW_DAYS = 14  # left of a certificate; automatic renewal comes earlier


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens."""

    url: str
    host: str
    port: int
    secure: bool

    @classmethod
    def of(cls, url: str) -> Address:
        """The address of an endpoint, which the settings have checked."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return cls(url, parts.hostname or "", parts.port or (443 if secure else 80), secure)


def way_to(report: Report, address: Address) -> bool:
    """Check the whole way; return whether a request may arrive."""
    proxied = report.check("proxy", _proxy(address))
    if proxied is None:
        report.skip("the proxy cannot be used", "name", "connection", "TLS")
        return False
    if proxied:
        because = "the proxy looks up the name and opens the connection; the check of the list shows whether it does"
        report.skip(because, "name", "connection", "TLS")
        return True
    hosts = report.check("name", _name(address))
    if not hosts:
        report.skip("the name is not known", "connection", "TLS")
        return False
    if not report.check("connection", _connection(address, hosts)):
        report.skip("no connection can be opened", "TLS")
        return False
    return bool(report.check("TLS", _tls(address)))


def _proxy(address: Address) -> Lines[bool]:
    """Whether a proxy carries the requests."""
    used = proxy_for(address.url)
    if used:
        yield ok(f"{without_login(used)} carries the requests, and sees no token")
        return True
    proxies = getproxies()
    ignored = " and ".join(sorted(name.upper() + "_PROXY" for name in ("http", "all") if proxies.get(name)))
    if ignored and not address.secure:
        yield warning(
            f"none; ignored over plain http, where a proxy would see the token: {ignored}",
            "use https, or unset the proxy",
        )
    elif ignored and not (proxies.get("https") or proxies.get("all")):
        yield ok(f"none; {ignored} is for plain http, HTTPS_PROXY would be used")
    else:
        yield ok("none")
    return False


def _name(address: Address) -> Lines[list[str]]:
    """All addresses behind the name."""
    try:
        entries = _within(_PATIENCE, lambda: socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:  # a TimeoutError, too, which says nothing
        reason = getattr(error, "strerror", None) or str(error) or f"no answer within {_PATIENCE:g} s"
        yield wrong(
            f"{address.host} can't be looked up: {reason}", "check the endpoint, and the name servers of this machine"
        )
        return []
    hosts = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    yield ok(f"{address.host} is {', '.join(hosts)}")
    return hosts


def _connection(address: Address, hosts: list[str]) -> Lines[bool]:
    """Whether any machine accepts connections; each is tried, since a run may meet any of them."""
    with Pool(min(len(hosts), 16), name="hosts") as pool:
        problems = list(filter(None, pool.map(lambda host: _connection_problem(host, address.port), hosts)))
    if not problems:
        yield ok(f"port {address.port} is open" + (f" on all {len(hosts)}" if len(hosts) > 1 else ""))
    elif len(problems) < len(hosts):
        yield warning(
            "; ".join(problems), "each request may first wait for these in vain; fix the route (often IPv6) or the name"
        )
    else:
        yield wrong(
            "; ".join(problems), "check the endpoint's port, firewalls, and whether a proxy is needed (HTTPS_PROXY)"
        )
    return len(problems) < len(hosts)


def _tls(address: Address) -> Lines[bool]:
    if not address.secure:
        yield ok("none: plain http")
        return True
    try:
        with (
            socket.create_connection((address.host, address.port), timeout=_PATIENCE) as plain,
            trust().wrap_socket(plain, server_hostname=address.host) as secure,  # as a run does
        ):
            version, certificate = secure.version(), secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        yield wrong(f"the certificate is refused: {error.verify_message}", _certificate_advice(error.verify_message))
        return False
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        yield wrong(f"no TLS with {address.host}: {reason}", "check that the port speaks TLS 1.2 or newer")
        return False
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (ends - datetime.now(UTC)).total_seconds() / 86_400
    text = f"{version}; the certificate is valid for {address.host} until {ends:%Y-%m-%d}, {days:.0f} days"
    yield warning(text, "have it renewed") if days < _FEW_DAYS else ok(text)
    return True


def _certificate_advice(problem: str) -> str:
    problem = problem.lower()
    if "expired" in problem or "not yet valid" in problem:
        return "have it renewed, and check the clock of this machine"
    if "mismatch" in problem or "not valid for" in problem:
        return "set the endpoint to a name that the certificate is issued for"
    return (
        "if it comes from your own authority, name a file in SSL_CERT_FILE that has it and all others that are needed "
        "(it replaces the public authorities); else someone intercepts"
    )


def _connection_problem(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), timeout=_PATIENCE).close()
    except OSError as error:
        return f"{host} port {port}: {error.strerror or error}"
    return ""


def _within(seconds: float, call: Callable[[], T]) -> T:
    """The value of a call that has no time-out of its own.

    Raises:
        TimeoutError: it took longer; its thread goes on, and keeps the process from nothing.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            future.set_exception(error)

    start(Thread(target=work, daemon=True))
    return future.result(seconds)
