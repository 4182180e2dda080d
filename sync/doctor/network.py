"""The way to an address: its name, every machine behind it, TLS, and proxies on the way."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from urllib.request import getproxies

from sync.doctor.result import Findings, check, ok, skip, warning, within, wrong

CHECKS = ("name", "connection", "TLS")
_PATIENCE = 5.0  # seconds
_FEW_DAYS = 14  # of a certificate; who renews it automatically does so earlier


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


def way_to(address: Address) -> Findings[bool]:
    """Look at the whole way; whether a request may arrive."""
    proxy = yield from _proxy(address)
    if proxy:
        yield from skip("the proxy looks up the name and opens the connection; the list tells whether it does", *CHECKS)
        return True
    found = yield from _name(address)
    if not found:
        yield from skip("the name is not known", "connection", "TLS")
        return False
    reached = yield from _connection(address, found)
    if not reached:
        yield from skip("no connection can be opened", "TLS")
        return False
    return bool((yield from _tls(address)))


@check("proxy")
def _proxy(address: Address) -> Findings[str]:
    """The proxy that carries the requests, or ""."""
    proxies = getproxies()  # as the HTTP library does
    used = proxies.get("https") or proxies.get("all") if address.secure else None
    if used and not _is_spared(address.host, proxies.get("no", "")):
        yield ok(f"{_without_login(used)} carries the requests, and sees no token")
        return used
    ignored = sorted(name.upper() + "_PROXY" for name in ("http", "all") if proxies.get(name))
    if ignored and not address.secure:
        yield warning(
            f"{' and '.join(ignored)} is not heeded: over plain http a proxy would see the token",
            "use https, or leave the proxy out",
        )
    elif ignored and not used:
        yield ok(f"none; {' and '.join(ignored)} is for plain http and not heeded, HTTPS_PROXY would be")
    else:
        yield ok("none")
    return ""


@check("name")
def _name(address: Address) -> Findings[list[str]]:
    """All addresses behind the name."""
    host, port = address.host, address.port
    try:
        found = within(_PATIENCE, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:  # the time-out is one of them
        said = getattr(error, "strerror", None) or str(error)
        yield wrong(f"{host} can't be looked up: {said}", "check the endpoint, and the name servers of this machine")
        return []
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    yield ok(f"{host} is {', '.join(addresses)}")
    return addresses


@check("connection")
def _connection(address: Address, found: Sequence[str]) -> Findings[bool]:
    """Each machine is tried, since a run may meet any of them."""
    with ThreadPoolExecutor(min(len(found), 16)) as pool:
        told = dict(zip(found, pool.map(lambda host: _problem(host, address.port), found), strict=True))
    silent = [f"{host} port {address.port}: {problem}" for host, problem in told.items() if problem]
    if not silent:
        yield ok(f"port {address.port} is open" + (f" on all {len(found)}" if len(found) > 1 else ""))
    elif len(silent) < len(found):
        yield warning(
            "; ".join(silent), "each request may wait for these in vain; mend the route (often IPv6) or the name"
        )
    else:
        yield wrong(
            "; ".join(silent), "check the endpoint's port, firewalls, and whether a proxy is needed (HTTPS_PROXY)"
        )
    return len(silent) < len(found)


@check("TLS")
def _tls(address: Address) -> Findings[bool]:
    if not address.secure:
        yield ok("none: plain http")
        return True
    try:
        version, ends = _handshake(address)
    except ssl.SSLCertVerificationError as error:
        yield wrong(f"the certificate is refused: {error.verify_message}", _of_certificate(error))
        return False
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        yield wrong(f"no TLS with {address.host}: {reason}", "check that the port speaks TLS 1.2 or newer")
        return False
    days = (ends - datetime.now(UTC)).total_seconds() / 86_400
    found = f"{version}; the certificate is good for {address.host} until {ends:%Y-%m-%d}, {days:.0f} days"
    yield warning(found, "have it renewed") if days < _FEW_DAYS else ok(found)
    return True


def _handshake(address: Address) -> tuple[str, datetime]:
    """Version of TLS, and when the certificate ends; trusts whom a run trusts."""
    from sync.transport import trust

    with (
        socket.create_connection((address.host, address.port), timeout=_PATIENCE) as plain,
        trust().wrap_socket(plain, server_hostname=address.host) as secure,
    ):
        certificate = secure.getpeercert() or {}
        ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        return secure.version() or "TLS", datetime.fromtimestamp(ends, UTC)


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    text = error.verify_message.lower()
    if "expired" in text or "not yet valid" in text:
        return "have it renewed, and check the clock of this machine"
    if "mismatch" in text or "not valid for" in text:
        return "set the endpoint to the name that the certificate bears"
    return "if the authority is your own, name its certificate in SSL_CERT_FILE; else someone listens in"


def _problem(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), timeout=_PATIENCE).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _is_spared(host: str, no_proxy: str) -> bool:
    """Whether NO_PROXY names a host, or ends its name; one with a dot before it means only what is below it."""
    names = [name.strip().lower() for name in no_proxy.split(",") if name.strip()]
    return any(name in ("*", host) or host.endswith(name if name.startswith(".") else f".{name}") for name in names)


def _without_login(proxy: str) -> str:
    return proxy.rpartition("@")[2].partition("://")[2] or proxy.rpartition("@")[2]
