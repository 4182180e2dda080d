"""Checks request signatures (SDK-HMAC-SHA256) by computing them again from the request.

Source: the vendor's API signing guide (canonical request, string to sign, signature).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from sync.simulator.answers import Request

ALGORITHM = "SDK-HMAC-SHA256"
WINDOW = 15 * 60  # seconds X-Sdk-Date may be off
_DATE = "%Y%m%dT%H%M%SZ"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_AUTHORIZATION = re.compile(rf"{ALGORITHM} Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key pair; temporary ones come with a security token."""

    access: str
    secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


def flaw(request: Request, keys: Keys, now: float) -> str:
    """The first mistake in the signature of a request, in a few words; "" if it is right.

    Args:
        request: as it came in.
        keys: the access key that must have signed it.
        now: the server's clock, in seconds since 1970.
    """
    parts = _AUTHORIZATION.fullmatch(request.headers.get("authorization", "").strip())
    if parts is None:
        return "the Authorization header cannot be read"
    signed, signature = parts.group(2).split(";"), parts.group(3)
    tests = {
        "the access key is not known": parts.group(1) == keys.access,
        "Host and X-Sdk-Date must be signed": {"host", "x-sdk-date"} <= set(signed),
        "the security token is not the one of this key": request.headers.get("x-security-token") == keys.security_token,
        "X-Sdk-Date is more than 15 minutes off": _recent(request.headers.get("x-sdk-date", ""), now),
        "the signature is not the one of this request": hmac.compare_digest(
            signature, _signature(request, signed, keys.secret)
        ),
    }
    return next((complaint for complaint, passed in tests.items() if not passed), "")


def _recent(text: str, now: float) -> bool:
    try:
        moment = datetime.strptime(text, _DATE).replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(moment.timestamp() - now) <= WINDOW


def _signature(request: Request, signed: list[str], secret: str) -> str:
    canonical = hashlib.sha256(_canonical(request, signed).encode("utf-8", "surrogateescape")).hexdigest()
    text = f"{ALGORITHM}\n{request.headers.get('x-sdk-date', '')}\n{canonical}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _canonical(request: Request, signed: list[str]) -> str:
    headers = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in signed)
    path, query, payload = _canonical_path(request.path), _canonical_query(request.query), _payload(request)
    return "\n".join((request.method, path, query, headers, ";".join(signed), payload))


def _canonical_path(path: str) -> str:
    encoded = "/".join(_encode(unquote(piece)) for piece in path.split("/"))
    return encoded if encoded.endswith("/") else f"{encoded}/"


def _canonical_query(query: str) -> str:
    pairs = [piece.partition("=") for piece in query.split("&") if piece]
    decoded = sorted((unquote(name), unquote(value)) for name, _, value in pairs)
    return "&".join(f"{_encode(name)}={_encode(value)}" for name, value in decoded)


def _payload(request: Request) -> str:
    named = request.headers.get("x-sdk-content-sha256")
    return _UNSIGNED if request.body and named == _UNSIGNED else hashlib.sha256(request.body).hexdigest()


def _encode(text: str) -> str:
    return quote(text, safe="~")
