"""Signs each request with an access key pair (SDK-HMAC-SHA256), as the vendor recommends for programs.

Source: the vendor's API signing guide: canonical request, string to sign, signature, headers of global and of regional
services.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

from sync.cloud.auth.credential import read_again
from sync.cloud.auth.grant import Grant
from sync.cloud.errors import http_date
from sync.domain.scope import Scope
from sync.settings import Secret
from sync.transport import host_and_path

_ALGORITHM = "SDK-HMAC-SHA256"
_NO_BODY = hashlib.sha256(b"").hexdigest()
_WINDOW = 15  # minutes by which the cloud lets the two clocks differ
_NOTABLE = 3 * 60  # seconds; a smaller difference is not mentioned


class _Signed(dict[str, str]):
    """The headers of one request; ``pair`` numbers the key pair that signed them."""

    pair = 0


class SignedRequests:
    """An access key pair, which signs every request; what came from files is read again if it is refused.

    Args:
        access_key: its id (AK).
        secret_key: its secret (SK).
        security_token: the token of a temporary key pair, or None.
        domain_id: id of the account, which global services may require.
        project_id: id of the project, which regional services require.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        access_key: Secret,
        secret_key: Secret,
        security_token: Secret | None = None,
        *,
        domain_id: str | None = None,
        project_id: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access_key, self._secret_key, self._security_token = access_key, secret_key, security_token
        self._domain_id, self._project_id, self._clock = domain_id, project_id, clock
        self._pair = 0  # counts those that were tried; a run takes one new one at most
        self._lock = threading.Lock()

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Sign one request without a body, as it will be sent now."""
        with self._lock:
            pair, access_key, secret_key = self._pair, self._access_key.reveal(), self._secret_key.reveal()
            own = {"X-Security-Token": self._security_token and self._security_token.reveal()}
        own |= {"X-Domain-Id": self._domain_id, "X-Project-Id": self._project_id}
        host, target = host_and_path(url)
        date = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        signed = {"Host": host, "X-Sdk-Date": date} | {name: value for name, value in own.items() if value}
        names = ";".join(sorted(name.lower() for name in signed))
        request = hashlib.sha256(_canonical(method, target, signed, names).encode()).hexdigest()
        text = f"{_ALGORITHM}\n{date}\n{request}"
        signature = hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
        proof = f"{_ALGORITHM} Access={access_key}, SignedHeaders={names}, Signature={signature}"
        headers = _Signed(signed, Authorization=proof)
        headers.pair = pair
        return headers

    def grant(self, *, anew: bool = False) -> Grant:  # noqa: ARG002 - it does not change
        """The project; nothing is known of roles, and signed requests get no catalog."""
        return Grant(Scope(self._project_id) if self._project_id else None)

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Read the files of the keys again, once in a run; the same pair signs nothing more: 5 failures lock a key."""
        with self._lock:
            if getattr(refused, "pair", 0) != self._pair:
                return True  # another thread did so
            secrets = (self._access_key, self._secret_key, self._security_token)
            if self._pair or not read_again(*filter(None, secrets)):
                return False
            self._pair += 1
            return True

    def explain(self, date: str | None) -> str:
        """Say that new keys were tried, too, and name the clock skew, if the server's ``Date`` shows one."""
        new = "the new keys from their files are refused, too" if self._pair else ""
        server = http_date(date)
        ahead = self._clock() - server.timestamp() if server else 0.0
        if abs(ahead) < _NOTABLE:
            return new
        side = "ahead of" if ahead > 0 else "behind"
        return (f"{new}; " if new else "") + (
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
