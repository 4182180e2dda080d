"""Whether something between us and the cloud answered in its place: a proxy, a gateway, a portal, a load balancer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

# What such programs call themselves. nginx and Apache are not among them: they may be the cloud's own.
_KNOWN = re.compile(
    r"squid|envoy|haproxy|varnish|zscaler|blue ?coat|forti|mcafee|websense|forcepoint|netskope|cloudflare|akamai|awselb"
    r"|bigip|barracuda|palo ?alto|symantec|sophos|privoxy|tinyproxy|traffic ?server",
    re.IGNORECASE,
)
_NAMES = ("server", "via", "x-squid-error", "proxy-agent", "x-cache")
_ITS_OWN = ("x-squid-error", "proxy-authenticate")  # no API sends these
_PROOFLESS = range(400, 600)


def names_in_between(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, str] | None:
    """What the one calls itself that seems to have answered in the cloud's place, by header; None if it was the cloud.

    Args:
        status: of an answer that is an error, and has neither a code nor a request id of the cloud.
        headers: of the answer.
        body: of the answer.
    """
    named = {name.title(): value for name in _NAMES if (value := headers.get(name))}
    if status not in _PROOFLESS:
        return None
    if (
        status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        or any(name in headers for name in _ITS_OWN)
        or is_page(body)
        or (not body.lstrip().startswith((b"{", b"[")) and _KNOWN.search(" ".join(named.values())))
    ):
        return named
    return None


def is_page(body: bytes) -> bool:
    """Whether a body is a web page."""
    return body[:200].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
