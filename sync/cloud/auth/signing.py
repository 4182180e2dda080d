"""Signs each request with an access key pair (SDK-HMAC-SHA256), as the vendor recommends for programs.

Source: the vendor's API signing guide: canonical request, string to sign, signature, headers of global services.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

from sync.cloud.errors import http_date
from sync.transport import host_and_path

_ALGORITHM = "SDK-HMAC-SHA256"
_NO_BODY = hashlib.sha256(b"").hexdigest()
_WINDOW = 15  # minutes by which the cloud lets the two clocks differ
_NOTABLE = 3 * 60  # seconds; a smaller difference is not mentioned


class SignedRequests:
    """An access key pair, which signs every request.

    Args:
        access_key: its id (AK).
        secret_key: its secret (SK).
        security_token: the token of a temporary key pair, or None.
        domain_id: id of the account, which global services may require.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        access_key: str,
        secret_key: str,
        security_token: str | None = None,
        *,
        domain_id: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access_key, self._secret_key = access_key, secret_key
        own = {"X-Security-Token": security_token, "X-Domain-Id": domain_id}
        self._own = {name: value for name, value in own.items() if value}
        self._clock = clock

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Sign one request without a body, as it will be sent now."""
        host, target = host_and_path(url)
        date = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        signed = {"Host": host, "X-Sdk-Date": date, **self._own}
        names = ";".join(sorted(name.lower() for name in signed))
        request = hashlib.sha256(_canonical(method, target, signed, names).encode()).hexdigest()
        text = f"{_ALGORITHM}\n{date}\n{request}"
        signature = hmac.new(self._secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
        proof = f"{_ALGORITHM} Access={self._access_key}, SignedHeaders={names}, Signature={signature}"
        return {**signed, "Authorization": proof}

    def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002 - no signature is tried twice
        """Return False: more than 5 wrong signatures lock a key."""
        return False

    def explain(self, date: str | None) -> str:
        """Name the clock skew, if the server's ``Date`` shows one."""
        server = http_date(date)
        ahead = self._clock() - server.timestamp() if server else 0.0
        if abs(ahead) < _NOTABLE:
            return ""
        side = "ahead of" if ahead > 0 else "behind"
        return (
            f"there is a clock skew: this machine's clock is {abs(ahead) / 60:.0f} minutes {side} the cloud's, and "
            f"signatures are valid for {_WINDOW} minutes only; set the clock (NTP)"
        )


def _canonical(method: str, target: str, signed: Mapping[str, str], names: str) -> str:
    """The request in the one form that both sides can compute."""
    path, _, query = target.partition("?")
    values = {name.lower(): value.strip() for name, value in signed.items()}
    headers = "".join(f"{name}:{values[name]}\n" for name in names.split(";"))
    return "\n".join((method, _canonical_path(path), _canonical_query(query), headers, names, _NO_BODY))


def _canonical_path(path: str) -> str:
    encoded = quote(unquote_to_bytes(path), safe="/")
    return encoded if encoded.endswith("/") else f"{encoded}/"


def _canonical_query(query: str) -> str:
    pairs = (piece.partition("=") for piece in query.split("&") if piece)
    decoded = sorted((unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs)
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in decoded)
