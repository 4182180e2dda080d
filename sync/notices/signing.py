"""Signatures by which a receiver knows that a notice is ours and new: Standard Webhooks 1.0, symmetric.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

_PREFIX = "whsec_"


def headers(identity: str, seconds: int, body: bytes, secret: str | None) -> dict[str, str]:
    """The headers of one try.

    Args:
        identity: of the notice; the same in every try.
        seconds: Unix time of this try.
        body: just as it is sent.
        secret: ``whsec_`` and the key in base64; None: nothing is signed.
    """
    named = {"webhook-id": identity, "webhook-timestamp": str(seconds)}
    if secret is None:
        return named
    key = b64decode(secret.removeprefix(_PREFIX))
    mac = hmac.new(key, f"{identity}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return named | {"webhook-signature": f"v1,{b64encode(mac).decode()}"}
