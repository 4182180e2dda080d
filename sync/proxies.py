"""The proxies that the environment names: which one carries a request, and what is wrong with them.

They are read here and not by the HTTP library, which ends in errors of its own at an IPv6 range in NO_PROXY.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

from sync.errors import EnvironmentVariableError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"\*|(\*?\.)?[\w-]+(\.[\w-]+)*\.?")


def proxy_for(url: str) -> str | None:
    """The URL of the proxy that carries requests to a server, with its login; None if there is none.

    Plain http uses none: a proxy would see the token. An entry of NO_PROXY is a host, which covers the names below it,
    ``.example.com`` for only those, an IP address or a range such as ``10.0.0.0/8``; any of them may have a port.

    Args:
        url: any address of the server.

    Raises:
        EnvironmentVariableError: the proxy, or an entry of NO_PROXY, cannot be used; it is named without a login.
    """
    proxies, server = getproxies(), urlsplit(url)
    scheme = next((scheme for scheme in ("https", "all") if proxies.get(scheme)), None)
    if scheme is None or server.scheme != "https":
        return None
    entries = [entry for entry in re.split(r"[\s,]+", proxies.get("no", "")) if entry]
    if "*" in entries or any([_covers(entry, server) for entry in entries]):  # noqa: C419 - each one is checked
        return None
    return _checked(_variable(f"{scheme}_proxy"), proxies[scheme])


def without_login(proxy: str) -> str:
    """A proxy's host and port, which may be shown."""
    return proxy.rpartition("@")[2].rpartition("://")[2].strip("/")


def _checked(variable: str, proxy: str) -> str:
    """The URL of a proxy, with its scheme."""
    scheme, separator, rest = proxy.rpartition("://") if "://" in proxy else ("http", "", proxy)
    if scheme.lower() not in _DEFAULT_PORTS:
        kind = f"`{scheme}://`" if re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]{0,20}", scheme) else "what comes before `://`"
        raise EnvironmentVariableError(variable, f"{kind} cannot be used; give http://HOST:PORT or https://HOST:PORT")
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        usable = bool(parts.hostname) and parts.port != 0 and re.fullmatch(r"[!-~]+", proxy)
        extra = parts.path.strip("/") or parts.query or parts.fragment
    except ValueError:
        usable, extra = None, ""
    if not usable or extra:
        part = "what follows the host and port" if extra else "its host or port"
        escapes = "with @ : / ? # % in a user or password written as %40 %3A %2F %3F %23 %25"
        raise EnvironmentVariableError(variable, f"{part} cannot be used; give http://HOST:PORT, {escapes}")
    return proxy if separator else f"http://{proxy}"


def _covers(entry: str, server: SplitResult) -> bool:
    """Whether an entry of NO_PROXY covers a server."""
    scheme, _, rest = entry.rpartition("://")
    if scheme and scheme.lower() not in ("all", *_DEFAULT_PORTS):
        raise _unusable(entry)
    host, port = _host_and_port(rest)
    here = server.port or _DEFAULT_PORTS[server.scheme]
    fits = (not port or int(port) == here) and scheme.lower() in ("", "all", server.scheme)
    return _covers_host(entry, host.lower(), (server.hostname or "").rstrip(".")) and fits


def _host_and_port(text: str) -> tuple[str, str]:
    """An entry's host without brackets, and its port or ""; an IPv6 address has a port only after brackets."""
    match = re.fullmatch(r"\[(.*)\](/\d+)?(?::(\d{1,5}))?", text) or re.fullmatch(r"([^:]*)()(?::(\d{1,5}))?", text)
    return (match[1] + (match[2] or ""), match[3] or "") if match else (text, "")


def _covers_host(entry: str, name: str, host: str) -> bool:
    try:
        network = ip_network(name, strict=False)
    except ValueError:
        if not _NAME.fullmatch(name):
            raise _unusable(entry) from None
        name = name.removeprefix("*").rstrip(".")
        return host == name or host.endswith(name if name.startswith(".") else f".{name}")
    try:
        return ip_address(host) in network
    except ValueError:
        return False  # the server is named, not numbered


def _unusable(entry: str) -> EnvironmentVariableError:
    shown = "an entry with `@`" if "@" in entry else f"`{entry}`"
    return EnvironmentVariableError(
        _variable("no_proxy"), f"{shown} cannot be used; give host names, IP addresses or ranges such as 10.0.0.0/8"
    )


def _variable(name: str) -> str:
    """The name of the variable as it is set; the one in lower case comes first, as in ``getproxies``."""
    return name if os.environ.get(name) else name.upper()
